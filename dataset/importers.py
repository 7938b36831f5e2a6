"""Pictures that are already here: a folder or a tar, a class per folder, captions in a CSV."""

import csv
import io
import logging
import tarfile
import zlib
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from gzip import BadGzipFile
from lzma import LZMAError
from pathlib import Path, PurePosixPath
from typing import TypeVar

from dataset.catalog import Catalog
from dataset.decoding import DecoderPool
from dataset.errors import ConfigError, DataError, PictureError
from dataset.image_store import ImageStore
from dataset.pixels import PixelLimits
from dataset.progress import Progress
from dataset.records import Caption, NewImage, Origin
from dataset.wording import clean_label

log = logging.getLogger(__name__)

CAPTION_FILES = ("captions.csv", "metadata.csv")
_PICTURE_SUFFIXES = {".jpg", ".jpeg", ".jfif", ".png", ".gif", ".webp", ".bmp", ".ico", ".avif"}
_PICTURE_SUFFIXES |= {".tif", ".tiff", ".svg"}
_MAX_MEMBER_BYTES = 100_000_000
# Pictures written to the catalogue at once; so many a worker are read ahead, too.
_CHUNK = 32

_T = TypeVar("_T")
_Read = Callable[[PurePosixPath], bytes]
_Facts = dict[PurePosixPath, dict[str, str]]


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

    A compressed tar is taken in its own order. The label is the CSV's, else the name of the
    folder that the file lies in. Decoding runs in `workers` processes; a picture that kills one
    is rejected. Interrupted imports go on: files that are known are only counted.
    Raises ConfigError for a missing path, DataError for an unreadable tar or CSV.
    """
    report = ImportReport()
    total = count_pictures(path)
    with (
        Progress(f"import {path.name}", total, "pictures") as progress,
        DecoderPool(workers, limits) as pool,
    ):
        for chunk in _batches(_measured(pool, folder_items(path), workers), _CHUNK):
            with catalog.transaction():
                for item, result in chunk:
                    _take(catalog, store, item, result, f"{source}:{path.name}", report)
            progress.advance(len(chunk))
    return report


def folder_items(path: Path) -> Iterator[FolderItem]:
    """Every picture file of a folder or tar, ordered by path, with its row of the CSV if any.

    A compressed tar is read from its beginning to its end, twice: for its CSV and its pictures.
    """
    if is_compressed(path):
        yield from _streamed(path, *_index(path))
        return
    with _opened(path) as (names, read):
        facts: _Facts = {}
        for name in names:
            if name.name in CAPTION_FILES:
                facts |= _rows(name, read(name))
        for name in names:
            if is_picture(name):
                yield FolderItem(name, read(name), facts.get(name, {}))


def count_pictures(path: Path) -> int:
    if is_compressed(path):
        return sum(is_picture(name) for name in _index(path)[0])
    with _opened(path) as (names, _read):
        return sum(is_picture(name) for name in names)


def is_picture(name: PurePosixPath) -> bool:
    """Whether a file's name says that it is a picture."""
    return name.suffix.lower() in _PICTURE_SUFFIXES


def _measured(
    pool: DecoderPool, items: Iterator[FolderItem], workers: int
) -> Iterator[tuple[FolderItem, NewImage | PictureError]]:
    """Items with their measurements, in order; a few chunks are in flight."""

    def measured(content: bytes) -> NewImage | PictureError:
        try:
            return pool.measure(content)
        except PictureError as error:
            return error

    waiting: deque[tuple[FolderItem, Future[NewImage | PictureError]]] = deque()
    with ThreadPoolExecutor(workers, "import") as threads:
        try:
            for item in items:
                waiting.append((item, threads.submit(measured, item.content)))
                if len(waiting) > _CHUNK * workers:
                    done, future = waiting.popleft()
                    yield done, future.result()
            while waiting:
                done, future = waiting.popleft()
                yield done, future.result()
        finally:
            if waiting:  # interrupted: nobody will ask for the rest
                threads.shutdown(wait=False, cancel_futures=True)
                pool.stop()


def _batches(items: Iterable[_T], size: int) -> Iterator[list[_T]]:
    batch: list[_T] = []
    for item in items:
        batch.append(item)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch


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
    label = clean_label(item.facts.get("label", "")) or (
        "" if parent in ("", ".", "images") else clean_label(parent)
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
        with _readable_tar(path), tarfile.open(path) as tar:
            members = {PurePosixPath(m.name): m for m in tar if _is_plain(m)}
            yield sorted(members), lambda name: _read_member(tar, members[name])
    else:
        raise ConfigError(f"no folder or tar at {path}; check the path")


@contextmanager
def _readable_tar(path: Path) -> Iterator[None]:
    try:
        yield
    except (tarfile.TarError, EOFError, BadGzipFile, LZMAError, zlib.error) as error:
        raise DataError(f"{path} is no readable tar ({error}); check the file") from error


def _is_plain(member: tarfile.TarInfo) -> bool:
    return member.isfile() and member.size <= _MAX_MEMBER_BYTES


def is_compressed(path: Path) -> bool:
    """Whether a file is packed by gzip, bzip2 or xz: going back in it means to unpack it again."""
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return file.read(6).startswith((b"\x1f\x8b", b"BZh", b"\xfd7zXZ\0"))


def _index(path: Path) -> tuple[dict[PurePosixPath, int], _Facts]:
    """One pass over a compressed tar: the place of every file (its last one) and the CSVs' rows."""
    members: dict[PurePosixPath, int] = {}
    facts: _Facts = {}
    with _readable_tar(path), tarfile.open(path, "r|*") as tar:
        for place, member in enumerate(tar):
            if _is_plain(member):
                name = PurePosixPath(member.name)
                members[name] = place
                if name.name in CAPTION_FILES:
                    facts |= _rows(name, _read_member(tar, member))
    return members, facts


def _streamed(path: Path, members: dict[PurePosixPath, int], facts: _Facts) -> Iterator[FolderItem]:
    """The other pass: the pictures of a compressed tar in the order in which they lie."""
    with _readable_tar(path), tarfile.open(path, "r|*") as tar:
        for place, member in enumerate(tar):
            name = PurePosixPath(member.name)
            if members.get(name) == place and is_picture(name):
                yield FolderItem(name, _read_member(tar, member), facts.get(name, {}))


def _read_member(tar: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    stream = tar.extractfile(member)
    if stream is None:
        raise DataError(f"{member.name} in the tar has no content")
    return stream.read()


def _rows(name: PurePosixPath, content: bytes) -> _Facts:
    """The rows of a captions.csv by the file they speak of (relative to the CSV's folder)."""
    facts: _Facts = {}
    try:
        for row in csv.DictReader(io.StringIO(content.decode("utf-8-sig")), strict=True):
            file = row.get("file") or row.get("file_name")
            if not file:
                raise DataError(f"{name} lacks the column file; add it")
            facts[name.parent / file] = {k: v or "" for k, v in row.items() if k}
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{name} is no readable CSV in UTF-8: {error}") from error
    return facts
