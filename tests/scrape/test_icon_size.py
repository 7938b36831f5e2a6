"""The size of a picture file is what its own header says, whatever it is called."""

import io
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from scrape.icon_size import PictureSize, size_of
from tests.scrape.icon_files import drawn, icon_of, svg


@pytest.mark.parametrize(
    ("format", "name"),
    [("PNG", "png"), ("GIF", "gif"), ("JPEG", "jpg"), ("WEBP", "webp"), ("BMP", "bmp")],
)
@pytest.mark.parametrize(("width", "height"), [(1, 1), (16, 16), (57, 31), (300, 256)])
def test_the_header_tells_format_and_sides(format: str, name: str, width: int, height: int) -> None:
    assert size_of(drawn(width, height, format)) == PictureSize(name, width, height)


@pytest.mark.skipif(".avif" not in Image.registered_extensions(), reason="Pillow without AVIF")
def test_an_avif_tells_its_sides() -> None:
    assert size_of(drawn(48, 32, "AVIF")) == PictureSize("avif", 48, 32)


@pytest.mark.parametrize("options", [{"lossless": True}, {"exif": b"Exif\0\0"}])
def test_all_kinds_of_webp_tell_their_sides(options: dict[str, object]) -> None:
    written = io.BytesIO()
    Image.new("RGBA", (40, 24), (1, 2, 3, 128)).save(written, "WEBP", **options)
    assert size_of(written.getvalue()) == PictureSize("webp", 40, 24)


def test_a_jpeg_with_metadata_and_progressive_scans_tells_its_sides() -> None:
    written = io.BytesIO()
    image = Image.new("RGB", (50, 20))
    image.save(written, "JPEG", progressive=True, comment=b"c" * 3000, icc_profile=b"p" * 70_000)
    assert size_of(written.getvalue()) == PictureSize("jpg", 50, 20)


def test_an_icon_is_as_large_as_its_best_entry_really_is() -> None:
    content = icon_of(drawn(16), drawn(64), drawn(32), stated=16)
    assert size_of(content) == PictureSize("ico", 64, 64)


def test_an_icon_of_bitmaps_counts_without_their_masks() -> None:
    written = io.BytesIO()
    Image.new("RGBA", (48, 48)).save(
        written, "ICO", sizes=[(16, 16), (48, 48)], bitmap_format="bmp"
    )
    assert size_of(written.getvalue()) == PictureSize("ico", 48, 48)


def test_a_bitmap_whose_rows_go_down_has_a_positive_height() -> None:
    content = bytearray(drawn(20, 10, "BMP"))
    struct.pack_into("<i", content, 22, -10)
    assert size_of(bytes(content)) == PictureSize("bmp", 20, 10)


@pytest.mark.parametrize(
    ("content", "sides"),
    [
        (svg('viewBox="0 0 20 10"'), (512, 256)),
        (svg('width="64" height="64"'), (512, 512)),
        (svg("width='10px' height='40px' viewBox='0 0 1 1'"), (128, 512)),
        (svg('width="100%" height="100%" viewBox="0,0,30,30"'), (512, 512)),
        (svg(""), (512, 512)),
        (b"<?xml version='1.0'?><!-- c --><svg viewBox='0 0 4 2'/>", (512, 256)),
        (svg('width="1e999" height="nan"'), (512, 512)),
    ],
)
def test_a_drawing_has_the_sides_at_which_it_is_drawn(
    content: bytes, sides: tuple[int, int]
) -> None:
    assert size_of(content) == PictureSize("svg", *sides)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\0",
        b"not a picture",
        b"<!doctype html><html><svg></svg></html>",
        b"<html>",
        b"\0\0\1\0\0\0",
        icon_of(drawn(16))[:40],
        b"\x89PNG\r\n\x1a\n" + b"\0" * 30,
        b"GIF89a\0\0\0\0",
        b"GIF89a",
        b"\xff\xd8\xff\xe0\xff",
        b"\xff\xd8\xff" + b"\xff" * 5000,
        b"\xff\xd8\xff\xe0\0\0" * 3000,
        b"RIFF\0\0\0\0WAVEfmt ",
        b"RIFF\0\0\0\0WEBPVP8X\0\0\0\0\0",
        b"BM",
        b"BM" + b"\0" * 40,
        b"\0\0\0\x20ftypavif" + b"\0" * 30,
        b"\0\0\0\x20ftypavif\0\0ispe\0",
    ],
)
def test_what_is_no_picture_or_ends_in_its_header_has_no_size(content: bytes) -> None:
    assert size_of(content) is None


SAMPLES = [drawn(9, 7, name) for name in ("PNG", "GIF", "JPEG", "WEBP", "BMP")]
SAMPLES += [icon_of(drawn(16)), svg()]


@given(st.sampled_from(SAMPLES), st.data())
def test_no_damage_to_a_file_breaks_the_reader(sample: bytes, data: st.DataObject) -> None:
    content = bytearray(sample[: data.draw(st.integers(0, len(sample)))])
    for _ in range(data.draw(st.integers(0, 6))):
        if content:
            place = data.draw(st.integers(0, len(content) - 1))
            content[place] = data.draw(st.integers(0, 255))
    size = size_of(bytes(content))
    assert size is None or (size.width > 0 and size.height > 0)
