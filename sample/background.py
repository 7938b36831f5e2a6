"""The flat ground of a drawing: found, or refused with the reason, and made transparent.

The ground is what can be reached from the border; what the drawing encloses stays. Where the edge
mixes the drawing's own colour with the ground's, it becomes the former, partly transparent.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dataset.pixels import Pixels
from sample.lab import Floats, distance, lab, neighbourhood

Mask = NDArray[np.bool_]

# Distances in Lab. Least is what JPEG and a model's grain do to a flat ground.
_LEAST_TOLERANCE, _MOST_TOLERANCE, _ALIKE_CORNERS = 6.0, 14.0, 9.0
_BORDER_SHARE = 0.75  # of a border that is of one colour although its corners are not
_SHARP = 20.0  # median step from the ground to the drawing: less fades, as a sky does
_LEAST_LEFT, _MOST_LEFT = 0.005, 0.999  # share of the pixels that are drawing
_PAPER = (90.0, 8.0)  # what is lighter than this, and greyer, is white
_SMALL = 64  # pictures of at most so many pixels a side have edges one pixel wide, larger ones two
_EDGE_REACH = 2  # how far the own colour of an edge's pixel is looked for
_FAR = 0.6  # of the greatest squared distance from the ground
_MIXTURE = 5.0  # how far in Lab a pixel may lie from a mixture that it is taken for


class NoGroundError(Exception):
    """The picture has no ground that could be removed; the message says why."""


@dataclass(frozen=True)
class Ground:
    """What is behind a drawing: its colour in sRGB 0..255, and its pixels (H, W)."""

    colour: tuple[float, float, float]
    mask: Mask


def find_ground(picture: Pixels, *, holes: bool = False) -> Ground:
    """The flat ground of (H, W, 3) uint8, with `holes` also where the drawing encloses it; raises
    NoGroundError where there is none."""
    seen = lab(picture)
    colour, tolerance = _ground_colour(seen)
    near = distance(seen, colour) <= tolerance
    reached = near if holes else reached_from_border(near)
    mask = without_specks(reached, distance(seen, colour) <= 2 * tolerance)
    left = 1.0 - float(mask.mean())
    if left < _LEAST_LEFT:
        raise NoGroundError("nothing is drawn on it")
    if left > _MOST_LEFT:
        raise NoGroundError("the drawing fills it to the border")
    step = float(np.median(distance(seen, colour)[grown(mask, 2) & ~mask]))
    if step < _SHARP:
        raise NoGroundError(f"the ground fades into the drawing (a step of {step:.0f} in Lab)")
    inside = seen[~grown(mask, 1)]
    if len(inside) and _is_white(inside.mean(axis=0)) and not _is_white(colour):
        raise NoGroundError("what would be left is white, drawn on a colour of its own")
    red, green, blue = np.median(picture[mask], axis=0).tolist()
    return Ground((red, green, blue), mask)


def cut_out(picture: Pixels, ground: Ground) -> Pixels:
    """(H, W, 4) uint8, straight alpha: the picture without its ground."""
    height, width = ground.mask.shape
    reach = 1 if max(height, width) <= _SMALL else 2
    rgb = picture.astype(np.float64)
    alpha = np.where(ground.mask, 0.0, 1.0)
    # Beyond the border there is ground, too, with which the outermost pixels are mixed.
    beyond = np.pad(ground.mask, reach, constant_values=True)
    edge = grown(beyond, reach)[reach:-reach, reach:-reach] & ~ground.mask
    rgb[edge], alpha[edge] = _unmixed(picture, ground, edge)
    # What is quite transparent takes the colour beside it, which shows when it is enlarged.
    around = neighbourhood(np.dstack([rgb * alpha[..., None], alpha]), 1).sum(axis=2)
    there = ground.mask & (around[..., 3] > 0)
    rgb[there] = around[there][:, :3] / around[there][:, 3:]
    rgba = np.dstack([rgb, 255.0 * alpha])
    pixels: Pixels = np.rint(rgba.clip(0.0, 255.0)).astype(np.uint8)
    return pixels


def reached_from_border(passable: Mask) -> Mask:
    """The pixels (H, W) that a walk over `passable` ones, from any on the border, comes to; steps
    go to the four sides."""
    reached = np.zeros_like(passable)
    for rows in (reached, reached.T):
        allowed = passable if rows is reached else passable.T
        rows[[0, -1]] |= allowed[[0, -1]]
    before = -1
    while (count := int(reached.sum())) != before:
        before = count
        reached = _along_rows(reached, passable)
        reached = _along_rows(reached.T, passable.T).T
    return reached


def grown(mask: Mask, times: int) -> Mask:
    """The mask with all pixels that touch it, corners included, so many times."""
    for _ in range(times):
        padded = np.pad(mask, 1)
        rows = padded[:-2] | padded[1:-1] | padded[2:]
        mask = rows[:, :-2] | rows[:, 1:-1] | rows[:, 2:]
    return mask


def without_specks(mask: Mask, faint: Mask) -> Mask:
    """The mask with `faint` pixels that it has on at least five of their eight sides: grain."""
    for _ in range(3):
        mask = mask | (faint & (neighbourhood(mask, 1).sum(axis=2) >= 5))
    return mask


def _along_rows(reached: Mask, passable: Mask) -> Mask:
    """All of every run of passable pixels in a row of which one is reached."""
    flat = np.pad(passable, ((0, 0), (0, 1))).ravel()  # no run goes on in the next row
    starts = np.flatnonzero(np.diff(flat.astype(np.int8), prepend=0))
    if len(starts) == 0:
        return reached
    some = np.logical_or.reduceat(np.pad(reached, ((0, 0), (0, 1))).ravel(), starts)
    lengths = np.diff(starts, append=len(flat))
    filled = np.concatenate([np.zeros(starts[0], np.bool_), np.repeat(some, lengths)]) & flat
    return filled.reshape(len(passable), -1)[:, :-1]


def _ground_colour(seen: Floats) -> tuple[Floats, float]:
    """The ground's colour in Lab and how far its pixels lie from it; at least three corners agree
    on it, or nearly all of the border does."""
    corners = seen[[0, 0, -1, -1], [0, -1, 0, -1]]
    border = np.concatenate([seen[0], seen[-1], seen[1:-1, 0], seen[1:-1, -1]])
    apart = distance(corners[:, None], corners[None])
    agreeing = apart < _ALIKE_CORNERS
    best = int(agreeing.sum(axis=1).argmax())
    if agreeing[best].sum() >= 3:
        colour = np.median(corners[agreeing[best]], axis=0)
    else:
        colour = np.median(border, axis=0)
        share = float((distance(border, colour) < _ALIKE_CORNERS).mean())
        if share < _BORDER_SHARE:
            raise NoGroundError(f"no flat ground: {share:.0%} of its border is of one colour")
    near = border[distance(border, colour) < _MOST_TOLERANCE]
    spread = float(np.median(distance(near, colour))) if len(near) else 0.0
    return colour, float(np.clip(4.0 * spread, _LEAST_TOLERANCE, _MOST_TOLERANCE))


def _unmixed(picture: Pixels, ground: Ground, edge: Mask) -> tuple[Floats, Floats]:
    """Own colour (n, 3) and alpha (n,) of the pixels on the `edge`.

    p = alpha * own + (1 - alpha) * ground, with the own colour of pixels near by: of those that
    explain p, the ones far from the ground. (Their mean: the very farthest may be the overshoot
    that a sharp filter leaves along an edge.)
    """
    behind = np.array(ground.colour)
    inner = neighbourhood(~ground.mask, _EDGE_REACH)[edge]  # (n, 25)
    around = neighbourhood(picture, _EDGE_REACH)[edge].astype(np.float64)  # (n, 25, 3)
    pixels = picture[edge].astype(np.float64)[:, None]  # (n, 1, 3)
    away = around - behind
    length = np.square(away).sum(axis=-1)
    alpha = ((pixels - behind) * away).sum(axis=-1) / np.maximum(length, 1.0)  # (n, 25)
    mixed = behind + alpha.clip(0.0, 1.0)[..., None] * away
    off = distance(lab(mixed), lab(pixels))
    explains = inner & (off <= off.min(axis=1, where=inner, initial=np.inf)[:, None] + _MIXTURE)
    farthest = length.max(axis=1, where=explains, initial=0.0)
    chosen = explains & (length >= _FAR * farthest[:, None])
    own = (around * chosen[..., None]).sum(axis=1) / np.maximum(chosen.sum(axis=1), 1)[:, None]
    way = own - behind
    share = ((pixels[:, 0] - behind) * way).sum(axis=-1) / np.maximum(
        np.square(way).sum(axis=-1), 1.0
    )
    return own, share.clip(0.0, 1.0)


def _is_white(colour: Floats) -> bool:
    lightness, greyness = _PAPER
    return bool(colour[0] > lightness and np.hypot(colour[1], colour[2]) < greyness)
