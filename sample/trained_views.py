"""The views that a training calls for: what its flips and warps may have taught the model."""

from collections.abc import Iterator, Mapping
from itertools import product
from typing import Any

import numpy as np

from dataset.errors import DataError
from sample.views import View, declared_views

# Angles lie so far apart that the alignment finds what is between them.
_DEGREES = 15
_SHRUNK = (0.9, 0.8, 0.7)  # of the side; enlarged ones are among the declared crops
# Shifts go as far as twice the training's standard deviation, two pixels of 32 apart.
_SHIFT_PX, _DECLARED_PX = 2, 3
_READ = ("probability", "y_flip", "scaling", "rotation", "translation")


def views_for(side: int, training: Mapping[str, Any] | None) -> list[View]:
    """The declared views of pictures `side` pixels wide, and those of a training's augmentation.

    `training` is what the manifest of drawn pictures says of it: `flip` and `augment`. Flips from
    left to right need no view, because queries are mirrored; those from top to bottom are a half
    turn of a mirrored query. Stretching one way has no view of its own. Raises DataError when the
    numbers are none.
    """
    declared = declared_views(side)
    augment = (training or {}).get("augment") or {}
    strength = {key: _number(augment, key) for key in _READ}
    if strength["probability"] <= 0:
        return declared
    views = list(_turned(strength["rotation"], upside_down=strength["y_flip"] > 0))
    if strength["scaling"] > 0:
        views += _shrunk(2 ** (2 * strength["scaling"]))
    views += _shifted(2 * strength["translation"])
    return declared + views


def _number(augment: Mapping[str, Any], key: str) -> float:
    value = augment.get(key, 0.0)
    if not isinstance(value, int | float) or not np.isfinite(value):
        raise DataError(f"the manifest says augment.{key} = {value!r}; draw the pictures again")
    return float(value)


def _turned(half_turns: float, *, upside_down: bool) -> Iterator[View]:
    angles = set(range(_DEGREES, int(180 * half_turns) + 1, _DEGREES))
    if upside_down:
        angles.add(180)
    for degrees in sorted(angles):
        for signed in (degrees, -degrees) if degrees < 180 else (180,):
            yield View(name=f"turned {signed:+d}°", degrees=signed)


def _shrunk(most: float) -> Iterator[View]:
    for share in _SHRUNK:
        if 1 / share < most * 1.1:
            yield View(name=f"shrunk to {share:.0%}", zoom=1 / share)


def _shifted(reach: float) -> Iterator[View]:
    """Beyond the declared shifts, as far as `reach` of the width and height."""
    most = int(min(reach, 0.5) * 32)
    span = range(-_SHIFT_PX * (most // _SHIFT_PX), most + 1, _SHIFT_PX)
    for x, y in product(span, repeat=2):
        if max(abs(x), abs(y)) > _DECLARED_PX:
            name = f"shifted by {y / 32:+.0%} down, {x / 32:+.0%} right"
            yield View(name=name, right=-2.0 * x / 32, down=-2.0 * y / 32)
