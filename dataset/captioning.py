"""Captions for pictures that have none: which ones, in batches, written as versions of their own.

A batch is one transaction, so a killed run goes on where it was. No caption is ever replaced.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice

from dataset.captioner import Captioner, fault_of
from dataset.catalog import Catalog
from dataset.errors import ConfigError, PictureError
from dataset.image_store import ImageStore
from dataset.pixels import PixelLimits, Pixels, decode
from dataset.progress import Progress
from dataset.records import Caption, ImageFilter, ImageRecord, Status

# The store holds only what was taken in, perhaps under other limits than the default ones.
_ACCEPTED = PixelLimits(max_bytes=1 << 40, min_side=1, max_aspect=1e9)
_PAGE = 500


@dataclass(frozen=True, kw_only=True)
class CaptionWish:
    """Which pictures get a caption: without `every` only those that have none of any origin.

    Without a `status` all but the rejected ones; `limit` is the largest number of pictures,
    `batch` how many the model looks at at once.
    """

    every: bool = False
    status: Status | None = None
    label: str | None = None
    limit: int | None = None
    batch: int = 8

    def __post_init__(self) -> None:
        if self.limit is not None and self.limit < 1:
            raise ConfigError(f"--limit is {self.limit}; it must be at least 1")
        if self.batch < 1:
            raise ConfigError(f"--batch is {self.batch}; it must be at least 1")


@dataclass
class CaptionReport:
    """What came of a run: captions written, and pictures left without one by reason."""

    written: int = 0
    skipped: Counter[str] = field(default_factory=Counter)


def wanting(catalog: Catalog, wish: CaptionWish, origin: str) -> Iterator[ImageRecord]:
    """The pictures of `wish` that still lack a caption, in order of id.

    A picture with a caption of `origin` (this model and prompt) is done.
    """
    return islice(_wanting(catalog, wish, origin), wish.limit)


def _wanting(catalog: Catalog, wish: CaptionWish, origin: str) -> Iterator[ImageRecord]:
    where, after = ImageFilter(status=wish.status, label=wish.label), 0
    while records := catalog.images.page(where, after=after, limit=_PAGE):
        after = records[-1].id
        captions = catalog.images.captions_of([record.id for record in records])
        for record in records:
            if wish.status is None and record.status == "reject":
                continue
            known = captions.get(record.id, [])
            done = any(caption.origin == origin for caption in known) if wish.every else known
            if not done:
                yield record


def caption_pictures(
    catalog: Catalog, store: ImageStore, captioner: Captioner, wish: CaptionWish
) -> CaptionReport:
    """Write a caption of `captioner.origin` for every picture of `wish`, batch by batch.

    Pictures that cannot be decoded, and texts that are empty or loops, are skipped and counted.
    Raises DataError when the store lost a picture.
    """
    report = CaptionReport()
    total = sum(1 for _ in wanting(catalog, wish, captioner.origin))
    records = wanting(catalog, wish, captioner.origin)
    with Progress("caption", total, "pictures") as progress:
        while part := list(islice(records, wish.batch)):
            _caption_batch(catalog, store, captioner, part, report)
            progress.advance(len(part))
    return report


def _caption_batch(
    catalog: Catalog,
    store: ImageStore,
    captioner: Captioner,
    records: Sequence[ImageRecord],
    report: CaptionReport,
) -> None:
    readable: list[tuple[int, Pixels]] = []
    for record in records:
        try:
            picture = decode(store.get(record.sha256), limits=_ACCEPTED)
            readable.append((record.id, picture.rgb))
        except PictureError as error:
            report.skipped[error.reason] += 1
    if not readable:
        return
    texts = captioner.describe([rgb for _, rgb in readable])
    with catalog.transaction():
        for (image_id, _), text in zip(readable, texts, strict=True):
            fault = fault_of(text)
            if fault is not None:
                report.skipped[fault] += 1
                continue
            caption = Caption(text=text, origin=captioner.origin)
            catalog.images.add_caption(image_id, caption)
            report.written += 1
