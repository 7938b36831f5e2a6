"""Outlines of logos, by the word that a description uses; all fit a circle of radius 0.9."""

import numpy as np

from scrape.demo_site.canvas import Outline, ellipse, regular, shifted, smooth


def _shield() -> Outline:
    left = [(-0.72, -0.78), (-0.72, 0.02), (-0.6, 0.36), (-0.36, 0.64)]
    return np.array([*left, (0.0, 0.88), *((-x, y) for x, y in reversed(left))])


def _rounded_square() -> Outline:
    corner = np.linspace(0, np.pi / 2, 10)
    arc = 0.24 * np.stack([np.cos(corner), np.sin(corner)], axis=1)  # (10, 2)
    side = 0.5
    quarters = [
        shifted(arc, side, side),
        shifted(arc[::-1] * (-1, 1), -side, side),
        shifted(-arc, -side, -side),
        shifted(arc[::-1] * (1, -1), side, -side),
    ]
    return np.concatenate(quarters)


def _drop() -> Outline:
    angles = np.linspace(-0.2 * np.pi, 1.2 * np.pi, 40)
    belly = np.stack([np.cos(angles) * 0.64, np.sin(angles) * 0.64 + 0.22], axis=1)
    return np.concatenate([belly, [(0.0, -0.9)]])


def _arch() -> Outline:
    angles = np.linspace(np.pi, 2 * np.pi, 30)
    top = np.stack([np.cos(angles) * 0.66, np.sin(angles) * 0.66 - 0.16], axis=1)
    return np.concatenate([top, [(0.66, 0.8), (-0.66, 0.8)]])


def _heart() -> Outline:
    half = [(0.0, -0.42), (0.34, -0.74), (0.74, -0.62), (0.82, -0.18), (0.5, 0.32), (0.0, 0.84)]
    right = smooth(half, closed=False)
    return np.concatenate([right, right[::-1] * (-1, 1)])


SHAPES: dict[str, Outline] = {
    "disc": ellipse(0, 0, 0.8, 0.8),
    "shield": _shield(),
    "hexagon": regular(6, 0.88),
    "diamond": regular(4, 0.92),
    "triangle": shifted(regular(3, 1.0), 0, 0.16),
    "rounded square": _rounded_square(),
    "drop": _drop(),
    "arch": _arch(),
    "heart": _heart(),
}

# Height of the middle of the room for a symbol, and the share of the shape that it may fill.
ROOM: dict[str, tuple[float, float]] = {
    "triangle": (0.2, 0.36),
    "diamond": (0.0, 0.46),
    "drop": (0.22, 0.46),
    "heart": (-0.06, 0.46),
    "shield": (-0.08, 0.54),
    "arch": (0.02, 0.52),
}
WIDE_ROOM = (0.0, 0.58)
