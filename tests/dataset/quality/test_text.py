"""Pages of text and names read as text; photographs and emblems do not."""

import pytest
from PIL import Image, ImageDraw, ImageFont

from tests.dataset.quality.rasters import page_of_text, photograph, scores_of


def name(text: str, size: tuple[int, int]) -> Image.Image:
    image = Image.new("RGB", size, "white")
    font = ImageFont.load_default(0.7 * size[1])
    ImageDraw.Draw(image).text((4, 0), text, "navy", font)
    return image


def test_a_page_of_text_is_text() -> None:
    assert scores_of(page_of_text())["text"] > 0.9


def test_a_name_is_text() -> None:
    assert scores_of(name("Marlinspike", (256, 48)))["text"] > 0.9
    assert scores_of(name("Marlinspike", (160, 30)))["text"] > 0.5


def test_an_emblem_is_not_text() -> None:
    emblem = Image.new("RGB", (256, 256), "white")
    draw = ImageDraw.Draw(emblem)
    draw.ellipse((20, 20, 236, 236), "crimson")
    draw.polygon([(128, 50), (200, 190), (56, 190)], "white")
    assert scores_of(emblem)["text"] == 0.0


def test_one_letter_is_not_text() -> None:
    assert scores_of(name("R", (200, 200)))["text"] < 0.3


@pytest.mark.parametrize("seed", range(6))
def test_a_photograph_is_not_text(seed: int) -> None:
    assert scores_of(photograph(seed))["text"] < 0.3


def test_letters_on_a_calm_ground_are_a_watermark() -> None:
    image = Image.new("RGB", (480, 360), (90, 110, 140))
    image.paste(photograph(2).crop((0, 0, 480, 200)), (0, 0))
    plain = image.copy()
    font = ImageFont.load_default(40)
    ImageDraw.Draw(image).text((20, 250), "millimetre milliard", (205, 212, 224), font)
    assert scores_of(plain)["watermark"] == 0.0
    assert scores_of(image)["watermark"] > 0.2
