"""The one decode path: what pictures become, and why some are refused."""

import contextlib
import io
import struct
import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from dataset.errors import PictureError
from dataset.pixels import PixelLimits, composite, decode
from tests.dataset.pictures import array, encoded, scene


def test_rgb_pixels_come_out_as_they_went_in() -> None:
    image = scene(1)
    picture = decode(encoded(image))
    assert picture.rgb.dtype == np.uint8
    assert (picture.rgb == array(image)).all()
    assert (picture.width, picture.height, picture.has_alpha) == (160, 120, False)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_applied(orientation: int) -> None:
    upright = Image.new("RGB", (64, 32), "white")
    upright.paste("red", (0, 0, 16, 16))
    undo = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }
    stored = upright.transpose(undo[orientation]) if orientation > 1 else upright
    exif = Image.Exif()
    exif[0x0112] = orientation
    picture = decode(encoded(stored, "PNG", exif=exif))
    assert (picture.width, picture.height) == (64, 32)
    assert tuple(picture.rgb[4, 4]) == (255, 0, 0)
    assert tuple(picture.rgb[28, 60]) == (255, 255, 255)


def test_black_shapes_on_nothing_are_seen_on_white_and_white_ones_on_black() -> None:
    for ink, ground in ((0, 255), (255, 0)):
        logo = Image.new("RGBA", (40, 40), (ink, ink, ink, 0))
        logo.paste((ink, ink, ink, 255), (10, 10, 30, 30))
        picture = decode(encoded(logo))
        assert picture.has_alpha
        assert tuple(picture.rgb[0, 0]) == (ground,) * 3
        assert tuple(picture.rgb[20, 20]) == (ink,) * 3


def test_different_black_logos_on_nothing_stay_different() -> None:
    logos = []
    for box in ((5, 5, 20, 20), (18, 18, 38, 38)):
        logo = Image.new("RGBA", (40, 40), (0, 0, 0, 0))
        logo.paste((0, 0, 0, 255), box)
        logos.append(decode(encoded(logo)))
    assert logos[0].pixel_sha256 != logos[1].pixel_sha256
    assert (logos[0].rgb != logos[1].rgb).any()


@given(st.integers(0, 255), st.integers(0, 255))
def test_compositing_is_the_weighted_mean(ink: int, alpha: int) -> None:
    pixel = np.array([[[ink, ink, ink, alpha]]], np.uint8)
    expected = round(ink * alpha / 255 + 255 * (1 - alpha / 255))
    assert abs(int(composite(pixel, "white")[0, 0, 0]) - expected) <= 1


@pytest.mark.parametrize("mode", ["L", "1", "P", "CMYK", "LA", "I;16", "I", "F", "YCbCr", "LAB"])
def test_every_mode_becomes_rgb(mode: str) -> None:
    grey = Image.fromarray(np.full((32, 32), 200, np.uint8))
    if mode in ("I;16", "I"):
        image = Image.fromarray(np.full((32, 32), 200 * 257, np.uint16))
        image = image.convert("I") if mode == "I" else image
    else:
        image = grey.convert("RGB").convert(mode) if mode not in ("L", "LA") else grey.convert(mode)
    formats = {"CMYK": "JPEG", "YCbCr": "JPEG", "I": "TIFF", "F": "TIFF", "LAB": "TIFF"}
    picture = decode(encoded(image, formats.get(mode, "PNG")))
    assert picture.rgb.shape == (32, 32, 3)
    if mode not in ("1", "P"):
        assert abs(int(picture.rgb[5, 5, 0]) - 200) <= 3


def test_a_transparent_palette_is_composited() -> None:
    image = Image.new("P", (32, 32), 0)
    image.putpalette([0, 0, 0, 255, 0, 0] + [0] * 762)
    image.paste(1, (8, 8, 24, 24))
    picture = decode(encoded(image, "PNG", transparency=0))
    assert picture.has_alpha
    assert tuple(picture.rgb[0, 0]) == (255, 255, 255)
    assert tuple(picture.rgb[16, 16]) == (255, 0, 0)


def test_an_animation_is_its_first_frame() -> None:
    frames = [scene(1), scene(2)]
    content = encoded(frames[0], "GIF", save_all=True, append_images=frames[1:])
    assert decode(content).rgb.shape == (120, 160, 3)


def png_header(width: int, height: int) -> bytes:
    """A PNG that claims a size and holds nothing."""
    body = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunk = struct.pack(">I", 13) + body + struct.pack(">II", zlib.crc32(body), 10_000)
    return b"\x89PNG\r\n\x1a\n" + chunk + b"IDAT"


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "empty"),
        (b"<!DOCTYPE html><html>not here</html>", "html"),
        (b"  \n<html><body>", "html"),
        (b"hello, this is text", "not-an-image"),
        (b"\x89PNG\r\n\x1a\n", "not-an-image"),
        (b"GIF89a", "not-an-image"),
        (png_header(100_000, 100_000), "too-many-pixels"),
        (encoded(scene(3))[:1000], "truncated"),
        (encoded(scene(3), "JPEG")[:1500], "truncated"),
        (encoded(Image.new("RGB", (8, 300))), "too-small"),
        (encoded(Image.new("RGB", (900, 32))), "odd-aspect"),
        (b"x" * 50_000_000, "too-many-bytes"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'></svg>", "not-an-image"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "not-an-image"),
    ],
)
def test_bytes_that_are_no_picture_are_refused_with_a_reason(content: bytes, reason: str) -> None:
    with pytest.raises(PictureError) as caught:
        decode(content)
    assert caught.value.reason == reason


@given(st.binary(max_size=200), st.integers(0, 400))
def test_damaged_pictures_never_crash(garbage: bytes, place: int) -> None:
    content = bytearray(encoded(Image.new("RGB", (40, 40), "red")))
    content[place : place + len(garbage)] = garbage
    with contextlib.suppress(PictureError):
        assert decode(bytes(content)).rgb.shape[2] == 3


def test_limits_are_the_callers() -> None:
    content = encoded(scene(1))
    with pytest.raises(PictureError) as caught:
        decode(content, limits=PixelLimits(max_pixels=100))
    assert caught.value.reason == "too-many-pixels"


def test_the_pixel_hash_is_of_pixels_not_of_bytes() -> None:
    image = scene(5)
    plain, squeezed = encoded(image), encoded(image, "PNG", compress_level=9)
    assert plain != squeezed
    assert decode(plain).pixel_sha256 == decode(squeezed).pixel_sha256
    assert decode(plain).pixel_sha256 != decode(encoded(scene(6))).pixel_sha256


def test_broken_exif_does_not_matter() -> None:
    buffer = io.BytesIO()
    scene(1).save(buffer, "JPEG", exif=b"Exif\0\0MM\0*\xff\xff\xff\xff garbage")
    assert decode(buffer.getvalue()).width == 160
