"""Exposure: gain and bias are told from what was not cut off."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sample.exposure import fit_exposure, lit
from tests.sample.drawings import drawing, drawings


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 300), st.floats(0.7, 1.45), st.floats(-40, 40))
def test_gain_and_bias_are_found_although_colours_were_cut_off(
    seed: int, gain: float, bias: float
) -> None:
    original = drawing(seed)[None]
    copy = lit(original, np.array([gain]), np.array([bias]))
    found = lit(original, *fit_exposure(copy, original))
    told = (copy > 5) & (copy < 250)
    if told.mean() > 0.05:
        assert np.abs(found.astype(int) - copy)[told].mean() < 4


def test_pictures_are_lit_one_by_one() -> None:
    originals = drawings(range(4))
    gain, bias = np.array([1.0, 0.8, 1.2, 1.4]), np.array([0.0, 20.0, -10.0, 0.0])
    copies = lit(originals, gain, bias)
    assert np.array_equal(copies[0], originals[0])
    alone = [fit_exposure(copies[n : n + 1], originals[n : n + 1]) for n in range(4)]
    together = fit_exposure(copies, originals)
    assert np.allclose(np.concatenate([gains for gains, _ in alone]), together[0])
    assert np.allclose(together[0], gain, atol=0.05)


@pytest.mark.parametrize("level", [0, 255])
def test_where_all_is_cut_off_nothing_is_changed(level: int) -> None:
    gain, bias = fit_exposure(np.full((2, 32, 32, 3), level, np.uint8), drawings(range(2)))
    assert gain.tolist() == [1.0, 1.0]
    assert bias.tolist() == [0.0, 0.0]


def test_no_pictures_no_gains() -> None:
    nothing = np.empty((0, 32, 32, 3), np.uint8)
    gain, bias = fit_exposure(nothing, nothing)
    assert gain.shape == bias.shape == (0,)
    assert lit(nothing, gain, bias).shape == nothing.shape


def test_no_gain_is_stronger_than_lighting_can_be() -> None:
    flat, bold = drawings(range(20)) // 8 + 100, drawings(range(20))
    gain, _ = fit_exposure(bold, flat.astype(np.uint8))
    assert gain.max() == pytest.approx(1.5)
    gain, _ = fit_exposure(bold, 255 - bold)
    assert gain.min() == pytest.approx(1 / 1.5)
