"""Alignment: how an original has to be moved, zoomed, turned and mirrored to lie on a sample.

Finer than the grid of views: a damped Gauss-Newton search that starts at the view that matched.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from dataset.pixels import Pixels
from sample.embed import Vectors, light_and_dark, luma
from sample.exposure import lit
from sample.views import View, apply_view, middles, mirror

Poses = NDArray[np.float64]  # (P, 4): log of the zoom, right, down, turn in radians

# Rounds on the coarse luma and on the fine one.
_COARSE_ROUNDS, _ROUNDS = 3, 4
# Step of the difference quotients: about half a pixel of 32, at the edge of a zoomed picture.
_STEP = 0.03
# How far from its start a pose may go: a zoom of 0.75 to 1.33, an eighth of the side, 14 degrees.
_FARTHEST = np.array([0.29, 0.25, 0.25, 0.25])
_DAMPING, _CALMER, _WILDER = 1e-2, 0.25, 8.0
_BATCH = 512
_SIDE = 32  # px that the descriptor can make use of


@dataclass(frozen=True)
class Alignment:
    """An original lies on the sample when seen through `view` and then, perhaps, mirrored.

    `distance` is what is left between the two, Euclidean between their unit vectors (0..2), when
    the original's levels of 0..255 are multiplied by `gain` and raised by `bias`.
    """

    view: View
    mirrored: bool
    distance: float
    gain: float = 1.0
    bias: float = 0.0


def seen_through(original: Pixels, alignment: Alignment) -> Pixels:
    """The original (H, W, 3) uint8 as the sample shows it."""
    seen = apply_view(original[None], alignment.view)
    seen = lit(seen, np.full(1, alignment.gain), np.full(1, alignment.bias))
    placed: Pixels = mirror(seen)[0] if alignment.mirrored else seen[0]
    return placed


def align(pictures: Pixels, originals: Pixels, starts: Sequence[View]) -> list[View]:
    """The views through which P `originals` look most like P `pictures`, both (P, H, W, 3) uint8.

    Least squares over zoom, shift and turn by Levenberg's method (1944), measured by the luma of
    the built-in descriptor, in which no view is worse than its start. Pictures that match as their
    mirror image have to be mirrored before.
    """
    light, light_of_originals = _light(pictures), _light(originals)
    views: list[View] = []
    for at in range(0, len(pictures), _BATCH):
        part = slice(at, at + _BATCH)
        poses = np.array([_pose(view) for view in starts[part]], dtype=np.float64).reshape(-1, 4)
        views += map(_view, _best_poses(light[part], light_of_originals[part], poses))
    return views


def rendered(originals: Pixels, views: Sequence[View]) -> Pixels:
    """P originals, (P, H, W, 3) uint8, each seen through its own view."""
    seen = np.empty_like(originals)
    for at in range(0, len(originals), _BATCH):
        part = slice(at, at + _BATCH)
        poses = np.array([_pose(view) for view in views[part]], dtype=np.float64).reshape(-1, 4)
        seen[part] = _bytes(_seen(_planes(originals[part]), poses))
    return seen


def _best_poses(light: Tensor, originals: Tensor, starts: Poses) -> Poses:
    """The better of two searches: from the start, and from where a coarser search came to.

    Fine drawings have many places where a step either way is worse; coarse ones have few.
    """
    bounds = starts - _FARTHEST, starts + _FARTHEST
    rough, _ = _searched(light, originals, starts, bounds, coarse=True)
    one, left = _searched(light, originals, starts, bounds, coarse=False)
    other, left_of_other = _searched(light, originals, rough, bounds, coarse=False)
    return np.where((left_of_other < left)[:, None], other, one)


def _searched(
    light: Tensor, originals: Tensor, poses: Poses, bounds: tuple[Poses, Poses], *, coarse: bool
) -> tuple[Poses, NDArray[np.float64]]:
    """The best poses found, (P, 4), and what is left there, (P,); planes are (P, 1, H, W)."""
    wanted = _described(light, coarse)

    def left_at(poses: Poses) -> Vectors:
        # Rounded, or the last bit would hang on how many pictures are seen at once.
        return _described(_seen(originals, poses).round_(), coarse) - wanted

    apart = left_at(poses)  # (P, dim)
    damping = np.full(len(poses), _DAMPING)
    for _ in range(_COARSE_ROUNDS if coarse else _ROUNDS):
        beside = [left_at(poses + step) for step in np.eye(4) * _STEP]
        slopes = np.stack([there - apart for there in beside], axis=2) / _STEP  # (P, dim, 4)
        normal = np.einsum("pdi,pdj->pij", slopes, slopes)
        scale = np.einsum("pii->pi", normal) * damping[:, None] + 1e-6
        normal += scale[:, :, None] * np.eye(4)
        uphill = np.einsum("pdi,pd->pi", slopes, apart)
        trial = poses - np.linalg.solve(normal, uphill[..., None])[..., 0]
        trial = np.clip(trial, *bounds)
        there = left_at(trial)
        better = np.square(there).sum(axis=1) < np.square(apart).sum(axis=1)  # (P,)
        poses = np.where(better[:, None], trial, poses)
        apart = np.where(better[:, None], there, apart)
        damping *= np.where(better, _CALMER, _WILDER)
    return poses, np.square(apart, dtype=np.float64).sum(axis=1)


def _described(light: Tensor, coarse: bool) -> Vectors:
    return light_and_dark(light[:, 0].numpy(), coarse=coarse)


def _light(pictures: Pixels) -> Tensor:
    """The luma, (P, 1, H, W); where the shorter side is 64 px or more averaged down to 32 to 63,
    for the descriptor sees no more than that."""
    light = torch.from_numpy(luma(pictures))[:, None]
    times = max(1, min(pictures.shape[1:3]) // _SIDE)
    size = pictures.shape[1] // times, pictures.shape[2] // times
    return functional.adaptive_avg_pool2d(light, size) if times > 1 and len(light) else light


def _planes(pictures: Pixels) -> Tensor:
    """(P, H, W, 3) uint8 to (P, 3, H, W) float32."""
    return torch.from_numpy(np.ascontiguousarray(pictures.transpose(0, 3, 1, 2))).float()


def _bytes(planes: Tensor) -> Pixels:
    rounded = planes.add(0.5).clamp(0, 255).to(torch.uint8)
    return np.ascontiguousarray(rounded.permute(0, 2, 3, 1).numpy())


def _seen(source: Tensor, poses: Poses) -> Tensor:
    """(P, C, H, W), each through its own pose: what `apply_view` sees."""
    height, width = source.shape[2:]
    down, right = (torch.from_numpy(middles(size)).float() for size in (height, width))
    zoom, (to_right, to_down, turn) = np.exp(poses[:, 0]), poses[:, 1:].T
    aspect, cos, sin = height / width, np.cos(turn) * zoom, np.sin(turn) * zoom
    numbers = np.stack([cos, -sin * aspect, to_right, sin / aspect, cos, to_down])
    xx, xy, x, yx, yy, y = torch.from_numpy(numbers).float()[:, :, None, None]  # (P, 1, 1) each
    across = xx * right + (xy * down[:, None] + x)  # (P, H, W)
    along = yx * right + (yy * down[:, None] + y)
    grid = torch.stack([across, along], dim=3)
    return functional.grid_sample(source, grid, padding_mode="border", align_corners=False)


def _pose(view: View) -> tuple[float, float, float, float]:
    return float(np.log(view.zoom)), view.right, view.down, float(np.deg2rad(view.degrees))


def _view(pose: NDArray[np.float64]) -> View:
    zoom, right, down, turn = (float(value) for value in pose)
    degrees = float(np.rad2deg(turn))
    return View(name="aligned", zoom=float(np.exp(zoom)), right=right, down=down, degrees=degrees)
