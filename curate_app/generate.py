"""The drawing screen: pictures of a run as they come, each with its verdict; the good ones kept.

The address holds the run and the settings; the pictures come from a child (see studio.py).
"""

import importlib.util
from collections import Counter
from dataclasses import dataclass, replace
from typing import Any

from flask import (
    Blueprint,
    Response,
    abort,
    jsonify,
    render_template,
    request,
    url_for,
)

from curate_app.actions import read_body
from curate_app.desk import desk, who
from curate_app.drawing_form import SAMPLERS, SHARES, DrawForm, allowed_keys, read_form
from curate_app.drawn_picture import AWAITED, VERDICTS, DrawnPicture
from curate_app.drawn_run import (
    LONGEST_NAME,
    drawn_or_404,
    kept_of,
    known_run,
    read_text,
    run_of_address,
    run_of_body,
    writing,
)
from curate_app.error_pages import wants_json
from curate_app.kept_pictures import file_name
from curate_app.runs import Run, runs_in
from curate_app.studio import Studio
from curate_app.studios import studios
from dataset.errors import ConfigError

blueprint = Blueprint("generate", __name__)

_MOST_SHELVED = 60  # of the kept pictures are shown, the newest
_SHARED = ("share", "like")  # of an address: how far, but never which


@dataclass(frozen=True, kw_only=True)
class Batch:
    """The pictures of one request, as the page shows them."""

    number: int
    form: DrawForm
    pictures: list[DrawnPicture]
    address: str  # of the page with these settings

    @property
    def title(self) -> str:
        form, what = self.form, self.form.label or "all classes"
        if form.like is not None:
            return f"{what}, like seed {form.like} ({SHARES[form.share]})"
        last = form.seed + form.count - 1
        seeds = f"seed {form.seed}" if form.count == 1 else f"seeds {form.seed} to {last}"
        return f"{what}, {seeds}"

    @property
    def verdicts(self) -> list[tuple[str, int]]:
        """How many pictures have each verdict, gravest first."""
        counts = Counter(picture.verdict for picture in self.pictures)
        names = [*VERDICTS, *(name for name in counts if name not in VERDICTS)]
        return [(name, counts[name]) for name in names if counts[name]]


@blueprint.get("/generate")
def show() -> str | Response | tuple[str, int]:
    """A run and the settings in the address; `?format=json` is the same."""
    runs = runs_in(desk().runs)
    given = _address()
    name = given.pop("run", None)
    if name is None and runs:
        run: Run | None = next((one for one in runs if not one.problem), runs[0])
    else:
        run = None if name is None else known_run(runs, name)
    form, fault = _form_or_fault(given, run)
    page: dict[str, Any] = {"runs": runs, "run": run, "form": form, "fault": fault}
    if run is None:
        if wants_json():
            return jsonify(runs=[], missing=_missing())
        return render_template("generate.html", missing=_missing(), folder=desk().runs, **page)
    studio = studios().of(run.name)
    shelf = _shelf(run)
    if wants_json():
        if fault:
            abort(400, fault)
        return jsonify(
            runs=[one.name for one in runs],
            run=run.name,
            settings=vars(form),
            command=form.shell_line(run),
            kept=list(shelf),
            pictures=[_as_json(one) for one in studio.since(0)],
            state=studio.as_json(),
            missing=_missing(),
        )
    html = render_template(
        "generate.html",
        missing=_missing(),
        samplers=SAMPLERS,
        shares=SHARES,
        command=form.shell_line(run),
        batches=_batches(run, studio, 0),
        kept=set(shelf),
        shelf=list(shelf.values())[: -_MOST_SHELVED - 1 : -1],
        shelved=len(shelf),
        state=studio.as_json(),
        file_name=file_name,
        **page,
    )
    return html, 400 if fault else 200


@blueprint.get("/generate/state")
def state() -> Response:
    """What the run's drawing process is at: ?run=NAME."""
    return jsonify(studios().of(run_of_address().name).as_json())


@blueprint.get("/generate/drawn")
def drawn() -> str:
    """The pictures that are new or judged anew, as a part of the page: ?run=NAME&after=REVISION."""
    run = run_of_address("after")
    after = request.args.get("after", "0")
    if not (after.isascii() and after.isdigit() and len(after) < 16):
        abort(400, f"after {after[:40]!r} is no whole number")
    batches = _batches(run, studios().of(run.name), int(after))
    kept = set(_shelf(run))
    parts = {"run": run, "batches": batches, "kept": kept, "file_name": file_name}
    return render_template("generate_drawn.html", **parts)


@blueprint.post("/generate/draw")
def draw() -> Response:
    """{"run": ..., "label": ..., "sampler": ..., "steps": ..., "guidance": ..., "seed": ...,
    "count": ..., "checkpoint": ..., "like": ..., "share": ...}; all but the run may be left out.
    Answers with the request's number and the state."""
    body = read_body("run", *allowed_keys())
    run = run_of_body(body)
    if run.problem:
        abort(400, f"{run.name} cannot be drawn from: {run.problem}")
    if missing := _missing():
        abort(503, missing)
    try:
        form = read_form(body).fitted(run)
    except ConfigError as error:
        abort(400, str(error))
    number = studios().draw(run, form)
    return jsonify(request=number, state=studios().of(run.name).as_json())


@blueprint.post("/generate/stop")
def stop() -> Response:
    """Draw no more: {"run": ...}."""
    studio = studios().of(run_of_body(read_body("run")).name)
    studio.stop()
    return jsonify(studio.as_json())


@blueprint.post("/generate/clear")
def clear() -> Response:
    """Forget what was drawn and not kept: {"run": ...}."""
    studio = studios().of(run_of_body(read_body("run")).name)
    studio.clear()
    return jsonify(studio.as_json())


@blueprint.post("/generate/keep")
def keep() -> Response:
    """Keep a picture that was drawn: {"run": ..., "picture": SHA-256}."""
    body = read_body("run", "picture")
    run = run_of_body(body)
    picture = drawn_or_404(run, body.get("picture"))
    with writing():
        file = kept_of(run).keep(picture, who())
    return _answer(run, file, f"kept seed {picture.seed}")


@blueprint.post("/generate/drop")
def drop() -> Response:
    """Keep a picture no longer: {"run": ..., "file": ...}."""
    body = read_body("run", "file")
    run, file = run_of_body(body), read_text(body, "file")
    with writing():
        if not kept_of(run).drop(file, who()):
            abort(404, f"there is no kept picture {file[:60]!r} of {run.name}")
    return _answer(run, file, f"{file} is not kept any more")


@blueprint.post("/generate/undo")
def undo() -> Response:
    """Take back this person's newest keeping or dropping that still stands: {"run": ...}."""
    run = run_of_body(read_body("run"))
    with writing():
        event = kept_of(run).undo(who())
    if event is None:
        return jsonify(message="nothing left to undo", file="", kept=False)
    return _answer(run, event.file, f"undid {event.verb} of {event.file}")


def _address() -> dict[str, str]:
    """The keys of the address, each once, as texts of some length."""
    known = ("run", "format", *(key for key in allowed_keys() if key != "like"))
    for key, values in request.args.lists():
        if key not in known:
            abort(400, f"unknown key {key[:40]!r} in the address; known: {', '.join(known)}")
        if len(values) > 1 or len(values[0]) > LONGEST_NAME:
            abort(400, f"{key} is given twice in the address, or too long")
    if request.args.get("format", "json") != "json":
        abort(400, "format can only be json")
    return {key: value.strip() for key, value in request.args.items() if key != "format"}


def _form_or_fault(given: dict[str, str], run: Run | None) -> tuple[DrawForm, str]:
    usual = DrawForm()
    if run is not None:
        usual = replace(usual, steps=min(usual.steps, run.most_steps))
    try:
        form = read_form({**usual.address(), **given})
        return (form if run is None else form.fitted(run)), ""
    except ConfigError as error:
        return usual, str(error)


def _missing() -> str:
    """What has to be installed before anything can be drawn, "" if all is there."""
    if importlib.util.find_spec("torch") is None:
        return "Drawing needs PyTorch, which is not installed here: pip install -e '.[sample]'"
    return ""


def _shelf(run: Run) -> dict[str, dict[str, Any]]:
    """The kept pictures by file, with the verdicts that came since; those whose file was removed
    by hand are left out."""
    kept = kept_of(run)
    with writing():
        kept.judge(one for one in studios().of(run.name).since(0) if one.verdict != AWAITED)
    return {file: entry for file, entry in kept.standing().items() if kept.path(file) is not None}


def _batches(run: Run, studio: Studio, after: int) -> list[Batch]:
    """The requests with pictures that changed since, newest first; each with all its pictures."""
    changed = {picture.request for picture in studio.since(after)}
    pictures = [picture for picture in studio.since(0) if picture.request in changed]
    forms = dict(studio.forms)
    return [
        Batch(
            number=number,
            form=forms[number],
            pictures=[picture for picture in pictures if picture.request == number],
            address=url_for("generate.show", run=run.name, **_plain(forms[number])),
        )
        for number in sorted(changed & set(forms), reverse=True)
    ]


def _plain(form: DrawForm) -> dict[str, Any]:
    return {key: value for key, value in form.address().items() if key not in _SHARED}


def _as_json(picture: DrawnPicture) -> dict[str, Any]:
    place = {"number": picture.number, "request": picture.request, "place": picture.place}
    return {**place, **picture.record()}


def _answer(run: Run, file: str, message: str) -> Response:
    standing = kept_of(run).standing()
    return jsonify(message=message, file=file, kept=file in standing, count=len(standing))
