"""Votes between pictures: all people's are kept, an undone batch's count no longer."""

import sqlite3
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataset.catalog import Catalog
from dataset.catalog.votes import VoteColumns
from dataset.errors import DataError
from dataset.records import OUTCOMES, Change, Outcome, PairChange, SettingChange, VoteChange, Wish
from tests.dataset.test_judgements import fill, state


def vote(left: int, right: int, outcome: Outcome = "left", *, aside: bool = False) -> VoteChange:
    return VoteChange(left=left, right=right, outcome=outcome, aside=aside)


def cast(catalog: Catalog, *changes: Wish, who: str = "ada") -> int | None:
    return catalog.judgements.apply(changes, who=who, verb="vote")


def rows(votes: VoteColumns) -> list[tuple[int, int, int, bool, str]]:
    columns = (votes.left, votes.right, votes.outcome, votes.aside)
    return list(zip(*(column.tolist() for column in columns), votes.who, strict=True))


def kinds(votes: VoteColumns) -> list[str]:
    columns = (votes.id, votes.left, votes.right, votes.outcome, votes.aside)
    return [str(column.dtype) for column in columns]


def test_votes_of_several_people_on_one_pair_all_stand_in_order(catalog: Catalog) -> None:
    fill(catalog)
    cast(catalog, vote(1, 2, "left"), who="ada")
    cast(catalog, vote(1, 2, "right"), who="bob")
    cast(catalog, vote(2, 1, "tie", aside=True), who="ada")
    cast(catalog, vote(1, 2, "left"), who="ada")
    standing = catalog.votes.standing()
    assert rows(standing) == [
        (1, 2, 1, False, "ada"),
        (1, 2, -1, False, "bob"),
        (2, 1, 0, True, "ada"),
        (1, 2, 1, False, "ada"),
    ]
    assert len(standing) == 4
    assert standing.id.tolist() == sorted(set(standing.id.tolist()))
    assert kinds(standing) == ["int64", "int64", "int64", "int8", "bool"]


def test_no_votes_are_empty_columns_of_the_same_kind(catalog: Catalog) -> None:
    standing = catalog.votes.standing()
    assert len(standing) == 0
    assert standing.left.shape == standing.outcome.shape == standing.aside.shape == (0,)
    assert kinds(standing) == ["int64", "int64", "int64", "int8", "bool"]


def test_a_vote_changes_no_picture_and_tells_the_pictures_it_is_about(catalog: Catalog) -> None:
    fill(catalog)
    before = state(catalog)
    batch = cast(catalog, vote(3, 1, "right", aside=True))
    cast(catalog, vote(2, 4))
    assert state(catalog) == before
    [found] = catalog.votes.of_image(1)
    assert found == catalog.votes.of_image(3)[0] == catalog.votes.of_batch(batch or 0)[0]
    assert (found.left, found.right, found.outcome, found.aside) == (3, 1, "right", True)
    assert (found.batch, found.who, found.verb) == (batch, "ada", "vote")
    assert [v.left for v in catalog.votes.latest()] == [2, 3]
    assert [v.left for v in catalog.votes.latest(1)] == [2]


def test_an_undone_vote_does_not_count_but_stays_in_the_log(catalog: Catalog) -> None:
    fill(catalog)
    cast(catalog, vote(1, 2))
    cast(catalog, vote(3, 4), vote(1, 3))
    stamp = catalog.votes.stamp()
    undone = catalog.judgements.undo(who="ada")
    assert undone is not None
    assert [(v.left, v.right) for v in undone.votes] == [(3, 4), (1, 3)]
    assert rows(catalog.votes.standing()) == [(1, 2, 1, False, "ada")]
    assert catalog.votes.stamp() != stamp
    assert catalog.votes.of_image(3) == []
    assert len(catalog.votes.latest()) == 3
    assert len(catalog.judgements.log()) == 3


def test_undo_takes_the_votes_of_the_person_asking(catalog: Catalog) -> None:
    fill(catalog)
    cast(catalog, vote(1, 2), who="ada")
    cast(catalog, vote(1, 2, "right"), who="bob")
    catalog.judgements.undo(who="ada")
    assert rows(catalog.votes.standing()) == [(1, 2, -1, False, "bob")]
    assert catalog.judgements.undo(who="ada") is None


def test_only_newer_votes_can_be_asked_for(catalog: Catalog) -> None:
    fill(catalog)
    cast(catalog, vote(1, 2))
    seen = int(catalog.votes.standing().id[-1])
    cast(catalog, vote(3, 4))
    assert catalog.votes.standing(after=seen).left.tolist() == [3]


def test_judgements_and_their_undo_leave_the_stamp_alone(catalog: Catalog) -> None:
    fill(catalog)
    cast(catalog, vote(1, 2))
    stamp = catalog.votes.stamp()
    keep = Change(image_id=1, field="status", value="keep")
    target = SettingChange(name="target:cat", value="3")
    cast(catalog, keep, target, PairChange(a=1, b=2, verdict="different"))
    assert catalog.votes.stamp() == stamp
    catalog.judgements.undo()
    assert catalog.votes.stamp() == stamp


@pytest.mark.parametrize(
    "bad",
    [
        vote(1, 99),
        vote(99, 1),
        vote(0, 1),
        vote(-1, 1),
        vote(2**63, 1),
        vote(1, 1),
        vote(1, 2, "win"),  # type: ignore[arg-type]
        vote(1, 2, ""),  # type: ignore[arg-type]
        vote(1, 2, "LEFT"),  # type: ignore[arg-type]
    ],
)
def test_an_impossible_vote_changes_nothing_of_its_batch(catalog: Catalog, bad: VoteChange) -> None:
    fill(catalog)
    cast(catalog, vote(3, 4))
    before, stamp = state(catalog), catalog.votes.stamp()
    keep = Change(image_id=1, field="status", value="keep")
    setting = SettingChange(name="target:cat", value="3")
    with pytest.raises(DataError) as told:
        cast(catalog, vote(1, 2), keep, setting, bad)
    assert "\n" not in str(told.value)
    assert state(catalog) == before
    assert catalog.settings.all() == {}
    assert (catalog.votes.stamp(), len(catalog.votes.standing())) == (stamp, 1)
    assert catalog.judgements.last_batch() == 1


def test_votes_cannot_be_altered_or_deleted(catalog: Catalog, tmp_path: Path) -> None:
    fill(catalog)
    cast(catalog, vote(1, 2))
    other = sqlite3.connect(tmp_path / "catalog.sqlite")
    for sql in ("UPDATE vote SET outcome = 'right'", "DELETE FROM vote"):
        with pytest.raises(sqlite3.IntegrityError, match="never"):
            other.execute(sql)
    other.close()


def test_another_connection_sees_votes_and_their_undo_at_once(catalog: Catalog) -> None:
    fill(catalog)
    with Catalog(catalog.path, create=False) as other:
        cast(catalog, vote(1, 2))
        assert len(other.votes.standing()) == 1
        other.judgements.undo()
        assert len(catalog.votes.standing()) == 0


# What people do, one after another: (who, votes) casts, who alone undoes.
people = st.sampled_from(["ada", "bob"])
ballots = st.lists(
    st.tuples(
        st.integers(1, 4), st.integers(1, 4), st.sampled_from(OUTCOMES), st.booleans()
    ).filter(lambda ballot: ballot[0] != ballot[1]),
    min_size=1,
    max_size=3,
)
steps = st.lists(st.one_of(st.tuples(people, ballots), st.tuples(people, st.none())), max_size=12)


@settings(max_examples=40, deadline=None)
@given(steps)
def test_what_counts_is_what_was_cast_and_not_undone(
    tmp_path_factory: pytest.TempPathFactory,
    steps: list[tuple[str, list[tuple[int, int, Outcome, bool]] | None]],
) -> None:
    sign = {"left": 1, "tie": 0, "right": -1}
    with Catalog(tmp_path_factory.mktemp("votes") / "c.sqlite") as catalog:
        fill(catalog)
        stand: list[tuple[str, list[tuple[int, int, Outcome, bool]]]] = []
        stamps = {catalog.votes.stamp(): rows(catalog.votes.standing())}
        for who, ballots in steps:
            if ballots is not None:
                cast(catalog, *(vote(a, b, o, aside=s) for a, b, o, s in ballots), who=who)
                stand.append((who, ballots))
            else:
                undone = catalog.judgements.undo(who=who)
                mine = [n for n, (by, _ballots) in enumerate(stand) if by == who]
                assert (undone is None) == (not mine)
                if mine:
                    del stand[mine[-1]]
            counted = rows(catalog.votes.standing())
            assert counted == [
                (a, b, sign[o], s, who) for who, cast_ in stand for a, b, o, s in cast_
            ]
            # One stamp never names two different sets of votes.
            assert stamps.setdefault(catalog.votes.stamp(), counted) == counted
            for image_id in range(1, 5):
                assert [(v.left, v.right) for v in catalog.votes.of_image(image_id)] == [
                    (a, b) for a, b, *_rest in counted if image_id in (a, b)
                ]
