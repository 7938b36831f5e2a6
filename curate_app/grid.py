"""The grid: pictures 200 at a time, sorted and filtered by the address, with counts per facet."""

import dataclasses
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from flask import Blueprint, Response, abort, jsonify, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as Answer

from curate_app.address import check_keys, read_filter, read_here
from curate_app.desk import catalog, keep_rule
from curate_app.error_pages import wants_json, wants_refresh
from curate_app.filters import KEYS, BadFilter, Filter, arguments, fits
from curate_app.ordering import Cursor, Page, Sort, Sorted
from curate_app.overview import Mask, Overview, overview
from curate_app.score_fields import ScoreField, score_fields, with_range
from curate_app.tiles import Tile, tiles_of
from dataset.records import STATUSES

blueprint = Blueprint("grid", __name__)

TILES_PER_PAGE = 200
FACETS = ("status", "label", "stars", "source", "licence")
_MOST_VALUES = 30
_ALWAYS: dict[str, tuple[str, ...]] = {"status": STATUSES}


@dataclass(frozen=True, kw_only=True)
class FacetValue:
    """One value of a facet: how many pictures it would leave, and the address that chooses it."""

    value: str
    count: int
    chosen: bool
    address: str


@blueprint.get("/")
def show() -> str | Response | tuple[str, int]:
    """One page of the grid; `?format=json` is the same page for a program.

    `sort` is a column, with "-" before it from the highest; the page begins at `after`, a place
    that pages name, or at `at`, in percent of the way through, or is the one that holds the
    picture `here`.
    """
    check_keys("after", "at", "here", "sort", filters=True)
    sort, fault = Sort.read(request.args.get("sort", "id")), ""
    try:
        with overview().reading(catalog()) as view:
            if not wants_json():
                fault = _fault_of_ranges(view)
            where = read_filter(without=("between",) if fault else ())
            parts = view.parts(where)
            page = _page(Sorted(view, view.combined(parts), sort))
            facets = {facet: _facet(view, facet, where, sort, parts) for facet in FACETS}
            values = _values(view, page, sort)
            sorts = ["id", *view.names()]
    except BadFilter as error:
        abort(400, str(error))
    tiles = [] if wants_refresh() else _tiles(page.ids)
    shown = {
        "filter": arguments(where),
        "sort": str(sort),
        "total": page.total,
        "first": page.first,
        "facets": facets,
        "next": page.after and grid_address(where, sort, after=page.after),
        "previous": page.before and grid_address(where, sort, after=page.before),
    }
    if wants_json():
        return jsonify(pictures=[tile.as_json() for tile in tiles], **shown)
    html = render_template(
        "grid.html",
        score_fields=_score_fields(where, sort),
        fault=fault,
        tiles=tiles,
        sorts=sorts,
        values=[values.get(tile.id, "") for tile in tiles],
        query=view_arguments(where, sort),
        query_text=query_text(where, sort),
        percent=round(100 * page.first / max(page.total - 1, 1)),
        **shown,
    )
    return (html, 400) if fault else html


@blueprint.get("/between")
def between() -> Answer:
    """The grid with one range more in its filter: `score`, `from` and `to`, one of which may be
    empty; both empty take the range of that score away."""
    check_keys("score", "from", "to", "sort", filters=True)
    name, low, high = (request.args.get(key, "").strip() for key in ("score", "from", "to"))
    ranges = with_range(request.args.get("between", ""), name, low, high)
    kept = (key for key in (*KEYS, "sort") if key in request.args and key != "between")
    view: dict[str, Any] = {key: request.args[key] for key in kept}
    if ranges:
        view["between"] = ranges
    return redirect(url_for("grid.show", **view))


def _fault_of_ranges(view: Overview) -> str:
    """What is wrong with the ranges of scores in the address, "" for nothing."""
    try:
        for span in Filter(between=request.args.get("between", "")).ranges():
            view.column(span.name)
    except BadFilter as error:
        return str(error)
    return ""


def _score_fields(where: Filter, sort: Sort) -> list[tuple[ScoreField, str]]:
    """The ranges that hold, each with the address of the page without it."""
    return [
        (field, grid_address(dataclasses.replace(where, between=rest), sort))
        for field, rest in score_fields(where)
    ]


def view_arguments(where: Filter, sort: Sort) -> dict[str, Any]:
    """Filter and sort as addresses carry them: only what is set."""
    return {**arguments(where), **({} if str(sort) == "id" else {"sort": str(sort)})}


def query_text(where: Filter, sort: Sort) -> str:
    """Filter and sort as the end of an address, "?" included; "" when nothing is set."""
    query = urlencode(view_arguments(where, sort))
    return f"?{query}" if query else ""


def grid_address(where: Filter, sort: Sort, **more: Any) -> str:
    """The grid as it shall be; a page holds dozens of these, and `url_for` is too slow for that."""
    query = urlencode({**view_arguments(where, sort), **more}, safe="!$'()*,/:;?@")
    return f"{request.script_root}/{'?' if query else ''}{query}"


def _page(found: Sorted) -> Page:
    if len({"at", "after", "here"} & {*request.args}) > 1:
        abort(400, "at, after and here are each a place; give one")
    if "here" in request.args:
        place = found.place_of(read_here())
        return found.page(place - place % TILES_PER_PAGE, TILES_PER_PAGE)
    percent = request.args.get("at")
    if percent is not None:
        if not (
            percent.isascii() and percent.isdigit() and len(percent) <= 3 and int(percent) <= 100
        ):
            abort(400, f"at {percent[:40]!r} is no whole number from 0 to 100 (percent)")
        place = int(percent) * len(found) // 100
        return found.page(min(place, max(len(found) - TILES_PER_PAGE, 0)), TILES_PER_PAGE)
    return found.page(
        found.place_after(Cursor.read(request.args.get("after", "0"))), TILES_PER_PAGE
    )


def _tiles(ids: list[int]) -> list[Tile]:
    records = catalog().images.records(ids)
    return tiles_of(catalog(), [records[i] for i in ids if i in records], keep_rule()[0])


def _values(view: Overview, page: Page, sort: Sort) -> dict[int, str]:
    """What each picture of a page was sorted by, where it does not show that anyhow."""
    if sort.name in ("id", "stars"):
        return {}
    scores = view.column(sort.name)[view.rows_of(page.ids)].tolist()
    return {
        image_id: f"{sort.name} {score:.4g}" if score == score else f"no {sort.name}"
        for image_id, score in zip(page.ids, scores, strict=True)
    }


def _facet(
    view: Overview, facet: str, where: Filter, sort: Sort, parts: dict[str, Mask | None]
) -> list[FacetValue]:
    """The commonest values of one facet under the other facets' choices."""
    chosen = getattr(where, facet) or (None if facet == "stars" else getattr(where, facet))
    counts = view.counts(facet, view.combined(parts, without=facet))
    if facet in _ALWAYS:
        values = list(_ALWAYS[facet])
    elif facet == "stars":
        values = sorted(counts, reverse=True)
    else:
        values = [value for value in counts if fits(facet, value)]
        values = sorted(values, key=lambda value: (-counts[value], value))[:_MOST_VALUES]
    if chosen is not None and chosen not in values:
        values.append(chosen)
        if facet == "stars":
            low, high = where.star_span()
            counts[chosen] = sum(counts.get(str(stars), 0) for stars in range(low, high + 1))
    found = []
    for value in values:
        # A second click takes the choice back.
        none = "" if facet == "stars" else None
        choice: dict[str, Any] = {facet: none if value == chosen else value}
        found.append(
            FacetValue(
                value=value,
                count=counts.get(value, 0),
                chosen=value == chosen,
                address=grid_address(dataclasses.replace(where, **choice), sort),
            )
        )
    return found
