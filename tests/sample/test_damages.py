"""What a planted copy goes through."""

import numpy as np
import pytest

from sample.damages import DAMAGES, blurred
from tests.sample.drawings import drawing, drawings


@pytest.mark.parametrize("name", list(DAMAGES))
def test_every_damage_changes_a_picture_and_keeps_its_shape(name: str) -> None:
    before = drawing(1)
    after = DAMAGES[name](before.copy(), np.random.default_rng(0))
    assert after.shape == before.shape
    assert after.dtype == np.uint8
    assert not np.array_equal(after, before)


@pytest.mark.parametrize("name", list(DAMAGES))
def test_the_same_chance_gives_the_same_damage_another_one_another(name: str) -> None:
    first, again, other = (DAMAGES[name](drawing(1), np.random.default_rng(s)) for s in (0, 0, 1))
    assert np.array_equal(first, again)
    if name != "mirrored":  # the only one without a strength
        assert not np.array_equal(first, other)


@pytest.mark.parametrize("level", [0, 255])
@pytest.mark.parametrize("name", list(DAMAGES))
def test_blank_pictures_survive_every_damage(name: str, level: int) -> None:
    blank = np.full((32, 32, 3), level, np.uint8)
    assert DAMAGES[name](blank, np.random.default_rng(0)).shape == blank.shape


def test_a_turned_hue_leaves_greys_alone_and_a_greyed_picture_its_luma() -> None:
    grey = np.repeat(drawing(1)[..., :1], 3, axis=2)
    turned = DAMAGES["hue turned by 10-30°"](grey, np.random.default_rng(0))
    assert np.abs(turned.astype(int) - grey).max() <= 1
    luma = np.array([0.299, 0.587, 0.114])
    greyed = DAMAGES["greyed"](drawing(2), np.random.default_rng(0))
    assert np.abs(greyed @ luma - drawing(2) @ luma).max() <= 1.5
    assert np.ptp(greyed, axis=2).max() < np.ptp(drawing(2), axis=2).max() / 2


def test_blurring_softens_and_keeps_the_mean() -> None:
    soft = blurred(drawings(range(5)))
    assert soft.shape == (5, 32, 32, 3)
    assert (soft.std(axis=(1, 2, 3)) < drawings(range(5)).std(axis=(1, 2, 3))).all()
    assert np.abs(soft.mean(axis=(1, 2, 3)) - drawings(range(5)).mean(axis=(1, 2, 3))).max() < 2
    assert blurred(np.empty((0, 32, 32, 3), np.uint8)).shape == (0, 32, 32, 3)
