import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from train.ema import exponent
from train.power_profiles import Profile, fit_profile, inner_products


def sampled(profile: Profile, at: NDArray[np.float64]) -> NDArray[np.float64]:
    """The values of a profile, from its definition."""
    gamma, time = profile.gamma, profile.time
    rising = (gamma + 1) / time * (at / time) ** gamma
    return np.where(at <= time, rising, 0.0)


def midpoints(count: int, end: float) -> NDArray[np.float64]:
    """Of `count` equal pieces of 0 to `end`."""
    places: NDArray[np.float64] = np.linspace(0.5, count - 0.5, count) * (end / count)
    return places


def tracked(snapshots: int, end: float = 1.0) -> list[Profile]:
    """The averages of widths 0.05 and 0.1, kept `snapshots` times up to `end`."""
    times = [end * (number + 1) / snapshots for number in range(snapshots)]
    return [Profile(time, exponent(width)) for time in times for width in (0.05, 0.1)]


profiles = st.builds(Profile, st.floats(0.1, 2.0), st.floats(0.5, 30.0))


@settings(max_examples=50, deadline=None)
@given(profiles, profiles)
def test_inner_products_are_the_integrals(one: Profile, other: Profile) -> None:
    end = min(one.time, other.time)
    at = midpoints(20_000, end)
    integral = end * np.mean(sampled(one, at) * sampled(other, at))
    assert inner_products([one], [other])[0, 0] == pytest.approx(integral, rel=1e-4)


@settings(deadline=None)
@given(profiles, profiles, st.floats(1.0, 1e9))
def test_the_unit_of_time_changes_nothing(one: Profile, other: Profile, unit: float) -> None:
    scaled = [Profile(profile.time * unit, profile.gamma) for profile in (one, other)]
    expected = inner_products([one], [other])[0, 0] / unit
    assert inner_products(scaled[:1], scaled[1:])[0, 0] == pytest.approx(expected)


@pytest.mark.parametrize("width", [0.05, 0.1])
@pytest.mark.parametrize("snapshots", [1, 10, 100])
def test_a_tracked_width_is_itself(width: float, snapshots: int) -> None:
    kept = tracked(snapshots)
    fit = fit_profile(Profile(1.0, exponent(width)), kept)
    wanted = np.zeros(len(kept))
    wanted[-2 if width == 0.05 else -1] = 1.0
    assert fit.shares == pytest.approx(wanted, abs=1e-7)
    assert fit.error < 1e-6


# How far the profile can be matched, by snapshots kept: measured, and as the theory has it, the
# error falls as the square of the distance between snapshots.
KNOWN_ERRORS = {1: 0.04675, 8: 0.01078, 32: 7.636e-4, 128: 4.81e-5}


@pytest.mark.parametrize(("snapshots", "error"), KNOWN_ERRORS.items())
def test_more_snapshots_come_nearer_to_an_untracked_width(snapshots: int, error: float) -> None:
    fit = fit_profile(Profile(1.0, exponent(0.08)), tracked(snapshots))
    assert fit.error == pytest.approx(error, rel=1e-3)


@settings(max_examples=50, deadline=None)
@given(st.floats(0.02, 0.24), st.integers(1, 60), st.floats(1e3, 1e9))
def test_shares_sum_to_one_so_that_weights_that_never_changed_come_out(
    width: float, snapshots: int, end: float
) -> None:
    fit = fit_profile(Profile(end, exponent(width)), tracked(snapshots, end))
    assert fit.shares.sum() == pytest.approx(1.0, abs=1e-6)
    assert np.abs(fit.shares).max() < 30


@settings(max_examples=25, deadline=None)
@given(st.floats(0.03, 0.2), st.integers(2, 30))
def test_no_other_shares_that_sum_to_one_come_nearer(width: float, snapshots: int) -> None:
    wanted, kept = Profile(1.0, exponent(width)), tracked(snapshots)
    fit = fit_profile(wanted, kept)
    at = midpoints(20_000, 1.0)
    goal, basis = sampled(wanted, at), np.stack([sampled(profile, at) for profile in kept])

    def distance(shares: NDArray[np.float64]) -> float:
        return float(np.mean((goal - shares @ basis) ** 2))

    random = np.random.default_rng(snapshots)
    for _ in range(5):
        step = random.normal(size=len(kept))
        step -= step.mean()  # still summing to one
        assert distance(fit.shares + 0.05 * step) > distance(fit.shares)


def test_snapshots_kept_twice_do_no_harm() -> None:
    wanted, once = Profile(1.0, exponent(0.08)), tracked(8)
    fit = fit_profile(wanted, once + once)
    assert fit.error == pytest.approx(fit_profile(wanted, once).error, rel=1e-6)
    assert np.abs(fit.shares).max() <= 1.0
