"""Detail halves when a picture is doubled; blur never makes sharper."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from tests.dataset.pictures import encoded
from tests.dataset.quality.rasters import (
    blurred,
    enlarged,
    photograph,
    scores_of,
    scores_of_file,
)


@pytest.mark.parametrize("seed", range(4))
def test_a_sharp_picture_uses_nearly_all_its_spectrum(seed: int) -> None:
    scores = scores_of(photograph(seed))
    assert scores["detail"] > 0.85
    assert scores["sharpness"] > 0.95


@pytest.mark.parametrize("times", [1.5, 2.0, 3.0])
def test_enlarging_leaves_the_true_resolution_as_it_was(times: float) -> None:
    image = photograph(5, (320, 240))
    before, after = scores_of(image), scores_of(enlarged(image, times))
    assert after["detail"] == pytest.approx(before["detail"] / times, rel=0.3)
    assert after["upscaled"] == pytest.approx(1 - after["detail"], abs=1e-3)


@pytest.mark.parametrize("times", [2, 3, 4])
@pytest.mark.parametrize("quality", [None, 97])
def test_repeated_pixels_are_no_detail(times: int, quality: int | None) -> None:
    image = photograph(6, (240, 180))
    size = (image.width * times, image.height * times)
    image = image.resize(size, Image.Resampling.NEAREST)
    content = encoded(image, "JPEG", quality=quality) if quality else encoded(image)
    assert scores_of_file(content)["detail"] <= 1 / times + 0.05


@settings(max_examples=12, deadline=None)
@given(st.integers(0, 1000), st.floats(0.3, 3.0), st.floats(0.5, 3.0))
def test_more_blur_is_never_sharper(seed: int, radius: float, more: float) -> None:
    image = photograph(seed, (256, 200))
    one, other = scores_of(blurred(image, radius)), scores_of(blurred(image, radius + more))
    assert other["sharpness"] <= one["sharpness"] + 0.01
    assert other["detail"] <= one["detail"] + 0.01


def test_pictures_of_different_size_compare_in_sharpness() -> None:
    image = photograph(7, (800, 640))
    half = image.resize((400, 320), Image.Resampling.LANCZOS)
    assert scores_of(half)["sharpness"] == pytest.approx(scores_of(image)["sharpness"], abs=0.05)
    soft, soft_half = blurred(image, 8), blurred(half, 4)
    assert scores_of(soft)["sharpness"] < 0.5
    assert scores_of(soft_half)["sharpness"] == pytest.approx(
        scores_of(soft)["sharpness"], abs=0.12
    )


def test_a_shallow_focus_is_not_blur() -> None:
    image = blurred(photograph(8), 8)
    image.paste(photograph(8).crop((140, 100, 340, 260)), (140, 100))
    assert scores_of(image)["sharpness"] > 0.6


def test_a_jpeg_decoded_at_half_its_size_tells_the_detail_of_the_whole() -> None:
    enlarged_twice = enlarged(photograph(9, (640, 520)), 3.2)
    content = encoded(enlarged_twice, "JPEG", quality=92)
    whole, half = scores_of_file(content), scores_of_file(content, least_side=512)
    assert half["side"] == whole["side"]
    assert half["detail"] == pytest.approx(whole["detail"], abs=0.08)


def test_a_flat_picture_is_neither_sharp_nor_soft() -> None:
    scores = scores_of(Image.new("RGB", (300, 200), "teal"))
    assert not {"detail", "sharpness", "upscaled"} & scores.keys()


def test_a_picture_of_32_pixels_is_not_judged() -> None:
    scores = scores_of(photograph(1).resize((32, 32)))
    assert not {"detail", "sharpness", "upscaled"} & scores.keys()
