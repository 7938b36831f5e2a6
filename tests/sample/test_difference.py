"""Differences: a copy laid onto its original leaves nothing, and the alignment is told in words."""

import numpy as np
import pytest

from sample.alignment import Alignment
from sample.difference import alignment_told, alignment_words, difference
from sample.views import View, apply_view, mirror
from tests.sample.drawings import drawing
from tests.sample.told_record import told_neighbour

AS_IT_IS = Alignment(View(name=""), False, 0.0)


def test_the_same_picture_differs_in_nothing() -> None:
    shown = difference(drawing(3), drawing(3), AS_IT_IS)
    assert shown.levels == shown.matched == 0
    assert np.array_equal(shown.aligned, drawing(3))
    assert len(np.unique(shown.picture.reshape(-1, 3), axis=0)) == 1
    assert shown.picture.max() < 32  # dark


def test_a_moved_mirrored_copy_is_laid_onto_its_original() -> None:
    view = View(name="", zoom=0.9, right=0.05, down=-0.03, degrees=4.0)
    sample = mirror(apply_view(drawing(3)[None], view))[0]
    assert difference(sample, drawing(3), AS_IT_IS).levels > 10
    assert difference(sample, drawing(3), Alignment(view, True, 0.0)).levels == 0


def test_a_change_of_brightness_is_told_but_does_not_count_as_a_difference() -> None:
    sample = np.rint(drawing(3) * 0.8 + 10).astype(np.uint8)
    shown = difference(sample, drawing(3), AS_IT_IS)
    assert shown.levels > 5
    assert shown.matched < 0.5


def test_what_was_added_is_bright_in_the_difference() -> None:
    sample = drawing(3).copy()
    sample[4:8, 4:8] = 255 - sample[4:8, 4:8]
    picture = difference(sample, drawing(3), AS_IT_IS).picture.astype(int).sum(axis=2)
    assert picture[4:8, 4:8].mean() > 3 * np.delete(picture, range(3, 9), axis=0).mean()


def test_blank_pictures_can_be_compared() -> None:
    black, white = np.zeros((8, 8, 3), np.uint8), np.full((8, 8, 3), 255, np.uint8)
    shown = difference(black, white, AS_IT_IS)
    assert shown.levels == 255
    assert shown.matched == 0


def test_matching_the_colours_never_makes_it_worse() -> None:
    for seed in range(12):
        shown = difference(drawing(seed), drawing(seed + 50), AS_IT_IS)
        assert shown.matched <= shown.levels


@pytest.mark.parametrize(
    ("view", "mirrored", "words"),
    [
        (View(name=""), False, "as it is"),
        (View(name=""), True, "mirrored"),
        (View(name="", right=0.125, down=-0.0625), False, "shifted 1 px down and 2 px left"),
        (View(name="", right=-0.01), False, "as it is"),
        (View(name="", zoom=0.85, right=-0.15, down=-0.15), False, "cropped to 85 %, top left"),
        (View(name="", zoom=0.85), True, "mirrored, cropped to 85 %, middle"),
        (View(name="", zoom=1.25), False, "shrunk to 80 %"),
        (View(name="", degrees=-4.6), False, "turned 5°"),
        (View(name="", degrees=0.4), False, "as it is"),
        (
            View(name="", zoom=0.9, right=0.1, degrees=3.0),
            False,
            "cropped to 90 %, right, turned 3°",
        ),
    ],
)
def test_an_alignment_in_words(view: View, mirrored: bool, words: str) -> None:
    told = alignment_words(Alignment(view, mirrored, 0.0), 32)
    assert told.replace("\N{NO-BREAK SPACE}", " ") == words


def test_a_told_alignment_is_read_back() -> None:
    told = {"zoom": 0.9, "right": 0.1, "down": -0.1, "degrees": 3.0, "mirrored": True}
    alignment = alignment_told(told_neighbour(1, alignment=told, distance=0.5))
    assert (alignment.view.zoom, alignment.view.down, alignment.mirrored) == (0.9, -0.1, True)
    assert alignment.distance == 0.5


@pytest.mark.parametrize(
    ("near", "mirrored"),
    [
        ({"view": "mirrored, turned +5°"}, True),
        ({"view": "as it is"}, False),
        ({"view": "as it is", "mirrored": True, "alignment": None}, True),
        ({}, False),
    ],
)
def test_without_an_alignment_only_the_mirror_is_known(
    near: dict[str, object], mirrored: bool
) -> None:
    alignment = alignment_told(near)
    assert alignment.mirrored == mirrored
    assert (alignment.view.zoom, alignment.view.right) == (1.0, 0.0)
