"""Judgements: each POST is one batch of events, committed before it is answered."""

from collections.abc import Sequence
from typing import Any

from flask import Blueprint, Response, abort, jsonify, request

from curate_app.address import LARGEST_ID
from curate_app.desk import catalog, desk
from dataset.records import Change, Event, PairChange, PairDecision

blueprint = Blueprint("actions", __name__)

MOST_PICTURES = 10_000
_MOST_COMPARED = 200  # every pair of them is a decision
_PAST_TENSE = {"keep": "kept", "reject": "rejected"}


@blueprint.post("/judge")
def judge() -> Response:
    """Keep, reject or rate: {"verb": keep | reject | stars, "ids": [...], "stars": 0 to 5}."""
    body = _body("verb", "ids", "stars")
    ids, verb = _ids(body.get("ids"), "ids"), body.get("verb")
    if verb == "stars":
        stars = body.get("stars")
        if type(stars) is not int or not 0 <= stars <= 5:
            abort(400, "stars must be a whole number from 0 to 5")
        changes = [Change(image_id=i, field="stars", value=stars) for i in ids]
        return _apply(changes, "stars", f"{'★' * stars or 'no stars'} for {_named(ids)}")
    if not isinstance(verb, str) or verb not in _PAST_TENSE:
        abort(400, "verb must be keep, reject or stars")
    changes = [Change(image_id=i, field="status", value=verb) for i in ids]
    return _apply(changes, verb, f"{_PAST_TENSE[verb]} {_named(ids)}")


@blueprint.post("/duplicates/keep-best")
def keep_best() -> Response:
    """Keep one of a group and reject the others: {"keeper": id, "members": [...]}.

    Members that a person told apart from the keeper are left as they are.
    """
    body = _body("keeper", "members")
    [keeper] = _ids([body.get("keeper")], "keeper")
    members = _ids(body.get("members"), "members")
    others = [member for member in members if member != keeper]
    if len(others) == len(members) or not others:
        abort(400, "members must hold the keeper and at least one other picture")
    settled = catalog().judgements.pairs.settled()
    apart = [member for member in others if settled.are_apart(keeper, member)]
    others = [member for member in others if member not in set(apart)]
    changes = [Change(image_id=keeper, field="status", value="keep")]
    reason = f"duplicate of #{keeper}"
    changes += [Change(image_id=i, field="status", value="reject", reason=reason) for i in others]
    message = f"kept #{keeper}" + (f", rejected {_named(others)}" if others else "")
    if apart:
        message += f"; {_named(apart)} told apart from it, left alone"
    return _apply(changes, "keep-best", message)


@blueprint.post("/duplicates/keep-all")
def keep_all() -> Response:
    """Keep every picture of a group, duplicates or not: {"members": [...]}."""
    members = _ids(_body("members").get("members"), "members")
    changes = [Change(image_id=i, field="status", value="keep") for i in members]
    return _apply(changes, "keep-all", f"kept all of {_named(members)}")


@blueprint.post("/duplicates/different")
def different() -> Response:
    """Say for ever that pictures are no duplicates: {"members": [...]}, all of each other.

    With {"picture": id, "members": [...]}: that one of all the others, which stay together.
    """
    body = _body("picture", "members")
    members = _ids(body.get("members"), "members")
    alone = _ids([body["picture"]], "picture") if "picture" in body else members
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
    message = f"{_named(members)} are no duplicates"
    if "picture" in body:
        message = f"#{alone[0]} is no duplicate of the others"
    return _apply(changes, "different", message)


@blueprint.post("/undo")
def undo() -> Response:
    """Take back this person's newest action that still stands; without limit, across restarts."""
    _body()
    judgements = catalog().judgements
    undone = judgements.undo(who=desk().who)
    if undone is None:
        return _answer(None, "nothing left to undo", [], [])
    touched = _touched(undone.events, undone.pairs)
    batch = (*(e.batch for e in undone.events), *(p.batch for p in undone.pairs))[0]
    message = f"undid {undone.verb} of {_named(touched)}"
    return _answer(batch, message, undone.events, undone.pairs)


def _apply(changes: Sequence[Change | PairChange], verb: str, message: str) -> Response:
    meant = dict.fromkeys(
        i for c in changes for i in ((c.image_id,) if isinstance(c, Change) else (c.a, c.b))
    )
    for image_id in meant:
        if catalog().images.get(image_id) is None:
            abort(404, f"there is no picture {image_id} in this catalogue")
    judgements = catalog().judgements
    batch = judgements.apply(changes, who=desk().who, verb=verb)
    if batch is None:
        return _answer(None, f"nothing to change: {message} before", [], [])
    events, pairs = judgements.of_batch(batch), judgements.pairs.of_batch(batch)
    # Duplicates of what was rejected, which are undecided again.
    back = [event.image_id for event in events if event.after == "undecided"]
    if back:
        message += f"; {_named(back)} {'is' if len(back) == 1 else 'are'} undecided again"
    return _answer(batch, message, events, pairs)


def _touched(events: Sequence[Event], pairs: Sequence[PairDecision]) -> list[int]:
    ids = [event.image_id for event in events]
    return list(dict.fromkeys([*ids, *(i for pair in pairs for i in (pair.a, pair.b))]))


def _answer(
    batch: int | None, message: str, events: Sequence[Event], pairs: Sequence[PairDecision]
) -> Response:
    """What the page must show now: the message, the new state of each picture touched, and what
    holds now for each pair."""
    records = (catalog().images.get(i) for i in dict.fromkeys(event.image_id for event in events))
    pictures = [
        {"id": r.id, "status": r.status, "reason": r.reason, "stars": r.stars, "label": r.label}
        for r in records
        if r is not None
    ]
    verdicts = [{"a": pair.a, "b": pair.b, "verdict": pair.after} for pair in pairs]
    said = {"pairs": verdicts} if verdicts else {}
    return jsonify(batch=batch, message=message, pictures=pictures, **said)


def _body(*known: str) -> dict[str, Any]:
    if not request.is_json:
        abort(415, "send the action as application/json")
    body = request.get_json(silent=True)
    if not isinstance(body, dict):
        abort(400, "the body is no JSON object")
    unknown = sorted(set(body) - set(known))
    if unknown:
        abort(400, f"unknown key {str(unknown[0])[:40]!r} in the body")
    return body


def _ids(value: Any, name: str) -> list[int]:
    """A list of 1 to 10,000 different identities, or error 400."""
    if not isinstance(value, list) or not 0 < len(value) <= MOST_PICTURES:
        abort(400, f"{name} must be a list of 1 to {MOST_PICTURES} numbers of pictures")
    if not all(type(item) is int and 0 < item <= LARGEST_ID for item in value):
        abort(400, f"{name} must hold numbers of pictures only")
    return list(dict.fromkeys(value))


def _named(ids: Sequence[int]) -> str:
    return f"#{ids[0]}" if len(ids) == 1 else f"{len(ids)} pictures"
