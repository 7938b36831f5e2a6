"""Pictures in a folder or a tar: a class per folder, or what a table beside them says."""

import csv
import io
import json
import logging
import tarfile
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from gzip import BadGzipFile
from lzma import LZMAError
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from dataset.errors import ConfigError, DataError
from dataset.imports.collection import (
    MOST_BYTES,
    Batch,
    Collection,
    Facts,
    LabelBook,
    Summary,
    in_parts,
    said,
    split_code,
)
from dataset.records import Caption
from dataset.wording import clean_label

log = logging.getLogger(__name__)

CAPTION_FILES = ("captions.csv", "metadata.csv")
TABLES = (*CAPTION_FILES, "metadata.jsonl")
_PICTURE_SUFFIXES = {".jpg", ".jpeg", ".jfif", ".png", ".gif", ".webp", ".bmp", ".ico", ".avif"}
_PICTURE_SUFFIXES |= {".tif", ".tiff", ".svg"}
_BATCH = 64

_Read = Callable[[PurePosixPath], bytes]
_Rows = dict[PurePosixPath, dict[str, Any]]


@dataclass(frozen=True)
class FolderItem:
    """One file of a folder or tar: its path inside, its bytes and what the table says of it."""

    path: PurePosixPath
    content: bytes
    facts: dict[str, Any]

    @property
    def label(self) -> str:
        """The class that the table names, else the folder's name."""
        return _label(self.path, self.facts)


class FolderCollection(Collection):
    """A folder or tar of picture files; raises ConfigError when there is none."""

    grows = True

    def __init__(self, path: Path) -> None:
        super().__init__(path, "folder")
        self.source_name = path.name
        self.total = count_pictures(path)

    def batches(self) -> Iterator[Batch]:
        book = LabelBook(self.label_names)
        for items in in_parts(folder_items(self.path), _BATCH):
            yield Batch(
                facts=[facts_of(f"file:{item.path}", item.facts) for item in items],
                labels=np.array([book.number(item.label) for item in items], np.int64),
                contents=[item.content for item in items],
                captions=[captions_of(item.facts, "captions.csv") for item in items],
                splits=np.array([_split(item.path, item.facts) for item in items], np.int8),
            )

    def summary(self) -> Summary:
        names, rows = _listed(self.path)
        pictures = [name for name in names if is_picture(name)]
        classes = Counter(_label(name, rows.get(name, {})) for name in pictures)
        return Summary(pictures=len(pictures), classes=dict(sorted(classes.items())))


def facts_of(url: str, facts: dict[str, Any]) -> Facts:
    """What a table's row or a JSON file says of a picture, as far as a pack keeps it; `url` is
    the address of what names none on the web."""
    told = said(facts, "url", "source_url")
    url = told if told.startswith(("http://", "https://")) else url
    found = {
        "url": url.encode(errors="replace").decode(),
        "page_url": said(facts, "page_url", "page"),
        "author": said(facts, "author"),
        "author_url": said(facts, "author_url"),
        "licence": said(facts, "licence", "license"),
        "licence_url": said(facts, "licence_url", "license_url"),
        "attribution": said(facts, "attribution"),
        "query": said(facts, "query"),
        "fetched_at": said(facts, "fetched_at")[:40],
    }
    return {key: value for key, value in found.items() if value}


def captions_of(facts: dict[str, Any], origin: str) -> list[Caption]:
    title = said(facts, "title", "caption", "text")
    return [Caption(text=title, origin=origin)] if title else []


def folder_items(path: Path) -> Iterator[FolderItem]:
    """Every picture file of a folder or tar, ordered by path, with its row of the table if any.

    A compressed tar is read from its beginning to its end, twice: for its tables and its pictures.
    """
    if is_compressed(path):
        yield from _streamed(path, *_index(path))
        return
    with _opened(path) as (names, read):
        rows = _all_rows(names, read)
        for name in names:
            if is_picture(name):
                yield FolderItem(name, read(name), rows.get(name, {}))


def count_pictures(path: Path) -> int:
    if is_compressed(path):
        return sum(is_picture(name) for name in _index(path)[0])
    with _opened(path) as (names, _read):
        return sum(is_picture(name) for name in names)


def is_picture(name: PurePosixPath) -> bool:
    """Whether a file's name says that it is a picture."""
    return name.suffix.lower() in _PICTURE_SUFFIXES


def is_compressed(path: Path) -> bool:
    """Whether a file is packed by gzip, bzip2 or xz: going back in it means to unpack it again."""
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return file.read(6).startswith((b"\x1f\x8b", b"BZh", b"\xfd7zXZ\0"))


@contextmanager
def readable_tar(path: Path) -> Iterator[None]:
    """Turns what tarfile raises for damage into one line that names the file."""
    try:
        yield
    except (tarfile.TarError, EOFError, BadGzipFile, LZMAError, zlib.error) as error:
        raise DataError(f"{path} is no readable tar ({error}); check the file") from error


def read_member(tar: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    stream = tar.extractfile(member)
    if stream is None:
        raise DataError(f"{member.name} in the tar has no content")
    return stream.read()


def is_plain(member: tarfile.TarInfo) -> bool:
    """Whether a member is a file of bearable size; links, devices and folders are not."""
    return member.isfile() and member.size <= MOST_BYTES


def _label(path: PurePosixPath, facts: dict[str, Any]) -> str:
    parent = path.parent.name
    of_folder = "" if parent in ("", ".", "..", "images") else clean_label(parent)
    return clean_label(said(facts, "label", "class")) or of_folder


def _split(path: PurePosixPath, facts: dict[str, Any]) -> int:
    """The split that the table names, else that of a folder such as train or val, unless it is
    the one that names the class; -1 for none."""
    told = split_code(said(facts, "split"))
    above = path.parts[:-1] if said(facts, "label", "class") else path.parts[:-2]
    return next((code for code in (told, *map(split_code, above)) if code >= 0), -1)


@contextmanager
def _opened(path: Path) -> Iterator[tuple[list[PurePosixPath], _Read]]:
    """The files of a folder or tar, sorted, and a function that reads one. Nothing is unpacked."""
    if path.is_dir():
        files = sorted(p for p in path.rglob("*") if p.is_file() and not p.is_symlink())
        names = [PurePosixPath(p.relative_to(path).as_posix()) for p in files]
        yield names, lambda name: (path / name).read_bytes()
    elif path.is_file():
        with readable_tar(path), tarfile.open(path) as tar:
            members = {PurePosixPath(m.name): m for m in tar if is_plain(m)}
            yield sorted(members), lambda name: read_member(tar, members[name])
    else:
        raise ConfigError(f"no folder or tar at {path}; check the path")


def _listed(path: Path) -> tuple[list[PurePosixPath], _Rows]:
    """All names and the rows of all tables."""
    if is_compressed(path):
        members, rows = _index(path)
        return list(members), rows
    with _opened(path) as (names, read):
        return names, _all_rows(names, read)


def _all_rows(names: list[PurePosixPath], read: _Read) -> _Rows:
    rows: _Rows = {}
    for name in names:
        if name.name in TABLES:
            rows |= _rows(name, read(name))
    return rows


def _index(path: Path) -> tuple[dict[PurePosixPath, int], _Rows]:
    """One pass over a compressed tar: the place of every file (its last one), the tables' rows."""
    members: dict[PurePosixPath, int] = {}
    rows: _Rows = {}
    with readable_tar(path), tarfile.open(path, "r|*") as tar:
        for place, member in enumerate(tar):
            if is_plain(member):
                name = PurePosixPath(member.name)
                members[name] = place
                if name.name in TABLES:
                    rows |= _rows(name, read_member(tar, member))
    return members, rows


def _streamed(path: Path, members: dict[PurePosixPath, int], rows: _Rows) -> Iterator[FolderItem]:
    """The other pass: the pictures of a compressed tar in the order in which they lie."""
    with readable_tar(path), tarfile.open(path, "r|*") as tar:
        for place, member in enumerate(tar):
            name = PurePosixPath(member.name)
            if members.get(name) == place and is_picture(name):
                yield FolderItem(name, read_member(tar, member), rows.get(name, {}))


def _rows(name: PurePosixPath, content: bytes) -> _Rows:
    """The rows of a table by the file they speak of (relative to the table's folder)."""
    if len(content) > MOST_BYTES:
        raise DataError(f"{name} is over {MOST_BYTES} bytes; divide it")
    kind = "JSON lines" if name.suffix == ".jsonl" else "CSV"
    rows: _Rows = {}
    try:
        text = content.decode("utf-8-sig")
        found = _json_rows(text) if name.suffix == ".jsonl" else _csv_rows(text)
        for row in found:
            file = row.get("file") or row.get("file_name")
            if not file or not isinstance(file, str):
                raise DataError(f"{name} lacks the column file; add it")
            rows[name.parent / file] = row
    except (ValueError, csv.Error, RecursionError) as error:
        raise DataError(f"{name} is no readable {kind} in UTF-8: {error}") from error
    return rows


def _csv_rows(text: str) -> Iterator[dict[str, Any]]:
    for row in csv.DictReader(io.StringIO(text), strict=True):
        yield {key: value or "" for key, value in row.items() if key}


def _json_rows(text: str) -> Iterator[dict[str, Any]]:
    for line in text.split("\n"):
        if line.strip():
            row = json.loads(line)
            yield row if isinstance(row, dict) else {}
