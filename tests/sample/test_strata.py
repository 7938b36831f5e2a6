"""Complexity, and the p-values within strata of it."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sample.strata import Stratum, calibrate, complexity
from tests.sample.drawings import drawings

RATIOS = st.lists(st.integers(0, 40), min_size=1, max_size=60)


def test_a_blank_picture_has_no_complexity() -> None:
    blanks = np.stack([np.full((32, 32, 3), level, np.uint8) for level in (0, 77, 255)])
    assert complexity(blanks).tolist() == [0, 0, 0]
    assert complexity(np.empty((0, 32, 32, 3), np.uint8)).shape == (0,)


def test_stripes_of_two_levels_have_a_known_complexity() -> None:
    # Along the stripes nothing changes; across them the step is up or down, half of the time each.
    stripes = np.zeros((1, 33, 33, 3), np.uint8)
    stripes[:, :, 1::2] = 255
    assert complexity(stripes)[0] == pytest.approx((1.0 + 0.0) / 2)


def test_noise_is_the_most_complex_and_grain_does_not_count() -> None:
    chance = np.random.default_rng(0)
    noise = chance.integers(0, 256, (1, 32, 32, 3)).astype(np.uint8)
    drawn = drawings(range(20))
    assert complexity(noise)[0] > complexity(drawn).max() + 1
    flat = np.full((1, 32, 32, 3), 124, np.uint8)  # the middle of one of 32 levels
    grain = (flat + chance.integers(-3, 4, flat.shape)).astype(np.uint8)
    assert complexity(grain)[0] == 0


def test_complexity_does_not_depend_on_the_company() -> None:
    together = complexity(drawings(range(8)))
    assert [complexity(drawings([seed]))[0] for seed in range(8)] == together.tolist()


@pytest.mark.parametrize(
    ("count", "names"),
    [
        (0, ["all"]),
        (119, ["all"]),
        (120, ["plain", "intricate"]),
        (180, ["plain", "middling", "intricate"]),
        (5000, ["plain", "middling", "intricate"]),
    ],
)
def test_there_are_only_as_many_strata_as_the_calibration_can_bear(
    count: int, names: list[str]
) -> None:
    chance = np.random.default_rng(0)
    made = calibrate(chance.random(count), chance.random(count), most=3, least=60)
    assert [stratum.name for stratum in made.strata] == names
    sizes = [len(stratum.ratios) for stratum in made.strata]
    assert sum(sizes) == count
    assert max(sizes) - min(sizes) <= 1
    assert made.strata[-1].up_to == math.inf
    assert len(made.ratios) == count


def test_a_picture_is_compared_with_those_as_plain_as_it() -> None:
    # Plain pictures are near to everything: 0.2 is usual among them and unheard of elsewhere.
    ratios = np.concatenate([np.linspace(0.1, 0.5, 99), np.linspace(0.6, 1.0, 99)])
    bits = np.concatenate([np.linspace(0, 1, 99), np.linspace(3, 4, 99)])
    made = calibrate(ratios, bits, most=2, least=60)
    plain, intricate = made.p_values(np.array([0.2, 0.2]), [0.5, 3.5])
    assert plain > 0.2
    assert intricate == made.smallest([3.5])[0] == 0.01
    assert made.smallest_p == 0.01


def test_equal_complexities_make_no_trouble() -> None:
    made = calibrate(np.linspace(0, 1, 180), np.ones(180), most=3, least=60)
    assert made.p_values(np.array([0.5]), [1.0])[0] == pytest.approx(0.5, abs=0.02)
    assert made.p_values(np.array([0.5]), [2.0])[0] == 1.0  # nothing to compare it with
    assert made.smallest_p == 1.0


@given(RATIOS, st.integers(0, 40), st.floats(0.001, 1.0))
def test_what_is_below_the_threshold_has_a_p_of_at_most_that(
    ratios: list[int], ratio: int, level: float
) -> None:
    made = calibrate(np.array(ratios, float), np.zeros(len(ratios)), most=1, least=1)
    (stratum,) = made.strata
    p = made.p_values(np.array([float(ratio)]), [0.0])[0]
    border = stratum.threshold(level)
    if border is not None:
        assert (ratio < border) == (p <= level + 1e-9)
    elif stratum.rank(level) < 1:
        assert p > level


def test_what_is_joined_falls_into_its_stratum() -> None:
    chance = np.random.default_rng(1)
    made = calibrate(chance.random(180), chance.random(180), most=3, least=60)
    more = made.joined(np.array([-1.0, 2.0]), [0.9, 0.1])
    assert [len(stratum.ratios) for stratum in more.strata] == [61, 60, 61]
    assert more.strata[2].ratios[0] == -1.0
    assert [s.up_to for s in more.strata] == [s.up_to for s in made.strata]
    assert [len(stratum.ratios) for stratum in made.strata] == [60, 60, 60]


def test_p_is_honest_in_every_stratum() -> None:
    # New pictures are scored like the calibration; at 5 % about 5 % of each stratum are flagged.
    chance = np.random.default_rng(2)

    def scores(count: int) -> tuple[np.ndarray, np.ndarray]:
        bits = chance.random(count)
        return bits + 0.3 * chance.random(count), bits

    made = calibrate(*scores(900), most=3, least=60)
    ratios, bits = scores(6000)
    flagged = made.p_values(ratios, bits) <= 0.05
    rates = [flagged[made.place(bits) == number].mean() for number in range(3)]
    assert max(rates) <= 2 * min(rates)
    assert min(rates) > 0.02
    assert max(rates) < 0.08


def test_an_empty_stratum_finds_nothing() -> None:
    empty = Stratum("all", math.inf, np.empty(0))
    assert empty.smallest_p == 1.0
    assert empty.threshold(0.05) is None
