"""What pictures have in common that no split may part: their source, author, site or brand."""

import hashlib
import re
from collections.abc import Callable, Collection, Iterator
from pathlib import PurePosixPath
from typing import Literal
from urllib.parse import unquote, urlsplit

import numpy as np
from numpy.typing import NDArray

from dataset.catalog import Catalog
from dataset.splits import joined_by

Integers = NDArray[np.int64]
SplitBy = Literal["group", "source", "author", "site", "brand"]

_WORD = re.compile(r"[^\W_]+")
# What sets one file of a logo apart from another one.
_VARIANTS = frozenset(
    _WORD.findall(
        "icon icons logo logos logotype logomark wordmark mark symbol emblem badge glyph lockup "
        "dark light mono monochrome black white grey gray colour color coloured colored full "
        "horizontal vertical stacked square round rounded circle small large mini flat outline "
        "outlined filled solid alt alternative reversed inverse inverted transparent negative "
        "positive rgb cmyk svg png jpg favicon app avatar new old original default variant "
        "version image img picture file thumb thumbnail"
    )
)
_SIZES = re.compile(r"\d+(x\d*|px)?|[0-9a-f]{16,}")
# Alone these name nothing.
_NAMELESS = frozenset(
    _WORD.findall("icon icons logo logos favicon image img picture file thumb default")
)


def brand_of(name: str) -> str:
    """A name without the words that only tell variants of a logo apart: "" when nothing is left.

    `airbnb-icon`, `Airbnb logo (dark)` and `airbnb_2` are one brand, `adobe-xd` is another one
    than `adobe`.
    """
    words = [word.casefold() for word in _WORD.findall(name)]
    kept = [word for word in words if word not in _VARIANTS and not _SIZES.fullmatch(word)]
    named = (w for w in words if w not in _NAMELESS and not re.fullmatch(r"\d+|\w{16,}", w))
    return " ".join(kept) or next(named, "")


def brand_of_file(address: str) -> str:
    """The brand that a file is named after, by its address."""
    return brand_of(PurePosixPath(unquote(_path(address))).stem)


def site_of(address: str) -> str:
    """The host of an address without www. and port; "" for what lies on no host."""
    try:
        host = urlsplit(address).hostname or ""
    except ValueError:
        return ""
    return host.removeprefix("www.")


def split_keys(
    catalog: Catalog, split_by: SplitBy, ids: Integers, licences: Collection[str] = ()
) -> NDArray[np.uint64]:
    """One number for each picture (n,), equal where they have it in common; 0 is nothing.

    `ids` (n,) ascend. What counts is the origin that stands in the pack: the first under one of
    `licences`, or with a known licence where none are named, else the first. A brand that no
    file's name tells is that of the best caption; and pictures of the same page are of one brand,
    whatever they are called (go.png and gopher.png of golang.org).
    """
    keys = np.zeros(len(ids), np.uint64)
    if split_by == "group":
        return keys
    plain: dict[SplitBy, tuple[str, Callable[[str], str]]] = {
        "source": ("source", str),
        "author": ("author", _folded),
        "site": ("page_url", site_of),
        "brand": ("url", brand_of_file),
    }
    column, name = plain[split_by]
    for rows, texts in _best_texts(catalog, column, ids, licences):
        keys[rows] = [_key(name(text)) for text in texts]
    if split_by == "site":
        bare = np.flatnonzero(keys == 0)
        for rows, texts in _best_texts(catalog, "url", ids[bare], licences):
            keys[bare[rows]] = [_key(site_of(text)) for text in texts]
    if split_by == "brand":
        _read_captions(catalog, ids, keys)
        pages = np.zeros(len(ids), np.uint64)
        for rows, texts in _best_texts(catalog, "page_url", ids, licences):
            pages[rows] = [_key(text.partition("#")[0].strip()) for text in texts]
        keys = _either(keys, pages)
    return keys


def _either(keys: NDArray[np.uint64], others: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """One number (n,) for all that share one of two keys, by whichever chain; 0 for neither."""
    root = joined_by(joined_by(np.arange(len(keys)), keys), others)
    return np.where((keys == 0) & (others == 0), 0, root + 1).astype(np.uint64)


def licence_codes(
    catalog: Catalog, ids: Integers, licences: Collection[str] = ()
) -> tuple[NDArray[np.int32], list[str]]:
    """The licence of the origin that stands in the pack: place (n,) in the names that come second.
    `ids` (n,) ascend."""
    codes, names, places = np.zeros(len(ids), np.int32), ["unknown"], {"unknown": 0}
    for rows, texts in _best_texts(catalog, "licence", ids, licences):
        named = [text or names[0] for text in texts]
        for name in named:
            if name not in places:
                places[name] = len(names)
                names.append(name)
        codes[rows] = [places[name] for name in named]
    return codes, names


def _best_texts(
    catalog: Catalog, column: str, ids: Integers, licences: Collection[str]
) -> Iterator[tuple[Integers, list[str]]]:
    """Blocks of (places in `ids`, texts) of the best origins so far: the last one of a place
    counts."""
    state = np.zeros(len(ids), np.int8)  # 1 when an origin was found, 2 when a preferred one was
    for pictures, is_preferred, texts in catalog.packables.origin_texts(column, licences):
        inside, rows = places_of(ids, pictures)
        preferred = np.array(is_preferred)[inside]
        where = np.flatnonzero(inside)
        for value, fitting in ((1, ~preferred), (2, preferred)):
            open_ = np.flatnonzero(fitting & (state[rows] < value))
            first = open_[np.unique(rows[open_], return_index=True)[1]]
            state[rows[first]] = value
            if len(first):
                yield rows[first], [texts[place] for place in where[first].tolist()]


def _read_captions(catalog: Catalog, ids: Integers, keys: NDArray[np.uint64]) -> None:
    """Fill in the keys that are 0 by the brand of the best caption: written here, else longest."""
    bare = keys == 0
    longest = np.zeros(len(ids), np.int64)
    for pictures, texts, judged in catalog.packables.caption_texts():
        inside, rows = places_of(ids, pictures)
        for row, place in zip(rows.tolist(), np.flatnonzero(inside).tolist(), strict=True):
            if bare[row] and (judged or len(texts[place]) > longest[row]):
                longest[row] = len(texts[place])
                keys[row] = _key(brand_of(texts[place]))


def places_of(ids: Integers, asked: Integers) -> tuple[NDArray[np.bool_], Integers]:
    """Which of `asked` (m,) are among the ascending `ids`, and the places of those."""
    if not len(ids):
        return np.zeros(len(asked), bool), np.zeros(0, np.int64)
    places = np.minimum(np.searchsorted(ids, asked), len(ids) - 1)
    inside: NDArray[np.bool_] = ids[places] == asked
    return inside, places[inside]


def _folded(text: str) -> str:
    return " ".join(text.casefold().split())


def _path(address: str) -> str:
    try:
        return urlsplit(address).path or address
    except ValueError:
        return address


def _key(text: str) -> int:
    if not text:
        return 0
    digest = hashlib.blake2b(text.encode("utf-8", "replace"), digest_size=8).digest()
    return int.from_bytes(digest, "big") or 1
