"""Contact sheets: pictures in rows under each other, a row's name beside it, as one PNG."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from train.batches import to_bytes
from train.config import PreviewConfig
from train.counter import Stream, stream_key
from train.diffusion import Denoiser
from train.samplers import ddim, starting_noise
from train.unet import NO_LABEL

_GAP = 2
_MOST_ROWS = 24  # of a model with more classes, the first are shown
_AT_ONCE = 64
_PAPER, _INK = (255, 255, 255), (40, 40, 40)


def contact_sheet(
    pictures: NDArray[np.uint8],
    *,
    columns: int,
    row_names: Sequence[str] = (),
    magnify: int = 2,
) -> Image.Image:
    """Lay out pictures (N, C, H, W) with 1, 3 or 4 channels row by row, `columns` in each.

    `row_names` are written to the left of the rows; alpha is shown on white.
    """
    height, width = (side * magnify for side in pictures.shape[2:])
    rows = -(-len(pictures) // columns)
    font = ImageFont.load_default()
    margin = max((round(font.getlength(name)) for name in row_names), default=0)
    margin += 2 * _GAP if margin else 0
    size = (margin + columns * (width + _GAP) + _GAP, rows * (height + _GAP) + _GAP)
    sheet = Image.new("RGB", size, _PAPER)
    pen = ImageDraw.Draw(sheet)
    for row, name in enumerate(row_names[:rows]):
        middle = _GAP + row * (height + _GAP) + height // 2
        pen.text((_GAP, middle), name, fill=_INK, font=font, anchor="lm")
    for i, picture in enumerate(pictures):
        row, column = divmod(i, columns)
        place = (margin + _GAP + column * (width + _GAP), _GAP + row * (height + _GAP))
        tile = picture_image(picture).resize((width, height), Image.Resampling.NEAREST)
        sheet.paste(tile, place, tile if tile.mode == "RGBA" else None)
    return sheet


def picture_image(picture: NDArray[np.uint8]) -> Image.Image:
    """One picture (C, H, W) as an image of mode L, RGB or RGBA."""
    if len(picture) == 1:
        return Image.fromarray(np.ascontiguousarray(picture[0]))
    return Image.fromarray(np.ascontiguousarray(picture.transpose(1, 2, 0)))


def draw_preview(
    denoiser: Denoiser, config: PreviewConfig, label_names: Sequence[str], seed: int
) -> Image.Image:
    """Pictures of every class, from the same seeds each time so that sheets compare."""
    names = list(label_names[:_MOST_ROWS]) or ["no label"]
    labels = torch.arange(len(names)).repeat_interleave(config.per_class)
    if not label_names:
        labels = torch.full_like(labels, NO_LABEL)
    seeds = [stream_key(seed, Stream.PREVIEW, i) for i in range(len(labels))]
    parts = [
        _draw(denoiser, config, labels[i : i + _AT_ONCE], seeds[i : i + _AT_ONCE])
        for i in range(0, len(labels), _AT_ONCE)
    ]
    return contact_sheet(np.concatenate(parts), columns=config.per_class, row_names=names)


def _draw(
    denoiser: Denoiser, config: PreviewConfig, labels: Tensor, seeds: Sequence[int]
) -> NDArray[np.uint8]:
    noise, generators = starting_noise(seeds, denoiser.shape)
    drawn = ddim(
        denoiser,
        noise.to(denoiser.device),
        labels.to(denoiser.device),
        steps=min(config.steps, denoiser.schedule.steps),
        guidance=config.guidance,
        generators=generators,
    )
    pictures: NDArray[np.uint8] = to_bytes(drawn).cpu().numpy()
    return pictures
