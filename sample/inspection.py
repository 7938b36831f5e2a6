"""The inspection of a folder: pictures in; report.html, novelty.csv and novelty.json (last) out."""

import csv
import hashlib
import io
import json
import logging
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from dataset import atomic_file
from dataset.config import to_mapping
from dataset.packed import PackedDataset
from dataset.pixels import Pixels
from sample.audit import Audit, AuditRow, audit
from sample.embed import Embedder, LumaChroma
from sample.novelty import (
    VERDICTS,
    NoveltyChecker,
    NoveltyConfig,
    NoveltyVerdict,
    Scores,
    verdict_counts,
)
from sample.novelty_index import NoveltyIndex, build_index, pack_pictures
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
)
from sample.report import ReportPictures, render_report
from sample.significance import fewest_findings

log = logging.getLogger(__name__)

# Raised when verdicts or files change their meaning, so that old reports are made again.
SCHEMA = "novelty/1"


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
) -> Inspection:
    """Judge every picture of `folder` against the pack and write the report beside them.

    Nothing is done when the same pictures, pack and config were inspected already, unless
    `again`. With `index_path`, the index is loaded from there, or built and saved there.
    Raises ConfigError for a missing folder or pack, DataError for unusable ones.
    """
    pack, embedder = PackedDataset(pack_path), LumaChroma()
    files, missing = list_pictures(folder)
    origin = trained_on(folder)
    inputs = _inputs_hash(files, missing, origin, pack, embedder, config)
    known = None if again else read_record(folder)
    if known is not None and known.get("inputs") == inputs and (folder / REPORT).is_file():
        return Inspection(folder, known, fresh=False)

    readable, pictures, unreadable = decode_pictures(files, pack)
    for refused in (*missing, *unreadable):
        log.warning("%s is left out: %s", refused.name, refused.reason)
    if origin not in (None, pack.content_hash):
        log.warning("%s was drawn by a model trained on another pack than %s", folder, pack_path)
    checker = NoveltyChecker(pack, _index(pack, embedder, config, index_path), config)
    scores = checker.score(pictures, "scoring pictures")
    verdicts = checker.judge(scores)
    record = {
        "schema": SCHEMA,
        "inputs": inputs,
        "trained_on_this_pack": None if origin is None else origin == pack.content_hash,
        **_header(checker, embedder),
        "verdicts": verdict_counts(verdicts),
        "fewest_findings": _fewest_findings(checker, verdicts),
        "audit": _audit_record(audit(checker)),
        "unreadable": [asdict(refused) for refused in (*missing, *unreadable)],
        "pictures": _sample_records(checker, readable, scores, verdicts),
    }
    _write(folder, record, _shown_pictures(checker, readable, pictures, scores))
    return Inspection(folder, record, fresh=True)


def read_record(folder: Path) -> dict[str, Any] | None:
    """The folder's novelty.json, or None when there is none of this version."""
    try:
        record = json.loads((folder / RECORD).read_text("utf-8"))
    except (OSError, ValueError):
        return None
    return record if isinstance(record, dict) and record.get("schema") == SCHEMA else None


def _index(
    pack: PackedDataset, embedder: Embedder, config: NoveltyConfig, path: Path | None
) -> NoveltyIndex:
    if path is not None and path.exists():
        return NoveltyIndex.load(path, embedder=embedder, pack=pack)
    index = build_index(pack, embedder, max_bytes=config.index_mb * 1_000_000)
    if path is not None:
        index.save(path)
    return index


def _inputs_hash(
    files: list[PictureFile],
    missing: list[Unreadable],
    origin: str | None,
    pack: PackedDataset,
    embedder: Embedder,
    config: NoveltyConfig,
) -> str:
    content = [
        SCHEMA,
        content_hash(files),
        [(file.label_name, file.seed) for file in files],
        [asdict(refused) for refused in missing],
        origin,
        pack.content_hash,
        embedder.name,
        to_mapping(config),
    ]
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _header(checker: NoveltyChecker, embedder: Embedder) -> dict[str, Any]:
    pack, config = checker.pack, checker.config
    return {
        "config": to_mapping(config),
        "embedder": embedder.name,
        "views": len(checker.index.views),
        "pack": {
            "path": str(pack.path),
            "content_hash": pack.content_hash,
            "train": len(pack.rows("train")),
            "groups": checker.index.group_count,
            "cal": len(pack.rows("cal")),
            "test": len(pack.rows("test")),
        },
        "calibration": {
            "pictures": len(checker.calibration),
            "smallest_p": checker.smallest_p,
            "enough": checker.calibrated,
            # Held-out pictures that would be called copies: duplicates that the pack let through.
            "suspect": int((checker.calibration <= config.copy_ratio).sum()),
            "ratios": [round(float(ratio), 6) for ratio in checker.calibration],
        },
    }


def _fewest_findings(checker: NoveltyChecker, verdicts: Sequence[NoveltyVerdict]) -> int:
    tested = sum(found.p is not None for found in verdicts)
    return fewest_findings(tested, len(checker.calibration), checker.config.level)


def _audit_record(done: Audit) -> dict[str, Any]:
    def plain(row: AuditRow) -> dict[str, Any]:
        return {
            **asdict(row),
            "copy_interval": list(row.copy_interval),
            "flagged_interval": list(row.flagged_interval),
        }

    return {
        "planted": [plain(row) for row in done.planted],
        "all_planted": plain(done.all_planted),
        "new": plain(done.new),
    }


def _sample_records(
    checker: NoveltyChecker,
    files: Sequence[PictureFile],
    scores: Scores,
    verdicts: Sequence[NoveltyVerdict],
) -> list[dict[str, Any]]:
    """One record a picture, the most suspicious first."""
    records = []
    for i, (file, found) in enumerate(zip(files, verdicts, strict=True)):
        ratio = float(scores.ratio[i])
        records.append(
            {
                "file": file.name,
                "label": file.label_name,
                "seed": file.seed,
                "verdict": found.verdict,
                "p": found.p,
                "q": found.q,
                "ratio": ratio if ratio == ratio else None,
                "contrast": float(scores.contrast[i]),
                "pixel_difference": float(scores.levels[i]),
                "neighbours": _neighbour_records(checker, scores, i),
            }
        )
    return sorted(records, key=_suspicion)


def _suspicion(record: dict[str, Any]) -> tuple[int, float, float, str]:
    p, ratio = record["p"], record["ratio"]
    return (
        VERDICTS.index(record["verdict"]),
        1.0 if p is None else p,
        float("inf") if ratio is None else ratio,
        record["file"],
    )


def _neighbour_records(checker: NoveltyChecker, scores: Scores, i: int) -> list[dict[str, Any]]:
    pack, found = checker.pack, scores.neighbours
    records = []
    for place in range(min(checker.config.k, checker.index.group_count)):
        row = int(found.rows[i, place])
        fact = pack.provenance(row)
        view = checker.index.views[int(found.views[i, place])].name
        mirrored = bool(found.mirrored[i, place])
        records.append(
            {
                "row": row,
                "distance": float(found.distances[i, place]),
                "view": _view_name(view, mirrored),
                "image_id": fact.image_id,
                "label": pack.label_names[fact.label] if fact.label >= 0 else "",
                **{
                    name: getattr(fact, name)
                    for name in ("caption", "url", "page_url", "source", "author")
                },
                **{name: getattr(fact, name) for name in ("licence", "licence_url", "fetched_at")},
            }
        )
    return records


def _view_name(view: str, mirrored: bool) -> str:
    if not mirrored:
        return view
    return "mirrored" if view == "as it is" else f"mirrored, {view}"


def _shown_pictures(
    checker: NoveltyChecker, files: Sequence[PictureFile], pictures: Pixels, scores: Scores
) -> ReportPictures:
    rows = scores.neighbours.rows[:, : checker.config.k]
    shown = np.unique(rows[rows >= 0]).tolist()
    return ReportPictures(
        samples={file.name: picture for file, picture in zip(files, pictures, strict=True)},
        originals=dict(
            zip(shown, pack_pictures(checker.pack, np.array(shown, dtype=np.int64)), strict=True)
        ),
    )


def _write(folder: Path, record: dict[str, Any], pictures: ReportPictures) -> None:
    atomic_file.write_text(folder / REPORT, render_report(record, pictures))
    atomic_file.write_text(folder / TABLE, _table(record["pictures"]))
    atomic_file.write_json(folder / RECORD, record)


def _table(samples: list[dict[str, Any]]) -> str:
    """The verdicts as CSV: one line a picture, with its nearest original."""
    columns = ["file", "label", "verdict", "p", "q", "ratio", "contrast", "pixel_difference"]
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
