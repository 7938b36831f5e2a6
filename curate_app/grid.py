"""The grid: pictures 200 at a time in order of identity, filtered by the address."""

import dataclasses
from dataclasses import dataclass
from typing import Any

from flask import Blueprint, Response, jsonify, render_template, url_for

from curate_app.address import check_keys, filter_arguments, read_after, read_filter
from curate_app.desk import catalog, keep_rule
from curate_app.error_pages import wants_json
from curate_app.tiles import tiles_of
from dataset.records import STATUSES, ImageFilter

blueprint = Blueprint("grid", __name__)

TILES_PER_PAGE = 200
_FACETS = ("status", "label", "source", "licence")
_MOST_VALUES = 30


@dataclass(frozen=True, kw_only=True)
class FacetValue:
    """One value of a facet: how many pictures it would leave, and the address that chooses it."""

    value: str
    count: int
    chosen: bool
    address: str


@blueprint.get("/")
def show() -> str | Response:
    """One page of the grid; `?format=json` is the same page for a program."""
    check_keys("after", filters=True)
    where, after = read_filter(), read_after()
    images = catalog().images
    records = images.page(where, after=after, limit=TILES_PER_PAGE + 1)
    tiles = tiles_of(catalog(), records[:TILES_PER_PAGE], keep_rule()[0])
    arguments = filter_arguments(where)
    more = None
    if len(records) > TILES_PER_PAGE:
        more = url_for("grid.show", **{**arguments, "after": tiles[-1].id})
    page: dict[str, Any] = {
        "filter": arguments,
        "total": images.count(where),
        "facets": {facet: _facet(facet, where) for facet in _FACETS},
        "next": more,
    }
    if wants_json():
        return jsonify(pictures=[tile.as_json() for tile in tiles], **page)
    return render_template("grid.html", tiles=tiles, after=after, **page)


def _facet(facet: str, where: ImageFilter) -> list[FacetValue]:
    """The commonest values of one facet under the other facets' choices."""
    chosen = getattr(where, facet)
    counts = catalog().images.counts(facet, _choosing(where, facet, None))
    if facet == "status":
        values: list[str] = list(STATUSES)
    else:
        values = sorted(counts, key=lambda value: (-counts[value], value))[:_MOST_VALUES]
        if chosen is not None and chosen not in values:
            values.append(chosen)
    found = []
    for value in values:
        wanted = None if value == chosen else value  # a second click takes the choice back
        address = filter_arguments(_choosing(where, facet, wanted))
        found.append(
            FacetValue(
                value=value,
                count=counts.get(value, 0),
                chosen=value == chosen,
                address=url_for("grid.show", **address),
            )
        )
    return found


def _choosing(where: ImageFilter, facet: str, value: str | None) -> ImageFilter:
    choice: dict[str, Any] = {facet: value}
    return dataclasses.replace(where, **choice)
