"""What follows from judgements for duplicates: none is lost, none of two that differ stays gone."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataset.catalog import Catalog
from dataset.records import Change, PairChange, Verdict
from tests.dataset.paired_catalogue import add_named, judge, judged


@pytest.fixture
def four(catalog: Catalog) -> Catalog:
    for name in "abcd":
        add_named(catalog, name)
    return catalog


def say(catalog: Catalog, a: int, b: int, verdict: Verdict, who: str = "ada") -> int | None:
    change = PairChange(a=a, b=b, verdict=verdict)
    return catalog.judgements.apply([change], who=who, verb=verdict or "forget")


def keep_best(catalog: Catalog, keeper: int, *losers: int, who: str = "ada") -> int | None:
    changes = [Change(image_id=keeper, field="status", value="keep")]
    reason = f"duplicate of #{keeper}"
    changes += [Change(image_id=i, field="status", value="reject", reason=reason) for i in losers]
    return catalog.judgements.apply(changes, who=who, verb="keep-best")


def lost(catalog: Catalog) -> list[int]:
    """The duplicates that no picture stands for which is not rejected itself."""
    now, found = judged(catalog), []
    for start in now:
        chain, at = [start], catalog.handover.keeper_of(start)
        while at is not None and at not in chain:
            chain.append(at)
            at = catalog.handover.keeper_of(at)
        if len(chain) > 1 and (at is not None or now[chain[-1]][0] == "reject"):
            found.append(start)
    return found


def test_an_undo_that_rejects_a_keeper_again_leaves_no_duplicate_behind(four: Catalog) -> None:
    judge(four, 1, "reject", "blurred", who="ada")
    judge(four, 1, "keep", who="bob")
    keep_best(four, 1, 2, who="carol")
    undone = four.judgements.undo(who="bob")
    assert judged(four)[1] == ("reject", "blurred")
    assert judged(four)[2] == ("undecided", "")
    # What followed is part of the undo: nobody can undo it, and carol's own undo changes nothing.
    assert undone is not None
    assert {event.image_id for event in undone.events} == {1, 2}
    four.judgements.undo(who="carol")
    assert judged(four)[2] == ("undecided", "")
    four.judgements.undo(who="ada")
    assert set(judged(four).values()) == {("undecided", "")}
    assert four.judgements.undo() is None


def test_an_undo_closes_no_circle(four: Catalog) -> None:
    keep_best(four, 2, 1, 3, who="ada")
    judge(four, 1, "keep", who="bob")
    keep_best(four, 1, 2, who="carol")
    four.judgements.undo(who="bob")
    assert judged(four) == {
        1: ("undecided", ""),
        2: ("reject", "duplicate of #1"),
        3: ("reject", "duplicate of #2"),
        4: ("undecided", ""),
    }


def test_an_undone_difference_rejects_nothing_for_a_picture_that_went_since(four: Catalog) -> None:
    keep_best(four, 1, 2, who="ada")
    say(four, 1, 2, "different", who="bob")
    judge(four, 1, "reject", "blurred", who="carol")
    four.judgements.undo(who="bob")
    assert judged(four)[2] == ("undecided", "")


@pytest.mark.parametrize("first", ["ada", "bob"])
def test_what_was_undone_does_not_come_back_with_the_undo_of_what_came_after(
    four: Catalog, first: str
) -> None:
    judge(four, 1, "keep", who="ada")
    judge(four, 1, "reject", "blurred", who="bob")
    say(four, 2, 3, "same", who="ada")
    say(four, 2, 3, "different", who="bob")
    for who in (first, first, "ada", "ada", "bob", "bob"):
        four.judgements.undo(who=who)
    assert judged(four)[1] == ("undecided", "")
    assert four.judgements.pairs.verdicts() == []
    assert four.judgements.undo() is None


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["ada", "bob"]),
        st.sampled_from(["best", "reject", "keep", "different", "same", "undo", "undo"]),
        st.permutations([1, 2, 3, 4]),
        st.integers(2, 4),
    ),
    max_size=14,
)


@settings(max_examples=40, deadline=None)
@given(STEPS)
def test_whoever_judges_and_undoes_no_duplicate_is_lost_or_gone_for_one_that_differs(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, str, list[int], int]]
) -> None:
    with Catalog(tmp_path_factory.mktemp("many") / "c.sqlite") as catalog:
        for name in "abcd":
            add_named(catalog, name)
        for who, verb, pictures, count in steps:
            if verb == "best":
                keep_best(catalog, *pictures[:count], who=who)
            elif verb == "undo":
                catalog.judgements.undo(who=who)
            elif verb in ("reject", "keep"):
                judge(catalog, pictures[0], verb, who=who)
            else:
                say(catalog, pictures[0], pictures[1], verb, who=who)  # type: ignore[arg-type]
            assert lost(catalog) == []
            settled = catalog.judgements.pairs.settled()
            for keeper, losers in catalog.handover.losers_of([1, 2, 3, 4]).items():
                assert not any(settled.are_apart(keeper, loser) for loser in losers)
        while catalog.judgements.undo(who="ada") or catalog.judgements.undo(who="bob"):
            assert lost(catalog) == []
        assert set(judged(catalog).values()) == {("undecided", "")}
        assert catalog.judgements.pairs.verdicts() == []


def test_a_difference_reaches_over_the_chain_of_keepers(four: Catalog) -> None:
    keep_best(four, 2, 3)
    keep_best(four, 1, 2)
    say(four, 1, 3, "different")
    assert judged(four)[3] == ("undecided", "")
    assert judged(four)[2] == ("reject", "duplicate of #1")
    four.judgements.undo()
    assert four.handover.losers_of([1]) == {1: [2, 3]}


def test_who_leaves_the_chain_takes_its_own_duplicates_along(four: Catalog) -> None:
    keep_best(four, 2, 3)
    keep_best(four, 1, 2)
    change = [PairChange(a=1, b=2, verdict="different"), PairChange(a=1, b=3, verdict="different")]
    four.judgements.apply(change, who="ada", verb="different")
    assert judged(four)[2] == ("undecided", "")
    assert judged(four)[3] == ("reject", "duplicate of #2")


@pytest.mark.parametrize(
    "said", [[(2, 3, "same"), (1, 3, "different")], [(1, 3, "different"), (2, 3, "same")]]
)
def test_a_difference_reaches_those_that_are_the_same_as_one_of_the_two(
    four: Catalog, said: list[tuple[int, int, Verdict]]
) -> None:
    keep_best(four, 1, 2)
    for a, b, verdict in said:
        say(four, a, b, verdict)
    assert judged(four)[2] == ("undecided", "")


def test_a_keeper_that_becomes_the_same_as_one_told_apart_gives_its_duplicate_back(
    four: Catalog,
) -> None:
    say(four, 2, 3, "different")
    keep_best(four, 1, 2)
    say(four, 1, 3, "same")
    assert judged(four)[2] == ("undecided", "")


def test_what_is_told_apart_already_is_never_rejected_for_the_other(four: Catalog) -> None:
    say(four, 1, 2, "different")
    keep_best(four, 1, 2, 3)
    assert judged(four)[2] == ("undecided", "")
    assert judged(four)[3] == ("reject", "duplicate of #1")


def statements(catalog: Catalog, part: str, changes: list[PairChange]) -> int:
    """How many statements with `part` in them a batch takes."""
    seen: list[str] = []
    catalog._connection.set_trace_callback(seen.append)
    catalog.judgements.apply(changes, who="ada", verb="pairs")
    catalog._connection.set_trace_callback(None)
    return sum(part in statement for statement in seen)


def test_however_many_pairs_are_said_again_they_are_settled_once(catalog: Catalog) -> None:
    ids = [add_named(catalog, str(n)) for n in range(16)]
    pairs = [PairChange(a=a, b=b, verdict="different") for a in ids for b in ids if a < b]
    assert statements(catalog, "GROUP BY a, b", pairs) <= 2
    assert statements(catalog, "GROUP BY a, b", pairs) <= 2
    assert catalog.judgements.last_batch() == 1


def test_what_a_batch_says_again_holds_whole_whatever_it_overrules(four: Catalog) -> None:
    for a, b in ((1, 2), (2, 3)):
        say(four, a, b, "same")
    say(four, 1, 3, "different")  # overrules 1 = 2
    again = [PairChange(a=a, b=b, verdict="same") for a, b in ((1, 2), (2, 3))]
    four.judgements.apply(again, who="ada", verb="same")
    settled = four.judgements.pairs.settled()
    assert [(v.a, v.b) for v in settled.overruled] == [(1, 3)]


def test_who_is_overruled_in_one_batch_does_not_depend_on_the_order_of_intake(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    found = set()
    for seed in range(6):
        names = random.Random(seed).sample("abcde", 5)
        with Catalog(tmp_path_factory.mktemp("intake") / "c.sqlite") as catalog:
            ids = {name: add_named(catalog, name) for name in names}
            batch = [PairChange(a=ids[a], b=ids[b], verdict="same") for a, b in ("ab", "bc", "ac")]
            catalog.judgements.apply(batch, who="ada", verb="same")
            say(catalog, ids["a"], ids["c"], "different")
            of = {number: name for name, number in ids.items()}
            overruled = catalog.judgements.pairs.settled().overruled
            found.add(tuple(sorted("".join(sorted(of[v.a] + of[v.b])) for v in overruled)))
    assert len(found) == 1
