"""Embedded colour profiles are followed, sRGB costs nothing, broken ones do not matter."""

import io
import struct

import numpy as np
import pytest
from PIL import Image, ImageCms

from dataset.pixels import decode
from dataset.profiles import to_srgb
from tests.dataset.pictures import array, encoded, scene


def srgb() -> bytes:
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def wide(swap: bool = True) -> bytes:
    """A profile of RGB whose red and blue are exchanged: nobody takes it for sRGB."""
    icc = bytearray(srgb())
    count = struct.unpack_from(">I", icc, 128)[0]
    places = {bytes(icc[132 + 12 * n : 136 + 12 * n]): 132 + 12 * n for n in range(count)}
    if swap:
        red, blue = places[b"rXYZ"], places[b"bXYZ"]
        icc[red : red + 4], icc[blue : blue + 4] = b"bXYZ", b"rXYZ"
    place = places[b"desc"]
    offset, length = struct.unpack_from(">II", icc, place + 4)
    text = bytes(icc[offset : offset + length])
    icc[offset : offset + length] = text.replace(
        "sRGB".encode("utf-16-be"), "wide".encode("utf-16-be")
    )
    return bytes(icc)


def name_of(icc: bytes) -> str:
    return ImageCms.getProfileDescription(ImageCms.ImageCmsProfile(io.BytesIO(icc)))


@pytest.mark.parametrize("format", ["PNG", "TIFF", "WEBP"])
def test_a_profile_is_followed_to_srgb(format: str) -> None:
    assert "sRGB" not in name_of(wide())
    options = {"lossless": True} if format == "WEBP" else {}
    content = encoded(scene(1), format, icc_profile=wide(), **options)
    swapped = array(scene(1))[..., ::-1].astype(int)
    assert np.abs(decode(content).rgb.astype(int) - swapped).max() <= 3


def test_the_alpha_channel_stays_as_it_was() -> None:
    image = scene(1).convert("RGBA")
    image.putalpha(scene(2).convert("L"))
    image.info["icc_profile"] = wide()
    changed = to_srgb(image)
    assert (array(changed)[..., 3] == array(image)[..., 3]).all()
    assert np.abs(array(changed)[..., :3].astype(int) - array(image)[..., 2::-1]).max() <= 3


def test_a_palette_is_followed_too() -> None:
    content = encoded(Image.new("RGB", (32, 32), (200, 30, 60)).quantize(4), icc_profile=wide())
    assert np.abs(decode(content).rgb[5, 5].astype(int) - (60, 30, 200)).max() <= 3


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "P", "L"])
def test_srgb_leaves_every_byte_alone(mode: str) -> None:
    image = scene(1).convert(mode)
    plain, profiled = encoded(image), encoded(image, icc_profile=srgb())
    assert plain != profiled
    assert decode(plain).pixel_sha256 == decode(profiled).pixel_sha256
    image.info["icc_profile"] = srgb()
    assert to_srgb(image) is image


@pytest.mark.parametrize(
    "icc",
    [b"", b"no profile", b"\0" * 500, srgb()[:300], b"\xff" * 200, wide()[:200] + b"\0" * 400],
)
def test_a_broken_profile_does_not_matter(icc: bytes) -> None:
    image = scene(1)
    image.info["icc_profile"] = icc
    assert to_srgb(image) is image
    content = encoded(scene(1), icc_profile=icc)
    assert (decode(content).rgb == array(scene(1))).all()


@pytest.mark.parametrize("mode", ["L", "CMYK", "I;16", "1"])
def test_a_profile_of_another_kind_of_pixels_does_not_matter(mode: str) -> None:
    grey = Image.fromarray(np.full((32, 32), 90 * 257, np.uint16))
    image = grey if mode == "I;16" else scene(1).convert(mode)
    image.info["icc_profile"] = wide()
    assert to_srgb(image) is image
