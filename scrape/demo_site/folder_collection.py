"""A person's own pictures on the site: a folder or a tar with a captions.csv inside."""

import csv
import io
import logging
import re
import unicodedata
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath
from urllib.parse import urlsplit

from PIL import Image

from dataset.errors import ConfigError
from scrape.demo_site.collection import Answer, SitePicture, content_type
from scrape.demo_site.picture_files import PictureFiles, inner_path, open_picture_files
from scrape.demo_site.titles import LICENCE_ADDRESSES

log = logging.getLogger(__name__)

CAPTIONS = "captions.csv"
_NEEDED = ("file", "title")
_MEDIA = "/media/pictures/"


class FolderCollection:
    """A Collection read from `path`; nothing is drawn and nothing planted.

    captions.csv has the columns file, title and perhaps label, page_url, licence; others are
    ignored, and paths are relative to its folder. Raises ConfigError when `path` or captions.csv
    cannot be read, a column is missing, or a row's file leads out of the folder.
    """

    def __init__(self, path: Path) -> None:
        self.title = f"Pictures from {path.name}"
        self.planted: dict[str, list[str]] = {}
        self.copy_of: dict[str, str] = {}
        self.files = open_picture_files(path)
        try:
            captions = _captions_file(self.files, path)
            pictures = list(_pictures(self.files, captions, path))
        except ConfigError:
            self.files.close()
            raise
        self.labelled: Sequence[SitePicture] = [picture for picture in pictures if picture.label]
        self.cards: Sequence[SitePicture] = [picture for picture in pictures if not picture.label]
        self._addresses = {picture.address for picture in pictures}
        self._sizes: dict[str, tuple[int, int]] = {}

    def answer(self, address: str) -> Answer | None:
        if address not in self._addresses:
            return None
        body = self.files.read(address.removeprefix(_MEDIA))
        return None if body is None else Answer(body, content_type(body))

    def sized(self, picture: SitePicture) -> SitePicture:
        if picture.address not in self._sizes:
            body = self.files.read(picture.address.removeprefix(_MEDIA))
            self._sizes[picture.address] = (0, 0) if body is None else _size(body)
        width, height = self._sizes[picture.address]
        return replace(picture, width=width, height=height)

    def close(self) -> None:
        self.files.close()


def _captions_file(files: PictureFiles, path: Path) -> str:
    """The outermost captions.csv."""
    found = [name for name in files.names() if PurePosixPath(name).name == CAPTIONS]
    if not found:
        raise ConfigError(f"there is no {CAPTIONS} in {path}; it names every file and its title")
    return min(found, key=lambda name: (name.count("/"), name))


def _pictures(files: PictureFiles, captions: str, path: Path) -> Iterator[SitePicture]:
    content = files.read(captions)
    try:
        text = (content or b"").decode("utf-8-sig")
        reader = csv.DictReader(io.StringIO(text, newline=""), restval="")
        columns = reader.fieldnames or ()
        for column in _NEEDED:
            if column not in columns:
                raise ConfigError(f"{captions} in {path} has no column {column}; add it")
        parent, there, missing = PurePosixPath(captions).parent, set(files.names()), 0
        taken: set[str] = set()
        for row in reader:
            name = inner_path(row["file"] or "")
            if name is None:
                raise ConfigError(
                    f"{captions} in {path}, line {reader.line_num}: the file {row['file']!r} "
                    "leads out of its folder; remove the row"
                )
            name = str(parent / name)
            missing += name not in there
            yield _picture(name, row, taken)
    except (UnicodeDecodeError, csv.Error) as error:
        raise ConfigError(f"{captions} in {path} is no CSV in UTF-8: {error}") from error
    if missing:
        log.warning(
            "%d files that %s names are not in %s; they answer 404", missing, captions, path
        )


def _picture(name: str, row: dict[str, str], taken: set[str]) -> SitePicture:
    title = " ".join((row["title"] or PurePosixPath(name).stem).split())
    label, licence = (row.get("label") or "").strip(), (row.get("licence") or "").strip()
    slug = _slug(title, taken)
    return SitePicture(
        id=slug,
        address=_MEDIA + name,
        page=f"/pictures/{slug}/" if label else f"/logos/{slug}/",
        title=title,
        description=title,
        label=label,
        licence=licence,
        licence_url=LICENCE_ADDRESSES.get(licence, ""),
        source_page=_web_address(row.get("page_url") or ""),
    )


def _slug(title: str, taken: set[str]) -> str:
    """`title` in lower-case ASCII words joined by hyphens, with a number where that is taken."""
    plain = unicodedata.normalize("NFKD", title).encode("ascii", "ignore").decode().lower()
    stem = re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:80] or "picture"
    slug, number = stem, 1
    while slug in taken:
        number += 1
        slug = f"{stem}-{number}"
    taken.add(slug)
    return slug


def _web_address(text: str) -> str:
    """`text` when it is a web address, else nothing: it becomes a link."""
    try:
        parts = urlsplit(text.strip())
    except ValueError:
        return ""
    return text.strip() if parts.scheme in ("http", "https") and parts.netloc else ""


def _size(body: bytes) -> tuple[int, int]:
    """Width and height from the header; zeros when it is no picture."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(io.BytesIO(body)) as image:
                return image.size
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return (0, 0)
