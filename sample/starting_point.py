"""What a drawing starts from: noise alone, a picture, a part of one, or the way to another seed."""

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image, ImageOps
from torch import Tensor

from dataset.errors import ConfigError, DataError, PictureError
from dataset.pixels import PixelLimits, colour_image, rasterise
from train.batches import to_signed
from train.checked import require
from train.condition import Condition
from train.denoiser import Denoiser
from train.drawing import Sampling, draw_pictures
from train.editing import fill_in, interpolate, redraw
from train.samplers import OnStep

_LIMITS = PixelLimits(min_side=1, max_aspect=math.inf)
_USUAL_STRENGTH = 0.6
_BLACK = 8  # below it a mask is black: that of a JPEG is not quite 0


@dataclass(frozen=True, kw_only=True)
class Start:
    """Noise alone unless a picture or a second seed is given."""

    picture: Path | None = None  # it is noised and drawn anew, or parts of it kept
    strength: float | None = None  # of drawing anew: the share of the steps that is done (0.6)
    mask: Path | None = None  # black where the picture is kept, to the bit; the rest is drawn
    rounds: int = 1  # of filling in: more fit the parts together better
    towards: int | None = None  # the seed that the last picture of each class has

    def __post_init__(self) -> None:
        if self.picture is None and (self.mask is not None or self.strength is not None):
            raise ConfigError("a mask or a strength is about a picture; give one to start from")
        if self.mask is not None and self.strength is not None:
            raise ConfigError("strength and mask exclude each other; what is masked is all drawn")
        if self.picture is not None and self.towards is not None:
            raise ConfigError("a drawing starts from a picture or goes towards a seed, not both")
        if self.mask is None and self.rounds != 1:
            raise ConfigError("rounds are of filling in; give a mask, too")
        sure = self.strength is None or 0 < self.strength <= 1
        require(sure, "strength", self.strength, "above 0, at most 1")
        require(1 <= self.rounds <= 100, "rounds", self.rounds, "from 1 to 100")
        sure = self.towards is None or 0 <= self.towards < 2**62
        require(sure, "towards", self.towards, "a seed, from 0 to below 2 to the power of 62")

    def opened(self, shape: tuple[int, int, int]) -> "StartingPoint":
        """With its files read, for pictures of `shape` (C, H, W).

        Raises ConfigError for missing files or a mask of other proportions than the picture,
        DataError for files that are no pictures.
        """
        if self.towards is not None:
            return StartingPoint(facts={"towards": self.towards}, towards=self.towards)
        if self.picture is None:
            return StartingPoint()
        content = read_content(self.picture)
        facts: dict[str, Any] = {"from": hashlib.sha256(content).hexdigest()}
        image = upright_image(content, self.picture, shape[0])
        picture = _fitted(image, shape)
        if self.mask is None:
            strength = _USUAL_STRENGTH if self.strength is None else self.strength
            facts["strength"] = strength
            return StartingPoint(facts=facts, picture=picture, strength=strength)
        content = read_content(self.mask)
        mask = upright_image(content, self.mask, 1)
        if mask.width * image.height != mask.height * image.width:
            raise ConfigError(
                f"the mask {self.mask} is {mask.width} x {mask.height}, the picture {image.width}"
                f" x {image.height}; give one of its size"
            )
        facts |= {"mask": hashlib.sha256(content).hexdigest(), "rounds": self.rounds}
        known = _known(mask, shape)
        return StartingPoint(facts=facts, picture=picture, known=known, rounds=self.rounds)


@dataclass(frozen=True, kw_only=True)
class StartingPoint:
    """A start whose files were read; `facts` are what decides a picture, as JSON has it."""

    facts: dict[str, Any] = field(default_factory=dict)  # of files the SHA-256
    picture: Tensor | None = None  # (1, C, H, W) in [-1, 1]
    strength: float = 1.0
    known: Tensor | None = None  # (H, W) bool
    rounds: int = 1
    towards: int | None = None

    def drawn(
        self,
        denoiser: Denoiser,
        condition: Condition,
        seeds: Sequence[int],
        shares: Sequence[float],
        sampling: Sampling,
        on_step: OnStep,
    ) -> Tensor:
        """Pictures (B, C, H, W) in [-1, 1]; `shares` say how far towards the other seed each is."""
        if self.towards is not None:
            ends = (seeds[0], self.towards)
            return interpolate(denoiser, condition, ends, shares, sampling, on_step)
        if self.picture is None:
            return draw_pictures(denoiser, condition, seeds, sampling, on_step)
        about = (denoiser, condition, seeds, sampling)
        given = self.picture.expand(len(seeds), -1, -1, -1)
        if self.known is None:
            return redraw(*about, given, strength=self.strength, on_step=on_step)
        return fill_in(*about, given, self.known, rounds=self.rounds, on_step=on_step)


NOISE = StartingPoint()


def upright_image(content: bytes, name: object, channels: int) -> Image.Image:
    """The picture upright, of mode L, RGB or RGBA by `channels`.

    Raises DataError, with the `name` of the file, for what is no picture.
    """
    try:
        if channels == 4:
            return colour_image(content, limits=_LIMITS)[0].convert("RGBA")
        image = rasterise(content, limits=_LIMITS).image
    except PictureError as error:
        raise DataError(f"{name} cannot be used: {error}") from error
    return image.convert("L") if channels == 1 else image


def signed(image: Image.Image) -> Tensor:
    """An image of mode L, RGB or RGBA as (1, C, H, W) in [-1, 1]."""
    pixels = np.atleast_3d(np.asarray(image))  # (H, W, C)
    return to_signed(torch.from_numpy(pixels.transpose(2, 0, 1).copy())[None])


def _fitted(image: Image.Image, shape: tuple[int, int, int]) -> Tensor:
    """(1, C, H, W) in [-1, 1]: cut to the proportions of `shape`, then resized."""
    return signed(ImageOps.fit(image, (shape[2], shape[1])))


def _known(mask: Image.Image, shape: tuple[int, int, int]) -> Tensor:
    """Where the mask is black all over: bool (H, W)."""
    small = ImageOps.fit(mask, (shape[2], shape[1]), Image.Resampling.BOX)
    return torch.from_numpy(np.asarray(small) < _BLACK)


def read_content(path: Path) -> bytes:
    """The bytes of a file that was asked for; raises ConfigError if it cannot be read."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror}; check the path") from error
