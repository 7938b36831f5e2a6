"""Logos: every shape and symbol shows, descriptions say what is drawn, names are unique."""

import numpy as np
import pytest

from scrape.demo_site.brands import FIRST_WORDS
from scrape.demo_site.canvas import Canvas
from scrape.demo_site.colours import WHITE
from scrape.demo_site.drawn_collection import LOGOS
from scrape.demo_site.logo_shapes import SHAPES
from scrape.demo_site.logo_symbols import LETTERS, SYMBOLS, paint_letter
from scrape.demo_site.logos import draw_logo, logo, logo_size

INK = (0, 0, 0)
ALL = [logo(7, index) for index in range(LOGOS)]


@pytest.mark.parametrize("shape", SHAPES)
def test_a_shape_is_bold_and_stays_in_the_picture(shape: str) -> None:
    canvas = Canvas(100, 100, WHITE)
    canvas.polygon(SHAPES[shape], INK)
    dark = np.asarray(canvas.finished())[..., 0] < 128
    assert 0.3 < dark.mean() < 0.8
    assert dark[1:-1, 1:-1].sum() == dark.sum()


@pytest.mark.parametrize("symbol", [*SYMBOLS, *LETTERS])
def test_a_symbol_fits_its_square(symbol: str) -> None:
    canvas = Canvas(120, 120, WHITE)
    with canvas.moved(0, 0, 0.8):
        if symbol in LETTERS:
            paint_letter(canvas, symbol, INK)
        else:
            SYMBOLS[symbol](canvas, INK)
    dark = np.asarray(canvas.finished())[..., 0] < 128
    assert dark.mean() > 0.08
    assert dark[2:-2, 2:-2].sum() == dark.sum()


def test_symbols_are_all_different() -> None:
    drawn = set()
    for paint in SYMBOLS.values():
        canvas = Canvas(64, 64, WHITE)
        paint(canvas, INK)
        drawn.add(canvas.finished().tobytes())
    assert len(drawn) == len(SYMBOLS)


def test_names_and_slugs_are_unique_and_every_initial_can_be_drawn() -> None:
    assert len({look.name for look in ALL}) == LOGOS
    assert len({look.slug for look in ALL}) == LOGOS
    assert {word[0] for word in FIRST_WORDS} == set(LETTERS)


def test_descriptions_have_40_to_220_characters_and_say_shape_and_colours() -> None:
    for look in ALL:
        assert 40 <= len(look.description) <= 220
        assert look.shape in look.description
        assert look.strong.name in look.description
        assert look.pale in look.description
        assert "{" not in look.description


def test_many_descriptions_are_long_enough_to_be_cut() -> None:
    assert sum(len(look.description) > 80 for look in ALL) > LOGOS // 3


def test_a_good_third_is_transparent() -> None:
    transparent = [index for index in range(LOGOS) if ALL[index].transparent]
    assert len(transparent) > LOGOS / 3
    drawing = draw_logo(7, transparent[0])
    assert drawing.mode == "RGBA"
    assert np.asarray(drawing)[0, 0, 3] == 0


def test_the_others_stand_on_white() -> None:
    opaque = next(index for index in range(LOGOS) if not ALL[index].transparent)
    drawing = draw_logo(7, opaque)
    assert drawing.mode == "RGB"
    assert drawing.getpixel((0, 0)) == WHITE


def test_no_two_logos_share_shape_symbol_and_colour() -> None:
    assert len({(look.shape, look.symbol, look.strong.name) for look in ALL}) == LOGOS


def test_symbol_and_shape_contrast() -> None:
    for index in range(0, LOGOS, 16):
        drawing = np.asarray(draw_logo(7, index).convert("RGB"), np.float32)
        height, width = drawing.shape[:2]
        room = drawing[height // 3 : -height // 3, width // 3 : -width // 3]
        assert room.std(axis=(0, 1)).max() > 25


def test_the_size_foretold_is_the_size_drawn() -> None:
    for index in range(6):
        assert draw_logo(7, index).size == logo_size(7, index)
