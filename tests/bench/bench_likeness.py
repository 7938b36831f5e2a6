"""Right answers: which copies of real pictures are found, and what is wrongly held for the same.

PEDIGREE_LOGOS, PEDIGREE_PHOTOS and PEDIGREE_ANIMALS name tars of originals; `make peers` installs
imagededup (PEDIGREE_PEERS names its environment). For trials: PEDIGREE_SAMPLE=200 takes as many of
every set, PEDIGREE_COPIES=crop,flip makes these copies only, PEDIGREE_ALONE=1 leaves the peers
out, PEDIGREE_DETAILS=FILE gets a line of JSON for every row: what was missed, what was wrong.
"""

import json
import multiprocessing
import os
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from dataset.workspace import Workspace
from tests.bench import trap_set
from tests.bench.copies import (
    SETS,
    TRANSFORMATIONS,
    applies,
    available,
    chance,
    opened,
    originals,
    vanishes,
)
from tests.bench.duplicate_finders import (
    OURS,
    Codes,
    catalogue_pairs,
    catalogued,
    code_pairs,
    extended,
    has_imagededup,
    peer_codes,
)
from tests.bench.likeness_score import Score, Truth

PROCESSES = 2
# Beyond the fourteen of the totals: shown, and not counted.
EXTRA = {"crop_sides", "invert"}
# Of a logo, a copy in other colours is another logo; of a photograph nobody can say.
RECOLOURED = {"recolour", "invert"}
LEAST_PRECISION = 0.99
LEAST_RECALL = {
    **dict.fromkeys(("jpeg", "resize", "gamma", "noise", "alpha_white", "alpha_black"), 0.99),
    **dict.fromkeys(("crop", "border", "flip", "watermark"), 0.90),
}
Scores = Mapping[str, Score]


@dataclass(frozen=True)
class Prepared:
    """A set of originals, catalogued once, with the hashes that the peers give them."""

    names: list[str]
    contents: list[bytes]
    workspace: Workspace
    ids: list[int | None]
    codes: dict[str, Codes]


@dataclass(frozen=True)
class Row:
    """What became of one kind of copies of one set, by the finder's name."""

    kind: str
    transformation: str
    made: int
    blank: int
    refused: int
    scores: Scores
    details: str


# Filled before the processes fork: what all of them read.
_prepared: dict[str, Prepared] = {}


def run() -> None:
    kinds = [kind for kind in SETS if available(kind)]
    for kind, (variable, _most) in SETS.items():
        if kind not in kinds:
            print(f"  no {kind}: set {variable} to a tar of pictures")
    if _with_peers() and not has_imagededup():
        print("  imagededup is not there: make peers")
    if not kinds:
        return
    processes = multiprocessing.get_context("fork")
    with tempfile.TemporaryDirectory() as scratch:
        jobs = [(kind, Path(scratch)) for kind in kinds]
        with processes.Pool(PROCESSES) as pool:
            _prepared.update(zip(kinds, pool.starmap(_prepare, jobs), strict=True))
        wanted = os.environ.get("PEDIGREE_COPIES", ",".join(TRANSFORMATIONS)).split(",")
        tasks = [(kind, name, Path(scratch)) for kind in kinds for name in wanted]
        with processes.Pool(PROCESSES) as pool:
            rows = _shown(pool.imap(_row, tasks))
    _show_totals(rows)
    if "logos" in kinds:
        trap_set.run(_with_peers())


def _with_peers() -> bool:
    return not os.environ.get("PEDIGREE_ALONE")


def _prepare(kind: str, scratch: Path) -> Prepared:
    limit = int(os.environ.get("PEDIGREE_SAMPLE", "0")) or None
    taken = list(originals(kind, limit))
    names, contents = [name for name, _ in taken], [content for _, content in taken]
    workspace = Workspace(scratch / kind)
    ids = catalogued(workspace, contents)
    codes = peer_codes(contents) if _with_peers() else {}
    return Prepared(names, contents, workspace, ids, codes)


def _row(task: tuple[str, str, Path]) -> Row:
    """Make the copies, let everybody look for them among the originals, count."""
    kind, transformation, scratch = task
    prepared = _prepared[kind]
    sources, copies, blank = _copies(prepared, transformation)
    differs = kind == "logos" and transformation in RECOLOURED
    truth = Truth(prepared.names, sources, differs=differs)
    workspace = extended(prepared.workspace, scratch / f"{kind}-{transformation}")
    ids = catalogued(workspace, copies)
    ours = catalogue_pairs(workspace, prepared.ids + ids)
    scores = {OURS: truth.score(ours)}
    if _with_peers() and copies:
        for name, codes in peer_codes(copies).items():
            scores[name] = truth.score(code_pairs(prepared.codes[name] + codes))
    details = json.dumps(
        {
            "set": kind,
            "copies": transformation,
            "missed": [] if differs else truth.missed(ours),
            "false": truth.wrong(ours),
        }
    )
    refused = ids.count(None)
    return Row(kind, transformation, len(copies), blank, refused, scores, details)


def _copies(prepared: Prepared, transformation: str) -> tuple[list[int], list[bytes], int]:
    """Sources, bytes, and how many were left out because they would show nothing."""
    sources, copies, blank = [], [], 0
    for place, (name, content) in enumerate(zip(prepared.names, prepared.contents, strict=True)):
        image = opened(content)
        if not applies(transformation, image):
            continue
        if vanishes(transformation, image):
            blank += 1
            continue
        sources.append(place)
        copies.append(TRANSFORMATIONS[transformation](image, chance(name, transformation)))
    return sources, copies, blank


def _shown(rows: Iterable[Row]) -> list[Row]:
    """Print every row as it comes; its details go to the file that is named for them."""
    done: list[Row] = []
    details = os.environ.get("PEDIGREE_DETAILS")
    if details:
        Path(details).write_text("")
    for row in rows:
        if not done:
            print("  recall / precision, or, of logos in other colours, pairs falsely found")
            print(f"  {'':<20} {'copies':>6} {'blank':>5}  " + _heads(row.scores))
        done.append(row)
        if details:
            with Path(details).open("a") as file:
                file.write(row.details + "\n")
        if not row.made:
            continue
        name = f"{row.kind} {row.transformation}"
        note = f"  ({row.refused} refused)" if row.refused else ""
        print(f"  {name:<20} {row.made:>6} {row.blank:>5}  {_cells(row.scores)}{note}", flush=True)
    return done


def _heads(names: Iterable[str]) -> str:
    return " ".join(f"{name:>16}" for name in names)


def _cells(scores: Scores) -> str:
    return " ".join(f"{_cell(score):>16}" for score in scores.values())


def _cell(score: Score) -> str:
    if not score.copies:
        return f"{score.false} false"
    return f"{score.recall:.3f} / {score.precision:.3f}"


def _show_totals(rows: list[Row]) -> None:
    counted = [
        row
        for row in rows
        if row.made and (row.kind == "logos" or row.transformation not in RECOLOURED)
    ]
    print("\n  all sets")
    for transformation in TRANSFORMATIONS:
        total = _total(row for row in counted if row.transformation == transformation)
        if total:
            extra = " (extra)" if transformation in EXTRA else ""
            ours, least = total[OURS], LEAST_RECALL.get(transformation)
            bar = _bar(ours.recall, ours.recall_interval, least)
            print(f"  {transformation + extra:<33}  {_cells(total)}  {bar}")
    total = _total(row for row in counted if row.transformation not in EXTRA)
    if not total:
        return
    print(f"  {'all but the extra ones':<33}  {_cells(total)}")
    for name, score in total.items():
        (low, high), sure = score.recall_interval, score.precision_interval
        bar = _bar(score.precision, sure, LEAST_PRECISION) if name == OURS else ""
        print(
            f"  {name:<16} recall {score.recall:.4f} ({low:.4f} to {high:.4f}),"
            f" precision {score.precision:.4f} ({sure[0]:.4f} to {sure[1]:.4f}),"
            f" {score.false:,} false pairs  {bar}"
        )


def _total(rows: Iterable[Row]) -> dict[str, Score]:
    total: dict[str, Score] = {}
    for row in rows:
        for name, score in row.scores.items():
            total[name] = total.get(name, Score()) + score
    return total


def _bar(value: float, interval: tuple[float, float], least: float | None) -> str:
    if least is None:
        return ""
    low, high = interval
    return f"{'ok' if value >= least else 'MISSED'}: bar {least:.2f}, {low:.4f} to {high:.4f}"
