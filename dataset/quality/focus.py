"""Sharpness and true detail: how much of the spectrum of its pixels a picture uses.

Edges and textures of the world fall off as 1 / f^2 in power, so power times f^2 is level up to
where the picture ends: at the highest frequency for one that is as sharp as its pixels, at half of
it for one that was enlarged by two (Field 1987 on the spectra of scenes).
"""

import functools

import numpy as np
from numpy.typing import NDArray

from dataset.quality.view import View

# Of the windows, those with most fine detail count: a shallow focus is not a blurred picture.
_SHARPEST = 0.15
# Power (times f^2) against the level of the coarse detail from which a frequency counts in full.
_FULL = 0.5
# Variance of the noise that rounding and compression leave in every pixel (levels squared).
_NOISE_VARIANCE = 0.3
# Variance of the windows (levels squared) under which there is nothing to be sharp.
_LEAST_VARIANCE = 4.0
# Share of all change in every n-th column from which pixels count as repeated n times.
_REPEATED = 0.65
# Windows that surely start at one and the same place.
_SAME_PLACE = 32
# Sharpness is told as if the shortest side had this many pixels.
_SHARP_SIDE = 256

Lines = NDArray[np.float32]


def focus_scores(view: View) -> dict[str, float]:
    """detail, upscaled and sharpness; nothing for a picture that is flat or too small to tell."""
    if not view.is_judged:
        return {}
    side = min(view.pixels.shape[:2])
    lines = [windows.astype(np.float32) for windows in (view.across, view.down)]
    seen = _seen_detail(lines)
    if seen is None:
        return {}
    detail = _true_detail(min(seen, _carrying_share(lines)), view.scale)
    return {
        "detail": detail,
        "upscaled": 1.0 - detail,
        "sharpness": min(1.0, seen * side / min(side, _SHARP_SIDE)),
    }


def _true_detail(seen: float, scale: float) -> float:
    """The detail of the whole picture, from that of a smaller decoding of it.

    Where the smaller one is used to the full, more may be in the file: that is believed.
    """
    if scale >= 1.0:
        return seen
    unknown = min(1.0, max(0.0, (seen - 0.8) / 0.15))
    return seen * scale * (1.0 - unknown) + unknown


def _seen_detail(windows: list[Lines]) -> float | None:
    """The share of the spectrum in use, 0..1, from windows along rows and along columns."""
    length = windows[0].shape[1]
    power = np.zeros(length // 2 + 1, np.float32)
    variance = 0.0
    for lines in windows:
        spectra = _spectra(lines)
        fine = spectra[:, length // 8 :].sum(axis=1)
        count = max(4, int(len(fine) * _SHARPEST))
        chosen = spectra[np.argpartition(fine, -count)[-count:]].mean(axis=0)
        variance = max(variance, float(chosen[1:].sum()) / length**2)
        power += chosen
    if variance < _LEAST_VARIANCE:
        return None
    noise = 2 * _NOISE_VARIANCE * float(np.square(_taper(length)).sum())
    level = np.maximum(power - noise, 0) * np.arange(len(power), dtype=np.float32) ** 2
    coarse = max(float(level[2 : max(4, length // 10)].max()), 1.0)
    return float(np.minimum(level[1:] / (_FULL * coarse), 1.0).mean())


def _spectra(windows: Lines) -> Lines:
    """The power spectra of windows, (windows, length / 2 + 1)."""
    level = windows - windows.mean(axis=1, keepdims=True)
    waves = np.fft.rfft(level * _taper(windows.shape[1]), axis=1)
    power: Lines = np.square(waves.real) + np.square(waves.imag)
    return power


@functools.cache
def _taper(length: int) -> Lines:
    return np.hanning(length).astype(np.float32)


def _carrying_share(windows: list[Lines]) -> float:
    """1 / n for a picture whose pixels were repeated n times (2 to 4) in both directions, else 1.

    Then all change lies between every n-th pair of columns, and of rows.
    """
    first = [lines[:_SAME_PLACE] for lines in windows]
    changes = [np.abs(lines[:, 1:] - lines[:, :-1]).mean(axis=0) for lines in first]
    found = 1
    for times in (2, 3, 4):
        if times == 4 and found != 2:
            break  # what is repeated four times is repeated twice as well
        if all(_concentration(change, times) > _REPEATED for change in changes):
            found = times
    return 1.0 / found


def _concentration(change: Lines, times: int) -> float:
    """The largest share that the changes of one phase have, 1 / times to 1."""
    change = np.minimum(change, 1.5 * times * change.mean())  # no single edge decides
    whole = change[: len(change) // times * times].reshape(-1, times).sum(axis=0)
    return float(whole.max() / max(float(whole.sum()), 1e-6))
