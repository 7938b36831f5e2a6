"""Splits: whole groups, balanced by class, the same for the same input."""

import random

from hypothesis import given
from hypothesis import strategies as st

from dataset.splits import assign_splits


def groups(sizes: dict[str, int]) -> dict[str, list[str]]:
    return {f"{name}-{n}": [name] for name, size in sizes.items() for n in range(size)}


def test_every_class_gets_its_share() -> None:
    split = assign_splits(groups({"cat": 100, "dog": 40}), cal=0.1, test=0.05, seed=0)
    for name, size in (("cat", 100), ("dog", 40)):
        counts = [split[f"{name}-{n}"] for n in range(size)]
        assert (counts.count("cal"), counts.count("test")) == (size // 10, size // 20)


@given(
    st.dictionaries(st.sampled_from("abc"), st.integers(1, 30)),
    st.floats(0, 0.45),
    st.floats(0, 0.45),
    st.integers(0, 5),
    st.randoms(use_true_random=False),
)
def test_order_does_not_matter_and_no_class_goes_without_training(
    sizes: dict[str, int], cal: float, test: float, seed: int, rng: random.Random
) -> None:
    members = groups(sizes)
    split = assign_splits(members, cal=cal, test=test, seed=seed)
    shuffled = dict(rng.sample(list(members.items()), len(members)))
    assert assign_splits(shuffled, cal=cal, test=test, seed=seed) == split
    for name, size in sizes.items():
        assert "train" in {split[f"{name}-{n}"] for n in range(size)}


def test_another_seed_draws_others() -> None:
    members = groups({"cat": 200})
    first, second = (assign_splits(members, cal=0.2, test=0.1, seed=s) for s in (0, 1))
    assert first != second
