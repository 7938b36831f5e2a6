"""Splits hold their shares of every class, and are the same for the same input."""

import hashlib
import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from dataset.provenance import SPLITS
from dataset.splits import (
    assign_splits,
    components,
    draw,
    empty_splits,
    joined_by,
    place_within,
    within_limits,
)

TRAIN, CAL, TEST = range(3)
PAIRS = st.lists(st.tuples(st.integers(0, 29), st.integers(0, 29)), max_size=40)


def lots(count: int, seed: int = 0) -> NDArray[np.uint64]:
    drawn = [draw(f"{place:064x}", seed)[:8] for place in range(count)]
    return np.array([int.from_bytes(lot, "big") for lot in drawn], np.uint64)


def singles(
    label: list[int], *, cal: float, test: float, seed: int = 0, by_class: bool = True
) -> NDArray[np.uint8]:
    """The splits of pictures that are a group each."""
    count = len(label)
    root, drawn = np.arange(count), lots(count, seed)
    return assign_splits(root, np.array(label), drawn, cal=cal, test=test, by_class=by_class)


def test_names_of_splits_are_those_that_these_tests_speak_of() -> None:
    assert SPLITS == ("train", "cal", "test")


def test_a_lot_is_what_it_always_was() -> None:
    assert draw("ab", 3) == hashlib.sha256(b"3:ab").digest()


def test_every_class_gets_its_share() -> None:
    split = singles([0] * 100 + [1] * 40, cal=0.1, test=0.05)
    assert np.bincount(split[:100]).tolist() == [85, 10, 5]
    assert np.bincount(split[100:]).tolist() == [34, 4, 2]


@given(
    st.lists(st.integers(-1, 3), min_size=1, max_size=60),
    st.floats(0, 0.45),
    st.floats(0, 0.45),
    st.integers(0, 5),
    st.booleans(),
)
def test_no_class_goes_without_training(
    label: list[int], cal: float, test: float, seed: int, by_class: bool
) -> None:
    split = singles(label, cal=cal, test=test, seed=seed)
    for kind in set(label):
        assert TRAIN in split[np.array(label) == kind]


@given(PAIRS, st.lists(st.integers(-1, 2), min_size=30, max_size=30), st.booleans())
def test_no_group_is_parted(pairs: list[tuple[int, int]], label: list[int], by_class: bool) -> None:
    a, b = np.array(pairs, np.int64).reshape(-1, 2).T
    root = components(30, a, b)
    split = assign_splits(root, np.array(label), lots(30), cal=0.3, test=0.2, by_class=by_class)
    assert all(split[x] == split[y] for x, y in pairs)
    assert TRAIN in split


def test_another_seed_draws_others() -> None:
    first, second = (singles([0] * 200, cal=0.2, test=0.1, seed=seed) for seed in (0, 1))
    assert (first != second).any()


@pytest.mark.parametrize(
    ("label", "cal", "test", "counts"),
    [
        ([0, 0, 0, 1], 0.1, 0.05, [2, 1, 1]),  # both shares come to nothing: one each all the same
        ([0, 0, 1, 1, 1], 0.1, 0, [4, 1, 0]),
        ([0, 0], 0.1, 0.05, [1, 0, 1]),  # only one can be spared
        ([0], 0.1, 0.05, [1, 0, 0]),
        ([0, 1, 2], 0.4, 0, [3, 0, 0]),  # every class needs its only one
        ([0, 0, 0], 0, 0, [3, 0, 0]),
    ],
)
def test_a_share_that_comes_to_nothing_takes_one_group_of_the_largest_class(
    label: list[int], cal: float, test: float, counts: list[int]
) -> None:
    split = singles(label, cal=cal, test=test)
    assert np.bincount(split, minlength=3).tolist() == counts
    missing = empty_splits(split, cal=cal, test=test)
    wanted = [name for name, share in (("cal", cal), ("test", test)) if share]
    assert list(missing) == [name for name in wanted if not counts[SPLITS.index(name)]]


def test_large_groups_are_held_back_by_their_pictures() -> None:
    sizes = [600, 200, 100, 60, 40]
    root = np.repeat(np.cumsum([0, *sizes[:-1]]), sizes)
    for seed in range(6):
        split = assign_splits(
            root, np.zeros(1000, np.int64), lots(1000, seed), cal=0.1, test=0.05, by_class=False
        )
        held = np.bincount(split, minlength=3)
        assert held[TEST] in (40, 60)  # 60 only when 40 went to cal
        assert 40 <= held[CAL] <= 100


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(-1, 2)), min_size=1, max_size=14))
def test_every_class_trains_when_pictures_stay_together_by_something_else(
    pictures: list[tuple[int, int]],
) -> None:
    first: dict[int, int] = {}
    root = np.array([first.setdefault(unit, n) for n, (unit, _) in enumerate(pictures)])
    label = np.array([kind for _, kind in pictures], np.int32)
    split = assign_splits(root, label, lots(len(root)), cal=0.4, test=0.3, by_class=False)
    assert set(label[split == TRAIN].tolist()) == set(label.tolist())
    for name, code in (("cal", CAL), ("test", TEST)):
        assert (name in empty_splits(split, cal=0.4, test=0.3)) == (not (split == code).any())


def test_a_class_of_one_brand_is_not_taken_from_training_to_fill_a_split() -> None:
    root, label = np.array([0, 0, 2, 3, 3, 3]), np.array([0, 0, 1, 1, 1, 1], np.int32)
    for seed in range(5):
        split = assign_splits(root, label, lots(6, seed), cal=0.1, test=0, by_class=False)
        assert split.tolist() == [TRAIN, TRAIN, CAL, TRAIN, TRAIN, TRAIN]
        alone = assign_splits(root[:3], label[:3], lots(3, seed), cal=0.1, test=0, by_class=False)
        assert empty_splits(alone, cal=0.1, test=0) == ("cal",)


def test_components_are_named_by_their_first_member_over_any_chain() -> None:
    chain = np.random.default_rng(0).permutation(2000)
    root = components(2500, chain[:-1], chain[1:])
    assert (root[:2000] == 0).all()
    assert (root[2000:] == np.arange(2000, 2500)).all()


@given(PAIRS, st.randoms(use_true_random=False))
def test_components_do_not_depend_on_the_order_of_the_pairs(
    pairs: list[tuple[int, int]], rng: random.Random
) -> None:
    mixed = [rng.sample(pair, 2) for pair in rng.sample(pairs, len(pairs))]
    first, second = (np.array(some, np.int64).reshape(-1, 2).T for some in (pairs, mixed))
    assert (components(30, *first) == components(30, *second)).all()


def test_groups_with_a_key_in_common_are_one_and_no_key_joins_nothing() -> None:
    root = np.array([0, 0, 2, 3, 4, 5])
    keys = np.array([0, 7, 7, 0, 0, 7], np.uint64)
    assert joined_by(root, keys).tolist() == [0, 0, 0, 3, 4, 0]


def test_the_best_of_each_class_stay() -> None:
    label = np.array([0, 0, 0, 1, 1, -1, -1, 2])
    stars = np.array([1, 5, 5, 0, 0, 2, 3, 0])
    kept = within_limits(label, stars, most=1)
    assert np.flatnonzero(kept).tolist() == [1, 3, 6, 7]
    kept = within_limits(label, stars, least=2)
    assert np.flatnonzero(kept).tolist() == [0, 1, 2, 3, 4, 5, 6]
    kept = within_limits(label, stars, least=2, level=True)
    assert np.flatnonzero(kept).tolist() == [1, 2, 3, 4, 5, 6]
    assert within_limits(label[:0], stars[:0], most=1, level=True).tolist() == []


def test_places_are_counted_within_each_value() -> None:
    assert place_within(np.array([1, 1, 4, 7, 7, 7])).tolist() == [0, 1, 0, 0, 1, 2]
    assert place_within(np.array([], np.int64)).tolist() == []
