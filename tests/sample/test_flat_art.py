"""Flat art: its colours, the shares of them, and edges that stay where they were."""

import numpy as np
import pytest
from PIL import Image

from sample.background import cut_out, find_ground
from sample.flat_art import flat_art
from tests.sample.flat_drawings import BLUE, RED, WHITE, flat, noise, ring, two_colours


def opaque(picture: np.ndarray) -> np.ndarray:
    return np.dstack([picture, np.full(picture.shape[:2], 255, np.uint8)])


def as_set(colours: np.ndarray) -> set[tuple[int, ...]]:
    return {tuple(int(value) for value in colour) for colour in np.rint(colours)}


def test_the_colours_of_a_drawing_are_those_it_was_drawn_in() -> None:
    art = flat_art(opaque(two_colours()))
    assert as_set(art.colours) == {WHITE, RED, BLUE}
    assert (art.off > 3.0).mean() < 0.02  # where three colours meet


def test_antialiasing_is_no_colour() -> None:
    for side in (24, 32, 64):
        assert len(flat_art(opaque(ring(side=side))).colours) == 2


def test_shares_are_of_one_pixel() -> None:
    art = flat_art(opaque(ring()))
    assert art.shares.sum(axis=2) == pytest.approx(np.ones((32, 32)))
    assert (art.shares >= 0).all()
    cut = flat_art(cut_out(ring(), find_ground(ring())))
    assert cut.shares.sum(axis=2).max() <= 1.0 + 1e-9
    assert cut.shares[0, 0].sum() == 0.0


def test_a_thin_line_keeps_its_colour() -> None:
    line = flat(lambda pen: pen.rectangle((160, 0, 175, 511), fill=BLUE), WHITE)
    assert as_set(flat_art(opaque(line)).colours) == {WHITE, BLUE}


@pytest.mark.parametrize("softness", [0.0, 0.4])
def test_enlarged_edges_are_sharp_and_where_they_were(softness: float) -> None:
    large = flat_art(opaque(two_colours())).enlarged(16, softness=softness)
    assert large.shape == (512, 512, 4)
    assert as_set(np.unique(large.reshape(-1, 4), axis=0)[:, :3]) == {WHITE, RED, BLUE}
    drawn = two_colours(side=512)  # as it was before it was made small
    apart = np.abs(large[..., :3].astype(int) - drawn).max(axis=2)
    assert (apart > 40).mean() < 0.012


def test_made_small_again_it_is_the_picture() -> None:
    picture = two_colours()
    large = Image.fromarray(flat_art(opaque(picture)).enlarged(16, softness=0.4))
    small = np.asarray(large.convert("RGB").resize((32, 32), Image.Resampling.BOX)).astype(int)
    assert np.sqrt(np.square(small - picture.astype(int)).mean()) < 6.0


def test_what_is_transparent_stays_so() -> None:
    large = flat_art(cut_out(ring(), find_ground(ring()))).enlarged(8, softness=0.4)
    assert set(np.unique(large[..., 3])) == {0, 255}
    assert large[0, 0, 3] == 0
    assert large[128, 60, 3] == 255
    area = (np.hypot(*(np.indices((256, 256)) - 127.5)) < 92).mean()
    assert (large[..., 3] == 255).mean() == pytest.approx(area, rel=0.02)


def test_a_photograph_s_colours_are_limited_and_it_is_said_to_be_off() -> None:
    art = flat_art(opaque(noise()))
    assert len(art.colours) <= 12
    assert (art.off > 15.0).mean() > 0.08


@pytest.mark.parametrize(
    "picture",
    [
        np.zeros((8, 8, 4), np.uint8),
        np.full((1, 1, 4), 255, np.uint8),
        np.zeros((2, 40, 4), np.uint8),
        opaque(np.zeros((5, 5, 3), np.uint8)),
    ],
)
def test_next_to_nothing_is_flat_art_too(picture: np.ndarray) -> None:
    large = flat_art(picture).enlarged(4, softness=0.4)
    assert large.shape == (4 * picture.shape[0], 4 * picture.shape[1], 4)
    assert (large[..., 3] == picture[0, 0, 3]).all()
