"""The evaluation as a table for a terminal: one for each space, real pictures first."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

_MISSING = "–"


def table_lines(record: Mapping[str, Any]) -> list[str]:
    """All tables of evaluation.json's content, with what was refused and why below each."""
    lines = [
        f"{record['n']} pictures of each set, compared with as many of the pack's"
        f" {record['reference']}; ± is a 95 % interval"
    ]
    for space in record["spaces"]:
        lines += ["", f"in the space {space['encoder']} ({space['dim']} numbers)"]
        lines += _aligned([_head(space), *(_row(space, one) for one in record["sets"])])
        lines += [f"{reason}" for reason in dict.fromkeys(space["refused"].values())]
        lines += [line for one in record["sets"] for line in _gaps(space, one)]
    smaller = [one["name"] for one in record["sets"] if one["n"] < record["n"]]
    if smaller:
        lines += ["", f"fewer {smaller[0]} than n: of them only KD (KID) is to be compared"]
    strange = [one["name"] for one in record["sets"] if _of_another_pack(one)]
    lines += [f"{name} was drawn by a model that learnt from another pack" for name in strange]
    lines.append("copies score best of all: see python -m sample novelty")
    return lines


def shown(figure: Mapping[str, float] | None, title: Mapping[str, Any]) -> str:
    """Such as 0.512 ± 0.031."""
    if figure is None:
        return _MISSING
    times, digits = title["times"], title["digits"]
    half = max(figure["high"] - figure["value"], figure["value"] - figure["low"])
    value, half = figure["value"] * times, half * times
    if abs(value) >= 100 or 10 <= half < math.inf:
        digits = 1
    around = f" ± {half:.{digits}f}" if math.isfinite(half) else ""
    return f"{value:.{digits}f}{around}"


def _gaps(space: Mapping[str, Any], one: Mapping[str, Any]) -> list[str]:
    """Why a set lacks figures that others have."""
    why = one.get("refused", {}).get(space["space"], {})
    reasons = dict.fromkeys(why[metric] for metric in space["metrics"] if metric in why)
    return [f"{_MISSING} {one['name']}: {reason}" for reason in reasons]


def _of_another_pack(one: Mapping[str, Any]) -> bool:
    return one["facts"].get("trained_on_this_pack") is False


def _head(space: Mapping[str, Any]) -> list[str]:
    titles = [space["titles"][metric] for metric in space["metrics"]]
    arrows = [f"{title['name']} {'↑' if title['more_is_better'] else '↓'}" for title in titles]
    return ["", "n", *arrows]


def _row(space: Mapping[str, Any], one: Mapping[str, Any]) -> list[str]:
    figures = one["figures"][space["space"]]
    cells = [shown(figures.get(name), space["titles"][name]) for name in space["metrics"]]
    mark = "real: " if one["real"] else ""
    return [mark + one["name"], str(one["n"]), *cells]


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """Names to the left, all else to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = []
    for row in rows:
        cells = [row[0].ljust(widths[0])]
        cells += [cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True)]
        lines.append("  ".join(cells).rstrip())
    return lines
