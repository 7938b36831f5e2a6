"""A sheet of samples of a pack: a row of pictures for each class, with its name beside it."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from dataset.packed import PackedDataset
from dataset.pixels import Pixels
from dataset.wording import seen

_PER_ROW = 12
_MOST_ROWS, _ROWS_WITHOUT_LABELS, _MOST_TILE_SIDE = 64, 8, 128
_NAME_WIDTH, _NAME_HEIGHT, _FONT_SIZE, _LONGEST_NAME = 160, 16, 11, 26
_CHECKERED = (204, 255)  # the two greys under what is transparent
_CHECKER_SIDE = 4


def sample_sheet(packed: PackedDataset, per_row: int = _PER_ROW, scale: int = 2) -> Image.Image:
    """A picture of the first pictures of every class, a row each and its name beside them, enlarged
    `scale` times or brought to 128 px, if that is less; at most 64 classes. A pack without labels
    fills up to 8 rows. What is transparent shows a checkerboard."""
    rows = _rows(packed, per_row)
    width = min(packed.width * scale, _MOST_TILE_SIDE)
    height = min(packed.height * scale, _MOST_TILE_SIDE)
    step = max(height, _NAME_HEIGHT)
    margin = _NAME_WIDTH if any(name for name, _ in rows) else 0
    size = (per_row * width + margin, max(len(rows), 1) * step)
    sheet = Image.new("RGB", size, "white")
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(_FONT_SIZE)
    how = Image.Resampling.NEAREST if height >= packed.height else Image.Resampling.BOX
    for down, (name, members) in enumerate(rows):
        for across, picture in enumerate(packed.data[members]):
            tile = Image.fromarray(shown(picture)).resize((width, height), how)
            sheet.paste(tile, (across * width, down * step))
        place = (per_row * width + 6, down * step + (step - _FONT_SIZE) // 2 - 1)
        pen.text(place, name, fill="black", font=font)
    return sheet


def told(packed: PackedDataset) -> str:
    """What the sheet of a pack shows, in words."""
    classes = len(np.unique(packed.labels))
    if not (packed.labels >= 0).any():
        shown_count = min(len(packed), _PER_ROW * _ROWS_WITHOUT_LABELS)
        return f"the first {shown_count} of {len(packed):,} pictures, which have no labels"
    among = f"the first {_MOST_ROWS} of {classes:,}" if classes > _MOST_ROWS else f"{classes}"
    return f"{among} classes, up to {_PER_ROW} pictures each"


def _rows(packed: PackedDataset, per_row: int) -> list[tuple[str, NDArray[np.int64]]]:
    """The name of each row and its pictures; names are "" where there are no labels at all."""
    if not (packed.labels >= 0).any():
        some = np.arange(min(len(packed), per_row * _ROWS_WITHOUT_LABELS))
        return [("", some[start : start + per_row]) for start in range(0, len(some), per_row)]
    names = [*packed.label_names, "(no label)"]
    return [
        (_short(names[label]), np.flatnonzero(packed.labels == label)[:per_row])
        for label in np.unique(packed.labels)[:_MOST_ROWS].tolist()
    ]


def _short(name: str) -> str:
    line = " ".join(seen(name[:400]).split())
    return line if len(line) <= _LONGEST_NAME else f"{line[: _LONGEST_NAME - 3]}..."


def shown(picture: Pixels) -> Pixels:
    """A picture (C, H, W) of 1, 3 or 4 channels as (H, W, 3), RGBA over a checkerboard."""
    upright = np.ascontiguousarray(picture.transpose(1, 2, 0))
    if upright.shape[2] == 1:
        return np.repeat(upright, 3, axis=2)
    if upright.shape[2] == 3:
        return upright
    down, across = np.indices(upright.shape[:2]) // _CHECKER_SIDE
    board = np.where((down + across) % 2, *_CHECKERED).astype(np.uint16)[..., None]
    alpha = upright[..., 3:].astype(np.uint16)
    mixed = (upright[..., :3] * alpha + board * (255 - alpha) + 127) // 255
    return mixed.astype(np.uint8)
