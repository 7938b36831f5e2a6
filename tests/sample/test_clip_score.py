"""The CLIP score: 100 times the cosine, beside that of captions of other pictures."""

import numpy as np
import pytest

from sample.clip_score import clip_score, other_captions
from sample.embed import Vectors
from sample.resampling import resampled

WORDS = ("round", "angular", "red")


class Axes:
    """Every known word is a direction of its own."""

    def encode_texts(self, texts: list[str]) -> Vectors:
        return np.eye(len(WORDS), dtype=np.float32)[[WORDS.index(text) for text in texts]]


def vectors(*places: int) -> Vectors:
    return np.eye(len(WORDS), dtype=np.float32)[list(places)]


def counts(pictures: int) -> np.ndarray[tuple[int, ...], np.dtype[np.int64]]:
    return resampled(pictures, 30, 0, 1)


def test_pictures_that_show_their_captions_score_100_and_others_0() -> None:
    found = clip_score(Axes(), vectors(0, 1, 2), list(WORDS), counts(3), seed=0)
    assert found is not None
    assert found.own.value == 100.0
    assert found.shuffled is not None
    assert found.shuffled.value == 0.0


def test_half_right_is_half_the_score() -> None:
    said = ["round", "round", "angular", "red"]
    found = clip_score(Axes(), vectors(0, 1, 1, 0), said, counts(4), seed=0)
    assert found is not None
    assert found.own.value == 50.0
    assert found.own.low < 50.0 < found.own.high


def test_the_opposite_counts_as_nothing_not_as_less() -> None:
    found = clip_score(Axes(), -vectors(0, 1), ["round", "angular"], counts(2), seed=0)
    assert found is not None
    assert found.own.value == 0.0


def test_pictures_without_captions_are_left_out() -> None:
    found = clip_score(Axes(), vectors(0, 1, 2), ["round", "", "  "], counts(3), seed=0)
    assert found is not None
    assert (found.pictures, found.own.value) == (1, 100.0)
    assert clip_score(Axes(), vectors(0, 1), ["", ""], counts(2), seed=0) is None


def test_where_all_captions_are_alike_there_are_no_others() -> None:
    found = clip_score(Axes(), vectors(0, 0), ["round", "round"], counts(2), seed=0)
    assert found is not None
    assert found.shuffled is None


@pytest.mark.parametrize("seed", range(5))
def test_other_captions_always_differ(seed: int) -> None:
    own = np.array([0] * 50 + [1] * 3 + [2])
    given = other_captions(own, seed)
    assert given is not None
    assert (given != own).all()
    assert set(given) <= {0, 1, 2}
    again = other_captions(own, seed)
    assert again is not None
    assert (given == again).all()
