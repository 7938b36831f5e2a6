"""The state of a page as its address holds it: filter, place, radius; read strictly.

An unknown or doubled key or an impossible value is an error 400 that says which.
"""

import dataclasses
from collections.abc import Collection
from typing import Any

from flask import abort, request

from dataset.duplicates import DEFAULT_RADIUS, RADII
from dataset.records import STATUSES, ImageFilter

# Identities are SQLite integers: 64 bits with a sign.
LARGEST_ID = 2**63 - 1

_FILTER_KEYS = tuple(field.name for field in dataclasses.fields(ImageFilter))
_LONGEST_VALUE = 200


def read_filter() -> ImageFilter:
    """The filter in the address of this request; an absent key means any value."""
    values: dict[str, Any] = {key: request.args[key] for key in _FILTER_KEYS if key in request.args}
    for key, value in values.items():
        if len(value) > _LONGEST_VALUE:
            abort(400, f"{key} is longer than {_LONGEST_VALUE} letters")
    if values.get("status", STATUSES[0]) not in STATUSES:
        abort(400, f"status {values['status']!r} is none of: {', '.join(STATUSES)}")
    return ImageFilter(**values)


def filter_arguments(where: ImageFilter) -> dict[str, Any]:
    """The filter as it stands in addresses: only what is set."""
    values = dataclasses.asdict(where)
    return {key: value for key, value in values.items() if value not in (None, *_blank(key))}


def _blank(key: str) -> tuple[str, ...]:
    # An empty label means "no label", an empty text means any text.
    return ("",) if key == "text" else ()


def read_after() -> int:
    """The identity after which this page begins; 0 is the start."""
    return _whole_number("after", 0, range(LARGEST_ID + 1))


def read_radius() -> int:
    return _whole_number("radius", DEFAULT_RADIUS, RADII)


def check_keys(*allowed: str, filters: bool = False) -> None:
    """Refuse keys that this page does not know, and keys given twice."""
    known: Collection[str] = {*allowed, "format", *(_FILTER_KEYS if filters else ())}
    for key, values in request.args.lists():
        if key not in known:
            abort(
                400, f"unknown key {key[:40]!r} in the address; known: {', '.join(sorted(known))}"
            )
        if len(values) > 1:
            abort(400, f"{key} is given twice in the address")
    if request.args.get("format", "json") != "json":
        abort(400, "format can only be json")


def _whole_number(key: str, default: int, allowed: range) -> int:
    text = request.args.get(key, str(default))
    if not (text.isascii() and text.isdigit() and len(text) < 20 and int(text) in allowed):
        abort(400, f"{key} {text[:40]!r} is no whole number that this page takes")
    return int(text)
