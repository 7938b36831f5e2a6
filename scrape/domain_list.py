"""Domains from a list: a text file or a table of ranks and domains, gzipped or not, read as it
streams; and what a domain is called."""

import gzip
import io
import re
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from dataset.errors import ConfigError, DataError, DisallowedError
from scrape.addresses import canonical_address, host_of, readable_host

_GZIP = b"\x1f\x8b"
_COLUMNS = frozenset({"domain", "host", "hostname", "site", "website", "url"})
_HOST = re.compile(r"\[[0-9a-f:.]+\](:\d+)?|[a-z0-9_-]+(\.[a-z0-9_-]+)*(:\d+)?")
_NUMBER = re.compile(r"\d+(\.\d+)*|\d+(\.\d+){3}:\d+")
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
# Second-level labels under which names are given out in many countries, as in `example.co.uk`.
_SUFFIX_LABELS = frozenset({"ac", "co", "com", "edu", "go", "gov", "ne", "net", "or", "org"})


def domain_of(written: str) -> str:
    """The host, with its port if any, that a line of a list means: `Bücher.Example` and
    `https://bücher.example/page` are `xn--bcher-kva.example`.

    Raises DisallowedError (scheme, bad-address) for what names no host of the web.
    """
    written = written.strip()
    address = written if _SCHEME.match(written) else f"http://{written.lstrip('/')}"
    host = host_of(canonical_address(address))
    name = host.rpartition(":")[0] or host
    is_name = "." in name or host.startswith("[") or name == "localhost"
    if not is_name or not _HOST.fullmatch(host) or "@" in address.partition("://")[2]:
        raise DisallowedError("bad-address", f"{written[:80]!r} is no domain")
    return host


def written_domains(path: Path) -> Iterator[str]:
    """What stands in the file for each domain, unchecked: the column that a header names, else
    the first cell of a line that is no number. Empty lines and those after # fall.

    Raises ConfigError when there is no such file, DataError when it is a damaged archive.
    """
    try:
        with (
            path.open("rb") as file,
            _unpacked(file) as unpacked,
            io.TextIOWrapper(unpacked, "utf-8-sig", errors="replace") as lines,
        ):
            yield from _cells(lines)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise DataError(f"{path} is a damaged gzip file: {error}; fetch it again") from error
    except OSError as error:
        raise ConfigError(f"cannot read the domains in {path}: {error.strerror or error}") from None


def name_of(domain: str) -> str:
    """The domain without `www.`, port and suffix, as a person reads it; "" for a number."""
    if domain.startswith("[") or _NUMBER.fullmatch(domain):
        return ""
    labels = readable_host(domain.partition(":")[0].removeprefix("www.")).split(".")
    if len(labels) > 2 and len(labels[-1]) == 2 and labels[-2] in _SUFFIX_LABELS:
        del labels[-1]
    return ".".join(labels[:-1]) or labels[0]


def _unpacked(file: IO[bytes]) -> IO[bytes] | gzip.GzipFile:
    start = file.read(2)
    file.seek(0)
    return gzip.GzipFile(fileobj=file) if start == _GZIP else file


def _cells(lines: Iterator[str]) -> Iterator[str]:
    column, is_first = -1, True
    for line in lines:
        line = line.strip()
        if not line or line.startswith("#"):
            continue
        mark = next((mark for mark in "\t;," if mark in line), "\n")
        cells = [cell.strip().strip('"') for cell in line.split(mark)]
        if is_first:
            is_first = False
            names = [cell.casefold() for cell in cells]
            column = next((names.index(name) for name in names if name in _COLUMNS), -1)
            if column >= 0:
                continue
        if column >= 0:
            yield cells[column] if column < len(cells) else ""
        else:
            yield next((cell for cell in cells if not cell.isdigit()), "")
