"""The duplicates as a record for machines and as one self-contained page for eyes."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Literal, get_args

from dataset import atomic_file
from dataset.catalog import Catalog
from dataset.config import to_mapping
from dataset.duplicates import Comparison, DuplicateGroup
from dataset.errors import ConfigError
from dataset.image_store import ImageStore
from dataset.keep_rule import KeepRule, best_licence, faults, true_side
from dataset.page import thumbnail_uris, web_link, write_page
from dataset.records import Edge, Origin

Sort = Literal["doubt", "size"]
SORTS: tuple[Sort, ...] = get_args(Sort)
VERSION = 1
# A page with more would be too large to look at; the record beside it has every picture.
MOST_THUMBNAILS = 2000


def duplicates_record(
    catalog: Catalog, comparison: Comparison, rule: KeepRule, radius: int
) -> dict[str, Any]:
    """All that is known of the groups at `radius`, JSON-ready: the rule, the counts of every
    radius, and each group with its pictures, why they stay or go, and the witnesses of each pair.

    Groups stand in order of their keepers' SHA-256, which no order of intake changes.
    """
    groups = comparison.groups(radius)
    facts = _Facts(catalog, comparison, rule, groups)
    told = [facts.group(group) for group in groups]
    return {
        "version": VERSION,
        "radius": radius,
        "rule": to_mapping(rule),
        "counts": {
            "pictures": catalog.images.count(),
            "groups": len(groups),
            "would_go": len(comparison.marks(groups)),
        },
        "radii": [asdict(row) for row in comparison.table()],
        "overruled": [asdict(verdict) for verdict in comparison.overruled],
        "groups": sorted(told, key=lambda group: str(group["pictures"][0]["sha256"])),
    }


class _Facts:
    """What is known of the members of `groups`, read with a handful of queries."""

    def __init__(
        self,
        catalog: Catalog,
        comparison: Comparison,
        rule: KeepRule,
        groups: Sequence[DuplicateGroup],
    ) -> None:
        self._rule, self._those = rule, comparison.contenders
        self._place = {int(i): place for place, i in enumerate(self._those.ids)}
        self._sides = true_side(rule, self._those)
        ids = [member for group in groups for member in group.members]
        self._records = catalog.images.records(ids)
        self._origins = catalog.images.origins_of(ids)
        keeper = {member: group.keeper for group in groups for member in group.members}
        # What newer words overruled decides nothing.
        held = set(catalog.judgements.pairs.verdicts()) - set(comparison.overruled)
        self._verdicts = {(v.a, v.b): v.verdict for v in held}
        self._edges: dict[int, list[Edge]] = {}
        for edge in catalog.edges.all():
            if edge.a in keeper and keeper[edge.a] == keeper.get(edge.b):
                self._edges.setdefault(keeper[edge.a], []).append(edge)

    def group(self, group: DuplicateGroup) -> dict[str, Any]:
        edges = self._edges.get(group.keeper, [])
        scores = [edge.score for edge in edges if group.keeper in (edge.a, edge.b)]
        return {
            "keeper": group.keeper,
            "reason": group.reason,
            "diameter": group.diameter,
            "chain": group.chain,
            # The least sure of the pairs that would make a picture go.
            "score": min(scores, default=1.0),
            "pictures": [
                self._picture(member, group, bits)
                for member, bits in zip(group.members, group.bits, strict=True)
            ],
            "edges": [
                {**to_mapping(edge), "decided": self._verdicts.get((edge.a, edge.b), "")}
                for edge in edges
            ],
        }

    def _picture(self, image_id: int, group: DuplicateGroup, bits: int | None) -> dict[str, Any]:
        record, place = self._records[image_id], self._place[image_id]
        fate = "goes"
        if image_id == group.keeper:
            fate = "stays"
        elif record.status == "keep":
            fate = "kept before"
        licence = best_licence(self._rule, self._those.licences[place])
        origins = self._origins.get(image_id, [])
        return {
            "id": image_id,
            "sha256": record.sha256,
            "fate": fate,
            "bits": bits,
            "pair": self._pair(image_id, group.keeper),
            "status": record.status,
            "stars": record.stars,
            "label": record.label,
            "width": record.width,
            "height": record.height,
            "true_side": round(float(self._sides[place]), 1),
            "bytes": record.byte_count,
            "format": record.format,
            "licence": licence,
            "sources": sorted({origin.source for origin in origins if origin.source}),
            "page": next(
                (page for o in origins if o.licence == licence and (page := _page(o))), ""
            ),
            "faults": faults(self._rule, self._those, place),
            "added_at": record.added_at,
        }

    def _pair(self, image_id: int, keeper: int) -> dict[str, Any] | None:
        """Score and reason of the pair with the keeper; None for the keeper and without a pair."""
        ends = tuple(sorted((image_id, keeper)))
        if self._verdicts.get((ends[0], ends[1])) == "same":
            return {"score": 1.0, "reason": "same, a person said"}
        for edge in self._edges.get(keeper, []):
            if (edge.a, edge.b) == ends:
                return {"score": edge.score, "reason": edge.reason}
        return None


def _page(origin: Origin) -> str:
    """Where a picture was found, as far as that is an address of the web."""
    return web_link(origin.page_url) or web_link(origin.url) or ""


def check_report_path(path: Path) -> None:
    """Raise ConfigError for a page that is no .html file, and where its record would replace a
    file that is none: whatever else lies there, nothing of it is lost to a slip."""
    beside = _beside(path)
    if path.is_dir():
        raise ConfigError(f"{path} is a folder; --report takes a page such as duplicates.html")
    if not beside.exists():
        return
    try:
        record = json.loads(beside.read_bytes())
    except (OSError, ValueError, RecursionError):
        record = None
    if not isinstance(record, dict) or not {"version", "radii", "groups", "rule"} <= set(record):
        raise ConfigError(f"{beside} is no record of duplicates; choose another name than {path}")


def _beside(path: Path) -> Path:
    if path.suffix.lower() not in (".html", ".htm"):
        raise ConfigError(f"--report {str(path)!r} is no page; name it such as duplicates.html")
    return path.with_suffix(".json")


def write_report(
    record: Mapping[str, Any], store: ImageStore, path: Path, *, sort: Sort, limit: int
) -> Path:
    """Write the page to `path` and the whole record beside it as .json, whose path is returned.

    The page shows `limit` groups: the least sure ones first, or the largest ("size"). Raises
    ConfigError for a page that is not called .html or .htm.
    """
    beside = _beside(path)
    atomic_file.write_json(beside, record)  # where nothing can be written, told before the work
    shown = sorted(record["groups"], key=_doubt if sort == "doubt" else _size)[:limit]
    pictures = [picture["sha256"] for group in shown for picture in group["pictures"]]
    uris = thumbnail_uris(store, pictures[:MOST_THUMBNAILS])
    filters = {"size": _size_text, "percent": lambda share: f"{100 * share:.0f} %"}
    write_page(
        path, "duplicates.html.j2", filters, record=record, shown=shown, uris=uris, sort=sort
    )
    return beside


def _doubt(group: Mapping[str, Any]) -> tuple[Any, ...]:
    """The least sure first: a low score, a chain, a large distance."""
    order = (group["score"], not group["chain"], -group["diameter"])
    return (*order, group["pictures"][0]["sha256"])


def _size(group: Mapping[str, Any]) -> tuple[Any, ...]:
    return (-len(group["pictures"]), *_doubt(group))


def _size_text(byte_count: int) -> str:
    if byte_count < 1000:
        return f"{byte_count} B"
    if byte_count < 1_000_000:
        return f"{byte_count / 1000:.0f} kB"
    return f"{byte_count / 1_000_000:.1f} MB"
