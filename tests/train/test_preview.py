import numpy as np
import pytest
from PIL import Image

from tests.train.small_denoiser import noisy, small_denoiser
from train.preview import (
    Panel,
    contact_sheet,
    drawn_panel,
    picture_image,
    side_by_side,
    told_panel,
)
from train.preview_config import PreviewConfig


@pytest.mark.parametrize(("channels", "mode"), [(1, "L"), (3, "RGB"), (4, "RGBA")])
def test_a_picture_becomes_an_image_of_its_channels(channels: int, mode: str) -> None:
    picture = np.full((channels, 6, 4), 9, np.uint8)
    image = picture_image(picture)
    assert (image.mode, image.size) == (mode, (4, 6))


def test_pictures_lie_row_by_row() -> None:
    pictures = np.zeros((3, 3, 4, 4), np.uint8)
    pictures[0, 0], pictures[1, 1], pictures[2, 2] = 255, 255, 255
    sheet = contact_sheet(pictures, columns=2, magnify=1)
    assert sheet.size == (14, 14)
    colours = [sheet.getpixel(place) for place in [(3, 3), (9, 3), (3, 9), (9, 9)]]
    assert colours == [(255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255)]


def test_transparent_pixels_are_shown_on_white() -> None:
    sheet = contact_sheet(np.zeros((1, 4, 4, 4), np.uint8), columns=1, magnify=1)
    assert sheet.getpixel((3, 3)) == (255, 255, 255)


def test_row_names_stand_beside_the_rows() -> None:
    pictures = np.zeros((2, 1, 8, 8), np.uint8)
    plain = contact_sheet(pictures, columns=1)
    named = contact_sheet(pictures, columns=1, row_names=["a", "longer"])
    assert named.width > plain.width
    assert named.height == plain.height


def test_names_above_part_the_columns_and_are_never_cut() -> None:
    pictures = np.zeros((4, 1, 8, 8), np.uint8)
    plain = contact_sheet(pictures, columns=4)
    parted = contact_sheet(pictures, columns=4, column_names=["averaged", "raw"])
    assert parted.width > plain.width
    assert parted.height > plain.height
    narrow = contact_sheet(pictures[:2, :, :1, :1], columns=2, column_names=["averaged"] * 2)
    assert narrow.width > 80


def test_panels_stand_beside_each_other_row_by_row() -> None:
    pictures = np.zeros((4, 3, 4, 4), np.uint8)
    pictures[:2, 0], pictures[2:, 1] = 255, 255  # a red row, a green row
    left, right = Panel(pictures, 2, ["a", "b"]), Panel(255 - pictures, 2, ["a", "b"])
    sheet = side_by_side({"one": left, "two": right}, magnify=1)
    colours = {colour for _, colour in sheet.getcolors() or []}
    assert {(255, 0, 0), (0, 255, 0), (0, 255, 255), (255, 0, 255)} <= colours
    first = [x for x in range(sheet.width) if sheet.getpixel((x, 14 + 3)) == (255, 0, 0)]
    second = [x for x in range(sheet.width) if sheet.getpixel((x, 14 + 3)) == (0, 255, 255)]
    assert max(first) < min(second)


def test_a_panel_whose_last_row_is_short_is_filled_up() -> None:
    pictures = np.zeros((3, 1, 4, 4), np.uint8)
    panels = {"one": Panel(pictures, 2), "two": Panel(pictures, 2)}
    assert side_by_side(panels, magnify=1).height == 14 + 2 * 6 + 2


def test_a_panel_has_a_row_for_each_class_and_is_the_same_each_time() -> None:
    denoiser, config = small_denoiser(), PreviewConfig(per_class=2, steps=2)
    one = drawn_panel(denoiser, config, ["a", "b", "c"], seed=0)
    again = drawn_panel(denoiser, config, ["a", "b", "c"], seed=0)
    assert one.pictures.shape == (6, 3, 8, 8)
    assert (one.columns, list(one.row_names)) == (2, ["a", "b", "c"])
    assert np.array_equal(one.pictures, again.pictures)
    assert isinstance(side_by_side({"averaged": one, "raw": again}), Image.Image)


def test_a_model_without_classes_and_one_with_hundreds_have_previews() -> None:
    denoiser, config = small_denoiser(classes=300), PreviewConfig(per_class=3, steps=1)
    assert len(drawn_panel(denoiser, config, [], seed=0).pictures) == 3
    names = [f"class {i}" for i in range(300)]
    assert len(drawn_panel(denoiser, config, names, seed=0).row_names) == 24


def test_more_steps_than_the_model_has_are_drawn_in_as_many_as_it_has() -> None:
    denoiser = small_denoiser(steps=25)
    panel = drawn_panel(denoiser, PreviewConfig(per_class=1, steps=50), [], seed=0)
    assert panel.pictures.shape == (1, 3, 8, 8)


def test_a_picture_that_is_not_a_number_is_shown_all_the_same() -> None:
    denoiser = small_denoiser()
    for parameter in denoiser.network.parameters():
        parameter.fill_(float("nan"))
    panel = drawn_panel(denoiser, PreviewConfig(per_class=1, steps=2), [], seed=0)
    assert panel.pictures.dtype == np.uint8


def test_a_model_told_of_other_things_than_classes_is_shown_what_it_is_told_of() -> None:
    _, _, condition = noisy(4)
    panel = told_panel(small_denoiser(), PreviewConfig(per_class=2, steps=2), condition, seed=0)
    assert (len(panel.pictures), panel.columns) == (4, 2)
