"""Judgements are events; the state is their replay; undo is an inverse batch, without limit."""

import sqlite3
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataset.catalog import Catalog
from dataset.errors import DataError
from dataset.records import (
    CLAIMED_CAPTION,
    JUDGED_CAPTION,
    Caption,
    Change,
    ImageRecord,
    JudgedField,
    Origin,
    PairChange,
    SettingChange,
    VoteChange,
    Wish,
    best_caption,
)
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


def everything(catalog: Catalog) -> object:
    """All that judgements can change."""
    votes = catalog.votes.standing()
    return (
        state(catalog),
        catalog.judgements.pairs.verdicts(),
        list(zip(votes.left.tolist(), votes.right.tolist(), votes.who, strict=True)),
        catalog.settings.all(),
    )


def mixed(image_id: int, other: int, text: str) -> list[Wish]:
    return [
        set_status(image_id, "reject", "blurred"),
        SettingChange(name=f"target:{text}", value="12"),
        Change(image_id=image_id, field="label", value=text),
        VoteChange(left=image_id, right=other, outcome="right"),
        PairChange(a=image_id, b=other, verdict="different"),
        Change(image_id=other, field="caption", value=text),
    ]


def test_one_undo_takes_back_everything_of_a_mixed_batch(catalog: Catalog) -> None:
    fill(catalog)
    catalog.judgements.apply(mixed(3, 4, "owl"), who="bob", verb="first")
    before = everything(catalog)
    batch = catalog.judgements.apply(mixed(1, 2, "dog"), who="ada", verb="mixed")
    after = everything(catalog)
    assert after != before
    log = [entry for entry in catalog.judgements.log() if entry.batch == batch]
    assert len(log) == 6
    undone = catalog.judgements.undo()
    assert undone is not None
    assert (undone.batch, undone.verb, undone.who) == (batch, "mixed", "ada")
    assert (len(undone.events), len(undone.pairs), len(undone.votes), len(undone.settings)) == (
        *(3, 1, 1, 1),
    )
    assert everything(catalog) == before


def test_a_mixed_batch_with_one_impossible_wish_changes_nothing(catalog: Catalog) -> None:
    fill(catalog)
    before = everything(catalog)
    for bad in (
        set_status(99, "keep"),
        SettingChange(name="", value="1"),
        VoteChange(left=1, right=1, outcome="tie"),
        PairChange(a=1, b=99, verdict="same"),
    ):
        for wishes in ([*mixed(1, 2, "dog"), bad], [bad, *mixed(1, 2, "dog")]):
            with pytest.raises(DataError):
                catalog.judgements.apply(wishes, who="ada", verb="mixed")
            assert everything(catalog) == before
    assert catalog.judgements.last_batch() == 0
    assert catalog.judgements.log() == []


def test_no_found_text_passes_for_one_that_a_person_wrote(catalog: Catalog) -> None:
    forged = Caption(text="forged", origin=JUDGED_CAPTION)
    number, _new = catalog.images.add(new_image(1), Origin(url="1"), [forged])
    catalog.images.add_caption(number, Caption(text="the longer text", origin="card"))
    found = catalog.images.captions(number)
    assert [c.origin for c in found] == [CLAIMED_CAPTION, "card"]
    assert best_caption(found) == "the longer text"


def test_a_written_caption_stands_before_those_that_were_found(catalog: Catalog) -> None:
    catalog.images.add(new_image(1), Origin(url="u"), [Caption(text="As found", origin="card")])
    write = Change(image_id=1, field="caption", value="As written")
    catalog.judgements.apply([write], who="ada", verb="caption")
    record = catalog.images.get(1)
    assert record is not None
    assert record.caption == "As written"
    assert [(c.text, c.origin) for c in catalog.images.captions(1)] == [
        ("As written", JUDGED_CAPTION),
        ("As found", "card"),
    ]
    catalog.judgements.apply(
        [Change(image_id=1, field="caption", value="")], who="bob", verb="caption"
    )
    assert [c.text for c in catalog.images.captions(1)] == ["As found"]
    catalog.judgements.undo(who="bob")
    assert [c.text for c in catalog.images.captions(1)] == ["As written", "As found"]


def test_log_holds_the_newest_of_all_kinds_newest_batch_first(catalog: Catalog) -> None:
    fill(catalog)
    for n in range(3):
        catalog.judgements.apply(mixed(1, 2, f"v{n}"), who="ada", verb="mixed")
    catalog.judgements.undo()
    batches = [entry.batch for entry in catalog.judgements.log(200)]
    assert batches == sorted(batches, reverse=True)
    assert set(batches) == {1, 2, 3, 4}
    assert [entry.batch for entry in catalog.judgements.log(3)] == batches[:3]
    assert catalog.judgements.log(0) == []


wishes = st.one_of(
    st.builds(set_status, st.integers(1, 4), st.sampled_from(["keep", "reject", "undecided"])),
    st.builds(
        Change,
        image_id=st.integers(1, 4),
        field=st.just("caption"),
        value=st.sampled_from(["", "one", "two"]),
    ),
    st.builds(
        PairChange,
        a=st.integers(1, 2),
        b=st.integers(3, 4),
        verdict=st.sampled_from(["", "same", "different"]),
    ),
    st.builds(
        VoteChange,
        left=st.integers(1, 2),
        right=st.integers(3, 4),
        outcome=st.sampled_from(["left", "right", "tie"]),
    ),
    st.builds(SettingChange, name=st.sampled_from("ab"), value=st.sampled_from(["", "1", "2"])),
)
people = st.sampled_from(["ada", "bob"])
deeds = st.lists(
    st.tuples(people, st.one_of(st.none(), st.lists(wishes, min_size=1, max_size=4))), max_size=10
)


@settings(max_examples=40, deadline=None)
@given(deeds)
def test_two_people_undoing_everything_of_all_kinds_give_the_starting_state(
    tmp_path_factory: pytest.TempPathFactory, deeds: list[tuple[str, list[Wish] | None]]
) -> None:
    with Catalog(tmp_path_factory.mktemp("kinds") / "c.sqlite") as catalog:
        fill(catalog)
        before = everything(catalog)
        for who, wishes in deeds:
            if wishes is None:
                catalog.judgements.undo(who=who)
                continue
            held = everything(catalog)
            if catalog.judgements.apply(wishes, who=who, verb="mixed") is None:
                assert everything(catalog) == held
            else:
                catalog.judgements.undo(who=who)
                assert everything(catalog) == held
                catalog.judgements.apply(wishes, who=who, verb="mixed")
        for who in ("ada", "bob"):
            while catalog.judgements.undo(who=who):
                pass
        assert everything(catalog) == before
