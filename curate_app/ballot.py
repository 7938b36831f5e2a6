"""The pairs and fours that are handed out to be voted on, and the votes that come back.

Each carries a ticket which tells us, and nobody else, whether its vote is set aside to measure the
fit: the browser cannot choose, and the person cannot know.
"""

import hashlib
import hmac
import itertools
import random
import re
import secrets
from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from flask import abort, current_app, request

from curate_app.actions import read_ids
from curate_app.address import LARGEST_ID
from curate_app.contests import contenders_of
from curate_app.desk import catalog, keep_rule
from curate_app.pairing import ASIDE_SHARE
from curate_app.ranker import ranker
from curate_app.tiles import tiles_of
from dataset.records import ImageRecord, Outcome, VoteChange

Mode = Literal["two", "four"]
SIZES: dict[Mode, int] = {"two": 2, "four": 4}

MOST_MORE = 30  # groups handed out at once
MOST_HELD = 100  # groups that a page may name as already lying there
Handed = tuple[list[int], bool]  # the pictures of a group, and whether the vote goes aside

_REMEMBERED = 60  # pairs of a class that other pages have got lately
_SMALL_CLASS = 12
_GROUP = r"[0-9]{1,18}(-[0-9]{1,18}){1,3}"
_GROUPS = rf"({_GROUP}(,{_GROUP})*)?"


def hand_out(label: str, mode: Mode, count: int, held: Sequence[Sequence[int]]) -> list[Any]:
    """Up to `count` groups of the class to vote on, none of whose pairs is among those `held`, and
    if possible none that another page has got lately.

    Which picture stands on which side is drawn by lot.
    """
    lately = _lately(label)
    avoided = [*_pairs_of(held), *lately]
    groups = _pairs(label, count, avoided) if mode == "two" else _fours(label, count, avoided)
    if not groups:
        groups = _again(label, mode, _pairs_of(held), lately)[:count]
    for ids, _ in groups:
        random.shuffle(ids)
        lately.extend(_pairs_of([ids]))
    shown = _pictures({one for ids, _ in groups for one in ids})
    return [_group(ids, aside, shown) for ids, aside in groups if all(i in shown for i in ids)]


def _pairs_of(groups: Sequence[Sequence[int]]) -> list[tuple[int, int]]:
    return [pair for group in groups for pair in itertools.combinations(sorted(group), 2)]


def _lately(label: str) -> deque[tuple[int, int]]:
    """The pairs of the class that were handed out last, the latest last."""
    handed: dict[str, deque[tuple[int, int]]]
    handed = current_app.extensions.setdefault("handed-out", {})
    return handed.setdefault(label, deque(maxlen=_REMEMBERED))


def _pairs(label: str, count: int, avoided: Sequence[tuple[int, int]]) -> list[Handed]:
    found = ranker().next_pairs(catalog(), label, count, avoided)
    return [([pair.left, pair.right], pair.aside) for pair in found]


def _fours(label: str, count: int, avoided: Sequence[tuple[int, int]]) -> list[Handed]:
    """Fours worth a vote; like pairs, every tenth is drawn by lot and goes aside."""
    ids = contenders_of(label)
    by_lot = sum(random.random() < ASIDE_SHARE for _ in range(count)) if len(ids) >= 4 else 0
    fours = ranker().next_fours(catalog(), label, count - by_lot, avoided)
    found = [(list(four.ids), False) for four in fours]
    found += [(random.sample(ids, 4), True) for _ in range(by_lot)]
    random.shuffle(found)
    return found


def _again(
    label: str,
    mode: Mode,
    held: Sequence[tuple[int, int]],
    lately: Sequence[tuple[int, int]],
) -> list[Handed]:
    """What is left when all has been asked lately: in a small class the pairs (or fours) come
    again, those first that were not seen for the longest time."""
    ids = contenders_of(label)
    if len(ids) > _SMALL_CLASS:
        groups = ranker().next_pairs(catalog(), label, MOST_MORE, held) if mode == "two" else []
        return [([pair.left, pair.right], pair.aside) for pair in groups]
    seen = {pair: turn for turn, pair in enumerate(lately)}
    last = {
        group: max(seen.get(pair, -1) for pair in _pairs_of([group]))
        for group in itertools.combinations(sorted(ids), SIZES[mode])
        if set(held).isdisjoint(_pairs_of([group]))
    }
    return [(list(group), False) for group in sorted(last, key=lambda group: last[group])]


def hand_out_again(ids: list[int], label: str) -> dict[str, Any]:
    """Pictures whose vote was taken back, in the order in which they were shown."""
    ids = read_contenders(ids, "again", len(ids), label)
    return _group(ids, False, _pictures(set(ids)))


def _group(ids: list[int], aside: bool, shown: dict[int, dict[str, Any]]) -> dict[str, Any]:
    return {"ids": ids, "ticket": ticket(ids, aside), "pictures": [shown[one] for one in ids]}


def _pictures(ids: set[int]) -> dict[int, dict[str, Any]]:
    records = catalog().images.records(sorted(ids))
    tiles = tiles_of(catalog(), list(records.values()), keep_rule()[0])
    keys = ("id", "large", "page", "caption", "width", "height", "status", "stars")
    return {tile.id: {key: getattr(tile, key) for key in keys} for tile in tiles}


def ticket(ids: Sequence[int], aside: bool) -> str:
    """What proves to this process that it has handed out these pictures, and for which purpose."""
    key = current_app.extensions.setdefault("ballot-key", secrets.token_bytes(32))
    named = f"{int(aside)}:{','.join(map(str, sorted(ids)))}"
    return hmac.new(key, named.encode(), hashlib.sha256).hexdigest()[:32]


def is_aside(ids: Sequence[int], shown: Any) -> bool:
    """Whether the vote goes aside; without a ticket, or with one from before a restart, it is an
    ordinary vote."""
    if shown is None:
        return False
    if not isinstance(shown, str) or not shown.isascii() or len(shown) > 64:
        abort(400, "ticket must be the text that came with the pictures")
    return hmac.compare_digest(shown, ticket(ids, aside=True))


def read_contenders(value: Any, name: str, count: int, label: Any) -> list[int]:
    """The pictures of a vote: `count` different ones of one class, none of them rejected.

    Error 400 for anything else, 404 for an unknown picture, 409 for one that is out of the contest
    by now. `label` is the class that the voter saw, None for whichever it is.
    """
    ids = read_ids(value, name)
    if len(ids) != count or len(value) != count:
        abort(400, f"{name} must be {count} different pictures")
    records = catalog().images.records(ids)
    for one in ids:
        _check_contender(one, records.get(one), records.get(ids[0]), label)
    return ids


def _check_contender(
    number: int, record: ImageRecord | None, first: ImageRecord | None, label: Any
) -> None:
    if record is None or first is None:
        abort(404, f"there is no picture {number} in this catalogue")
    if record.status == "reject":
        abort(409, f"#{number} was rejected meanwhile; nothing is written")
    if record.label != first.label:
        abort(409, f"#{first.id} and #{number} are of different classes; nothing is written")
    if label is not None and record.label != label:
        abort(409, f"#{number} is not of class {str(label)[:40]!r} any more; nothing is written")


def votes_of_four(
    ids: Sequence[int], best: int, worst: int | None, aside: bool
) -> list[VoteChange]:
    """The comparisons that a best and a worst of four settle: 3 by the best alone, 5 by both."""

    def outcome(left: int, right: int) -> Outcome | None:
        if best in (left, right):
            return "left" if left == best else "right"
        if worst in (left, right):
            return "right" if left == worst else "left"
        return None

    pairs = itertools.combinations(ids, 2)
    return [
        VoteChange(left=left, right=right, outcome=settled, aside=aside)
        for left, right in pairs
        if (settled := outcome(left, right)) is not None
    ]


def read_wanted(body: Mapping[str, Any]) -> tuple[int, list[list[int]]]:
    """How many further groups are wanted, and which the page still holds."""
    count, held = body.get("more", 0), body.get("held", [])
    if type(count) is not int or not 0 <= count <= MOST_MORE:
        abort(400, f"more must be a whole number from 0 to {MOST_MORE}")
    if not isinstance(held, list) or len(held) > MOST_HELD:
        abort(400, f"held must be a list of at most {MOST_HELD} lists of pictures")
    return count, [_read_group(group) for group in held]


def _read_group(group: Any) -> list[int]:
    if not isinstance(group, list) or not 1 < len(group) <= max(SIZES.values()):
        abort(400, "held must hold lists of two or four pictures")
    if not all(type(one) is int and 0 < one <= LARGEST_ID for one in group):
        abort(400, "held must hold numbers of pictures only")
    return group


def read_groups(key: str) -> list[list[int]]:
    """Groups of pictures as the address has them: 1-2,3-4."""
    text = request.args.get(key, "")
    if len(text) > 20 * MOST_HELD or re.fullmatch(_GROUPS, text) is None:
        abort(400, f"{key} must be numbers of pictures such as 1-2,3-4")
    return [[int(one) for one in group.split("-")] for group in text.split(",") if group]
