"""The sheet of stickers: each on light and on dark, as paths, and as small as an icon gets."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from PIL import Image, ImageDraw

from dataset.wording import seen
from sample.picture_sheet import board_image, write_line
from sample.tracing import redrawn

_SIDE, _GAP, _PADDING = 128, 10, 14  # pixels
_ICONS = (48, 32, 16)
_TEXT, _LINE = 12, 17
_COLUMNS, _MOST = 3, 300  # cards beside each other, and on the sheet
_PAPER, _CARD, _INK, _SOFT = (236, 236, 233), (252, 252, 251), (32, 32, 32), (108, 108, 106)
_DARK = (24, 26, 30)


@dataclass(frozen=True)
class Card:
    """What is shown of one sticker: its facts as sticker.json has them, its picture, its paths."""

    facts: dict[str, Any]
    picture: Image.Image  # RGBA
    svg: str | None


def sticker_sheet(cards: Sequence[Card]) -> Image.Image:
    """All cards, or the first of very many, in rows; RGB."""
    shown = [_card(card) for card in cards[:_MOST]]
    columns = min(_COLUMNS, len(shown))
    width, height = shown[0].size
    rows = -(-len(shown) // columns)
    below = _LINE if len(cards) > len(shown) else 0
    size = (
        columns * (width + _PADDING) + _PADDING,
        rows * (height + _PADDING) + _PADDING + below,
    )
    sheet = Image.new("RGB", size, _PAPER)
    for place, card in enumerate(shown):
        row, column = divmod(place, columns)
        at = (_PADDING + column * (width + _PADDING), _PADDING + row * (height + _PADDING))
        sheet.paste(card, at)
    if below:
        text = f"and {len(cards) - len(shown):,} more"
        at = (_PADDING, size[1] - _PADDING)
        write_line(ImageDraw.Draw(sheet), at, text, size[0], _TEXT, _SOFT, "ls")
    return sheet


def _card(card: Card) -> Image.Image:
    """On the board, on dark and as paths on white; then small on white and on dark; two lines."""
    column = max(_ICONS) + _GAP
    width = 2 * _PADDING + 3 * (_SIDE + _GAP) + 2 * column - _GAP
    picture = Image.new("RGB", (width, 2 * _PADDING + _SIDE + _GAP + 2 * _LINE), _CARD)
    pen = ImageDraw.Draw(picture)
    tiles = [_on(card.picture, None), _on(card.picture, _DARK)]
    if card.svg is not None:
        tiles.append(_on(Image.fromarray(redrawn(card.svg)), (255, 255, 255)))
    for place, tile in enumerate(tiles):
        picture.paste(tile, (_PADDING + place * (_SIDE + _GAP), _PADDING))
    left = _PADDING + 3 * (_SIDE + _GAP)
    for place, ground in enumerate(((255, 255, 255), _DARK)):
        at = left + place * column
        edge = (at, _PADDING, at + max(_ICONS) + 3, _PADDING + _SIDE - 1)
        pen.rectangle(edge, fill=ground, outline=(222, 222, 220))
        top = _PADDING + 6
        for side in _ICONS:
            small = card.picture.resize((side, side), Image.Resampling.LANCZOS)
            picture.paste(small, (at + 2 + (max(_ICONS) - side) // 2, top), small)
            top += side + 8
    top = _PADDING + _SIDE + _GAP
    for line, (text, ink) in enumerate(zip(_lines(card.facts), (_INK, _SOFT), strict=True)):
        write_line(pen, (_PADDING, top + line * _LINE), text, width - 2 * _PADDING, _TEXT, ink)
    return picture


def _lines(facts: dict[str, Any]) -> tuple[str, str]:
    name = [seen(facts["file"]), facts["verdict"]]
    name += [seen(facts["label"])] if facts["label"] else []
    flat = facts["flat"]
    how = [f"{_count(facts['colours'], 'colour')}, sharp edges" if flat else "enlarged smoothly"]
    if facts["svg"]:
        svg = facts["svg"]
        how.append(
            f"{_count(svg['paths'], 'path')}, {svg['bytes'] / 1000:.1f} kB, {svg['off']:.1%} off"
        )
    ground = facts["ground"]
    if not ground["removed"]:
        how.append(f"ground kept: {ground['why']}")
    return "  ·  ".join(name), "  ·  ".join(how)


def _count(number: int, thing: str) -> str:
    return f"{number} {thing}{'' if number == 1 else 's'}"


def _on(picture: Image.Image, ground: tuple[int, int, int] | None) -> Image.Image:
    """A tile of an RGBA picture on a colour, or on the board that stands for transparency."""
    size = (_SIDE, _SIDE)
    small = picture.resize(size, Image.Resampling.LANCZOS)
    tile = board_image(size, 8) if ground is None else Image.new("RGB", size, ground)
    tile.paste(small, (0, 0), small)
    return tile
