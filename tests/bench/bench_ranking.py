"""Scores from votes: how long a fit takes, and how well the top is found, vote for vote.

The judge is simulated: true scores, logistic noise. choix fits the same votes with the same prior.
For trials: PEDIGREE_SEEDS=3 takes fewer judges.
"""

import os
import statistics
import time
from collections.abc import Callable

import choix
import numpy as np

from curate_app.pairing import choose_pairs
from curate_app.posterior import PRIOR_SPREAD
from curate_app.ranking import fit
from tests.bench.stopwatch import race, show
from tests.curate_app.simulated_judge import (
    Asker,
    Outcome,
    ask_by_lot,
    ask_neighbours,
    judged,
    random_votes,
)

SIZES = {(1_000, 10_000): None, (10_000, 100_000): 0.15, (100_000, 1_000_000): 2.0}
ASKERS: dict[str, Asker] = {
    "by lot": ask_by_lot,
    "neighbours (Swiss)": ask_neighbours,
    "aimed at the cut": choose_pairs,
}
LEAST_FOUND, COVERAGE = 0.80, (0.85, 0.95)


def run() -> None:
    _against_choix()
    _fits()
    _judges()


def _against_choix(items: int = 500, count: int = 5_000) -> None:
    _truth, votes = random_votes(items, count)
    pairs = [
        (left, right) if won > 0 else (right, left)
        for left, right, won in zip(
            votes.left.tolist(), votes.right.tolist(), votes.outcome.tolist(), strict=True
        )
    ]

    def theirs() -> object:
        return choix.opt_pairwise(items, pairs, alpha=1 / (2 * PRIOR_SPREAD**2), tol=1e-9)

    def ours() -> object:
        return fit(items, votes, spread=PRIOR_SPREAD, with_bias=False)

    contestants: dict[str, Callable[[], object]] = {"choix opt_pairwise": theirs, "ours": ours}
    show(f"{items} items, {count:,} votes", "votes", race(contestants, count))
    found = fit(items, votes, spread=PRIOR_SPREAD, with_bias=False)
    print(f"  largest difference {np.abs(found.mode - np.asarray(theirs())).max():.1e}")


def _fits() -> None:
    print("\nfit with bias, spread and deviations: CPU seconds, median of 7 (3 of the largest)")
    for (items, count), most in SIZES.items():
        _truth, votes = random_votes(items, count, seed=1)
        rounds = 3 if count > 500_000 else 7
        cold = _median(lambda: fit(items, votes), rounds)  # noqa: B023 - called at once
        start = fit(items, votes.chosen(np.arange(count) < count - 10))
        warm = _median(lambda: fit(items, votes, start=start), rounds)  # noqa: B023
        verdict = "" if most is None else f"  {'ok' if cold <= most else 'MISSED'}: bar {most}"
        print(f"  {items:>7,} items {count:>9,} votes  {cold:.3f} cold {warm:.3f} warm{verdict}")


def _median(work: Callable[[], object], rounds: int) -> float:
    seconds = []
    for _ in range(rounds):
        start = time.process_time()
        work()
        seconds.append(time.process_time() - start)
    return statistics.median(seconds)


def _judges() -> None:
    seeds = int(os.environ.get("PEDIGREE_SEEDS", "20"))
    print(f"\n200 items, the best 20 wanted, 10 votes for each item, {seeds} judges")
    print(f"  {'pairs':<20} {'spread':>6} {'found':>14} {'in 90 % interval':>17} {'own guess':>10}")
    for spread in (1.5, 3.0):
        for name, ask in ASKERS.items():
            outcomes = [judged(seed, ask, spread=spread) for seed in range(seeds)]
            _show(name, spread, outcomes, barred=ask is choose_pairs and spread == 1.5)


def _show(name: str, spread: float, outcomes: list[Outcome], *, barred: bool) -> None:
    found = [outcome.found for outcome in outcomes]
    error = statistics.stdev(found) / len(found) ** 0.5 if len(found) > 1 else 0.0
    mean, covered, guess = (
        statistics.mean(getattr(outcome, key) for outcome in outcomes)
        for key in ("found", "covered", "expected_wrong")
    )
    verdict = ""
    if barred:
        met = mean >= LEAST_FOUND and COVERAGE[0] <= covered <= COVERAGE[1]
        verdict = f"  {'ok' if met else 'MISSED'}: bars {LEAST_FOUND} and {COVERAGE}"
    print(
        f"  {name:<20} {spread:>6} {mean:>7.3f} ± {1.96 * error:.3f} {covered:>16.3f} "
        f"{1 - guess:>10.3f}{verdict}",
        flush=True,
    )
