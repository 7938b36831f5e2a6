"""The catalogue of hostile and broken answers: each with the ledger's state and reason for it."""

import gzip
import zlib
from dataclasses import dataclass, field
from email.utils import formatdate

from dataset.records import AddressState
from tests.scrape import hostile_pictures as drawn
from tests.scrape.drawings import picture
from tests.scrape.loopback import Answer, Script, redirect

MAX_BYTES = 2_000_000
# The wall clock of the crawl (seconds since 1970).
WALL = 1_700_000_000.0
PNG = {"Content-Type": "image/png"}
# Names that a resolver of the test knows.
NOWHERE, FORGOTTEN, REBOUND = "nowhere.example", "forgotten.example", "rebound.example"
ROBOTS = b"User-agent: *\nDisallow: /private/\n"


@dataclass(frozen=True)
class Hostile:
    """One case. `host` is the last number of its site, 127.0.0.N: what harms a whole host has one
    of its own. `written` is how the page spells the address ({site} is its site); `robots` is that
    site's robots.txt; `also` are further routes that it needs."""

    name: str
    answer: Script
    state: AddressState
    reason: str
    host: int = 1
    written: str = ""
    robots: Answer | None = None
    also: dict[str, Script] = field(default_factory=dict)

    @property
    def path(self) -> str:
        return f"/{self.name}"


def fetched(name: str, body: bytes, headers: dict[str, str] | None = None) -> Hostile:
    return Hostile(name, Answer(body, headers=PNG if headers is None else headers), "fetched", "ok")


def rejected(name: str, reason: str, body: bytes, headers: dict[str, str] | None = None) -> Hostile:
    answer = Answer(body, headers=PNG if headers is None else headers)
    return Hostile(name, answer, "rejected", reason)


def leading_to(name: str, reason: str, address: str) -> Hostile:
    """A redirect that must not be followed."""
    return Hostile(name, redirect(address), "refused", reason)


def saying(name: str, status: int, state: AddressState, reason: str) -> Hostile:
    body = b"" if status in (204, 304) else picture(1000 + status)
    return Hostile(name, Answer(body, status), state, reason)


def tagged(name: str, state: AddressState, header: str, value: str, number: int) -> Hostile:
    """A picture with an opt-out header, or with one that is meant for others."""
    reason = "ok" if state == "fetched" else "opt-out"
    return Hostile(name, Answer(picture(number), headers={header: value}), state, reason)


def raw(name: str, sent: bytes, state: AddressState, reason: str, host: int = 1) -> Hostile:
    return Hostile(name, Answer(raw=sent), state, reason, host)


def packed(name: str, encoding: str, body: bytes, state: AddressState, reason: str) -> Hostile:
    return Hostile(name, Answer(body, headers={"Content-Encoding": encoding}), state, reason)


def cut(name: str, format: str, number: int) -> Hostile:
    whole = picture(number, side=200, format=format)
    return rejected(name, "truncated", whole[: len(whole) // 2])


_OK = b"HTTP/1.1 200 OK\r\n"
_CHUNKED = _OK + b"Transfer-Encoding: chunked\r\n\r\n"
_LATER = formatdate(WALL + 60, usegmt=True)
_TWICE = gzip.compress(gzip.compress(picture(48)))
_HTML = b"<!DOCTYPE html><html><body>Sorry, hot-linking is not allowed"
_BIG = bytes(MAX_BYTES + 1)
_SVG = b'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 64 64" %s>%s</svg>'
_DOT = b'<circle cx="32" cy="32" r="30" fill="red"/>'
_LAUGHS = (
    b'<?xml version="1.0"?><!DOCTYPE svg [<!ENTITY a "ha">'
    + b"".join(b'<!ENTITY %c "%s">' % (98 + n, b"&%c;" % (97 + n) * 10) for n in range(9))
    + b']><svg xmlns="http://www.w3.org/2000/svg"><text>&j;</text></svg>'
)

SOMETHING_ELSE = [
    rejected("html", "html", _HTML),
    rejected("html-upper-case", "html", b"<HTML><HEAD><TITLE>404"),
    rejected("html-with-bom", "html", b"\xef\xbb\xbf" + _HTML),
    rejected("html-after-space", "html", b"\r\n\t  " + _HTML),
    rejected("html-after-comment", "html", b"<!-- cached --><html>gone"),
    rejected("xhtml", "html", b'<?xml version="1.0"?><!DOCTYPE html><html/>'),
    rejected("error-in-words", "not-an-image", b"Error 500: internal server error"),
    rejected("json", "not-an-image", b'{"error": "rate limited", "code": 429}'),
    rejected("empty", "empty", b""),
    rejected("one-byte", "not-an-image", b"\x89"),
    rejected("zip", "not-an-image", b"PK\x03\x04\x14\0\0\0" + bytes(200)),
    rejected("pdf", "not-an-image", b"%PDF-1.7\n1 0 obj <<>> endobj"),
    rejected(
        "mp4", "not-an-image", b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom\0\0\0\x28mdat" + bytes(32)
    ),
    rejected("wasm", "not-an-image", b"\0asm\x01\0\0\0" + bytes(64)),
    rejected("postscript", "not-an-image", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n"),
    rejected("zeros", "not-an-image", bytes(5000)),
]

BROKEN_PICTURES = [
    cut("half-jpeg", "JPEG", 1),
    cut("half-png", "PNG", 2),
    cut("half-gif", "GIF", 3),
    cut("half-webp", "WEBP", 4),
    cut("half-bmp", "BMP", 5),
    cut("half-avif", "AVIF", 6),
    cut("half-tiff", "TIFF", 7),
    rejected("half-ico", "truncated", drawn.icon(8, "png")[:200]),
    rejected("icon-directory-cut", "truncated", drawn.icon(9, "png")[:9]),
    rejected("icon-without-entries", "broken", b"\0\0\1\0\0\0"),
    rejected("icon-pointing-outside", "truncated", drawn.icon_pointing_outside(10)),
    rejected("png-wrong-crc-of-header", "not-an-image", drawn.with_bad_crc(11, b"IHDR")),
    rejected("png-junk-in-pixels", "broken", picture(12).replace(b"IDAT", b"IDAT????", 1)),
    rejected("png-text-bomb", "broken", drawn.with_text_bomb(13)),
    rejected("png-profile-bomb", "broken", drawn.with_profile_bomb(14)),
    rejected("png-of-50000-by-50000", "too-many-pixels", drawn.claiming(50_000, 50_000)),
    rejected("png-of-no-size", "not-an-image", drawn.claiming(0, 0)),
    rejected("png-of-one-pixel", "too-small", drawn.claiming(1, 1)),
    rejected("png-long-as-a-snake", "odd-aspect", drawn.claiming(2000, 20)),
    rejected("gif-of-10000-frames", "too-many-frames", drawn.long_film(10_000)),
    rejected("svg-external-picture", "svg-external",
             _SVG % (b"", b'<image href="http://127.0.0.1/x.png"/>')),
    rejected("svg-entity-bomb", "svg-external", _LAUGHS),
    rejected("svg-external-entity", "svg-external",
             b'<!DOCTYPE svg [<!ENTITY x SYSTEM "file:///etc/passwd">]><svg>&x;</svg>'),
    rejected("svg-unclosed", "truncated", b'<svg xmlns="http://www.w3.org/2000/svg"><g>'),
]  # fmt: skip

GOOD_PICTURES = [
    fetched("called-html", picture(20), {"Content-Type": "text/html"}),
    fetched("called-nothing", picture(21), {}),
    fetched("called-nonsense", picture(22), {"Content-Type": "\u00fc;;/=,"}),
    fetched("jpeg-with-broken-exif", drawn.with_exif(23, b"Exif\0\0MM\0*\xff\xff\xff\xffjunk")),
    fetched("png-of-16-bits-with-alpha", drawn.sixteen_bits(24)),
    fetched("jpeg-in-cmyk", drawn.saved(drawn.image(25, "CMYK"), "JPEG")),
    fetched("png-of-grey-and-alpha", drawn.saved(drawn.image(26, "LA"), "PNG")),
    fetched("png-interlaced", drawn.interlaced(27)),
    fetched("png-palette-transparent", drawn.palette_with_transparency(28)),
    fetched("png-wrong-crc-of-pixels", drawn.with_bad_crc(29, b"IDAT")),
    fetched("png-with-zip-behind", picture(30) + b"PK\x03\x04" + bytes(100)),
    fetched("icon-of-png", drawn.icon(31, "png")),
    fetched("icon-of-bmp", drawn.icon(32, "bmp")),
    fetched("svg", _SVG % (b"", _DOT)),
    fetched("svg-script-left-out", _SVG % (b'onload="x()"', b"<script>x()</script>" + _DOT * 2)),
    fetched("twin", picture(33)),
    fetched("twin-by-bytes", picture(33)),
    fetched("twin-by-pixels", drawn.saved(drawn.image(33), "PNG", compress_level=0)),
]  # fmt: skip

TRANSFERS = [
    Hostile("declared-longer", Answer(picture(40), missing=50), "failed", "cut-short"),
    Hostile("declared-shorter", Answer(picture(41), declared=100), "rejected", "truncated"),
    Hostile("with-a-surplus", Answer(picture(42) + _OK + b"Content-Length: 3\r\n\r\nbad",
                                     declared=len(picture(42))), "fetched", "ok"),
    Hostile("chunks-cut", Answer(picture(43), chunked=True, missing=1), "failed", "cut-short"),
    raw("chunk-of-nonsense", _CHUNKED + b"zz\r\n", "failed", "cut-short"),
    raw("chunk-of-huge-size", _CHUNKED + b"FFFFFFFFFFFF\r\nx", "failed", "cut-short"),
    Hostile("reset-in-body", Answer(picture(44), reset_after=100), "retry", "connection", 3),
    fetched("gzip", gzip.compress(picture(45)), {"Content-Encoding": "gzip"}),
    packed("gzip-bomb", "gzip", gzip.compress(bytes(20_000_000)), "rejected", "too-many-bytes"),
    packed("gzip-of-plain-text", "gzip", b"plain", "failed", "bad-encoding"),
    packed("deflate-of-garbage", "deflate", b"\x78\x9c" + bytes(99), "failed", "bad-encoding"),
    fetched("deflate", zlib.compress(picture(46)), {"Content-Encoding": "deflate"}),
    packed("brotli", "br", picture(47), "failed", "bad-encoding"),
    packed("zstd", "zstd", picture(47), "failed", "bad-encoding"),
    packed("gzip-twice", "gzip, gzip", _TWICE, "failed", "bad-encoding"),
    packed("gzip-twice-declared-once", "gzip", _TWICE, "rejected", "not-an-image"),
    rejected("too-large", "too-many-bytes", _BIG),
    Hostile("too-large-undeclared", Answer(_BIG, lengthless=True), "rejected", "too-many-bytes"),
    Hostile("too-large-in-chunks", Answer(_BIG, chunked=True), "rejected", "too-many-bytes"),
    raw("two-lengths", _OK + b"Content-Length: 5\r\nContent-Length: 9\r\n\r\n123456789",
        "retry", "connection", 4),
    raw("length-of-nonsense", _OK + b"Content-Length: many\r\n\r\n" + picture(49), "fetched", "ok"),
]  # fmt: skip

CONNECTIONS = [
    Hostile("reset", Answer(reset=True), "retry", "connection", 3),
    raw("closed-without-an-answer", b"", "retry", "connection", 3),
    raw("status-line-of-garbage", b"\x16\x03\x01garbage\r\n\r\n", "retry", "connection", 4),
    raw("status-of-words", b"HTTP/1.1 OK 200\r\n\r\n", "retry", "connection", 4),
    raw("http-0.9", picture(50), "retry", "connection", 4),
    raw("head-too-large", _OK + b"X: " + b"x" * 70_000 + b"\r\n\r\n", "retry", "connection", 5),
    raw("head-of-too-many-lines", _OK + b"X: y\r\n" * 300 + b"\r\n", "retry", "connection", 5),
    raw("head-with-nul", _OK + b"X-A: a\0b\r\nContent-Length: 5\r\n\r\nhello", "rejected",
        "not-an-image"),
    raw("early-hints", b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + _OK
        + b"Content-Length: %d\r\n\r\n%s" % (len(picture(51)), picture(51)), "failed", "http-103"),
    Hostile("silent", Answer(delay_s=8.0), "retry", "timeout", 6),
    Hostile("dripping-body", Answer(bytes(5000), drip_s=0.02), "retry", "too-slow", 7),
    Hostile("dripping-head", Answer(drip_head_s=0.05), "retry", "too-slow", 8),
    Hostile("tls-garbage", Answer(picture(52)), "retry", "robots-unreachable", 9,
            written="https://127.0.0.9:{port}/tls-garbage"),
    Hostile("name-not-found", redirect(f"http://{NOWHERE}/x"), "retry", "robots-unreachable"),
    Hostile("name-forgotten", Answer(), "retry", "dns", 10,
            written=f"http://{FORGOTTEN}:{{port}}/name-forgotten"),
    Hostile("name-rebound", Answer(), "refused", "private-address", 11,
            written=f"http://{REBOUND}:{{port}}/name-rebound"),
]  # fmt: skip

STATUSES = [
    saying("204", 204, "rejected", "empty"),
    saying("206", 206, "failed", "http-206"),
    saying("304-unasked", 304, "failed", "http-304"),
    saying("401", 401, "failed", "http-401"),
    saying("403", 403, "failed", "http-403"),
    saying("404", 404, "failed", "not-found"),
    saying("410", 410, "failed", "not-found"),
    saying("418", 418, "failed", "http-418"),
    saying("451", 451, "failed", "http-451"),
    saying("500", 500, "retry", "http-500"),
    saying("503", 503, "retry", "http-503"),
    saying("999", 999, "retry", "http-999"),
    Hostile("429-in-seconds", Answer(b"", 429, {"Retry-After": "2"}), "retry", "http-429", 12),
    Hostile("429-with-a-date", Answer(b"", 429, {"Retry-After": _LATER}), "retry", "http-429", 13),
    Hostile("429-with-garbage", Answer(b"", 429, {"Retry-After": "soon"}), "retry", "http-429", 14),
    Hostile("429-for-hours", Answer(b"", 429, {"Retry-After": "7200"}), "retry", "http-429", 15),
    Hostile("429-for-ever", Answer(b"", 429, {"Retry-After": "9" * 30}), "retry", "http-429", 16),
]  # fmt: skip

REDIRECTS = [
    Hostile("circle", redirect("/circle"), "failed", "redirect-loop"),
    Hostile("circle-of-two", redirect("/back"), "failed", "redirect-loop",
            also={"/back": redirect("/circle-of-two")}),
    Hostile("too-far", redirect("/too-far/1"), "failed", "too-many-redirects",
            also={f"/too-far/{n}": redirect(f"/too-far/{n + 1}") for n in range(1, 9)}),
    Hostile("nowhere-to-go", Answer(b"moved", 302), "failed", "http-302"),
    Hostile("to-an-empty-place", redirect(""), "failed", "redirect-loop"),
    Hostile("to-what-is-there", redirect("/twin"), "fetched", "ok"),
    leading_to("to-a-file", "scheme", "file:///etc/passwd"),
    leading_to("to-data", "scheme", "data:image/png;base64,iVBORw0KGgo="),
    leading_to("to-a-script", "scheme", "javascript:alert(1)"),
    leading_to("to-ftp", "scheme", "ftp://127.0.0.1/x.png"),
    leading_to("to-gopher", "scheme", "gopher://127.0.0.1:6379/_FLUSHALL"),
    leading_to("to-a-private-network", "private-address", "http://10.0.0.1/x.png"),
    leading_to("to-metadata", "private-address", "http://169.254.169.254/latest/"),
    leading_to("to-a-decimal-number", "private-address", "http://2130706434/x.png"),
    leading_to("to-a-hexadecimal-number", "private-address", "http://0x7f000002/x.png"),
    leading_to("to-an-octal-number", "private-address", "http://0177.0.0.2/x.png"),
    leading_to("to-a-short-number", "private-address", "http://127.2/x.png"),
    leading_to("to-ipv6-of-this-machine", "private-address", "http://[::1]/x.png"),
    leading_to("to-ipv4-in-ipv6", "private-address", "http://[::ffff:169.254.169.254]/x.png"),
    Hostile("to-no-host-at-all", redirect("http:///x.png"), "failed", "not-found"),
    leading_to("to-a-broken-port", "bad-address", "http://127.0.0.1:99999999/x.png"),
    leading_to("to-half-an-ipv6", "bad-address", "http://[::1/x.png"),
    leading_to("with-credentials", "credentials", "http://root:secret@127.0.0.1/x.png"),
    leading_to("to-a-smuggled-header", "private-address", "http://10.0.0.2/%0d%0aHost:%20inside"),
]  # fmt: skip

SPELLINGS = [
    Hostile("with space.png", Answer(), "fetched", "ok", written="{site}/with space.png",
            also={"/with%20space.png": Answer(picture(60))}),
    Hostile("entities", Answer(), "fetched", "ok", written="{site}/entities?a=1&amp;b=2",
            also={"/entities?a=1&b=2": Answer(picture(61))}),
    Hostile("umlaut", Answer(), "fetched", "ok", written="{site}/b\u00fccher.png",
            also={"/b%C3%BCcher.png": Answer(picture(62))}),
    Hostile("idn", Answer(), "retry", "robots-unreachable",
            written="http://b\u00fccher.nowhere.example/"),
    Hostile("straight-to-metadata", Answer(), "refused", "private-address",
            written="http://169.254.169.254/latest/meta-data/"),
    Hostile("straight-with-credentials", Answer(), "refused", "credentials",
            written="http://me:secret@example.org/x.png"),
]  # fmt: skip

NOES = [
    tagged("noai", "refused", "X-Robots-Tag", "noai", 70),
    tagged("noimageai", "refused", "X-Robots-Tag", "all, NoImageAI", 70),
    tagged("noindex", "refused", "X-Robots-Tag", "noindex", 70),
    tagged("noml", "refused", "X-Robots-Tag", "noml", 70),
    tagged("none", "refused", "X-Robots-Tag", "none", 70),
    tagged("no-to-us-by-name", "refused", "X-Robots-Tag", "pedigree: noai", 70),
    tagged("no-to-others", "fetched", "X-Robots-Tag", "otherbot: noai", 71),
    tagged("no-in-the-second-header", "refused", "X-Robots-Tag", "otherbot: noai\nnoindex", 70),
    tagged("yes-in-two-headers", "fetched", "X-Robots-Tag", "otherbot: noai\nall", 72),
    tagged("date-and-no", "refused", "X-Robots-Tag", "max-snippet: 5, noai", 70),
    tagged("tdm-reserved", "refused", "TDM-Reservation", "1", 70),
    tagged("tdm-free", "fetched", "TDM-Reservation", "0", 73),
    Hostile("private/x", Answer(picture(74)), "refused", "robots"),
    Hostile("to-the-closed-part", redirect("/private/x"), "refused", "robots"),
    Hostile("robots-fail", Answer(picture(74)), "retry", "robots-unreachable", 17,
            robots=Answer(b"", 500)),
    Hostile("robots-gone", Answer(picture(75)), "fetched", "ok", 18, robots=Answer(b"", 410)),
    Hostile("robots-of-html", Answer(picture(76)), "fetched", "ok", 19, robots=Answer(_HTML)),
    Hostile("robots-endless", Answer(picture(77)), "fetched", "ok", 20,
            robots=Answer(b"# " + b"x" * 5_000_000)),
]  # fmt: skip

CASES = [
    *SOMETHING_ELSE, *BROKEN_PICTURES, *GOOD_PICTURES, *TRANSFERS, *CONNECTIONS, *STATUSES,
    *REDIRECTS, *SPELLINGS, *NOES,
]  # fmt: skip
