"""Batches written as sets of rows are the same, event by event, as batches written one by one."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataset.catalog import Catalog
from dataset.errors import DataError
from dataset.records import Change, JudgedField, PairChange, Verdict
from tests.dataset.paired_catalogue import add_named

PICTURES = 6
Step = tuple[str, str, list[int], int]


def events(catalog: Catalog) -> list[dict[str, Any]]:
    """The whole log but for the times."""
    found = [vars(event) for event in reversed(catalog.judgements.latest(10_000))]
    return [{key: value for key, value in event.items() if key != "at"} for event in found]


def batch_of(verb: str, pictures: list[int], count: int) -> list[Change | PairChange]:
    chosen = pictures[:count]
    if verb == "best":
        reason = f"duplicate of #{chosen[0]}"
        return [
            Change(image_id=chosen[0], field="status", value="keep"),
            *(Change(image_id=i, field="status", value="reject", reason=reason)
              for i in chosen[1:]),
        ]  # fmt: skip
    if verb in ("same", "different"):
        verdict: Verdict = "same" if verb == "same" else "different"
        return [PairChange(a=chosen[0], b=chosen[1], verdict=verdict)]
    said: dict[str, tuple[JudgedField, str | int, str]] = {
        "keep": ("status", "keep", ""),
        "reject": ("status", "reject", ""),
        "blurred": ("status", "reject", "blurred"),
        "of the first": ("status", "reject", f"duplicate of #{pictures[-1]}"),
        "stars": ("stars", count - 1, ""),
        "label": ("label", "owl", ""),
        "unlabel": ("label", "", "no reason is kept"),
        "caption": ("caption", "An 'owl' \"looks\" ?5", ""),
    }
    field, value, reason = said[verb]
    # Some picture twice.
    return [
        Change(image_id=i, field=field, value=value, reason=reason) for i in [*chosen, chosen[0]]
    ]


VERBS = ["best", "same", "different", "keep", "reject", "blurred", "of the first", "stars",
         "label", "unlabel", "caption", "undo", "undo", "undo"]  # fmt: skip
STEPS = st.lists(
    st.tuples(
        st.sampled_from(["ada", "bob"]),
        st.sampled_from(VERBS),
        st.permutations(list(range(1, PICTURES + 1))),
        st.integers(2, PICTURES),
    ),
    max_size=12,
)


def play(catalog: Catalog, fewest: int, steps: list[Step]) -> list[object]:
    """What comes of the steps, each batch of at least `fewest` changes written as a set."""
    catalog.judgements.uniform.fewest = fewest
    for name in "abcdef"[:PICTURES]:
        add_named(catalog, name)
    told: list[object] = []
    for who, verb, pictures, count in steps:
        if verb == "undo":
            undone = catalog.judgements.undo(who=who)
            told.append(undone and (undone.batch, undone.verb, undone.who, undone.pictures))
        else:
            changes = batch_of(verb, pictures, count)
            told.append(catalog.judgements.apply(changes, who=who, verb=verb))
    state = [(r.id, r.status, r.reason, r.stars, r.label, r.caption) for r in catalog.images.all()]
    return [told, events(catalog), state]


@settings(max_examples=60, deadline=None)
@given(STEPS)
def test_sets_of_rows_and_one_by_one_write_the_same_log_and_state(
    tmp_path_factory: pytest.TempPathFactory, steps: list[Step]
) -> None:
    folder = tmp_path_factory.mktemp("both")
    with Catalog(folder / "sets" / "c.sqlite") as sets, Catalog(folder / "one" / "c.sqlite") as one:
        assert play(sets, 1, steps) == play(one, 1_000_000, steps)


@pytest.mark.parametrize("fewest", [1, 1_000_000])
@pytest.mark.parametrize(
    ("field", "value", "last", "line"),
    [
        ("status", "maybe", 3, "status of picture 1 cannot be 'maybe'"),
        ("stars", 6, 3, "stars of picture 1 cannot be 6"),
        ("stars", 1, 99, "there is no picture 99"),
        ("colour", "red", 3, "'colour' cannot be judged"),
    ],
)
def test_an_impossible_batch_changes_nothing_either_way(
    catalog: Catalog, fewest: int, field: JudgedField, value: str | int, last: int, line: str
) -> None:
    catalog.judgements.uniform.fewest = fewest
    for name in "abc":
        add_named(catalog, name)
    changes = [Change(image_id=i, field=field, value=value) for i in (1, 2, last)]
    before = list(catalog.images.all())
    with pytest.raises(DataError, match=line):
        catalog.judgements.apply(changes, who="ada", verb="x")
    assert (list(catalog.images.all()), events(catalog)) == (before, [])


def test_values_of_another_kind_are_stored_as_one_by_one(catalog: Catalog) -> None:
    catalog.judgements.uniform.fewest = 1
    for name in "abc":
        add_named(catalog, name)
    changes = [Change(image_id=i, field="stars", value="3") for i in (1, 2, 3)]
    catalog.judgements.apply(changes, who="ada", verb="stars")
    assert [record.stars for record in catalog.images.all()] == [3, 3, 3]


def test_what_was_touched_since_is_taken_back_picture_by_picture(catalog: Catalog) -> None:
    catalog.judgements.uniform.fewest = 1
    for name in "abc":
        add_named(catalog, name)
    keep = [Change(image_id=i, field="status", value="keep") for i in (1, 2, 3)]
    catalog.judgements.apply(keep, who="ada", verb="keep")
    change = Change(image_id=2, field="status", value="reject", reason="blurred")
    catalog.judgements.apply([change], who="bob", verb="reject")
    undone = catalog.judgements.undo(who="ada")
    assert undone is not None
    assert undone.pictures == 3
    assert [record.status for record in catalog.images.all()] == [
        "undecided",
        "reject",
        "undecided",
    ]


def test_only_the_first_events_are_told_when_asked(catalog: Catalog) -> None:
    for name in "abcdef":
        add_named(catalog, name)
    changes = [Change(image_id=i, field="stars", value=2) for i in range(1, 7)]
    batch = catalog.judgements.apply(changes, who="ada", verb="stars")
    assert batch is not None
    assert [event.image_id for event in catalog.judgements.of_batch(batch, 2)] == [1, 2]
    assert catalog.judgements.picture_count(batch) == 6
    undone = catalog.judgements.undo(most=2)
    assert undone is not None
    assert ([event.image_id for event in undone.events], undone.pictures) == ([6, 5], 6)
