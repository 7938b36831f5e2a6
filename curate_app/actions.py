"""Judgements: each POST is one batch of events, committed before it is answered."""

from collections.abc import Sequence
from typing import Any

from flask import Blueprint, Response, abort, jsonify, request

from curate_app.address import LARGEST_ID
from curate_app.deeds import deed, named_settings
from curate_app.desk import catalog, desk, who
from curate_app.filters import KEYS, BadFilter, Filter, fits
from curate_app.overview import overview
from curate_app.shortfall import TARGET
from dataset.records import (
    Change,
    ImageFilter,
    PairChange,
    UndoneBatch,
    VoteChange,
    Wish,
    best_caption,
)
from dataset.wording import LONGEST_LABEL, NO_TEXT, bare, strange_letter

blueprint = Blueprint("actions", __name__)

MOST_PICTURES = 10_000
LONGEST_CAPTION = 4000
_MOST_COMPARED = 200  # every pair of them is a decision
_MOST_SHOWN = 2000  # states of pictures in one answer; beyond that the page is fetched anew
_PAST_TENSE = {"keep": "kept", "reject": "rejected"}


@blueprint.post("/judge")
def judge() -> Response:
    """{"verb": ..., "ids": [...]}: keep, reject, stars ("stars": 0 to 5), label ("label": text) or
    caption ("caption": text, "" is as found).

    With {"filter": {...}, "count": n} instead of ids: everything that the filter holds, if that
    is still the n pictures that the person saw.
    """
    body = read_body("verb", "ids", "filter", "count", "stars", "label", "caption")
    verb = body.get("verb")
    ids = _filtered(body) if "filter" in body else read_ids(body.get("ids"), "ids")
    if verb == "stars":
        stars = body.get("stars")
        if type(stars) is not int or not 0 <= stars <= 5:
            abort(400, "stars must be a whole number from 0 to 5")
        changes = [Change(image_id=i, field="stars", value=stars) for i in ids]
        return apply_changes(changes, "stars", f"{'★' * stars or 'no stars'} for {named(ids)}")
    if verb == "label":
        label = read_label(body, "label")
        changes = [Change(image_id=i, field="label", value=label) for i in ids]
        where = f"put into class {label}" if label else "taken out of their class"
        return apply_changes(changes, "label", f"{named(ids)} {where}")
    if verb == "caption":
        caption = read_text(body, "caption", LONGEST_CAPTION)
        changes = [Change(image_id=i, field="caption", value=caption) for i in ids]
        how = "written" if caption else "as found"
        return apply_changes(changes, "caption", f"caption of {named(ids)} {how}")
    if not isinstance(verb, str) or verb not in _PAST_TENSE:
        abort(400, "verb must be keep, reject, stars, label or caption")
    changes = [Change(image_id=i, field="status", value=verb) for i in ids]
    overruled = _overruled(ids[0], verb) if len(ids) == 1 else ""
    return apply_changes(changes, verb, f"{_PAST_TENSE[verb]} {named(ids)}{overruled}")


def _overruled(image_id: int, verb: str) -> str:
    """Who said otherwise of this picture before, if it was somebody else: both stay in the log."""
    said = [e for e in catalog().judgements.of_image(image_id) if e.field == "status"]
    if not said or said[-1].who == who() or said[-1].after not in _PAST_TENSE:
        return ""
    before = str(said[-1].after)
    return "" if before == verb else f", which {said[-1].who} {_PAST_TENSE[before]} before"


def _filtered(body: dict[str, Any]) -> list[int]:
    """The pictures of the filter in a body; error 409 when they are not as many as was seen."""
    given, count = body["filter"], body.get("count")
    if not isinstance(given, dict) or set(given) - set(KEYS) or "ids" in body:
        abort(400, f"filter must be an object with some of: {', '.join(KEYS)}; and no ids with it")
    if type(count) is not int or count < 1:
        abort(400, "count must be the number of pictures that the filter holds")
    try:
        with overview().reading(catalog()) as view:
            ids: list[int] = view.ids[view.mask(Filter(**given))].tolist()
    except BadFilter as error:
        abort(400, str(error))
    if len(ids) != count:
        abort(409, f"the filter holds {len(ids):,} pictures now, not {count:,}; look again")
    return ids


@blueprint.post("/duplicates/keep-best")
def keep_best() -> Response:
    """Keep one of a group and reject the others: {"keeper": id, "members": [...]}.

    Members that a person told apart from the keeper are left as they are.
    """
    body = read_body("keeper", "members")
    [keeper] = read_ids([body.get("keeper")], "keeper")
    members = read_ids(body.get("members"), "members")
    others = [member for member in members if member != keeper]
    if len(others) == len(members) or not others:
        abort(400, "members must hold the keeper and at least one other picture")
    settled = catalog().judgements.pairs.settled([keeper, *members])
    apart = [member for member in others if settled.are_apart(keeper, member)]
    others = [member for member in others if member not in set(apart)]
    changes = [Change(image_id=keeper, field="status", value="keep")]
    reason = f"duplicate of #{keeper}"
    changes += [Change(image_id=i, field="status", value="reject", reason=reason) for i in others]
    message = f"kept #{keeper}" + (f", rejected {named(others)}" if others else "")
    if apart:
        message += f"; {named(apart)} told apart from it, left alone"
    return apply_changes(changes, "keep-best", message)


@blueprint.post("/duplicates/keep-all")
def keep_all() -> Response:
    """Keep every picture of a group, duplicates or not: {"members": [...]}."""
    members = read_ids(read_body("members").get("members"), "members")
    changes = [Change(image_id=i, field="status", value="keep") for i in members]
    return apply_changes(changes, "keep-all", f"kept all of {named(members)}")


@blueprint.post("/duplicates/different")
def different() -> Response:
    """Say for ever that pictures are no duplicates: {"members": [...]}, all of each other.

    With {"picture": id, "members": [...]}: that one of all the others, which stay together.
    """
    body = read_body("picture", "members")
    members = read_ids(body.get("members"), "members")
    alone = read_ids([body["picture"]], "picture") if "picture" in body else members
    if len(members) < 2 or not set(alone) <= set(members):
        abort(400, "members must hold the picture and at least one other")
    if len(alone) > _MOST_COMPARED:
        abort(
            400,
            f"more than {_MOST_COMPARED} pictures are too many to tell apart at once: take out "
            "those that differ one by one (s), choose a smaller radius, or keep all (a)",
        )
    pairs = {(min(a, b), max(a, b)) for a in alone for b in members if a != b}
    changes = [PairChange(a=a, b=b, verdict="different") for a, b in sorted(pairs)]
    message = f"{named(members)} are no duplicates"
    if "picture" in body:
        message = f"#{alone[0]} is no duplicate of the others"
    return apply_changes(changes, "different", message)


@blueprint.post("/undo")
def undo() -> Response:
    """Take back this person's newest action that still stands; without limit, across restarts."""
    read_body()
    with desk().writing:
        undone = catalog().judgements.undo(who=who(), most=_MOST_SHOWN)
    if undone is None:
        return _answer(None, "nothing left to undo", UndoneBatch(**_NOTHING))
    return _answer(undone.batch, f"undid {deed(undone.verb)}{_of_what(undone)}", undone)


_NOTHING: dict[str, Any] = {"batch": 0, "verb": "", "who": "", "events": (), "pairs": ()}


def _of_what(undone: UndoneBatch) -> str:
    ids = [event.image_id for event in undone.events]
    ids += [i for pair in undone.pairs for i in (pair.a, pair.b)]
    ids += [i for vote in undone.votes for i in (vote.left, vote.right)]
    if not ids:
        names = [setting.name for setting in undone.settings]
        return f" of {named_settings(names)}" if names else ""
    if undone.pictures > len(ids):  # of a large batch the first events only are in hand
        return f" of {undone.pictures:,} pictures"
    return f" of {named(list(dict.fromkeys(ids)))}"


def apply_changes(changes: Sequence[Wish], verb: str, message: str) -> Response:
    """Carry out one batch in the name of the person behind this request, and answer with what the
    page must show now; error 404 for a picture that is not there."""
    _check_pictures(changes)
    judgements = catalog().judgements
    with desk().writing:
        batch = judgements.apply(changes, who=who(), verb=verb)
    if batch is None:
        return _answer(None, f"nothing to change: {message} before", UndoneBatch(**_NOTHING))
    done = UndoneBatch(
        batch=batch,
        verb=verb,
        who=who(),
        events=tuple(judgements.of_batch(batch, _MOST_SHOWN)),
        pairs=tuple(judgements.pairs.of_batch(batch)),
        votes=tuple(judgements.votes.of_batch(batch)),
        settings=tuple(judgements.settings.of_batch(batch)),
        pictures=judgements.picture_count(batch),
    )
    # Duplicates of what was rejected, which are undecided again.
    if back := judgements.reopened(batch):
        message += f"; {named(back)} {'is' if len(back) == 1 else 'are'} undecided again"
    return _answer(batch, message, done)


def _check_pictures(changes: Sequence[Wish]) -> None:
    meant: dict[int, None] = {}
    for change in changes:
        if isinstance(change, Change):
            meant[change.image_id] = None
        elif isinstance(change, PairChange):
            meant.update({change.a: None, change.b: None})
        elif isinstance(change, VoteChange):
            meant.update({change.left: None, change.right: None})
    there = catalog().images.records(list(meant)) if len(meant) <= MOST_PICTURES else meant
    for image_id in meant:
        if image_id not in there:
            abort(404, f"there is no picture {image_id} in this catalogue")


def _answer(batch: int | None, message: str, done: UndoneBatch) -> Response:
    """What the page must show now: the message, the new state of each picture touched, and what
    holds now for each pair; after an undo the votes that no longer count."""
    ids = list(dict.fromkeys(event.image_id for event in done.events))
    records = catalog().images.records(ids[:_MOST_SHOWN])
    captions = catalog().images.captions_of(list(records))
    pictures = [
        {
            "id": r.id,
            "status": r.status,
            "reason": r.reason,
            "stars": r.stars,
            "label": r.label,
            "caption": best_caption(captions.get(r.id, [])),
        }
        for r in records.values()
    ]
    said: dict[str, Any] = {"verb": done.verb}
    if done.pairs:
        said["pairs"] = [{"a": p.a, "b": p.b, "verdict": p.after} for p in done.pairs]
    if done.votes:
        said["votes"] = [{"left": v.left, "right": v.right} for v in done.votes]
    if done.settings:
        said["settings"] = [{"name": s.name, "value": s.after} for s in done.settings]
    if done.pictures > len(ids[:_MOST_SHOWN]):
        said["reload"] = True
    return jsonify(batch=batch, message=message, pictures=pictures, **said)


def read_body(*known: str) -> dict[str, Any]:
    """The JSON object of this request, whose keys are among `known`; errors 400 and 415."""
    if not request.is_json:
        abort(415, "send the action as application/json")
    try:
        body = request.get_json(silent=True)
    except RecursionError:
        body = None
    if not isinstance(body, dict):
        abort(400, "the body is no JSON object")
    unknown = sorted(set(body) - set(known))
    if unknown:
        abort(400, f"unknown key {str(unknown[0])[:40]!r} in the body")
    return body


def read_ids(value: Any, name: str) -> list[int]:
    """A list of 1 to 10,000 different identities, or error 400."""
    if not isinstance(value, list) or not 0 < len(value) <= MOST_PICTURES:
        abort(400, f"{name} must be a list of 1 to {MOST_PICTURES} numbers of pictures")
    if not all(type(item) is int and 0 < item <= LARGEST_ID for item in value):
        abort(400, f"{name} must hold numbers of pictures only")
    return list(dict.fromkeys(value))


def read_text(body: dict[str, Any], key: str, longest: int) -> str:
    """A text of the body as one line of printable letters, or error 400."""
    value = body.get(key)
    if not isinstance(value, str) or len(value) > longest:
        abort(400, f"{key} must be text of at most {longest} letters")
    text = " ".join(value.split())
    if strange := strange_letter(text):
        abort(400, f"{key} holds {strange}, a letter that cannot be shown; leave it out")
    return text


def read_label(body: dict[str, Any], key: str) -> str:
    """The name of a class in the body: that of one that there is, as it is; any other one tidied
    up. Error 400 as `read_text`."""
    value = body.get(key)
    if isinstance(value, str) and fits("label", value) and _is_class(value):
        return value
    return bare(read_text(body, key, LONGEST_LABEL))


def _is_class(label: str) -> bool:
    """Whether any picture or a target is of this class."""
    if NO_TEXT.search(label):
        return False
    has_pictures = bool(catalog().images.page(ImageFilter(label=label), limit=1))
    return has_pictures or bool(catalog().settings.get(TARGET + label))


def named(ids: Sequence[int]) -> str:
    """The pictures as a message names them."""
    return f"#{ids[0]}" if len(ids) == 1 else f"{len(ids):,} pictures"
