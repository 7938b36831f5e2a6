"""Right answers: which planted copies are found when at most 1 % of new pictures may be accused.

Our ratio beside pixel distance, Carlini's ratio in pixels and pHash, all calibrated alike; the
peers, too, are shown each picture and its mirror image. PEDIGREE_LOGOS and PEDIGREE_ANIMALS name
tars of pictures; PEDIGREE_SEEDS=11,12 and PEDIGREE_SAMPLE=40 (copies of each kind and seed) make
trials shorter.
"""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dataset.pack_writer import write_pack
from dataset.packed import PackedDataset
from dataset.phash import many_frequency_words
from dataset.pixels import Pixels
from dataset.progress import Progress
from sample.embed import LumaChroma, contrast
from sample.nearness import measure
from sample.novelty import NoveltyConfig
from sample.novelty_index import NoveltyIndex, build_index
from sample.pack_views import pack_pictures
from sample.significance import conformal_p, wilson_interval
from sample.strata import calibrate, complexity
from sample.views import mirror
from tests.bench.planted import ALWAYS, DAMAGES, planted
from tests.bench.stopwatch import at_least, at_most, load
from tests.sample.drawings import provenance

Scores = NDArray[np.float64]  # (B,); small ones are suspect

LEVEL, LENIENT = 0.01, 0.05
STRATA = "by strata"  # ours, calibrated apart for plain, middling and intricate pictures
METHODS = ("ours", STRATA, "pixels", "Carlini", "pHash")
_FOLDS = 5
# Set: the variable that names its tar, and how many pictures are learnt and held out.
_SETS = {"logos": ("PEDIGREE_LOGOS", 1100, 700), "animals": ("PEDIGREE_ANIMALS", 2000, 1000)}
_RAISED = {("animals", "crop 85%"): 0.95}


@dataclass(frozen=True)
class Trial:
    """One split of a set: scores by method of the held-out pictures, of blurred ones (a model's
    pictures are smoother than real ones) and of every kind of copy."""

    new: Mapping[str, Scores]
    blurred: Mapping[str, Scores]
    copies: Mapping[str, Mapping[str, Scores]]


def run() -> None:
    seeds = [int(seed) for seed in os.environ.get("PEDIGREE_SEEDS", "11,12,13,14,15").split(",")]
    each = int(os.environ.get("PEDIGREE_SAMPLE", "100"))
    for name, (variable, train, held_out) in _SETS.items():
        source = os.environ.get(variable)
        if source is None:
            print(f"  {name} left out: {variable} names no tar")
            continue
        with tempfile.TemporaryDirectory() as folder:
            pictures, groups = _imported(Path(source), Path(folder))
            trials = [
                _trial(split, each, seed)
                for seed in seeds
                for split in [_split(pictures, groups, train, held_out, seed, Path(folder))]
            ]
        print(f"\n{name}: {train} originals, {held_out} held out, seeds {seeds}; {load()}")
        _show(name, trials)


def _imported(source: Path, folder: Path) -> tuple[Pixels, NDArray[np.int64]]:
    """All pictures of a tar at 32 px, (N, 32, 32, 3), and their groups of duplicates, (N,)."""
    packed = folder / "all.h5"
    command = ["dataset", "import", "folder", str(source), "--pack", str(packed)]
    command += ["--min-side", "8", "--set", "size=32", "--progress", "quiet"]
    subprocess.run([sys.executable, "-m", *command], check=True, capture_output=True)
    pack = PackedDataset(packed)
    groups = np.array([fact.group for fact in pack], dtype=np.int64)
    return pack_pictures(pack, np.arange(len(pack))), groups


def _split(
    pictures: Pixels,
    groups: NDArray[np.int64],
    train: int,
    held_out: int,
    seed: int,
    folder: Path,
) -> PackedDataset:
    """A pack of `train` originals and `held_out` others; no group is on both sides."""
    rank = np.random.default_rng(seed).permutation(groups.max() + 1)[groups]
    rows = np.argsort(rank, kind="stable")
    while groups[rows[train - 1]] == groups[rows[train]]:
        train += 1
    rows = rows[: train + held_out]
    facts = [
        provenance(place, "train" if place < train else "cal", group=int(groups[row]))
        for place, row in enumerate(rows)
    ]
    data = np.ascontiguousarray(pictures[rows].transpose(0, 3, 1, 2))
    path = folder / f"{seed}.h5"
    write_pack(path, data, np.zeros(len(rows), np.int64), ["picture"], facts, {})
    return PackedDataset(path)


def _trial(pack: PackedDataset, each: int, seed: int) -> Trial:
    index = build_index(pack, LumaChroma())
    known, new = (pack_pictures(pack, pack.rows(split)) for split in ("train", "cal"))
    new, chance = _judged(new), np.random.default_rng([seed, 1])
    copies = {}
    for name, (damage, _) in DAMAGES.items():
        sources = _judged(known)
        chosen = sources[chance.choice(len(sources), min(each, len(sources)), replace=False)]
        strength = 1.0 if name in ALWAYS else None
        copies[name] = _scores(
            _judged(planted(chosen, damage, chance, strength)), known, index, pack
        )
    smooth = planted(new[:each], DAMAGES["blur 1 px"][0], chance)
    blurred = _scores(_judged(smooth), known, index, pack)
    return Trial(_scores(new, known, index, pack), blurred, copies)


def _judged(pictures: Pixels) -> Pixels:
    """Those that are not refused a verdict as too simple."""
    return pictures[contrast(pictures) >= NoveltyConfig().least_contrast]


def _scores(
    pictures: Pixels, known: Pixels, index: NoveltyIndex, pack: PackedDataset
) -> dict[str, Scores]:
    with Progress("scoring", len(pictures), "pictures") as progress:
        near = measure(
            pictures, index, pack, depth=5, reference=50, least_reference=10, progress=progress
        )
    pixels = np.minimum(
        _sorted_distances(pictures, known), _sorted_distances(mirror(pictures), known)
    )
    return {
        "complexity": complexity(pictures),
        "ours": near.ratio,
        "pixels": pixels[:, 0],
        "Carlini": pixels[:, 0] / pixels[:, 1:51].mean(axis=1),
        "pHash": np.minimum(
            _hash_distance(pictures, known), _hash_distance(mirror(pictures), known)
        ),
    }


def _sorted_distances(pictures: Pixels, known: Pixels) -> Scores:
    """Euclidean distances in pixels to the nearest 51, ascending: (B, 51)."""
    queries, originals = _rows(pictures), _rows(known)
    squared = np.square(queries).sum(1)[:, None] + np.square(originals).sum(1)
    squared -= 2 * queries @ originals.T
    nearest = np.sort(np.partition(squared, 50, axis=1)[:, :51], axis=1)
    return np.asarray(np.sqrt(np.maximum(nearest, 0)))


def _rows(pictures: Pixels) -> Scores:
    return pictures.reshape(len(pictures), -1).astype(np.float64) / 255


def _hash_distance(pictures: Pixels, known: Pixels) -> Scores:
    """Bits of 64 by which the nearest pHash differs."""
    one, other = (many_frequency_words(_grey(each)) for each in (pictures, known))
    bits = np.bitwise_count(one[:, None] ^ other).min(axis=1)
    return np.asarray(bits, dtype=np.float64)


def _grey(pictures: Pixels) -> NDArray[np.uint8]:
    luma = np.rint(pictures.astype(np.float64) @ np.array([0.299, 0.587, 0.114]))
    return np.asarray(luma, dtype=np.uint8)


def flagged(
    found: Mapping[str, Scores], new: Mapping[str, Scores], method: str, level: float
) -> NDArray[np.bool_]:
    """Whose conformal p-value among the `new` ones is at most `level`."""
    config = NoveltyConfig()
    if method == STRATA:
        calibration = calibrate(
            new["ours"], new["complexity"], most=config.strata, least=config.least_stratum
        )
        return calibration.p_values(found["ours"], found["complexity"]) <= level
    return conformal_p(found[method], new[method]) <= level


def _false_alarms(trial: Trial, method: str, level: float) -> NDArray[np.bool_]:
    """Which held-out pictures are flagged, each by the folds that it is not in."""
    fold = np.random.default_rng(0).permutation(len(trial.new["ours"])) % _FOLDS
    found = np.zeros(len(fold), dtype=np.bool_)
    for each in range(_FOLDS):
        one, others = _part(trial.new, fold == each), _part(trial.new, fold != each)
        found[fold == each] = flagged(one, others, method, level)
    return found


def _part(scores: Mapping[str, Scores], which: NDArray[np.bool_]) -> dict[str, Scores]:
    return {name: values[which] for name, values in scores.items()}


def _show(title: str, trials: list[Trial]) -> None:
    print(f"  {'copies found at p <= 1 %':<36}" + "".join(f"{name:>10}" for name in METHODS))
    ours = {}
    for kind in DAMAGES:
        rates = {method: _found(trials, kind, method) for method in METHODS}
        ours[kind] = rates["ours"]
        told = "".join(f"{hits / max(count, 1):>10.3f}" for hits, count in rates.values())
        low, high = wilson_interval(*ours[kind])
        print(f"  {kind:<36}{told}   ours {low:.3f} to {high:.3f} of {ours[kind][1]}")
    for level in (LEVEL, LENIENT):
        accused = [np.concatenate([_false_alarms(t, m, level) for t in trials]) for m in METHODS]
        told = "".join(f"{of_method.mean():>10.3f}" for of_method in accused)
        print(f"  {f'new pictures at p <= {level:.0%}':<36}{told}")
        blurred = [_blurred_alarms(trials, method, level) for method in METHODS]
        told = "".join(f"{rate:>10.3f}" for rate in blurred)
        print(f"  {'  blurred by up to 1 px':<36}{told}")
    for kind, (_, least) in DAMAGES.items():
        hits, count = ours[kind]
        if kind not in ALWAYS:
            bar = 100 * _RAISED.get((title, kind), least)
            at_least(f"{title}: {kind}", 100 * hits / max(count, 1), bar, "%")
    _judge_false_alarms(title, trials)


def _found(trials: list[Trial], kind: str, method: str) -> tuple[int, int]:
    hits = [flagged(t.copies[kind], t.new, method, LEVEL) for t in trials]
    return int(sum(hit.sum() for hit in hits)), sum(map(len, hits))


def _blurred_alarms(trials: list[Trial], method: str, level: float) -> float:
    accused = [flagged(t.blurred, t.new, method, level) for t in trials]
    return float(np.concatenate(accused).mean())


def _judge_false_alarms(title: str, trials: list[Trial]) -> None:
    at_level = np.concatenate([_false_alarms(trial, "ours", LEVEL) for trial in trials])
    low, high = wilson_interval(int(at_level.sum()), len(at_level))
    print(f"  false alarms {at_level.mean():.2%}, interval {low:.2%} to {high:.2%}")
    at_most(f"{title}: lower end of the false alarms' interval", 100 * low, 100 * LEVEL, "%")
    for method in ("ours", STRATA):
        for level in (LEVEL, LENIENT):
            rates = list(_rates_by_tercile(trials, method, level))
            told = ", ".join(f"{rate:.2%}" for rate in rates)
            print(f"  {method}: flagged at {level:.0%} from plain to intricate: {told}")
    uneven = max(rates) / max(min(rates), 1e-9)
    at_most(f"{title}: most over least flagged tercile, {STRATA}, 5 %", uneven, 2)


def _rates_by_tercile(trials: list[Trial], method: str, level: float) -> Iterator[float]:
    found = np.concatenate([_false_alarms(trial, method, level) for trial in trials])
    value = np.concatenate([trial.new["complexity"] for trial in trials])
    borders = np.quantile(value, [1 / 3, 2 / 3])
    place = np.searchsorted(borders, value)
    yield from (float(found[place == tercile].mean()) for tercile in range(3))
