"""How a picture becomes a square of the pack: its size, its light, its edges, its background."""

import dataclasses
import io
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from dataset.errors import PictureError
from dataset.pack_selection import PackConfig
from dataset.pixels import Pixels, decode
from dataset.preparation import RECIPE, prepare, prepared, recipe, window

FITS = ("pad", "crop", "subject", "stretch")
FILTERS = ("box", "bilinear", "bicubic", "lanczos")
CHANNELS = {"grey": 1, "rgb": 3, "rgba": 4}
Real = NDArray[np.float64]


def config(**options: Any) -> PackConfig:
    return PackConfig(**options)


def noise(width: int, height: int, channels: int = 3, seed: int = 0) -> Pixels:
    """Colours that change slowly, with some noise."""
    chance = np.random.default_rng(seed)
    coarse = chance.integers(0, 256, (4, 5, channels), dtype=np.uint8)
    planes = [
        np.asarray(Image.fromarray(coarse[:, :, c]).resize((width, height))).astype(int)
        for c in range(channels)
    ]
    pixels = np.stack(planes, axis=-1) + chance.integers(-9, 10, (height, width, channels))
    return np.clip(pixels, 0, 255).astype(np.uint8)


def png(pixels: Pixels) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


def jpeg(pixels: Pixels, **options: Any) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=92, **options)
    return buffer.getvalue()


def checkerboard(side: int) -> Pixels:
    y, x = np.mgrid[0:side, 0:side]
    return np.repeat(((x + y) % 2 * 255).astype(np.uint8)[..., None], 3, axis=2)


recipes = st.fixed_dictionaries(
    {
        "size": st.integers(8, 40),
        "channels": st.sampled_from(sorted(CHANNELS)),
        "fit": st.sampled_from(FITS),
        "resample": st.sampled_from(FILTERS),
        "linear_light": st.booleans(),
        "sharpness": st.sampled_from([0.0, 0.5, 1.0, 1.25, 4.0]),
        "background": st.sampled_from(["auto", "white", "black"]),
    }
)


@given(recipes, st.integers(1, 70), st.integers(1, 70), st.sampled_from([3, 4]))
@settings(max_examples=150, deadline=None)
def test_every_recipe_gives_a_square_of_its_size_and_channels(
    options: dict[str, Any], width: int, height: int, channels: int
) -> None:
    done = prepare(noise(width, height, channels), config(**options))
    side = options["size"]
    assert done.shape == (side, side, CHANNELS[options["channels"]])
    assert done.dtype == np.uint8


@given(recipes, st.integers(1, 70), st.integers(1, 70), st.tuples(*[st.integers(0, 255)] * 3))
@settings(max_examples=150, deadline=None)
def test_a_constant_picture_stays_constant(
    options: dict[str, Any], width: int, height: int, colour: tuple[int, int, int]
) -> None:
    done = prepare(np.full((height, width, 3), colour, np.uint8), config(**options))
    if options["channels"] == "rgba":
        done = done[done[:, :, 3] == 255]  # padding is transparent
    assert (done == done.reshape(-1, done.shape[-1])[0]).all()
    if options["channels"] == "grey":
        luma = float(np.array(colour) @ np.array([0.299, 0.587, 0.114]))
        assert abs(int(done.flat[0]) - luma) <= 1
    else:
        assert tuple(done.reshape(-1, done.shape[-1])[0, :3]) == colour


@pytest.mark.parametrize("size", [8, 28, 32, 64, 256, 512])
def test_every_size_from_8_to_512_is_made_of_smaller_and_larger_pictures(size: int) -> None:
    for width, height in ((300, 200), (20, 31)):
        assert prepare(noise(width, height), config(size=size)).shape == (size, size, 3)


@pytest.mark.parametrize("fit", ["crop", "stretch", "subject"])
@pytest.mark.parametrize("linear_light", [False, True])
@pytest.mark.parametrize("sharpness", [1.0, 1.5])
@pytest.mark.parametrize("channels", CHANNELS)
def test_a_mirrored_picture_gives_the_mirrored_result(
    fit: str, linear_light: bool, sharpness: float, channels: str
) -> None:
    """To a level. Not with fit=pad where an odd number of columns is left: those on the right or
    below have one more."""
    options = config(
        size=24, fit=fit, linear_light=linear_light, sharpness=sharpness, channels=channels
    )
    pixels = noise(90, 61, seed=5)
    pixels[20:40, 60:80] = (250, 20, 30)  # a subject on the right
    plain = prepare(pixels, options).astype(int)
    mirrored = prepare(np.ascontiguousarray(pixels[:, ::-1]), options).astype(int)
    assert np.abs(mirrored[:, ::-1] - plain).max() <= 1


def test_padding_is_mirrored_where_it_is_even() -> None:
    pixels = noise(30, 60, seed=1)
    plain = prepare(pixels, config(size=32)).astype(int)
    mirrored = prepare(np.ascontiguousarray(pixels[:, ::-1]), config(size=32)).astype(int)
    assert np.abs(mirrored[:, ::-1] - plain).max() <= 1


@pytest.mark.parametrize("resample", FILTERS)
@pytest.mark.parametrize(("linear_light", "grey"), [(False, 128), (True, 188)])
@pytest.mark.parametrize("channels", CHANNELS)
def test_a_checkerboard_of_pixels_becomes_flat_grey(
    resample: str, linear_light: bool, grey: int, channels: str
) -> None:
    options = config(size=16, resample=resample, linear_light=linear_light, channels=channels)
    done = prepare(checkerboard(256), options)[2:-2, 2:-2].astype(int)  # filters end at the edge
    assert np.abs(done[..., :3] - grey).max() <= 2


@pytest.mark.parametrize("resample", FILTERS)
@pytest.mark.parametrize("linear_light", [False, True])
@pytest.mark.parametrize("sharpness", [1.0, 4.0])
def test_overshoot_is_cut_off_and_never_wraps_around(
    resample: str, linear_light: bool, sharpness: float
) -> None:
    """Black meets white: a value that wrapped would be dark on the white side."""
    pixels = np.zeros((90, 90, 3), np.uint8)
    pixels[:, 45:] = 255
    options = config(size=30, resample=resample, linear_light=linear_light, sharpness=sharpness)
    done = prepare(pixels, options)
    assert done[:, 17:].min() >= 200
    assert done[:, :13].max() <= 55


@pytest.mark.parametrize("resample", FILTERS)
@pytest.mark.parametrize("channels", CHANNELS)
def test_light_is_averaged_to_a_level_of_a_float64_reference(resample: str, channels: str) -> None:
    pixels = noise(61, 61, seed=3)
    options = config(size=15, resample=resample, linear_light=True, channels=channels)
    done = prepare(pixels, options).astype(int)
    expected = _codes(_resized(_light(pixels / 255.0), 15, resample)) * 255
    if channels == "grey":
        expected = (np.rint(expected) @ [0.299, 0.587, 0.114])[..., None]
    assert np.abs(done[..., :3] - expected).max() <= 1.0


@pytest.mark.parametrize("resample", FILTERS)
def test_codes_are_averaged_to_a_level_of_a_float64_reference(resample: str) -> None:
    pixels = noise(61, 61, seed=3)
    done = prepare(pixels, config(size=15, resample=resample)).astype(int)
    expected = np.rint(np.clip(_resized(pixels / 255.0, 15, resample), 0, 1) * 255)
    assert np.abs(done - expected).max() <= 1


@pytest.mark.parametrize("resample", FILTERS)
@pytest.mark.parametrize("linear_light", [False, True])
@pytest.mark.parametrize("fit", ["pad", "crop"])
@pytest.mark.parametrize("sharpness", [0.0, 1.0, 2.0])
def test_the_edge_of_what_is_seen_has_no_dark_or_light_fringe(
    resample: str, linear_light: bool, fit: str, sharpness: float
) -> None:
    """One colour with every alpha keeps it, whatever the file hides under transparent pixels."""
    y, x = np.mgrid[0:120, 0:150]
    pixels = np.zeros((120, 150, 4), np.uint8)
    pixels[..., :3] = noise(150, 120)  # hidden
    inside = np.hypot(x - 74.5, y - 59.5) < 45
    pixels[inside] = (200, 100, 50, 255)
    options = config(
        size=28,
        channels="rgba",
        resample=resample,
        linear_light=linear_light,
        fit=fit,
        sharpness=sharpness,
    )
    done = prepare(pixels, options).astype(int)
    seen = done[done[..., 3] >= 32]
    assert np.abs(seen[:, :3] - (200, 100, 50)).max() <= 4
    assert (done[done[..., 3] == 0] == 0).all()
    assert done[14, 14].tolist() == [200, 100, 50, 255]
    assert done[0, 0].tolist() == [0, 0, 0, 0]


def test_alpha_lies_on_the_background_where_the_pack_has_none() -> None:
    pixels = np.zeros((40, 40, 4), np.uint8)
    pixels[10:30, 10:30] = (250, 0, 0, 255)
    for background, level in (("white", 255), ("black", 0), ("auto", 255)):
        done = prepare(pixels, config(size=20, background=background))
        assert done[0, 0].tolist() == [level] * 3
        assert done[10, 10].tolist() == [250, 0, 0]
    grey = prepare(pixels, config(size=20, channels="grey", background="black"))
    assert (grey[0, 0, 0], grey[10, 10, 0]) == (0, 75)  # 0.299 x 250


def test_an_opaque_picture_is_opaque_in_a_pack_with_alpha_and_its_padding_is_not() -> None:
    done = prepare(noise(40, 20), config(size=20, channels="rgba"))
    assert (done[5:15, :, 3] == 255).all()
    assert (done[:5] == 0).all()
    assert (done[15:] == 0).all()


def test_padding_has_the_median_colour_of_the_edge() -> None:
    pixels = np.full((20, 60, 3), (10, 200, 30), np.uint8)
    pixels[5:15, 20:40] = 255
    for channels, expected in (("rgb", [10, 200, 30]), ("grey", [124])):
        done = prepare(pixels, config(size=30, channels=channels))
        assert done[0, 0].tolist() == expected
        assert done[-1, -1].tolist() == expected


@pytest.mark.parametrize("channels", CHANNELS)
@pytest.mark.parametrize("linear_light", [False, True])
def test_a_picture_of_the_right_size_keeps_every_bit(channels: str, linear_light: bool) -> None:
    pixels = noise(32, 32, 4 if channels == "rgba" else 3)
    if channels == "rgba":
        pixels[pixels[..., 3] == 0] = 0
    options = config(size=32, channels=channels, linear_light=linear_light)
    expected = pixels
    if channels == "grey":
        expected = np.asarray(Image.fromarray(pixels).convert("L"))[..., None]
    assert np.array_equal(prepare(pixels, options), expected)


def test_more_sharpness_is_more_contrast_at_edges_and_1_is_none() -> None:
    pixels = noise(64, 64)
    contrast = [
        np.abs(np.diff(prepare(pixels, config(sharpness=s)).astype(int), axis=1)).mean()
        for s in (0.0, 0.5, 1.0, 1.5, 3.0)
    ]
    assert contrast == sorted(contrast)
    assert contrast[0] < contrast[2] < contrast[-1]


@pytest.mark.parametrize("sharpness", [0.0, 2.0])
def test_sharpness_leaves_alpha_as_it_is(sharpness: float) -> None:
    pixels = noise(64, 64, 4)
    plain = prepare(pixels, config(channels="rgba"))
    done = prepare(pixels, config(channels="rgba", sharpness=sharpness))
    assert np.array_equal(done[..., 3], plain[..., 3])
    assert not np.array_equal(done, plain)


def test_the_recipe_is_what_changes_the_look() -> None:
    options = {"size": 24, "fit": "crop", "channels": "rgba", "sharpness": 1.5, "seed": 4}
    found = recipe(config(**options))
    assert set(found) == set(RECIPE) < {field.name for field in dataclasses.fields(PackConfig)}
    pixels = noise(40, 30)
    assert np.array_equal(
        prepare(pixels, config(**options)), prepare(pixels, config(**found, name="other"))
    )


@pytest.mark.parametrize("channels", CHANNELS)
@pytest.mark.parametrize("fit", FITS)
@pytest.mark.parametrize(("width", "height"), [(32, 32), (50, 33), (20, 90)])
def test_a_file_becomes_a_row_of_what_is_decoded(
    channels: str, fit: str, width: int, height: int
) -> None:
    options = config(channels=channels, fit=fit)
    content = png(noise(width, height))
    row = prepared(content, options)
    assert (row.shape, row.flags.c_contiguous) == ((CHANNELS[channels], 32, 32), True)
    assert np.array_equal(row.transpose(1, 2, 0), prepare(decode(content).rgb, options))


def test_the_alpha_of_a_file_survives_in_a_pack_with_alpha() -> None:
    pixels = noise(32, 32, 4)
    pixels[:9, :, 3] = 0
    row = prepared(png(pixels), config(channels="rgba")).transpose(1, 2, 0)
    assert (row[:9] == 0).all()
    assert np.array_equal(row[9:], np.where(pixels[9:, :, 3:] > 0, pixels[9:], 0))
    flat = prepared(png(pixels), config(background="black"))
    assert (flat[:, :9] == 0).all()


@pytest.mark.parametrize("fit", FITS)
@pytest.mark.parametrize(("width", "height"), [(901, 633), (640, 640), (330, 1203)])
@pytest.mark.parametrize("channels", ["grey", "rgb"])
def test_a_large_jpeg_is_decoded_smaller_and_looks_the_same(
    fit: str, width: int, height: int, channels: str
) -> None:
    options = config(fit=fit, channels=channels)
    content = jpeg(noise(width, height))
    whole = prepare(decode(content).rgb, options).astype(int)
    difference = np.abs(prepared(content, options).transpose(1, 2, 0) - whole)
    assert difference.mean() < (1.5 if fit == "subject" else 0.8)


def test_a_large_jpeg_is_turned_upright() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by 90 degrees
    pixels = noise(900, 600)
    content = jpeg(pixels, exif=exif)
    whole = prepare(decode(content).rgb, config(fit="crop")).astype(int)
    assert np.abs(prepared(content, config(fit="crop")).transpose(1, 2, 0) - whole).mean() < 0.8


def test_a_large_jpeg_in_linear_light_is_decoded_whole() -> None:
    content = jpeg(checkerboard(512), subsampling=0)
    done = prepared(content, config(size=16, linear_light=True))[:, 2:-2, 2:-2].astype(int)
    assert np.abs(done - 188).max() <= 3


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "empty"),
        (b"<!doctype html><p>gone", "html"),
        (b"\x00" * 64, "not-an-image"),
        (jpeg(noise(60, 60))[:300], "truncated"),
        (png(noise(60, 60))[:200], "truncated"),
    ],
)
def test_a_file_that_is_no_picture_is_told_with_its_reason(content: bytes, reason: str) -> None:
    with pytest.raises(PictureError) as told:
        prepared(content, config())
    assert told.value.reason == reason


def test_pictures_of_any_shape_that_the_store_may_hold_are_prepared() -> None:
    for width, height in ((1, 1), (1, 3000), (3000, 1), (2, 5)):
        for fit in FITS:
            assert prepared(png(noise(width, height)), config(fit=fit)).shape == (3, 32, 32)


@pytest.mark.parametrize("fit", FITS)
def test_the_window_is_what_is_kept(fit: str) -> None:
    left, top, right, bottom = window(
        Image.fromarray(noise(100, 60)), config(fit=fit), size=(1000, 600)
    )
    if fit in ("pad", "stretch"):
        assert (left, top, right, bottom) == (0, 0, 1000, 600)
    else:
        assert (right - left, top, bottom) == (600, 0, 600)
        assert 0 <= left <= 400


def _light(code: Real) -> Real:
    return np.where(code <= 0.04045, code / 12.92, ((code + 0.055) / 1.055) ** 2.4)


def _codes(light: Real) -> Real:
    light = np.clip(light, 0.0, 1.0)
    return np.where(light <= 0.0031308, light * 12.92, 1.055 * light ** (1 / 2.4) - 0.055)


def _kernel(x: Real, resample: str) -> Real:
    """The filters as they are defined; bicubic with a = -0.5."""
    x = np.abs(x)
    if resample == "box":
        return np.asarray(x < 0.5, float)
    if resample == "bilinear":
        return np.maximum(1.0 - x, 0.0)
    if resample == "bicubic":
        inner = (1.5 * x - 2.5) * x * x + 1.0
        outer = ((-0.5 * x + 2.5) * x - 4.0) * x + 2.0
        return np.where(x < 1, inner, np.where(x < 2, outer, 0.0))
    return np.where(x < 3, np.sinc(x) * np.sinc(x / 3), 0.0)


def _resized(planes: Real, side: int, resample: str) -> Real:
    """(n, n, C) at (side, side, C): the filter widened to the reduction, normalised."""
    scale = planes.shape[0] / side
    middles = (np.arange(side) + 0.5) * scale
    away = np.arange(planes.shape[0])[None] + 0.5 - middles[:, None]
    weights = _kernel(away / scale, resample)
    weights /= weights.sum(axis=1, keepdims=True)
    found: Real = np.einsum("yh,xw,hwc->yxc", weights, weights, planes)
    return found


@pytest.mark.parametrize("channels", CHANNELS)
@pytest.mark.parametrize("linear_light", [False, True])
def test_sharpening_does_not_ring_into_the_padding(channels: str, linear_light: bool) -> None:
    pixels = np.full((20, 40, 3), 250, np.uint8)
    pixels[1:-1, 1:-1] = np.random.default_rng(0).integers(0, 90, (18, 38, 3))
    options = {"size": 40, "channels": channels, "linear_light": linear_light}
    plain = prepare(pixels, config(**options))
    sharp = prepare(pixels, config(**options, sharpness=3.0))
    padding = np.ones(40, bool)
    padding[10:30] = False
    assert (plain[padding] == plain[0, 0]).all()
    assert (sharp[padding] == plain[0, 0]).all()
    assert not np.array_equal(sharp[~padding], plain[~padding])


def test_a_picture_of_one_row_is_sharpened_on_its_padding() -> None:
    for channels, count in CHANNELS.items():
        done = prepare(noise(400, 3), config(channels=channels, sharpness=2.0))
        assert done.shape == (32, 32, count)
