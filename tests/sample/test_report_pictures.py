"""The inlined pictures: small ones to the pixel, large ones reduced, very many on sheets."""

import base64
import io

import numpy as np
import pytest
from PIL import Image

from dataset.pixels import Pixels
from sample.report_pictures import ACROSS, TILE, picture_uri, png_uri, sheets
from tests.sample.drawings import drawing


def opened(uri: str) -> Image.Image:
    return Image.open(io.BytesIO(base64.b64decode(uri.partition(",")[2]))).convert("RGB")


def noise(side: int) -> Pixels:
    return np.random.default_rng(0).integers(0, 256, (side, side, 3)).astype(np.uint8)


@pytest.mark.parametrize("picture", [drawing(1), noise(32), np.zeros((4, 4, 3), np.uint8)])
def test_a_small_picture_keeps_every_pixel(picture: Pixels) -> None:
    assert np.array_equal(np.asarray(opened(picture_uri(picture))), picture)


def test_few_colours_take_a_palette_and_less_room() -> None:
    assert len(png_uri(drawing(1, 64))) < len(png_uri(noise(64))) / 3


def test_a_large_picture_is_reduced_to_what_is_shown() -> None:
    uri = picture_uri(drawing(1, 256))
    assert uri.startswith("data:image/webp;base64,")
    assert opened(uri).size == (224, 224)


@pytest.mark.parametrize("side", [8, 32, 64])
def test_a_sheet_shows_each_picture_in_its_place(side: int) -> None:
    made = sheets([np.full((side, side, 3), 4 * n, np.uint8) for n in range(40)])
    (sheet,) = made
    assert (sheet.pictures, sheet.rows) == (40, 2)
    image = np.asarray(opened(sheet.uri)).astype(int)
    assert image.shape == (2 * TILE, ACROSS * TILE, 3)
    for n in range(40):
        middle = image[n // ACROSS * TILE + TILE // 2, n % ACROSS * TILE + TILE // 2]
        assert np.abs(middle - 4 * n).max() <= 6


def test_more_pictures_take_more_sheets() -> None:
    made = sheets([np.zeros((4, 4, 3), np.uint8)] * (ACROSS * 32 + 1))
    assert [sheet.pictures for sheet in made] == [ACROSS * 32, 1]
    assert sheets([]) == []
