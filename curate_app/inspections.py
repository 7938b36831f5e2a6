"""The novelty checks that lie below the runs' folder: novelty.json read strictly, never written.

What a check found is text from anywhere: names are kept to their folder, addresses to the web.
"""

import json
import os
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property, partial
from itertools import islice
from pathlib import Path
from typing import Any

from curate_app.desk import held, written
from curate_app.drawn_picture import VERDICTS
from curate_app.findings import Finding, read_finding, real
from dataset.false_alarms import standing
from dataset.wording import strange_letter

RECORD, REPORT = "novelty.json", "report.html"
SCHEMA = "novelty/2"
ACCUSING = ("copy", "near copy")
UNDECIDED = {"cannot say", "too simple to judge"}

_DEPTH = 4  # folders below the runs' own
_NO_CHECKS = {"checkpoints", "previews", "tensorboard"}
_MOST_CHECKS = 500
_SMALL_RECORD = 4 * 1024 * 1024
_LARGEST_RECORD = 512 * 1024 * 1024
_MOST_PAIRS, _MOST_LEFT_OUT = 20, 1000
_BROKEN = (ValueError, KeyError, TypeError, AttributeError, RecursionError, OverflowError)


class BadRecord(ValueError):
    """A novelty.json that no check of this version wrote; the message says why, in short."""


@dataclass(frozen=True, kw_only=True)
class Pair:
    """A held-out picture and the training picture that it is nearest to, by their rows."""

    row: int
    near_row: int
    ratio: float


@dataclass(frozen=True, kw_only=True)
class Checked:
    """One checked folder; `name` is its path below the runs' folder, `checked_at` in seconds.

    `rate` is the estimated share of copies with its interval, None where nothing is known of it.
    """

    name: str
    folder: Path
    checked_at: float
    findings: tuple[Finding, ...]
    pack_path: str
    pack_hash: str
    train: int
    held_out: int
    enough: bool
    rate: float | None
    interval: tuple[float, float]
    detected: float | None  # of the copies planted in the audit
    false_alarm_rate: float | None  # among the audit's new pictures
    unreadable: int
    settings: Mapping[str, Any]  # of the check, as `--set` takes them
    lowest: tuple[Pair, ...]  # the held-out pictures that look most like training pictures
    left_out: tuple[int, ...]  # rows of those that a person called duplicates

    @cached_property
    def by_sha256(self) -> dict[str, Finding]:
        """The findings by their bytes; of the same bytes under several names the gravest."""
        return {found.sha256: found for found in reversed(self.findings)}

    @property
    def verdicts(self) -> dict[str, int]:
        """Pictures by verdict, gravest first."""
        counts = Counter(found.verdict for found in self.findings)
        return {name: counts[name] for name in [*VERDICTS, *sorted(counts)] if counts[name]}


@dataclass(frozen=True, kw_only=True)
class Summary:
    """A checked folder in the list; `problem` says why it cannot be shown.

    `accused` are the copies and near copies by their bytes, `acquitted` how many of those a person
    called false alarms.
    """

    name: str
    checked_at: float
    pictures: int = 0
    verdicts: Mapping[str, int]
    rate: float | None = None
    interval: tuple[float, float] = (0.0, 1.0)
    gravest: tuple[Finding, ...] = ()
    accused: tuple[str, ...] = ()
    acquitted: int = 0
    problem: str = ""

    @property
    def copies(self) -> int:
        return len(self.accused) - self.acquitted

    @property
    def judged(self) -> int:
        """Pictures of which anything could be said."""
        return sum(self.verdicts.values()) - sum(self.verdicts.get(one, 0) for one in UNDECIDED)


def summaries(runs: Path) -> list[Summary]:
    """Every checked folder below `runs`, the newest check first."""
    found = []
    for name, folder in folders(runs):
        state = written(folder / RECORD)
        summary = held(f"novelty summary {name}", state, partial(_summary, name, folder))
        marked = standing(folder)
        acquitted = sum(sha256 in marked for sha256 in summary.accused)
        found.append(replace(summary, acquitted=acquitted))
    return sorted(found, key=lambda one: (-one.checked_at, one.name))


def checked(runs: Path, name: str) -> Checked | None:
    """The check of one folder by its name; None for what `folders` would not list.

    Raises BadRecord for a damaged record, or one of another version.
    """
    folder = _folder_named(runs, name)
    state = None if folder is None else written(folder / RECORD)
    if folder is None or state is None:
        return None
    # Of the large ones one at a time is kept: ten thousand pictures take tens of megabytes.
    place = f"novelty record {name if state[1] < _SMALL_RECORD else ''}"
    return held(place, (name, state), partial(read_checked, name, folder))


def _folder_named(runs: Path, name: str) -> Path | None:
    """The folder of a check by its name, without a search; None for any path that leads astray."""
    parts = [] if name == "." else name.split("/")
    if len(parts) > _DEPTH or strange_letter(name):
        return None
    folder = runs
    try:
        for part in parts:
            folder = folder / part
            astray = not part or part.startswith(".") or part in _NO_CHECKS
            if astray or folder.is_symlink() or not folder.is_dir():
                return None
        return None if (folder / RECORD).is_symlink() else folder
    except OSError:  # a name that no file system takes
        return None


def folders(runs: Path) -> Iterator[tuple[str, Path]]:
    """(name, folder) of those below `runs` that hold a check, a few hundred at most."""
    found = (
        (name, folder)
        for name, folder, files in searched(runs)
        if RECORD in files and not (folder / RECORD).is_symlink()
    )
    return islice(found, _MOST_CHECKS)


def searched(runs: Path) -> Iterator[tuple[str, Path, list[str]]]:
    """(name, folder, files) of all that may hold drawn pictures; links are not followed."""
    for place, below, files in os.walk(runs):
        here = Path(place)
        name = here.relative_to(runs).as_posix()
        kept = [one for one in below if not one.startswith(".") and one not in _NO_CHECKS]
        below[:] = sorted(kept) if len(here.relative_to(runs).parts) < _DEPTH else []
        if not strange_letter(name):
            yield name, here, files


def _summary(name: str, folder: Path) -> Summary:
    try:
        found = read_checked(name, folder)
    except BadRecord as error:
        when = written(folder / RECORD)
        at = 0.0 if when is None else when[0] / 1e9
        return Summary(name=name, checked_at=at, verdicts={}, problem=str(error))
    return Summary(
        name=name,
        checked_at=found.checked_at,
        pictures=len(found.findings),
        verdicts=found.verdicts,
        rate=found.rate,
        interval=found.interval,
        gravest=found.findings[:8],
        accused=tuple(one.sha256 for one in found.findings if one.verdict in ACCUSING),
    )


def read_checked(name: str, folder: Path) -> Checked:
    """Read a folder's novelty.json; raises BadRecord for what no check of this version wrote."""
    path = folder / RECORD
    try:
        stat = path.stat()
        if stat.st_size > _LARGEST_RECORD:
            raise BadRecord("its record is larger than any")
        told = json.loads(path.read_text("utf-8"))
        if told["schema"] != SCHEMA:
            raise BadRecord("it was checked by another version; check it again")
        return _checked(name, folder, stat.st_mtime, told)
    except BadRecord:
        raise
    except OSError as error:
        raise BadRecord(f"its record cannot be read: {error.strerror}") from error
    except _BROKEN as error:
        raise BadRecord("its record is damaged; check it again") from error


def _checked(name: str, folder: Path, at: float, told: Mapping[str, Any]) -> Checked:
    pack, calibration, share = told["pack"], told["calibration"], told["share"]
    low, high = map(real, share["interval"])
    return Checked(
        name=name,
        folder=folder,
        checked_at=at,
        findings=tuple(read_finding(place, one) for place, one in enumerate(told["pictures"])),
        pack_path=str(pack["path"]),
        pack_hash=str(pack["content_hash"]),
        train=int(pack["train"]),
        held_out=int(calibration["pictures"]),
        enough=calibration["enough"] is True,
        rate=None if share["rate"] is None else real(share["rate"]),
        interval=(low, high),
        detected=_rate(told["audit"]["all_planted"]),
        false_alarm_rate=_rate(told["audit"]["new"]),
        unreadable=len(told["unreadable"]),
        settings={
            str(key): value
            for key, value in told["config"].items()
            if isinstance(value, bool | int | float | str)
        },
        lowest=tuple(
            Pair(row=int(one["row"]), near_row=int(one["near_row"]), ratio=real(one["ratio"]))
            for one in calibration["lowest"][:_MOST_PAIRS]
        ),
        left_out=tuple(map(int, told["config"].get("duplicates", ())))[:_MOST_LEFT_OUT],
    )


def _rate(row: Mapping[str, Any]) -> float | None:
    return int(row["flagged"]) / int(row["trials"]) if row["trials"] else None
