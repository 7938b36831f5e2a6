"""Embedded colour profiles: what they mean in sRGB."""

import io
from functools import lru_cache

from PIL import Image, ImageCms

# A profile of more bytes is no profile (the largest press profiles have about 3 MB).
_MOST_BYTES = 4_000_000
# Description of the tiny sRGB profile that several services embed; others name sRGB in theirs.
_TINY_SRGB = "c2"
# The mode in which colours of a picture's mode are transformed, and what they become.
_TRANSFORMED = {"RGB": "RGB", "RGBA": "RGBA", "L": "RGB", "CMYK": "RGB"}


def to_srgb(image: Image.Image) -> Image.Image:
    """The picture in sRGB by its embedded ICC profile.

    The very same image comes back where there is none, it is sRGB itself, is broken, or speaks
    of another kind of pixels (an RGB profile in a grey picture).
    """
    icc = image.info.get("icc_profile")
    if not isinstance(icc, bytes) or not 128 < len(icc) <= _MOST_BYTES:
        return image
    if "transparency" in image.info or image.mode in ("P", "PA"):
        has_alpha = "transparency" in image.info or image.mode == "PA"
        grey = image.mode == "L"
        plain = image.convert(("LA" if grey else "RGBA") if has_alpha else "RGB")
    else:
        plain = image
    if plain.mode == "LA":
        transform = _transform(icc, "L")
        if transform is None:
            return image
        colours = _applied(plain.getchannel("L"), transform)
        if colours is not None:
            colours.putalpha(plain.getchannel("A"))
        return colours or image
    transform = _transform(icc, plain.mode)
    return image if transform is None else _applied(plain, transform) or image


def _applied(image: Image.Image, transform: ImageCms.ImageCmsTransform) -> Image.Image | None:
    try:
        changed: Image.Image | None = ImageCms.applyTransform(image, transform)
    except (ImageCms.PyCMSError, ValueError, OSError):
        return None
    return changed


@lru_cache(maxsize=16)
def _transform(icc: bytes, mode: str) -> ImageCms.ImageCmsTransform | None:
    """The way from pixels of `mode` under a profile to sRGB, or None where nothing is to do."""
    if mode not in _TRANSFORMED:
        return None
    try:
        profile = ImageCms.ImageCmsProfile(io.BytesIO(icc))
        name = ImageCms.getProfileDescription(profile).strip().lower()
        if "srgb" in name or name == _TINY_SRGB:
            return None
        srgb = ImageCms.createProfile("sRGB")
        return ImageCms.buildTransform(profile, srgb, mode, _TRANSFORMED[mode])
    except (ImageCms.PyCMSError, ValueError, TypeError, OSError):
        return None
