"""Kind addresses: a list of picture addresses with their captions, in a file or many."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field, fields
from itertools import islice
from pathlib import Path

from dataset.errors import ConfigError, DataError
from scrape.addresses import host_of
from scrape.captions import LONGEST_NAME, captions_of, clean_text
from scrape.client import PoliteClient
from scrape.json_answer import link_of
from scrape.licences import Licence, licence_of
from scrape.row_file import BadRows, Row, file_rows, is_address, row_kind
from scrape.sources.source import Kind, ScrapedItem, Source, SourceSpec

EXAMPLE = """
[[source]]
kind = "addresses"
name = "listed"
path = "list.csv.gz"       # txt, csv, tsv, jsonl or parquet; or a folder of such files
[source.columns]           # only where their names do not say it
picture = "photo"
captions = ["headline", "summary"]
"""

# By its name the address of a picture; often one, else the name of a file; that of a picture or of
# the page that shows it.
_PICTURE = (
    "image_url", "imageurl", "image url", "img_url", "picture_url", "photo_url", "photo_image_url",
    "contenturl", "content_url", "media_url", "originalurl", "original_url", "file_url",
)  # fmt: skip
_IMAGE = ("image", "picture", "src")
_ADDRESS = ("url", "address", "link", "uri")
# Rows that are looked at for the first usable one, before a run begins.
_FIRST_ROWS = 1000
_CAPTIONS = ("caption", "captions", "text", "title", "description", "alt_text", "alt")
_OTHERS = {
    "label": ("label", "class", "class_name", "category"),
    "author": ("author", "creator", "artist", "photographer"),
    "author_url": ("author_url", "creator_url", "authorprofileurl"),
    "licence": ("licence", "license"),
    "licence_url": ("licence_url", "license_url"),
    "attribution": ("attribution", "credit_line"),
    "page": (
        "page", "page_url", "source_url", "landing_url", "foreign_landing_url",
        "originallandingurl",
    ),
}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Columns:
    """The names of columns in any case; what is empty is found by the names that lists use."""

    picture: str = ""
    captions: tuple[str, ...] = ()
    label: str = ""
    author: str = ""
    author_url: str = ""
    licence: str = ""
    licence_url: str = ""
    attribution: str = ""
    page: str = ""

    def first(self, row: Row, meaning: str) -> str:
        """The first text of `row` under the column that means `meaning`, or ""."""
        stated = getattr(self, meaning)
        names = (stated.strip().casefold(),) if stated else _OTHERS[meaning]
        return next((text for name in names for text in row.get(name, ()) if text.strip()), "")

    def addresses(self, row: Row) -> tuple[str, str]:
        """(the picture's address, that of its page) in `row`; the first is "" when there is none,
        the second is the first where no other is told."""
        page = link_of(self.first(row, "page"))
        if self.picture:
            picture = link_of(self.first(row, "picture"))
            return picture, page or picture
        picture, other = _link_in(row, (*_PICTURE, *_IMAGE)), _link_in(row, _ADDRESS)
        if not picture and not _has_empty_picture(row):
            picture = other
        return picture, page or other or picture

    def all_captions(self, row: Row) -> Iterator[tuple[str, str]]:
        """Captions and the columns where they stand, best first."""
        for name in self.captions or _CAPTIONS:
            for text in row.get(name.strip().casefold(), ()):
                yield text, f"list {name}"

    def licence_in(self, row: Row, name: str, url: str) -> Licence:
        """The licence that `row` states by name or address, else that of `name` and `url`."""
        stated, address = self.first(row, "licence"), self.first(row, "licence_url")
        if is_address(stated):
            stated, address = "", address or stated
        return licence_of(stated, address) if stated or address else licence_of(name, url)

    def missing(self, row: Row) -> str:
        """The first column that was named and that `row` does not have, or ""."""
        stated = [getattr(self, name.name) for name in fields(self) if name.name != "captions"]
        names = [name for name in (*stated, *self.captions) if name]
        return next((name for name in names if name.strip().casefold() not in row), "")

    def has_picture(self, row: Row) -> bool:
        """Whether `row` has a column that may hold the picture's address."""
        return bool(self.picture) or any(name in row for name in (*_PICTURE, *_IMAGE, *_ADDRESS))


def _link_in(row: Row, names: tuple[str, ...]) -> str:
    """The first web address in the columns `names`, or ""."""
    links = (link_of(text) for name in names for text in row.get(name, ()))
    return next((link for link in links if link), "")


def _has_empty_picture(row: Row) -> bool:
    """Whether a column of pictures says nothing; one of files' names is none of these."""
    return any(name in row for name in _PICTURE) or any(
        row.get(name) and not any(text.strip() for text in row[name]) for name in _IMAGE
    )


@dataclass(frozen=True, kw_only=True)
class AddressListSpec(SourceSpec):
    """Where the list lies, and what its columns mean. `label` holds for all rows, `author` and
    `licence` for those that state none of their own."""

    path: str = ""
    columns: Columns = field(default_factory=Columns)

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.path:
            raise ConfigError(f"source {self.name} has no list; give path = FILE or --from FILE")
        if self.queries:
            raise ConfigError(f"source {self.name} is a list and takes no queries; leave them out")

    def hosts(self) -> tuple[str, ...]:
        """The host of the first usable row, for all; () when there is none or no reading it."""
        try:
            path = _lists(Path(self.path))[0]
            if not path.is_file():  # a pipe is read once
                return ()
            with closing(file_rows(path, BadRows())) as rows:
                links = (self.columns.addresses(row)[0] for row in islice(rows, _FIRST_ROWS))
                first = next((link for link in links if link), "")
        except (ConfigError, DataError, OSError):
            return ()
        return (host_of(first),) if first else ()


class AddressList(Source[AddressListSpec]):
    """Yields a row after the other; rows without an address are counted, never fatal."""

    def items(self, client: PoliteClient) -> Iterator[ScrapedItem]:
        """Every row with an address. A file that cannot be read does not keep the others from it;
        the first such error is raised at the end (ConfigError, DataError)."""
        failure: ConfigError | DataError | None = None
        for path in _lists(Path(self.spec.path)):
            try:
                yield from self._items_in(path)
            except (ConfigError, DataError) as error:
                if failure is None:
                    failure = error
                else:
                    self.warn(str(error))
        if failure is not None:
            raise failure

    def _items_in(self, path: Path) -> Iterator[ScrapedItem]:
        bad, found, columns = BadRows(), 0, self.spec.columns
        is_table = row_kind(path.name) in ("csv", "tsv", "parquet")
        for number, row in enumerate(file_rows(path, bad)):
            if is_table and number == 0:
                self._check_columns(path, row)
            address, page = columns.addresses(row)
            if address:
                found += 1
                yield self._item(row, address, page)
            else:
                bad.add("a row has no web address", " ".join(t for v in row.values() for t in v))
        if bad.count and not found:
            raise DataError(
                f"{path} has no address in {bad.count} rows ({bad.example}); "
                "name its column: columns.picture"
            )
        if bad.count:
            self.warn(f"{path} has {bad.count} unusable rows; {bad.example}")

    def _check_columns(self, path: Path, row: Row) -> None:
        name = self.spec.columns.missing(row)
        if name:
            raise ConfigError(f"{path} has no column {name!r}; it has: {', '.join(row)}")
        if not self.spec.columns.has_picture(row):
            raise DataError(
                f"{path} has no column of picture addresses; it has: {', '.join(row)[:500]}; "
                "name its column: columns.picture"
            )

    def _item(self, row: Row, address: str, page: str) -> ScrapedItem:
        spec, columns = self.spec, self.spec.columns
        licence = columns.licence_in(row, spec.licence, spec.licence_url)
        return ScrapedItem(
            picture_url=address,
            page_url=page,
            source=spec.name,
            captions=captions_of(columns.all_captions(row)),
            label=spec.label or clean_text(columns.first(row, "label"), LONGEST_NAME),
            author=clean_text(columns.first(row, "author"), LONGEST_NAME) or spec.author,
            author_url=link_of(columns.first(row, "author_url")),
            licence=licence.id,
            licence_url=licence.url,
            attribution=clean_text(columns.first(row, "attribution")),
        )


def _lists(path: Path) -> list[Path]:
    """The file itself, or the lists that lie in a folder, by name."""
    if not path.is_dir():
        return [path]
    found = sorted(
        p for p in path.iterdir() if p.is_file() and p.name[0] != "." and row_kind(p.name)
    )
    if not found:
        raise ConfigError(f"no txt, csv, tsv, jsonl or parquet file in {path}; check the path")
    return found


KIND = Kind(
    "addresses",
    AddressListSpec,
    AddressList,
    "a list of picture addresses with captions: txt, csv, tsv, jsonl, parquet",
    EXAMPLE,
    needs="a list; pyarrow for parquet",
    ask="python -m scrape run addresses --from list.csv --label bird --limit 1000",
)
