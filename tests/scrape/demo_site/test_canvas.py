"""Canvas: shapes land where the pose says, and edges are clean."""

import math

import numpy as np
import pytest
from numpy.typing import NDArray

from scrape.demo_site.canvas import Canvas, Pose, ellipse, regular, smooth

RED = (200, 10, 10)
BLUE = (10, 10, 200)


def covered(canvas: Canvas) -> NDArray[np.bool_]:
    """(H, W) mask of the pixels that are more red than blue."""
    pixels = np.asarray(canvas.finished()).astype(int)
    return (pixels[..., 0] > pixels[..., 2]).astype(bool)


def test_a_disc_covers_pi_times_its_squared_radius() -> None:
    canvas = Canvas(200, 200, BLUE)
    canvas.disc(0, 0, 0.5, RED)
    assert covered(canvas).sum() == pytest.approx(math.pi * 50**2, rel=0.01)


def test_the_short_side_is_the_unit_and_the_middle_the_origin() -> None:
    canvas = Canvas(300, 200, BLUE)
    canvas.polygon([(0, 0), (1.5, 0), (1.5, 1), (0, 1)], RED)
    mask = covered(canvas)
    assert mask[100:, 150:].all()
    assert mask.sum() == 100 * 150


def test_a_pose_moves_scales_and_mirrors() -> None:
    canvas = Canvas(200, 200, BLUE, Pose(x=0.1, y=-0.2, scale=0.5, mirrored=True))
    canvas.disc(0.4, 0, 0.2, RED)
    rows, columns = np.nonzero(covered(canvas))
    assert columns.mean() + 0.5 == pytest.approx(100 + 100 * (0.1 - 0.2), abs=0.5)
    assert rows.mean() + 0.5 == pytest.approx(100 - 20, abs=0.5)
    assert covered(canvas).sum() == pytest.approx(math.pi * 10**2, rel=0.03)


def test_a_turn_is_clockwise() -> None:
    canvas = Canvas(200, 200, BLUE, Pose(turn=90))
    canvas.disc(0.5, 0, 0.1, RED)
    rows, columns = np.nonzero(covered(canvas))
    assert (rows.mean(), columns.mean()) == pytest.approx((149.5, 99.5), abs=0.5)


@pytest.mark.parametrize("pose", [Pose(), Pose(x=0.2, scale=0.7, turn=30, mirrored=True)])
def test_moved_twice_is_moved_by_the_product(pose: Pose) -> None:
    nested, flat = Canvas(200, 200, BLUE, pose), Canvas(200, 200, BLUE, pose)
    with nested.moved(0.2, 0.1, 0.5), nested.moved(0.2, 0.0, 0.5):
        nested.disc(0, 0, 1, RED)
    assert nested.pose == pose
    flat.disc(0.3, 0.1, 0.25, RED)
    assert (covered(nested) != covered(flat)).sum() <= 4


def test_inside_keeps_the_drawing_within_the_outline() -> None:
    canvas = Canvas(120, 120, BLUE)
    with canvas.inside(ellipse(0, 0, 0.5, 0.5)):
        canvas.polygon([(-1, -1), (1, -1), (1, 1), (-1, 1)], RED)
    clipped, disc = covered(canvas), Canvas(120, 120, BLUE)
    disc.disc(0, 0, 0.5, RED)
    assert (clipped == covered(disc)).all()


def test_transparent_edges_keep_the_colour_of_the_shape() -> None:
    canvas = Canvas(64, 64, None)
    canvas.disc(0, 0, 0.6, RED)
    pixels = np.asarray(canvas.finished())
    edge = pixels[(pixels[..., 3] > 16) & (pixels[..., 3] < 255)]
    assert len(edge) > 20
    assert np.abs(edge[:, :3].astype(int) - RED).max() <= 8
    assert pixels[0, 0, 3] == 0


def test_a_smooth_line_goes_through_its_points() -> None:
    points = [(0.0, 0.0), (0.5, 0.3), (1.0, -0.2)]
    curve = smooth(points, closed=False)
    for point in points:
        assert np.abs(curve - point).sum(axis=1).min() < 1e-9


@pytest.mark.parametrize("corners", [3, 5, 8])
def test_a_regular_polygon_has_its_first_corner_on_top(corners: int) -> None:
    outline = regular(corners, 0.8)
    assert outline[0] == pytest.approx((0, -0.8))
    assert np.hypot(*outline.T) == pytest.approx(np.full(corners, 0.8))
