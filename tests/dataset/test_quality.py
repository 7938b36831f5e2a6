"""Blank pictures and collages are told from pictures."""

import numpy as np
import pytest
from PIL import Image

from dataset.quality import BLANK_CONTRAST, COLLAGE_SCORE, quality_scores
from tests.dataset.pictures import array, scene


def collage(columns: int, rows: int, gutter: int, seed: int = 0) -> Image.Image:
    cell = 96
    size = (columns * cell + (columns - 1) * gutter, rows * cell + (rows - 1) * gutter)
    sheet = Image.new("RGB", size, "white")
    for row in range(rows):
        for column in range(columns):
            part = scene(seed + row * columns + column, (cell, cell))
            sheet.paste(part, (column * (cell + gutter), row * (cell + gutter)))
    return sheet


@pytest.mark.parametrize(("columns", "rows"), [(2, 2), (3, 3), (2, 3), (3, 2), (4, 4)])
@pytest.mark.parametrize("gutter", [0, 2, 4])
def test_grids_of_pictures_are_collages(columns: int, rows: int, gutter: int) -> None:
    for seed in (0, 50):
        scores = quality_scores(array(collage(columns, rows, gutter, seed)))
        assert scores["collage"] > COLLAGE_SCORE


@pytest.mark.parametrize("seed", range(20))
def test_single_pictures_are_no_collages(seed: int) -> None:
    assert quality_scores(array(scene(seed)))["collage"] < COLLAGE_SCORE


def test_a_window_of_four_flat_colours_is_a_logo() -> None:
    logo = np.zeros((128, 128, 3), np.uint8)
    for place, colour in enumerate([(240, 80, 30), (120, 180, 0), (0, 160, 240), (255, 180, 0)]):
        y, x = divmod(place, 2)
        logo[y * 64 : y * 64 + 64, x * 64 : x * 64 + 64] = colour
    assert quality_scores(logo)["collage"] < COLLAGE_SCORE


def test_tiny_pictures_are_not_called_collages() -> None:
    assert quality_scores(array(collage(2, 2, 0).resize((32, 32))))["collage"] == 0.0


@pytest.mark.parametrize("noise", [0, 2])
def test_one_colour_is_blank_and_a_scene_is_not(noise: int) -> None:
    rng = np.random.default_rng(0)
    blank = np.clip(128 + rng.normal(0, noise, (64, 64, 3)), 0, 255).astype(np.uint8)
    assert quality_scores(blank)["contrast"] < BLANK_CONTRAST
    assert quality_scores(array(scene(1)))["contrast"] > 10 * BLANK_CONTRAST
