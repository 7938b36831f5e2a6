"""The planted copies are what they are named after."""

import numpy as np
import pytest

from tests.bench.planted import ALWAYS, DAMAGES, planted
from tests.sample.drawings import drawing, drawings


@pytest.mark.parametrize("name", DAMAGES)
@pytest.mark.parametrize("side", [20, 32, 64])
def test_a_copy_has_the_size_and_kind_of_its_original(name: str, side: int) -> None:
    chance = np.random.default_rng(0)
    originals = drawings(range(3), side)
    copies = planted(originals, DAMAGES[name][0], chance, 1.0)
    assert copies.shape == originals.shape
    assert copies.dtype == np.uint8
    assert not np.array_equal(copies, originals)


@pytest.mark.parametrize("name", ["shift 3 px", "rotation 8°", "crop 85%", "hue 30°", "blur 1 px"])
def test_no_strength_no_change(name: str) -> None:
    picture = drawing(4)
    copy = DAMAGES[name][0](picture, 0.0, np.random.default_rng(0))
    assert np.abs(copy.astype(int) - picture).mean() < 2


def test_a_shift_is_as_long_as_it_says() -> None:
    dot = np.zeros((32, 32, 3), np.uint8)
    dot[16, 16] = 255
    for seed in range(5):
        moved = DAMAGES["shift 3 px"][0](dot, 1.0, np.random.default_rng(seed))
        down, right = np.unravel_index(moved[..., 0].argmax(), (32, 32))
        assert 2 <= np.hypot(down - 16, right - 16) <= 4


def test_grey_is_grey_and_a_flip_a_flip() -> None:
    picture, chance = drawing(2), np.random.default_rng(0)
    grey = DAMAGES["grey"][0](picture, 1.0, chance)
    assert (grey[..., 0] == grey[..., 2]).all()
    assert np.array_equal(DAMAGES["flip"][0](picture, 0.3, chance), picture[:, ::-1])


def test_what_has_full_strength_always_has_no_bar() -> None:
    assert {name for name, (_, least) in DAMAGES.items() if least == 0} == ALWAYS
