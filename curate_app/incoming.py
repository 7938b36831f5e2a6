"""New pictures against the kept ones: what is there already is folded away, the rest is sorted by
what it does for the classes that are short."""

import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from flask import Blueprint, Response, abort, jsonify, render_template, request, url_for
from numpy.typing import NDArray

from curate_app.actions import apply_changes, named, read_body, read_ids, read_label
from curate_app.address import check_keys, read_after, read_class
from curate_app.arrivals import Fold, arrivals_of
from curate_app.desk import catalog, desk, held, keep_rule
from curate_app.error_pages import wants_json, wants_refresh
from curate_app.lineup import lineups
from curate_app.overview import Overview, Rows, overview
from curate_app.shortfall import ClassNeed, merit, needs_of, targets_of, totals, usefulness
from curate_app.tiles import Tile, tiles_of
from dataset.records import Change

blueprint = Blueprint("incoming", __name__)

TILES_PER_PAGE = 100
# Accepted as one batch at most, all of them shown before.
MOST_ACCEPTED = 500
_MOST_PAIRS = 30
_MOST_CLASSES = 40
# What speaks for a picture that no prediction was made for: real detail and size.
_MEASURES = ("sharpness", "detail", "pixels")


@dataclass(frozen=True)
class Queue:
    """The undecided pictures that are worth a look, the most useful first: their rows (M,) and the
    places of their labels in `names`; `ids` (N,) are those of all rows, `needs` all classes."""

    rows: Rows
    codes: NDArray[np.int32]
    ids: NDArray[np.int64]
    names: list[str]
    needs: list[ClassNeed]
    by_prediction: bool

    def rows_of(self, label: str | None) -> Rows:
        """Those of one class, or all."""
        if label is None:
            return self.rows
        found = [code for code, name in enumerate(self.names) if name == label]
        return self.rows[np.isin(self.codes, found)]

    def of(self, label: str | None) -> NDArray[np.int64]:
        """The same by id."""
        return self.ids[self.rows_of(label)]


@dataclass(frozen=True, kw_only=True)
class Pair:
    """A new picture beside the kept one that it repeats, or perhaps repeats."""

    new: Tile
    kept: Tile


@blueprint.get("/incoming")
def show() -> str | Response:
    """What came in and is undecided, the most useful first; `?label=` only of one class, where the
    best that would fill it are marked."""
    check_keys("label", "after", "line")
    label, place, line = read_class(), read_after(), _read_line()
    if bool(place) != bool(line):
        abort(400, "after and line are two halves of one place; give both or none")
    fold, compared = arrivals_of(catalog())
    queue = _queue(fold)
    need = _need_of(queue.needs, label)
    wanted = queue.of(label)
    best = wanted[: min(need.short, MOST_ACCEPTED)].tolist() if need and not place else []
    ids, more = ([], None) if wants_refresh() else _laid_out(queue, label, place, line, len(best))
    page: dict[str, Any] = {
        "waiting": len(wanted),
        "repeats": len(fold.repeats),
        "copies": _copies(fold, wanted),
        "best": best,
        "next": more,
        "pending": compared.pending,
        "failure": compared.failure,
    }
    tiles = _tiles(ids)
    by_label = {row.label: row for row in queue.needs}
    perhaps = [] if wants_refresh() else _pairs(sorted(fold.perhaps.items())[:_MOST_PAIRS])
    if wants_json():
        return jsonify(
            pictures=[
                {
                    **tile.as_json(),
                    # Somebody may have made the class since the queue was read.
                    "short": by_label[tile.label].short if tile.label in by_label else 0,
                    "copies": fold.copies.get(tile.id, []),
                }
                for tile in tiles
            ],
            perhaps=[[new, kept] for new, kept in sorted(fold.perhaps.items())],
            classes=[row.as_json() for row in queue.needs],
            **page,
        )
    return render_template(
        "incoming.html",
        tiles=tiles,
        by_label=by_label,
        copies_of=fold.copies,
        perhaps=perhaps,
        perhaps_count=len(fold.perhaps),
        needs=_shown_needs(queue.needs, label),
        sums=totals(row for row in queue.needs if row.target is not None),
        need=need,
        label=label,
        after=place,
        by_prediction=queue.by_prediction,
        data=desk().data,
        **page,
    )


@blueprint.get("/incoming/repeats")
def repeats() -> str | Response:
    """The new pictures that surely repeat kept ones, beside them: a part of the page."""
    check_keys()
    fold, _compared = arrivals_of(catalog())
    pairs = _pairs(sorted(fold.repeats.items())[:_MOST_PAIRS])
    if wants_json():
        return jsonify(repeats=[[new, kept] for new, kept in sorted(fold.repeats.items())])
    return render_template("incoming_pairs.html", pairs=pairs, count=len(fold.repeats))


@blueprint.post("/incoming/reject-repeats")
def reject_repeats() -> Response:
    """Reject every new picture that surely repeats a kept one: {"count": as many as were told}."""
    count = read_body("count").get("count")
    fold, _compared = arrivals_of(catalog())
    if len(fold.repeats) != count:
        abort(409, f"there are {len(fold.repeats):,} duplicates of kept pictures now; look again")
    if not fold.repeats:
        abort(409, "there is no duplicate of a kept picture left")
    changes = [_repeat(new, kept) for new, kept in sorted(fold.repeats.items())]
    what = f"{named(list(fold.repeats))}, {'duplicates' if count != 1 else 'a duplicate'} of kept"
    return apply_changes(changes, "reject-repeats", f"rejected {what}")


@blueprint.post("/incoming/repeat")
def repeat() -> Response:
    """Say that one new picture repeats a kept one after all: {"picture": id, "kept": id}."""
    body = read_body("picture", "kept")
    [new], [kept] = (read_ids([body.get(key)], key) for key in ("picture", "kept"))
    records = catalog().images.records([new, kept])
    if new == kept or len(records) < 2 or records[kept].status != "keep":
        abort(409, f"#{kept} is not kept any more; look again")
    return apply_changes([_repeat(new, kept)], "reject", f"rejected #{new}, a duplicate of #{kept}")


@blueprint.post("/incoming/accept")
def accept() -> Response:
    """Keep the best of a class until its target is met: {"label": text, "ids": [those shown]}.

    Error 409 for more than the class lacks, and where one of them is not new in it any more.
    """
    body = read_body("label", "ids")
    label, ids = read_label(body, "label"), read_ids(body.get("ids"), "ids")
    queue = _queue(arrivals_of(catalog())[0])
    need = _need_of(queue.needs, label)
    if need is None or len(ids) > need.short:
        abort(409, f"the class is short by {need.short if need else 0:,} now; look again")
    if gone := sorted(set(ids) - set(queue.of(label).tolist())):
        are = "is" if len(gone) == 1 else "are"
        abort(409, f"{named(gone)} {are} not new in the class any more; look again")
    changes = [Change(image_id=i, field="status", value="keep") for i in ids]
    left = need.short - len(ids)
    state = f"short by {left:,} still" if left else "its target is met"
    return apply_changes(changes, "accept", f"kept {named(ids)} of {label or 'no class'}; {state}")


def _repeat(new: int, kept: int) -> Change:
    return Change(image_id=new, field="status", value="reject", reason=f"duplicate of #{kept}")


def _laid_out(
    queue: Queue, label: str | None, place: int, line: str, best: int
) -> tuple[list[int], str | None]:
    """The pictures of a page, and the address of the next one: in the order of the first page,
    however the queue has changed since."""
    waiting = queue.rows_of(label)
    size = TILES_PER_PAGE if place else max(TILES_PER_PAGE, best)
    name = line or lineups().keep(waiting)
    found = lineups().page(name, place, waiting, size)
    if found is None:
        abort(409, "the list that this page goes on with is not held any more; open Incoming anew")
    rows, after = found
    more = url_for("incoming.show", label=label, line=name, after=after) if after else None
    return queue.ids[rows].tolist(), more


def _read_line() -> str:
    line = request.args.get("line", "")
    if not re.fullmatch("(?:[0-9a-f]{16})?", line):
        abort(400, f"line {line[:40]!r} is no name of a list")
    return line


def _queue(fold: Fold) -> Queue:
    """Everything undecided but repeats, doubtful ones and worse copies, sorted."""
    with overview().reading(catalog()) as view:
        folded = [
            *fold.repeats,
            *fold.perhaps,
            *(i for those in fold.copies.values() for i in those),
        ]
        waiting = view.status == 0
        repeated = np.zeros(len(view), bool)
        repeated[view.rows_of(list(fold.repeats))] = True
        targets = targets_of(catalog().settings.all())
        needs = needs_of(view.labels, view.label, view.status, targets, repeated)
        waiting[view.rows_of(folded)] = False
        merits, best_first, by_prediction = _merits(view)
        rows = best_first[waiting[best_first]]
        useful = usefulness(needs, view.labels, view.label[rows], merits[rows])
        # The most useful first; where no class is short, the best first.
        order = rows[np.argsort(-useful, kind="stable")].astype(np.int32)
        names = [*view.labels]
        return Queue(order, view.label[order], view.ids, names, needs, by_prediction)


def _merits(view: Overview) -> tuple[NDArray[np.float32], NDArray[np.intp], bool]:
    """How good each picture probably is (N,), the rows in that order, and whether a prediction
    says so; kept until there are other pictures or scores."""

    def read() -> tuple[NDArray[np.float32], NDArray[np.intp], bool]:
        predicted = view.column("predicted")
        merits = merit(predicted, [view.column(name) for name in names])
        best_first = np.argsort(-merits, kind="stable")
        return merits, best_first, bool((~np.isnan(predicted)).any())

    names = [name for name in _MEASURES if name in view.names()]
    state = (len(view), catalog().ratings.stamp("predicted"), tuple(names))
    return held("merits", state, read)


def _copies(fold: Fold, wanted: NDArray[np.int64]) -> int:
    """How many worse copies the best of `wanted` stand for."""
    best = np.fromiter(fold.copies, np.int64, len(fold.copies))
    shown = best[np.isin(best, wanted)].tolist()
    return sum(len(fold.copies[image_id]) for image_id in shown)


def _tiles(ids: Sequence[int]) -> list[Tile]:
    records = catalog().images.records(ids)
    return tiles_of(catalog(), [records[i] for i in ids if i in records], keep_rule()[0])


def _pairs(pairs: Sequence[tuple[int, int]]) -> list[Pair]:
    tiles = {tile.id: tile for tile in _tiles([i for pair in pairs for i in pair])}
    return [Pair(new=tiles[new], kept=tiles[kept]) for new, kept in pairs]


def _need_of(needs: Sequence[ClassNeed], label: str | None) -> ClassNeed | None:
    return next((need for need in needs if need.label == label), None)


def _shown_needs(needs: Sequence[ClassNeed], label: str | None) -> list[ClassNeed]:
    """The classes with a target or something new, the shortest first; the chosen one anyway."""
    asked = [need for need in needs if need.target is not None or need.fresh]
    return [
        need for place, need in enumerate(asked) if place < _MOST_CLASSES or need.label == label
    ]


@blueprint.app_template_filter("shell_word")
def shell_word(value: object) -> str:
    """A value as one word of a command line."""
    return shlex.quote(str(value))
