"""The contact sheet of a drawing: rows of classes, a seed under each picture, or a plain grid."""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil
from typing import Literal, get_args

import numpy as np
from PIL import Image, ImageDraw

from dataset.lettering import font_for
from dataset.pixels import Pixels
from train.checked import require
from train.preview import picture_image

Style = Literal["classes", "seeds", "plain"]

_COLUMNS = 12
_TILE = 96  # pixels that a small picture is magnified to, at least
_GAP, _MARGIN = {"classes": 4, "seeds": 8, "plain": 2}, {"classes": 16, "seeds": 16, "plain": 2}
_CAPTION, _HEADING, _AFTER_CLASS = 16, 26, 14
_HEADING_SIZE, _CAPTION_SIZE = 14, 11
_WIDEST_HEADING, _WIDEST_ABOVE = 160, 400  # beside a row, and above one if the pictures take less
# Light, yet not white: a drawing on white keeps its edge.
_PAPER, _INK, _SOFT = (240, 240, 238), (32, 32, 32), (110, 110, 108)
_BOARD = ((255, 255, 255), (216, 216, 214))  # seen through what is transparent
_SQUARE = 6
_MOST = 1200  # pictures on a sheet: more would be a file that nothing opens


@dataclass(frozen=True, kw_only=True)
class SheetConfig:
    """How the contact sheet is laid out."""

    style: Style = "classes"
    columns: int = 0  # 0: twelve, or fewer where there are fewer pictures

    def __post_init__(self) -> None:
        known = ", ".join(get_args(Style))
        require(self.style in get_args(Style), "sheet", self.style, f"one of {known}")
        require(0 <= self.columns <= 100, "columns", self.columns, "from 0 to 100")


@dataclass(frozen=True)
class Tile:
    """What the sheet says of one picture."""

    name: str  # of its class; empty: none
    caption: str  # under it, where the style has it


def shown_places(tiles: Sequence[Tile], most: int = _MOST) -> list[int]:
    """Which of the pictures are on the sheet: all, or the first few of each class alike."""
    if len(tiles) <= most:
        return list(range(len(tiles)))
    share = max(1, most // len({tile.name for tile in tiles}))
    counts: dict[str, int] = {}
    places: list[int] = []
    for place, tile in enumerate(tiles):
        counts[tile.name] = counts.get(tile.name, 0) + 1
        if counts[tile.name] <= share and len(places) < most:
            places.append(place)
    return places


def sheet_image(
    pictures: Sequence[Pixels], tiles: Sequence[Tile], config: SheetConfig, left_out: int = 0
) -> Image.Image:
    """Pictures (C, H, W) of 1, 3 or 4 channels and one size, laid out; RGB.

    `left_out` is how many more there are, which the sheet says at its end.
    """
    rows = _rows(tiles, config)
    magnify = max(1, -(-_TILE // pictures[0].shape[1]))
    height, width = (side * magnify for side in pictures[0].shape[1:])
    gap, margin = _GAP[config.style], _MARGIN[config.style]
    captions = _CAPTION if config.style == "seeds" else 0
    left = margin + max(row.beside for row in rows)
    columns = max(len(row.places) for row in rows)
    size = (
        max(left + columns * (width + gap) - gap, margin + _width_above(rows)) + margin,
        2 * margin
        + sum(row.above + height + captions + gap for row in rows)
        - gap
        + (_HEADING if left_out else 0),
    )
    sheet = Image.new("RGB", size, _PAPER)
    pen, top, across_all = ImageDraw.Draw(sheet), margin, size[0] - 2 * margin
    for row in rows:
        if row.beside:
            at, anchor = (margin, top + row.above + height // 2), "lm"
        else:
            at, anchor = (margin, top + row.above - 8), "ls"
        write_line(pen, at, row.heading, across_all, _HEADING_SIZE, _INK, anchor)
        top += row.above
        for column, place in enumerate(row.places):
            across = left + column * (width + gap)
            sheet.paste(_tile(pictures[place], (width, height)), (across, top))
            if captions:
                at = (across + width // 2, top + height + 2)
                said = tiles[place].caption
                write_line(pen, at, said, width + gap, _CAPTION_SIZE, _SOFT, "ma")
        top += height + captions + gap
    if left_out:
        at = (margin, size[1] - margin)
        text = f"and {left_out:,} more in the folder"
        write_line(pen, at, text, across_all, _CAPTION_SIZE, _SOFT, "ls")
    return sheet


@dataclass(frozen=True)
class _Row:
    places: list[int]
    heading: str = ""
    above: int = 0  # pixels above the pictures, the heading's included
    beside: int = 0  # pixels to the left of them for the heading; 0: it is above


def _rows(tiles: Sequence[Tile], config: SheetConfig) -> list[_Row]:
    """Which picture stands where. But in a plain grid a class begins a row: its name is beside it
    where all classes have one row, or else above its first."""
    columns = config.columns or min(_COLUMNS, len(tiles))
    groups: dict[str, list[int]] = {}
    for place, tile in enumerate(tiles):
        groups.setdefault("" if config.style == "plain" else tile.name, []).append(place)
    columns = min(columns, max(map(len, groups.values())))
    width = max(map(_heading_width, groups)) + 12
    single = len(groups) > 1 and all(len(places) <= columns for places in groups.values())
    if single and width <= _WIDEST_HEADING:
        return [_Row(places, name, beside=width) for name, places in groups.items()]
    rows: list[_Row] = []
    for name, places in groups.items():
        for start in range(0, len(places), columns):
            first = start == 0 and bool(name)
            above = _HEADING + (_AFTER_CLASS if rows else 0) if first else 0
            rows.append(_Row(places[start : start + columns], name if first else "", above))
    return rows


def _width_above(rows: Sequence[_Row]) -> int:
    """What the names above rows need; they are cut where that is very much."""
    widest = max((_heading_width(row.heading) for row in rows if not row.beside), default=0)
    return min(widest, _WIDEST_ABOVE)


def _heading_width(name: str) -> int:
    return ceil(font_for(name, _HEADING_SIZE).getlength(name))


def _tile(picture: Pixels, size: tuple[int, int]) -> Image.Image:
    """Magnified without smoothing, so that the pixels are seen; transparency on a board."""
    image = picture_image(picture).resize(size, Image.Resampling.NEAREST)
    if image.mode != "RGBA":
        return image.convert("RGB")
    board = board_image(size)
    board.paste(image, (0, 0), image)
    return board


def board_image(size: tuple[int, int], square: int = _SQUARE) -> Image.Image:
    """The board of two greys that stands for transparency."""
    down, across = np.indices((size[1], size[0])) // square
    return Image.fromarray(np.array(_BOARD, np.uint8)[(down + across) % 2])


def write_line(
    pen: ImageDraw.ImageDraw,
    at: tuple[int, int],
    text: str,
    width: int,
    size: int,
    ink: tuple[int, int, int],
    anchor: str = "la",
) -> None:
    """Write as much of a line as stands in `width` pixels."""
    fit = cut_text(text, width, size)
    pen.text(at, fit, fill=ink, font=font_for(text, size), anchor=anchor)


def cut_text(text: str, width: int, size: int) -> str:
    """As much of a line as stands in `width` pixels, with dots for the rest."""
    font = font_for(text, size)
    if font.getlength(text) <= width:
        return text
    lengths = range(len(text))
    longest = bisect_right(lengths, width, key=lambda n: ceil(font.getlength(text[:n] + "…")))
    return text[: longest - 1].rstrip() + "…" if longest else ""
