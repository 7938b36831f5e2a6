"""The address of the real picture behind an <img>, which pages hide until it is scrolled to."""

import re
from collections.abc import Iterator, Sequence
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from bs4 import BeautifulSoup, Tag
from bs4.exceptions import ParserRejectedMarkup

# Where the address may stand, best first; a `set` holds several sizes, `noscript` another <img>.
PICTURE_ATTRIBUTES = (
    "data-orig-file",
    "srcset",
    "data-srcset",
    "data-lazy-srcset",
    "data-src",
    "data-lazy-src",
    "data-original",
    "data-bg",
    "data-background-image",
    "noscript",
    "src",
)
_LONGEST_STYLE = 5000
_MOST_IMAGES = 20  # of a card that are looked at
# A background that a script sets; it is written as an address, or in url() as in a style.
_LAZY_BACKGROUNDS = ("data-bg", "data-background-image")
STYLE = "style"  # may be named, too: the background-image of a style attribute
_PLACEHOLDER = re.compile(
    r"(^|[/_.-])(placeholder|spacer|blank|pixel|loading|loader|spinner|lazy|transparent|1x1)"
    r"([_.-][^/]*)?\.(gif|png|svg|webp|jpe?g)$|/(grey|gray|trans|clear|empty)\.gif$",
    re.IGNORECASE,
)
_BACKGROUND = re.compile(
    r"background(?:-image)?\s*:[^;]*?url\(\s*(?:\"([^\"]*)\"|'([^']*)'|([^\"')\s]*))\s*\)",
    re.IGNORECASE,
)


def picture_of_card(card: Tag, image: str, attributes: Sequence[str] = PICTURE_ATTRIBUTES) -> str:
    """The address of a card's picture as written, or "".

    It is that of the first element with more than a placeholder that the selector `image` matches,
    of the card itself if it is an <img>, or of a <picture> without one. The card's own style, and
    those inside it, are read when there is no such element or `attributes` name `style`; what a
    script makes a background of is read when nothing else is there.
    """
    found = [card] if card.name == "img" else card.select(image, limit=_MOST_IMAGES)
    found = found or card.select("picture > source", limit=1)
    if not found:
        beside = _within(card, "noscript", attributes)
        return beside or _lazy_background_within(card) or _background_within(card)
    for element in found:
        for attribute in attributes:
            address = picture_address(element, (attribute,)) or _within(card, attribute, attributes)
            if address:
                return address
    return _lazy_background_within(card)


def _within(card: Tag, attribute: str, attributes: Sequence[str]) -> str:
    """What stands in the card, though not at its image."""
    if attribute not in attributes:
        return ""
    if attribute == STYLE:
        return _background_within(card)
    beside = card.find("noscript") if attribute == "noscript" else None
    return _inside_noscript(beside) if isinstance(beside, Tag) else ""


def picture_address(image: Tag, attributes: Sequence[str] = PICTURE_ATTRIBUTES) -> str:
    """The address as written in the page, or "" when there is only a placeholder."""
    for attribute in attributes:
        found = _from_attribute(image, attribute)
        if found and not is_placeholder(found):
            return found
    return ""


def is_placeholder(address: str) -> bool:
    """Whether an address is a stand-in: inline data, nothing, or a file named as one."""
    path = address.strip().split("?")[0].split("#")[0]
    return (
        not path or path.lower().startswith(("data:", "about:")) or bool(_PLACEHOLDER.search(path))
    )


def largest_of_set(text: str) -> str:
    """The address of the largest candidate of a `srcset` (HTML standard, 4.8.4.2.1)."""
    best, address = -1.0, ""
    for candidate, size in _candidates(text):
        if size > best and not is_placeholder(candidate):
            best, address = size, candidate
    return address


def original_address(address: str) -> str:
    """Where the original of a thumbnail ought to lie, `address` itself when it is no thumbnail.

    A guess by the file names of WordPress, Shopify, MediaWiki, Drupal, Squarespace, Wix and
    Blogger; nothing says that the original is still there. `address` is canonical.
    """
    parts = urlsplit(address)
    host = (parts.hostname or "").lower()
    path, query = _original_path(host, parts.path), parts.query
    if _SHOPIFY_HOST.search(host) or "/cdn/shop/" in path:
        query = _without(query, "width", "height", "crop")
    elif _PHOTON_HOST.search(host):
        query = _without(query, "w", "h", "fit", "resize", "crop", "zoom", "quality", "strip")
    elif _SQUARESPACE_HOST.search(host) and re.search(r"(^|&)format=\d+w(&|$)", query):
        query = re.sub(r"(^|&)format=\d+w(?=&|$)", r"\1format=original", query)
    elif path != parts.path and _DRUPAL.match(parts.path):
        query = _without(query, "itok", "h")
    return urlunsplit((parts.scheme, parts.netloc, path, query, ""))


_RASTER = r"(?=\.(?:jpe?g|png|gif|webp|avif|bmp|tiff?)$)"
_SHOPIFY_HOST = re.compile(r"^cdn\.shopify\.com$|\.myshopify\.com$")
_PHOTON_HOST = re.compile(r"^i\d\.wp\.com$|\.files\.wordpress\.com$")
_SQUARESPACE_HOST = re.compile(r"^(images|static1)\.squarespace(-cdn)?\.com$")
_BLOGGER_HOST = re.compile(r"\.bp\.blogspot\.com$|^blogger\.googleusercontent\.com$")
# The width and height of WordPress (photo-150x150.png) and of Shopify (photo_200x200.png).
_SIZED = re.compile(
    rf"(?<=[^/])[-_][1-9]\d{{0,3}}x[1-9]\d{{0,3}}(?:_crop_[a-z]+)?(?:@\dx)?{_RASTER}", re.I
)
_SCALED = re.compile(rf"(?<=[^/])-scaled{_RASTER}", re.I)
_SHOPIFY = re.compile(
    r"(?<=[^/])_(?:pico|icon|thumb|small|compact|medium|large|grande|\d+x\d*|x\d+|%7Bwidth%7Dx(?:%7Bheight%7D)?)"
    rf"(?:_crop_[a-z]+)?(?:@\dx)?(?:\.progressive)?{_RASTER}",
    re.I,
)
# .../thumb/a/ab/Name.jpg/120px-Name.jpg; a drawing's or a book's thumbnail is all there is of it.
_MEDIAWIKI = re.compile(r"(.*)/thumb(/.+\.(?:jpe?g|png|gif|webp|bmp))/\d+px-[^/]+$", re.I)
_DRUPAL = re.compile(
    r"(.*/files)/styles/[^/]+/(?:public|private)(/.+?)(?:(?<=\.jpg|\.png|jpeg)\.webp)?$", re.I
)


def _original_path(host: str, path: str) -> str:
    if host == "static.wixstatic.com":
        return re.sub(r"^(/media/[^/]+)/v1/.*$", r"\1", path)
    if _BLOGGER_HOST.search(host):
        return re.sub(r"/(?:s\d+|w\d+-h\d+)(?:-\w+)*(?=/[^/]+$)", "/s0", path)
    if _SHOPIFY_HOST.search(host) or "/cdn/shop/" in path:
        return _SHOPIFY.sub("", path)
    for pattern in (_MEDIAWIKI, _DRUPAL):
        found = pattern.match(path)
        if found:
            return found[1] + found[2]
    path = _SIZED.sub("", path)
    return _SCALED.sub("", path)


def _without(query: str, *keys: str) -> str:
    pairs = parse_qsl(query, keep_blank_values=True)
    kept = [(key, value) for key, value in pairs if key not in keys]
    return query if len(kept) == len(pairs) else urlencode(kept)


def _candidates(text: str) -> Iterator[tuple[str, float]]:
    """(address, width or density) of each candidate; a comma ends one, blanks part the two."""
    address, size = "", 0.0
    for word in text.split():
        if address:
            written, comma, word = word.partition(",")
            size = max(size, _number(written))
            if not comma:
                continue
            yield address, size
        address, size = word.lstrip(","), 0.0
        if address.endswith(","):
            yield address.rstrip(","), 1.0
            address = ""
    if address:
        yield address, size or 1.0


def _from_attribute(image: Tag, attribute: str) -> str:
    if attribute == "noscript":
        beside = image.find_next_sibling("noscript") or image.find_previous_sibling("noscript")
        return _inside_noscript(beside) if isinstance(beside, Tag) else ""
    value = image.get(attribute)
    written = value if isinstance(value, str) else ""
    if attribute == STYLE:
        return _background(written)
    if attribute in _LAZY_BACKGROUNDS:
        return _background(f"background:{written}") or written.strip()
    if attribute.endswith("srcset"):
        own = largest_of_set(written)
        return own or largest_of_set(_sets_of_sources(image, attribute))
    return written.strip()


def _sets_of_sources(image: Tag, attribute: str) -> str:
    """The `srcset` of the <source> elements beside an <img> inside <picture>."""
    parent = image.parent
    if parent is None or parent.name != "picture":
        return ""
    sets = [str(source.get(attribute) or "") for source in parent.find_all("source")]
    return ", ".join(found for found in sets if found)


def _inside_noscript(element: Tag) -> str:
    """The address of the <img> in a <noscript>, whose markup may be there as text."""
    inner = element.find("img")
    if inner is None and "<img" in element.get_text():
        try:
            inner = BeautifulSoup(element.get_text(), "html.parser").find("img")
        except ParserRejectedMarkup:
            return ""
    return picture_address(inner, ("srcset", "src")) if isinstance(inner, Tag) else ""


def _lazy_background_within(card: Tag) -> str:
    """The first picture of the card itself or inside it that a script sets as a background."""
    marked = card.select(", ".join(f"[{name}]" for name in _LAZY_BACKGROUNDS), limit=_MOST_IMAGES)
    found = (picture_address(element, _LAZY_BACKGROUNDS) for element in (card, *marked))
    return next((address for address in found if address), "")


def _background_within(card: Tag) -> str:
    """The first background picture of the card itself or of what is inside it."""
    for element in (card, *card.select("[style]")):
        found = _background(str(element.get("style") or ""))
        if found and not is_placeholder(found):
            return found
    return ""


def _background(style: str) -> str:
    found = _BACKGROUND.search(style[:_LONGEST_STYLE])
    return next((part for part in found.groups() if part), "").strip() if found else ""


def _number(descriptor: str) -> float:
    """The size in `300w` or `1.5x`, 0 for anything else."""
    try:
        return float(descriptor[:-1]) if descriptor.endswith(("w", "x")) else 0.0
    except ValueError:
        return 0.0
