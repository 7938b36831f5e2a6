"""Light: blank, dark and burnt-out pictures; information of what is there."""

import numpy as np
import pytest
from PIL import Image, ImageEnhance

from dataset.quality import BLANK_CONTRAST
from tests.dataset.pictures import scene
from tests.dataset.quality.rasters import photograph, scores_of


@pytest.mark.parametrize("noise", [0, 2])
def test_one_colour_is_blank_and_a_scene_is_not(noise: int) -> None:
    rng = np.random.default_rng(0)
    blank = np.clip(128 + rng.normal(0, noise, (64, 64, 3)), 0, 255).astype(np.uint8)
    assert scores_of(Image.fromarray(blank))["contrast"] < BLANK_CONTRAST
    assert scores_of(scene(1))["contrast"] > 10 * BLANK_CONTRAST


def test_the_less_light_the_darker() -> None:
    shades = [ImageEnhance.Brightness(photograph(1)).enhance(share) for share in (1, 0.5, 0.2, 0)]
    scores = [scores_of(image) for image in shades]
    assert [s["dark"] for s in scores] == sorted(s["dark"] for s in scores)
    assert [s["brightness"] for s in scores] == sorted(s["brightness"] for s in scores)[::-1]
    assert scores[-1]["dark"] == 1.0


def test_what_is_burnt_out_is_counted() -> None:
    image = photograph(2)
    image.paste("white", (0, 0, 480, 90))
    assert scores_of(image)["bright"] == pytest.approx(0.25, abs=0.03)
    assert scores_of(Image.new("RGB", (99, 99), "white"))["bright"] == 1.0


def test_entropy_counts_levels_in_bits() -> None:
    bars = np.zeros((128, 128, 3), np.uint8)
    bars[:, 32:64], bars[:, 64:96], bars[:, 96:] = 80, 160, 240
    assert scores_of(Image.fromarray(bars))["entropy"] == pytest.approx(2.0, abs=0.01)
    assert scores_of(Image.new("RGB", (128, 128), "red"))["entropy"] == 0.0


def test_flat_areas_are_counted() -> None:
    image = photograph(3)
    image.paste("navy", (0, 0, 480, 180))
    assert scores_of(photograph(3))["flatness"] < 0.1
    assert scores_of(image)["flatness"] == pytest.approx(0.5, abs=0.06)
    assert scores_of(Image.new("RGB", (200, 200), "navy"))["flatness"] == 1.0
