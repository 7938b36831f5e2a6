"""Judgements: each POST is one batch of events, committed before it is answered."""

from collections.abc import Sequence
from typing import Any

from flask import Blueprint, Response, abort, jsonify, request

from curate_app.address import LARGEST_ID
from curate_app.desk import catalog, desk
from dataset.records import Change, Event

blueprint = Blueprint("actions", __name__)

MOST_PICTURES = 10_000
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
    """Keep one of a group and reject the others: {"keeper": id, "members": [...]}."""
    body = _body("keeper", "members")
    [keeper] = _ids([body.get("keeper")], "keeper")
    members = _ids(body.get("members"), "members")
    others = [member for member in members if member != keeper]
    if len(others) == len(members) or not others:
        abort(400, "members must hold the keeper and at least one other picture")
    changes = [Change(image_id=keeper, field="status", value="keep")]
    reason = f"duplicate of #{keeper}"
    changes += [Change(image_id=i, field="status", value="reject", reason=reason) for i in others]
    return _apply(changes, "keep-best", f"kept #{keeper}, rejected {_named(others)}")


@blueprint.post("/duplicates/keep-all")
def keep_all() -> Response:
    """Say that the pictures of a group are not duplicates: {"members": [...]}."""
    members = _ids(_body("members").get("members"), "members")
    reason = "not a duplicate"
    changes = [Change(image_id=i, field="status", value="keep", reason=reason) for i in members]
    return _apply(changes, "keep-all", f"kept all of {_named(members)}")


@blueprint.post("/undo")
def undo() -> Response:
    """Take back this person's newest action that still stands; without limit, across restarts."""
    _body()
    judgements = catalog().judgements
    undone = judgements.undo(who=desk().who)
    if undone is None:
        return _answer(None, "nothing left to undo", [])
    batch, events = undone
    verb = judgements.of_batch(batch)[0].verb
    ids = list(dict.fromkeys(event.image_id for event in events))
    return _answer(events[0].batch, f"undid {verb} of {_named(ids)}", events)


def _apply(changes: Sequence[Change], verb: str, message: str) -> Response:
    known = catalog().images
    for change in changes:
        if known.get(change.image_id) is None:
            abort(404, f"there is no picture {change.image_id} in this catalogue")
    batch = catalog().judgements.apply(changes, who=desk().who, verb=verb)
    if batch is None:
        return _answer(None, f"nothing to change: {message} before", [])
    return _answer(batch, message, catalog().judgements.of_batch(batch))


def _answer(batch: int | None, message: str, events: Sequence[Event]) -> Response:
    """What the page must show now: the message, and the new state of each picture touched."""
    records = (catalog().images.get(i) for i in dict.fromkeys(event.image_id for event in events))
    pictures = [
        {"id": r.id, "status": r.status, "reason": r.reason, "stars": r.stars, "label": r.label}
        for r in records
        if r is not None
    ]
    return jsonify(batch=batch, message=message, pictures=pictures)


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
