"""The looks of a picture: hashes as imagehash has them, borders off, seen on white and on black."""

import io

import imagehash
import numpy as np
import pytest
from PIL import Image, ImageDraw

from dataset.errors import PictureError
from dataset.fingerprint import (
    LOOK,
    ON_BLACK,
    ON_WHITE,
    OPAQUE,
    TRIMMED,
    WHOLE,
    Looks,
    content_box,
    fingerprint,
    hash_texts,
    phash_of_file,
    read,
)
from dataset.ingest import measure
from dataset.phash import ALPHA, DHASH, FINE, PHASH, reduced
from dataset.pixels import PixelLimits, rasterise
from tests.dataset.pictures import encoded, scene

# Taken from imagehash 4.3.2 and Pillow 13.
PINNED = ("9025ad3aaeaaaeaa", "e7eecedc9cb9393b")
SIZES = [(160, 120), (33, 17), (16, 128), (500, 375), (640, 90), (31, 32), (9, 8)]
ANY_SIZE = PixelLimits(min_side=1, max_aspect=1e9)


def looks_of(image: Image.Image | bytes) -> Looks:
    content = image if isinstance(image, bytes) else encoded(image)
    raster = rasterise(content, limits=ANY_SIZE)
    return fingerprint(raster, reduced(raster.image))


def busy(seed: int, size: tuple[int, int]) -> Image.Image:
    """As full as a photograph, to its rim."""
    cells = np.random.default_rng(seed).integers(0, 256, (12, 12, 3), np.uint8)
    return Image.fromarray(cells).resize(size, Image.Resampling.BICUBIC)


def distance(a: np.void, b: np.void) -> int:
    return int(np.bitwise_count(a["phash"] ^ b["phash"]))


def glyph(colour: tuple[int, int, int], corners: int = 5, side: int = 96) -> Image.Image:
    """One colour on nothing."""
    image = Image.new("RGBA", (side, side), (*colour, 0))
    angles = np.linspace(0, 2 * np.pi, corners, endpoint=False) + corners
    points = [
        (side / 2 + side * 0.4 * np.cos(a), side / 2 + side * 0.4 * np.sin(a)) for a in angles
    ]
    ImageDraw.Draw(image).polygon(points, fill=(*colour, 255))
    return image


@pytest.mark.parametrize("seed", range(40))
def test_hashes_are_those_of_the_imagehash_library(seed: int) -> None:
    size = SIZES[seed % len(SIZES)]
    image = scene(seed, (max(size[0], 44), max(size[1], 44))).resize(size)
    found = hash_texts(looks_of(image))
    small = reduced(image)
    assert found[PHASH] == str(imagehash.phash(small))
    assert found[DHASH] == str(imagehash.dhash(small))
    assert found[FINE] == str(imagehash.phash(small, hash_size=16))
    if max(size) < 288:
        assert small is image


def test_the_reduction_changes_few_bits() -> None:
    far = []
    for seed in range(40):
        image = scene(seed, (500, 375))
        found = hash_texts(looks_of(image))
        for name, whole in ((PHASH, imagehash.phash(image)), (DHASH, imagehash.dhash(image))):
            far.append(imagehash.hex_to_hash(found[name]) - whole)
    assert max(far) <= 4
    assert np.mean(far) < 0.7


def test_values_stay_what_they_were() -> None:
    ramp = np.add.outer(np.arange(96), 2 * np.arange(128))[..., None] * np.array([1, 2, 3]) % 256
    found = hash_texts(looks_of(Image.fromarray(ramp.astype(np.uint8))))
    assert (found[PHASH], found[DHASH]) == PINNED
    assert (PHASH, DHASH, FINE) == ("phash-64/3", "dhash-64/3", "phash-256/1")


def test_what_is_written_is_read_again() -> None:
    looks = looks_of(glyph((200, 40, 40)))
    assert (read(looks.tobytes()) == looks).all()
    assert LOOK.itemsize == 1604  # a change of it is a change of version


@pytest.mark.parametrize("level", [0, 1, 127, 255])
def test_flat_pictures_are_flagged(level: int) -> None:
    looks = looks_of(Image.new("RGB", (90, 70), (level,) * 3))
    assert looks["is_flat"].tolist() == [1]


def test_noise_so_faint_that_nobody_sees_it_is_flat() -> None:
    noise = np.random.default_rng(1).normal(128, 2, (80, 80, 3)).clip(0, 255).astype(np.uint8)
    assert looks_of(Image.fromarray(noise))["is_flat"].all()


@pytest.mark.parametrize("colour", ["white", "black", "#c03070"])
@pytest.mark.parametrize("sides", [(20, 20, 20, 20), (0, 30, 0, 0), (12, 0, 40, 7)])
def test_a_border_is_trimmed_off(colour: str, sides: tuple[int, int, int, int]) -> None:
    image = busy(3, (200, 150))
    left, top, right, bottom = sides
    framed = Image.new("RGB", (200 + left + right, 150 + top + bottom), colour)
    framed.paste(image, (left, top))
    (plain,) = looks_of(image)
    looks = looks_of(framed)
    assert looks["frame"].tolist() == [WHOLE, TRIMMED]
    assert distance(plain, looks[1]) <= 8
    assert looks[1]["width"] == pytest.approx(200, rel=0.03)
    assert looks[1]["height"] == pytest.approx(150, rel=0.03)


def test_frames_in_frames_are_followed() -> None:
    image = busy(5, (120, 90))
    for colour in ("white", "#203080", "black"):
        framed = Image.new("RGB", (image.width + 24, image.height + 24), colour)
        framed.paste(image, (12, 12))
        image = framed
    left, top, right, bottom = content_box(image)
    assert [left, top, right, bottom] == pytest.approx(
        [36 / 192, 36 / 162, 156 / 192, 126 / 162], abs=0.03
    )


@pytest.mark.parametrize("image", [busy(1, (90, 60)), Image.new("RGB", (50, 40), "red")])
def test_without_a_border_there_is_one_look(image: Image.Image) -> None:
    assert len(looks_of(image)) == 1


def test_what_can_be_seen_through_is_seen_on_white_and_on_black() -> None:
    image = glyph((200, 120, 40))
    looks = looks_of(image)
    assert set(looks["ground"].tolist()) == {ON_WHITE, ON_BLACK}
    for ground, colour in ((ON_WHITE, "white"), (ON_BLACK, "black")):
        flat = Image.new("RGB", image.size, colour)
        flat.paste(image, mask=image)
        mine = looks[(looks["ground"] == ground) & (looks["frame"] == WHOLE)][0]
        (theirs, *_) = looks_of(flat)
        assert theirs["ground"] == OPAQUE
        assert distance(mine, theirs) <= 2
        assert np.abs(mine["luma"].astype(int) - theirs["luma"]).max() <= 2


def test_a_black_drawing_on_nothing_is_flat_on_black_alone() -> None:
    looks = looks_of(glyph((0, 0, 0)))
    assert {(int(look["ground"]), int(look["is_flat"])) for look in looks} == {
        (ON_WHITE, 0),
        (ON_BLACK, 1),
    }


def test_letters_that_vanish_on_a_ground_are_told() -> None:
    sign = Image.new("RGBA", (240, 80), (0, 0, 0, 0))
    draw = ImageDraw.Draw(sign)
    draw.ellipse((4, 4, 76, 76), fill=(200, 30, 60, 255))
    draw.rectangle((100, 20, 230, 60), fill=(255, 255, 255, 255))
    looks = looks_of(sign)
    lost = {int(look["ground"]): int(look["has_lost"]) for look in looks}
    assert lost == {ON_WHITE: 1, ON_BLACK: 0}


def test_the_shape_of_one_colour_is_hashed_by_its_alpha() -> None:
    red, blue = (rasterise(encoded(glyph(colour))) for colour in ((200, 0, 0), (0, 0, 200)))
    hashes = [hash_texts(fingerprint(r, reduced(r.image)), r.rgba) for r in (red, blue)]
    assert hashes[0][ALPHA] == hashes[1][ALPHA]
    gradient = glyph((0, 0, 0))
    gradient.paste(Image.linear_gradient("L").resize(gradient.size).convert("RGB"), mask=gradient)
    raster = rasterise(encoded(gradient))
    assert ALPHA not in hash_texts(fingerprint(raster, reduced(raster.image)), raster.rgba)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_the_camera_s_orientation_does_not_matter(orientation: int) -> None:
    undo = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }
    image = scene(8, (160, 96))
    stored = image.transpose(undo[orientation]) if orientation in undo else image
    exif = Image.Exif()
    exif[0x0112] = orientation
    assert (looks_of(encoded(stored, exif=exif)) == looks_of(image)).all()


def test_colours_that_nobody_sees_do_not_matter() -> None:
    plain = glyph((10, 120, 60))
    hidden = np.array(plain)
    noise = np.random.default_rng(0).integers(0, 256, hidden.shape, np.uint8)
    hidden[hidden[:, :, 3] == 0, :3] = noise[hidden[:, :, 3] == 0, :3]
    one, other = (measure(encoded(image)) for image in (plain, Image.fromarray(hidden)))
    assert one.sha256 != other.sha256
    assert one.pixel_sha256 == other.pixel_sha256
    assert one.fingerprint == other.fingerprint


def test_the_same_pixels_are_the_same_in_any_lossless_format() -> None:
    image = scene(4, (120, 100))
    forms = [encoded(image), encoded(image, "BMP"), encoded(image, "WEBP", lossless=True)]
    forms.append(encoded(image.convert("RGBA")))
    jpeg = encoded(image, "JPEG", quality=90)
    assert len({measure(form).pixel_sha256 for form in forms}) == 1
    decoded = encoded(Image.open(io.BytesIO(jpeg)))
    assert measure(jpeg).pixel_sha256 == measure(decoded).pixel_sha256


ODD: dict[str, bytes] = {
    "16-bit grey": encoded(
        Image.fromarray((np.arange(6400).reshape(80, 80) * 10).astype(np.uint16))
    ),
    "CMYK": encoded(scene(1).convert("CMYK"), "JPEG"),
    "palette with transparency": encoded(scene(1).quantize(16), transparency=3),
    "grey with alpha": encoded(glyph((90, 90, 90)).convert("LA")),
    "one bit": encoded(scene(1).convert("1")),
    "animated": encoded(scene(1), "GIF", save_all=True, append_images=[scene(2), scene(3)]),
    "1x1": encoded(Image.new("RGB", (1, 1), "red")),
    "1x1 transparent": encoded(Image.new("RGBA", (1, 1))),
    "2x300": encoded(scene(1).resize((2, 300))),
    "20,000 wide": encoded(scene(1).resize((20_000, 20))),
    "all transparent": encoded(Image.new("RGBA", (64, 64), (200, 10, 10, 0))),
}


@pytest.mark.parametrize("kind", ODD)
def test_odd_pictures_are_hashed(kind: str) -> None:
    image = measure(ODD[kind], limits=ANY_SIZE)
    looks = read(image.fingerprint)
    assert 1 <= len(looks) <= 4
    assert all(np.isfinite(score) for score in image.quality.values())
    assert (looks["width"] > 0).all()
    assert (looks["height"] > 0).all()
    assert len(phash_of_file(ODD[kind])) == 16


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "empty"),
        (encoded(scene(1))[:900], "truncated"),
        (encoded(scene(1), "JPEG")[:700], "truncated"),
        (b"<html><body>no</body></html>", "html"),
        (b"\x00" * 4096, "not-an-image"),
        (ODD["1x1"], "too-small"),
        (ODD["20,000 wide"], "odd-aspect"),
    ],
)
def test_what_is_no_picture_is_refused_with_a_reason(content: bytes, reason: str) -> None:
    with pytest.raises(PictureError) as refusal:
        measure(content)
    assert refusal.value.reason == reason


def test_a_file_s_phash_alone_is_that_of_imagehash() -> None:
    for seed in range(12):
        image = scene(seed, (400, 300))
        for content in (encoded(image, "JPEG", quality=90), encoded(image)):
            theirs = imagehash.phash(Image.open(io.BytesIO(content)))
            assert imagehash.hex_to_hash(phash_of_file(content)) - theirs <= 4
