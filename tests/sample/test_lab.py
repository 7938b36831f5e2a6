"""Colours as the eye sees them, against published values."""

import numpy as np
import pytest

from sample.lab import distance, lab, neighbourhood


@pytest.mark.parametrize(
    ("colour", "expected"),
    [
        ((0, 0, 0), (0.0, 0.0, 0.0)),
        ((255, 255, 255), (100.0, 0.0, 0.0)),
        ((255, 0, 0), (53.24, 80.09, 67.20)),
        ((0, 255, 0), (87.73, -86.18, 83.18)),
        ((0, 0, 255), (32.30, 79.19, -107.86)),
        ((119, 119, 119), (50.03, 0.0, 0.0)),
    ],
)
def test_lab_is_that_of_the_standard(colour: tuple[int, ...], expected: tuple[float, ...]) -> None:
    assert lab(np.array(colour)) == pytest.approx(expected, abs=0.02)


def test_black_and_white_are_a_hundred_apart() -> None:
    black, white = lab(np.zeros((1, 3))), lab(np.full((1, 3), 255))
    assert distance(black, white) == pytest.approx(100.0, abs=1e-3)


def test_neighbours_beyond_the_border_are_the_border() -> None:
    values = np.arange(6).reshape(2, 3)
    around = neighbourhood(values, 1)
    assert around.shape == (2, 3, 9)
    assert around[0, 0].tolist() == [0, 0, 1, 0, 0, 1, 3, 3, 4]
    assert around[1, 2].tolist() == [1, 2, 2, 4, 5, 5, 4, 5, 5]
    assert neighbourhood(np.zeros((4, 5, 3)), 2).shape == (4, 5, 25, 3)
