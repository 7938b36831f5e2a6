"""Contact sheets: pictures in rows under each other, a row's name beside it, as one PNG."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from train.batches import to_bytes
from train.condition import NO_LABEL, Condition, of_labels
from train.counter import Stream, stream_key
from train.denoiser import Denoiser
from train.drawing import Sampling, draw_pictures
from train.guidance import Guidance
from train.preview_config import PreviewConfig

_GAP = 2
_BETWEEN, _HEADING = 8, 14  # pixels between groups of columns, and for their names
_MOST_ROWS = 24  # of a model with more classes, the first are shown
_AT_ONCE = 64
_PAPER, _INK = (255, 255, 255), (40, 40, 40)


def contact_sheet(
    pictures: NDArray[np.uint8],
    *,
    columns: int,
    row_names: Sequence[str] = (),
    column_names: Sequence[str] = (),
    magnify: int = 2,
) -> Image.Image:
    """Lay out pictures (N, C, H, W) with 1, 3 or 4 channels row by row, `columns` in each.

    `row_names` are written to the left of the rows, `column_names` above as many equal groups of
    columns, which they part; alpha is shown on white.
    """
    height, width = (side * magnify for side in pictures.shape[2:])
    rows = -(-len(pictures) // columns)
    font = ImageFont.load_default()
    margin = max((round(font.getlength(name)) for name in row_names), default=0)
    margin += 2 * _GAP if margin else 0
    top = _HEADING if column_names else 0
    group = columns // max(len(column_names), 1)
    widest = max((round(font.getlength(name)) for name in column_names), default=0)
    between = max(_BETWEEN, widest - group * (width + _GAP) + _BETWEEN)
    lefts = [
        margin + _GAP + column * (width + _GAP) + column // group * between
        for column in range(columns)
    ]
    right = max(lefts[-1] + width, lefts[-group] + widest) + _GAP
    size = (right, top + rows * (height + _GAP) + _GAP)
    sheet = Image.new("RGB", size, _PAPER)
    pen = ImageDraw.Draw(sheet)
    for row, name in enumerate(row_names[:rows]):
        middle = top + _GAP + row * (height + _GAP) + height // 2
        pen.text((_GAP, middle), name, fill=_INK, font=font, anchor="lm")
    for number, name in enumerate(column_names):
        pen.text((lefts[number * group], _GAP), name, fill=_INK, font=font)
    for i, picture in enumerate(pictures):
        row, column = divmod(i, columns)
        place = (lefts[column], top + _GAP + row * (height + _GAP))
        tile = picture_image(picture).resize((width, height), Image.Resampling.NEAREST)
        sheet.paste(tile, place, tile if tile.mode == "RGBA" else None)
    return sheet


def picture_image(picture: NDArray[np.uint8]) -> Image.Image:
    """One picture (C, H, W) as an image of mode L, RGB or RGBA."""
    if len(picture) == 1:
        return Image.fromarray(np.ascontiguousarray(picture[0]))
    return Image.fromarray(np.ascontiguousarray(picture.transpose(1, 2, 0)))


class Panel(NamedTuple):
    """Pictures row by row that one network made."""

    pictures: NDArray[np.uint8]  # (N, C, H, W)
    columns: int
    row_names: Sequence[str] = ()


def side_by_side(panels: Mapping[str, Panel], magnify: int = 2) -> Image.Image:
    """One sheet of alike panels, each under its name: row i of all beside each other."""
    first = next(iter(panels.values()))
    starts = range(0, len(first.pictures), first.columns)
    rows = [
        _full_row(panel.pictures[start : start + panel.columns], panel.columns)
        for start in starts
        for panel in panels.values()
    ]
    return contact_sheet(
        np.concatenate(rows),
        columns=first.columns * len(panels),
        row_names=first.row_names,
        column_names=list(panels),
        magnify=magnify,
    )


def _full_row(pictures: NDArray[np.uint8], columns: int) -> NDArray[np.uint8]:
    """A row of fewer pictures than `columns`, filled up with white."""
    white = np.full((columns - len(pictures), *pictures.shape[1:]), 255, np.uint8)
    return np.concatenate([pictures, white])


def drawn_panel(
    denoiser: Denoiser, config: PreviewConfig, label_names: Sequence[str], seed: int
) -> Panel:
    """Pictures of every class, from the same seeds each time so that sheets compare."""
    names = list(label_names[:_MOST_ROWS]) or ["no label"]
    labels = torch.arange(len(names)).repeat_interleave(config.per_class)
    if not label_names:
        labels = torch.full_like(labels, NO_LABEL)
    return Panel(drawn(denoiser, config, of_labels(labels), seed), config.per_class, names)


def told_panel(denoiser: Denoiser, config: PreviewConfig, condition: Condition, seed: int) -> Panel:
    """Pictures of `condition`, that of some pictures which are learnt from."""
    return Panel(drawn(denoiser, config, condition, seed), config.per_class)


def drawn(
    denoiser: Denoiser, config: PreviewConfig, condition: Condition, seed: int
) -> NDArray[np.uint8]:
    """Pictures (B, C, H, W) of `condition`, a few at once."""
    count = len(condition.labels)
    seeds = [stream_key(seed, Stream.PREVIEW, i) for i in range(count)]
    parts = [
        _draw(denoiser, config, condition.part(i, i + _AT_ONCE), seeds[i : i + _AT_ONCE])
        for i in range(0, count, _AT_ONCE)
    ]
    return np.concatenate(parts)


def _draw(
    denoiser: Denoiser, config: PreviewConfig, condition: Condition, seeds: Sequence[int]
) -> NDArray[np.uint8]:
    sampling = Sampling(
        steps=min(config.steps, denoiser.schedule.steps), guidance=Guidance(scale=config.guidance)
    )
    made = torch.nan_to_num(draw_pictures(denoiser, condition, seeds, sampling))
    pictures: NDArray[np.uint8] = to_bytes(made).cpu().numpy()
    return pictures
