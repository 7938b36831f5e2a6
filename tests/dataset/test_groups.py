"""Groups of a whole catalogue: free of the order of intake, counted in one pass, marked, undone."""

import itertools
import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataset.catalog import Catalog
from dataset.duplicates import (
    RADII,
    Comparison,
    RadiusCounts,
    connected_pairs,
    duplicate_groups,
    mark_duplicates,
    radius_table,
)
from dataset.errors import ConfigError
from dataset.keep_rule import KeepRule
from dataset.likeness import LARGEST_RADIUS
from dataset.records import Change, Edge, PairChange, Verdict
from dataset.star_cover import connected
from tests.dataset.paired_catalogue import add_named, content_of, judge, judged, store_pairs

NAMES = "abcdefgh"
# By name: (side, stars, status), pairs with their distance, what a person said.
WORLDS = st.fixed_dictionaries(
    {
        "facts": st.lists(
            st.tuples(
                st.sampled_from([50, 51, 90]),
                st.integers(0, 1),
                st.sampled_from(["undecided", "undecided", "keep", "reject"]),
            ),
            min_size=len(NAMES),
            max_size=len(NAMES),
        ),
        "pairs": st.dictionaries(
            st.sampled_from(list(itertools.combinations(NAMES, 2))),
            st.sampled_from(list(RADII)),
            max_size=14,
        ),
        "said": st.lists(
            st.tuples(
                st.sampled_from(list(itertools.combinations(NAMES, 2))),
                st.sampled_from(["same", "different"]),
            ),
            max_size=4,
        ),
    }
)


def build(path: Path, world: dict[str, Any], order: list[str]) -> Catalog:
    """A catalogue of the `world` whose pictures came in `order`; pairs are stored in any order."""
    catalog = Catalog(path)
    facts = dict(zip(NAMES, world["facts"], strict=True))
    with catalog.transaction():
        ids = {name: add_named(catalog, name, width=facts[name][0], height=99) for name in order}
    store_pairs(catalog, [(ids[a], ids[b], bits) for (a, b), bits in world["pairs"].items()])
    with catalog.transaction():
        for name in NAMES:
            _, stars, status = facts[name]
            changes = [
                Change(image_id=ids[name], field="stars", value=stars),
                Change(image_id=ids[name], field="status", value=status),
            ]
            catalog.judgements.apply(changes, who="ada", verb="judge")
        for (a, b), verdict in world["said"]:
            change = PairChange(a=ids[a], b=ids[b], verdict=verdict)
            catalog.judgements.apply([change], who="ada", verb=verdict)
    return catalog


def by_content(catalog: Catalog, radius: int) -> list[Any]:
    names = {record.id: record.sha256 for record in catalog.images.all()}
    return [
        ([names[m] for m in g.members], g.reason, g.diameter, g.bits, g.chain)
        for g in duplicate_groups(catalog, radius)
    ]


@settings(max_examples=30, deadline=None)
@given(WORLDS, st.randoms(use_true_random=False))
def test_the_groups_do_not_depend_on_the_order_of_intake(
    tmp_path_factory: pytest.TempPathFactory, world: dict[str, Any], rng: random.Random
) -> None:
    folder = tmp_path_factory.mktemp("order")
    mixed = rng.sample(NAMES, len(NAMES))
    turned = {
        **world,
        "pairs": dict(rng.sample(sorted(world["pairs"].items()), len(world["pairs"]))),
    }
    with build(folder / "1", world, list(NAMES)) as one, build(folder / "2", turned, mixed) as two:
        for radius in (0, 6, 12):
            assert by_content(one, radius) == by_content(two, radius)
        assert radius_table(one) == radius_table(two)


@settings(max_examples=40, deadline=None)
@given(WORLDS)
def test_the_laws_of_groups_hold_at_every_radius(
    tmp_path_factory: pytest.TempPathFactory, world: dict[str, Any]
) -> None:
    with build(tmp_path_factory.mktemp("laws") / "c", world, list(NAMES)) as catalog:
        comparison = Comparison(catalog)
        ids = {record.sha256: record for record in catalog.images.all()}
        record = {name: ids[content_of(name)] for name in NAMES}
        bits = {frozenset((record[a].id, record[b].id)): n for (a, b), n in world["pairs"].items()}
        same = {
            frozenset((v.a, v.b))
            for v in catalog.judgements.pairs.verdicts()
            if v.verdict == "same" and v not in comparison.overruled
        }
        family = connected((tuple(sorted(pair)) for pair in same), range(1, len(NAMES) + 1))  # type: ignore[misc]
        for row in comparison.table():
            groups = comparison.groups(row.radius)
            assert groups == duplicate_groups(catalog, row.radius)
            group_of = {m: g.keeper for g in groups for m in g.members}
            assert row.groups == len(groups)
            assert row.would_go == len(comparison.marks(groups))
            for group in groups:
                assert all(
                    record.status != "reject"
                    for record in catalog.images.records(group.members).values()
                )
                kin = {m for m in group.members if family[m] == family[group.keeper]}
                for member in set(group.members) - kin:
                    theirs = {m for m in group.members if family[m] == family[member]}
                    near = min(
                        bits.get(frozenset((one, other)), 99) for one in theirs for other in kin
                    )
                    assert near <= row.radius
            for verdict in set(catalog.judgements.pairs.verdicts()) - set(comparison.overruled):
                here = (group_of.get(verdict.a), group_of.get(verdict.b))
                there = all(judged(catalog)[i][0] != "reject" for i in (verdict.a, verdict.b))
                if there and verdict.verdict == "same":
                    assert here[0] == here[1] is not None
                if verdict.verdict == "different":
                    assert here[0] is None or here[0] != here[1]


def test_a_radius_is_counted_in_pairs_chains_and_groups(catalog: Catalog) -> None:
    for name in "abcde":
        add_named(catalog, name)
    best = add_named(catalog, "f", width=900, height=900)
    store_pairs(catalog, [(1, 2, 2), (2, 3, 2), (3, 4, 4), (best, 4, 6)])
    table = radius_table(catalog)
    assert table[0] == RadiusCounts(0, 0, 0, 0, 0, 0)
    assert [(row.radius, row.pairs, row.components, row.pictures) for row in table[2:7]] == [
        (2, 2, 1, 3),
        (3, 2, 1, 3),
        (4, 3, 1, 4),
        (5, 3, 1, 4),
        (6, 4, 1, 5),
    ]
    assert {row.radius: row.would_go for row in table}[LARGEST_RADIUS] in (2, 3)


def test_a_group_tells_its_distances_and_whether_it_is_a_chain(catalog: Catalog) -> None:
    best = add_named(catalog, "best", width=900, height=900)
    for side, name in ((80, "b"), (70, "c"), (60, "d")):
        add_named(catalog, name, width=side, height=side)
    store_pairs(catalog, [(best, 2, 4), (best, 3, 2), (2, 3, 8)])
    (group,) = duplicate_groups(catalog, 6)
    assert (group.members, group.bits) == ((best, 2, 3), (0, 4, 2))
    assert (group.diameter, group.chain) == (8, True)
    (group,) = duplicate_groups(catalog, 8)
    assert not group.chain
    same = PairChange(a=2, b=4, verdict="same")
    catalog.judgements.apply([same], who="ada", verb="same")
    (group,) = duplicate_groups(catalog, 8)
    assert (group.members, group.bits) == ((best, 2, 3, 4), (0, 4, 2, None))


def test_groups_are_made_anew_without_a_picture_that_cannot_stay(catalog: Catalog) -> None:
    """A - collage - B: the collage stands for both, and neither for the other."""
    collage = add_named(catalog, "collage", width=900, height=900)
    a, b, c = (add_named(catalog, name) for name in "abc")
    store_pairs(catalog, [(a, collage, 2), (b, collage, 2), (b, c, 4)])
    assert [set(g.members) for g in duplicate_groups(catalog)] == [{collage, a, b}]
    groups = Comparison(catalog, without=[collage]).groups(6)
    assert [set(group.members) for group in groups] == [{b, c}]


def test_only_undecided_losers_are_marked_and_one_undo_takes_all_back(catalog: Catalog) -> None:
    best = add_named(catalog, "best", width=900, height=900)
    others = [add_named(catalog, name) for name in "abc"]
    store_pairs(catalog, [(best, other, 2) for other in others])
    judge(catalog, others[0], "keep")
    before = judged(catalog)
    comparison = Comparison(catalog, KeepRule(order=("resolution",)))
    changes = comparison.marks(comparison.groups(6))
    assert [(c.image_id, c.reason) for c in changes] == [
        (other, f"duplicate of #{best}") for other in others[1:]
    ]
    catalog.judgements.apply(changes, who="duplicates", verb="mark")
    assert catalog.handover.losers_of([best]) == {best: others[1:]}
    catalog.judgements.undo()
    assert judged(catalog) == before


@pytest.mark.parametrize(
    ("verdict", "tied"), [("same", [(1, 2), (2, 3), (3, 4)]), ("different", [(2, 3)])]
)
def test_a_split_is_never_crossed_by_what_a_person_ties_or_a_pair(
    catalog: Catalog, verdict: Verdict, tied: list[tuple[int, int]]
) -> None:
    for name in "abcd":
        add_named(catalog, name)
    store_pairs(catalog, [(1, 2, 2), (2, 3, 4), (1, 4, 12)])
    pairs = [(3, 4)] if verdict == "same" else [(1, 2)]
    changes = [PairChange(a=a, b=b, verdict=verdict) for a, b in pairs]
    catalog.judgements.apply(changes, who="ada", verb=verdict)
    judge(catalog, 2, "reject")  # judged or not: the pack chooses for itself
    assert connected_pairs(catalog, 6) == tied


def test_what_is_the_same_by_word_shares_a_split_whoever_of_them_is_left_out(
    catalog: Catalog,
) -> None:
    for name in "abcd":
        add_named(catalog, name)
    changes = [PairChange(a=a, b=b, verdict="same") for a, b in ((1, 2), (1, 3), (1, 4))]
    catalog.judgements.apply(changes, who="ada", verb="same")
    judge(catalog, 1, "reject", "blurred")
    assert connected_pairs(catalog, 6, among=[4, 2, 3]) == [(2, 3), (3, 4)]
    assert len(set(connected(connected_pairs(catalog, 6, [2, 4]), [2, 4]).values())) == 1


def test_an_empty_catalogue_has_no_groups(catalog: Catalog) -> None:
    assert duplicate_groups(catalog) == []
    assert all(row.pairs == row.would_go == 0 for row in radius_table(catalog))
    assert connected_pairs(catalog, 6) == []


def test_a_rule_that_cannot_be_is_no_rule() -> None:
    with pytest.raises(ConfigError):
        KeepRule(resolution_step=-1.0)


def test_what_is_less_than_sure_is_shown_but_not_marked(tmp_path: Path) -> None:
    with Catalog(tmp_path / "c.sqlite") as catalog:
        a, b, c, d = (add_named(catalog, name) for name in "abcd")
        doubtful = Edge(a=a, b=b, phash_bits=2, dhash_bits=2, colour_levels=0.0, score=0.6)
        catalog.edges.join([doubtful, replace(doubtful, a=c, b=d, score=0.9)], [], "a rule")
        assert len(duplicate_groups(catalog)) == 2
        _, changes = mark_duplicates(catalog, dry_run=True)
        assert len(changes) == 1
        assert {change.image_id for change in changes} <= {c, d}
        _, changes = mark_duplicates(catalog, rule=KeepRule(sure=0.5), dry_run=True)
        assert len(changes) == 2
        with pytest.raises(ConfigError, match="sure"):
            KeepRule(sure=1.5)
