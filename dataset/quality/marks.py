"""Watermarks: letters laid over a picture, where the ground under them is calm enough to tell.

Letters over fur or leaves look like fur or leaves at this cost: most watermarks are missed.
"""

import numpy as np

from dataset.quality.view import View

# Length of the windows that are read; shorter pictures are not asked.
_LENGTH = 64
# A pixel this near to the ground is ground, one this far away is ink (levels of 255).
_GROUND = 8
_INK = 20
# A window over letters: so many strokes, this share of ground, ink on one side only, the strongest
# of it so strong (levels of 255), and this share of it nearly as strong as that.
_STROKES = 4
_LEAST_GROUND = 0.4
_ONE_SIDED = 0.96
_PLAIN_TO_SEE = 45
_EVEN = 0.8
_NEARLY = 0.6
# Share of the windows over letters that is beyond doubt.
_SURE = 0.01


def watermark_score(view: View, text: float) -> float:
    """How surely letters were laid over a picture, 0..1; 0 for a page of `text` (0..1)."""
    windows = view.across
    if not view.is_judged or text > 0.5 or windows.shape[1] < _LENGTH:
        return 0.0
    short = windows.reshape(-1, _LENGTH)
    ground = np.sort(short[:, ::2], axis=1)[:, _LENGTH // 4, None].astype(np.int16)
    away = short.astype(np.int16) - ground
    lit, dark = away > _INK, away < -_INK
    ink = lit | dark
    strokes = (ink[:, 1:] & ~ink[:, :-1]).sum(axis=1)
    chosen = strokes >= _STROKES
    if not chosen.any():
        return 0.0
    lit, dark, ink = lit[chosen], dark[chosen], ink[chosen]
    amount = ink.sum(axis=1)
    one_sided = np.maximum(lit.sum(axis=1), dark.sum(axis=1)) >= _ONE_SIDED * amount
    far = np.abs(away[chosen])
    strength = np.sort(far, axis=1)[:, -2]
    even = (far > _NEARLY * strength[:, None]).sum(axis=1) >= _EVEN * amount
    calm = (far <= _GROUND).mean(axis=1) >= _LEAST_GROUND
    letters = one_sided & even & calm & (strength >= _PLAIN_TO_SEE)
    return min(1.0, float(letters.sum()) / len(short) / _SURE)
