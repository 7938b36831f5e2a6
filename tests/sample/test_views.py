"""The declared views: what each one does to a picture."""

import numpy as np
import pytest

from sample.views import View, apply_view, declared_views, mirror
from tests.sample.drawings import drawing, drawings

# Of views with one name (neighbouring crops) the first.
NAMES = {view.name: view for view in reversed(declared_views(32))}


def test_the_list_is_what_was_declared() -> None:
    views = declared_views(32)
    assert len(views) == 103
    assert views[0] == View(name="as it is")
    kinds = [view.name.split()[0] for view in views]
    assert [kinds.count(kind) for kind in ("shifted", "turned", "cropped")] == [48, 4, 50]


def test_as_it_is_changes_nothing() -> None:
    pictures = drawings(range(4))
    assert np.array_equal(apply_view(pictures, NAMES["as it is"]), pictures)


def test_a_shift_moves_whole_pixels_and_repeats_the_edge() -> None:
    picture = drawing(1)
    moved = apply_view(picture[None], NAMES["shifted 2 px down, 3 px right"])[0]
    assert np.array_equal(moved[2:, 3:], picture[:-2, :-3])
    assert np.array_equal(moved[0, 3:], picture[0, :-3])
    assert np.array_equal(moved[2:, 0], picture[:-2, 0])


def test_larger_pictures_are_shifted_by_the_same_share() -> None:
    names = [view.name for view in declared_views(64)]
    assert "shifted 2 px left" in names
    assert "shifted 6 px up, 6 px left" in names
    assert "shifted 1 px left" not in names


def test_a_crop_keeps_the_named_part() -> None:
    corner = np.zeros((1, 32, 32, 3), np.uint8)
    corner[:, :4, :4] = 255
    kept = apply_view(corner, NAMES["cropped to 78%, top left"])
    lost = apply_view(corner, NAMES["cropped to 78%, bottom"])
    assert kept.sum() > corner.sum()
    assert lost.sum() == 0


def test_turning_there_and_back_is_nearly_nothing() -> None:
    smooth = np.asarray(drawing(2, 8)).repeat(8, axis=0).repeat(8, axis=1)[None]
    there = apply_view(smooth, View(name="", degrees=10))
    back = apply_view(there, View(name="", degrees=-10))
    middle = slice(16, 48)
    off = back[:, middle, middle].astype(int) - smooth[:, middle, middle]
    assert np.abs(off).mean() < 8 < np.abs(there.astype(int) - smooth).mean()


@pytest.mark.parametrize("name", ["turned +5°", "cropped to 92%, top", "shifted 1 px up"])
def test_a_flat_picture_stays_flat_in_every_view(name: str) -> None:
    flat = np.full((2, 32, 32, 3), (7, 130, 255), np.uint8)
    assert np.array_equal(apply_view(flat, NAMES[name]), flat)


def test_the_mirror_of_the_mirror_is_the_picture() -> None:
    pictures = drawings(range(3))
    assert np.array_equal(mirror(mirror(pictures)), pictures)
    assert np.array_equal(mirror(pictures)[0, :, 0], pictures[0, :, -1])


def test_pictures_need_not_be_square() -> None:
    picture = drawing(5)[None, :24]
    for view in declared_views(32):
        assert apply_view(picture, view).shape == picture.shape
