import numpy as np
import pytest
from PIL import Image

from tests.train.test_diffusion import small_denoiser
from train.config import PreviewConfig
from train.preview import contact_sheet, draw_preview, picture_image


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


def test_a_preview_has_a_row_for_each_class_and_is_the_same_each_time() -> None:
    denoiser, config = small_denoiser(), PreviewConfig(per_class=2, steps=2)
    one = draw_preview(denoiser, config, ["a", "b", "c"], seed=0)
    again = draw_preview(denoiser, config, ["a", "b", "c"], seed=0)
    assert one.height == 3 * 18 + 2
    assert isinstance(one, Image.Image)
    assert one.tobytes() == again.tobytes()


def test_a_model_without_classes_and_one_with_hundreds_have_previews() -> None:
    denoiser, config = small_denoiser(classes=300), PreviewConfig(per_class=3, steps=1)
    assert draw_preview(denoiser, config, [], seed=0).height == 18 + 2
    names = [f"class {i}" for i in range(300)]
    assert draw_preview(denoiser, config, names, seed=0).height == 24 * 18 + 2
