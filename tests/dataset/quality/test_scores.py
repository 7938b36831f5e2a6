"""All scores together: every picture gets some, none is out of its range, presets judge."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray
from PIL import Image

from dataset.quality import MEASURES, PRESETS, issues_of
from tests.dataset.pictures import encoded, scene
from tests.dataset.quality.rasters import (
    blurred,
    enlarged,
    page_of_text,
    photograph,
    scores_of,
    scores_of_file,
)


def assert_sound(scores: dict[str, float]) -> None:
    for name, score in scores.items():
        measure = MEASURES[name]
        assert isinstance(score, float), name
        assert math.isfinite(score), name
        assert measure.low <= score <= measure.high, name


SHAPES = [
    (1, 1), (2, 1), (1, 3000), (20_000, 1), (20_000, 3), (3, 4000), (15, 16), (31, 33), (47, 500),
    (48, 48), (64, 63), (65, 287), (288, 288), (144, 300), (1300, 40),
]  # fmt: skip


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("kind", ["flat", "noise", "grey", "stripes"])
def test_pictures_of_any_shape_have_sound_scores(shape: tuple[int, int], kind: str) -> None:
    rng = np.random.default_rng(1)
    pixels = np.full((shape[1], shape[0], 3), 200, np.uint8)
    if kind == "noise":
        pixels = rng.integers(0, 256, pixels.shape, np.uint8)
    elif kind == "grey":
        pixels[:] = rng.integers(0, 256, (*pixels.shape[:2], 1), np.uint8)
    elif kind == "stripes":
        pixels[:, ::2] = 0
    assert_sound(scores_of(Image.fromarray(pixels)))


@settings(max_examples=60, deadline=None)
@given(arrays(np.uint8, st.tuples(st.integers(1, 90), st.integers(1, 90), st.just(3))))
def test_no_pixels_break_the_scores(pixels: NDArray[np.uint8]) -> None:
    assert_sound(scores_of(Image.fromarray(pixels)))


def test_a_photograph_has_every_measure_of_the_table() -> None:
    # What is left without borders is told by the fingerprint.
    assert {*scores_of(photograph(1)), "content"} == {*MEASURES}


def test_scores_are_a_function_of_the_picture() -> None:
    assert scores_of(photograph(1)) == scores_of(photograph(1))


@pytest.mark.parametrize("quality", [5, 10, 30, 50, 75, 85, 95, 100])
def test_the_quality_of_a_jpeg_is_told_from_its_tables(quality: int) -> None:
    content = encoded(scene(1), "JPEG", quality=quality)
    assert scores_of_file(content)["compression"] == pytest.approx(quality, abs=1)


def test_what_is_lossless_was_not_compressed_and_webp_cannot_be_told() -> None:
    assert scores_of_file(encoded(scene(1), "PNG"))["compression"] == 100.0
    assert "compression" not in scores_of_file(encoded(scene(1), "WEBP"))


def test_aspect_and_side_are_those_of_the_whole_picture() -> None:
    content = encoded(photograph(1, (1600, 1200)), "JPEG", quality=90)
    scores = scores_of_file(content, least_side=512)
    assert scores["aspect"] == pytest.approx(4 / 3, abs=1e-3)
    assert scores["side"] == 1200.0


def names_of(image: Image.Image, preset: str) -> set[str]:
    return {issue.name for issue in issues_of(scores_of(image), PRESETS[preset])}


def test_every_rule_asks_for_a_measure_and_for_its_bad_end() -> None:
    for rules in PRESETS.values():
        assert len({rule.issue for rule in rules}) == len(rules)
        for rule in rules:
            measure = MEASURES[rule.measure]
            assert rule.bad == measure.bad or measure.bad == "neither"
            assert measure.low <= rule.cut <= measure.high


def test_the_photo_preset_covers_every_issue() -> None:
    assert {rule.issue for rule in PRESETS["photo"]} == {
        "blur", "dark", "bright", "low-information", "odd-aspect", "too-small", "text-heavy",
        "watermark", "border", "upscaled", "collage",
    }  # fmt: skip


def test_a_good_photograph_has_no_issues() -> None:
    assert names_of(photograph(1), "photo") == set()


def test_issues_name_what_was_done_to_a_photograph() -> None:
    image = photograph(1)
    assert "blur" in names_of(blurred(image, 8), "photo")
    assert "upscaled" in names_of(enlarged(image, 2.5), "photo")
    assert "odd-aspect" in names_of(image.crop((0, 0, 480, 100)), "photo")
    assert "too-small" in names_of(image.resize((64, 48)), "photo")
    assert "low-information" in names_of(Image.new("RGB", (300, 200), "grey"), "photo")
    assert "text-heavy" in names_of(page_of_text(), "photo")


def test_an_issue_tells_its_score_and_its_cut() -> None:
    (issue,) = [i for i in issues_of({"side": 40.0}, PRESETS["photo"]) if i.name == "too-small"]
    assert (issue.measure, issue.score, issue.cut) == ("side", 40.0, 96.0)


def test_what_cannot_be_told_at_32_pixels_is_no_issue() -> None:
    for seed in range(10):
        small = photograph(seed).resize((32, 32), Image.Resampling.LANCZOS)
        assert names_of(small, "photo") <= {"too-small"}


def test_a_flat_white_emblem_is_a_good_logo() -> None:
    y, x = np.mgrid[0:256, 0:256]
    logo = np.full((256, 256, 3), 255, np.uint8)
    logo[(x - 128) ** 2 + (y - 128) ** 2 < 100**2] = (200, 30, 60)
    assert names_of(Image.fromarray(logo), "logo") == set()
