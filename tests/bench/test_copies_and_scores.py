"""The benchmark of likeness itself: copies are the same in every run, answers are counted right."""

import io

import numpy as np
import pytest
from PIL import Image

from tests.bench.black_shapes import black_shapes
from tests.bench.copies import TRANSFORMATIONS, applies, chance, opened, vanishes
from tests.bench.duplicate_finders import Pairs, code_pairs
from tests.bench.likeness_score import Score, Truth, wilson
from tests.dataset.pictures import encoded, scene

BIRDS = ["animals32/bird/1330.jpg", "animals32/bird/1340.jpg", "animals32/bird/0000.jpg"]


def pairs(*found: tuple[int, int]) -> Pairs:
    return np.array(found, np.int64).reshape(-1, 2)


@pytest.mark.parametrize("name", TRANSFORMATIONS)
@pytest.mark.parametrize("kind", ["photo", "tiny", "logo"])
def test_a_copy_opens_is_another_picture_and_the_same_in_every_run(name: str, kind: str) -> None:
    shape = next(image for title, image in black_shapes() if title == "corner")
    logo = scene(3, shape.size)
    logo.putalpha(shape.getchannel("A"))
    original = {
        "photo": opened(encoded(scene(1, (200, 150)), "JPEG")),
        "tiny": opened(encoded(scene(2, (48, 48)), "JPEG")),
        "logo": logo,
    }[kind]
    if not applies(name, original) or vanishes(name, original):
        return
    first, again = (TRANSFORMATIONS[name](original, chance("a", name)) for _ in range(2))
    assert first == again
    copy = Image.open(io.BytesIO(first))
    assert min(copy.size) >= 8
    assert copy.mode != original.mode or copy.tobytes() != original.tobytes()


def test_black_on_black_and_white_on_white_show_nothing() -> None:
    black = next(image for _title, image in black_shapes())
    white = Image.new("RGBA", black.size, (255, 255, 255, 0))
    white.putalpha(black.getchannel("A"))
    assert vanishes("alpha_black", black)
    assert not vanishes("alpha_white", black)
    assert vanishes("jpeg", white)
    assert not vanishes("resize", white)


def test_only_the_pair_of_a_picture_and_its_own_copy_is_right() -> None:
    truth = Truth(BIRDS, [0, 1, 2], differs=False)
    found = pairs((0, 3), (2, 5), (0, 5), (2, 4), (3, 5))
    assert truth.score(found) == Score(copies=3, found=2, false=3)
    assert truth.missed(found) == [BIRDS[1]]
    assert truth.wrong(found)[0] == (BIRDS[0], f"{BIRDS[2]}*")


def test_pairs_that_nobody_can_call_are_neither_right_nor_wrong() -> None:
    truth = Truth(BIRDS, [0, 1, 2], differs=False)
    assert truth.score(pairs((0, 1), (1, 3), (3, 4))) == Score(copies=3)


def test_a_copy_that_differs_is_wrong_to_find() -> None:
    truth = Truth(BIRDS, [0, 1, 2], differs=True)
    assert truth.score(pairs((0, 3), (0, 1))) == Score(copies=0, found=0, false=1)


def test_hashes_make_the_pairs_that_lie_near_and_leave_out_who_has_none() -> None:
    assert code_pairs([0b0, None, 0b111, (1 << 64) - 1], radius=3).tolist() == [[0, 2]]


def test_wilsons_interval_is_his() -> None:
    low, high = wilson(8, 10)
    assert (round(low, 4), round(high, 4)) == (0.4902, 0.9433)
    assert wilson(0, 0) == (0.0, 1.0)
