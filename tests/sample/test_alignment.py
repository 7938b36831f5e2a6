"""Alignment: a moved, zoomed or turned original is laid onto its copy."""

import numpy as np
import pytest
from numpy.typing import NDArray

from dataset.pixels import Pixels
from sample.alignment import Alignment, align, rendered, seen_through
from sample.embed import LumaChroma, light_and_dark, luma
from sample.views import View, apply_view, declared_views, mirror
from tests.sample.drawings import drawing, drawings

AS_IT_IS = View(name="as it is")
MOVED = [
    View(name="", right=0.11, down=-0.07),
    View(name="", degrees=6.0),
    View(name="", zoom=0.87, right=0.05, down=-0.08),
    View(name="", zoom=0.93, right=-0.03, down=0.02, degrees=-4.0),
]


def left_between(pictures: Pixels, others: Pixels) -> NDArray[np.float64]:
    apart = LumaChroma().embed(pictures) - LumaChroma().embed(others)
    return np.asarray(np.linalg.norm(apart, axis=1), dtype=np.float64)


@pytest.mark.parametrize("side", [16, 32, 48, 64, 100])
@pytest.mark.parametrize("move", MOVED)
def test_a_view_between_those_of_the_grid_is_found(move: View, side: int) -> None:
    originals = drawings(range(12), side)
    copies = apply_view(originals, move)
    views = align(copies, originals, [AS_IT_IS] * 12)
    before = left_between(copies, originals)
    after = left_between(copies, rendered(originals, views))
    assert np.median(after) < 0.08 < np.median(before)
    found = np.median([[view.zoom, view.right, view.down, view.degrees] for view in views], axis=0)
    assert found == pytest.approx([move.zoom, move.right, move.down, move.degrees], abs=0.6)
    assert found[:3] == pytest.approx([move.zoom, move.right, move.down], abs=0.04)


def test_no_view_is_worse_than_its_start() -> None:
    pictures, originals = drawings(range(100, 130)), drawings(range(30))
    starts = [declared_views(32)[place * 3] for place in range(30)]
    views = align(pictures, originals, starts)
    seen = (rendered(originals, starts), rendered(originals, views))
    before, after, wanted = (light_and_dark(luma(each), coarse=False) for each in (*seen, pictures))
    gained = np.linalg.norm(before - wanted, axis=1) - np.linalg.norm(after - wanted, axis=1)
    assert gained.min() > -0.01  # by rounding
    assert np.median(gained) > 0.05


def test_views_stay_near_their_start() -> None:
    pictures, originals = drawings(range(200, 230)), drawings(range(30))
    for view in align(pictures, originals, [View(name="", degrees=180)] * 30):
        assert 0.74 < view.zoom < 1.34
        assert abs(view.right) <= 0.2501
        assert abs(view.down) <= 0.2501
        assert abs(view.degrees - 180) < 14.4


def test_an_answer_does_not_depend_on_its_company() -> None:
    originals = drawings(range(9))
    copies = apply_view(originals, MOVED[3])
    together = align(copies, originals, [AS_IT_IS] * 9)
    alone = [align(copies[n : n + 1], originals[n : n + 1], [AS_IT_IS])[0] for n in range(9)]
    assert together == alone


@pytest.mark.parametrize("level", [0, 127, 255])
def test_blank_pictures_are_aligned_with_anything_without_complaint(level: int) -> None:
    blank = np.full((3, 32, 32, 3), level, np.uint8)
    for pictures, originals in ((blank, drawings(range(3))), (drawings(range(3)), blank)):
        for view in align(pictures, originals, [AS_IT_IS] * 3):
            assert np.isfinite([view.zoom, view.right, view.down, view.degrees]).all()


def test_no_pictures_no_views() -> None:
    nothing = np.empty((0, 32, 32, 3), np.uint8)
    assert align(nothing, nothing, []) == []
    assert rendered(nothing, []).shape == nothing.shape


def test_pictures_need_not_be_square() -> None:
    originals = drawings(range(6))[:, 4:28]
    copies = apply_view(originals, View(name="", right=0.1, degrees=5))
    views = align(copies, originals, [AS_IT_IS] * 6)
    left = left_between(copies, rendered(originals, views))
    assert np.median(left) < 0.08
    assert np.median([view.degrees for view in views]) == pytest.approx(5, abs=1)


def test_rendering_is_seeing_through_a_view() -> None:
    originals = drawings(range(103))
    views = declared_views(32)
    together = rendered(originals, views).astype(int)
    for original, view, seen in zip(originals, views, together, strict=True):
        assert np.abs(apply_view(original[None], view)[0] - seen).max() <= 1


def test_the_original_is_shown_as_the_sample_has_it() -> None:
    original = drawing(3)
    view = View(name="", zoom=0.9, degrees=3)
    seen = apply_view(original[None], view)
    assert np.array_equal(seen_through(original, Alignment(view, False, 0.1)), seen[0])
    assert np.array_equal(seen_through(original, Alignment(view, True, 0.1)), mirror(seen)[0])
    lighter = seen_through(original, Alignment(AS_IT_IS, False, 0.1, gain=2.0, bias=-100.0))
    assert np.array_equal(lighter, np.clip(original.astype(int) * 2 - 100, 0, 255))
