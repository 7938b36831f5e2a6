"""What a copy may have gone through on its way: every strength is drawn at random."""

import io
from collections.abc import Callable
from typing import cast

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from dataset.pixels import Pixels
from sample.views import View, apply_view, mirror

Damage = Callable[[Pixels, np.random.Generator], Pixels]  # one (H, W, 3) uint8 picture

_LUMA = np.array([0.299, 0.587, 0.114])  # ITU-R BT.601
_GREY_AXIS = np.ones(3) / np.sqrt(3.0)


def _noise(picture: Pixels, chance: np.random.Generator) -> Pixels:
    return _levels(picture + chance.normal(0.0, chance.uniform(2.0, 10.0), picture.shape))


def _flip(picture: Pixels, chance: np.random.Generator) -> Pixels:
    return cast(Pixels, mirror(picture[None])[0])


def _shift(picture: Pixels, chance: np.random.Generator) -> Pixels:
    unit = 3.0 * 2.0 / 32.0  # up to three pixels of 32, in shares of half the side
    right, down = chance.uniform(-unit, unit, 2)
    return _seen(picture, View(name="", right=right, down=down))


def _crop(picture: Pixels, chance: np.random.Generator, least: float = 0.8) -> Pixels:
    zoom = float(chance.uniform(least, 0.95))
    right, down = chance.uniform(zoom - 1.0, 1.0 - zoom, 2)
    return _seen(picture, View(name="", zoom=zoom, right=right, down=down))


def _turn(picture: Pixels, chance: np.random.Generator) -> Pixels:
    return _seen(picture, View(name="", degrees=float(chance.uniform(-8, 8))))


def _jpeg(picture: Pixels, chance: np.random.Generator) -> Pixels:
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, "JPEG", quality=int(chance.integers(40, 91)))
    return np.array(Image.open(buffer).convert("RGB"))


def _brightness(picture: Pixels, chance: np.random.Generator) -> Pixels:
    gain, bias = chance.uniform(0.7, 1.3), chance.uniform(-25.0, 25.0)
    return _levels(picture * gain + bias)


def _hue(picture: Pixels, chance: np.random.Generator) -> Pixels:
    """Turned about the axis of greys (Rodrigues' formula), which keeps what has no hue."""
    angle = np.deg2rad(float(chance.uniform(10, 30)) * (1 if chance.random() < 0.5 else -1))
    x, y, z = _GREY_AXIS
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    along = np.outer(_GREY_AXIS, _GREY_AXIS)
    turn = np.cos(angle) * np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * along
    return _levels(picture @ turn.T)


def _grey(picture: Pixels, chance: np.random.Generator) -> Pixels:
    share = float(chance.uniform(0.7, 1.0))
    grey = (picture @ _LUMA)[..., None]
    return _levels(picture * (1 - share) + grey * share)


def _blur(picture: Pixels, chance: np.random.Generator) -> Pixels:
    radius = float(chance.uniform(0.4, 1.0)) * picture.shape[1] / 32
    return np.array(Image.fromarray(picture).filter(ImageFilter.GaussianBlur(radius)))


def _several(picture: Pixels, chance: np.random.Generator) -> Pixels:
    cropped = _crop(_flip(picture, chance), chance, least=0.88)
    return _brightness(_jpeg(cropped, chance), chance)


def _seen(picture: Pixels, view: View) -> Pixels:
    return cast(Pixels, apply_view(picture[None], view)[0])


def _levels(values: NDArray[np.floating]) -> Pixels:
    return np.asarray(np.clip(np.rint(values), 0, 255), dtype=np.uint8)


DAMAGES: dict[str, Damage] = {
    "noise": _noise,
    "mirrored": _flip,
    "shifted up to 3/32": _shift,
    "cropped to 80-95%": _crop,
    "turned up to 8°": _turn,
    "JPEG quality 40-90": _jpeg,
    "brightness": _brightness,
    "hue turned by 10-30°": _hue,
    "greyed": _grey,
    "blurred up to 1/32": _blur,
    "mirrored, cropped, JPEG, brightness": _several,
}


def blurred(pictures: Pixels) -> Pixels:
    """(B, H, W, 3) as smooth as a model may draw: a Gaussian of half a pixel at 32."""
    radius = 0.5 * pictures.shape[2] / 32
    soft = [Image.fromarray(one).filter(ImageFilter.GaussianBlur(radius)) for one in pictures]
    return np.stack([np.array(one) for one in soft]) if soft else pictures
