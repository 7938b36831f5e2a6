"""The built-in descriptor: what it ignores, what it keeps apart."""

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from dataset.pixels import Pixels
from sample.embed import (
    CONTRAST_FLOOR,
    Embedder,
    LumaChroma,
    Vectors,
    contrast,
    light_and_dark,
    luma,
)
from tests.sample.drawings import drawing, drawings

EMBEDDER: Embedder = LumaChroma()


def apart(a: Pixels, b: Pixels) -> float:
    one, other = EMBEDDER.embed(np.stack([a, b]))
    return float(np.linalg.norm(one - other))


@pytest.mark.parametrize("side", [8, 16, 20, 32, 48, 64])
def test_rows_are_unit_vectors_of_the_promised_length_at_any_size(side: int) -> None:
    vectors = EMBEDDER.embed(drawings(range(5), side))
    assert vectors.shape == (5, EMBEDDER.dim)
    assert vectors.dtype == np.float32
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1.0, atol=1e-6)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 500), st.floats(0.55, 1.0), st.integers(0, 60))
def test_gain_and_bias_short_of_clipping_do_not_matter(seed: int, gain: float, bias: int) -> None:
    picture = drawing(seed).astype(np.float64) * 0.7  # room for the bias
    changed = picture * gain + bias
    as_bytes = np.rint(np.stack([picture, changed])).astype(np.uint8)
    assume(contrast(as_bytes).min() > 2 * CONTRAST_FLOOR)
    assert apart(as_bytes[0], as_bytes[1]) < 0.05


def test_no_picture_s_vector_depends_on_its_company() -> None:
    pictures = drawings(range(17))
    together = EMBEDDER.embed(pictures)
    alone = np.concatenate([EMBEDDER.embed(picture[None]) for picture in pictures])
    assert np.array_equal(together, alone)


def test_colour_tells_apart_but_weighs_less_than_shape() -> None:
    picture = drawing(3)
    recoloured = picture[..., ::-1].copy()
    assert 0.1 < apart(picture, recoloured) < apart(picture, drawing(4))


@pytest.mark.parametrize("seed", range(8))
def test_a_grey_copy_is_never_far(seed: int) -> None:
    picture = drawing(seed)
    luma = np.rint(picture @ np.array([0.299, 0.587, 0.114])).astype(np.uint8)
    assert apart(picture, np.repeat(luma[..., None], 3, axis=2)) < 0.23


@pytest.mark.parametrize(("coarse", "length"), [(True, 64), (False, 256)])
def test_light_and_dark_are_told_without_colour(coarse: bool, length: int) -> None:
    def told(pictures: Pixels) -> Vectors:
        return light_and_dark(luma(pictures), coarse=coarse)

    pictures = drawings(range(6))
    vectors = told(pictures)
    assert vectors.shape == (6, length)
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1.0, atol=1e-5)
    darker = (pictures * 0.6 + 20).astype(np.uint8)
    assert np.abs(told(darker) - vectors).max() < 0.02
    assert np.abs(told(np.zeros((1, 32, 32, 3), np.uint8))).max() == 0


def test_white_is_the_lightest() -> None:
    colours = np.array([[(255, 255, 255), (0, 255, 0), (255, 0, 0), (0, 0, 255)]], np.uint8)
    assert luma(colours[None])[0, 0] == pytest.approx([255, 149.7, 76.2, 29.1], abs=0.1)


def test_noise_on_a_blank_picture_is_not_taken_for_a_drawing() -> None:
    random = np.random.default_rng(0)
    blank = np.full((2, 32, 32, 3), 200, np.int64)
    noisy = (blank + random.integers(-2, 3, blank.shape)).astype(np.uint8)
    assert apart(noisy[0], noisy[1]) < 0.2
    assert apart(noisy[0], drawing(1)) > 0.7


@pytest.mark.parametrize("level", [0, 127, 255])
def test_blank_pictures_have_a_vector_and_no_contrast(level: int) -> None:
    blank = np.full((1, 32, 32, 3), level, np.uint8)
    assert np.isfinite(EMBEDDER.embed(blank)).all()
    assert contrast(blank)[0] < 1e-3


def test_contrast_counts_colour_without_brightness() -> None:
    picture = np.zeros((1, 32, 32, 3), np.uint8)
    picture[:, :, :16] = (150, 0, 0)
    picture[:, :, 16:] = (0, 76, 0)  # of the same luma
    assert contrast(picture)[0] > 20


def test_no_pictures_give_no_vectors() -> None:
    assert EMBEDDER.embed(np.empty((0, 32, 32, 3), np.uint8)).shape == (0, EMBEDDER.dim)
