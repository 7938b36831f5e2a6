"""What a home page declares of its site's icons and name: link and meta tags, manifest, tiles."""

import json
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from bs4 import BeautifulSoup, Tag
from bs4.exceptions import ParserRejectedMarkup

from dataset.errors import DisallowedError
from scrape.addresses import canonical_address
from scrape.data_address import LONGEST, is_data_address
from scrape.page import Page
from scrape.response import Response

# Relations of a link that lead to an icon, with the side that it usually has in pixels.
# mask-icon is left out: a silhouette of one colour.
_RELATIONS = {
    "icon": 32,
    "apple-touch-icon": 180,
    "apple-touch-icon-precomposed": 180,
    "fluid-icon": 512,
}
# Names of a meta tag, and of an element of browserconfig.xml, with the side that they promise.
_TILES = {"tileimage": 144, "square70x70logo": 70, "square150x150logo": 150}
_TILES |= {"square310x310logo": 310}
_MOST_DECLARED = 200
_SIDES = re.compile(r"(\d{1,5})\s*[xX×]\s*(\d{1,5})")
_NAMES = (
    ("og:site_name", "meta og:site_name"),
    ("application-name", "meta application-name"),
    ("apple-mobile-web-app-title", "meta apple-mobile-web-app-title"),
)


@dataclass(frozen=True, kw_only=True)
class DeclaredIcon:
    """An icon as a site announces it; none of it is believed before the file was seen.

    `address` is canonical, or a data: address; `side` is the longest one in pixels that is
    promised; `is_plain` is False for one that is drawn to be cut to a mask.
    """

    address: str
    side: int
    is_vector: bool = False
    is_plain: bool = True


def declared_icons(page: Page) -> list[DeclaredIcon]:
    """The icons that link and meta tags declare, in the order of the page, each address once."""
    return _distinct([*_from_links(page), *_from_metas(page)])


def manifest_address(page: Page) -> str:
    """Where the web app manifest lies, or ""."""
    for link in page.soup.find_all("link", href=True):
        if "manifest" in _tokens(link):
            return page.link(str(link["href"]))
    return ""


def browserconfig_address(page: Page) -> str:
    """Where a declared browserconfig.xml lies, or ""."""
    written = _meta(page.soup, "msapplication-config")
    return "" if written.strip().lower() == "none" else page.link(written)


def manifest_icons(answer: Response) -> list[DeclaredIcon]:
    """The icons of a web app manifest (W3C Application Manifest, 1.9 and 2), plain ones first;
    those that are only of one colour fall. A manifest of another shape has none."""
    try:
        manifest = json.loads(answer.body)
    except (ValueError, RecursionError):
        return []
    entries = manifest.get("icons") if isinstance(manifest, dict) else None
    link = _link_from(answer.final_url)
    found = []
    for entry in entries[:_MOST_DECLARED] if isinstance(entries, list) else []:
        purposes = _text(entry, "purpose").lower().split() or ["any"]
        if "any" in purposes or "maskable" in purposes:
            found.append(
                _declared(
                    _resolved(_text(entry, "src"), link),
                    _side(_text(entry, "sizes")) or 192,
                    _text(entry, "type"),
                    is_plain="any" in purposes,
                )
            )
    return sorted(_distinct(found), key=lambda icon: not icon.is_plain)


def browserconfig_icons(answer: Response) -> list[DeclaredIcon]:
    """The square tiles of a browserconfig.xml."""
    try:
        soup = BeautifulSoup(re.sub(rb"<\?xml\b", b"<?", answer.body), "html.parser")
    except ParserRejectedMarkup:
        return []
    link = _link_from(answer.final_url)
    return _distinct(
        _declared(_resolved(str(tile["src"]), link), _TILES[tile.name], "")
        for tile in soup.find_all(list(_TILES), src=True, limit=_MOST_DECLARED)
    )


def page_names(page: Page) -> Iterator[tuple[str, str]]:
    """(text, where it stood) of what the page says its site is called, best first."""
    for name, origin in _NAMES:
        yield _meta(page.soup, name), origin
    title = page.soup.find("title")
    yield title.get_text(" ", strip=True) if title is not None else "", "title"


def _from_links(page: Page) -> Iterator[DeclaredIcon | None]:
    for link in page.soup.find_all("link", href=True, limit=50 * _MOST_DECLARED):
        sides = [_RELATIONS[token] for token in _tokens(link) if token in _RELATIONS]
        if sides and not link.has_attr("mask"):
            side = _side(str(link.get("sizes") or "")) or sides[0]
            address = _resolved(str(link["href"]), page.link)
            yield _declared(address, side, str(link.get("type") or ""))


def _from_metas(page: Page) -> Iterator[DeclaredIcon | None]:
    for name, side in _TILES.items():
        written = _meta(page.soup, f"msapplication-{name}")
        yield _declared(_resolved(written, page.link), side, "")


def _declared(
    address: str, side: int, media_type: str, *, is_plain: bool = True
) -> DeclaredIcon | None:
    if not address:
        return None
    if is_data_address(address):
        is_vector = address[5:].lower().startswith("image/svg")
    else:
        is_drawing_name = urlsplit(address).path.lower().endswith((".svg", ".svgz"))
        is_vector = is_drawing_name or media_type.strip().lower().startswith("image/svg")
    return DeclaredIcon(address=address, side=side, is_vector=is_vector, is_plain=is_plain)


def _distinct(found: Iterable[DeclaredIcon | None]) -> list[DeclaredIcon]:
    """Each address once, with the largest side that was said of it."""
    kept: dict[str, DeclaredIcon] = {}
    for icon in found:
        if icon is not None and len(kept) < _MOST_DECLARED:
            before = kept.get(icon.address)
            if before is None or before.side < icon.side:
                kept[icon.address] = icon
    return list(kept.values())


def _resolved(written: str, link: Callable[[str], str]) -> str:
    """The canonical address that `link` makes of it, a data: address as it stands, or ""."""
    written = written.strip()
    if is_data_address(written):
        return written if len(written) <= LONGEST else ""
    return link(written) if written else ""


def _link_from(address: str) -> Callable[[str], str]:
    """Resolves links of the document at `address`, to "" when they lead nowhere on the web."""

    def link(written: str) -> str:
        try:
            return canonical_address(written, address)
        except DisallowedError:
            return ""

    return link


def _tokens(link: Tag) -> list[str]:
    """The relations of a link (HTML standard, 4.6.7), in lower case."""
    written = link.get("rel") or ""
    tokens = written if isinstance(written, list) else str(written).split()
    return [token.lower() for token in tokens]


def _side(sizes: str) -> int:
    """The longest side in a list such as `16x16 32x32`; 0 when it names none."""
    return max((max(int(w), int(h)) for w, h in _SIDES.findall(sizes[:1000])), default=0)


def _text(entry: Any, key: str) -> str:
    value = entry.get(key) if isinstance(entry, dict) else None
    return value if isinstance(value, str) else ""


def _meta(soup: BeautifulSoup, name: str) -> str:
    """The content of the first meta tag of that name or property that has any."""
    wanted = re.compile(f"^{re.escape(name)}$", re.IGNORECASE)
    for key in ("name", "property"):
        for meta in soup.find_all("meta", attrs={key: wanted}, limit=10):
            content = str(meta.get("content") or "").strip()
            if content:
                return content
    return ""
