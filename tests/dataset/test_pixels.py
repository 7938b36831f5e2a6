"""The one decode path: what pictures become, and why some are refused."""

import contextlib
import gzip
import hashlib
import io
import struct
import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from dataset.errors import PictureError
from dataset.pixels import PixelLimits, Pixels, composite, decode
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
        (b"<?xml version='1.0'?><feed></feed>", "html"),
        (gzip.compress(b"<svg xmlns='http://www.w3.org/2000/svg'></svg>", mtime=0), "not-an-image"),
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


def test_a_broken_file_of_which_the_end_is_there_is_broken_not_truncated() -> None:
    content = bytearray(encoded(scene(1), "WEBP"))
    content[30:90] = b"\xff" * 60
    with pytest.raises(PictureError) as caught:
        decode(bytes(content))
    assert caught.value.reason == "broken"


@pytest.mark.parametrize("format", ["PNG", "JPEG", "GIF", "WEBP", "BMP", "ICO", "AVIF", "TIFF"])
@pytest.mark.parametrize("share", [0.1, 0.3, 0.6, 0.9])
def test_a_file_that_ends_too_early_is_truncated(format: str, share: float) -> None:
    content = encoded(scene(3, (64, 64)), format)
    with pytest.raises(PictureError) as caught:
        decode(content[: int(len(content) * share)])
    assert caught.value.reason == "truncated"


def frames(format: str, count: int) -> bytes:
    images = [Image.new("RGB", (16, 16), (40 * n, 255 - 40 * n, 90)) for n in range(count)]
    return encoded(images[0], format, save_all=True, append_images=images[1:])


@pytest.mark.parametrize("format", ["GIF", "WEBP", "PNG", "AVIF", "TIFF"])
def test_animations_of_too_many_frames_are_refused(format: str) -> None:
    content = frames(format, 6)
    assert decode(content, limits=PixelLimits(max_frames=6)).width == 16
    with pytest.raises(PictureError) as caught:
        decode(content, limits=PixelLimits(max_frames=5))
    assert caught.value.reason == "too-many-frames"


@pytest.mark.parametrize("kind", [b"VP8X", b"VP8L"])
def test_a_webp_that_claims_a_huge_canvas_is_refused_before_one_is_made(kind: bytes) -> None:
    side = 12_000 - 1
    claims = {
        b"VP8X": bytes([2, 0, 0, 0]) + side.to_bytes(3, "little") * 2,
        b"VP8L": b"\x2f" + (side | side << 14).to_bytes(4, "little"),
    }
    body = b"WEBP" + kind + struct.pack("<I", len(claims[kind])) + claims[kind] + b"\0" * 40
    with pytest.raises(PictureError) as caught:
        decode(b"RIFF" + struct.pack("<I", len(body)) + body)
    assert caught.value.reason == "too-many-pixels"


def one_band(rgba: Pixels, ground: float) -> Pixels:
    alpha = rgba[..., 3:].astype(np.float32) / 255.0
    mixed = rgba[..., :3].astype(np.float32) * alpha + ground * (1.0 - alpha)
    flat: Pixels = np.rint(mixed).astype(np.uint8)
    return flat


@pytest.mark.parametrize("shape", [(700, 900), (3, 300_000), (1, 1), (600_000, 1)])
def test_compositing_in_bands_is_compositing_at_once(shape: tuple[int, int]) -> None:
    rgba = np.random.default_rng(1).integers(0, 256, (*shape, 4), np.uint8)
    assert (composite(rgba, "white") == one_band(rgba, 255.0)).all()
    assert (composite(rgba, "black") == one_band(rgba, 0.0)).all()


def test_bright_in_one_band_and_dark_in_the_other_is_laid_on_white() -> None:
    rgba = np.full((1500, 1000, 4), 255, np.uint8)
    rgba[:750, :, :3] = 0
    rgba[700, 500, 3] = rgba[1400, 500, 3] = 0
    assert tuple(composite(rgba)[700, 500]) == (255, 255, 255)


def png_of(width: int, height: int, depth: int, colour: int, rows: bytes, *more: bytes) -> bytes:
    """A PNG written by hand; `more` are chunks (type and body) before the pixels."""

    def chunk(body: bytes) -> bytes:
        return struct.pack(">I", len(body) - 4) + body + struct.pack(">I", zlib.crc32(body))

    head = b"IHDR" + struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    chunks = [head, *more, b"IDAT" + zlib.compress(rows), b"IEND"]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(body) for body in chunks)


@pytest.mark.parametrize(
    ("colour", "left", "right", "more"),
    [
        (6, (0xFFFF, 0, 0, 0xFFFF), (0, 0, 0xFFFF, 0), ()),  # RGBA
        (4, (0x4C4C, 0xFFFF), (0x1111, 0), ()),  # grey and alpha
        (2, (0xFFFF, 0, 0), (0x1234, 0x5678, 0x9ABC), (b"tRNS\x12\x34\x56\x78\x9a\xbc",)),
        (0, (0x4C4C,), (0x1111,), (b"tRNS\x11\x11",)),
    ],
)
def test_16_bit_pictures_keep_their_transparency(
    colour: int, left: tuple[int, ...], right: tuple[int, ...], more: tuple[bytes, ...]
) -> None:
    row = b"\0" + struct.pack(f">{16 * len(left)}H", *(left * 8 + right * 8))
    picture = decode(png_of(16, 16, 16, colour, row * 16, *more))
    assert picture.has_alpha
    expected = (255, 0, 0) if colour in (2, 6) else (0x4C,) * 3
    assert tuple(picture.rgb[8, 2]) == expected
    assert tuple(picture.rgb[8, 12]) == (255, 255, 255)


def test_an_interlaced_png_is_the_same_picture() -> None:
    """Adam7 of one colour per pass would hide a wrong order: every pixel differs here."""
    grey = np.arange(256, dtype=np.uint8).reshape(16, 16)
    passes = [(0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2)]
    rows = b""
    for top, left, down, across in [*passes, (1, 0, 2, 1)]:
        rows += b"".join(b"\0" + row.tobytes() for row in grey[top::down, left::across])
    content = bytearray(png_of(16, 16, 8, 0, rows))
    content[28] = 1
    content[29:33] = struct.pack(">I", zlib.crc32(content[12:29]))
    assert (decode(bytes(content)).rgb[..., 0] == grey).all()


def adobe_jpeg(inks: tuple[int, int, int, int], transform: int) -> bytes:
    """Four channels as they are stored in a JPEG whose Adobe marker has this transform byte."""
    planes = [Image.new("L", (32, 32), 255 - ink) for ink in inks]  # Pillow inverts on saving
    content = encoded(Image.merge("CMYK", planes), "JPEG", quality=95, subsampling=0)
    place = content.index(b"Adobe") + 11
    return content[:place] + bytes([transform]) + content[place + 1 :]


def test_inverted_cmyk_and_ycck_are_seen_the_right_way_round() -> None:
    """Adobe stores 255 less the ink: what is stored of cyan, magenta, yellow looks like RGB."""
    red = (220, 30, 30)
    assert np.abs(decode(adobe_jpeg((*red, 255), 0)).rgb.astype(int) - red).max() <= 4
    # YCCK holds the YCbCr of the ink that is not inverted (libjpeg, jdcolor.c).
    ink = tuple(255 - value for value in red)
    y, cb, cr = (int(v) for v in array(Image.new("RGB", (1, 1), ink).convert("YCbCr"))[0, 0])
    assert np.abs(decode(adobe_jpeg((y, cb, cr, 255), 2)).rgb.astype(int) - red).max() <= 4


def test_grey_with_alpha_is_composited() -> None:
    image = Image.new("LA", (32, 32), (0, 0))
    image.paste((80, 255), (8, 8, 24, 24))
    picture = decode(encoded(image))
    assert picture.has_alpha
    assert (tuple(picture.rgb[0, 0]), tuple(picture.rgb[16, 16])) == ((255,) * 3, (80,) * 3)


@pytest.mark.parametrize("exif", [b"Exif\0\0", b"Exif\0\0II*\0\x08\0\0\0\xff\xff", b"\xff" * 90])
@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP"])
def test_broken_exif_of_any_format_does_not_matter(exif: bytes, format: str) -> None:
    assert decode(encoded(scene(1), format, exif=exif)).width == 160


def test_the_rgb_of_a_decoded_picture_can_be_written_to() -> None:
    for image in (scene(1), scene(1).convert("RGBA"), Image.new("RGBA", (32, 32), (9, 9, 9, 9))):
        assert decode(encoded(image)).rgb.flags.writeable


def test_the_pixel_hash_is_the_hash_of_shape_and_pixels() -> None:
    for image in (scene(1), Image.new("RGBA", (32, 20), (9, 8, 7, 6))):
        pixels = array(image)
        expected = hashlib.sha256(repr(pixels.shape).encode() + pixels.tobytes()).hexdigest()
        assert decode(encoded(image)).pixel_sha256 == expected
