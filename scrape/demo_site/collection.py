"""What the site shows: its pictures and their words, and the answer at each picture's address."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol


@dataclass(frozen=True, kw_only=True)
class SitePicture:
    """One entry of a list on the site.

    `address` (of the bytes) and `page` (of its own page) are paths on the site; `source_page` is
    where the picture came from, or empty. A picture without a label stands on the card grid, one
    with a label in the API and the search. Width and height are 0 when unknown.
    """

    id: str
    address: str
    page: str
    title: str
    description: str
    label: str = ""
    breed: str = ""
    author: str = ""
    licence: str = ""
    licence_url: str = ""
    source_page: str = ""
    width: int = 0
    height: int = 0


@dataclass(frozen=True)
class Answer:
    """What is sent: the entity tag names the body."""

    body: bytes
    content_type: str
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def etag(self) -> str:
        return f'"{hashlib.sha256(self.body).hexdigest()[:32]}"'


class Collection(Protocol):
    """Pictures by list and by address. `planted` holds addresses by kind of trap."""

    title: str
    cards: Sequence[SitePicture]
    labelled: Sequence[SitePicture]
    planted: dict[str, list[str]]
    copy_of: dict[str, str]

    def answer(self, address: str) -> Answer | None:
        """What stands at the path `address` (not percent-encoded), or None for nothing."""
        ...

    def sized(self, picture: SitePicture) -> SitePicture:
        """`picture` with its width and height filled in where they can be known."""
        ...

    def close(self) -> None: ...


def content_type(body: bytes) -> str:
    """The type that the first bytes tell; anything but a known picture is never shown inline."""
    if body.startswith(b"\x89PNG\r\n\x1a\n"):
        return "image/png"
    if body.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    if body.startswith((b"GIF87a", b"GIF89a")):
        return "image/gif"
    if body[:4] == b"RIFF" and body[8:12] == b"WEBP":
        return "image/webp"
    return "application/octet-stream"
