"""Several pictures in one are told from one picture."""

import numpy as np
import pytest
from PIL import Image

from dataset.quality import COLLAGE_SCORE
from tests.dataset.pictures import scene
from tests.dataset.quality.rasters import page_of_text, photograph, scores_of, sheet

Boxes = list[tuple[float, float, float, float]]

HALVES: Boxes = [(0, 0, 0.5, 1), (0.5, 0, 1, 1)]
UNEQUAL: Boxes = [(0, 0, 0.35, 1), (0.35, 0, 1, 1)]
STACKED: Boxes = [(0, 0, 1, 0.5), (0, 0.5, 1, 1)]
ONE_AND_TWO: Boxes = [(0, 0, 0.6, 1), (0.6, 0, 1, 0.5), (0.6, 0.5, 1, 1)]
TWO_OVER_ONE: Boxes = [(0, 0, 0.5, 0.4), (0.5, 0, 1, 0.4), (0, 0.4, 1, 1)]


def grid(columns: int, rows: int) -> Boxes:
    return [
        (c / columns, r / rows, (c + 1) / columns, (r + 1) / rows)
        for r in range(rows)
        for c in range(columns)
    ]


def drawn_sheet(columns: int, rows: int, gutter: int, seed: int = 0) -> Image.Image:
    cell = 96
    size = (columns * cell + (columns - 1) * gutter, rows * cell + (rows - 1) * gutter)
    page = Image.new("RGB", size, "white")
    for row in range(rows):
        for column in range(columns):
            part = scene(seed + row * columns + column, (cell, cell))
            page.paste(part, (column * (cell + gutter), row * (cell + gutter)))
    return page


@pytest.mark.parametrize("gap", [0, 1, 3, 8])
@pytest.mark.parametrize(
    "boxes",
    [HALVES, UNEQUAL, STACKED, ONE_AND_TWO, TWO_OVER_ONE, grid(2, 2), grid(3, 3), grid(4, 4)],
    ids=["2x1", "unequal", "1x2", "1+2", "2+1", "2x2", "3x3", "4x4"],
)
def test_photographs_side_by_side_are_a_collage(boxes: Boxes, gap: int) -> None:
    assert scores_of(sheet(boxes, gap))["collage"] > COLLAGE_SCORE


@pytest.mark.parametrize("frame", [3, 12, 40])
def test_a_frame_around_a_collage_does_not_hide_it(frame: int) -> None:
    inner = sheet(grid(2, 2), 4)
    page = Image.new("RGB", (inner.width + 2 * frame, inner.height + 2 * frame), "white")
    page.paste(inner, (frame, frame))
    assert scores_of(page)["collage"] > COLLAGE_SCORE


@pytest.mark.parametrize("scale", [0.6, 0.8, 1.25])
def test_a_collage_that_was_resized_is_one_still(scale: float) -> None:
    page = sheet(grid(3, 2), 3)
    size = (round(page.width * scale), round(page.height * scale))
    resized = page.resize(size, Image.Resampling.LANCZOS)
    assert scores_of(resized)["collage"] > COLLAGE_SCORE


@pytest.mark.parametrize("gap", [0, 2])
def test_many_small_pictures_are_a_collage(gap: int) -> None:
    page = sheet(grid(8, 8), gap, size=(256 + 8 * gap, 256 + 8 * gap))
    assert scores_of(page)["collage"] > COLLAGE_SCORE


@pytest.mark.parametrize(("columns", "rows"), [(2, 2), (3, 3), (2, 3), (3, 2), (4, 4)])
@pytest.mark.parametrize("gutter", [0, 2, 4])
def test_grids_of_drawings_are_collages(columns: int, rows: int, gutter: int) -> None:
    for seed in (0, 50):
        assert scores_of(drawn_sheet(columns, rows, gutter, seed))["collage"] > COLLAGE_SCORE


@pytest.mark.parametrize("seed", range(12))
def test_single_pictures_are_no_collages(seed: int) -> None:
    assert scores_of(scene(seed))["collage"] < COLLAGE_SCORE
    assert scores_of(photograph(seed))["collage"] < COLLAGE_SCORE


@pytest.mark.parametrize("width", [2, 6, 20, 50])
def test_a_border_makes_no_collage(width: int) -> None:
    image = photograph(3)
    page = Image.new("RGB", (image.width + 2 * width, image.height + 2 * width), "black")
    page.paste(image, (width, width))
    assert scores_of(page)["collage"] < COLLAGE_SCORE


def test_a_horizon_is_no_seam() -> None:
    """A straight change of one colour to another, with the same texture over all of it."""
    pixels = np.asarray(photograph(1)).astype(np.int16)
    pixels[200:] += np.array([30, 10, -40], np.int16)
    soft = pixels.copy()
    for row in range(194, 206):  # air and distance: no edge of the world is one pixel wide
        share = (row - 193) / 13
        above = pixels[row] - (np.array([30, 10, -40], np.int16) if row >= 200 else 0)
        soft[row] = above + (share * np.array([30, 10, -40])).astype(np.int16)
    image = Image.fromarray(np.clip(soft, 0, 255).astype(np.uint8))
    assert scores_of(image)["collage"] < COLLAGE_SCORE


def test_a_window_of_four_flat_colours_is_a_logo() -> None:
    logo = np.zeros((128, 128, 3), np.uint8)
    for place, colour in enumerate([(240, 80, 30), (120, 180, 0), (0, 160, 240), (255, 180, 0)]):
        y, x = divmod(place, 2)
        logo[y * 64 : y * 64 + 64, x * 64 : x * 64 + 64] = colour
    assert scores_of(Image.fromarray(logo))["collage"] < COLLAGE_SCORE


def test_four_petals_of_two_colours_each_are_a_logo() -> None:
    """Quarters of discs around a cross of white: every cell has a colour and its ground."""
    y, x = np.mgrid[0:256, 0:256]
    logo = np.full((256, 256, 3), 255, np.uint8)
    centres = [(64, 120), (120, 192), (192, 136), (136, 64)]
    colours = [(220, 60, 50), (60, 160, 80), (60, 130, 240), (250, 190, 20)]
    for (cy, cx), colour in zip(centres, colours, strict=True):
        logo[(y - cy) ** 2 + (x - cx) ** 2 < 56**2] = colour
    assert scores_of(Image.fromarray(logo))["collage"] < COLLAGE_SCORE


def test_a_page_of_text_is_no_collage() -> None:
    assert scores_of(page_of_text())["collage"] < COLLAGE_SCORE


def test_tiny_pictures_are_not_called_collages() -> None:
    assert scores_of(drawn_sheet(2, 2, 0).resize((32, 32)))["collage"] == 0.0
