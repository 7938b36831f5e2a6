"""Judgements are events; the state is their replay; undo is an inverse batch, without limit."""

import sqlite3
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataset.catalog import Catalog
from dataset.errors import DataError
from dataset.records import Change, ImageRecord, JudgedField, Origin
from tests.dataset.test_catalog import new_image


def fill(catalog: Catalog, count: int = 4) -> None:
    for n in range(count):
        catalog.images.add(new_image(n, label="cat"), Origin(url=str(n)))


def state(catalog: Catalog) -> list[ImageRecord]:
    return list(catalog.images.all())


def set_status(image_id: int, status: str, reason: str = "") -> Change:
    return Change(image_id=image_id, field="status", value=status, reason=reason)


def test_a_judgement_is_an_event_with_before_and_after(catalog: Catalog) -> None:
    fill(catalog)
    batch = catalog.judgements.apply([set_status(2, "reject", "blurred")], who="ada", verb="reject")
    (event,) = catalog.judgements.of_image(2)
    assert (event.batch, event.who, event.before, event.after) == (
        batch,
        "ada",
        "undecided",
        "reject",
    )
    record = catalog.images.get(2)
    assert record is not None
    assert (record.status, record.reason) == ("reject", "blurred")


def test_what_changes_nothing_makes_no_event(catalog: Catalog) -> None:
    fill(catalog)
    assert catalog.judgements.apply([set_status(1, "undecided")], who="a", verb="x") is None
    assert catalog.judgements.last_event_id() == 0


def test_a_batch_is_undone_whole_and_survives_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "c.sqlite"
    with Catalog(path) as catalog:
        fill(catalog)
        before = state(catalog)
        changes = [set_status(n, "reject", "blank") for n in (1, 2, 3)]
        batch = catalog.judgements.apply(changes, who="auto", verb="auto")
    with Catalog(path) as catalog:
        undone = catalog.judgements.undo()
        assert undone is not None
        assert (undone.batch, undone.verb, undone.who) == (batch, "auto", "auto")
        assert [event.after for event in undone.events] == ["undecided"] * 3
        assert state(catalog) == before
        assert catalog.judgements.undo() is None


def test_undo_is_of_the_person_asking(catalog: Catalog) -> None:
    fill(catalog)
    catalog.judgements.apply([set_status(1, "keep")], who="ada", verb="keep")
    catalog.judgements.apply([set_status(2, "keep")], who="bob", verb="keep")
    catalog.judgements.undo(who="ada")
    assert [record.status for record in state(catalog)] == [
        "undecided",
        "keep",
        "undecided",
        "undecided",
    ]


def test_undo_leaves_what_somebody_else_judged_since(catalog: Catalog) -> None:
    fill(catalog)
    catalog.judgements.apply([set_status(1, "keep"), set_status(2, "keep")], who="ada", verb="k")
    catalog.judgements.apply([set_status(1, "reject", "blurred")], who="bob", verb="reject")
    catalog.judgements.undo(who="ada")
    assert [record.status for record in state(catalog)][:2] == ["reject", "undecided"]
    assert catalog.judgements.undo(who="ada") is None
    catalog.judgements.undo(who="bob")
    # Hers was undone before: it does not come back with his.
    assert [record.status for record in state(catalog)][:2] == ["undecided", "undecided"]


@pytest.mark.parametrize(
    "change",
    [
        set_status(1, "maybe"),
        set_status(99, "keep"),
        Change(image_id=1, field="stars", value=6),
        Change(image_id=1, field="colour", value="red"),  # type: ignore[arg-type]
    ],
)
def test_an_impossible_judgement_changes_nothing(catalog: Catalog, change: Change) -> None:
    fill(catalog)
    before = state(catalog)
    with pytest.raises(DataError):
        catalog.judgements.apply([set_status(1, "keep"), change], who="a", verb="x")
    assert state(catalog) == before
    assert catalog.judgements.last_event_id() == 0


def test_events_cannot_be_altered_or_deleted(catalog: Catalog, tmp_path: Path) -> None:
    fill(catalog)
    catalog.judgements.apply([set_status(1, "keep")], who="a", verb="keep")
    other = sqlite3.connect(tmp_path / "catalog.sqlite")
    for sql in ("UPDATE event SET who = 'b'", "DELETE FROM event"):
        with pytest.raises(sqlite3.IntegrityError, match="never"):
            other.execute(sql)
    other.close()


changes_strategy = st.lists(
    st.lists(
        st.one_of(
            st.tuples(st.integers(1, 4), st.just("status"), st.sampled_from(["keep", "reject"])),
            st.tuples(st.integers(1, 4), st.just("stars"), st.integers(0, 5)),
            st.tuples(st.integers(1, 4), st.just("label"), st.sampled_from(["cat", "dog"])),
        ),
        min_size=1,
        max_size=4,
    ),
    max_size=8,
)


@settings(max_examples=40, deadline=None)
@given(changes_strategy)
def test_undoing_everything_gives_the_starting_state(
    tmp_path_factory: pytest.TempPathFactory, batches: list[list[tuple[int, JudgedField, str]]]
) -> None:
    with Catalog(tmp_path_factory.mktemp("undo") / "c.sqlite") as catalog:
        fill(catalog)
        before = state(catalog)
        for batch in batches:
            changes = [Change(image_id=i, field=f, value=v, reason=f"{v}") for i, f, v in batch]
            catalog.judgements.apply(changes, who="a", verb="mixed")
        while catalog.judgements.undo():
            pass
        assert state(catalog) == before
