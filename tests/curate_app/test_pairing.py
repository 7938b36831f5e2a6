"""Which pairs are asked: never barred ones, aimed at the cut, a tenth by lot, repeatable."""

import numpy as np
import pytest

from curate_app.pairing import REST, Pool, choose_fours, choose_pairs, doubt
from tests.curate_app.simulated_judge import ask_by_lot, judged


def dice(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def ring(items: int) -> np.ndarray[tuple[int, int], np.dtype[np.int64]]:
    """Votes that join all items."""
    return np.stack([np.arange(items), (np.arange(items) + 1) % items], axis=1)


def known(items: int = 90, k: int = 30, **more: object) -> Pool:
    """Scores that fall from 3 to -3 in even steps, all joined."""
    scores = np.linspace(3, -3, items)
    options = {"deviations": np.full(items, 0.3), "voted": ring(items), **more}
    return Pool(scores=scores, k=k, **options)  # type: ignore[arg-type]


def test_same_dice_give_the_same_pairs() -> None:
    assert choose_pairs(known(), 30, dice()) == choose_pairs(known(), 30, dice())
    assert choose_fours(known(), 5, dice()) == choose_fours(known(), 5, dice())
    assert choose_pairs(known(), 30, dice()) != choose_pairs(known(), 30, dice(1))


def test_pairs_lie_about_the_cut() -> None:
    pool = known()
    aimed = [one for one in choose_pairs(pool, 20, dice()) if not one.aside]
    cut = (pool.scores[29] + pool.scores[30]) / 2
    asked = np.array([[one.left, one.right] for one in aimed])
    assert np.abs(pool.scores[asked] - cut).max() < 1.2
    assert len(aimed) > 12


def test_item_at_the_cut_that_is_least_known_is_most_in_doubt() -> None:
    weights = doubt(np.array([2.0, 0.1, -0.1, -0.1]), np.array([0.3, 0.3, 0.3, 0.6]), 2)
    assert weights.argmax() == 3
    assert weights.argmin() == 0


def test_a_tenth_of_the_pairs_goes_aside_and_is_drawn_from_all() -> None:
    chosen = [one for seed in range(60) for one in choose_pairs(known(), 10, dice(seed))]
    aside = [one for one in chosen if one.aside]
    assert 0.06 < len(aside) / len(chosen) < 0.14
    ends = np.array([[one.left, one.right] for one in aside])
    assert np.bincount(ends.ravel() // 30, minlength=3).min() > len(aside) * 2 / 3 * 0.6


def test_no_pair_is_given_twice_or_barred_or_new_to_fifty_votes() -> None:
    barred = {(a, b) for a in range(20, 32) for b in range(a + 1, 32)}
    recent = np.array([[40, 25], [33, 36]])
    pool = known(voted=np.concatenate([ring(90), recent]), barred=barred)
    pairs = [tuple(sorted((one.left, one.right))) for one in choose_pairs(pool, 200, dice())]
    assert len(set(pairs)) == len(pairs)
    assert not set(pairs) & barred
    assert not set(pairs) & {(25, 40), (33, 36)}
    last = {tuple(sorted(row)) for row in pool.voted[-REST:].tolist()}
    assert not set(pairs) & last


def test_first_pairs_join_all_items_whatever_their_number() -> None:
    for items in (2, 3, 7, 30):
        pool = Pool(scores=np.zeros(items), deviations=np.ones(items), k=1)
        asked = [one for one in choose_pairs(pool, 3 * items, dice()) if not one.aside]
        parts = list(range(items))
        for one in asked[: items - 1]:
            old, new = parts[one.left], parts[one.right]
            parts = [new if part == old else part for part in parts]
        assert len(set(parts)) == 1


def test_sides_are_drawn_by_lot() -> None:
    chosen = [one for seed in range(30) for one in choose_pairs(known(), 10, dice(seed))]
    assert 0.4 < np.mean([one.left < one.right for one in chosen]) < 0.6


@pytest.mark.parametrize("items", [0, 1])
def test_nothing_to_compare_gives_no_pairs(items: int) -> None:
    pool = Pool(scores=np.zeros(items), deviations=np.ones(items), k=items)
    assert choose_pairs(pool, 5, dice()) == []
    assert choose_fours(pool, 5, dice()) == []


def test_all_barred_gives_no_pairs_and_ends() -> None:
    barred = {(a, b) for a in range(5) for b in range(a + 1, 5)}
    pool = Pool(scores=np.zeros(5), deviations=np.ones(5), k=2, barred=barred)
    assert choose_pairs(pool, 5, dice()) == []
    assert choose_fours(pool, 5, dice()) == []


def test_fours_share_no_picture_and_hold_no_barred_pair() -> None:
    barred = {(a, a + 1) for a in range(0, 89, 2)}
    fours = choose_fours(known(barred=barred), 6, dice())
    assert len(fours) == 6
    every = [item for group in fours for item in group]
    assert len(set(every)) == len(every) == 24
    for group in fours:
        assert not {(a, b) for a in group for b in group} & barred


def test_votes_aimed_at_the_cut_find_more_of_the_top_than_votes_by_lot() -> None:
    ours = [judged(seed, items=120, batch=20) for seed in range(6)]
    lots = [judged(seed, ask_by_lot, items=120, batch=100) for seed in range(6)]
    assert np.mean([one.found for one in ours]) > np.mean([one.found for one in lots]) + 0.05
    assert 0.83 <= np.mean([one.covered for one in ours]) <= 0.97
