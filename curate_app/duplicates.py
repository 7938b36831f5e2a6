"""The duplicates: groups of pictures that look alike, side by side, the better one suggested."""

import dataclasses
from dataclasses import dataclass
from typing import Any

from flask import Blueprint, Response, abort, jsonify, render_template, url_for

from curate_app.actions import apply_changes, read_body, read_ids
from curate_app.address import check_keys, read_after, read_radius, read_show_all
from curate_app.desk import catalog, desk, keep_rule
from curate_app.error_pages import wants_json
from curate_app.grouping import GroupPage, grouping, parts
from curate_app.tiles import Tile, size_text, tiles_of
from dataset.duplicates import Comparison, DuplicateGroup
from dataset.keep_rule import KeepRule, faults, true_side
from dataset.records import PairChange

blueprint = Blueprint("duplicates", __name__)

GROUPS_PER_PAGE = 50
_MOST_PAIRS = 20_000  # each is a decision


@dataclass(frozen=True, kw_only=True)
class ShownGroup:
    """A group as the page shows it: the suggested keeper's tile first; diameter in bits.

    `facts` are what is to be compared, by picture; `parts` are the pictures that are all like
    each other, more than one part for a chain.
    """

    keeper: int
    reason: str
    diameter: int
    chain: bool
    tiles: list[Tile]
    facts: dict[int, dict[str, str]]
    parts: list[list[int]]

    def as_json(self) -> dict[str, Any]:
        return {
            "keeper": self.keeper,
            "reason": self.reason,
            "diameter": self.diameter,
            "chain": self.chain,
            "parts": self.parts,
            "pictures": [{**tile.as_json(), "facts": self.facts[tile.id]} for tile in self.tiles],
        }


@blueprint.get("/duplicates")
def show() -> str | Response:
    """Groups with something to decide, by their keeper's identity; `?show=all` has the rest, too.

    `?radius=` says how many bits of 64 two pictures' hashes may differ by.
    """
    check_keys("after", "radius", "show")
    after, radius, show_all = read_after(), read_radius(), read_show_all("open")
    rule, warning = keep_rule()
    found = grouping(desk().catalog_path).page(
        catalog(), rule, radius, after=after, limit=GROUPS_PER_PAGE, show_all=show_all
    )
    shown = _shown(found, radius, rule)
    arguments: dict[str, Any] = {"radius": radius, **({"show": "all"} if show_all else {})}
    more = None
    if found.more:
        more = url_for("duplicates.show", **arguments, after=found.groups[-1][0])
    line = next((row for row in found.table if row.radius == radius), None)
    to_decide, groups = (line.to_decide, line.groups) if line else (0, 0)
    page = {
        "radius": radius,
        "total": groups if show_all else to_decide,
        "next": more,
        "warning": warning or found.failure,
        "pending": found.pending,
        "busy": found.busy,
    }
    table = [dataclasses.asdict(row) for row in found.table]
    if wants_json():
        return jsonify(groups=[group.as_json() for group in shown], radii=table, **page)
    return render_template(
        "duplicates.html",
        groups=shown,
        table=table,
        line=line,
        show_all=show_all,
        decided=groups - to_decide,
        state=found.state,
        **page,
    )


@blueprint.post("/duplicates/parts")
def take_apart() -> Response:
    """Say for ever that the pictures of each part are no duplicates of those of the others:
    {"parts": [[...], [...]]}."""
    told = read_body("parts").get("parts")
    if not isinstance(told, list) or not 2 <= len(told) <= 1000:
        abort(400, "parts must be a list of 2 to 1000 lists of pictures")
    those = [read_ids(part, "a part") for part in told]
    members = [member for part in those for member in part]
    if len(set(members)) < len(members):
        abort(400, "parts must not hold a picture twice")
    pairs = [
        (min(a, b), max(a, b))
        for place, part in enumerate(those)
        for a in part
        for b in (other for later in those[place + 1 :] for other in later)
    ]
    if len(pairs) > _MOST_PAIRS:
        abort(
            400,
            f"taking these apart would be {len(pairs)} decisions, more than {_MOST_PAIRS}: "
            "choose a smaller radius, or take out those that differ one by one (s)",
        )
    changes = [PairChange(a=a, b=b, verdict="different") for a, b in sorted(pairs)]
    message = f"{len(members)} pictures taken apart into {len(those)} groups"
    return apply_changes(changes, "take-apart", message)


def _shown(found: GroupPage, radius: int, rule: KeepRule) -> list[ShownGroup]:
    """The groups with what was said of their pictures up to this moment."""
    members = [member for group in found.groups for member in group]
    with catalog().snapshot():
        settled = grouping(desk().catalog_path).settled
        comparison = Comparison(catalog(), rule, among=members, settled=settled)
        groups = sorted(comparison.groups(radius), key=lambda group: group.keeper)
        inside = [member for group in groups for member in group.members]
        records = catalog().images.records(inside)
        tiles = tiles_of(catalog(), [records[member] for member in inside], rule)
    by_id = {tile.id: tile for tile in tiles}
    place = {image_id: row for row, image_id in enumerate(comparison.contenders.ids.tolist())}
    return [
        ShownGroup(
            keeper=group.keeper,
            reason=group.reason,
            diameter=group.diameter,
            chain=group.chain,
            tiles=[by_id[member] for member in group.members],
            facts=_facts(comparison, group, by_id, place),
            parts=parts(comparison, group.members, radius) if group.chain else [],
        )
        for group in groups
    ]


def _facts(
    comparison: Comparison, group: DuplicateGroup, tiles: dict[int, Tile], place: dict[int, int]
) -> dict[int, dict[str, str]]:
    """What speaks for and against each picture, in words, by its identity."""
    rule, those = comparison.ranking.rule, comparison.contenders
    rows = [place[member] for member in group.members]
    sides = true_side(rule, those)[rows].tolist()
    found = {}
    for member, row, side, bits in zip(group.members, rows, sides, group.bits, strict=True):
        tile = tiles[member]
        scores = {name: float(column[row]) for name, column in those.scores.items()}
        quality = scores.get("compression", float("nan"))
        found[member] = {
            "Size": f"{tile.width} × {tile.height}",
            "True detail": f"{side:.0f} px",
            "Sharpness": _told(scores.get("sharpness", float("nan"))),
            "File": f"{tile.format}, {size_text(tile.byte_count)}",
            "Compression": "–" if quality != quality else f"quality {quality:.0f}",
            "Faults": ", ".join(faults(rule, those, row)) or "none",
            "Licence": tile.licence,
            "Source": tile.source or "–",
            "Distance": _distance(member, group.keeper, bits),
        }
    return found


def _told(score: float) -> str:
    return "–" if score != score else f"{score:.2f}"


def _distance(member: int, keeper: int, bits: int | None) -> str:
    if member == keeper:
        return "suggested"
    return "by decision" if bits is None else f"{bits} of 64 bits"
