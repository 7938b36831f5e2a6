"""Views: the declared list of small changes under which a copy is still found.

Each view of every training picture is indexed, so that a shifted, zoomed or turned copy meets its
like. The mirror is not listed: queries are mirrored instead, which halves the index.
"""

from dataclasses import dataclass
from functools import lru_cache
from itertools import product

import numpy as np
from numpy.typing import NDArray

from dataset.pixels import Pixels

Places = NDArray[np.int64]
Weights = NDArray[np.float32]

_SHIFT_PX = 3  # every whole shift up to this many pixels at 32 px, and its like at other sizes
_DEGREES = (-10, -5, 5, 10)
# Share of the side that is kept, and how many window positions along each side: the smaller the
# window, the more places it can have been. Density matters: with 3 x 3 positions everywhere a third
# of the copies cropped to 80-95 % of a logo was missed.
_CROPS = ((0.92, 3), (0.85, 4), (0.78, 5))
_DOWN = {-1: "up", 0: "", 1: "down"}
_ACROSS = {-1: "left", 0: "", 1: "right"}
_TOP = {-1: "top", 0: "", 1: "bottom"}


@dataclass(frozen=True, kw_only=True)
class View:
    """One change: what is seen through a window of `zoom` of the side, moved and turned.

    `right` and `down` move the window's centre in shares of half the side; `degrees` turn it.
    """

    name: str
    zoom: float = 1.0
    right: float = 0.0
    down: float = 0.0
    degrees: float = 0.0


def declared_views(side: int) -> list[View]:
    """The views of pictures `side` pixels wide, the most useful first, so that the end may go."""
    listed = [View(name="as it is")]
    unit = max(1, round(side / 32))
    span = range(-_SHIFT_PX, _SHIFT_PX + 1)
    steps = [(x * unit, y * unit) for y, x in product(span, repeat=2) if x or y]
    for x, y in sorted(steps, key=lambda step: (max(map(abs, step)), step)):
        moves = [f"{abs(y)} px {_DOWN[_sign(y)]}", f"{abs(x)} px {_ACROSS[_sign(x)]}"]
        name = "shifted " + ", ".join(move for move, by in zip(moves, (y, x), strict=True) if by)
        # What moves the drawing right is a window moved left.
        listed.append(View(name=name, right=-2.0 * x / side, down=-2.0 * y / side))
    listed += [View(name=f"turned {degrees:+d}°", degrees=degrees) for degrees in _DEGREES]
    for share, positions in _CROPS:
        places = np.linspace(-1.0, 1.0, positions).tolist()
        for y, x in product(places, repeat=2):
            name = f"cropped to {share:.0%}, {_place(x, y)}"
            right, down = x * (1 - share), y * (1 - share)
            listed.append(View(name=name, zoom=share, right=right, down=down))
    return listed


def _sign(value: float) -> int:
    return (value > 1e-9) - (value < -1e-9)


def _place(x: float, y: float) -> str:
    return " ".join(filter(None, (_TOP[_sign(y)], _ACROSS[_sign(x)]))) or "middle"


def apply_view(pictures: Pixels, view: View) -> Pixels:
    """(B, H, W, 3) uint8 seen through `view`; bilinear, what lies outside repeats the edge."""
    count, height, width, channels = pictures.shape
    flat = pictures.reshape(count, height * width, channels)
    seen = np.full(flat.shape, 0.5, dtype=np.float32)  # so that the cast rounds
    for places, weights in _corners(view, height, width):
        seen += flat.take(places, axis=1) * weights
    return seen.astype(np.uint8).reshape(pictures.shape)


@lru_cache(maxsize=512)
def _corners(view: View, height: int, width: int) -> list[tuple[Places, Weights]]:
    """The pixels that each pixel of the view is mixed from: up to 4 of (places, weights).

    Places (H * W,) number pixels row by row; weights (H * W, 1) sum to 1 over the list.
    """
    # Where each pixel of the view lies in the picture, in shares of half the side from the middle.
    down, right = np.meshgrid(middles(height), middles(width), indexing="ij")
    turn, aspect = np.deg2rad(view.degrees), height / width
    cos, sin = np.cos(turn) * view.zoom, np.sin(turn) * view.zoom
    across = cos * right - sin * aspect * down + view.right
    along = sin / aspect * right + cos * down + view.down

    # The same in pixels; the four around it share the weight.
    x = np.clip(((across + 1) * width - 1) / 2, 0, width - 1).ravel()
    y = np.clip(((along + 1) * height - 1) / 2, 0, height - 1).ravel()
    left, top = np.floor(x + 1e-9).astype(np.int64), np.floor(y + 1e-9).astype(np.int64)
    next_left, next_top = np.minimum(left + 1, width - 1), np.minimum(top + 1, height - 1)
    u, v = np.maximum(x - left, 0.0), np.maximum(y - top, 0.0)
    corners = [
        (top * width + left, (1 - v) * (1 - u)),
        (top * width + next_left, (1 - v) * u),
        (next_top * width + left, v * (1 - u)),
        (next_top * width + next_left, v * u),
    ]
    return [(at, w[:, None].astype(np.float32)) for at, w in corners if w.max() > 1e-6]


def middles(pixels: int) -> NDArray[np.float64]:
    """Where the middles of so many pixels lie, from -1 to 1."""
    return (2.0 * np.arange(pixels) + 1.0) / pixels - 1.0


def mirror(pictures: Pixels) -> Pixels:
    """(B, H, W, 3) with left and right exchanged."""
    return np.ascontiguousarray(pictures[:, :, ::-1])
