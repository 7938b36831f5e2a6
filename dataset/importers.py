"""Pictures that are already here: a folder or a tar, a class per folder, captions in a CSV."""

import csv
import io
import logging
import signal
import tarfile
import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass, field
from gzip import BadGzipFile
from lzma import LZMAError
from multiprocessing import get_context
from pathlib import Path, PurePosixPath

from dataset.catalog import Catalog
from dataset.errors import ConfigError, DataError, PictureError, WorldError
from dataset.image_store import ImageStore
from dataset.ingest import measure
from dataset.pixels import PixelLimits
from dataset.progress import Progress
from dataset.records import Caption, NewImage, Origin

log = logging.getLogger(__name__)

CAPTION_FILES = ("captions.csv", "metadata.csv")
_PICTURE_SUFFIXES = {".jpg", ".jpeg", ".png", ".gif", ".webp", ".bmp", ".ico", ".avif", ".tiff"}
_MAX_MEMBER_BYTES = 100_000_000
_CHUNK = 32

_Read = Callable[[PurePosixPath], bytes]


@dataclass(frozen=True)
class FolderItem:
    """One file of a folder or tar: its path inside, its bytes and what the CSV says of it."""

    path: PurePosixPath
    content: bytes
    facts: dict[str, str]


@dataclass
class ImportReport:
    """What came of an import; `rejected` counts by reason."""

    added: int = 0
    known: int = 0
    rejected: dict[str, int] = field(default_factory=dict)


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

    The label is the CSV's, else the name of the folder that the file lies in. Decoding runs in
    `workers` processes. Interrupted imports go on: files that are known are only counted.
    Raises ConfigError for a missing path, DataError for an unreadable tar or CSV.
    """
    report = ImportReport()
    total = count_pictures(path)
    try:
        with (
            Progress(f"import {path.name}", total, "pictures") as progress,
            # Fresh processes: a decoder that dies takes a worker along, not the catalogue.
            ProcessPoolExecutor(workers, get_context("spawn"), initializer=_quiet) as pool,
        ):
            for chunk, measured in _measured(pool, folder_items(path), limits):
                with catalog.transaction():
                    for item, result in zip(chunk, measured, strict=True):
                        _take(catalog, store, item, result, f"{source}:{path.name}", report)
                progress.advance(len(chunk))
    except BrokenProcessPool as error:
        raise WorldError(
            "a decoding process died (out of memory, or a picture crashed the decoder); "
            "run the import again with --verbose, it goes on where it was"
        ) from error
    return report


def folder_items(path: Path) -> Iterator[FolderItem]:
    """Every picture file of a folder or tar, ordered by path, with its row of the CSV if any."""
    with _opened(path) as (names, read):
        facts = _facts(names, read)
        for name in names:
            if _is_picture(name):
                yield FolderItem(name, read(name), facts.get(name, {}))


def count_pictures(path: Path) -> int:
    with _opened(path) as (names, _read):
        return sum(_is_picture(name) for name in names)


def _is_picture(name: PurePosixPath) -> bool:
    return name.suffix.lower() in _PICTURE_SUFFIXES


def _measured(
    pool: ProcessPoolExecutor, items: Iterator[FolderItem], limits: PixelLimits | None
) -> Iterator[tuple[list[FolderItem], list[NewImage | PictureError]]]:
    """Chunks of items with their measurements, in order, with few chunks in flight."""
    waiting: list[tuple[list[FolderItem], Future[list[NewImage | PictureError]]]] = []
    chunk: list[FolderItem] = []
    for item in items:
        chunk.append(item)
        if len(chunk) == _CHUNK:
            contents = [part.content for part in chunk]
            waiting.append((chunk, pool.submit(_measure_all, contents, limits)))
            chunk = []
        if len(waiting) > 6:
            done, future = waiting.pop(0)
            yield done, future.result()
    if chunk:
        contents = [part.content for part in chunk]
        waiting.append((chunk, pool.submit(_measure_all, contents, limits)))
    for done, future in waiting:
        yield done, future.result()


def _quiet() -> None:
    """Leave Ctrl-C to the parent, which shuts the workers down."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _measure_all(
    contents: list[bytes], limits: PixelLimits | None
) -> list[NewImage | PictureError]:
    results: list[NewImage | PictureError] = []
    for content in contents:
        try:
            results.append(measure(content, limits=limits))
        except PictureError as error:
            results.append(error)
    return results


def _take(
    catalog: Catalog,
    store: ImageStore,
    item: FolderItem,
    result: NewImage | PictureError,
    source: str,
    report: ImportReport,
) -> None:
    if isinstance(result, PictureError):
        log.debug("%s: %s", item.path, result)
        report.rejected[result.reason] = report.rejected.get(result.reason, 0) + 1
        return
    parent = item.path.parent.name
    label = " ".join(item.facts.get("label", "").split()) or (
        "" if parent in ("", ".", "images") else parent
    )
    title = item.facts.get("title", "").strip()
    origin = Origin(
        url=f"file:{item.path}".encode(errors="replace").decode(),
        page_url=item.facts.get("page_url", ""),
        source=source,
        licence=item.facts.get("licence", "") or "unknown",
        author=item.facts.get("author", ""),
    )
    captions = [Caption(text=title, origin="captions.csv")] if title else []
    store.put(item.content)
    labelled = NewImage(**{**result.__dict__, "label": label})
    _image_id, is_new = catalog.images.add(labelled, origin, captions)
    report.added += is_new
    report.known += not is_new


@contextmanager
def _opened(path: Path) -> Iterator[tuple[list[PurePosixPath], _Read]]:
    """The files of a folder or tar, sorted, and a function that reads one. Nothing is unpacked."""
    if path.is_dir():
        files = sorted(p for p in path.rglob("*") if p.is_file() and not p.is_symlink())
        names = [PurePosixPath(p.relative_to(path).as_posix()) for p in files]
        yield names, lambda name: (path / name).read_bytes()
    elif path.is_file():
        try:
            with tarfile.open(path) as tar:
                members = {
                    PurePosixPath(member.name): member
                    for member in tar.getmembers()
                    if member.isfile() and member.size <= _MAX_MEMBER_BYTES
                }
                yield sorted(members), lambda name: _read_member(tar, members[name])
        except (tarfile.TarError, EOFError, BadGzipFile, LZMAError, zlib.error) as error:
            raise DataError(f"{path} is no readable tar ({error}); check the file") from error
    else:
        raise ConfigError(f"no folder or tar at {path}; check the path")


def _read_member(tar: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    stream = tar.extractfile(member)
    if stream is None:
        raise DataError(f"{member.name} in the tar has no content")
    return stream.read()


def _facts(names: list[PurePosixPath], read: _Read) -> dict[PurePosixPath, dict[str, str]]:
    """The rows of every captions.csv by the file they speak of (relative to the CSV's folder)."""
    facts: dict[PurePosixPath, dict[str, str]] = {}
    for name in names:
        if name.name in CAPTION_FILES:
            try:
                rows = csv.DictReader(io.StringIO(read(name).decode("utf-8-sig")), strict=True)
                for row in rows:
                    file = row.get("file") or row.get("file_name")
                    if not file:
                        raise DataError(f"{name} lacks the column file; add it")
                    facts[name.parent / file] = {k: v or "" for k, v in row.items() if k}
            except (UnicodeDecodeError, csv.Error) as error:
                raise DataError(f"{name} is no readable CSV in UTF-8: {error}") from error
    return facts
