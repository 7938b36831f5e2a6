"""The hash of a part of a picture is near the hash of the file that was cropped to it."""

import numpy as np
import pytest
from PIL import Image, ImageDraw

from dataset.fingerprint import LUMA_SIDE
from dataset.phash import frequency_bits, words
from dataset.views import (
    VIEWS,
    WARPS,
    View,
    certain_bits,
    second_distances,
    shape_codes,
    view_codes,
)
from tests.dataset.pictures import scene


def luma_of(image: Image.Image) -> np.ndarray:
    side = (LUMA_SIDE, LUMA_SIDE)
    return np.asarray(image.convert("L").resize(side, Image.Resampling.LANCZOS))


def bits(a: np.ndarray, b: np.ndarray) -> int:
    return int(np.bitwise_count(a ^ b).sum())


PICTURES = [scene(seed, (240, 240)) for seed in range(30)]
LUMA = np.stack([luma_of(image) for image in PICTURES])


def test_the_whole_comes_first_and_hashes_as_the_file_does() -> None:
    assert VIEWS[0].is_whole
    assert not VIEWS[0].is_mirrored
    codes = view_codes(LUMA, VIEWS[0])
    assert codes.tolist() == [words(frequency_bits(luma, 8))[0] for luma in LUMA]


def test_the_mirrored_view_is_the_hash_of_the_mirror_image() -> None:
    codes = view_codes(LUMA, VIEWS[1])
    for code, luma in zip(codes, LUMA, strict=True):
        assert bits(code, words(frequency_bits(luma[:, ::-1], 8))) <= 2


@pytest.mark.parametrize("view", VIEWS[2:], ids=str)
def test_a_part_hashes_as_the_cropped_file_does(view: View) -> None:
    codes = view_codes(LUMA, view)
    (left, right), (top, bottom) = view.across, view.down
    far = []
    for code, image in zip(codes, PICTURES, strict=True):
        box = (round(240 * left), round(240 * top), round(240 * right), round(240 * bottom))
        cropped = image.crop(box)
        far.append(bits(code, words(frequency_bits(luma_of(cropped), 8))))
    assert np.median(far) <= 2
    assert max(far) <= 10


def test_a_warp_takes_the_corners_of_a_view_to_their_places() -> None:
    for view, warp in zip(VIEWS, WARPS, strict=True):
        corners = np.array([[0, 0, 1], [1, 1, 1]]) @ warp.reshape(2, 3).T
        across = view.across[::-1] if view.is_mirrored else view.across
        assert corners[:, 0] == pytest.approx(across)
        assert corners[:, 1] == pytest.approx(view.down)


def test_half_the_bits_of_a_symmetric_drawing_are_uncertain() -> None:
    ring = Image.new("L", (200, 200), 255)
    ImageDraw.Draw(ring).ellipse((20, 20, 180, 180), outline=0, width=30)
    drawing = luma_of(ring)[None]
    noise = np.random.default_rng(2).normal(0, 2, drawing.shape)
    noisy = (drawing + noise).clip(0, 255).astype(np.uint8)
    certain = certain_bits(drawing)
    assert 64 - np.bitwise_count(certain)[0] >= 20
    assert bits(view_codes(drawing, VIEWS[0]) & certain, view_codes(noisy, VIEWS[0]) & certain) == 0
    assert bits(shape_codes(drawing), shape_codes(noisy)) <= 2


def test_photographs_have_few_uncertain_bits() -> None:
    rng = np.random.default_rng(0)
    rough = Image.fromarray(rng.integers(0, 256, (12, 12), np.uint8)).resize((200, 200))
    assert 64 - np.bitwise_count(certain_bits(luma_of(rough)[None]))[0] <= 8


def test_second_hashes_tell_pictures_apart_and_noise_does_not() -> None:
    luma = LUMA.astype(np.float64)
    noise = np.random.default_rng(0).normal(0, 1.5, luma.shape)
    for near, far in zip(
        second_distances(luma, luma + noise), second_distances(luma, luma[::-1]), strict=True
    ):
        assert near.shape == (len(LUMA),)
        assert near.max() <= 1
        assert far.min() >= 3
        assert np.median(far) >= 6
