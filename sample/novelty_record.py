"""The content of novelty.json, part by part: what was found, how sure that is, whose work it is."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dataset.config import to_mapping
from dataset.packed import PackedDataset
from dataset.provenance import Provenance
from sample.alignment import Alignment
from sample.audit import Audit, AuditRow
from sample.copied_share import CopiedShare
from sample.novelty import VERDICTS, NoveltyChecker, NoveltyVerdict, Scores
from sample.pictures import PictureFile
from sample.significance import Numbers, fewest_findings
from sample.strata import Stratum

_MOST_COPIED, _LOWEST = 20, 20
_FINDINGS = ("copy", "near copy")
_FACTS = ("image_id", "caption", "url", "page_url", "source", "author", "licence", "licence_url")
_MORE_FACTS = ("fetched_at", "sha256", "phash", "rating")


def header(checker: NoveltyChecker) -> dict[str, Any]:
    """What was compared with what, how, and what the calibration can bear."""
    pack, config, index = checker.pack, checker.config, checker.index
    return {
        "config": to_mapping(config),
        "embedder": index.embedder.name,
        "backend": index.backend,
        "recall": index.recall,
        "views": len(index.views),
        "pack": {
            "path": str(pack.path),
            "content_hash": pack.content_hash,
            "train": len(pack.rows("train")),
            "groups": index.group_count,
            "cal": len(pack.rows("cal")),
            "test": len(pack.rows("test")),
        },
        "calibration": _calibration(checker),
    }


def _calibration(checker: NoveltyChecker) -> dict[str, Any]:
    level, held_out = checker.config.level, checker.held_out
    ratios = checker.calibration.ratios  # with what was held to be a false alarm
    order = np.lexsort((held_out.rows, held_out.ratios))
    return {
        "pictures": len(ratios),
        "smallest_p": checker.smallest_p,
        "enough": checker.calibrated,
        "false_alarms": len(ratios) - len(held_out.ratios),
        # In the training set, too, and left out.
        "duplicates": held_out.known,
        # Held-out pictures that would be called copies: duplicates that the pack let through.
        "suspect": int((held_out.ratios <= checker.config.copy_ratio).sum()),
        # A ratio below this is at least close; each stratum has its own.
        "threshold": Stratum("all", np.inf, ratios).threshold(level),
        "strata": [
            {
                "name": stratum.name,
                "up_to": None if np.isinf(stratum.up_to) else float(stratum.up_to),
                "pictures": len(stratum.ratios),
                "smallest_p": stratum.smallest_p,
                "threshold": stratum.threshold(level),
            }
            for stratum in checker.calibration.strata
        ],
        "lowest": [
            {
                "row": int(held_out.rows[at]),
                "near_row": int(held_out.near_rows[at]),
                "ratio": float(held_out.ratios[at]),
            }
            for at in order[:_LOWEST].tolist()
        ],
        # Of the cal split, ascending; `complexities` stand in the same order.
        "ratios": [round(float(ratio), 6) for ratio in held_out.ratios[order]],
        "complexities": [round(float(bits), 4) for bits in held_out.complexities[order]],
    }


def share_record(
    share: CopiedShare, verdicts: Sequence[NoveltyVerdict], acquitted: NDArray[np.bool_]
) -> dict[str, Any]:
    """`flagged` are copies and near copies, `counted` what the estimate `rate` rests on."""
    accused = [
        found.verdict
        for found, free in zip(verdicts, acquitted.tolist(), strict=True)
        if not free and found.verdict in _FINDINGS
    ]
    return {
        "judged": share.judged,
        "flagged": len(accused),
        "copies": accused.count("copy"),
        "counted": share.counted,
        "rate": share.rate,
        "interval": list(share.interval),
    }


def findings_needed(checker: NoveltyChecker, verdicts: Sequence[NoveltyVerdict]) -> int:
    """How many pictures must have the smallest p before any of them is a near copy."""
    tested = sum(found.p is not None for found in verdicts)
    return fewest_findings(tested, round(1 / checker.smallest_p) - 1, checker.config.level)


def audit_record(done: Audit) -> dict[str, Any]:
    """Detection by kind of damage, and false alarms, with intervals."""
    return {
        "planted": [_audit_row(row) for row in done.planted],
        "all_planted": _audit_row(done.all_planted),
        "new": _audit_row(done.new),
        "new_by_stratum": [_audit_row(row) for row in done.new_by_stratum],
        "soft": _audit_row(done.soft),
    }


def _audit_row(row: AuditRow) -> dict[str, Any]:
    return {
        **asdict(row),
        "copy_interval": list(row.copy_interval),
        "flagged_interval": list(row.flagged_interval),
    }


def picture_records(
    checker: NoveltyChecker,
    files: Sequence[PictureFile],
    scores: Scores,
    verdicts: Sequence[NoveltyVerdict],
    acquitted: NDArray[np.bool_],
) -> list[dict[str, Any]]:
    """One record a picture, in their order."""
    strata = checker.calibration.strata
    places = checker.calibration.place(scores.complexity).tolist()
    scales = _scales(checker, scores)
    facts = _facts(checker.pack, scores.neighbours.rows[:, : checker.config.k])
    return [
        {
            "file": file.name,
            "sha256": file.sha256,
            "label": file.label_name,
            "seed": file.seed,
            "verdict": found.verdict,
            "false_alarm": bool(acquitted[i]),
            "p": found.p,
            "q": found.q,
            "ratio": _number(scores.ratio[i]),
            "levels": float(scores.levels[i]),
            "contrast": float(scores.contrast[i]),
            "complexity": float(scores.complexity[i]),
            "stratum": strata[places[i]].name,
            "neighbours": _neighbour_records(checker, scores, i, float(scales[i]), facts),
        }
        for i, (file, found) in enumerate(zip(files, verdicts, strict=True))
    ]


def most_copied(
    checker: NoveltyChecker, pictures: Sequence[dict[str, Any]]
) -> list[dict[str, Any]]:
    """The training pictures that findings are nearest to, those hit most often first."""
    files: dict[int, list[str]] = {}
    for picture in pictures:
        accused = picture["verdict"] in _FINDINGS and not picture["false_alarm"]
        if accused and picture["neighbours"]:
            files.setdefault(picture["neighbours"][0]["row"], []).append(picture["file"])
    ranked = sorted(files.items(), key=lambda item: (-len(item[1]), item[0]))[:_MOST_COPIED]
    copied = []
    for row, names in ranked:
        fact = checker.pack.provenance(row)
        facts = {name: getattr(fact, name) for name in (*_FACTS, *_MORE_FACTS)}
        copied.append({"row": row, "times": len(names), "files": names, **facts})
    return copied


def suspicion(record: dict[str, Any]) -> tuple[bool, int, float, float, str]:
    """The place of a picture's record in the list: the gravest first, false alarms last."""
    p, ratio = record["p"], record["ratio"]
    return (
        record["false_alarm"],
        VERDICTS.index(record["verdict"]),
        1.0 if p is None else p,
        float("inf") if ratio is None else ratio,
        record["file"],
    )


def _scales(checker: NoveltyChecker, scores: Scores) -> Numbers:
    """What a distance is divided by to be a ratio, (B,): NaN where it is undefined."""
    config = checker.config
    following = scores.neighbours.distances[:, 1 : 1 + config.reference]
    there = np.isfinite(following)
    mean = np.where(there, following, 0.0).sum(axis=1) / np.maximum(there.sum(axis=1), 1)
    return np.where(np.isnan(scores.ratio), np.nan, mean)


def _facts(pack: PackedDataset, rows: NDArray[np.int64]) -> dict[int, Provenance]:
    """Where rows came from, read in their order: each block of the pack is opened once."""
    return {row: pack.provenance(row) for row in np.unique(rows[rows >= 0]).tolist()}


def _neighbour_records(
    checker: NoveltyChecker,
    scores: Scores,
    i: int,
    scale: float,
    facts: Mapping[int, Provenance],
) -> list[dict[str, Any]]:
    pack, found, aligned = checker.pack, scores.neighbours, scores.alignments[i]
    records = []
    for place in range(min(checker.config.k, checker.index.group_count, found.rows.shape[1])):
        row = int(found.rows[i, place])
        fact = facts[row]
        view = checker.index.views[int(found.views[i, place])].name
        mirrored, distance = bool(found.mirrored[i, place]), float(found.distances[i, place])
        records.append(
            {
                "row": row,
                "distance": distance,
                "ratio": _number(distance / scale),
                "view": _view_name(view, mirrored),
                "mirrored": mirrored,
                "alignment": _alignment(aligned[place]) if place < len(aligned) else None,
                "label": pack.label_names[fact.label] if fact.label >= 0 else "",
                **{name: getattr(fact, name) for name in (*_FACTS, *_MORE_FACTS)},
            }
        )
    return records


def _alignment(alignment: Alignment) -> dict[str, Any]:
    view = alignment.view
    return {
        "zoom": view.zoom,
        "right": view.right,
        "down": view.down,
        "degrees": view.degrees,
        "mirrored": alignment.mirrored,
        "gain": alignment.gain,
        "bias": alignment.bias,
    }


def _view_name(view: str, mirrored: bool) -> str:
    if not mirrored:
        return view
    return "mirrored" if view == "as it is" else f"mirrored, {view}"


def _number(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
