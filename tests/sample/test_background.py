"""The ground of a drawing: removed with a soft edge, or kept with a reason."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from dataset.composite import composite
from sample.background import (
    Ground,
    NoGroundError,
    cut_out,
    find_ground,
    grown,
    reached_from_border,
)
from tests.sample.flat_drawings import (
    BLACK,
    BLUE,
    RED,
    WHITE,
    fading,
    flat,
    noise,
    ring,
    tile,
    two_colours,
)


def without_ground(picture: np.ndarray, *, holes: bool = False) -> np.ndarray:
    return cut_out(picture, find_ground(picture, holes=holes))


@pytest.mark.parametrize("ground", [WHITE, BLACK, BLUE, (255, 244, 214)])
def test_a_flat_ground_of_any_colour_is_removed(ground: tuple[int, int, int]) -> None:
    cut = without_ground(ring(ground))
    assert (cut[0, :, 3] == 0).all()
    assert (cut[16, 6:11, 3] == 255).all()
    assert np.abs(cut[16, 8, :3].astype(int) - RED).max() <= 1


def test_what_is_enclosed_stays_unless_holes_are_asked_for() -> None:
    assert without_ground(ring())[16, 16].tolist() == [255, 255, 255, 255]
    assert without_ground(ring(), holes=True)[16, 16, 3] == 0


def test_laid_on_its_old_ground_it_is_the_picture_again() -> None:
    for picture in (ring(), two_colours(), ring(side=64)):
        back = composite(without_ground(picture), "white").astype(int)
        apart = np.abs(back - picture.astype(int))
        assert apart.max() <= 30
        assert np.sqrt(np.square(apart).mean()) <= 3.0


def test_no_halo_of_the_old_ground_is_left_on_another() -> None:
    cut = without_ground(ring())
    edge = (cut[..., 3] > 30) & (cut[..., 3] < 225)
    assert edge.sum() > 20
    outer = edge & (np.hypot(*(np.indices((32, 32)) - 15.5)) > 9)
    assert np.abs(cut[outer][:, :3].astype(int) - RED).max() <= 12


def test_the_edge_s_alpha_is_the_share_of_the_pixel_that_is_covered() -> None:
    bar = flat(lambda pen: pen.rectangle((104, 100, 399, 400), fill=BLUE), WHITE)
    cut = without_ground(bar)  # from 6.5 to 25 pixels across
    assert cut[16, 6, 3] == pytest.approx(128, abs=8)
    assert cut[16, 7, 3] == 255
    assert cut[16, 25, 3] == 0


def test_a_drawing_that_goes_over_the_border_has_a_soft_edge_there_too() -> None:
    disc = flat(lambda pen: pen.ellipse((-8, -8, 519, 519), fill=RED), WHITE)
    cut = without_ground(disc)
    on_border = cut[0][cut[0, :, 3] > 60]
    assert len(on_border) > 4
    assert np.abs(on_border[:, :3].astype(int) - RED).max() <= 12


def test_grain_on_the_ground_is_ground() -> None:
    random = np.random.default_rng(3)
    grain = ring().astype(int) + np.rint(random.normal(0, 3, (32, 32, 3))).astype(int)
    cut = without_ground(grain.clip(0, 255).astype(np.uint8))
    corners = [cut[y, x, 3] for y in (0, 3, 28, 31) for x in (0, 3, 28, 31)]
    assert corners == [0] * 16


@pytest.mark.parametrize(
    ("picture", "why"),
    [
        (noise(), "no flat ground"),
        (fading(), "fades into the drawing"),
        (np.full((32, 32, 3), 255, np.uint8), "nothing is drawn"),
        (np.zeros((32, 32, 3), np.uint8), "nothing is drawn"),
        (tile(), "white, drawn on a colour"),
    ],
)
def test_a_picture_without_a_ground_to_remove_is_refused_with_the_reason(
    picture: np.ndarray, why: str
) -> None:
    with pytest.raises(NoGroundError, match=why):
        find_ground(picture)


def test_of_a_rounded_tile_the_corners_are_removed() -> None:
    rounded = flat(lambda pen: pen.rounded_rectangle((0, 0, 511, 511), 120, fill=RED), WHITE)
    cut = without_ground(rounded)
    assert cut[[0, 0, -1, -1], [0, -1, 0, -1], 3].tolist() == [0, 0, 0, 0]
    assert (cut[4:28, 4:28, 3] == 255).all()


@pytest.mark.parametrize("shape", [(1, 1, 3), (1, 9, 3), (3, 3, 3), (200, 7, 3)])
def test_pictures_of_any_size_are_found_out_about(shape: tuple[int, ...]) -> None:
    random = np.random.default_rng(1)
    picture = random.integers(0, 256, shape).astype(np.uint8)
    try:
        ground = find_ground(picture)
    except NoGroundError:
        return
    assert cut_out(picture, ground).shape == (*shape[:2], 4)


def walked(passable: np.ndarray) -> np.ndarray:
    """The same as `reached_from_border`, a pixel at a time."""
    height, width = passable.shape
    reached = np.zeros_like(passable)
    at = [(y, x) for y in range(height) for x in range(width)]
    open_ = [(y, x) for y, x in at if (y in (0, height - 1) or x in (0, width - 1))]
    while open_:
        y, x = open_.pop()
        if 0 <= y < height and 0 <= x < width and passable[y, x] and not reached[y, x]:
            reached[y, x] = True
            open_ += [(y + 1, x), (y - 1, x), (y, x + 1), (y, x - 1)]
    return reached


@settings(max_examples=60, deadline=None)
@given(arrays(np.bool_, st.tuples(st.integers(1, 9), st.integers(1, 9))))
def test_all_that_a_walk_from_the_border_reaches_is_found(passable: np.ndarray) -> None:
    assert (reached_from_border(passable) == walked(passable)).all()


def test_a_long_winding_way_is_walked_to_its_end() -> None:
    maze = np.zeros((41, 41), bool)
    maze[1::4, 1:-1] = True
    maze[3::8, -2] = maze[2::8, -2] = maze[4::8, -2] = True
    maze[6::8, 1] = maze[7::8, 1] = maze[8::8, 1] = True
    maze[1, 0] = True
    assert (reached_from_border(maze) == walked(maze)).all()
    assert reached_from_border(maze).sum() > 300


def test_a_mask_grows_on_all_eight_sides() -> None:
    mask = np.zeros((5, 5), bool)
    mask[2, 2] = True
    assert grown(mask, 1).sum() == 9
    assert grown(mask, 2).all()
    assert grown(mask, 0).sum() == 1


def test_what_is_transparent_has_the_colour_beside_it() -> None:
    picture = np.full((8, 8, 3), RED, np.uint8)
    picture[:, :4] = WHITE
    mask = np.zeros((8, 8), bool)
    mask[:, :4] = True
    cut = cut_out(picture, Ground((255.0, 255.0, 255.0), mask))
    assert (cut[:, :4, 3] == 0).all()
    assert (cut[:, 3:, :3] == RED).all()
