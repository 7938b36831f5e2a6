"""Augmentation that does not leak: pictures are flipped and warped, and the network is told how.

Parameters, strengths and conditioning of Karras et al. 2022, appendix F.2 (table 6). Every random
number is a function of the seed and of the picture's place in the sequence of epochs.
"""

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from train.augment_config import AugmentConfig
from train.counter import Stream, stream_key, uniform

# Numbers that tell the network what was done: x-flip, y-flip, scaling, rotation as cosine - 1 and
# sine, anisotropy along two axes, translation in x and y. All are 0 where nothing was done.
CONDITIONS = 9

_KINDS = 6  # of transformation; each is used or not by a draw of its own
_DRAWS = _KINDS + 8


@dataclass(frozen=True, kw_only=True)
class Transformations:
    """What is done to each picture of a batch; every field is (B,), 0 for not done."""

    x_flip: Tensor  # bool
    y_flip: Tensor  # bool
    scaling: Tensor  # in standard deviations; the fields below are float64 too
    angle: Tensor  # of the rotation, in radians
    stretch: Tensor  # the anisotropy in standard deviations
    stretch_angle: Tensor  # its axis, in radians
    shift_x: Tensor  # in standard deviations, positive to the right
    shift_y: Tensor  # positive down

    def conditions(self) -> Tensor:
        """What the network is told: (B, CONDITIONS) float32."""
        columns = (
            self.x_flip.double(),
            self.y_flip.double(),
            self.scaling,
            self.angle.cos() - 1.0,
            self.angle.sin(),
            # The paper tells the plain angle, which does not tell a stretch from a squeeze along
            # the same axis, as an axis has no direction; of the doubled angle each has its own.
            self.stretch * (2.0 * self.stretch_angle).cos(),
            self.stretch * (2.0 * self.stretch_angle).sin(),
            self.shift_x,
            self.shift_y,
        )
        return torch.stack(columns, dim=1).float()

    def moves(self) -> Tensor:
        """Whether pixels come to lie between pixels, so that a picture is resampled: bool (B,)."""
        fields = (self.scaling, self.angle, self.stretch, self.shift_x, self.shift_y)
        return torch.stack([field != 0 for field in fields]).any(dim=0)

    def matrices(self, config: AugmentConfig) -> Tensor:
        """Scaling, then rotation, then anisotropy of the picture's plane: (B, 2, 2) float64."""
        scale = torch.exp2(config.scaling * self.scaling)
        stretch = torch.exp2(config.anisotropy * self.stretch)
        axes = _rotations(self.stretch_angle)
        anisotropy = axes @ _diagonals(stretch, 1.0 / stretch) @ axes.mT
        return anisotropy @ _rotations(self.angle) @ _diagonals(scale, scale)


def sampled_transformations(config: AugmentConfig, seed: int, places: Tensor) -> Transformations:
    """What is done to the pictures at `places` (B,) int64 of the sequence of epochs."""
    counters = places[:, None] * _DRAWS + torch.arange(_DRAWS, device=places.device)
    draws = uniform(stream_key(seed, Stream.AUGMENT), counters)  # (B, _DRAWS) float64
    strengths = (
        float(config.x_flip),
        float(config.y_flip),
        config.scaling,
        config.rotation,
        config.anisotropy,
        config.translation,
    )
    # Numbers that a GPU is sent one by one are waited for; these go along with the kernels.
    x_flip, y_flip, scaling, rotation, anisotropy, translation = (
        draw < (config.probability if strength > 0 else 0.0)
        for draw, strength in zip(draws[:, :_KINDS].unbind(1), strengths, strict=True)
    )
    x_coin, y_coin, size, turn, stretch, axis, right, down = draws[:, _KINDS:].unbind(1)
    return Transformations(
        x_flip=x_flip & (x_coin < 0.5),
        y_flip=y_flip & (y_coin < 0.5),
        scaling=_normal(size) * scaling,
        angle=(2.0 * turn - 1.0) * (math.pi * config.rotation) * rotation,
        stretch=_normal(stretch) * anisotropy,
        stretch_angle=(2.0 * axis - 1.0) * math.pi * anisotropy,
        shift_x=_normal(right) * translation,
        shift_y=_normal(down) * translation,
    )


def augmented(
    pictures: Tensor, places: Tensor, config: AugmentConfig, seed: int
) -> tuple[Tensor, Tensor]:
    """Pictures (B, C, H, W) float32 in [-1, 1] transformed, and what was done: (B, CONDITIONS).

    A picture to which nothing is done keeps its numbers to the bit; flips only move pixels.
    """
    if not config.active or len(pictures) == 0:
        return pictures, torch.zeros(len(pictures), CONDITIONS, device=pictures.device)
    done = sampled_transformations(config, seed, places)
    pictures = torch.where(_each(done.x_flip), pictures.flip(3), pictures)
    pictures = torch.where(_each(done.y_flip), pictures.flip(2), pictures)
    height, width = pictures.shape[2:]
    right = done.shift_x * config.translation * width
    shifts = torch.stack([right, done.shift_y * config.translation * height], dim=1)
    moved = warped(pictures, done.matrices(config), shifts)
    return torch.where(_each(done.moves()), moved, pictures), done.conditions()


def warped(pictures: Tensor, matrices: Tensor, shifts: Tensor) -> Tensor:
    """Pictures (B, C, H, W) in [-1, 1], their planes mapped about the middle and then shifted.

    `matrices` (B, 2, 2) act on (right, down) in pixels, `shifts` (B, 2) are in pixels. One
    bicubic resampling, which leaves whole-pixel shifts as they are; beyond the edge the picture
    goes on as its mirror image. Nothing is low-passed: at the usual strengths pictures shrink by
    an eighth or two, where aliasing is slight.
    """
    if pictures.shape[1] != 4:
        return _resampled(pictures, matrices, shifts).clamp(-1.0, 1.0)
    # Colours weighted by their opacity, or the unseen colour of clear pixels would bleed in.
    unit = (pictures + 1.0) / 2.0
    colour, opacity = unit[:, :3], unit[:, 3:]
    layers = torch.cat([colour * opacity, opacity, colour], dim=1)
    moved = _resampled(layers, matrices, shifts)
    weighted, opacity, plain = moved[:, :3], moved[:, 3:4], moved[:, 4:]
    seen = opacity > 1.0 / 255.0
    colour = torch.where(seen, weighted / torch.where(seen, opacity, 1.0), plain)
    return torch.cat([colour, opacity], dim=1).clamp(0.0, 1.0) * 2.0 - 1.0


def _resampled(pictures: Tensor, matrices: Tensor, shifts: Tensor) -> Tensor:
    height, width = pictures.shape[2:]
    # From the middle to the centres of the outermost pixels, which grid_sample calls 1.
    sides = (max(width - 1, 1), max(height - 1, 1))
    halves = torch.stack([shifts.new_full((), side / 2) for side in sides])
    # Each pixel of the result asks where it came from, hence the inverse.
    inverses = _inverses(matrices)
    origins = -inverses @ shifts[:, :, None]  # (B, 2, 1), of the middle
    affine = torch.cat([inverses * halves, origins], dim=2) / halves[:, None]  # (B, 2, 3)
    grid = F.affine_grid(affine.to(pictures.dtype), list(pictures.shape), align_corners=True)
    return F.grid_sample(
        pictures, grid, mode="bicubic", padding_mode="reflection", align_corners=True
    )


def _inverses(matrices: Tensor) -> Tensor:
    """Of (B, 2, 2) in closed form, which asks nothing of the device."""
    (a, b), (c, d) = ((row[:, 0], row[:, 1]) for row in matrices.unbind(1))
    adjugate = torch.stack([d, -b, -c, a], dim=1).reshape(-1, 2, 2)
    inverses: Tensor = adjugate / (a * d - b * c)[:, None, None]
    return inverses


def _rotations(angles: Tensor) -> Tensor:
    """By `angles` (B,), clockwise as seen, since y points down: (B, 2, 2)."""
    cos, sin = angles.cos(), angles.sin()
    return torch.stack([cos, -sin, sin, cos], dim=1).reshape(-1, 2, 2)


def _diagonals(right: Tensor, down: Tensor) -> Tensor:
    return torch.diag_embed(torch.stack([right, down], dim=1))


def _normal(draws: Tensor) -> Tensor:
    """Standard normal numbers from uniform ones in [0, 1), of which 0 itself has no image."""
    numbers: Tensor = torch.special.ndtri(draws.clamp(min=2.0**-54))
    return numbers


def _each(chosen: Tensor) -> Tensor:
    """(B,) to (B, 1, 1, 1)."""
    return chosen[:, None, None, None]
