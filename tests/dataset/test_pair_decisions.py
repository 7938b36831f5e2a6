"""Same or different: remembered for ever, in the batches of all judgements, undone like them."""

import sqlite3
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataset.catalog import Catalog
from dataset.errors import DataError
from dataset.records import Change, PairChange, PairVerdict, Verdict
from tests.dataset.paired_catalogue import add_named, judge, judged, store_pairs


@pytest.fixture
def four(catalog: Catalog) -> Catalog:
    for name in "abcd":
        add_named(catalog, name)
    return catalog


def say(catalog: Catalog, a: int, b: int, verdict: Verdict, who: str = "ada") -> int | None:
    change = PairChange(a=a, b=b, verdict=verdict)
    return catalog.judgements.apply([change], who=who, verb=verdict or "forget")


def verdicts(catalog: Catalog) -> dict[tuple[int, int], str]:
    return {(v.a, v.b): v.verdict for v in catalog.judgements.pairs.verdicts()}


def test_the_newest_word_on_a_pair_holds_whichever_is_named_first(four: Catalog) -> None:
    say(four, 2, 1, "same")
    say(four, 1, 2, "different")
    say(four, 3, 4, "same")
    assert verdicts(four) == {(1, 2): "different", (3, 4): "same"}
    say(four, 4, 3, "")
    assert verdicts(four) == {(1, 2): "different"}
    assert [d.before for d in four.judgements.pairs.of_image(1)] == ["", "same"]


def test_decisions_survive_a_restart_and_share_the_numbers_of_batches(tmp_path: Path) -> None:
    path = tmp_path / "c.sqlite"
    with Catalog(path) as catalog:
        for name in "ab":
            add_named(catalog, name)
        judge(catalog, 1, "keep")
        assert say(catalog, 1, 2, "same") == 2
        judge(catalog, 2, "keep")
    with Catalog(path) as catalog:
        assert verdicts(catalog) == {(1, 2): "same"}
        assert catalog.judgements.last_batch() == 3
        log = catalog.judgements.log(10)
        assert [entry.batch for entry in log] == [3, 2, 1]


def test_what_holds_already_makes_no_decision(four: Catalog) -> None:
    assert say(four, 1, 2, "same") == 1
    assert say(four, 2, 1, "same") is None
    assert say(four, 3, 4, "") is None


def test_what_newer_words_overruled_holds_again_when_it_is_said_again(four: Catalog) -> None:
    say(four, 1, 2, "same")
    say(four, 2, 3, "same")
    say(four, 1, 3, "different")
    assert say(four, 1, 2, "same") is not None
    assert four.judgements.pairs.verdict(1, 2).since == 4


@pytest.mark.parametrize(
    "change",
    [
        PairChange(a=1, b=1, verdict="same"),
        PairChange(a=1, b=99, verdict="same"),
        PairChange(a=1, b=2, verdict="alike"),  # type: ignore[arg-type]
    ],
)
def test_an_impossible_decision_changes_nothing(four: Catalog, change: PairChange) -> None:
    keep = Change(image_id=1, field="status", value="keep")
    with pytest.raises(DataError):
        four.judgements.apply([keep, change], who="ada", verb="x")
    assert (verdicts(four), four.judgements.last_batch()) == ({}, 0)


def test_decisions_cannot_be_altered_or_deleted(four: Catalog) -> None:
    say(four, 1, 2, "same")
    other = sqlite3.connect(four.path)
    for sql in ("UPDATE pair_decision SET after = ''", "DELETE FROM pair_decision"):
        with pytest.raises(sqlite3.IntegrityError, match="never"):
            other.execute(sql)
    other.close()


def test_undo_brings_a_verdict_back_with_its_age(four: Catalog) -> None:
    say(four, 1, 2, "same")
    say(four, 1, 2, "different")
    undone = four.judgements.undo()
    assert undone is not None
    assert (undone.batch, undone.verb, len(undone.pairs)) == (2, "different", 1)
    assert four.judgements.pairs.verdicts() == [PairVerdict(a=1, b=2, verdict="same", since=1)]
    assert four.judgements.undo() is not None
    assert verdicts(four) == {}
    assert four.judgements.undo() is None


def test_undo_leaves_what_somebody_else_decided_since(four: Catalog) -> None:
    say(four, 1, 2, "same", who="ada")
    say(four, 1, 2, "different", who="bob")
    assert four.judgements.undo(who="ada") is not None
    assert verdicts(four) == {(1, 2): "different"}
    assert four.judgements.undo(who="ada") is None


def test_a_duplicate_that_is_called_different_is_undecided_again(four: Catalog) -> None:
    judge(four, 2, "reject", "duplicate of #1")
    judge(four, 3, "reject", "duplicate of #1")
    say(four, 2, 1, "different")
    assert judged(four)[2] == ("undecided", "")
    assert judged(four)[3] == ("reject", "duplicate of #1")
    four.judgements.undo()
    assert judged(four)[2] == ("reject", "duplicate of #1")
    assert verdicts(four) == {}


STEPS = st.lists(
    st.lists(
        st.one_of(
            st.tuples(
                st.just("pair"),
                st.sampled_from([(1, 2), (2, 3), (3, 4), (1, 4), (2, 4)]),
                st.sampled_from(["same", "different", ""]),
            ),
            st.tuples(
                st.just("status"),
                st.integers(1, 4),
                st.sampled_from(["keep", "reject", "reject as of #1", "reject as of #2"]),
            ),
            st.tuples(st.just("stars"), st.integers(1, 4), st.integers(0, 5)),
        ),
        min_size=1,
        max_size=4,
    ),
    max_size=7,
)


def change_of(step: Any) -> Change | PairChange:
    kind, what, value = step
    if kind == "pair":
        return PairChange(a=what[0], b=what[1], verdict=value)
    if kind == "stars":
        return Change(image_id=what, field="stars", value=value)
    status, _, keeper = value.partition(" as of ")
    reason = f"duplicate of {keeper}" if keeper else ""
    return Change(image_id=what, field="status", value=status, reason=reason)


@settings(max_examples=50, deadline=None)
@given(STEPS)
def test_undoing_mixed_batches_gives_the_starting_state(
    tmp_path_factory: pytest.TempPathFactory, batches: list[list[Any]]
) -> None:
    with Catalog(tmp_path_factory.mktemp("undo") / "c.sqlite") as catalog:
        for name in "abcd":
            add_named(catalog, name)
        store_pairs(catalog, [(1, 2, 2), (2, 3, 4)])

        def state() -> tuple[Any, ...]:
            return list(catalog.images.all()), catalog.judgements.pairs.verdicts()

        states = [state()]
        for batch in batches:
            if catalog.judgements.apply([change_of(s) for s in batch], who="ada", verb="mixed"):
                states.append(state())
        while states:
            assert state() == states.pop()
            assert (catalog.judgements.undo() is None) == (not states)
