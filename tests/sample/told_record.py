"""Records as novelty.json holds them, made up, for what only shows them: no index, no search."""

import hashlib
from typing import Any

ORDER = ("copy", "near copy", "close", "cannot say", "too simple to judge", "novel")
_TRAIN = 40


def told_neighbour(row: int, **changes: Any) -> dict[str, Any]:
    """A training picture as a picture's record names it."""
    told = {
        "row": row,
        "distance": 0.25,
        "ratio": 0.3,
        "view": "as it is",
        "mirrored": False,
        "alignment": {"zoom": 1.0, "right": 0.0, "down": 0.0, "degrees": 0.0, "mirrored": False},
        "image_id": 100 + row,
        "label": "round",
        "caption": f"Drawing number {row}",
        "url": f"https://pictures.example/{row}.png",
        "page_url": f"https://pictures.example/{row}",
        "source": "drawn",
        "author": "A. Hand",
        "licence": "CC0-1.0",
        "licence_url": "https://creativecommons.org/publicdomain/zero/1.0/",
        "fetched_at": "2026-01-02T03:04:05+00:00",
        "sha256": "ab" * 32,
        "phash": "0123456789abcdef",
        "rating": 4.0,
    }
    return {**told, **changes}


def told_picture(number: int, verdict: str = "novel", **changes: Any) -> dict[str, Any]:
    """Picture `number`, which is drawing 7000 + number, near to drawing number modulo 40."""
    name = f"{number:05d}.png"
    near = [told_neighbour((number + step) % _TRAIN) for step in range(3)]
    blind = verdict in ("too simple to judge", "cannot say")
    p = {"copy": 1 / 61, "near copy": 1 / 61, "close": 3 / 61}.get(verdict, 31 / 61)
    told = {
        "file": name,
        "sha256": hashlib.sha256(name.encode()).hexdigest(),
        "label": ("round", "angular")[number % 2],
        "seed": number,
        "verdict": verdict,
        "false_alarm": False,
        "p": None if blind else p,
        "q": None if blind else min(1.0, 2 * p),
        "ratio": None if blind else 0.2 + (number % 50) / 60,
        "levels": 30.0,
        "contrast": 40.0,
        "complexity": 1.0 + number % 7 / 3,
        "stratum": "all",
        "neighbours": near,
    }
    return {**told, **changes}


def told_record(pictures: list[dict[str, Any]], **changes: Any) -> dict[str, Any]:
    """The record of these pictures, which are in the order of their suspicion."""
    verdicts = [picture["verdict"] for picture in pictures]
    ratios = [0.5 + place / 120 for place in range(60)]
    told = {
        "schema": "novelty/2",
        "inputs": "0" * 64,
        "trained_on_this_pack": None,
        "config": {
            "k": 3,
            "cards": 500,
            "reference": 50,
            "level": 0.05,
            "copy_level": 0.01,
            "copy_ratio": 0.35,
            "identical_levels": 2.0,
            "least_contrast": 6.0,
        },
        "embedder": "luma16-chroma8/1",
        "backend": "flat",
        "views": 103,
        "pack": {
            "path": "drawn.h5",
            "content_hash": "c" * 64,
            "train": _TRAIN,
            "groups": _TRAIN,
            "cal": 60,
            "test": 0,
        },
        "calibration": {
            "pictures": 60,
            "smallest_p": 1 / 61,
            "enough": True,
            "suspect": 0,
            "threshold": 0.52,
            "strata": [
                {
                    "name": "all",
                    "up_to": None,
                    "pictures": 60,
                    "smallest_p": 1 / 61,
                    "threshold": 0.52,
                }
            ],
            "lowest": [{"row": 45, "near_row": 5, "ratio": 0.3}],
            "ratios": ratios,
            "complexities": [1 + place / 30 for place in range(60)],
        },
        "verdicts": {verdict: verdicts.count(verdict) for verdict in ORDER},
        "share": {"judged": len(pictures), "rate": 0.1, "interval": [0.04, 0.19]},
        "fewest_findings": 2,
        "audit": {
            "planted": [audit_row("noise", 60, 57)],
            "all_planted": audit_row("all planted copies", 60, 57),
            "new": audit_row("new pictures (test split)", 30, 1),
        },
        "most_copied": [],
        "unreadable": [],
        "pictures": pictures,
    }
    return {**told, **changes}


def audit_row(name: str, trials: int, flagged: int) -> dict[str, Any]:
    bounds = [max(0.0, flagged / trials - 0.05), min(1.0, flagged / trials + 0.05)]
    return {
        "name": name,
        "trials": trials,
        "copies": flagged,
        "flagged": flagged,
        "copy_interval": bounds,
        "flagged_interval": bounds,
    }
