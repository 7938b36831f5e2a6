"""Pixels to paths and back: near to what they were, safe, and measured."""

import sys
from xml.etree import ElementTree

import numpy as np
import pytest

from dataset.errors import WorldError
from sample import tracing
from sample.tracing import Redrawing, difference, redrawn


def traced(picture: np.ndarray, original: np.ndarray, title: str, *, flat: bool) -> Redrawing:
    done = tracing.traced(picture, original, title, flat=flat)
    assert done is not None
    return done


def disc(colour: tuple[int, int, int] = (214, 40, 57)) -> np.ndarray:
    """(512, 512, 4), hard edges."""
    picture = np.zeros((512, 512, 4), np.uint8)
    inside = np.hypot(*(np.indices((512, 512)) - 255.5)) < 180
    picture[inside] = (*colour, 255)
    return picture


def test_a_flat_disc_is_one_small_path_and_nearly_the_disc() -> None:
    done = traced(disc(), disc(), "disc", flat=True)
    assert done.paths == 1
    assert len(done.svg) < 2000
    assert done.off < 0.005
    assert done.rms < 8.0
    assert redrawn(done.svg)[256, 256].tolist() == [214, 40, 57, 255]
    assert redrawn(done.svg)[2, 2, 3] == 0


def test_the_error_is_that_of_the_paths_against_the_original() -> None:
    blue = disc((29, 92, 190))
    done = traced(disc(), blue, "disc", flat=True)
    rms, off = difference(redrawn(done.svg), blue)
    assert (done.rms, done.off) == (rms, off)
    assert off == pytest.approx(np.pi * 180**2 / 512**2, rel=0.03)


def test_shades_become_paths_too() -> None:
    ramp = np.full((512, 512, 4), 255, np.uint8)
    ramp[..., 0] = np.arange(512) // 2
    done = traced(ramp, ramp, "ramp", flat=False)
    assert done.paths > 3
    assert done.rms < 20.0


def test_what_is_too_intricate_is_not_traced() -> None:
    random = np.random.default_rng(0)
    colours = random.integers(0, 256, (128, 128, 4)).astype(np.uint8)
    grain = colours.repeat(4, axis=0).repeat(4, axis=1)
    grain[..., 3] = 255
    assert tracing.traced(grain, grain, "grain", flat=True) is None


def test_a_drawing_of_nothing_is_empty() -> None:
    clear = np.zeros((512, 512, 4), np.uint8)
    done = traced(clear, clear, "", flat=True)
    assert (done.paths, done.rms, done.off) == (0, 0.0, 0.0)
    ElementTree.fromstring(done.svg)


def test_it_scales_and_is_named_whatever_its_name() -> None:
    done = traced(disc(), disc(), 'a <b> & "c"\n\x00\u2028d', flat=True)
    root = ElementTree.fromstring(done.svg)
    assert root.attrib["viewBox"] == "0 0 512 512"
    (title,) = root.findall("{http://www.w3.org/2000/svg}title")
    assert title.text == 'a <b> & "c"   d'


def test_difference_is_of_what_is_seen() -> None:
    clear = np.zeros((4, 4, 4), np.uint8)
    other = clear.copy()
    other[..., :3] = 200  # a colour that nobody sees
    assert difference(clear, other) == (0.0, 0.0)
    other[0, 0] = 255
    rms, off = difference(clear, other)
    assert off == 1 / 16
    assert rms == pytest.approx(255 / 4)


def test_pictures_of_another_size_are_a_mistake() -> None:
    small = np.zeros((16, 16, 4), np.uint8)
    with pytest.raises(ValueError, match="512"):
        traced(small, small, "", flat=True)


def test_without_vtracer_one_line_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "vtracer", None)
    with pytest.raises(WorldError, match=r"pip install -e '\.\[stickers\]', or --no-svg"):
        traced(disc(), disc(), "", flat=True)


def test_a_drawing_that_reaches_outside_is_not_drawn() -> None:
    hostile = '<svg xmlns="http://www.w3.org/2000/svg"><image href="http://127.0.0.1/x"/></svg>'
    with pytest.raises(WorldError, match="reaches for"):
        redrawn(hostile)
