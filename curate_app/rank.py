"""The rank screen: A or B, or the best of four, until the top of a class is settled."""

import dataclasses
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from flask import Blueprint, Response, abort, jsonify, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as Answer

from curate_app.actions import apply_changes, read_body
from curate_app.address import check_keys
from curate_app.ballot import (
    MOST_MORE,
    SIZES,
    Mode,
    hand_out,
    hand_out_again,
    is_aside,
    read_contenders,
    read_groups,
    read_wanted,
    votes_of_four,
)
from curate_app.contests import Contest, contests
from curate_app.desk import catalog, who
from curate_app.error_pages import wants_json
from curate_app.overview import overview
from curate_app.ranker import Outlook, Standing, ranker
from curate_app.scoreboard import (
    Progress,
    facts_line,
    places_of,
    progress_of,
    progress_unseen,
    strip_of,
)
from curate_app.standing import target_of
from curate_app.upkeep import stir
from dataset.records import OUTCOMES, STATUSES, Change, SettingChange, VoteChange

blueprint = Blueprint("rank", __name__)

# Groups that lie ready in a page: enough for fast fingers, and few in a small class, where every
# vote makes others worth asking.
_FEWEST_READY, _MOST_READY = 8, 24
_MOST_TOP = 1_000_000
_MOST_ASKED = 3  # classes that are looked at before the first one is chosen
_WORDS = {"left": "#{0} over #{1}", "right": "#{1} over #{0}", "tie": "#{0} about equal to #{1}"}


@blueprint.get("/rank")
def show() -> str | Answer:
    """The pairs (or fours) to vote on, how far the class is, and its present top list.

    `?label=` is the class, `?mode=` two or four, `?top=` how many are wanted (else the target).
    """
    check_keys("label", "mode", "top")
    mode, top, classes = _read_mode(), _read_top(), contests()
    label = request.args.get("label")
    if label is None:
        whole = urlencode({**request.args, "label": _first(classes)})
        return redirect(f"{url_for('rank.show')}?{whole}")
    if label not in classes and (label or classes):
        abort(404, f"there is no class {label[:80]!r} in this catalogue")
    standing = ranker().standing(catalog(), label, top)
    progress = progress_of(standing)
    rows = _rows(classes, standing)
    page: dict[str, Any] = {
        "label": label,
        "mode": mode,
        "target": _target(label),
        "mine": classes[label].voters[who()] if label in classes else 0,
        "votes": classes[label].votes if label in classes else 0,
        "heldout": dataclasses.asdict(standing.heldout),
        "left_bias": standing.left_bias,
        "left_bias_deviation": standing.left_bias_deviation,
    }
    places = places_of(standing)
    full = min(max(progress.contenders // 10, _FEWEST_READY), _MOST_READY)
    queue = hand_out(label, mode, full, [])
    if wants_json():
        return jsonify(
            **page,
            progress=dataclasses.asdict(progress),
            pictures=[place.as_json() for place in places if place.tile],
            classes=[dataclasses.asdict(row) for row in rows],
            queue=queue,
        )
    return render_template(
        "rank.html",
        **page,
        progress=progress,
        places=places,
        strip=strip_of(standing),
        facts=facts_line(standing),
        classes=[(row, _address(row.label, mode, None)) for row in rows],
        following=_following(rows, label, mode),
        top=top,
        modes={name: _address(label, name, top) for name in SIZES},
        finish=_finish(standing),
        given={"label": label, "mode": mode, "full": full, "queue": queue},
    )


@blueprint.get("/rank/next")
def more() -> Response:
    """Further groups to vote on: `count` of them, none with a pair of the `held` ones (1-2,3-4).

    With `again` it is that group (3-7), to be voted on once more.
    """
    check_keys("label", "mode", "count", "held", "again")
    label, count = request.args.get("label", ""), request.args.get("count", str(_FEWEST_READY))
    if re.fullmatch("[0-9]{1,2}", count) is None or not 1 <= int(count) <= MOST_MORE:
        abort(400, f"count must be a whole number from 1 to {MOST_MORE}")
    with overview().reading(catalog()) as view:
        if label and label not in view.labels:
            abort(404, f"there is no class {label[:80]!r} in this catalogue")
    if "again" in request.args:
        return jsonify(queue=[hand_out_again(group, label) for group in read_groups("again")])
    return jsonify(queue=hand_out(label, _read_mode(), int(count), read_groups("held")))


@blueprint.post("/rank/vote")
def vote() -> Response:
    """Say which of two is better: {"left": id, "right": id, "outcome": left | right | tie}.

    The "ticket" that came with the pair says whether the vote is set aside. "label" is the class
    that the voter sees; with "more", that many further pairs come back that are not "held".
    """
    body = read_body("left", "right", "outcome", "ticket", "label", "more", "held")
    outcome = body.get("outcome")
    if outcome not in OUTCOMES:
        abort(400, "outcome must be left, right or tie")
    sides = [body.get("left"), body.get("right")]
    left, right = ids = read_contenders(sides, "left and right", 2, _read_label(body))
    wanted = read_wanted(body)
    change = VoteChange(
        left=left, right=right, outcome=outcome, aside=is_aside(ids, body.get("ticket"))
    )
    response = apply_changes([change], "vote", _WORDS[outcome].format(left, right))
    return _with_more(response, left, "two", wanted)


@blueprint.post("/rank/four")
def four() -> Response:
    """Say which of four is the best, and which the worst if that is plain: {"ids": [4 ids],
    "best": id, "worst": id or null}; the rest as for a vote on two."""
    body = read_body("ids", "best", "worst", "ticket", "label", "more", "held")
    ids = read_contenders(body.get("ids"), "ids", 4, _read_label(body))
    best, worst = body.get("best"), body.get("worst")
    if type(best) is not int or best not in ids:
        abort(400, "best must be one of the four")
    if worst is not None and (type(worst) is not int or worst not in ids or worst == best):
        abort(400, "worst must be another one of the four, or null")
    wanted = read_wanted(body)
    changes = votes_of_four(ids, best, worst, is_aside(ids, body.get("ticket")))
    message = f"#{best} the best of four" + (f", #{worst} the worst" if worst else "")
    response = apply_changes(changes, "best-of-four", message)
    return _with_more(response, best, "four", wanted)


@blueprint.post("/rank/target")
def set_target() -> Response:
    """Say how many of a class shall be kept: {"label": class, "target": number or null}."""
    body = read_body("label", "target")
    label, target = _read_class(body), body.get("target")
    if target is not None and (type(target) is not int or not 1 <= target <= _MOST_TOP):
        abort(400, f"target must be a whole number from 1 to {_MOST_TOP}, or null")
    change = SettingChange(name=f"target:{label}", value="" if target is None else str(target))
    words = "no target" if target is None else f"a target of {target}"
    return apply_changes([change], "target", f"{words} for {_named(label)}")


@blueprint.post("/rank/keep-top")
def keep_top() -> Response:
    """Keep the best of a class: {"label": class, "top": how many, "keep": n, "reject": m or 0}.

    `keep` and `reject` are what the sender expects: the best `keep` are kept, and unless `reject`
    is 0 all others of the class, `reject` in number, are rejected; error 409 when there are more
    or fewer by now.
    """
    body = read_body("label", "top", "keep", "reject")
    label = _read_class(body)
    top, keep, reject = (body.get(key) for key in ("top", "keep", "reject"))
    for name, value in (("top", top), ("keep", keep), ("reject", reject)):
        if type(value) is not int or not 0 <= value <= _MOST_TOP:
            abort(400, f"{name} must be a whole number")
    if not top:
        abort(400, "top must be 1 or more")
    standing = ranker().standing(catalog(), label, top, newest=True)
    best, rest = standing.ids[: standing.k].tolist(), standing.ids[standing.k :].tolist()
    if len(best) != keep or (reject and len(rest) != reject):
        abort(
            409,
            f"{_named(label)} has changed: {len(best)} would be kept and {len(rest)} are left "
            "over; look at the list again",
        )
    changes = [Change(image_id=one, field="status", value="keep") for one in best]
    reason = f"not in the top {len(best)}"
    if reject:
        changes += [
            Change(image_id=one, field="status", value="reject", reason=reason) for one in rest
        ]
    message = f"kept the top {len(best)} of {_named(label)}"
    message += f", rejected the other {len(rest)}" if reject else ""
    return apply_changes(changes, "keep-top", message)


@blueprint.after_app_request
def _after_action(response: Response) -> Response:
    """Votes, stars, undo: whatever was done on any screen, the stored scores follow."""
    if request.method == "POST" and response.status_code == 200:
        stir()
    return response


def _with_more(response: Response, one: int, mode: Mode, wanted: tuple[int, list[Any]]) -> Response:
    """The answer to a vote, with further groups of the class of the picture `one`, if wanted."""
    count, held = wanted
    answer = response.get_json()
    if count:
        record = catalog().images.get(one)
        answer["queue"] = hand_out(record.label if record else "", mode, count, held)
    return jsonify(answer)


def _first(classes: Mapping[str, Contest]) -> str:
    """The class to begin with: the first with something to compare that nobody has voted on, else
    the first that is not settled."""
    open_ = [contest for contest in classes.values() if contest.contenders > 1]
    asked = 0
    for contest in open_:
        found = ranker().outlook(contest.label) if contest.votes else None
        if contest.votes and found is None and asked < _MOST_ASKED:
            found, asked = ranker().standing(catalog(), contest.label), asked + 1
        if found is None or not found.settled:
            return contest.label
    return open_[0].label if open_ else next(iter(classes), "")


def _rows(classes: Mapping[str, Contest], shown: Standing) -> list[Progress]:
    """How far every class is: the one that is shown as it is now, the others as they were when
    they were looked at last, which nobody waits for."""
    targets = catalog().settings.all()

    def progress(contest: Contest) -> Progress:
        known: Outlook | None = None
        if contest.votes:
            is_shown = contest.label == shown.label
            known = ranker().outlook(contest.label) or (shown if is_shown else None)
        if known is not None:
            return progress_of(known)
        return progress_unseen(contest, targets.get(f"target:{contest.label}", ""))

    rows = [progress(contest) for contest in classes.values()]
    if not all(row.fresh for row in rows):
        stir()
    return rows


def _following(rows: list[Progress], label: str, mode: Mode) -> tuple[Progress, str] | None:
    """The next class that is not settled, after `label` and then from the start."""
    later = [row for row in rows if row.label > label] + [row for row in rows if row.label < label]
    for row in later:
        if not row.settled and row.contenders > row.top:
            return row, _address(row.label, mode, None)
    return None


def _address(label: str, mode: Mode, top: int | None) -> str:
    chosen: dict[str, Any] = {"label": label}
    if mode != "two":
        chosen["mode"] = mode
    if top is not None:
        chosen["top"] = top
    return url_for("rank.show", **chosen)


def _finish(standing: Standing) -> dict[str, Any]:
    """What keeping the top would do: how many it keeps, how many others it could reject."""
    with overview().reading(catalog()) as view:
        kept = view.status[view.rows_of(standing.ids)] == STATUSES.index("keep")
    inside, outside = int(kept[: standing.k].sum()), int(kept[standing.k :].sum())
    note = f"{inside or 'None'} of the top {standing.k} kept so far"
    if outside:
        note += f"; {outside} of the others {'is' if outside == 1 else 'are'} kept now"
    return {"keep": standing.k, "reject": standing.contenders - standing.k, "note": note + "."}


def _named(label: str) -> str:
    return label or "the pictures without a class"


def _target(label: str) -> int | None:
    return target_of(catalog().settings.get(f"target:{label}"))


def _read_mode() -> Mode:
    mode = request.args.get("mode", "two")
    if mode not in SIZES:
        abort(400, "mode is two or four")
    return "four" if mode == "four" else "two"


def _read_top() -> int | None:
    text = request.args.get("top")
    if text is None:
        return None
    if re.fullmatch("[0-9]{1,7}", text) is None or not 1 <= int(text) <= _MOST_TOP:
        abort(400, f"top must be a whole number from 1 to {_MOST_TOP}")
    return int(text)


def _read_label(body: Mapping[str, Any]) -> str | None:
    label = body.get("label")
    if label is not None and not isinstance(label, str):
        abort(400, "label must be the name of a class")
    return label


def _read_class(body: Mapping[str, Any]) -> str:
    label = _read_label(body)
    if label is None:
        abort(400, "label must be the name of a class")
    if label not in contests():
        abort(404, f"there is no class {label[:80]!r} in this catalogue")
    return label
