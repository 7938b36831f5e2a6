"""Rows of a list as they stream: txt, csv, tsv, jsonl (each gzipped or not) and parquet.

A row maps its columns' names, in lower case, to the texts that stand there. A row that cannot be
read or is no UTF-8 costs itself alone; a file of which no row is UTF-8 is refused as a whole.
"""

import csv
import gzip
import io
import json
import math
import re
import zlib
from collections import deque
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from dataset.errors import ConfigError, DataError

Row = dict[str, tuple[str, ...]]

LONGEST_LINE = 1_000_000  # characters
# Lines that one quoted row may have; a quote that is never closed must not take the file with it.
_MOST_LINES = 200
_TEXT_KINDS = {
    "txt": "txt",
    "csv": "csv",
    "tsv": "tsv",
    "tab": "tsv",
    "jsonl": "jsonl",
    "ndjson": "jsonl",
}
_PARQUET_ROWS = 1000
# Bytes that are no UTF-8, as surrogateescape (PEP 383) shows them; after so many rows of them and
# none without, the file is in another encoding.
_NO_UTF8 = re.compile("[\udc80-\udcff]")
_MOST_UNDECODED = 100


@dataclass
class BadRows:
    """How many rows of a file could not be used, and what was wrong with the first."""

    count: int = 0
    example: str = ""

    def add(self, what: str, row: object = "") -> None:
        self.count += 1
        shown = " ".join(str(row)[:80].split())
        self.example = self.example or (f"{what}: {shown!r}" if shown else what)


def row_kind(name: str) -> str:
    """The kind of list that a file's name stands for (txt, csv, tsv, jsonl, parquet), or ""."""
    lower = name.lower()
    if lower.endswith(".parquet"):
        return "parquet"
    stem, dot, suffix = lower.removesuffix(".gz").rpartition(".")
    return _TEXT_KINDS.get(suffix, "") if dot and stem else ""


def file_rows(path: Path, bad: BadRows) -> Generator[Row, None, None]:
    """The rows of the list at `path`; `bad` counts those that cannot be read.

    Raises ConfigError when it cannot be opened, is no kind of list, or parquet is not installed;
    DataError when it is damaged or no UTF-8.
    """
    kind = row_kind(path.name)
    if not kind:
        raise ConfigError(f"{path} is no list; give a txt, csv, tsv, jsonl or parquet file")
    try:
        if kind == "parquet":
            yield from _parquet_rows(path, bad)
        else:
            with path.open("rb") as file:
                yield from text_rows(file, kind, str(path), bad)
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror or error}") from None


def text_rows(file: IO[bytes], kind: str, origin: str, bad: BadRows) -> Iterator[Row]:
    """The rows of an open list of a kind other than parquet; raises DataError naming `origin`."""
    with _text_of(file, origin) as text:
        lines, encoding = _lines(text, bad), _Encoding(origin, bad)
        if kind == "txt":
            yield from _written_rows(filter(encoding.is_right, lines))
        elif kind == "jsonl":
            yield from _json_rows(filter(encoding.is_right, lines), bad)
        else:
            yield from _table_rows(lines, "\t" if kind == "tsv" else ",", bad, encoding)
        encoding.check()


class _Encoding:
    """Tells the rows that are UTF-8, and gives up on a file of which none is."""

    def __init__(self, origin: str, bad: BadRows) -> None:
        self._origin, self._bad = origin, bad
        self._right = self._wrong = 0

    def is_right(self, row: str) -> bool:
        if row.isascii() or not _NO_UTF8.search(row):
            self._right += bool(row.strip())
            return True
        self._bad.add("a row is not UTF-8", row)
        self._wrong += 1
        if self._wrong >= _MOST_UNDECODED:
            self.check()
        return False

    def check(self) -> None:
        if self._wrong and not self._right:
            raise DataError(f"{self._origin} is not UTF-8; save it as UTF-8")


def is_address(text: str) -> bool:
    return text.strip()[:8].lower().startswith(("http://", "https://"))


@contextmanager
def _text_of(file: IO[bytes], origin: str) -> Iterator[io.TextIOWrapper]:
    """The characters of a file that is UTF-8, with or without a mark (BOM), gzipped or not."""
    try:
        with io.BufferedReader(file) as packed:  # type: ignore[type-var]  # any stream that reads
            is_gzip = packed.peek(2)[:2] == b"\x1f\x8b"
            plain = io.BufferedReader(gzip.GzipFile(fileobj=packed)) if is_gzip else packed
            start = plain.peek(4096)[:4096]
            if start.startswith((b"\xff\xfe", b"\xfe\xff")) or b"\0" in start:
                raise DataError(f"{origin} is UTF-16 or no text at all; save it as UTF-8")
            with io.TextIOWrapper(plain, "utf-8-sig", "surrogateescape", newline="") as text:
                yield text
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise DataError(f"{origin} is a damaged gzip file: {error}; fetch it again") from error


def _lines(text: io.TextIOWrapper, bad: BadRows) -> Iterator[str]:
    """Lines with their ends; one that is too long is dropped."""
    while line := text.readline(LONGEST_LINE):
        if len(line) < LONGEST_LINE or line[-1] in "\r\n":
            yield line
            continue
        bad.add("a line is too long", line)
        while (rest := text.readline(LONGEST_LINE)) and rest[-1] not in "\r\n":
            pass


def _written_rows(lines: Iterable[str]) -> Iterator[Row]:
    for line in lines:
        address, _, caption = line.strip().partition("\t")
        if address and not address.startswith("#"):
            yield {"url": (address.strip(),), "caption": (caption.strip(),)}


def _json_rows(lines: Iterable[str], bad: BadRows) -> Iterator[Row]:
    for line in lines:
        if not line.strip():
            continue
        try:
            found = json.loads(line)
        except (ValueError, RecursionError):
            found = None
        if isinstance(found, dict):
            yield _row(found, map(_texts, found.values()))
        else:
            bad.add("a line is no JSON object", line)


def _table_rows(
    lines: Iterator[str], delimiter: str, bad: BadRows, encoding: _Encoding
) -> Iterator[Row]:
    """Rows of a table (RFC 4180). Where the first one holds an address there is no header: the
    columns are named 1, 2, ... as well as url (that address) and caption (the next other one)."""
    table = _Table(lines, delimiter)
    names: list[str] | None = None
    for cells in table.records(bad):
        if names is None:
            if not any(is_address(cell) for cell in cells):
                names = [_name(cell) for cell in cells]
                continue
            names = _names_without_header(cells)
        if not encoding.is_right(delimiter.join(cells)):
            continue
        if any(cells[len(names) :]):
            bad.add(f"a row has over {len(names)} cells", delimiter.join(cells))
        else:
            missing = [""] * (len(names) - len(cells))
            yield _row(names, ((cell,) for cell in (*cells[: len(names)], *missing)))


def _names_without_header(cells: Sequence[str]) -> list[str]:
    names = [str(number) for number in range(1, len(cells) + 1)]
    picture = next(place for place, cell in enumerate(cells) if is_address(cell))
    names[picture] = "url"
    others = [place for place in range(len(cells)) if place != picture]
    if others:
        names[others[0]] = "caption"
    return names


class _Table:
    """Cuts lines into records of cells; takes lines back that a broken record swallowed."""

    def __init__(self, lines: Iterator[str], delimiter: str) -> None:
        self._lines, self._delimiter = lines, delimiter
        self._again: deque[str] = deque()

    def records(self, bad: BadRows) -> Iterator[list[str]]:
        """Every record that is not empty."""
        is_first = True
        taken: list[str] = []
        while True:
            taken.clear()
            feed = self._feed(taken, is_first)
            try:
                # The feed is begun here, so that the header can name the delimiter.
                first = next(feed)
                cells = next(
                    csv.reader(_after(first, feed), delimiter=self._delimiter, strict=True)
                )
            except StopIteration:
                return
            except csv.Error as error:
                self._again.extendleft(reversed(taken[1:]))
                plain = self._unquoted(taken[0])
                if plain is None:
                    bad.add(f"a row is broken ({error})", taken[0])
                    continue
                cells = plain
            is_first = False
            if any(cell.strip() for cell in cells):
                yield cells

    def _feed(self, taken: list[str], is_first: bool) -> Iterator[str]:
        size = 0
        while len(taken) < _MOST_LINES and size < LONGEST_LINE:
            line = self._again.popleft() if self._again else next(self._lines, None)
            if line is None:
                return
            if is_first and not taken:
                self._delimiter = _delimiter_of(line, self._delimiter)
            taken.append(line)
            size += len(line)
            yield line

    def _unquoted(self, line: str) -> list[str] | None:
        """Tabs need no quotes: a quote that breaks a row of them was meant as a quote."""
        return line.rstrip("\r\n").split("\t") if self._delimiter == "\t" else None


def _after(first: str, rest: Iterator[str]) -> Iterator[str]:
    yield first
    yield from rest


def _delimiter_of(line: str, expected: str) -> str:
    """The mark between the cells of a header: some programs write csv with semicolons."""
    return next((mark for mark in (expected, ";", "\t") if mark in line), expected)


def _parquet_rows(path: Path, bad: BadRows) -> Iterator[Row]:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        raise ConfigError(
            f"{path} needs pyarrow to be read; install it: pip install -e '.[parquet]'"
        ) from None
    try:
        with (
            path.open("rb") as opened,
            pyarrow.parquet.ParquetFile(opened, pre_buffer=False) as file,
        ):
            names = [field.name for field in file.schema_arrow if _holds_text(field.type)]
            batches = file.iter_batches(_PARQUET_ROWS, columns=names, use_threads=False)
            for batch in batches:
                yield from _batch_rows(batch, bad)
    except (pyarrow.ArrowException, OSError, UnicodeDecodeError) as error:
        if isinstance(error, OSError) and error.errno is not None:  # the disk's, not the file's
            raise
        why = str(error).splitlines()[0] if str(error) else "unknown reason"
        raise DataError(f"{path} is no readable parquet file: {why}; fetch it again") from error


def _batch_rows(batch: Any, bad: BadRows) -> Iterator[Row]:
    names = batch.schema.names
    for number in range(batch.num_rows):
        try:
            values = [column[number].as_py() for column in batch.columns]
        except UnicodeDecodeError:
            bad.add("a row is not UTF-8")
            continue
        yield _row(names, map(_texts, values))


def _holds_text(kind: Any) -> bool:
    """Whether a column may hold words or numbers; pictures' bytes are never read."""
    from pyarrow import types

    if types.is_list(kind) or types.is_large_list(kind) or types.is_dictionary(kind):
        return _holds_text(kind.value_type)
    tests = (types.is_string, types.is_large_string, types.is_integer, types.is_floating)
    return any(test(kind) for test in tests)


def _row(names: Iterable[str], texts: Iterable[tuple[str, ...]]) -> Row:
    """The texts by name; columns of one name are taken together."""
    row: Row = {}
    for written, found in zip(names, texts, strict=True):
        name = _name(written)
        row[name] = row[name] + found if name in row else found
    return row


def _name(written: str) -> str:
    return _NO_UTF8.sub("\ufffd", written).strip().casefold()


def _texts(value: Any) -> tuple[str, ...]:
    """What a value says in words: a text, a finite number, or a list of texts. None is an empty
    text; all else says nothing."""
    if value is None:
        return ("",)
    if isinstance(value, str):
        return (value,)
    if isinstance(value, int):
        return () if isinstance(value, bool) else (str(value),)
    if isinstance(value, float):
        return (str(value),) if math.isfinite(value) else ()
    if isinstance(value, list):
        return tuple(entry for entry in value if isinstance(entry, str))
    return ()
