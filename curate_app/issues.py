"""The issues: a cut through one quality score, both sides of it seen before anything goes."""

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from flask import Blueprint, Response, abort, jsonify, render_template, request

from curate_app.actions import apply_changes, named, read_body
from curate_app.address import check_keys
from curate_app.cutting import Cutting, rules_to_cut
from curate_app.desk import catalog, desk, keep_rule
from curate_app.error_pages import wants_json
from curate_app.filters import KEYS, BadFilter, Filter, arguments
from curate_app.overview import overview
from curate_app.tiles import Tile, tiles_of
from dataset.errors import ConfigError
from dataset.issues import CUT_SETTING, Standard, remembered_cuts, standard_of
from dataset.quality import (
    CUTS_FILE,
    MEASURES,
    PRESET_WISHES,
    PRESETS,
    PresetWish,
    QualityCuts,
    Rule,
    read_cuts,
)
from dataset.records import STATUSES, Change, SettingChange

blueprint = Blueprint("issues", __name__)

PICTURES_A_ROW = 12
_SCALES = ("log", "linear")
_HIGHEST_CUT = 1e9  # of measures without an end


@dataclass(frozen=True, kw_only=True)
class Bench:
    """What the screen works by: the rules on offer, the one that is looked at, and where its cut
    comes from; `warning` is a line about a file that cannot be read."""

    standard: Standard
    rules: list[Rule]
    rule: Rule
    usual: float | None
    remembered: float | None
    in_file: bool
    warning: str


@blueprint.get("/issues")
def show() -> str | Response:
    """One score: `?measure=`, `?cut=`, `?preset=` auto, logo or photo, `?scale=` log or linear, and
    a filter (undecided pictures, where it says nothing of the status)."""
    check_keys("measure", "cut", "preset", "scale", filters=True)
    where, bench = _read_filter(request.args), _bench(request.args)
    cut = _read_cut(request.args.get("cut", bench.rule.cut), bench.rule)
    scale = request.args.get("scale", _SCALES[0])
    if scale not in _SCALES:
        abort(400, f"scale is one of: {', '.join(_SCALES)}")
    cutting, labels = _cutting(bench.rule, where)
    also = (cut, bench.rule.cut, bench.usual, bench.remembered)
    stops = cutting.stops(*(place for place in also if place is not None))
    bad, place = cutting.bad(stops), stops.index(cut)
    page: dict[str, Any] = {
        "measure": bench.rule.measure,
        "issue": bench.rule.issue,
        "bad": bench.rule.bad,
        "cut": cut,
        "total": len(cutting),
        "unknown": cutting.unknown,
        "would_go": bad[place],
        "usual": bench.usual,
        "remembered": bench.remembered,
        "preset": bench.standard.preset,
        "warning": bench.warning,
    }
    rows = _rows(cutting, cut)
    scores = cutting.scores_of([tile.id for row in rows.values() for tile in row])
    if wants_json():
        shown = {name: [tile.as_json() for tile in row] for name, row in rows.items()}
        return jsonify(**page, pictures=shown, scores=scores, stops=stops, bad_at=bad)
    kept = {key: request.args[key] for key in ("preset", "scale") if key in request.args}
    return render_template(
        "issues.html",
        rows=rows,
        scores=scores,
        bench=bench,
        about=MEASURES[bench.rule.measure],
        curve={"stops": stops, "bad": bad, "total": len(cutting)},
        bars=cutting.bars(stops, log_counts=scale == "log"),
        place=place,
        scale=scale,
        labels=labels,
        filter=arguments(where),
        query={**arguments(where), **kept},
        wish=request.args.get("preset", "auto"),
        wishes=PRESET_WISHES,
        statuses=STATUSES,
        quiet_number=quiet_number,
        **page,
    )


@blueprint.post("/issues/apply")
def apply() -> Response:
    """Reject what lies on the bad side: {"measure", "cut", "preset", "filter": {...}, "count": n};
    error 409 when those are not the n pictures that the person saw."""
    body = read_body("measure", "cut", "preset", "filter", "count")
    given, count = body.get("filter"), body.get("count")
    if not isinstance(given, dict) or set(given) - set(KEYS):
        abort(400, f"filter must be an object with some of: {', '.join(KEYS)}")
    if type(count) is not int or count < 1:
        abort(400, "count must be the number of pictures that would go")
    rule = _bench(body).rule
    cut = _read_cut(body.get("cut"), rule)
    where = _read_filter(given)
    if where.status == "reject":
        abort(400, "what the filter holds is rejected already")
    ids = _cutting(rule, where)[0].bad_ids(cut)
    if len(ids) != count:
        abort(409, f"{len(ids):,} pictures would go now, not {count:,}; look again")
    reason = f"{rule.issue}: {rule.measure} {_side(rule)} {quiet_number(cut)}"
    changes = [Change(image_id=i, field="status", value="reject", reason=reason) for i in ids]
    return apply_changes(changes, "cut", f"rejected {named(ids)}: {reason}")


@blueprint.post("/issues/remember")
def remember() -> Response:
    """Let a cut hold from now on, for auto and for reports: {"measure", "cut"}; a cut of null
    forgets it."""
    body = read_body("measure", "cut")
    rule = _bench(body).rule
    value, message = "", f"the usual cut of {rule.measure} holds again"
    if body.get("cut") is not None:
        value = quiet_number(_read_cut(body["cut"], rule))
        message = f"from now on {rule.measure} {_side(rule)} {value} is: {rule.issue}"
    change = SettingChange(name=f"{CUT_SETTING}{rule.measure}", value=value)
    return apply_changes([change], "remember-cut", message)


def quiet_number(value: float) -> str:
    """At most four decimals, and none that say nothing."""
    return f"{value:.4f}".rstrip("0").rstrip(".")


def _bench(given: Any) -> Bench:
    """The bench that an address or a body asks for, or error 400."""
    wish = given.get("preset", "auto")
    if wish not in PRESET_WISHES:
        abort(400, f"preset is one of: {', '.join(PRESET_WISHES)}")
    cuts, warning = _cuts(None if wish == "auto" else wish)
    try:
        standard = standard_of(catalog(), cuts)
    except ConfigError as error:
        cuts, warning = QualityCuts(preset=wish), _about_file(error)
        standard = standard_of(catalog(), cuts)
    rules = rules_to_cut(standard.rules)
    measure = given.get("measure", rules[0].measure)
    found = [rule for rule in rules if rule.measure == measure]
    if not found:
        known = ", ".join(other.measure for other in rules)
        abort(400, f"there is no score {str(measure)[:40]!r} to cut by; known: {known}")
    rule, remembered = found[0], remembered_cuts(catalog()).get(found[0].measure)
    own = [other.cut for other in PRESETS[standard.preset] if other.measure == rule.measure]
    in_file = rule.issue in cuts.cut
    if remembered is not None and not in_file:
        rule = replace(rule, cut=remembered)
    return Bench(
        standard=standard,
        rules=rules,
        rule=rule,
        usual=own[0] if own else None,
        remembered=remembered,
        in_file=in_file,
        warning=warning,
    )


def _cuts(wish: PresetWish | None) -> tuple[QualityCuts, str]:
    try:
        return read_cuts(desk().data, preset=wish), ""
    except ConfigError as error:
        return QualityCuts(preset=wish or "auto"), _about_file(error)


def _about_file(error: ConfigError) -> str:
    return f"{' '.join(str(error).split())}. Edit {CUTS_FILE}; until then the usual cuts hold."


def _cutting(rule: Rule, where: Filter) -> tuple[Cutting, list[str]]:
    """The scores of what the filter holds, and the classes that there are."""
    try:
        with overview().reading(catalog()) as view:
            mask = view.mask(where)
            known = rule.measure in view.names()  # else nothing was measured yet
            column = view.column(rule.measure) if known else np.full(len(view), np.nan, np.float32)
            return Cutting(rule, view.ids[mask], column[mask]), sorted(view.labels)
    except BadFilter as error:
        abort(400, str(error))


def _rows(cutting: Cutting, cut: float) -> dict[str, list[Tile]]:
    """The pictures just on the bad side, just on the good side, and the worst."""
    sides = dict(zip(("bad", "good", "worst"), cutting.around(cut, PICTURES_A_ROW), strict=True))
    records = catalog().images.records([image_id for ids in sides.values() for image_id in ids])
    tiles = tiles_of(catalog(), list(records.values()), keep_rule()[0])
    found = {tile.id: tile for tile in tiles}
    return {name: [found[i] for i in ids if i in found] for name, ids in sides.items()}


def _read_filter(given: Any) -> Filter:
    try:
        return Filter(**{"status": "undecided", **{k: given[k] for k in KEYS if k in given}})
    except BadFilter as error:
        abort(400, str(error))


def _read_cut(value: Any, rule: Rule) -> float:
    low, high = MEASURES[rule.measure].low, min(MEASURES[rule.measure].high, _HIGHEST_CUT)
    try:
        cut = float(value) if isinstance(value, str | int | float) else math.nan
    except (ValueError, OverflowError):
        cut = math.nan
    if isinstance(value, bool) or not low <= cut <= high:
        abort(400, f"cut {str(value)[:40]!r} must be a number from {low:g} to {high:g}")
    return round(cut, 4)


def _side(rule: Rule) -> str:
    return "under" if rule.bad == "low" else "over"
