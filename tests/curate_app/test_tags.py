"""Tags: each pair of a row and a value once, whatever the order they come in."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from curate_app.tags import Tags

ROWS = 12
pairs = st.lists(st.tuples(st.integers(0, ROWS - 1), st.sampled_from(["", "a", "b", "c"])))


def add(tags: Tags, given: list[tuple[int, str]]) -> None:
    tags.add(np.array([row for row, _ in given], dtype=np.int32), [value for _, value in given])


@given(st.lists(pairs, max_size=5), st.sets(st.integers(0, ROWS - 1)))
def test_masks_and_counts_are_those_of_a_set_of_pairs(
    parts: list[list[tuple[int, str]]], chosen: set[int]
) -> None:
    tags, held = Tags(), set[tuple[int, str]]()
    mask = np.isin(np.arange(ROWS), list(chosen))
    for part in parts:
        add(tags, part)
        held |= set(part)
        for value in ("", "a", "b", "c", "unheard of"):
            rows = {row for row, found in held if found == value}
            assert set(np.flatnonzero(tags.mask(value, ROWS)).tolist()) == rows
        counted = [value for row, value in held if row in chosen]
        assert tags.counts(mask) == {value: counted.count(value) for value in set(counted)}


def test_nothing_has_no_values() -> None:
    tags = Tags()
    assert tags.counts(np.ones(3, dtype=bool)) == {}
    assert tags.mask("a", 3).tolist() == [False] * 3
    assert tags.mask("a", 0).shape == (0,)
    add(tags, [])
    assert tags.values == []


def test_a_value_of_many_rows_and_rows_of_many_values() -> None:
    tags, rows = Tags(), np.arange(5000, dtype=np.int32)
    tags.add(rows, [f"v{row % 700}" for row in rows])
    tags.add(rows[::-1].copy(), ["all"] * 5000)
    everything = np.ones(5000, dtype=bool)
    assert tags.counts(everything)["all"] == 5000
    assert len(tags.counts(everything)) == 701
    assert np.flatnonzero(tags.mask("v699", 5000)).tolist() == list(range(699, 5000, 700))
