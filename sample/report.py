"""The novelty report: one self-contained HTML page, pictures inlined, nothing fetched."""

import math
from collections.abc import Iterator, Sequence
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from dataset.progress import track
from sample.report_cards import Record, ReportPictures, card, original, original_uris
from sample.report_charts import (
    HEIGHT,
    RATIO_LIMIT,
    WIDTH,
    Scatter,
    histogram_bars,
    ratio_height,
    scatter,
)
from sample.report_pictures import ACROSS, SMALL, TILE, sheets
from sample.report_words import headline, percent

__all__ = ["ReportPictures", "render_report", "rows_shown"]

_MOST_CARDS = 500  # where the record does not say
_MOST_LOWEST = 20
_HELD_OUT = "held-out real pictures"


def render_report(record: Record, pictures: ReportPictures) -> str:
    """The page for the content of novelty.json; every text in it is escaped.

    The most suspicious pictures have a card each, all others a place on the wall of small ones.
    """
    cards = [
        card(picture, place, record, pictures)
        for place, picture in enumerate(_counted(_carded(record)), start=1)
    ]
    rest = record["pictures"][len(cards) :]
    rest = [picture for picture in rest if picture["file"] in pictures.samples]
    drawn = _scatter(record)
    return (
        _environment()
        .get_template("report.html.j2")
        .render(
            record=record,
            total=len(record["pictures"]),
            headline=headline(record),
            cards=cards,
            false_alarms=sum(bool(picture.get("false_alarm")) for picture in record["pictures"]),
            labels=sorted({picture["label"] for picture in record["pictures"]} - {""}),
            uris=original_uris(rows_shown(record), pictures),
            most_copied=[(hit, original(hit)) for hit in _most_copied(record)],
            lowest=_lowest(record),
            is_small=_is_small(pictures),
            chart={"width": WIDTH, "height": HEIGHT, "limit": RATIO_LIMIT},
            bars=_bars(record),
            scatter=drawn,
            thresholds=_thresholds(record, drawn),
            sheets=sheets([pictures.samples[picture["file"]] for picture in rest]),
            wall=_wall(rest),
            tile=TILE,
            across=ACROSS,
        )
    )


def rows_shown(record: Record) -> list[int]:
    """The rows of the pack, ascending, whose pictures the page shows."""
    near = {near["row"] for picture in _carded(record) for near in picture["neighbours"]}
    hit = {hit["row"] for hit in _most_copied(record)}
    pairs = {row for pair in _lowest(record) for row in (pair["row"], pair["near_row"])}
    return sorted(row for row in near | hit | pairs if row >= 0)


def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("sample"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        number=_number, percent=percent, interval=_interval, slug=_slug, many=_many
    )
    return environment


def _carded(record: Record) -> Sequence[Record]:
    found: Sequence[Record] = record["pictures"][: record["config"].get("cards", _MOST_CARDS)]
    return found


def _counted(pictures: Sequence[Record]) -> Iterator[Record]:
    return track(pictures, "laying out the report", len(pictures), "pictures")


def _most_copied(record: Record) -> Sequence[Record]:
    return record.get("most_copied") or []


def _lowest(record: Record) -> Sequence[Record]:
    """The held-out pictures that are nearest to a training picture."""
    return (record["calibration"].get("lowest") or [])[:_MOST_LOWEST]


def _is_small(pictures: ReportPictures) -> bool:
    """Whether the pictures are shown pixel by pixel."""
    return all(max(sample.shape[:2]) <= SMALL for sample in pictures.samples.values())


def _bars(record: Record) -> dict[str, Any]:
    by_verdict: dict[str, list[float]] = {verdict: [] for verdict in record["verdicts"]}
    for picture in record["pictures"]:
        if _has_place(picture):
            by_verdict.setdefault(picture["verdict"], []).append(picture["ratio"])
    return {
        "samples": histogram_bars(by_verdict) if by_verdict else [],
        "calibration": histogram_bars({_HELD_OUT: record["calibration"]["ratios"]}),
    }


def _scatter(record: Record) -> Scatter | None:
    calibration = record["calibration"]
    held_out = zip(calibration.get("complexities") or [], calibration["ratios"], strict=False)
    sets: dict[str, list[tuple[float, float]]] = {_HELD_OUT: list(held_out)}
    for verdict in reversed(record["verdicts"]):  # the gravest in front
        sets[verdict] = [
            (picture["complexity"], picture["ratio"])
            for picture in record["pictures"]
            if picture["verdict"] == verdict
            and _has_place(picture)
            and picture.get("complexity") is not None
        ]
    strata = calibration.get("strata") or []
    bounds = [(stratum["up_to"], stratum["name"]) for stratum in strata[:-1]]
    return scatter(sets, bounds)


def _has_place(picture: Record) -> bool:
    """Whether a ratio says anything of it; that of a blank picture does not."""
    return picture["ratio"] is not None and picture["verdict"] != "too simple to judge"


def _thresholds(record: Record, drawn: Scatter | None) -> list[dict[str, Any]]:
    """The ratio below which a picture is close, by stratum, and where its line begins and ends.

    Without borders inside the chart there is one line, that of all pictures.
    """
    if drawn is None:
        return []
    calibration = record["calibration"]
    strata = calibration.get("strata") or []
    edges = [0.0, *(bound.at for bound in drawn.bounds), float(WIDTH)]
    if len(strata) != len(edges) - 1:
        strata = [{"name": "", "threshold": calibration.get("threshold")}]
        edges = [0.0, float(WIDTH)]
    return [
        {
            "from": start,
            "to": end,
            "y": float(ratio_height(stratum["threshold"])),
            "ratio": stratum["threshold"],
            "name": stratum["name"],
        }
        for stratum, start, end in zip(strata, edges[:-1], edges[1:], strict=True)
        if stratum.get("threshold") is not None
    ]


def _wall(pictures: Sequence[Record]) -> dict[str, Any]:
    """What the page's script is told of the pictures without a card, in order."""
    verdicts = list(dict.fromkeys(picture["verdict"] for picture in pictures))
    labels = list(dict.fromkeys(picture["label"] for picture in pictures))
    rows = [
        [
            picture["file"],
            verdicts.index(picture["verdict"]),
            labels.index(picture["label"]),
            _rounded(picture["ratio"]),
            _rounded(picture["p"]),
            original(picture["neighbours"][0]).name if picture["neighbours"] else "",
        ]
        for picture in pictures
    ]
    return {"verdicts": verdicts, "labels": labels, "pictures": rows}


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 3)


def _number(value: float | None, digits: int = 3) -> str:
    return "–" if value is None or not math.isfinite(value) else f"{value:.{digits}f}"


def _interval(bounds: Sequence[float]) -> str:
    return f"{100 * bounds[0]:.0f}–{100 * bounds[1]:.0f}\N{NO-BREAK SPACE}%"


def _slug(text: str) -> str:
    return text.replace(" ", "-")


def _many(count: int, noun: str = "picture") -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"
