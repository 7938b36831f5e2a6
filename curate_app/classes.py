"""The classes: targets, what is kept and what is missing, and how to get the missing ones."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from flask import Blueprint, Response, abort, jsonify, render_template, request

from curate_app.actions import apply_changes, named, read_body, read_label, read_text
from curate_app.address import check_keys, read_class, read_show_all
from curate_app.arrivals import arrivals_of
from curate_app.desk import catalog, desk
from curate_app.error_pages import wants_json
from curate_app.jobs import jobs
from curate_app.overview import overview
from curate_app.shortfall import (
    MOST_WANTED,
    ClassNeed,
    needs_of,
    target_change,
    targets_of,
    totals,
)
from curate_app.top_up import (
    CONTACT,
    LONGEST_CONTACT,
    LONGEST_QUERY,
    MOST_ASKED,
    SOURCES,
    TopUp,
    known_sources,
    suggested,
    yield_of,
)
from dataset.records import Change, Wish
from dataset.wording import seen

blueprint = Blueprint("classes", __name__)

# Rows of the table unless all are asked for.
_ROWS = 200
_CHART_WIDTH = 1000


@dataclass(frozen=True, kw_only=True)
class Bar:
    """One class in the balance chart, in units of 1000 to the whole width; `goal` is None without
    a target."""

    kept: float
    waiting: float
    goal: float | None


@blueprint.get("/classes")
def show() -> str | Response:
    """Every class with its target; `?label=` opens the panel of one, whose other keys (query,
    limit, contact and the names of sources) say what its top-up asks for."""
    check_keys("label", "show", "query", "limit", "contact", *SOURCES)
    needs = class_needs()
    label, show_all = read_class(), read_show_all("some")
    need = None if label is None else _need_of(needs, label)
    top_up = None if need is None else _read_top_up(request.args, need, totals(needs))
    rows = needs if show_all else needs[:_ROWS]
    if need is not None and need not in rows:
        rows = [*rows, need]
    missing = sum(row.short for row in needs)
    page: dict[str, Any] = {"total": len(needs), "missing": missing, "sums": totals(needs)}
    command = [] if top_up is None else top_up.command(desk().data)
    if wants_json():
        page["sums"] = page["sums"].as_json()
        plan = None if top_up is None else {**top_up.as_json(), "command": " ".join(command)}
        return jsonify(classes=[row.as_json() for row in rows], top_up=plan, **page)
    return render_template(
        "classes.html",
        rows=list(zip(rows, _bars(rows), strict=True)),
        hidden=len(needs) - len(rows),
        chart_pictures=_chart_pictures(rows),
        chosen=need,
        top_up=top_up,
        command=command,
        share=None if need is None else yield_of(need, totals(needs)),
        sources=SOURCES,
        job=jobs().newest("scrape"),
        names=[row.label for row in needs if row.label],
        **page,
    )


def class_needs() -> list[ClassNeed]:
    """Every class of the catalogue as it stands now."""
    fold, _compared = arrivals_of(catalog())
    with overview().reading(catalog()) as view:
        repeated = np.zeros(len(view), bool)
        repeated[view.rows_of(list(fold.repeats))] = True
        targets = targets_of(catalog().settings.all())
        return needs_of(view.labels, view.label, view.status, targets, repeated)


@blueprint.post("/classes/target")
def set_target() -> Response:
    """Set how many pictures a class shall have: {"label": text, "target": number or null}.

    A class that has no pictures yet begins so.
    """
    body = read_body("label", "target")
    label, target = read_label(body, "label"), _read_target(body)
    wish = "no target" if target is None else f"target {target:,}"
    return apply_changes([target_change(label, target)], "target", f"{_told(label)}: {wish}")


@blueprint.post("/classes/targets")
def set_targets() -> Response:
    """Set one target for all classes that have a name: {"target": number or null}."""
    target = _read_target(read_body("target"))
    labels = [need.label for need in class_needs() if need.label]
    if not labels:
        abort(409, "there is no class with a name yet; add one first")
    wish = "no target" if target is None else f"target {target:,}"
    changes = [target_change(label, target) for label in labels]
    classes = "1 class" if len(labels) == 1 else f"{len(labels):,} classes"
    return apply_changes(changes, "target", f"{classes}: {wish}")


@blueprint.post("/classes/move")
def move() -> Response:
    """Rename a class, or move all its pictures to another one: {"label": text, "to": text,
    "count": the pictures that the person saw in it}. Its target goes along to a new name."""
    body = read_body("label", "to", "count")
    label, to = (read_label(body, key) for key in ("label", "to"))
    if label == to:
        abort(400, "the class has that name already; type another one")
    with overview().reading(catalog()) as view:
        code = view.labels.index(label) if label in view.labels else -1
        ids: list[int] = view.ids[view.label == code].tolist()
    if len(ids) != body.get("count"):
        abort(409, f"{_told(label)} has {len(ids):,} pictures now; look again")
    targets = targets_of(catalog().settings.all())
    changes: list[Wish] = [Change(image_id=i, field="label", value=to) for i in ids]
    if label in targets:
        changes.append(target_change(label, None))
        if to not in targets and to:
            changes.append(target_change(to, targets[label]))
    if not changes:
        abort(409, f"{_told(label)} has no pictures and no target; look again")
    what = named(ids) if ids else "the target"
    return apply_changes(changes, "rename", f"{what} of {_told(label)} moved to {_told(to)}")


@blueprint.post("/classes/top-up")
def top_up() -> Response:
    """Start scraping for a class: {"label": text, "query": text, "limit": number, "contact":
    address, and each source to ask: "on"}; answers with the job."""
    body = read_body("label", "query", "limit", "contact", *SOURCES)
    label = read_label(body, "label")
    fields = {key: str(value) for key, value in body.items() if key != "label"}
    plan = _checked(replace(_plain(label), **_given(fields)))
    if not plan.contact:
        abort(400, "give a contact address, so that a site's owner can reach you")
    title = f"top up {_told(label)} by “{plan.query}” from {', '.join(plan.sources)}"
    job = jobs().start("scrape", plan.arguments(), title)
    return jsonify(job=job.id, message=f"started: {title}")


def _plain(label: str) -> TopUp:
    return TopUp(label=label, query=label, sources=(), limit=1)


def _read_top_up(given: Mapping[str, str], need: ClassNeed, all_classes: ClassNeed) -> TopUp:
    """The suggestion for a class, with what the address says instead."""
    return _checked(replace(suggested(catalog(), need, all_classes), **_given(given)), strict=False)


def _given(fields: Mapping[str, str]) -> dict[str, Any]:
    """The parts of a top-up that are said; sources are said by their names."""
    found: dict[str, Any] = {}
    for key, longest in (("query", LONGEST_QUERY), ("contact", LONGEST_CONTACT)):
        if key in fields:
            found[key] = read_text(dict(fields), key, longest)
    if "limit" in fields:
        text = fields["limit"]
        if not (text.isascii() and text.isdigit() and len(text) < 9):
            abort(400, f"limit {text[:40]!r} is no whole number")
        found["limit"] = int(text)
    sources = known_sources([name for name in SOURCES if fields.get(name) == "on"])
    if sources or "query" in fields:
        found["sources"] = sources
    return found


def _checked(plan: TopUp, *, strict: bool = True) -> TopUp:
    """The plan if it can be carried out, else error 400; what only waits for a person to fill it in
    is no error unless `strict`."""
    if not 1 <= plan.limit <= MOST_ASKED:
        abort(400, f"limit must be 1 to {MOST_ASKED:,} pictures of each source")
    if plan.contact and not CONTACT.fullmatch(plan.contact):
        abort(400, "the contact must be a mail address or a web address, such as me@example.org")
    if strict and not plan.query:
        abort(400, "say what to ask for: the query is empty")
    if strict and not plan.sources:
        abort(400, "choose at least one source to ask")
    return plan


def _need_of(needs: list[ClassNeed], label: str) -> ClassNeed:
    found = next((need for need in needs if need.label == label), None)
    if found is None:
        abort(
            404,
            f"there is no class {seen(label)[:200]!r}; it was renamed, or its last picture moved",
        )
    return found


def _read_target(body: Mapping[str, Any]) -> int | None:
    target = body.get("target")
    if target is None:
        return None
    if type(target) is not int or not 0 <= target <= MOST_WANTED:
        abort(400, f"target must be a whole number from 0 to {MOST_WANTED:,}, or null for none")
    return target


def _chart_pictures(needs: list[ClassNeed]) -> int:
    """How many pictures the whole width of the chart stands for, in all rows alike."""
    return max((max(need.kept + need.fresh, need.target or 0) for need in needs), default=0)


def _bars(needs: list[ClassNeed]) -> list[Bar]:
    """The bars of the chart, all on one scale."""
    unit = _CHART_WIDTH / (_chart_pictures(needs) or 1)
    return [
        Bar(
            kept=need.kept * unit,
            waiting=need.fresh * unit,
            goal=None if need.target is None else need.target * unit,
        )
        for need in needs
    ]


def _told(label: str) -> str:
    return f"“{seen(label)}”" if label else "pictures without a class"


@blueprint.app_template_filter("class_name")
def class_name(label: str) -> str:
    """A label as pages show it."""
    return seen(label) or "no class"
