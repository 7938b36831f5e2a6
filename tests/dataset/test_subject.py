"""The square around the subject: drawn scenes whose subject's place is known."""

import numpy as np
import pytest
from PIL import Image, ImageDraw

from dataset.pack_selection import PackConfig
from dataset.pixels import Pixels
from dataset.preparation import prepare, window
from dataset.subject import saliency, subject_place

GROUNDS = ("flat", "gradient", "noise", "stripes", "clouds", "horizon")
SUBJECT = PackConfig(fit="subject")
Span = tuple[int, int]


def ground(chance: np.random.Generator, kind: str, width: int, height: int) -> Pixels:
    first, second = chance.integers(0, 256, (2, 3)).astype(float)
    y, x = np.mgrid[0:height, 0:width]
    pixels = np.broadcast_to(first, (height, width, 3)).copy()
    if kind == "gradient":
        pixels += (second - first) * (x / width * 0.36 + y / height * 0.24)[..., None]
    elif kind == "noise":
        pixels += chance.normal(0, 18, pixels.shape)
    elif kind == "stripes":
        pixels += ((x + y) // 9 % 2)[..., None] * chance.normal(0, 20, 3)
    elif kind == "clouds":
        coarse = chance.normal(0, 20, (8, 12, 3)).astype(np.float32)
        for channel in range(3):
            plane = Image.fromarray(coarse[:, :, channel])
            pixels[:, :, channel] += np.asarray(plane.resize((width, height), 3))
    elif kind == "horizon":
        below = y > height * chance.uniform(0.4, 0.7)
        pixels[below] = first * 0.6 + second * 0.4
    return np.asarray(np.clip(pixels, 0, 255).astype(np.uint8))


def scene(chance: np.random.Generator, kind: str) -> tuple[Image.Image, Span] | None:
    """A wide picture and where its subject is, which the square in the middle would cut; or None
    for a subject that it cannot cut."""
    height = int(chance.integers(90, 260))
    width = int(height * chance.uniform(1.35, 2.4))
    pixels = ground(chance, kind, width, height)
    mean = pixels.reshape(-1, 3).mean(axis=0)
    colour = mean
    while np.abs(colour - mean).sum() < 150:
        colour = chance.integers(0, 256, 3).astype(float)
    wide, high = (int(height * share) for share in chance.uniform(0.25, 0.85, 2))
    middle = (width - height) / 2
    starts = [
        x
        for x in range(width - wide + 1)
        if x < middle - 0.1 * wide or x + wide > middle + height + 0.1 * wide
    ]
    if not starts:
        return None
    left, top = int(chance.choice(starts)), int(chance.integers(0, height - high + 1))
    box = (left, top, left + wide - 1, top + high - 1)
    image, fill = Image.fromarray(pixels), tuple(int(level) for level in colour)
    pen = ImageDraw.Draw(image)
    shape = int(chance.integers(0, 4))
    if shape == 0:
        pen.ellipse(box, fill=fill)
    elif shape == 1:
        pen.rectangle(box, fill=fill)
    elif shape == 2:
        pen.polygon([(box[0], box[3]), (left + wide / 2, top), (box[2], box[3])], fill=fill)
    else:
        pen.ellipse(box, outline=fill, width=max(4, min(wide, high) // 4))
    return image, (left, left + wide)


def kept_whole(image: Image.Image, span: Span) -> bool:
    """Within 2 % of the side, which at 32 px is less than a pixel."""
    box = window(image, SUBJECT)
    start, end = (box[0], box[2]) if image.width > image.height else (box[1], box[3])
    slack = 0.02 * min(image.size)
    return span[0] >= start - slack and span[1] <= end + slack


def test_the_subject_is_kept_whole_in_95_of_100_scenes_where_the_middle_cuts_it() -> None:
    whole = dict.fromkeys(GROUNDS, 0)
    count = dict.fromkeys(GROUNDS, 0)
    for n in range(360):
        kind = GROUNDS[n % len(GROUNDS)]
        drawn = scene(np.random.default_rng(n), kind)
        if drawn is None:
            continue
        image, span = drawn
        if n % 3 == 0:  # a tall picture: the scene turned
            image, span = image.transpose(Image.Transpose.TRANSPOSE), span
        count[kind] += 1
        whole[kind] += kept_whole(image, span)
    assert min(count.values()) > 50
    assert sum(whole.values()) >= 0.95 * sum(count.values()), (whole, count)


def test_what_shows_nothing_is_cropped_in_the_middle() -> None:
    for pixels in (
        np.full((40, 90, 3), 80, np.uint8),
        np.full((90, 40, 4), (5, 6, 7, 255), np.uint8),
        np.zeros((40, 90, 4), np.uint8),
        np.zeros((1, 2000, 3), np.uint8),
    ):
        assert subject_place(Image.fromarray(pixels)) == 0.5
    assert subject_place(Image.new("RGB", (50, 50), "red")) == 0.5


def test_a_subject_in_the_middle_stays_there() -> None:
    image = Image.new("RGB", (160, 90), (90, 140, 60))
    ImageDraw.Draw(image).ellipse((60, 25, 100, 65), fill=(200, 30, 20))
    assert subject_place(image) == 0.5


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("kind", GROUNDS)
def test_the_window_of_a_mirrored_picture_is_mirrored(kind: str, seed: int) -> None:
    drawn = scene(np.random.default_rng(seed), kind)
    if drawn is None:
        return
    mirrored = drawn[0].transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    assert subject_place(mirrored) == pytest.approx(1 - subject_place(drawn[0]), abs=0.06)


@pytest.mark.parametrize("kind", GROUNDS)
def test_the_window_of_a_turned_picture_is_turned(kind: str) -> None:
    image, _ = next(found for n in range(50) if (found := scene(np.random.default_rng(n), kind)))
    turned = image.transpose(Image.Transpose.TRANSPOSE)
    assert subject_place(turned) == pytest.approx(subject_place(image), abs=0.06)


def test_the_same_picture_has_the_same_window_always() -> None:
    for seed in range(5):
        image = Image.fromarray(ground(np.random.default_rng(seed), "clouds", 150, 90))
        assert len({subject_place(image.copy()) for _ in range(3)}) == 1


def test_what_is_opaque_is_the_subject_of_a_picture_with_alpha() -> None:
    pixels = np.zeros((60, 180, 4), np.uint8)
    pixels[..., :3] = np.random.default_rng(0).integers(0, 256, (60, 180, 3))  # hidden
    pixels[20:40, 130:170] = (90, 90, 90, 255)
    left, top, right, bottom = window(Image.fromarray(pixels), SUBJECT)
    assert left <= 130 < 170 <= right
    assert (top, bottom, right - left) == (0, 60, 60)
    done = prepare(pixels, PackConfig(fit="subject", channels="rgba"))
    assert done[..., 3].max() == 255


def test_the_crop_around_a_subject_at_the_side_shows_it() -> None:
    pixels = np.full((60, 160, 3), (40, 90, 160), np.uint8)
    pixels[15:45, 120:150] = (240, 200, 30)
    red = prepare(pixels, PackConfig(size=32, fit="subject"))[..., 0]
    assert (red > 200).sum() >= 0.9 * (30 * 32 / 60) ** 2
    assert (prepare(pixels, PackConfig(size=32, fit="crop"))[..., 0] > 200).sum() == 0


def test_saliency_is_that_of_a_small_copy() -> None:
    for size in ((1000, 700), (64, 64), (40_000, 3), (5, 9)):
        found = saliency(Image.new("RGB", size, "blue"))
        assert found.ndim == 2
        assert max(found.shape) <= 255
        assert (found >= 0).all()
        assert np.isfinite(found).all()
