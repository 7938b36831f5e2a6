"""Kind folder: the pictures of a folder or a tar on this machine, as any other source."""

import hashlib
import io
import os
import posixpath
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from urllib.parse import quote, unquote_to_bytes

from dataset.errors import ConfigError, DataError
from dataset.imports.folder import is_picture
from scrape.captions import LONGEST_NAME, captions_of, clean_text
from scrape.client import PoliteClient
from scrape.json_answer import link_of
from scrape.licences import licence_of
from scrape.local_files import TABLES, LocalFiles, local_files
from scrape.response import FetchError, Response
from scrape.row_file import BadRows, Row, row_kind, text_rows
from scrape.sources.source import Kind, ScrapedItem, Source, SourceSpec

EXAMPLE = """
[[source]]
kind = "folder"
name = "photos"
path = "photos.tar"      # or a folder; captions.csv, metadata.jsonl and NAME.txt are read, too
licence = "CC BY 4.0"    # of the pictures of which no table says another
"""

_FILE = ("file", "file_name", "filename")
_CAPTIONS = ("title", "caption", "text")
# What macOS notes about x.png stands in ._x.png.
_NO_PICTURE = "._"
# Folders whose name says nothing of the pictures in them.
_UNNAMED = ("", ".", "images")
_LARGEST_TABLE = 1_000_000_000
_LARGEST_TEXT = 64_000

_Facts = dict[PurePosixPath, tuple[Row, str]]  # what a table says of a file, and the table's name


@dataclass(frozen=True, kw_only=True)
class FolderSpec(SourceSpec):
    """Where the pictures lie. Without `label` it is the table's, else the name of the folder that
    a picture lies in."""

    path: str = ""

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.path:
            raise ConfigError(f"source {self.name} has no folder; give path = PATH or --from PATH")
        if self.queries:
            raise ConfigError(f"source {self.name} takes no queries; leave them out")


class Folder(Source[FolderSpec]):
    """Yields the picture files by path, those of a compressed tar as they lie in it."""

    is_local = True

    def __init__(self, spec: FolderSpec) -> None:
        super().__init__(spec)
        self._lock = threading.Lock()
        self._opened: LocalFiles | None = None
        # The name as it is written, even if it is that of a link; "." has one, too. Many folders
        # are named alike, so the digest of the real path goes with it.
        name = os.path.basename(os.path.abspath(spec.path))  # noqa: PTH100, PTH119
        place = os.fsencode(os.path.realpath(spec.path))
        self._root = f"file:{_quoted(name)}-{hashlib.sha256(place).hexdigest()[:8]}/"

    def items(self, client: PoliteClient) -> Iterator[ScrapedItem]:
        """Raises ConfigError for a missing path, DataError for a damaged tar or table."""
        files, facts, bad = self._files(), _Facts(), BadRows()
        for name in files.names():
            if name.name in TABLES:
                facts |= _facts_in(files, name, bad)
            elif is_picture(name) and not name.name.startswith(_NO_PICTURE):
                yield self._item(files, name, *facts.pop(name, ({}, "")))
        if files.is_cut:
            self.warn(f"{self.spec.path} ends too early: what came after is lost; fetch it again")
        if files.refused:
            self.warn(f"{self.spec.path} has {files.refused} names that lead outside or nowhere")
        if bad.count:
            self.warn(f"the tables have {bad.count} unusable rows; {bad.example}")
        if facts:
            self.warn(f"the tables name {len(facts)} pictures that are not there, as {min(facts)}")

    def fetch(
        self,
        client: PoliteClient,
        item: ScrapedItem,
        headers: Mapping[str, str],
        *,
        holds_turn: bool = False,
    ) -> Response:
        """The bytes of the file, or a 304 when it is as If-None-Match says; raises FetchError
        (not-found, too-many-bytes), ConfigError or DataError when the folder or tar itself is gone
        or damaged."""
        start, _, inner = item.picture_url.partition("/")
        if f"{start}/" != self._root:
            raise FetchError(
                "not-found", f"{item.picture_url} is not in {self.spec.path}", is_final=True
            )
        name = PurePosixPath(os.fsdecode(unquote_to_bytes(inner)))
        files = self._files()
        etag = f'"{files.version(name)}"'
        if headers.get("If-None-Match") == etag:
            status, body = 304, b""
        else:
            status, body = 200, files.read(name, client.settings.max_bytes)
        return Response(
            status=status, headers={"etag": etag}, body=body, final_url=item.picture_url
        )

    def _files(self) -> LocalFiles:
        with self._lock:
            if self._opened is None:
                self._opened = local_files(Path(self.spec.path))
            return self._opened

    def _item(self, files: LocalFiles, name: PurePosixPath, row: Row, table: str) -> ScrapedItem:
        spec = self.spec
        parent = "" if name.parent.name in _UNNAMED else name.parent.name
        licence = licence_of(
            _first(row, "licence", "license") or spec.licence,
            _first(row, "licence_url", "license_url") or spec.licence_url,
        )
        captions = [(text, table) for column in _CAPTIONS for text in row.get(column, ())]
        return ScrapedItem(
            picture_url=self._root + _quoted(str(name)),
            page_url=link_of(_first(row, "page_url", "page")),
            source=spec.name,
            captions=captions_of([*captions, *_sidecar(files, name)]),
            label=clean_text(spec.label or _first(row, "label") or parent, LONGEST_NAME),
            author=clean_text(_first(row, "author"), LONGEST_NAME) or spec.author,
            author_url=link_of(_first(row, "author_url")),
            licence=licence.id,
            licence_url=licence.url,
            attribution=clean_text(_first(row, "attribution")),
        )


def _facts_in(files: LocalFiles, table: PurePosixPath, bad: BadRows) -> _Facts:
    """The rows of a table by the file that they speak of, relative to the table's folder."""
    found: _Facts = {}
    try:
        stream = io.BytesIO(files.read(table, _LARGEST_TABLE))
    except FetchError as error:
        raise DataError(f"cannot read a table of {files.path}: {error}") from None
    is_empty = True
    for row in text_rows(stream, row_kind(table.name), str(table), bad):
        is_empty = False
        file = _first(row, *_FILE)
        if file:
            path = posixpath.normpath(table.parent / file.replace("\\", "/"))
            found[PurePosixPath(path)] = (row, table.name)
        else:
            bad.add(f"a row of {table} names no file", " ".join(t for v in row.values() for t in v))
    if not (found or is_empty):
        raise DataError(f"{table} in {files.path} lacks the column file; add it")
    return found


def _sidecar(files: LocalFiles, name: PurePosixPath) -> Iterator[tuple[str, str]]:
    """The caption in a text file beside the picture, if there is one."""
    beside = name.with_suffix(".txt")
    if files.has(beside):
        try:
            content = files.read(beside, _LARGEST_TEXT)
        except FetchError:
            return
        yield content.decode("utf-8-sig", "replace"), "text file"


def _first(row: Row, *names: str) -> str:
    return next((text for name in names for text in row.get(name, ()) if text.strip()), "")


def _quoted(name: str) -> str:
    """A path as it stands in an address: file names are bytes, and any byte may be in them."""
    return quote(os.fsencode(name), safe="/")


KIND = Kind(
    "folder",
    FolderSpec,
    Folder,
    "a folder or tar of pictures on this machine, with captions beside them",
    EXAMPLE,
    needs="pictures on this machine",
    ask="python -m scrape run folder --from photos.tar",
)
