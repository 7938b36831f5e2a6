"""The space that needs no weights: layout of light and colour, directions of edges, fineness."""

import math

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from dataset.pixels import Pixels
from sample.embed import Vectors
from sample.encoders import as_planes

_SIDE = 32  # all pictures are seen at this size
_LIGHT_SIDE, _COLOUR_SIDE = 6, 3
_DIRECTIONS, _CELLS = 6, 3
_SCALES = 3
# ITU-R BT.601 luma and the two colour differences.
_OPPONENT = ((0.299, 0.587, 0.114), (-0.169, -0.331, 0.5), (0.5, -0.419, -0.081))
# What brings each kind of number to a spread of about one on logos and on photographs alike, so
# that none of them decides alone.
_LIGHT_SCALE, _COLOUR_SCALE, _EDGE_SCALE, _FINE_SCALE, _SPREAD_SCALE = 3.5, 9.0, 8.0, 2.0, 16.0
_FLOOR = 1e-3  # of an edge's strength, so that the logarithm of a blank picture is finite


class Outline:
    """117 numbers: thumbnails of luma (6x6) and colour (2 of 3x3), the strength of edges in six
    directions in 3x3 cells (after Dalal & Triggs 2005), detail at three scales, spreads.
    """

    name = "outline/1"
    dim = _LIGHT_SIDE**2 + 2 * _COLOUR_SIDE**2 + _DIRECTIONS * _CELLS**2 + 2 * _SCALES + 3

    def __init__(self, device: torch.device | None = None) -> None:
        self._device = device or torch.device("cpu")
        self._opponent = torch.tensor(_OPPONENT, device=self._device)

    @torch.no_grad()
    def encode(self, pictures: Pixels) -> Vectors:
        """(B, H, W, 3) uint8 to (B, 117) float32."""
        seen = F.interpolate(as_planes(pictures, self._device), (_SIDE, _SIDE), mode="area")
        planes = torch.einsum("oc,bchw->bohw", self._opponent, seen)  # (B, 3, 32, 32)
        luma, colour = planes[:, :1], planes[:, 1:]
        parts = [
            _LIGHT_SCALE * (_shrunk(luma, _LIGHT_SIDE) - 0.5),
            _COLOUR_SCALE * _shrunk(colour, _COLOUR_SIDE),
            _EDGE_SCALE * _edges(luma),
            _FINE_SCALE * (_detail(luma) + 3.0),
            _SPREAD_SCALE * planes.std(dim=(2, 3)),
        ]
        vectors = torch.cat([part.flatten(1) for part in parts], dim=1)  # (B, 117)
        return np.asarray(vectors.cpu().numpy(), dtype=np.float32)


def _shrunk(planes: Tensor, side: int) -> Tensor:
    return F.adaptive_avg_pool2d(planes, side)


def _edges(luma: Tensor) -> Tensor:
    """How strong edges in each direction are in each cell: (B, directions, cells, cells)."""
    across = F.pad(luma, (1, 1, 0, 0), mode="replicate")
    down = F.pad(luma, (0, 0, 1, 1), mode="replicate")
    right, below = across[..., 2:] - across[..., :-2], down[..., 2:, :] - down[..., :-2, :]
    strength = (right.square() + below.square()).sqrt()  # (B, 1, H, W)
    angle = torch.atan2(below, right) * (_DIRECTIONS / math.pi)
    # Each pixel's strength is shared between the two directions next to its own.
    places = torch.arange(_DIRECTIONS, device=luma.device).view(1, -1, 1, 1)
    apart = (angle - places).remainder(_DIRECTIONS)
    share = (1.0 - torch.minimum(apart, _DIRECTIONS - apart)).clamp(min=0.0)
    return _shrunk(strength * share, _CELLS).sqrt()


def _detail(luma: Tensor) -> Tensor:
    """ln of mean and of root mean square of what averaging takes away, at each scale: (B, 6)."""
    found = []
    for _ in range(_SCALES):
        coarse = F.avg_pool2d(luma, 2)
        lost = luma - F.interpolate(coarse, scale_factor=2.0, mode="nearest")
        found += [lost.abs().mean(dim=(1, 2, 3)), lost.square().mean(dim=(1, 2, 3)).sqrt()]
        luma = coarse
    return (torch.stack(found, dim=1) + _FLOOR).log()
