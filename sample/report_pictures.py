"""The pictures inside the novelty report: data addresses, and sheets of very many small ones."""

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image

from dataset.pixels import Pixels

# Up to this many pixels wide a picture is shown pixel by pixel and kept without loss.
SMALL = 96
_SHOWN = 224  # what a larger one is reduced to
_QUALITY = 86
TILE, ACROSS = 32, 32
_PER_SHEET = ACROSS * 32


@dataclass(frozen=True)
class Sheet:
    """Many pictures in one, `TILE` pixels each, `ACROSS` a row, read row by row."""

    uri: str
    pictures: int
    rows: int


def picture_uri(picture: Pixels) -> str:
    """(H, W, 3) uint8 as a data: address; lossless if small, else reduced to what is shown."""
    if max(picture.shape[:2]) <= SMALL:
        return png_uri(picture)
    image = Image.fromarray(picture)
    image.thumbnail((_SHOWN, _SHOWN), Image.Resampling.LANCZOS)
    return _webp_uri(image)


def png_uri(picture: Pixels) -> str:
    """(H, W, 3) uint8 as a data: address of a PNG."""
    image = Image.fromarray(picture)
    if image.getcolors(256):  # flat art and difference pictures: a palette loses nothing
        image = image.convert("P", palette=Image.Palette.ADAPTIVE, colors=256)
        if not np.array_equal(np.asarray(image.convert("RGB")), picture):
            image = Image.fromarray(picture)
    buffer = io.BytesIO()
    image.save(buffer, "PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()


def sheets(pictures: Sequence[Pixels]) -> list[Sheet]:
    """Lay (H, W, 3) pictures out on as few sheets as needed."""
    made = []
    for start in range(0, len(pictures), _PER_SHEET):
        part = pictures[start : start + _PER_SHEET]
        rows = -(-len(part) // ACROSS)
        sheet = Image.new("RGB", (ACROSS * TILE, rows * TILE), (128, 128, 128))
        for place, picture in enumerate(part):
            tile = Image.fromarray(picture)
            if tile.size != (TILE, TILE):
                nearest = max(tile.size) < TILE
                method = Image.Resampling.NEAREST if nearest else Image.Resampling.BOX
                tile = tile.resize((TILE, TILE), method)
            sheet.paste(tile, (place % ACROSS * TILE, place // ACROSS * TILE))
        made.append(Sheet(_webp_uri(sheet), len(part), rows))
    return made


def _webp_uri(image: Image.Image) -> str:
    buffer = io.BytesIO()
    image.save(buffer, "WEBP", quality=_QUALITY, method=4)
    return "data:image/webp;base64," + base64.b64encode(buffer.getvalue()).decode()
