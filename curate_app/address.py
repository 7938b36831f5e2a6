"""The state of a page as its address holds it: filter, place, radius; read strictly.

An unknown or doubled key or an impossible value is an error 400 that says which.
"""

from collections.abc import Collection
from typing import Any

from flask import abort, request

from curate_app.filters import KEYS, BadFilter, Filter, fits
from dataset.duplicates import DEFAULT_RADIUS, RADII

# Identities are SQLite integers: 64 bits with a sign.
LARGEST_ID = 2**63 - 1


def read_filter(without: Collection[str] = ()) -> Filter:
    """The filter in the address of this request, but for some keys; an absent key means any
    value."""
    keys = [key for key in KEYS if key in request.args and key not in without]
    values: dict[str, Any] = {key: request.args[key] for key in keys}
    try:
        return Filter(**values)
    except BadFilter as error:
        abort(400, str(error))


def read_after() -> int:
    """The identity after which this page begins; 0 is the start."""
    return _whole_number("after", 0, range(LARGEST_ID + 1))


def read_here() -> int:
    """The identity of the picture that the keys act on; 0 is the first."""
    return _whole_number("here", 0, range(LARGEST_ID + 1))


def read_radius() -> int:
    return _whole_number("radius", DEFAULT_RADIUS, RADII)


def read_class() -> str | None:
    """The class that this page is of, by its name as it is; None for all."""
    label = request.args.get("label")
    if label is not None and not fits("label", label):
        abort(400, "label is longer than the name of any class")
    return label


def read_show_all(usual: str) -> bool:
    """Whether the page shall show all, not only what it usually shows: `?show=`."""
    if request.args.get("show", usual) not in (usual, "all"):
        abort(400, f"show is {usual} or all")
    return request.args.get("show") == "all"


def check_keys(*allowed: str, filters: bool = False) -> None:
    """Refuse keys that this page does not know, and keys given twice."""
    known: Collection[str] = {*allowed, "format", *(KEYS if filters else ())}
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
