"""A picture as the pages and their JSON show it: judgement, caption, source, addresses."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from flask import url_for

from curate_app.thumbnails import KINDS, VERSION, ThumbnailKind
from dataset.catalog import Catalog
from dataset.keep_rule import KeepRule, best_licence
from dataset.page import web_link
from dataset.records import ImageRecord, Status, best_caption


@dataclass(frozen=True, kw_only=True)
class Tile:
    """One picture; `thumbnail`, `large` and `page` are addresses inside the app."""

    id: int
    status: Status
    reason: str
    stars: int
    label: str
    caption: str
    source: str
    licence: str
    format: str
    width: int
    height: int
    byte_count: int
    thumbnail: str
    large: str
    page: str

    @property
    def spoken(self) -> str:
        """What a screen reader says of it; describe() in app.js says it in the same words later."""
        judged = {"keep": ", kept", "reject": ", rejected"}.get(self.status, "")
        stars = f", {self.stars} star{'' if self.stars == 1 else 's'}" if self.stars else ""
        return f"Picture {self.id}: {self.caption or self.label or 'no caption'}{judged}{stars}"

    def as_json(self) -> dict[str, Any]:
        return vars(self).copy()


def tiles_of(catalog: Catalog, records: Sequence[ImageRecord], rule: KeepRule) -> list[Tile]:
    """The tiles of `records`, in their order, with three questions to the catalogue.

    Source and licence are of the origin whose licence the rule likes best.
    """
    ids = [record.id for record in records]
    captions, origins = catalog.images.captions_of(ids), catalog.images.origins_of(ids)
    media = {kind: _media_pattern(kind) for kind in KINDS}
    page = url_for("picture.show", image_id=0).removesuffix("0")
    licences: dict[tuple[str, ...], str] = {}
    found = []
    for record in records:
        found_at = origins.get(record.id, [])
        choice = tuple(origin.licence for origin in found_at)
        licence = licences.get(choice)
        if licence is None:
            licence = licences[choice] = best_licence(rule, choice)
        best = next((origin for origin in found_at if origin.licence == licence), None)
        found.append(
            Tile(
                id=record.id,
                status=record.status,
                reason=record.reason,
                stars=record.stars,
                label=record.label,
                caption=best_caption(captions.get(record.id, [])),
                source=best.source if best else "",
                licence=licence,
                format=record.format,
                width=record.width,
                height=record.height,
                byte_count=record.byte_count,
                thumbnail=media["tile"].format(record.sha256),
                large=media["large"].format(record.sha256),
                page=f"{page}{record.id}",
            )
        )
    return found


def media_address(sha256: str, kind: ThumbnailKind) -> str:
    return url_for("media.show", kind=kind, version=VERSION, sha256=sha256)


def _media_pattern(kind: ThumbnailKind) -> str:
    """The address of a picture with {} for its SHA-256: made once for a page of tiles."""
    return media_address("0" * 64, kind).replace("0" * 64, "{}")


def size_text(byte_count: int) -> str:
    """Bytes as a person reads them: 812 B, 34 kB, 1.2 MB."""
    if byte_count < 1000:
        return f"{byte_count} B"
    if byte_count < 1_000_000:
        return f"{byte_count / 1000:.0f} kB"
    return f"{byte_count / 1_000_000:.1f} MB"


def thumbnail_address(record: ImageRecord) -> str:
    return media_address(record.sha256, "tile")


TEMPLATE_FILTERS: dict[str, Callable[..., Any]] = {
    "size_text": size_text,
    "thumbnail_address": thumbnail_address,
    "web_link": web_link,
}
