"""The inspection of a folder: pictures in; report.html, novelty.csv and novelty.json (last) out."""

import csv
import hashlib
import io
import json
import logging
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from dataset import atomic_file
from dataset.config import to_mapping
from dataset.false_alarms import standing
from dataset.packed import PackedDataset
from dataset.pixels import Pixels
from sample.audit import audit, share_of_copies
from sample.calibration_file import (
    calibration_key,
    calibration_path,
    load_calibration,
    save_calibration,
)
from sample.embed import Embedder, LumaChroma
from sample.novelty import VERDICTS, NoveltyChecker, NoveltyConfig, verdict_counts
from sample.novelty_index import open_index, pack_pictures
from sample.novelty_record import (
    audit_record,
    findings_needed,
    header,
    most_copied,
    picture_records,
    share_record,
    suspicion,
)
from sample.pictures import (
    RECORD,
    REPORT,
    TABLE,
    PictureFile,
    Unreadable,
    content_hash,
    decode_pictures,
    list_pictures,
    trained_on,
    trained_with,
)
from sample.report import ReportPictures, render_report, rows_shown
from sample.trained_views import views_for

log = logging.getLogger(__name__)

# Raised when verdicts or files change their meaning, so that old reports are made again.
SCHEMA = "novelty/2"
# Views of each picture that a learnt descriptor sees, spread over shifts, turns and crops: it costs
# a thousand times the built-in one and is used to small changes.
_ENCODED_VIEWS = 12


@dataclass(frozen=True)
class Inspection:
    """What novelty.json holds, and whether it was made just now."""

    folder: Path
    record: dict[str, Any]
    fresh: bool

    @property
    def report(self) -> Path:
        return self.folder / REPORT

    @property
    def counts(self) -> dict[str, int]:
        """Pictures by verdict, gravest first."""
        found: dict[str, int] = self.record["verdicts"]
        return {verdict: found[verdict] for verdict in VERDICTS}


def inspect_folder(
    folder: Path,
    pack_path: Path,
    config: NoveltyConfig,
    *,
    again: bool = False,
    index_path: Path | None = None,
    checker: NoveltyChecker | None = None,
) -> Inspection:
    """Judge every picture of `folder` against the pack and write the report beside them.

    Nothing is done when the same pictures, pack and config were inspected already, unless
    `again`. With `index_path`, the index is loaded from there, or built and saved there, and the
    calibration beside it; with a `checker` of this pack and config nothing is built. Raises
    ConfigError for a missing folder or pack, DataError for unusable ones.
    """
    pack = PackedDataset(pack_path) if checker is None else checker.pack
    files, missing = list_pictures(folder)
    origin, training = trained_on(folder), trained_with(folder)
    alarms = sorted(standing(folder))
    said = {"pack_hash": origin, "training": training}
    inputs = _inputs_hash(files, missing, said, alarms, pack, config)
    known = None if again else read_record(folder)
    if known is not None and known.get("inputs") == inputs and (folder / REPORT).is_file():
        return Inspection(folder, known, fresh=False)

    readable, pictures, unreadable = decode_pictures(files, pack)
    for refused in (*missing, *unreadable):
        log.warning("%s is left out: %s", refused.name, refused.reason)
    if origin not in (None, pack.content_hash):
        log.warning("%s was drawn by a model trained on another pack than %s", folder, pack_path)
    if checker is None:
        checker = open_checker(pack, config, index_path, training)
    known_sets = set(checker.remembered)
    record = {
        "schema": SCHEMA,
        "inputs": inputs,
        "trained_on_this_pack": None if origin is None else origin == pack.content_hash,
        **judged_record(checker, readable, pictures, alarms),
        "unreadable": [asdict(refused) for refused in (*missing, *unreadable)],
    }
    if index_path is not None and set(checker.remembered) != known_sets:
        _keep_calibration(checker, index_path)  # with the audit's scores now
    shown = np.array(rows_shown(record), dtype=np.int64)
    originals = dict(zip(shown.tolist(), pack_pictures(pack, shown), strict=True))
    samples = {file.name: picture for file, picture in zip(readable, pictures, strict=True)}
    _write(folder, record, ReportPictures(samples, originals))
    return Inspection(folder, record, fresh=True)


def open_checker(
    pack: PackedDataset,
    config: NoveltyConfig,
    index_path: Path | None = None,
    training: Mapping[str, Any] | None = None,
) -> NoveltyChecker:
    """A calibrated checker; the index is loaded from `index_path`, or built and saved there, and
    its calibration beside it.

    `training` is how the trainer changed the pictures ({"flip", "augment"}, as a manifest of drawn
    pictures has it): what it learnt from belongs into the views. Raises ConfigError for an unknown
    encoder or missing weights, DataError for an index that does not fit, WorldError for a library
    that is missing.
    """
    views = views_for(pack.width, training)
    if config.encoder:
        views = views[:: -(-len(views) // _ENCODED_VIEWS)]
    index = open_index(
        index_path,
        pack,
        _embedder(pack, config),
        views=views,
        max_bytes=config.index_mb * 1_000_000,
        backend=config.backend,
    )
    if index_path is None:
        return NoveltyChecker(pack, index, config)
    key = calibration_key(index, config)
    remembered = load_calibration(calibration_path(index_path), key)
    checker = NoveltyChecker(pack, index, config, remembered)
    if not remembered:
        _keep_calibration(checker, index_path)
    return checker


def _keep_calibration(checker: NoveltyChecker, index_path: Path) -> None:
    key = calibration_key(checker.index, checker.config)
    save_calibration(calibration_path(index_path), key, checker.remembered)


def _embedder(pack: PackedDataset, config: NoveltyConfig) -> Embedder:
    if not config.encoder:
        return LumaChroma()
    from sample.encoders import Descriptor, open_encoder  # torch models: only where asked for

    return Descriptor(open_encoder(config.encoder, pack))


def judged_record(
    checker: NoveltyChecker,
    files: Sequence[PictureFile],
    pictures: Pixels,
    alarms: Collection[str] = (),
) -> dict[str, Any]:
    """All that novelty.json says of (B, H, W, 3) pictures; `alarms` are the SHA-256 of those that
    a person holds to be new, whose scores join the calibration."""
    acquitted = np.array([file.sha256 in alarms for file in files], dtype=np.bool_)
    scores = checker.score(pictures, "scoring pictures")
    checker = checker.acquitting(scores, acquitted)
    verdicts = checker.judge(scores)
    audited = audit(checker)
    share = share_of_copies(checker, scores, audited, acquitted)
    records = picture_records(checker, files, scores, verdicts, acquitted)
    return {
        **header(checker),
        "verdicts": verdict_counts(verdicts),
        "share": share_record(share, verdicts, acquitted),
        "fewest_findings": findings_needed(checker, verdicts),
        "audit": audit_record(audited),
        "most_copied": most_copied(checker, records),
        "pictures": sorted(records, key=suspicion),
    }


def read_record(folder: Path) -> dict[str, Any] | None:
    """The folder's novelty.json, or None when there is none of this version."""
    try:
        record = json.loads((folder / RECORD).read_text("utf-8"))
    except (OSError, ValueError):
        return None
    return record if isinstance(record, dict) and record.get("schema") == SCHEMA else None


def _inputs_hash(
    files: list[PictureFile],
    missing: list[Unreadable],
    said: dict[str, Any],
    alarms: list[str],
    pack: PackedDataset,
    config: NoveltyConfig,
) -> str:
    content = [
        SCHEMA,
        content_hash(files),
        [(file.label_name, file.seed) for file in files],
        [asdict(refused) for refused in missing],
        said,
        alarms,
        pack.content_hash,
        LumaChroma.name,
        to_mapping(config),
    ]
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _write(folder: Path, record: dict[str, Any], pictures: ReportPictures) -> None:
    atomic_file.write_text(folder / REPORT, render_report(record, pictures))
    atomic_file.write_text(folder / TABLE, _table(record["pictures"]))
    atomic_file.write_json(folder / RECORD, record)


def _table(samples: list[dict[str, Any]]) -> str:
    """The verdicts as CSV: one line a picture, with its nearest original."""
    columns = ["file", "sha256", "label", "seed", "verdict", "false_alarm", "p", "q", "ratio"]
    columns += ["levels", "contrast", "complexity", "stratum"]
    of_nearest = ["distance", "view", "row", "image_id", "caption", "url", "page_url", "author"]
    of_nearest += ["licence", "licence_url"]
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow([*columns, *(f"nearest_{name}" for name in of_nearest)])
    for sample in samples:
        nearest = sample["neighbours"][0] if sample["neighbours"] else {}
        values = [sample[name] for name in columns] + [nearest.get(name) for name in of_nearest]
        table.writerow([_cell(value) for value in values])
    return text.getvalue()


def _cell(value: Any) -> Any:
    """A spreadsheet takes text that opens with = + - @ for a formula; a quote mark stops it."""
    if isinstance(value, str) and value.startswith(("=", "+", "-", "@", "\t", "\r")):
        return f"'{value}"
    return value
