"""The duplicates: groups of pictures that look alike, side by side, the better one suggested."""

import dataclasses
from dataclasses import dataclass
from typing import Any

from flask import Blueprint, Response, abort, jsonify, render_template, request, url_for

from curate_app.address import check_keys, read_after, read_radius
from curate_app.desk import catalog, keep_rule
from curate_app.error_pages import wants_json
from curate_app.tiles import Tile, tiles_of
from dataset.duplicates import Comparison, DuplicateGroup
from dataset.keep_rule import KeepRule
from dataset.likeness import refresh_edges

blueprint = Blueprint("duplicates", __name__)

GROUPS_PER_PAGE = 50


@dataclass(frozen=True, kw_only=True)
class ShownGroup:
    """A group as the page shows it: the suggested keeper's tile first; diameter in bits."""

    keeper: int
    reason: str
    diameter: int
    chain: bool
    tiles: list[Tile]

    def as_json(self) -> dict[str, Any]:
        return {
            "keeper": self.keeper,
            "reason": self.reason,
            "diameter": self.diameter,
            "chain": self.chain,
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
    rule, warning = keep_rule()
    with catalog().snapshot():
        comparison = Comparison(catalog(), rule)
    groups = sorted(comparison.groups(radius), key=lambda group: group.keeper)
    open_ = [g for g in groups if not comparison.undecided.isdisjoint(g.members)]
    wanted = groups if show_all else open_
    later = [group for group in wanted if group.keeper > after]
    shown = [_shown(group, rule) for group in later[:GROUPS_PER_PAGE]]
    arguments: dict[str, Any] = {"radius": radius, **({"show": "all"} if show_all else {})}
    more = None
    if len(later) > GROUPS_PER_PAGE:
        more = url_for("duplicates.show", **{**arguments, "after": shown[-1].keeper})
    page = {"radius": radius, "total": len(wanted), "next": more, "warning": warning}
    table = comparison.table()
    if wants_json():
        radii = [dataclasses.asdict(row) for row in table]
        return jsonify(groups=[group.as_json() for group in shown], radii=radii, **page)
    decided = len(groups) - len(open_)
    return render_template(
        "duplicates.html", groups=shown, table=table, show_all=show_all, decided=decided, **page
    )


def _read_show_all() -> bool:
    if request.args.get("show", "open") not in ("open", "all"):
        abort(400, "show is open or all")
    return request.args.get("show") == "all"


def _shown(group: DuplicateGroup, rule: KeepRule) -> ShownGroup:
    records = catalog().images.records(group.members)
    tiles = tiles_of(catalog(), [records[member] for member in group.members], rule)
    return ShownGroup(
        keeper=group.keeper,
        reason=group.reason,
        diameter=group.diameter,
        chain=group.chain,
        tiles=tiles,
    )
