"""Planted copies for the novelty benchmark, made by Pillow alone: nothing is shared with the views.

A damage takes one (H, W, 3) uint8 picture; `strength` from 0 to 1 is how far it goes.
"""

import io
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from dataset.pixels import Pixels

Damage = Callable[[Pixels, float, np.random.Generator], Pixels]
_BICUBIC = Image.Resampling.BICUBIC


def _noise(picture: Pixels, strength: float, chance: np.random.Generator) -> Pixels:
    return _levels(picture + chance.normal(0.0, 2.0 + 4.0 * strength, picture.shape))


def _flip(picture: Pixels, strength: float, chance: np.random.Generator) -> Pixels:
    return np.ascontiguousarray(picture[:, ::-1])


def _shift(picture: Pixels, strength: float, chance: np.random.Generator) -> Pixels:
    """Up to 3 px of 32 in any direction; what comes in repeats the edge."""
    angle, most = chance.uniform(0, 2 * np.pi), 3.0 * picture.shape[1] / 32
    right, down = strength * most * np.cos(angle), strength * most * np.sin(angle)
    return _warped(
        picture,
        lambda wide: wide.transform(
            wide.size, Image.Transform.AFFINE, (1, 0, right, 0, 1, down), _BICUBIC
        ),
    )


def _crop(picture: Pixels, strength: float, chance: np.random.Generator) -> Pixels:
    return _cropped(picture, 1 - 0.15 * strength, chance)


def _cropped(picture: Pixels, share: float, chance: np.random.Generator) -> Pixels:
    height, width = picture.shape[:2]
    left, top = chance.uniform(0, 1 - share, 2) * (width, height)
    box = (left, top, left + share * width, top + share * height)
    return np.asarray(Image.fromarray(picture).resize((width, height), _BICUBIC, box))


def _turn(picture: Pixels, strength: float, chance: np.random.Generator) -> Pixels:
    degrees = 8.0 * strength * chance.choice([-1, 1])
    return _warped(picture, lambda wide: wide.rotate(degrees, _BICUBIC))


def _jpeg(picture: Pixels, strength: float, chance: np.random.Generator) -> Pixels:
    return _saved(picture, round(90 - 50 * strength))


def _saved(picture: Pixels, quality: int) -> Pixels:
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, "JPEG", quality=quality)
    return np.asarray(Image.open(buffer).convert("RGB"))


def _gain(picture: Pixels, strength: float, chance: np.random.Generator) -> Pixels:
    gain = 1 + 0.3 * strength * chance.choice([-1, 1])
    return _levels(picture * gain + chance.uniform(-25, 25))


def _hue(picture: Pixels, strength: float, chance: np.random.Generator) -> Pixels:
    """A turn of up to 30 degrees of the colour circle."""
    hsv = np.array(Image.fromarray(picture).convert("HSV"))
    turn = round(strength * chance.choice([-1, 1]) * 30 * 256 / 360)
    hsv[..., 0] = (hsv[..., 0].astype(np.int64) + turn) % 256
    return np.asarray(Image.fromarray(hsv, "HSV").convert("RGB"))


def _grey(picture: Pixels, strength: float, chance: np.random.Generator) -> Pixels:
    return np.asarray(Image.fromarray(picture).convert("L").convert("RGB"))


def _blur(picture: Pixels, strength: float, chance: np.random.Generator) -> Pixels:
    radius = strength * picture.shape[1] / 32
    return np.asarray(Image.fromarray(picture).filter(ImageFilter.GaussianBlur(radius)))


def _several(picture: Pixels, strength: float, chance: np.random.Generator) -> Pixels:
    cropped = _cropped(_flip(picture, 1, chance), 1 - 0.1 * strength, chance)
    return _gain(_saved(cropped, round(90 - 30 * strength)), strength * 2 / 3, chance)


# What a copy went through, at its strongest, and the rate of detection that is asked for.
DAMAGES: dict[str, tuple[Damage, float]] = {
    "noise, sigma 6": (_noise, 0.99),
    "flip": (_flip, 0.99),
    "shift 3 px": (_shift, 0.99),
    "JPEG 40": (_jpeg, 0.99),
    "gain 30%, bias 25": (_gain, 0.99),
    "rotation 8°": (_turn, 0.95),
    "flip + crop 90% + JPEG 60 + gain": (_several, 0.95),
    "crop 85%": (_crop, 0.90),
    "hue 30°": (_hue, 0.90),
    "grey": (_grey, 0.85),
    "blur 1 px": (_blur, 0.85),
    "crop 85%, always so much": (_crop, 0.0),
    "rotation 8°, always so much": (_turn, 0.0),
}
# Those at full strength; they have no bar.
ALWAYS = {name for name in DAMAGES if name.endswith("always so much")}


def planted(
    pictures: Pixels, damage: Damage, chance: np.random.Generator, strength: float | None = None
) -> Pixels:
    """A copy of each of (B, H, W, 3): each as strong as chance will have it, or all `strength`."""
    return np.stack(
        [
            damage(picture, chance.uniform(0, 1) if strength is None else strength, chance)
            for picture in pictures
        ]
    )


def _warped(picture: Pixels, work: Callable[[Image.Image], Image.Image]) -> Pixels:
    """`work` on the picture with its edges repeated outwards, then cut back."""
    side = max(picture.shape[:2]) // 2
    wide = np.pad(picture, ((side, side), (side, side), (0, 0)), mode="edge")
    cut = slice(side, -side)
    return np.ascontiguousarray(np.asarray(work(Image.fromarray(wide)))[cut, cut])


def _levels(values: NDArray[np.floating]) -> Pixels:
    return np.asarray(np.clip(np.rint(values), 0, 255), dtype=np.uint8)
