"""The traps of the demo site: copies, collages, blanks, broken answers and things not to take."""

import io
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Protocol

from PIL import Image

from scrape.demo_site.chance import Chance
from scrape.demo_site.collection import Answer, SitePicture
from scrape.demo_site.colours import WHITE, hsl
from scrape.demo_site.encoding import TYPES, encoded

# How many of each kind stand among the labelled pictures and on the card grid.
COUNTS: dict[str, tuple[int, int]] = {
    "exact-copy": (10, 5),
    "resized-copy": (10, 4),
    "recompressed-copy": (11, 3),
    "collage": (12, 0),
    "blank": (6, 2),
    "truncated": (4, 2),
    "html-as-picture": (3, 1),
    "not-found": (4, 1),
    "too-many-requests": (3, 1),
    "empty": (2, 1),
    "private": (5, 1),
    "opt-out": (2, 1),
}
COPIES = ("exact-copy", "resized-copy", "recompressed-copy")
Maker = Callable[[], Answer]

_NOT_FOUND_PAGE = (
    b"<!doctype html>\n<html lang='en'><title>Gone</title><p>This picture has moved.</p></html>\n"
)


class Ground(Protocol):
    """What a Planter plants in: a collection that draws pictures and gives them addresses."""

    def put(self, address: str, make: Maker) -> None: ...

    def answer(self, address: str) -> Answer | None: ...

    def next_animal(self, kind: str) -> tuple[SitePicture, Maker]:
        """A drawing that is not in the lists, and what makes its bytes; it has no address yet."""
        ...

    def next_logo(self) -> tuple[SitePicture, Maker]: ...


class Planter:
    """Plants COUNTS traps in `ground`; their list entries are `labelled` and `cards`."""

    def __init__(
        self,
        ground: Ground,
        seed: int,
        animals: Sequence[SitePicture],
        logos: Sequence[SitePicture],
    ) -> None:
        self._ground = ground
        self._chance = Chance(seed, "planted")
        self._kinds = sorted({picture.label for picture in animals})
        # Every original has at most one copy; collages and blanks take their words from the rest.
        self._animals = self._chance.shuffled(animals)
        self._logos = self._chance.shuffled(logos)
        self.planted: dict[str, list[str]] = {kind: [] for kind in COUNTS}
        self.copy_of: dict[str, str] = {}
        self.labelled: list[SitePicture] = []
        self.cards: list[SitePicture] = []
        for kind, (labelled, cards) in COUNTS.items():
            for number in range(labelled + cards):
                self._plant(kind, number, on_card=number >= labelled)

    def _plant(self, kind: str, number: int, on_card: bool) -> None:
        if kind in COPIES:
            picture = self._copy(kind, number, on_card)
        elif kind == "collage":
            picture = self._collage(number)
        else:
            picture = self._single(kind, number, on_card)
        self.planted[kind].append(picture.address)
        (self.cards if on_card else self.labelled).append(picture)

    def _copy(self, kind: str, number: int, on_card: bool) -> SitePicture:
        original = (self._logos if on_card else self._animals).pop()
        own = original.address.rsplit(".", 1)[1]
        if kind == "recompressed-copy":
            while original.address.endswith(".png") and on_card:  # may be transparent
                original = self._logos.pop()
            own = "jpg"
        address = f"/media/again/{kind}-{number:02d}.{own}"
        self.copy_of[address] = original.address
        scale = self._chance.between(0.5, 0.8) if kind == "resized-copy" else 1.0
        size = (round(original.width * scale), round(original.height * scale))
        quality = 55 + self._chance.below(20) if kind == "recompressed-copy" else 90

        def make() -> Answer:
            answer = self._answer(original.address)
            if kind == "exact-copy":
                return answer
            with Image.open(io.BytesIO(answer.body)) as image:
                small = image.resize(size, Image.Resampling.LANCZOS)
            return Answer(encoded(small, own, quality), TYPES[own])

        self._ground.put(address, make)
        copy = _renamed(original, f"{original.id}-again", address, on_card)
        return replace(copy, width=size[0], height=size[1])

    def _collage(self, number: int) -> SitePicture:
        """A 2x2 or 3x3 sheet of animals, neighbours of different kinds, with or without gutter."""
        side = 2 + number % 2
        gutter = (0, 0, 6, 4)[number % 4]
        kinds = self._chance.sample(self._kinds, 8)
        members = []
        for place in range(side * side):
            kind = kinds[(place % side + place // side * 3) % len(kinds)]
            members.append(next(a for a in reversed(self._animals) if a.label == kind))
            self._animals.remove(members[-1])
        addresses = [member.address for member in members]
        address = f"/media/sheets/collage-{number:02d}.jpg"
        self._ground.put(address, lambda: self._sheet(addresses, side, gutter))
        title = f"{side * side} animals on one sheet"
        return replace(
            _renamed(members[0], f"collage-{number:02d}", address, False),
            title=title,
            description=title,
            width=_sheet_side(side, gutter),
            height=_sheet_side(side, gutter),
        )

    def _sheet(self, addresses: Sequence[str], side: int, gutter: int) -> Answer:
        cell = _cell(side)
        whole = _sheet_side(side, gutter)
        sheet = Image.new("RGB", (whole, whole), WHITE)
        for place, address in enumerate(addresses):
            with Image.open(io.BytesIO(self._answer(address).body)) as image:
                small = image.convert("RGB").resize((cell, cell), Image.Resampling.LANCZOS)
            row, column = divmod(place, side)
            sheet.paste(small, (column * (cell + gutter), row * (cell + gutter)))
        return Answer(encoded(sheet, "jpg"), TYPES["jpg"])

    def _single(self, kind: str, number: int, on_card: bool) -> SitePicture:
        """A drawing of its own, answered wrongly, or to be left alone."""
        folder = "/private" if kind == "private" else f"/media/{kind}"
        if on_card:
            picture, draw = self._ground.next_logo()
        else:
            picture, draw = self._ground.next_animal(self._chance.pick(self._kinds))
        extension = (
            "png" if kind in ("blank", "html-as-picture") else picture.address.rsplit(".")[-1]
        )
        address = f"{folder}/{picture.id}.{extension}"
        colour = hsl(45.0 * number, 0.5, 0.6)
        size = (picture.width, picture.height)

        def make() -> Answer:
            if kind == "blank":
                return Answer(encoded(Image.new("RGB", size, colour), "png"), TYPES["png"])
            return _spoilt(draw(), kind)

        self._ground.put(address, make)
        return replace(picture, address=address)

    def _answer(self, address: str) -> Answer:
        answer = self._ground.answer(address)
        assert answer is not None, address
        return answer


def _spoilt(answer: Answer, kind: str) -> Answer:
    """`answer` as a trap of `kind` gives it; too-many-requests is the server's to do."""
    if kind == "truncated":
        return replace(answer, body=answer.body[: len(answer.body) * 3 // 5])
    if kind == "empty":
        return replace(answer, body=b"")
    if kind == "html-as-picture":
        return Answer(_NOT_FOUND_PAGE, "image/png")
    if kind == "not-found":
        return Answer(_NOT_FOUND_PAGE, "text/html; charset=utf-8", 404)
    if kind == "opt-out":
        return replace(answer, headers={"X-Robots-Tag": "noai, noimageai"})
    return answer


def _renamed(picture: SitePicture, name: str, address: str, on_card: bool) -> SitePicture:
    page = f"/logos/{name}/" if on_card else f"/pictures/{name}/"
    return replace(picture, id=name, address=address, page=page)


def _cell(side: int) -> int:
    return 420 // side


def _sheet_side(side: int, gutter: int) -> int:
    return side * _cell(side) + (side - 1) * gutter
