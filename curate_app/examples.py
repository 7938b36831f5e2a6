"""Ranked by example: what the judgements so far foretell of the other pictures, and how surely."""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from flask import Blueprint, Response, abort, jsonify, render_template, url_for
from numpy.typing import NDArray

from curate_app.actions import read_body
from curate_app.address import check_keys, read_filter
from curate_app.desk import catalog, keep_rule
from curate_app.error_pages import wants_json
from curate_app.filters import BadFilter, Filter, arguments
from curate_app.jobs import jobs
from curate_app.lesson import BINS, Figure, Lesson, judged_since, lesson_of
from curate_app.overview import Overview, overview
from curate_app.tiles import Tile, tiles_of

blueprint = Blueprint("examples", __name__)

TILES_PER_ROW = 12
# So many judgements that the predictions do not know, or a tenth of what they know: suggest more.
_MANY_NEW = 20
_MOST_CLASSES = 200
_UNDECIDED, _KEPT, _REJECTED = 0, 1, 2
_PLOT_HEIGHT = 60.0
_TITLES = {
    "sorting": "Kept above rejected",
    "ordering": "Agreement with stars",
    "votes": "Winners of votes",
    "votes by lot": "Winners, pairs drawn by lot",
}


@dataclass(frozen=True, kw_only=True)
class ShownRow:
    """One row of tiles with the predicted chance of each, 0..1; `address` leads to all of them."""

    name: str
    title: str
    meaning: str
    address: str
    tiles: list[Tile]
    chances: list[float]

    def as_json(self) -> dict[str, Any]:
        pictures = [
            {**tile.as_json(), "predicted": round(chance, 4)}
            for tile, chance in zip(self.tiles, self.chances, strict=True)
        ]
        return {"name": self.name, "address": self.address, "pictures": pictures}


@dataclass(frozen=True, kw_only=True)
class ShownFigure:
    """An accuracy in words, and on a line from guessing (0) to certain (1)."""

    title: str
    meaning: str
    text: str
    count: int
    at: tuple[float, float, float] | None  # low, value, high
    better: bool  # whether the whole interval is better than guessing


@blueprint.get("/examples")
def show() -> str | Response:
    """What was learned and how good it is, then the best, the worst, the most worth judging and
    the oddest judgements, among the pictures that the filter in the address leaves."""
    check_keys(filters=True)
    where = read_filter()
    lesson = lesson_of(catalog())
    new = 0 if lesson is None else judged_since(catalog(), lesson)
    try:
        rows, labels = _rows(where) if lesson else ([], [])
    except BadFilter as error:
        abort(400, str(error))
    job = jobs().newest("predict")
    if wants_json():
        return jsonify(
            lesson=None if lesson is None else dataclasses.asdict(lesson),
            judged_since=new,
            filter=arguments(where),
            rows=[row.as_json() for row in rows],
            job=None if job is None else job.as_json(),
        )
    return render_template(
        "examples.html",
        lesson=lesson,
        new=new,
        suggest=lesson is not None and new >= max(_MANY_NEW, lesson.judged // 10),
        # Of what nobody did yet there is nothing to say.
        figures=[_shown(figure) for figure in lesson.figures if figure.count] if lesson else [],
        bars=_bars(lesson) if lesson else [],
        rows=rows,
        labels=labels,
        filter=arguments(where),
        job=None if job is None or (job.state == "done" and lesson) else job,
    )


@blueprint.post("/examples/learn")
def learn() -> Response:
    """Start learning anew: {}. Answers with the job."""
    read_body()
    running = jobs().newest("predict")
    if running is not None and not running.is_over:
        abort(409, "it is learning already; wait for it or stop it")
    return jsonify(jobs().start("predict", [], "Learning from the judgements").as_json())


def _rows(where: Filter) -> tuple[list[ShownRow], list[str]]:
    """The rows of the page, and the classes to choose from."""
    with overview().reading(catalog()) as view:
        mask = view.mask(where)
        predicted, worth = view.column("predicted"), view.column("worth")
        open_ = mask & (view.status == _UNDECIDED) & ~np.isnan(predicted)
        kept, rejected = (mask & (view.status == code) for code in (_KEPT, _REJECTED))
        chosen = {
            "best": _first(view, open_, -predicted),
            "worth": _first(view, open_ & ~np.isnan(worth), -worth),
            "worst": _first(view, open_, predicted),
            # What was decided against the prediction: among the rejected, duplicates drop out.
            "kept": _first(view, kept & (predicted < 0.5), predicted, TILES_PER_ROW // 2),
            "rejected": _first(view, rejected & (predicted > 0.5), -predicted, 8 * TILES_PER_ROW),
        }
        chances = {
            int(i): float(predicted[row])
            for ids in chosen.values()
            for i, row in zip(ids, view.rows_of(ids), strict=True)
        }
        classes = list(view.counts("label", np.ones(len(view), dtype=bool)))
    records = catalog().images.records([i for ids in chosen.values() for i in ids])
    rejects = [i for i in chosen["rejected"] if not records[i].reason.startswith("duplicate of ")]
    chosen["odd"] = [*chosen.pop("kept"), *rejects[: TILES_PER_ROW // 2]]
    del chosen["rejected"]
    rule = keep_rule()[0]
    rows = []
    for name, ids in chosen.items():
        tiles = tiles_of(catalog(), [records[i] for i in ids], rule)
        title, meaning, address = _described(name, where)
        rows.append(
            ShownRow(
                name=name,
                title=title,
                meaning=meaning,
                address=address,
                tiles=tiles,
                chances=[chances[tile.id] for tile in tiles],
            )
        )
    return rows, sorted(classes)[:_MOST_CLASSES]


def _first(
    view: Overview, mask: NDArray[np.bool_], key: NDArray[np.float32], count: int = TILES_PER_ROW
) -> list[int]:
    """The ids of the `count` pictures of a mask with the smallest keys, smallest first."""
    rows = np.flatnonzero(mask)
    if len(rows) > count:
        # Equal keys by id: all that are as good as the last one take part.
        last = np.partition(key[rows], count - 1)[count - 1]
        rows = rows[key[rows] <= last]
    rows = rows[np.argsort(key[rows], kind="stable")][:count]
    found: list[int] = view.ids[rows].tolist()
    return found


def _described(name: str, where: Filter) -> tuple[str, str, str]:
    """Title, meaning and the address in the grid of a row."""
    given = arguments(dataclasses.replace(where, status="undecided"))
    if name == "best":
        return (
            "Probably best",
            "undecided, most likely to be kept",
            url_for("grid.show", **given, sort="-predicted"),
        )
    if name == "worst":
        return (
            "Probably worst",
            "undecided, least likely to be kept",
            url_for("grid.show", **given, sort="predicted"),
        )
    if name == "worth":
        return (
            "Most worth judging next",
            "a judgement here teaches most, for the classes that lack most",
            url_for("grid.show", **given, sort="-worth"),
        )
    given = arguments(dataclasses.replace(where, status="reject"))
    return (
        "Look again",
        "decided against the prediction: a slip, or something to be learned",
        url_for("grid.show", **given, sort="-predicted"),
    )


def _shown(figure: Figure) -> ShownFigure:
    title = _TITLES.get(figure.name, figure.name)
    if figure.value is None:
        text = f"cannot say yet: {figure.missing}"
        return ShownFigure(
            title=title, meaning=figure.meaning, text=text, count=0, at=None, better=False
        )
    if figure.name == "ordering":
        text = f"{figure.value:.2f} ({figure.low:.2f} to {figure.high:.2f})"
    else:
        text = f"{100 * figure.value:.0f} % ({100 * figure.low:.0f} to {100 * figure.high:.0f} %)"
    low, value, high = (
        min(max((level - figure.chance) / (1 - figure.chance), 0.0), 1.0)
        for level in (figure.low, figure.value, figure.high)
    )
    return ShownFigure(
        title=title,
        meaning=figure.meaning,
        text=text,
        count=figure.count,
        at=(round(low, 3), round(value, 3), round(high, 3)),
        better=figure.low > figure.chance,
    )


def _bars(lesson: Lesson) -> list[dict[str, Any]]:
    """The histogram of predicted chances: for each bin the heights of kept and rejected ones."""
    if not any(lesson.kept) or not any(lesson.rejected):
        return []
    most = max(max(_shares(lesson.kept)), max(_shares(lesson.rejected)))
    pairs = zip(_shares(lesson.kept), _shares(lesson.rejected), strict=True)
    return [
        {
            "x": place * 100 / BINS,
            "kept": round(_PLOT_HEIGHT * kept / most, 2),
            "rejected": round(_PLOT_HEIGHT * rejected / most, 2),
            "title": f"predicted {100 * place // BINS} to {100 * (place + 1) // BINS} %: "
            f"{lesson.kept[place]} kept, {lesson.rejected[place]} rejected",
        }
        for place, (kept, rejected) in enumerate(pairs)
    ]


def _shares(counts: Sequence[int]) -> list[float]:
    return [count / sum(counts) for count in counts]
