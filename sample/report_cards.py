"""The cards of the novelty report: a picture beside its nearest originals, ready to be laid out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from dataset.pixels import Pixels
from sample.difference import Difference, alignment_told, alignment_words, difference
from sample.report_pictures import picture_uri
from sample.report_words import original_name, sentence

Record = Mapping[str, Any]


@dataclass(frozen=True)
class ReportPictures:
    """The pictures that the page shows, (H, W, 3) uint8: samples by file name, originals by row."""

    samples: Mapping[str, Pixels]
    originals: Mapping[int, Pixels]


@dataclass(frozen=True, kw_only=True)
class Original:
    """A training picture as the page tells of it; every text as it was found, not escaped.

    `link` and `licence_link` are addresses that a person may be sent to, or None; `facts` are
    (name, value) of what else is known of it.
    """

    row: int
    name: str
    caption: str
    how: str
    distance: float | None
    ratio: float | None
    link: str | None
    link_text: str
    author: str
    licence: str
    licence_link: str | None
    facts: Sequence[tuple[str, str]]


@dataclass(frozen=True, kw_only=True)
class Card:
    """One sample: `record` is what novelty.json says of it, `nearest` None without an original."""

    record: Record
    place: int
    sentence: str
    nearest: Original | None
    others: Sequence[Original]
    sample_uri: str
    aligned_uri: str
    difference_uri: str
    difference: Difference | None

    @property
    def words(self) -> str:
        """What the card is found by, in lower case."""
        near = [self.nearest, *self.others] if self.nearest else []
        words = [self.record["file"], self.record["label"]]
        for each in near:
            words += [each.caption, each.author, each.licence, each.link_text]
        return " ".join(words).lower()


def card(picture: Record, place: int, record: Record, pictures: ReportPictures) -> Card:
    """The card of one picture of the record; `place` counts from 1 by suspicion."""
    sample = pictures.samples.get(picture["file"])
    neighbours = picture["neighbours"]
    side = 0 if sample is None else sample.shape[1]
    originals = [original(near, alignment_words_of(near, side)) for near in neighbours]
    shown = None
    if sample is not None and neighbours and neighbours[0]["row"] in pictures.originals:
        nearest = pictures.originals[neighbours[0]["row"]]
        shown = difference(sample, nearest, alignment_told(neighbours[0]))
    return Card(
        record=picture,
        place=place,
        sentence=sentence(picture, record, shown, originals[0].how if originals else ""),
        nearest=originals[0] if originals else None,
        others=originals[1:],
        sample_uri="" if sample is None else picture_uri(sample),
        aligned_uri="" if shown is None else picture_uri(shown.aligned),
        difference_uri="" if shown is None else picture_uri(shown.picture),
        difference=shown,
    )


def alignment_words_of(neighbour: Record, side: int) -> str:
    """The matched view of a neighbour in words: by its alignment, else as the index names it."""
    if neighbour.get("alignment") and side:
        return alignment_words(alignment_told(neighbour), side)
    return str(neighbour.get("view") or "as it is")


def original(near: Record, how: str = "") -> Original:
    """What novelty.json says of a training picture; keys that are not there count as empty."""
    address = str(near.get("page_url") or near.get("url") or "")
    link = web_address(str(near.get("page_url") or "")) or web_address(str(near.get("url") or ""))
    return Original(
        row=int(near["row"]),
        name=original_name(near),
        caption=str(near.get("caption") or ""),
        how=how,
        distance=near.get("distance"),
        ratio=near.get("ratio"),
        link=link,
        link_text=_short(link) if link else address,
        author=str(near.get("author") or ""),
        licence=str(near.get("licence") or ""),
        licence_link=web_address(str(near.get("licence_url") or "")),
        facts=list(_facts(near)),
    )


def _facts(near: Record) -> list[tuple[str, str]]:
    named = (
        ("class", near.get("label")),
        ("source", near.get("source")),
        ("fetched", str(near.get("fetched_at") or "")[:10]),
        ("your rating", near.get("rating")),
        ("row in the pack", near.get("row")),
        ("picture in the catalogue", near.get("image_id") or ""),
        ("file's address", near.get("url")),
        ("SHA-256", near.get("sha256")),
        ("perceptual hash", near.get("phash")),
    )
    return [(name, f"{value}") for name, value in named if value not in (None, "")]


def web_address(url: str) -> str | None:
    """The address if a person may be sent there (http or https with a host), else None."""
    try:
        parts = urlsplit(url.strip())
    except ValueError:
        return None
    return url.strip() if parts.scheme.lower() in ("http", "https") and parts.netloc else None


def original_uris(rows: Sequence[int], pictures: ReportPictures) -> dict[int, str]:
    """The data: addresses of training pictures by row, of those that there are."""
    return {row: picture_uri(pictures.originals[row]) for row in rows if row in pictures.originals}


def _short(url: str) -> str:
    return url.partition("://")[2].rstrip("/")
