"""What the novelty check says of whole sets: a model that copies nothing, a tenth, and everything.

PEDIGREE_LOGOS and PEDIGREE_ANIMALS name the tars, PEDIGREE_SEEDS how many fresh splits (3).
"""

import io
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from dataset.pack_writer import write_pack
from dataset.packed import PackedDataset
from dataset.pixels import Pixels
from dataset.provenance import Split
from sample.audit import Audit, audit, share_of_copies
from sample.inspection import open_checker
from sample.novelty import NoveltyChecker, NoveltyConfig, Scores
from sample.novelty_index import pack_pictures
from sample.significance import wilson_interval
from tests.bench.planted import DAMAGES, planted
from tests.bench.stopwatch import at_least, at_most

_SOURCES = {"logos": "logos.tar", "animals": "animals32.tar"}
_MOST = 5000  # pictures of a set; the rest is left out
_TRAIN, _CAL, _TEST = 0.5, 0.2, 0.1  # of the groups; what is left is new to everybody
_SAMPLES, _ROUNDS = 200, 40  # a "model" gives so many pictures, and there are so many models
_COPIES = 200  # planted, all damages in turn

Rows = NDArray[np.intp]


@dataclass(frozen=True)
class Pool:
    """A checker with scored pictures to make sets of: the new ones, whose (n,) PNG sizes are
    `sizes`, and after them the planted copies."""

    checker: NoveltyChecker
    audited: Audit
    scores: Scores
    sizes: NDArray[np.int64]

    @property
    def new(self) -> Scores:
        return self.scores.part(slice(len(self.sizes)))


def run() -> None:
    for name, tar in _SOURCES.items():
        variable = f"PEDIGREE_{name.upper()}"
        source = Path(os.environ.get(variable, f"../shared/data/{tar}"))
        if not source.is_file():
            print(f"  left out: no {name} at {source}; name the tar by {variable}")
            continue
        with tempfile.TemporaryDirectory() as folder:
            whole = Path(folder) / "whole.h5"
            size = ("--min-side", "8", "--set", "size=32")
            command = ("dataset", "import", "folder", str(source), "--pack", str(whole), *size)
            subprocess.run([sys.executable, "-m", *command], check=True, capture_output=True)
            seeds = range(int(os.environ.get("PEDIGREE_SEEDS", "3")))
            pools = [_pools(PackedDataset(whole), Path(folder) / "cut.h5", s) for s in seeds]
        print(f"\n{name}: {len(pools)} splits, {_ROUNDS} sets of {_SAMPLES} each")
        for share in (0.0, 0.1, 1.0):
            _sets(share, pools)
        _terciles(pools)


def _pools(whole: PackedDataset, path: Path, seed: int) -> Pool:
    """Cut the pack anew by groups, and score what is new and what is planted."""
    chance = np.random.default_rng(seed)
    rows, splits = _cut(whole, chance)
    is_new = splits == "new"
    facts = [
        replace(whole.provenance(int(row)), row=place, split=_split(splits[~is_new][place]))
        for place, row in enumerate(rows[~is_new])
    ]
    kept = rows[~is_new]
    data, labels = np.array(whole.data[kept]), whole.labels[kept]
    write_pack(path, data, labels, whole.label_names, facts, whole.config)
    checker = open_checker(PackedDataset(path), NoveltyConfig(audit=20))
    pack = checker.pack
    originals = pack_pictures(pack, chance.choice(pack.rows("train"), _COPIES, replace=False))
    makers = [maker for maker, _ in DAMAGES.values()]
    copies = [
        planted(one[None], makers[place % len(makers)], chance)[0]
        for place, one in enumerate(originals)
    ]
    new = pack_pictures(whole, rows[is_new])
    scores = checker.score(np.concatenate([new, np.stack(copies)]), "new pictures and copies")
    return Pool(checker, audit(checker), scores, np.array([_png_size(picture) for picture in new]))


def _cut(whole: PackedDataset, chance: np.random.Generator) -> tuple[Rows, NDArray[np.str_]]:
    """Rows of the pack in a random order with their split; near-duplicates stay together."""
    groups = whole.column("group")
    order = chance.permutation(np.unique(groups))[:_MOST]
    ends = np.cumsum([_TRAIN, _CAL, _TEST]) * len(order)
    names = np.array(["train", "cal", "test", "new"])
    of_group = dict(
        zip(
            order.tolist(),
            names[np.searchsorted(ends, np.arange(len(order)), "right")],
            strict=True,
        )
    )
    rows = np.flatnonzero(np.isin(groups, order))
    return rows, np.array([of_group[int(groups[row])] for row in rows])


def _split(name: str) -> Split:
    return "train" if name == "train" else "cal" if name == "cal" else "test"


def _sets(share: float, pools: Sequence[Pool]) -> None:
    """Sets with this share of copies: what is estimated, and how often the interval holds it."""
    rates, widths, held, flags = [], [], [], []
    for seed, pool in enumerate(pools):
        chance = np.random.default_rng(seed)
        for _ in range(_ROUNDS):
            scores = _mixed(pool, round(share * _SAMPLES), chance)
            free = np.zeros(_SAMPLES, dtype=np.bool_)
            found = share_of_copies(pool.checker, scores, pool.audited, free)
            assert found.rate is not None
            low, high = found.interval
            rates.append(found.rate)
            widths.append(high - low)
            held.append(low <= share <= high)
            verdicts = [one.verdict for one in pool.checker.judge(scores)]
            flags.append(sum(one in ("copy", "near copy") for one in verdicts) / _SAMPLES)
    print(
        f"  {share:4.0%} copies: said {np.mean(rates):6.1%}"
        f" ({np.quantile(rates, 0.05):.1%} to {np.quantile(rates, 0.95):.1%}), interval"
        f" {np.mean(widths):.1%} wide, flagged {np.mean(flags):.1%}, at most {np.max(flags):.1%}"
    )
    at_least(f"intervals that hold {share:.0%}", float(np.mean(held)), 0.95)
    if not share:
        at_most("all new: flagged, the worst set", float(np.max(flags)), 0.05)


def _mixed(pool: Pool, copies: int, chance: np.random.Generator) -> Scores:
    """`copies` planted pictures, the rest new."""
    fit = pool.checker.testable(pool.scores)
    new, copied = np.split(np.arange(len(fit)), [len(pool.sizes)])
    chosen = [
        chance.choice(new[fit[new]], _SAMPLES - copies, replace=False),
        chance.choice(copied[fit[copied]], copies, replace=copies > fit[copied].sum()),
    ]
    return pool.scores.part(np.concatenate(chosen))


def _terciles(pools: Sequence[Pool]) -> None:
    """How often truly new pictures are close or worse, by the size of their PNG."""
    hits, trials = np.zeros(3, np.int64), np.zeros(3, np.int64)
    for pool in pools:
        fit = pool.checker.testable(pool.new)
        place = np.searchsorted(np.quantile(pool.sizes, [1 / 3, 2 / 3]), pool.sizes)
        for third in range(3):
            there = fit & (place == third)
            trials[third] += there.sum()
            hits[third] += (pool.checker.flagged(pool.new) & there).sum()
    for third, name in enumerate(("plain", "middling", "intricate")):
        low, high = wilson_interval(int(hits[third]), int(trials[third]))
        rate = hits[third] / trials[third]
        print(f"  new, {name:<10} {rate:6.1%} of {trials[third]} flagged [{low:.1%}-{high:.1%}]")
    rates = hits / trials
    at_most("flag rate, highest over lowest tercile", float(rates.max() / rates.min()), 2.0)


def _png_size(picture: Pixels) -> int:
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, "PNG")
    return len(buffer.getvalue())
