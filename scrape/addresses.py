"""The canonical form of a web address (RFC 3986, 6.2): equal addresses are equal text."""

import re
from urllib.parse import SplitResult, urljoin, urlsplit

import idna

from dataset.errors import DisallowedError

_DEFAULT_PORTS = {"http": 80, "https": 443}
_LONGEST = 4000
_UNRESERVED = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
_KEPT_IN_PATH = _UNRESERVED | frozenset(b"!$&'()*+,;=:@/")
_KEPT_IN_USER = _KEPT_IN_PATH - frozenset(b"@/")
_KEPT_IN_QUERY = _KEPT_IN_PATH | frozenset(b"?")
_NOT_IN_AUTHORITY = re.compile(r"[\s\\<>\"^`{|}\x00-\x1f]")
_ESCAPE = re.compile(rb"%([0-9A-Fa-f]{2})")


def canonical_address(address: str, page: str = "") -> str:
    """`address`, taken relative to `page`, in the one form under which the ledger knows it.

    Scheme and host in lower case (host in ASCII), no default port, no fragment, no dot segments,
    percent-escapes only where needed and in upper case. User names are kept for the guard to see.
    Raises DisallowedError with reason scheme or bad-address.
    """
    parts, host, port = _split(address, page)
    authority = f"[{host}]" if ":" in host else host
    if port is not None and port != _DEFAULT_PORTS[parts.scheme]:
        authority = f"{authority}:{port}"
    user, at, _ = parts.netloc.rpartition("@")
    user = _escaped(user, _KEPT_IN_USER)
    path = _without_dots(_escaped(parts.path, _KEPT_IN_PATH)) or "/"
    query = _escaped(parts.query, _KEPT_IN_QUERY)
    canonical = f"{parts.scheme}://{user}{at}{authority}{path}" + (f"?{query}" if query else "")
    if len(canonical) > _LONGEST:  # escapes are longer than what they stand for
        raise DisallowedError("bad-address", f"{address[:80]!r} is too long")
    return canonical


def host_of(address: str) -> str:
    """Host and port of a canonical address, such as `example.org` or `127.0.0.1:8765`."""
    return urlsplit(address).netloc.rpartition("@")[2]


def origin_of(address: str) -> str:
    """Scheme, host and port of a canonical address, as in `https://example.org`."""
    return f"{urlsplit(address).scheme}://{host_of(address)}"


def readable_host(host: str) -> str:
    """A host's name as its owner writes it: `xn--bcher-kva.example` is `bücher.example`.

    A label that decodes to no valid one (RFC 5891, 4.2) stays as it is.
    """
    return ".".join(_readable_label(label) for label in host.split("."))


def _readable_label(label: str) -> str:
    try:
        return idna.ulabel(label) if label.startswith("xn--") else label
    except UnicodeError:
        return label


def _ascii_host(host: str) -> str:
    """The name that is looked up: mapped by UTS 46, valid by IDNA 2008 (RFC 5891), so that
    `faß.de` is not `fass.de`. Raises UnicodeError for what no registry gives out."""
    return idna.encode(host, uts46=True).decode("ascii").rstrip(".")


def _split(address: str, page: str) -> tuple[SplitResult, str, int | None]:
    try:
        joined = urljoin(page, address.strip()) if page else address.strip()
        parts = urlsplit(joined)
        if parts.scheme not in _DEFAULT_PORTS:
            raise DisallowedError("scheme", f"{address[:80]!r} is neither http nor https")
        host = (parts.hostname or "").rstrip(".")
        if not host.isascii():
            host = _ascii_host(host)
        if not host or len(joined) > _LONGEST or _NOT_IN_AUTHORITY.search(parts.netloc):
            raise ValueError("no usable host, or too long")
        return parts, host, parts.port
    except (ValueError, UnicodeError) as error:
        raise DisallowedError(
            "bad-address", f"{address[:80]!r} is no web address: {error}"
        ) from None


def _escaped(text: str, kept: frozenset[int]) -> str:
    """Undo escapes of unreserved bytes (RFC 3986, 2.3), escape all that is not in `kept`."""
    raw = text.encode("utf-8", "surrogatepass")
    written: list[str] = []
    position = 0
    while position < len(raw):
        byte = raw[position]
        escape = _ESCAPE.match(raw, position)
        if escape:
            value = int(escape[1], 16)
            written.append(chr(value) if value in _UNRESERVED else f"%{value:02X}")
            position += 3
            continue
        written.append(chr(byte) if byte in kept else f"%{byte:02X}")
        position += 1
    return "".join(written)


def _without_dots(path: str) -> str:
    """Remove `.` and `..` segments (RFC 3986, 5.2.4)."""
    kept: list[str] = []
    segments = path.split("/")
    for segment in segments:
        if segment == "..":
            if len(kept) > 1:
                kept.pop()
        elif segment != ".":
            kept.append(segment)
    if segments[-1] in (".", "..") and kept[-1:] != [""]:
        kept.append("")
    return "/".join(kept)
