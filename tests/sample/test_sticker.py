"""One sticker: its size, its ground, its edge, and how it was enlarged."""

import numpy as np
import pytest
from PIL import Image

from dataset.errors import ConfigError
from sample.sticker import StickerConfig, fitted, make_sticker, outlined
from tests.sample.flat_drawings import fading, noise, ring, tile, two_colours

PLAIN = StickerConfig()


def image(picture: np.ndarray) -> Image.Image:
    return Image.fromarray(picture).convert("RGBA")


def test_a_drawing_on_a_flat_ground_is_cut_out_centred_and_sharp() -> None:
    sticker = make_sticker(image(two_colours()), PLAIN)
    assert (sticker.kept, sticker.flat, sticker.colours) == ("", True, 2)
    assert sticker.rms < 6.0
    pixels = np.asarray(sticker.picture(512))
    drawn = pixels[..., 3] > 128
    rows, columns = np.flatnonzero(drawn.any(axis=1)), np.flatnonzero(drawn.any(axis=0))
    assert pixels[0, 0, 3] == 0
    assert rows[0] == pytest.approx(511 - rows[-1], abs=24)
    assert columns[0] == pytest.approx(511 - columns[-1], abs=24)
    assert rows[0] >= 20
    between = (pixels[..., 3] > 20) & (pixels[..., 3] < 235)
    assert between.mean() < 0.02  # an edge is about a pixel wide


def test_a_picture_without_a_flat_ground_is_kept_whole_and_says_why() -> None:
    sticker = make_sticker(image(fading()), PLAIN)
    assert "fades" in sticker.kept
    pixels = np.asarray(sticker.picture(128))
    assert (pixels[..., 3] == 255).all()
    assert not make_sticker(image(noise()), PLAIN).flat


def test_a_ground_is_kept_where_that_is_asked_for() -> None:
    sticker = make_sticker(image(ring()), StickerConfig(ground="keep"))
    assert sticker.kept == "as was asked"
    assert (np.asarray(sticker.picture(64))[..., 3] == 255).all()


def test_holes_are_cut_where_that_is_asked_for() -> None:
    kept = np.asarray(make_sticker(image(ring()), PLAIN).picture(128))
    cut = np.asarray(make_sticker(image(ring()), StickerConfig(ground="holes")).picture(128))
    assert kept[64, 64].tolist() == [255, 255, 255, 255]
    assert cut[64, 64, 3] == 0


def test_a_tile_of_its_own_colour_stays_a_tile() -> None:
    sticker = make_sticker(image(tile()), PLAIN)
    assert "white" in sticker.kept
    assert sticker.flat
    assert np.asarray(sticker.picture(64))[1, 1].tolist() == [255, 190, 11, 255]


def test_transparency_that_is_there_is_the_ground() -> None:
    picture = np.dstack([noise(), np.zeros((32, 32), np.uint8)])
    picture[8:24, 8:24, 3] = 255
    sticker = make_sticker(Image.fromarray(picture), PLAIN)
    assert sticker.kept == ""
    assert np.asarray(sticker.picture(64))[0, 0, 3] == 0


@pytest.mark.parametrize(("enlarge", "flat"), [("flat", True), ("lanczos", False)])
def test_how_is_enlarged_can_be_chosen(enlarge: str, flat: bool) -> None:
    config = StickerConfig(enlarge=enlarge)  # type: ignore[arg-type]
    for picture in (ring(), fading()):
        assert make_sticker(image(picture), config).flat is flat


def test_shades_are_not_made_flat_of_themselves() -> None:
    ramp = np.repeat(np.linspace(0, 255, 32).astype(np.uint8)[None, :, None], 32, axis=0)
    assert not make_sticker(image(np.repeat(ramp, 3, axis=2)), PLAIN).flat


def test_an_outline_is_white_and_follows_the_drawing() -> None:
    pixels = np.zeros((128, 128, 4), np.uint8)
    pixels[np.hypot(*(np.indices((128, 128)) - 63.5)) < 40] = (214, 40, 57, 255)
    done = np.asarray(outlined(Image.fromarray(pixels), 10))
    away = np.hypot(*(np.indices((128, 128)) - 63.5))
    assert (done[(away > 42) & (away < 48)] == 255).all()
    assert (done[away > 52][:, 3] == 0).all()
    assert (done[away < 38] == [214, 40, 57, 255]).all()


def test_an_outline_goes_into_the_picture_and_into_the_paths() -> None:
    sticker = make_sticker(image(ring()), StickerConfig(outline=16))
    pixels = np.asarray(sticker.picture(512))
    rows = np.flatnonzero((pixels[..., 3] > 128).any(axis=1))
    assert rows[0] < 8
    assert pixels[rows[0] + 5, 256].tolist() == [255, 255, 255, 255]
    svg = sticker.redrawing("ring")
    assert svg is not None
    assert svg.off < 0.03
    assert np.asarray(sticker.picture(1024)).shape == (1024, 1024, 4)


def test_paths_are_near_the_picture() -> None:
    redrawing = make_sticker(image(two_colours()), PLAIN).redrawing("two")
    assert redrawing is not None
    assert redrawing.off < 0.02
    assert redrawing.paths <= 4


@pytest.mark.parametrize("size", [(1, 1), (3, 90), (700, 500)])
def test_pictures_of_any_size_become_stickers(size: tuple[int, int]) -> None:
    picture = Image.new("RGBA", size, (214, 40, 57, 255))
    sticker = make_sticker(picture, PLAIN)
    assert sticker.kept == "nothing is drawn on it"
    assert sticker.picture(64).size == (64, 64)


def test_what_is_quite_transparent_is_a_sticker_of_nothing() -> None:
    sticker = make_sticker(Image.new("RGBA", (16, 16), (0, 0, 0, 0)), PLAIN)
    assert np.asarray(sticker.picture(64))[..., 3].max() == 0
    svg = sticker.redrawing("")
    assert svg is not None
    assert svg.paths == 0


def test_a_drawing_is_fitted_by_its_longer_side() -> None:
    wide = Image.new("RGBA", (40, 10), (0, 0, 0, 255))
    pixels = np.asarray(fitted(wide, 100, 0.8))
    rows, columns = (np.flatnonzero(pixels[..., 3].any(axis=axis)) for axis in (1, 0))
    assert (len(rows), len(columns)) == (20, 80)
    assert fitted(wide, 100, 0.8, (9, 9, 9)).mode == "RGB"


@pytest.mark.parametrize(
    "changes",
    [
        {"sizes": ()},
        {"sizes": (8,)},
        {"sizes": (2048,)},
        {"margin": 0.5},
        {"margin": -0.1},
        {"outline": 65},
        {"ground": "gone"},
        {"enlarge": "much"},
    ],
)
def test_a_sticker_that_cannot_be_is_refused(changes: dict[str, object]) -> None:
    with pytest.raises(ConfigError, match="must be"):
        StickerConfig(**changes)  # type: ignore[arg-type]
