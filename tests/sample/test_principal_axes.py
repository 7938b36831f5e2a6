"""Keys: what the exactness of the search rests on."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sample.embed import LumaChroma
from sample.principal_axes import ROUNDING, PrincipalAxes
from tests.sample.drawings import drawings


@settings(deadline=None, max_examples=30)
@given(seed=st.integers(0, 2**32 - 1), dim=st.integers(2, 200), spread=st.floats(0.001, 1.0))
def test_keys_never_lie_farther_apart_than_their_vectors(
    seed: int, dim: int, spread: float
) -> None:
    chance = np.random.default_rng(seed)
    vectors = chance.normal(size=dim) + spread * chance.normal(size=(40, dim))
    vectors = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    axes = PrincipalAxes.fit(vectors[:20])
    keys = axes.keys(vectors)
    stored = keys.astype(np.float16).astype(np.float64)
    assert keys.shape == (40, axes.length)
    for key, vector in zip(keys, vectors, strict=True):
        apart = np.linalg.norm(vectors.astype(np.float64) - vector, axis=1)
        between = np.linalg.norm(stored - key, axis=1)
        assert (between <= apart + ROUNDING).all()


def test_keys_tell_nearly_the_whole_distance() -> None:
    vectors = LumaChroma().embed(drawings(range(300)))
    axes = PrincipalAxes.fit(vectors[:200])
    keys = axes.keys(vectors[200:])
    apart = np.linalg.norm(vectors[200:, None] - vectors[None, 200:], axis=2)
    between = np.linalg.norm(keys[:, None] - keys[None], axis=2)
    assert axes.length == 128
    assert between.sum() > 0.95 * apart.sum()


@pytest.mark.parametrize("count", [0, 1, 4, 5, 257])
def test_a_key_does_not_depend_on_how_many_are_made(count: int) -> None:
    vectors = np.random.default_rng(0).normal(size=(257, 384)).astype(np.float32)
    axes = PrincipalAxes.fit(vectors)
    keys = axes.keys(vectors)
    assert axes.keys(vectors[:count]) == pytest.approx(keys[:count], abs=1e-5)


def test_a_single_vector_has_axes() -> None:
    vector = np.full((1, 16), 0.25, np.float32)
    assert np.isfinite(PrincipalAxes.fit(vector).keys(vector)).all()
