"""Borders: straight bars of one colour, not plain grounds."""

import pytest
from PIL import Image, ImageDraw

from tests.dataset.pictures import encoded
from tests.dataset.quality.rasters import photograph, scores_of, scores_of_file


def framed(across: int, down: int, colour: str) -> Image.Image:
    image = photograph(4)
    size = (image.width + 2 * across, image.height + 2 * down)
    page = Image.new("RGB", size, colour)
    page.paste(image, (across, down))
    return page


@pytest.mark.parametrize("colour", ["black", "white", "orange"])
@pytest.mark.parametrize("width", [1, 2, 7, 20, 45])
def test_a_frame_is_a_border(width: int, colour: str) -> None:
    assert scores_of(framed(width, width, colour))["border"] > 0.9


@pytest.mark.parametrize(("across", "down"), [(30, 0), (0, 30)])
def test_bars_on_two_opposite_sides_are_a_border(across: int, down: int) -> None:
    assert scores_of(framed(across, down, "black"))["border"] > 0.9


def test_a_border_survives_compression() -> None:
    content = encoded(framed(20, 20, "black"), "JPEG", quality=70)
    assert scores_of_file(content)["border"] > 0.9


def test_a_picture_without_one_has_none() -> None:
    assert scores_of(photograph(5))["border"] == 0.0


def test_a_thing_on_a_plain_ground_has_no_border() -> None:
    image = Image.new("RGB", (300, 300), "white")
    ImageDraw.Draw(image).ellipse((20, 20, 280, 280), "navy")
    assert scores_of(image)["border"] < 0.5


def test_one_colour_is_no_border() -> None:
    assert scores_of(Image.new("RGB", (200, 200), "white"))["border"] == 0.0
