"""Embedders: pictures to unit vectors in which copies lie close; the built-in needs no weights."""

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from dataset.pixels import Pixels

Vectors = NDArray[np.float32]

_LUMA_SIDE, _CHROMA_SIDE, _COARSE_SIDE = 16, 8, 8
# Standard deviation in 0..255 levels under which contrast is no longer stretched: on a flatter
# picture the stretch would turn JPEG noise into structure.
CONTRAST_FLOOR = 6.0
# Weight of the chroma against the luma, and the most that the chroma may weigh. Shape tells a copy
# (a recoloured copy is still one); colour only separates drawings of the same shape.
_CHROMA_WEIGHT, _CHROMA_LIMIT = 0.16, 0.22


class Embedder(Protocol):
    """Pictures to vectors. `name` carries a version: vectors of two names never meet."""

    @property
    def name(self) -> str: ...

    @property
    def dim(self) -> int: ...

    def embed(self, pictures: Pixels) -> Vectors:
        """(B, H, W, 3) uint8 to (B, dim) float32, rows of unit length."""
        ...


class LumaChroma:
    """Contrast-normalised luma at 16x16 and two colour-difference planes at 8x8: 384 numbers.

    A change of brightness (gain and bias on all channels, short of clipping) leaves the vector as
    it was; the luma dominates, so grey and recoloured copies stay near their original.
    """

    name = "luma16-chroma8/2"
    dim = _LUMA_SIDE**2 + 2 * _CHROMA_SIDE**2

    def embed(self, pictures: Pixels) -> Vectors:
        """(B, H, W, 3) uint8 to (B, 384) float32, rows of unit length."""
        luma, blue, red = _planes(pictures)  # each (B, H, W)
        light, contrast = _levelled(luma, _LUMA_SIDE)  # (B, 256), (B, 1)
        chroma = np.concatenate([_shrink(blue, _CHROMA_SIDE), _shrink(red, _CHROMA_SIDE)], axis=1)
        # By the contrast of the luma, so that a gain cancels out here, too.
        chroma *= _CHROMA_WEIGHT / (contrast * _CHROMA_SIDE)
        length = np.linalg.norm(chroma, axis=1, keepdims=True)
        chroma *= np.minimum(1.0, _CHROMA_LIMIT / np.maximum(length, 1e-12))

        # What a flat picture lacks in contrast goes into the constant, which no drawing has.
        lacking = np.maximum(0.0, 1.0 - np.square(light).sum(axis=1, keepdims=True))
        light += np.sqrt(lacking) / _LUMA_SIDE
        vectors = np.concatenate([light, chroma], axis=1)  # (B, 384)
        return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), np.float32)


def luma(pictures: Pixels) -> Vectors:
    """The luma of (B, H, W, 3) pictures, (B, H, W), in 0..255 levels (ITU-R BT.601)."""
    return _planes(pictures)[0]


def light_and_dark(luma: Vectors, *, coarse: bool) -> Vectors:
    """The descriptor's part without colour of (B, H, W): at 16x16, (B, 256), or coarse, (B, 64)."""
    return _levelled(luma, _COARSE_SIDE if coarse else _LUMA_SIDE)[0]


def contrast(pictures: Pixels) -> Vectors:
    """How much there is to compare: the largest standard deviation, (B,), in 0..255 levels.

    Of the luma and of the two colour differences of (B, H, W, 3) pictures, after the averaging
    that the descriptor sees, so that fine noise does not count as a drawing.
    """
    spreads = [_shrink(plane, _LUMA_SIDE).std(axis=1) for plane in _planes(pictures)]
    return np.asarray(np.max(spreads, axis=0), dtype=np.float32)


def _levelled(luma: Vectors, side: int) -> tuple[Vectors, Vectors]:
    """(B, H, W) centred and over its contrast, (B, side * side), and that contrast, (B, 1)."""
    light = _shrink(luma, side)
    light -= light.mean(axis=1, keepdims=True)
    spread = np.maximum(light.std(axis=1, keepdims=True), CONTRAST_FLOOR)
    return light / (spread * side), spread


def _planes(pictures: Pixels) -> tuple[Vectors, Vectors, Vectors]:
    """Luma (ITU-R BT.601) and the two colour differences, Cb and Cr up to a factor."""
    red, green, blue = (pictures[..., channel].astype(np.float32) for channel in range(3))
    luma = np.float32(0.299) * red + np.float32(0.587) * green + np.float32(0.114) * blue
    return luma, blue - luma, red - luma


def _shrink(planes: Vectors, side: int) -> Vectors:
    """(B, H, W) averaged over areas to (B, side * side)."""
    rows = _area_weights(planes.shape[1], side)
    columns = _area_weights(planes.shape[2], side)
    shrunk = np.asarray(rows @ planes @ columns.T, dtype=np.float32)  # (B, side, side)
    return shrunk.reshape(len(planes), side * side)


def _area_weights(size: int, side: int) -> Vectors:
    """(side, size): how much of each of `size` pixels lies in each of `side` equal stretches."""
    edges = np.linspace(0, size, side + 1)
    pixels = np.arange(size)
    upper = np.minimum(edges[1:, None], pixels + 1)
    overlap = np.clip(upper - np.maximum(edges[:-1, None], pixels), 0, None)
    return np.asarray(overlap / overlap.sum(axis=1, keepdims=True), dtype=np.float32)
