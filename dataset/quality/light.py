"""Light and information: contrast, brightness, dark, bright, entropy, flatness."""

import numpy as np
from PIL import Image

from dataset.quality.view import View

# Luma from which a pixel is burnt out (levels of 255).
_BURNT = 250
# Neighbours that differ by no more than this are one flat area (levels of 255).
_FLAT_STEP = 2
_LEVELS = np.arange(256.0)


def light_scores(view: View) -> dict[str, float]:
    """contrast, brightness, dark, bright, entropy and flatness of a picture."""
    counts = np.bincount(view.luma.ravel(), minlength=256)
    shares = counts / counts.sum()
    held = shares[shares > 0]
    rising = np.cumsum(shares)
    return {
        "contrast": contrast(view.small),
        "brightness": float(shares @ _LEVELS),
        "dark": 1.0 - int(np.searchsorted(rising, 0.95)) / 255.0,
        "bright": float(shares[_BURNT:].sum()),
        "entropy": float(max(0.0, -(held * np.log2(held)).sum())),
        "flatness": _flatness(view),
    }


def contrast(image: Image.Image) -> float:
    """The largest standard deviation of a channel, from its histogram."""
    counts = np.array(image.histogram(), np.float64).reshape(3, 256)
    shares = counts / counts[0].sum()
    means = shares @ _LEVELS
    variances = (shares * (_LEVELS - means[:, None]) ** 2).sum(axis=1)
    return float(np.sqrt(variances.max()))


def _flatness(view: View) -> float:
    """The share of pixels, of every second row, like their right and their lower neighbour."""
    luma = view.luma.astype(np.int16)
    upper = luma[:-1:2]
    across = np.abs(upper[:, 1:] - upper[:, :-1])
    down = np.abs(luma[1::2, :-1] - upper[:, :-1])
    flat = np.maximum(across, down) <= _FLAT_STEP
    return float(flat.mean()) if flat.size else 1.0
