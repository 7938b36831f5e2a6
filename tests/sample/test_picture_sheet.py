"""The contact sheet: where pictures stand, what is written, and what very many become."""

import numpy as np
import pytest

from dataset.errors import ConfigError
from dataset.lettering import plain_font
from sample.picture_sheet import (
    SheetConfig,
    Tile,
    board_image,
    cut_text,
    sheet_image,
    shown_places,
)

TILES = [Tile(name, f"seed {seed}") for seed, name in enumerate(["cat"] * 3 + ["dog"] * 3)]
PLAIN = SheetConfig(style="plain")


def colours(count: int, side: int = 48, channels: int = 3) -> list[np.ndarray]:
    """(channels, side, side) each, of a grey of its own."""
    return [np.full((channels, side, side), 20 * i + 5, np.uint8) for i in range(count)]


def test_a_plain_grid_is_of_pictures_and_gaps_alone() -> None:
    sheet = np.asarray(sheet_image(colours(6), TILES, SheetConfig(style="plain", columns=3)))
    assert sheet.shape == (2 * 96 + 3 * 2, 3 * 96 + 4 * 2, 3)
    for place in range(6):
        row, column = divmod(place, 3)
        top, left = 2 + row * 98, 2 + column * 98
        assert (sheet[top : top + 96, left : left + 96] == 20 * place + 5).all()
    inside = np.zeros(sheet.shape[:2], bool)
    for row in range(2):
        for column in range(3):
            inside[2 + row * 98 : 98 + row * 98, 2 + column * 98 : 98 + column * 98] = True
    assert len(np.unique(sheet[~inside], axis=0)) == 1


def test_a_class_begins_a_row_and_is_named() -> None:
    five = [Tile("cat", "")] * 4 + [Tile("dog", "")]
    plain = sheet_image(colours(5), five, PLAIN)
    named = sheet_image(colours(5), five, SheetConfig(columns=2))
    assert plain.height < 110
    assert named.height > 3 * 96  # cat, cat, dog
    other = [Tile("owl", "")] * 4 + [Tile("dog", "")]
    again = np.asarray(sheet_image(colours(5), other, SheetConfig(columns=2)))
    assert (np.asarray(named) != again).any()


def test_names_stand_beside_rows_where_each_class_has_one() -> None:
    sheet = sheet_image(colours(6), TILES, SheetConfig())
    assert sheet.width > 3 * 96 + 2 * 16 + 20
    assert sheet.height == 2 * 96 + 4 + 2 * 16


def test_seeds_are_written_under_the_pictures() -> None:
    config = SheetConfig(style="seeds")
    one = np.asarray(sheet_image(colours(2), TILES[:2], config))
    other = np.asarray(sheet_image(colours(2), [TILES[0], Tile("cat", "seed 9")], config))
    rows = np.flatnonzero((one != other).any(axis=(1, 2)))
    assert len(rows)
    assert rows.min() >= one.shape[0] - 16 - 16


def test_a_name_above_few_pictures_is_not_cut_off_unless_it_is_very_long() -> None:
    name = "golden retriever puppies asleep"
    one = sheet_image(colours(1), [Tile(name, "")], SheetConfig())
    assert one.width == 32 + np.ceil(plain_font(14).getlength(name))
    assert sheet_image(colours(1), [Tile(name * 20, "")], SheetConfig()).width == 32 + 400
    assert sheet_image(colours(1), [Tile(name * 20, "")], PLAIN).width == 96 + 4


def test_a_caption_wider_than_its_picture_is_cut() -> None:
    config = SheetConfig(style="seeds")
    long = [Tile("", "seed 123456789012345678901234567890")]
    assert sheet_image(colours(1), long, config).width == 96 + 2 * 16


@pytest.mark.parametrize("width", [0, 3, 12, 40, 77, 500])
def test_a_line_is_cut_to_what_stands_there(width: int) -> None:
    text = "a line of some length"
    cut = cut_text(text, width, 12)
    assert plain_font(12).getlength(cut) <= width
    assert cut == text if width == 500 else cut.endswith("…") or not cut
    if cut.endswith("…"):
        longer = text[: len(cut)] + "…"
        assert plain_font(12).getlength(longer) > width or longer.rstrip("…").endswith(" ")


@pytest.mark.parametrize(("side", "shown"), [(8, 96), (28, 112), (32, 96), (64, 128), (200, 200)])
def test_small_pictures_are_magnified_by_a_whole_number(side: int, shown: int) -> None:
    sheet = sheet_image(colours(1, side), TILES[:1], PLAIN)
    assert sheet.size == (shown + 4, shown + 4)


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_pictures_of_any_channels_are_shown(channels: int) -> None:
    assert sheet_image(colours(2, channels=channels), TILES[:2], PLAIN).mode == "RGB"


def test_transparency_shows_the_board() -> None:
    clear = np.zeros((4, 96, 96), np.uint8)
    tile = np.asarray(sheet_image([clear], TILES[:1], PLAIN))[2:98, 2:98]
    assert (tile == np.asarray(board_image((96, 96)))).all()


def test_of_very_many_the_first_of_each_class_are_shown() -> None:
    tiles = [Tile(name, "") for name in ["a"] * 70 + ["b"] * 5 + ["c"] * 25]
    places = shown_places(tiles, most=30)
    assert places == [*range(10), *range(70, 75), *range(75, 85)]
    assert shown_places(tiles, most=100) == list(range(100))
    assert shown_places([Tile(str(i), "") for i in range(50)], most=30) == list(range(30))


def test_the_sheet_says_how_many_are_left_out() -> None:
    whole = sheet_image(colours(2), TILES[:2], PLAIN)
    more = sheet_image(colours(2), TILES[:2], PLAIN, left_out=9998)
    assert more.height > whole.height


@pytest.mark.parametrize("changes", [{"style": "round"}, {"columns": -1}, {"columns": 101}])
def test_a_sheet_that_cannot_be_is_refused(changes: dict[str, object]) -> None:
    with pytest.raises(ConfigError, match="must be"):
        SheetConfig(**changes)  # type: ignore[arg-type]
