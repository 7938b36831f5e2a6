"""Groups without chains, decisions without contradiction: laws on drawn graphs."""

import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataset.records import PairVerdict, Verdict
from dataset.star_cover import (
    Pairs,
    Sets,
    Ties,
    component_counts,
    connected,
    settle,
    star_cover,
)


def pairs_of(*rows: tuple[int, int, int]) -> Pairs:
    """(a, b, bits) each; sure in proportion to nearness."""
    a, b, bits = np.array(rows, np.int64).reshape(-1, 3).T
    return Pairs(a, b, bits, 1 - bits / 64)


def said(a: int, b: int, verdict: Verdict, since: int = 1) -> PairVerdict:
    return PairVerdict(a=min(a, b), b=max(a, b), verdict=verdict, since=since)


def drawn_pairs(count: int, rng: random.Random, share: float = 0.3) -> Pairs:
    ends = [(a, b) for a in range(count) for b in range(a + 1, count) if rng.random() < share]
    return pairs_of(*((a, b, 2 * rng.randint(0, 6)) for a, b in ends))


def shuffled(pairs: Pairs, rng: random.Random) -> Pairs:
    """The same pairs in another order, some the other way round."""
    order = np.array(rng.sample(range(len(pairs)), len(pairs)), np.int64)
    turned = np.array([rng.random() < 0.5 for _ in range(len(pairs))], bool)
    moved = Pairs(pairs.a[order], pairs.b[order], pairs.bits[order], pairs.score[order])
    a, b = np.where(turned, moved.b, moved.a), np.where(turned, moved.a, moved.b)
    return Pairs(a, b, moved.bits, moved.score)


def test_a_chain_is_not_one_group() -> None:
    chain = pairs_of((0, 1, 4), (1, 2, 4)).nearest_first()
    assert star_cover(3, chain).tolist() == [0, 0, 2]
    star = pairs_of((1, 0, 4), (0, 2, 4)).nearest_first()
    assert star_cover(3, star).tolist() == [0, 0, 0]


def test_a_picture_joins_the_nearest_keeper_then_the_surest_then_the_best() -> None:
    pairs = pairs_of((2, 0, 4), (2, 1, 2))
    assert star_cover(3, pairs.nearest_first()).tolist() == [0, 1, 1]
    assert star_cover(3, pairs_of((2, 0, 4), (2, 1, 4)).nearest_first()).tolist() == [0, 1, 0]
    surer = Pairs(pairs.a, pairs.b, np.array([4, 4]), np.array([0.5, 0.9]))
    assert star_cover(3, surer.nearest_first()).tolist() == [0, 1, 1]


@settings(max_examples=80, deadline=None)
@given(st.integers(1, 14), st.randoms(use_true_random=False))
def test_everything_that_goes_is_near_a_better_one_that_stays(n: int, rng: random.Random) -> None:
    pairs = drawn_pairs(n, rng)
    cover = star_cover(n, pairs.nearest_first()).tolist()
    tied = {frozenset(pair) for pair in zip(pairs.a.tolist(), pairs.b.tolist(), strict=True)}
    for picture, keeper in enumerate(cover):
        assert cover[keeper] == keeper
        assert keeper <= picture
        assert keeper == picture or frozenset((keeper, picture)) in tied
    keepers = set(cover)
    assert not any(frozenset((a, b)) in tied for a in keepers for b in keepers if a != b)
    assert star_cover(n, shuffled(pairs, rng).nearest_first()).tolist() == cover


@settings(max_examples=80, deadline=None)
@given(st.integers(2, 10), st.randoms(use_true_random=False))
def test_decisions_hold_in_every_cover_whatever_the_order_and_the_numbers(
    n: int, rng: random.Random
) -> None:
    ids = np.array(rng.sample(range(100, 200), n), np.int64)  # best first
    drawn = drawn_pairs(n, rng, 0.5)
    pairs = Pairs(ids[drawn.a], ids[drawn.b], drawn.bits, drawn.score)
    decisions = [
        said(int(a), int(b), rng.choice(["same", "different"]), since)
        for since in range(1, 1 + rng.randint(0, 6))
        for a, b in [rng.sample(ids.tolist(), 2)]
    ]
    newest = {(d.a, d.b): d for d in decisions}  # one verdict a pair, as the catalogue has it
    settled = settle(rng.sample(list(newest.values()), len(newest)))
    ties = Ties(ids, shuffled(pairs, rng), settled)
    for radius in (0, 6, 12):
        cover = ties.cover(radius).tolist()
        group = {int(ids[rank]): int(ids[keeper]) for rank, keeper in enumerate(cover)}
        for decision in newest.values():
            if decision in settled.overruled:
                continue
            together = group[decision.a] == group[decision.b]
            assert together == (decision.verdict == "same")
        assert Ties(ids, pairs, settle(list(newest.values()))).cover(radius).tolist() == cover
    # Without decisions and under other numbers, the same ranks have the same keepers.
    renamed = Pairs(drawn.a + 7, drawn.b + 7, drawn.bits, drawn.score)
    plain = Ties(np.arange(n) + 7, renamed, settle([]))
    assert plain.cover(6).tolist() == star_cover(n, drawn.within(6).nearest_first()).tolist()


def test_two_that_differ_never_meet_in_a_third() -> None:
    ids = np.array([10, 11, 12])
    pairs = pairs_of((10, 11, 2), (10, 12, 2))
    ties = Ties(ids, pairs, settle([said(11, 12, "different")]))
    assert ties.cover(6).tolist() == [0, 0, 2]


def test_the_same_by_word_are_one_group_at_any_radius_and_bring_their_neighbours() -> None:
    ids = np.array([10, 11, 12])
    ties = Ties(ids, pairs_of((11, 12, 4)), settle([said(10, 11, "same")]))
    assert ties.cover(0).tolist() == [0, 0, 2]
    assert ties.cover(4).tolist() == [0, 0, 0]
    assert ties.all.bits.tolist() == [4, 0]


def test_what_is_the_same_over_a_picture_that_is_gone_is_still_the_same() -> None:
    settled = settle([said(10, 99, "same"), said(99, 12, "same", 2)])
    ties = Ties(np.array([10, 11, 12]), pairs_of(), settled)
    assert ties.cover(0).tolist() == [0, 1, 0]


@pytest.mark.parametrize("since", [(1, 2, 3), (1, 3, 2), (3, 2, 1)])
def test_of_contradicting_decisions_the_newest_stand(since: tuple[int, int, int]) -> None:
    decisions = [
        said(1, 2, "same", since[0]),
        said(2, 3, "same", since[1]),
        said(1, 3, "different", since[2]),
    ]
    settled = settle(decisions)
    [oldest] = [decision for decision in decisions if decision.since == 1]
    assert settled.overruled == (oldest,)
    assert settled.are_apart(1, 3) == (oldest.verdict == "same")


def test_a_difference_holds_for_all_that_are_the_same() -> None:
    settled = settle([said(1, 2, "same", 3), said(3, 4, "same", 2), said(2, 3, "different", 1)])
    assert all(settled.are_apart(a, b) for a in (1, 2) for b in (3, 4))
    assert not settled.are_apart(1, 2)
    assert not settled.are_apart(1, 77)


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 20), st.randoms(use_true_random=False))
def test_one_pass_counts_what_every_radius_has(n: int, rng: random.Random) -> None:
    pairs = drawn_pairs(n, rng, 0.15)
    radii = range(0, 13, 2)
    for radius, counts in zip(radii, component_counts(pairs, radii), strict=True):
        near = pairs.within(radius)
        ends = list(zip(near.a.tolist(), near.b.tolist(), strict=True))
        touched = {end for pair in ends for end in pair}
        parts = set(connected(ends, range(n)).values()) & set(connected(ends, touched).values())
        assert counts == (len(near), len(parts), len(touched))


def test_connection_goes_over_any_chain() -> None:
    assert connected([(3, 2), (5, 3), (8, 9)], [2, 3, 5, 7]) == {2: 2, 3: 2, 5: 2, 7: 7}


def test_a_set_is_named_by_its_smallest_member() -> None:
    sets = Sets([5, 4, 3])
    assert sets.join(5, 4)
    assert not sets.join(4, 5)
    assert sets.all() == {3: [3], 4: [4, 5]}
    assert 9 not in sets
