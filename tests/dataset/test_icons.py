"""Of an icon the best entry is taken, and nothing that its directory claims is believed."""

import struct

import pytest

from dataset.errors import PictureError
from dataset.icons import best_entry
from dataset.pixels import PixelLimits, decode
from tests.dataset.pictures import array, encoded, scene


def icon(*entries: bytes, sides: int = 0, bits: int = 32) -> bytes:
    """An ICO of these bodies, whose directory says `sides` for every one."""
    offset = 6 + 16 * len(entries)
    directory = struct.pack("<HHH", 0, 1, len(entries))
    for body in entries:
        directory += struct.pack("<BBBBHHII", sides, sides, 0, 0, 1, bits, len(body), offset)
        offset += len(body)
    return directory + b"".join(entries)


def dib(pixels: bytes, side: int, bits: int, mask: bytes = b"") -> bytes:
    """A bitmap as icons have it: twice the height, rows from below, an AND mask after them."""
    head = struct.pack("<IiiHHIIiiII", 40, side, 2 * side, 1, bits, 0, 0, 0, 0, 0, 0)
    return head + pixels + mask


def png(side: int, seed: int = 1) -> bytes:
    return encoded(scene(seed, (max(side, 48),) * 2).resize((side, side)))


def reason_of(content: bytes, limits: PixelLimits | None = None) -> str:
    with pytest.raises(PictureError) as caught:
        decode(content, limits=limits)
    return caught.value.reason


def test_the_largest_entry_is_taken_by_its_own_header_not_by_the_directory() -> None:
    content = icon(png(16), png(64, seed=2), png(32))
    picture = decode(content)
    assert (picture.format, picture.width, picture.height) == ("ICO", 64, 64)
    assert (picture.rgb == array(scene(2, (64, 64)))).all()


def test_a_side_of_0_in_the_directory_means_256() -> None:
    assert decode(encoded(scene(1, (256, 256)), "ICO", sizes=[(256, 256)])).width == 256


def test_among_entries_of_one_size_the_deepest_wins() -> None:
    coarse = dib(b"\0" * (32 * 32 * 3), 32, 24, b"\0" * 128)
    fine = dib(bytes([10, 20, 200, 255]) * 32 * 32, 32, 32, b"\0" * 128)
    for entries in ((coarse, fine), (fine, coarse)):
        assert tuple(decode(icon(*entries)).rgb[3, 3]) == (200, 20, 10)


def test_the_and_mask_is_transparency() -> None:
    mask = b"\xff\xff\0\0" * 16 + b"\0\0\0\0" * 16
    picture = decode(icon(dib(bytes([10, 20, 200]) * 32 * 32, 32, 24, mask), bits=24))
    assert picture.has_alpha
    assert tuple(picture.rgb[31, 0]) == (255, 255, 255)  # rows lie from below
    assert tuple(picture.rgb[31, 31]) == tuple(picture.rgb[0, 0]) == (200, 20, 10)


def test_32_bits_with_an_empty_alpha_channel_are_seen_through_the_mask() -> None:
    body = dib(bytes([10, 20, 200, 0]) * 32 * 32, 32, 32, b"\0" * 128)
    picture = decode(icon(body))
    assert not picture.has_alpha
    assert tuple(picture.rgb[0, 0]) == (200, 20, 10)


def test_the_pixels_of_a_bitmap_entry_are_what_pillow_wrote() -> None:
    image = scene(4, (48, 48)).convert("RGBA")
    content = encoded(image, "ICO", sizes=[(16, 16), (48, 48)], bitmap_format="bmp")
    assert (decode(content).rgb == array(image)[..., :3]).all()


def test_size_limits_hold_before_any_pixel_is_decoded() -> None:
    head = b"IHDR" + struct.pack(">IIBBBBB", 50_000, 50_000, 8, 2, 0, 0, 0)
    bomb = b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + head + b"\0" * 60
    assert reason_of(icon(bomb, sides=16)) == "too-many-pixels"
    wide = dib(b"", 30_000, 32)
    assert reason_of(icon(wide, sides=16)) == "too-many-pixels"
    assert reason_of(icon(png(8))) == "too-small"
    assert reason_of(icon(png(64)), PixelLimits(max_pixels=1000)) == "too-many-pixels"


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"\0\0\1\0", "truncated"),
        (b"\0\0\1\0\0\0", "broken"),
        (b"\0\0\1\0\xff\xff" + b"\0" * 100, "truncated"),
        (icon(png(32))[:400], "truncated"),
        (icon(b"neither this nor that" * 20, sides=32), "broken"),
        (icon(b"", sides=32), "broken"),
        (icon(dib(b"", 32, 32)), "broken"),
        (icon(dib(b"\0" * 4096, 32, 7)), "broken"),
        (icon(dib(b"\0" * 90, -32, 24)), "too-many-pixels"),
    ],
)
def test_broken_icons_are_refused_with_a_reason(content: bytes, reason: str) -> None:
    assert reason_of(content) == reason


def test_an_entry_says_what_it_is() -> None:
    entry = best_entry(icon(png(16), png(64)))
    assert (entry.width, entry.height, entry.is_png) == (64, 64, True)
