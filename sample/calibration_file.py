"""The calibration kept beside an index, so that the next check of the same pack starts at once."""

import hashlib
import json
import logging
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import NamedTuple

import numpy as np

from dataset.errors import DataError
from sample.index_file import Arrays, read_arrays, write_arrays
from sample.novelty import CAL, NoveltyConfig, Scores
from sample.novelty_index import Neighbours, NoveltyIndex

log = logging.getLogger(__name__)

# Raised when the same pictures are scored otherwise.
_SCHEMA = "novelty-calibration/2"
_SCORES = ("contrast", "complexity", "ratio", "levels")
_NEAREST = ("rows", "distances", "views", "mirrored")
# What of the config decides a score, and which pictures the audit scores.
_DECISIVE = ("aligned", "reference", "least_reference")
_OF_AUDIT = ("audit", "seed")


class CalibrationKey(NamedTuple):
    """SHA-256 of all that decides the scores; of another key they are measured anew. The cal
    split's do not depend on the audit, so that commands with another audit share them."""

    cal: str
    audit: str


def calibration_path(index: Path) -> Path:
    """Where the calibration of an index lies."""
    return index.with_name(f"{index.name}.calibration")


def calibration_key(index: NoveltyIndex, config: NoveltyConfig) -> CalibrationKey:
    """The key of what `config` scores by this index."""
    content: list[object] = [
        index.pack_hash,
        index.embedder.name,
        [asdict(view) for view in index.views],
        [getattr(config, name) for name in _DECISIVE],
    ]
    of_audit = [*content, [getattr(config, name) for name in _OF_AUDIT]]
    return CalibrationKey(_digest(content), _digest(of_audit))


def _digest(content: list[object]) -> str:
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()


def save_calibration(path: Path, key: CalibrationKey, scores: Mapping[str, Scores]) -> None:
    """Keep sets of scores, of each picture the nearest original alone; raises WorldError."""
    arrays: Arrays = {}
    for name, of_set in scores.items():
        for part in _SCORES:
            arrays[f"{name}/{part}"] = np.ascontiguousarray(getattr(of_set, part))
        for part in _NEAREST:
            nearest = getattr(of_set.neighbours, part)[:, :1]
            arrays[f"{name}/{part}"] = np.ascontiguousarray(nearest)
    write_arrays(path, arrays, {"schema": _SCHEMA, **key._asdict(), "sets": list(scores)})


def load_calibration(path: Path, key: CalibrationKey) -> dict[str, Scores]:
    """The sets kept under this key; none where there is no file, or a damaged or another one."""
    if not path.is_file():
        return {}
    try:
        arrays, about = read_arrays(path, _SCHEMA)
        if about.get("cal") != key.cal:
            return {}
        names = about["sets"] if about.get("audit") == key.audit else [CAL]
        return {str(name): _scores(arrays, str(name)) for name in names}
    except (DataError, KeyError, TypeError) as error:
        log.info("the calibration in %s is not used: %s", path, error)
        return {}


def _scores(arrays: Arrays, name: str) -> Scores:
    parts = {part: np.array(arrays[f"{name}/{part}"]) for part in (*_SCORES, *_NEAREST)}
    near = Neighbours(**{part: parts[part] for part in _NEAREST})
    of_set = {part: parts[part] for part in _SCORES}
    return Scores(**of_set, neighbours=near, alignments=[[] for _ in parts["ratio"]])
