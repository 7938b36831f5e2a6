"""The duplicates: groups of pictures that look alike, side by side, the better one suggested."""

from dataclasses import dataclass
from typing import Any

from flask import Blueprint, Response, abort, jsonify, render_template, request, url_for

from curate_app.address import RADII, check_keys, read_after, read_radius
from curate_app.desk import catalog
from curate_app.error_pages import wants_json
from curate_app.tiles import Tile, tiles_of
from dataset.duplicates import DuplicateGroup, duplicate_groups
from dataset.likeness import refresh_edges
from dataset.records import ImageRecord

blueprint = Blueprint("duplicates", __name__)

GROUPS_PER_PAGE = 50


@dataclass(frozen=True, kw_only=True)
class ShownGroup:
    """A group as the page shows it: the suggested keeper's tile first; diameter in bits."""

    keeper: int
    reason: str
    diameter: int
    tiles: list[Tile]

    def as_json(self) -> dict[str, Any]:
        return {
            "keeper": self.keeper,
            "reason": self.reason,
            "diameter": self.diameter,
            "pictures": [tile.as_json() for tile in self.tiles],
        }


@blueprint.get("/duplicates")
def show() -> str | Response:
    """Groups with something to decide, by their keeper's identity; `?show=all` has the rest, too.

    `?radius=` says how many bits of 64 two pictures' hashes may differ by.
    """
    check_keys("after", "radius", "show")
    after, radius, show_all = read_after(), read_radius(), _read_show_all()
    refresh_edges(catalog())
    groups = duplicate_groups(catalog(), radius)
    records = _records(groups)
    wanted = [group for group in groups if show_all or _is_open(group, records)]
    later = [group for group in wanted if group.keeper > after]
    shown = [_shown(group, records) for group in later[:GROUPS_PER_PAGE]]
    arguments: dict[str, Any] = {"radius": radius, **({"show": "all"} if show_all else {})}
    more = None
    if len(later) > GROUPS_PER_PAGE:
        more = url_for("duplicates.show", **{**arguments, "after": shown[-1].keeper})
    page = {"radius": radius, "total": len(wanted), "next": more}
    if wants_json():
        return jsonify(groups=[group.as_json() for group in shown], **page)
    decided = len(groups) - sum(_is_open(group, records) for group in groups)
    return render_template(
        "duplicates.html", groups=shown, radii=RADII, show_all=show_all, decided=decided, **page
    )


def _read_show_all() -> bool:
    if request.args.get("show", "open") not in ("open", "all"):
        abort(400, "show is open or all")
    return request.args.get("show") == "all"


def _records(groups: list[DuplicateGroup]) -> dict[int, ImageRecord]:
    found = (catalog().images.get(member) for group in groups for member in group.members)
    return {record.id: record for record in found if record is not None}


def _is_open(group: DuplicateGroup, records: dict[int, ImageRecord]) -> bool:
    return any(records[member].status == "undecided" for member in group.members)


def _shown(group: DuplicateGroup, records: dict[int, ImageRecord]) -> ShownGroup:
    tiles = tiles_of(catalog(), [records[member] for member in group.members])
    return ShownGroup(
        keeper=group.keeper, reason=group.reason, diameter=group.diameter, tiles=tiles
    )
