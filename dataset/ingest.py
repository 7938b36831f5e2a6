"""From downloaded bytes to a picture in the catalogue, or to the reason why not."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from dataset.catalog import Catalog
from dataset.errors import PictureError
from dataset.fingerprint import content_side, fingerprint, hash_texts
from dataset.image_store import ImageStore
from dataset.phash import reduced
from dataset.pixels import PixelLimits, rasterise
from dataset.quality import quality_scores
from dataset.records import Caption, NewImage, Origin

# Scores of sharpness want this many pixels a side where a picture has them.
_LEAST_SIDE = 512


@dataclass(frozen=True)
class TakenImage:
    """A picture that is in the catalogue now; `is_new` is False for known bytes or pixels."""

    image_id: int
    sha256: str
    is_new: bool


@dataclass(frozen=True)
class RejectedImage:
    """Bytes that did not become a picture: a value that is counted, not an exception."""

    reason: str
    message: str


def measure(content: bytes, *, label: str = "", limits: PixelLimits | None = None) -> NewImage:
    """Decode `content` once and take everything from it; raises PictureError with a reason.

    A JPEG with sides of 1024 pixels or more is decoded smaller, as far as hashes and scores need
    it: its pixels count as equal to those of another JPEG only.
    """
    raster = rasterise(content, limits=limits, least_side=_LEAST_SIDE)
    small = reduced(raster.image)
    looks = fingerprint(raster, small)
    return NewImage(
        sha256=hashlib.sha256(content).hexdigest(),
        pixel_sha256=raster.pixel_sha256,
        format=raster.format,
        width=raster.width,
        height=raster.height,
        byte_count=len(content),
        has_alpha=raster.has_alpha,
        label=label,
        hashes=hash_texts(looks, raster.rgba),
        quality={
            **quality_scores(raster, small, len(content)),
            "content": round(content_side(looks), 1),
        },
        fingerprint=looks.tobytes(),
    )


def ingest(
    catalog: Catalog,
    store: ImageStore,
    content: bytes,
    origin: Origin,
    captions: Sequence[Caption] = (),
    *,
    label: str = "",
    limits: PixelLimits | None = None,
) -> TakenImage | RejectedImage:
    """Decode, hash, store and catalogue `content`; the bytes are on disk before the row is."""
    try:
        new = measure(content, label=label, limits=limits)
    except PictureError as error:
        return RejectedImage(error.reason, str(error))
    store.put(content)
    image_id, is_new = catalog.images.add(new, origin, captions)
    return TakenImage(image_id, new.sha256, is_new)
