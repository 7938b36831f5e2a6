"""The novelty screen: what the checks found, picture beside original; false alarms; a new check."""

import dataclasses
import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from flask import Blueprint, Response, abort, jsonify, render_template, request, send_file, url_for

from curate_app.actions import read_body
from curate_app.address import check_keys
from curate_app.desk import desk, who
from curate_app.drawn_picture import VERDICTS
from curate_app.error_pages import wants_json
from curate_app.findings import Finding
from curate_app.inspections import (
    REPORT,
    UNDECIDED,
    BadRecord,
    Checked,
    Summary,
    checked,
    summaries,
)
from curate_app.job import Job
from curate_app.jobs import jobs
from curate_app.novelty_media import pack_of, sample_picture, training_picture
from curate_app.unchecked import Unchecked, pack_with, unchecked
from dataset.false_alarms import FalseAlarm, note, standing
from dataset.packed import PackedDataset

blueprint = Blueprint("novelty", __name__)

PICTURES_A_PAGE = 60
_FALSE_ALARM = "false alarm"
_ORDERS: dict[str, tuple[str, Callable[[Finding], Any]]] = {
    "suspicion": ("most copied first", lambda found: found.place),
    "novelty": ("most novel first", lambda found: -found.place),
    "plain": ("plainest first", lambda found: (found.complexity, found.place)),
    "file": ("by file name", lambda found: found.file),
}
_LARGEST_PAGE = 10_000
_MOST_LEFT_OUT = 1000


@dataclass(frozen=True, kw_only=True)
class View:
    """What the address asks for; "" is any."""

    folder: str
    verdict: str
    label: str
    order: str
    page: int

    @property
    def query(self) -> dict[str, Any]:
        """As the address holds it, without what goes without saying."""
        usual = {"folder": "", "verdict": "", "label": "", "order": "suspicion", "page": 1}
        told = dataclasses.asdict(self)
        return {key: told[key] for key in usual if told[key] != usual[key]}


@blueprint.app_template_filter("utc_time")
def utc_time(seconds: float) -> str:
    """Seconds since 1970 as a person reads them, to the minute."""
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M} UTC"


@blueprint.app_template_filter("share")
def share(value: float) -> str:
    """A share in per cent, with a decimal where it would else read as none or all."""
    text = f"{100 * value:.0f}"
    if text in ("0", "100") and value not in (0.0, 1.0):
        text = f"{100 * value:.1f}"
    return f"{text}\N{NO-BREAK SPACE}%"


@blueprint.get("/novelty")
def show() -> str | Response:
    """All checks, or with `?folder=` the findings of one: `&verdict=` (also "false alarm"),
    `&label=`, `&order=` suspicion, novelty, plain or file, `&page=`."""
    check_keys("folder", "verdict", "label", "order", "page")
    view = _read_view()
    if not view.folder:
        return _show_all()
    check = _check_or_404(view.folder)
    marked = standing(check.folder)
    fitting = [found for found in check.findings if _fits(found, view, marked)]
    fitting.sort(key=_ORDERS[view.order][1])
    pages = max(1, -(-len(fitting) // PICTURES_A_PAGE))
    if view.page > pages:
        abort(404, f"there are {pages} pages of these pictures")
    start = (view.page - 1) * PICTURES_A_PAGE
    shown = fitting[start : start + PICTURES_A_PAGE]
    if wants_json():
        return jsonify(
            folder=check.name,
            verdicts=check.verdicts,
            share={"rate": check.rate, "interval": check.interval},
            fitting=len(fitting),
            page=view.page,
            pages=pages,
            pictures=[_finding_json(found, marked) for found in shown],
        )
    return render_template(
        "novelty_findings.html",
        check=check,
        headline=_headline(check, marked),
        view=view,
        shown=shown,
        fitting=len(fitting),
        first=start + 1,
        pages=pages,
        marked=marked,
        unsettled=_unsettled(check, marked),
        counts=_counts(check, view, marked),
        labels=sorted({found.label for found in check.findings} - {""}),
        orders={name: title for name, (title, _) in _ORDERS.items()},
        pack=pack_of(check),
        has_report=(check.folder / REPORT).is_file(),
        job=_job(),
    )


@blueprint.get("/novelty/sample/<sha256>.png")
def show_sample(sha256: str) -> Response:
    """One checked picture: `?folder=`."""
    check_keys("folder")
    return sample_picture(_check_or_404(request.args.get("folder", "")), sha256)


@blueprint.get("/novelty/original/<pack>/<int:row>.png")
def show_original(pack: str, row: int) -> Response:
    """A training picture of the pack that was compared with: `?folder=`."""
    check_keys("folder")
    check = _check_or_404(request.args.get("folder", ""))
    if pack != check.pack_hash[:16]:
        abort(404)
    return training_picture(check, row)


@blueprint.get("/novelty/report")
def download_report() -> Response:
    """The report of a check, as a file to keep: `?folder=`."""
    check_keys("folder")
    check = _check_or_404(request.args.get("folder", ""))
    path = check.folder / REPORT
    if not path.is_file() or path.is_symlink():
        abort(404, "there is no report beside this check; check again")
    name = f"novelty-{check.name.replace('/', '-')}.html"
    return send_file(path.resolve(), as_attachment=True, download_name=name)


@blueprint.post("/novelty/false-alarm")
def mark() -> Response:
    """{"folder", "sha256", "taken_back": false}: a person says that a picture is no copy, or takes
    that back. It counts from the next check on."""
    body = read_body("folder", "sha256", "taken_back")
    check = _check_or_404(str(body.get("folder")))
    found = check.by_sha256.get(str(body.get("sha256")))
    taken_back = body.get("taken_back", False)
    if found is None:
        abort(404, "there is no such picture in this check")
    if not isinstance(taken_back, bool):
        abort(400, "taken_back must be true or false")
    alarm = FalseAlarm(
        file=found.file,
        sha256=found.sha256,
        row=found.near[0].row if found.near else -1,
        who=who(),
        at=datetime.now(UTC).isoformat(timespec="seconds"),
    )
    with desk().writing:
        is_marked = found.sha256 in standing(check.folder)
        if is_marked == taken_back:  # else it stands already: another line would say nothing new
            note(check.folder, alarm, taken_back)
        marked = standing(check.folder)
    message = f"{found.file} {'counts as found again' if taken_back else 'is a false alarm'}"
    return jsonify(
        message=message,
        sha256=found.sha256,
        false_alarm=not taken_back,
        who=alarm.who,
        false_alarms=len(marked),
        unsettled=_unsettled(check, marked),
    )


@blueprint.post("/novelty/check")
def check_again() -> Response:
    """{"folder", "duplicates": [row, ...]}: compare the folder's pictures with the pack, anew by
    the same settings, and judge without the held-out pictures of these rows. Answers with the
    job."""
    body = read_body("folder", "duplicates")
    new = [one for one in _unchecked() if one.name == body.get("folder")]
    if new:
        pack = pack_with(desk().data, new[0].pack_hash)
        if pack is None:
            abort(409, "the pack that this model learnt from is not among the packs; check by hand")
        return _start(new[0].name, new[0].folder, pack, [])
    check = _check_or_404(str(body.get("folder")))
    pack = pack_of(check)
    if pack is None:
        abort(409, f"the pack {check.pack_path} is not there any more; check by hand with another")
    settings = {**check.settings, "duplicates": _read_rows(body, check, len(pack))}
    return _start(check.name, check.folder, pack, ["--again", *_settings(settings)])


def _start(name: str, folder: Path, pack: PackedDataset, options: Sequence[str]) -> Response:
    running = jobs().newest("novelty")
    if running is not None and not running.is_over:
        abort(409, "a check is at work already; wait for it or stop it")
    arguments = [f"--packed={pack.path}", *options, "--", str(folder)]
    return jsonify(jobs().start("novelty", arguments, f"Checking {name}").as_json())


def _show_all() -> str | Response:
    found, new = summaries(desk().runs), _unchecked()
    if wants_json():
        return jsonify(
            runs=str(desk().runs),
            checks=[_summary_json(one) for one in found],
            unchecked=[{"folder": one.name, "pictures": one.pictures} for one in new],
        )
    known = {one.pack_hash: pack_with(desk().data, one.pack_hash) for one in new}
    return render_template(
        "novelty.html", checks=found, new=new, packs=known, runs=desk().runs, job=_job()
    )


def _unchecked() -> list[Unchecked]:
    useless = {one.name for one in summaries(desk().runs) if one.problem}
    return unchecked(desk().runs, useless)


def _job() -> Job | None:
    """The check that is at work, or came to nothing."""
    job = jobs().newest("novelty")
    return None if job is None or job.state == "done" else job


def _read_view() -> View:
    given = request.args
    order = given.get("order", "suspicion")
    if order not in _ORDERS:
        abort(400, f"order is one of: {', '.join(_ORDERS)}")
    page = given.get("page", "1")
    if not (page.isascii() and page.isdigit() and 1 <= int(page[:9]) <= _LARGEST_PAGE):
        abort(400, f"page {page[:40]!r} is no number of a page")
    verdict = given.get("verdict", "")
    if verdict and verdict not in (*VERDICTS, _FALSE_ALARM):
        abort(400, f"verdict is one of: {', '.join((*VERDICTS, _FALSE_ALARM))}")
    return View(
        folder=given.get("folder", ""),
        verdict=verdict,
        label=given.get("label", ""),
        order=order,
        page=int(page),
    )


def _check_or_404(name: str) -> Checked:
    try:
        found = checked(desk().runs, name)
    except BadRecord as error:
        abort(404, f"{name[:200]}: {error}")
    if found is None:
        abort(404, "there is no such check below the runs' folder")
    return found


def _fits(found: Finding, view: View, marked: Mapping[str, FalseAlarm]) -> bool:
    if view.label and found.label != view.label:
        return False
    if view.verdict == _FALSE_ALARM:
        return found.sha256 in marked
    return not view.verdict or found.verdict == view.verdict


def _counts(check: Checked, view: View, marked: Mapping[str, FalseAlarm]) -> list[tuple[str, int]]:
    """(verdict, pictures) under the class in the address, gravest first, false alarms last."""
    mine = [found for found in check.findings if not view.label or found.label == view.label]
    by_verdict = Counter(found.verdict for found in mine)
    alarms = sum(found.sha256 in marked for found in mine)
    counts = [(name, by_verdict[name]) for name in check.verdicts]
    return [("", len(mine)), *counts, *([(_FALSE_ALARM, alarms)] if alarms else [])]


def _headline(check: Checked, marked: Mapping[str, FalseAlarm]) -> str:
    """What was found, in a sentence; false alarms are taken off."""
    accused = [found for found in check.findings if found.sha256 not in marked]
    counts, total = Counter(found.verdict for found in accused), len(check.findings)
    for verdict, one, many in (
        ("copy", "is a copy", "are copies"),
        ("near copy", "is a near copy", "are near copies"),
    ):
        if number := counts[verdict]:
            return f"{number:,} of {total:,} picture{'s' * (total > 1)} {(one, many)[number > 1]}"
    if not check.enough:
        return "Too few pictures were held back to tell copies from new pictures"
    said = "Nothing to judge" if set(check.verdicts) <= UNDECIDED else "No copy"
    return f"{said} among {total:,} picture{'s' * (total > 1)}"


def _unsettled(check: Checked, marked: Mapping[str, FalseAlarm]) -> int:
    """How many marks were made or taken back since the check."""
    return sum(found.was_false_alarm != (found.sha256 in marked) for found in check.findings)


def _read_rows(body: Mapping[str, Any], check: Checked, count: int) -> list[int]:
    """The rows that are to be left out; without any in the body those of the last check."""
    rows = body.get("duplicates", list(check.left_out))
    if not isinstance(rows, list) or len(rows) > _MOST_LEFT_OUT:
        abort(400, f"duplicates must be a list of at most {_MOST_LEFT_OUT} rows")
    if not all(type(row) is int and 0 <= row < count for row in rows):
        abort(400, f"duplicates must hold rows of the pack, 0 to {count - 1}")
    return sorted(set(rows))


def _settings(settings: Mapping[str, Any]) -> Sequence[str]:
    return [f"--set={name}={json.dumps(value)}" for name, value in settings.items()]


def _finding_json(found: Finding, marked: Mapping[str, FalseAlarm]) -> dict[str, Any]:
    alarm = marked.get(found.sha256)
    told = dataclasses.asdict(found)
    del told["was_false_alarm"]
    return {**told, "false_alarm": None if alarm is None else dataclasses.asdict(alarm)}


def _summary_json(summary: Summary) -> dict[str, Any]:
    return {
        "folder": summary.name,
        "checked_at": datetime.fromtimestamp(summary.checked_at, UTC).isoformat(timespec="seconds"),
        "pictures": summary.pictures,
        "verdicts": dict(summary.verdicts),
        "share": {"rate": summary.rate, "interval": summary.interval},
        "problem": summary.problem,
        "address": url_for("novelty.show", folder=summary.name),
    }
