"""A collection becomes pictures of the catalogue: what is known is only counted, so an import that
was interrupted goes on where it was."""

import hashlib
import io
import logging
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path

from PIL import Image

from dataset.catalog import Catalog
from dataset.decoding import DecoderPool
from dataset.errors import PictureError
from dataset.image_store import ImageStore
from dataset.imports.collection import Batch, Collection, in_parts
from dataset.imports.folder import FolderCollection
from dataset.pixels import PixelLimits, Pixels
from dataset.progress import Progress
from dataset.records import Caption, NewImage, Origin

log = logging.getLogger(__name__)

# Pictures written to the catalogue at once; so many a worker are read ahead, too.
_CHUNK = 32
_ORIGIN_FACTS = frozenset(Origin.__dataclass_fields__)


@dataclass
class ImportReport:
    """What came of an import; `rejected` counts by reason."""

    added: int = 0
    known: int = 0
    rejected: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class _Item:
    """One picture file on its way, with what is said of it."""

    content: bytes
    sha256: str
    label: str
    origin: Origin
    captions: list[Caption]


# What is known of an item: its id in the catalogue, its measurements, or why it is none.
_Result = int | NewImage | PictureError


def import_folder(
    catalog: Catalog,
    store: ImageStore,
    path: Path,
    *,
    source: str,
    limits: PixelLimits | None = None,
    workers: int = 2,
) -> ImportReport:
    """Take every picture of a folder or tar into the catalogue, in order of its path.

    A compressed tar is taken in its own order. The label is the table's, else the name of the
    folder that the file lies in. Raises ConfigError for a missing path, DataError for an
    unreadable tar or table.
    """
    collection = FolderCollection(path)
    return import_collection(
        catalog, store, collection, source=source, limits=limits, workers=workers
    )


def import_collection(
    catalog: Catalog,
    store: ImageStore,
    collection: Collection,
    *,
    source: str = "import",
    licence: str = "unknown",
    limits: PixelLimits | None = None,
    workers: int = 2,
) -> ImportReport:
    """Take a collection into the catalogue, in its order; arrays become PNG files.

    Decoding runs in `workers` processes; a picture that kills one is rejected. Files that are
    known already are neither decoded nor stored again. `licence` is of what names none.
    """
    report = ImportReport()
    named = f"{source}:{collection.source_name}"
    with (
        Progress(f"import {collection.path.name}", collection.total, "pictures") as progress,
        DecoderPool(workers, limits) as pool,
    ):
        items = _items(collection, named, licence)
        for chunk in in_parts(_measured(catalog, pool, items, workers), _CHUNK):
            with catalog.transaction():
                for item, result in chunk:
                    _take(catalog, store, item, result, report)
            progress.advance(len(chunk))
    for reason, count in collection.rejected.items():
        report.rejected[reason] = report.rejected.get(reason, 0) + count
    return report


def png(pixels: Pixels) -> bytes:
    """A picture (H, W, C) of 1, 3 or 4 channels as a PNG file, the same bytes every time."""
    buffer = io.BytesIO()
    picture = pixels[:, :, 0] if pixels.shape[2] == 1 else pixels
    Image.fromarray(picture).save(buffer, "PNG", compress_level=6)
    return buffer.getvalue()


def _items(collection: Collection, source: str, licence: str) -> Iterator[_Item]:
    for batch in collection.batches():
        for place, facts in enumerate(batch.facts):
            content = _content(batch, place)
            number = int(batch.labels[place])
            told = {key: value for key, value in facts.items() if key in _ORIGIN_FACTS}
            if told.get("licence", "unknown") in ("", "unknown"):
                told["licence"] = licence
            yield _Item(
                content,
                hashlib.sha256(content).hexdigest(),
                collection.label_names[number] if number >= 0 else "",
                Origin(**{"source": source, **told}),
                list(batch.captions[place]) if batch.captions else [],
            )


def _content(batch: Batch, place: int) -> bytes:
    content = batch.contents[place] if batch.contents else b""
    return content if content or batch.pixels is None else png(batch.pixels[place])


def _measured(
    catalog: Catalog, pool: DecoderPool, items: Iterator[_Item], workers: int
) -> Iterator[tuple[_Item, _Result]]:
    """Items with what is known of them, in order; a few chunks are in flight."""

    def measured(content: bytes) -> _Result:
        try:
            return pool.measure(content)
        except PictureError as error:
            return error

    waiting: deque[tuple[_Item, Future[_Result] | int]] = deque()
    with ThreadPoolExecutor(workers, "import") as threads:
        try:
            for item in items:
                known = catalog.images.by_sha256(item.sha256)
                found = known.id if known else threads.submit(measured, item.content)
                waiting.append((item, found))
                if len(waiting) > _CHUNK * workers:
                    yield _finished(*waiting.popleft())
            while waiting:
                yield _finished(*waiting.popleft())
        finally:
            if waiting:  # interrupted: nobody will ask for the rest
                threads.shutdown(wait=False, cancel_futures=True)
                pool.stop()


def _finished(item: _Item, found: Future[_Result] | int) -> tuple[_Item, _Result]:
    return item, found if isinstance(found, int) else found.result()


def _take(
    catalog: Catalog, store: ImageStore, item: _Item, result: _Result, report: ImportReport
) -> None:
    if isinstance(result, PictureError):
        log.debug("%s: %s", item.origin.url, result)
        report.rejected[result.reason] = report.rejected.get(result.reason, 0) + 1
        return
    if isinstance(result, int):
        catalog.images.add_origin(result, item.origin)
        for caption in item.captions:
            catalog.images.add_caption(result, caption)
        report.known += 1
        return
    store.put(item.content, item.sha256)
    labelled = replace(result, label=item.label)
    _image_id, is_new = catalog.images.add(labelled, item.origin, item.captions)
    report.added += is_new
    report.known += not is_new
