"""The sheet of pictures before and after: PNG for a glance, HTML for a page of the same."""

import base64
import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from dataset.atomic_file import atomic_path
from dataset.errors import ConfigError
from dataset.lettering import font_for, plain_font
from dataset.page import write_page
from dataset.preview import Recipe, Shown
from dataset.resizing import Box
from dataset.wording import seen

_ORIGINAL = (252, 192)  # the most that an original takes on a card, pixels
_ENLARGED = 192  # about the side of a prepared picture on a card, pixels
_GAP, _LINE, _FONT_SIZE = 10, 18, 13
_SHEET_WIDTH = 1840
_LONGEST_SHEET = 16_000
_PAGE, _CARD, _INK, _SOFT = "#26292b", "#323638", "#f2f4f3", "#aab4b0"
# One colour a recipe, for its window and its title.
_COLOURS = ("#ff5a4f", "#4fb3ff", "#5fe08a", "#ffc845", "#d08cff", "#ff8fc8")
_SQUARE = 8  # of the board that is seen through transparent pixels


def write_sheet(path: Path, shown: Sequence[Shown], recipes: Sequence[Recipe]) -> None:
    """Write all cards as one PNG; raises ConfigError for another ending or a folder."""
    if path.suffix.lower() != ".png" or path.is_dir():
        raise ConfigError(f"{path} cannot take the sheet; name a file that ends in .png")
    cards = [card(one, recipes) for one in shown]
    width, height = cards[0].size
    columns = max(1, (_SHEET_WIDTH + _GAP) // (width + _GAP))
    columns = min(len(cards), max(columns, -(-len(cards) * (height + _GAP) // _LONGEST_SHEET)))
    rows = -(-len(cards) // columns)
    size = (columns * (width + _GAP) + _GAP, rows * (height + _GAP) + _GAP)
    sheet = Image.new("RGB", size, _PAGE)
    for place, one in enumerate(cards):
        row, column = divmod(place, columns)
        sheet.paste(one, (_GAP + column * (width + _GAP), _GAP + row * (height + _GAP)))
    with atomic_path(path) as partial:
        sheet.save(partial, "PNG")


def write_preview_page(path: Path, shown: Sequence[Shown], recipes: Sequence[Recipe]) -> None:
    """Write the cards as one HTML page that loads nothing."""
    cards = [
        {"name": seen(one.name), "label": seen(one.label), "uri": _uri(card(one, recipes))}
        for one in shown
    ]
    titles = [recipe.title for recipe in recipes if recipe.title]
    write_page(path, "preview.html.j2", {}, cards=cards, titles=titles)


def card(one: Shown, recipes: Sequence[Recipe]) -> Image.Image:
    """One picture: its name, the original with the window of each recipe, what each made of it."""
    cells = [_enlarged(square) for square in one.prepared]
    side = max(_ORIGINAL[1], *(_cell_side(recipe.config.size) for recipe in recipes))
    width = _GAP + _ORIGINAL[0] + sum(_GAP + _column(r) for r in recipes) + _GAP
    picture = Image.new("RGB", (width, _GAP + 2 * _LINE + side + _GAP), _CARD)
    pen = ImageDraw.Draw(picture)
    facts = f"{one.size[0]}x{one.size[1]}" + (f"  {seen(one.label)}" if one.label else "")
    _write(pen, (_GAP, _GAP // 2), f"{seen(one.name)}", width - 2 * _GAP, _INK)
    top = _GAP + 2 * _LINE
    _write(pen, (_GAP, top - _LINE - 2), facts, _ORIGINAL[0], _SOFT)
    picture.paste(_with_windows(one), (_GAP, top))
    left = _GAP + _ORIGINAL[0] + _GAP
    for place, (recipe, cell) in enumerate(zip(recipes, cells, strict=True)):
        title = recipe.title or f"{recipe.config.size} px, {recipe.config.fit}"
        _write(pen, (left, top - _LINE - 2), title, _column(recipe), _colour(place))
        picture.paste(cell, (left, top))
        left += _column(recipe) + _GAP
    return picture


def _with_windows(one: Shown) -> Image.Image:
    """The original, what every recipe cuts off dimmed, and the windows drawn on it."""
    width, height = one.size
    scale = min(_ORIGINAL[0] / width, _ORIGINAL[1] / height)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    resample = Image.Resampling.NEAREST if scale > 1 else Image.Resampling.LANCZOS
    picture = _on_board(one.original.resize(size, resample))
    boxes = [_scaled(box, scale, size) for box in one.windows]
    dimmed = np.asarray(picture) // 3
    pixels = dimmed.copy()
    for left, top, right, bottom in boxes:
        pixels[top:bottom, left:right] = np.asarray(picture)[top:bottom, left:right]
    picture = Image.fromarray(pixels)
    pen = ImageDraw.Draw(picture)
    for place, (left, top, right, bottom) in enumerate(boxes):
        is_whole = (left, top, right, bottom) == (0, 0, *size)
        if not is_whole and boxes.index((left, top, right, bottom)) == place:
            pen.rectangle((left, top, right - 1, bottom - 1), outline=_colour(place), width=2)
    return picture


def _scaled(box: Box, scale: float, size: tuple[int, int]) -> tuple[int, int, int, int]:
    left, top, right, bottom = (round(edge * scale) for edge in box)
    right, bottom = min(right, size[0]), min(bottom, size[1])
    return min(left, right - 1), min(top, bottom - 1), right, bottom


def _enlarged(square: Image.Image) -> Image.Image:
    side = _cell_side(square.width)
    return _on_board(square.resize((side, side), Image.Resampling.NEAREST))


def _cell_side(size: int) -> int:
    return size * max(1, round(_ENLARGED / size))


def _column(recipe: Recipe) -> int:
    """How wide a recipe's column is: the picture, or its title where that is longer."""
    title = plain_font(_FONT_SIZE).getlength(recipe.title)
    return max(_cell_side(recipe.config.size), min(300, round(title)))


def _on_board(image: Image.Image) -> Image.Image:
    """RGB for the eye: grey as it is, transparent pixels on a board of light and dark squares."""
    if image.mode != "RGBA":
        return image.convert("RGB")
    y, x = np.mgrid[0 : image.height, 0 : image.width] // _SQUARE
    board = np.where((x + y) % 2 == 0, 205, 160).astype(np.uint8)
    ground = Image.fromarray(np.stack([board] * 3, axis=-1))
    ground.paste(image, (0, 0), image)
    return ground


def _write(
    pen: ImageDraw.ImageDraw, place: tuple[int, int], text: str, width: int, colour: str
) -> None:
    """One line, shortened in its middle where it is too long."""
    shown = text[:400]
    font = font_for(shown, _FONT_SIZE)
    if font.getlength(shown) > width:
        keep = len(shown)
        while (
            keep > 2 and font.getlength(shown[: keep // 2] + "..." + shown[-(keep // 2) :]) > width
        ):
            keep -= 1
        shown = shown[: keep // 2] + "..." + shown[-(keep // 2) :]
    pen.text(place, shown, fill=colour, font=font)


def _colour(place: int) -> str:
    return _COLOURS[place % len(_COLOURS)]


def _uri(image: Image.Image) -> str:
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()
