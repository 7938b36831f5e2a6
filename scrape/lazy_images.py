"""The address of the real picture behind an <img>, which pages hide until it is scrolled to."""

import re
from collections.abc import Iterator, Sequence

from bs4 import Tag

# Where the address may stand, best first; a `set` holds several sizes, `noscript` another <img>.
PICTURE_ATTRIBUTES = ("srcset", "data-srcset", "data-src", "data-lazy-src", "noscript", "src")
_PLACEHOLDER = re.compile(
    r"(^|[/_.-])(placeholder|spacer|blank|pixel|loading|lazy|transparent|1x1)([_.-][^/]*)?"
    r"\.(gif|png|svg|webp|jpe?g)$",
    re.IGNORECASE,
)


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


def _candidates(text: str) -> Iterator[tuple[str, float]]:
    """(address, width or density) of each candidate; a comma ends one, blanks part the two."""
    address = ""
    for word in text.split():
        if address:
            size, _, following = word.partition(",")
            yield address, _number(size[:-1])
            address = following
        elif word.endswith(","):
            yield word.rstrip(","), 1.0
        else:
            address = word
    if address:
        yield address, 1.0


def _from_attribute(image: Tag, attribute: str) -> str:
    if attribute == "noscript":
        return _from_noscript(image)
    value = image.get(attribute)
    written = value if isinstance(value, str) else ""
    if attribute.endswith("srcset"):
        return largest_of_set(written or _from_picture_sources(image, attribute))
    return written.strip()


def _from_picture_sources(image: Tag, attribute: str) -> str:
    """The `srcset` of the <source> elements beside an <img> inside <picture>."""
    parent = image.parent
    if parent is None or parent.name != "picture":
        return ""
    sets = [str(source.get(attribute) or "") for source in parent.find_all("source")]
    return ", ".join(found for found in sets if found)


def _from_noscript(image: Tag) -> str:
    beside = image.find_next_sibling("noscript") or image.find_previous_sibling("noscript")
    inner = beside.find("img") if beside is not None else None
    source = inner.get("src") if inner is not None else None
    return source.strip() if isinstance(source, str) else ""


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return 0.0
