"""The assessment screens: begin one, vote blind on its pairs, and see what came of it."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, cast

from flask import (
    Blueprint,
    Response,
    abort,
    current_app,
    jsonify,
    render_template,
    request,
    send_file,
    url_for,
)

from curate_app.actions import read_body, read_text
from curate_app.address import check_keys
from curate_app.assembling import MATCHES, QUESTION, Match, Wish
from curate_app.assess_form import begin_arguments, outlooks, read_form, suggestions
from curate_app.assessment_result import as_json, result_of, settled_pairs, verdict_line
from curate_app.desk import desk, held, who, written
from curate_app.error_pages import wants_json
from curate_app.jobs import jobs
from curate_app.picture_sets import offers
from curate_app.trials import Pair, Schedule, Trial
from dataset.assessments import (
    CHOICES,
    LONGEST_NAME,
    LONGEST_QUESTION,
    Answer,
    AnswerFile,
    Assessment,
    Assessments,
    Choice,
)
from dataset.errors import ConfigError

blueprint = Blueprint("assess", __name__)

_FULL = 8  # pairs that lie ready in a page
_MOST_MORE = 30
_MOST_HELD = 100
_MOST_TRIAL = 1_000_000
_LONGEST_LOOK_MS = 3_600_000
_CACHED_FOR_EVER = "private, max-age=31536000, immutable"


@blueprint.get("/assess")
def show() -> str | Response:
    """The assessments there are, and what a new one can compare; the address holds the form:
    `?set=` (each set by its id), `name`, `question`, `match`, `tells_class`."""
    found = offers(desk().runs, desk().data)
    form = read_form(found, kept().names())
    rows = outlooks(kept(), answer_file)
    job = jobs().newest("assess")
    if wants_json():
        return jsonify(
            sets=[one.as_json() for one in found],
            assessments=[row.as_json() for row in rows],
            form=form.as_json(),
            job=None if job is None else job.as_json(),
        )
    return render_template(
        "assessments.html",
        offers=found,
        rows=rows,
        form=form,
        job=job,
        matches=MATCHES,
        **(suggestions(desk().runs) if len(found) < 2 else {}),
        longest={"name": LONGEST_NAME, "question": LONGEST_QUESTION},
    )


@blueprint.post("/assess/begin")
def begin() -> Response:
    """Begin an assessment: {"name": ..., "sets": [ids], "question": ..., "match": auto | class |
    none, "tells_class": true | false}; answers with the job."""
    body = read_body("name", "sets", "question", "match", "tells_class")
    wish = _read_wish(body)
    if wish.name in kept().names():
        abort(409, f"there is an assessment {wish.name!r} already; choose another name")
    job = jobs().start("assess", begin_arguments(wish, desk().runs, who()), f"Begin {wish.name}")
    return jsonify(job.as_json())


@blueprint.get("/assess/<name>")
def vote_page(name: str) -> str | Response:
    """The pairs to vote on. Nothing on the page or in its JSON tells which set a picture is of,
    which pairs are checks, or how the votes stand."""
    check_keys()
    assessment = _assessment(name)
    answers = answer_file(name).standing()
    page: dict[str, Any] = {
        "name": name,
        "question": assessment.question,
        **_counts(assessment, answers),
    }
    queue = _queue(assessment, answers, _FULL, set())
    if wants_json():
        return jsonify(**page, queue=queue)
    given = {"name": name, "full": _FULL, "queue": queue, "settled": page["settled"]}
    return render_template("assess.html", **page, given=given)


@blueprint.get("/assess/<name>/next")
def more(name: str) -> Response:
    """Further pairs: `count` of them, none of the `held` ones (numbers of trials: 3,4)."""
    check_keys("count", "held")
    assessment = _assessment(name)
    count, text = request.args.get("count", str(_FULL)), request.args.get("held", "")
    if re.fullmatch("[0-9]{1,2}", count) is None or not 1 <= int(count) <= _MOST_MORE:
        abort(400, f"count must be a whole number from 1 to {_MOST_MORE}")
    if len(text) > 8 * _MOST_HELD or re.fullmatch("([0-9]{1,7}(,[0-9]{1,7})*)?", text) is None:
        abort(400, "held must be numbers of trials such as 3,4")
    here = {int(one) for one in text.split(",") if one}
    answers = answer_file(name).standing()
    queue = _queue(assessment, answers, int(count), here)
    return jsonify(queue=queue, **_counts(assessment, answers))


@blueprint.post("/assess/<name>/vote")
def vote(name: str) -> Response:
    """Say which of two is better: {"trial": number, "choice": left | right | tie}.

    "ms" is how long the person looked; with "more", that many further pairs come back that are not
    "held". Error 409 for a pair that this person has answered already.
    """
    body = read_body("trial", "choice", "ms", "more", "held")
    assessment = _assessment(name)
    number, choice, look = body.get("trial"), body.get("choice"), body.get("ms", -1)
    if type(number) is not int or not 0 <= number < _MOST_TRIAL:
        abort(400, "trial must be the number that came with the pair")
    if choice not in CHOICES:
        abort(400, "choice must be left, right or tie")
    if type(look) is not int or not -1 <= look <= _LONGEST_LOOK_MS:
        abort(400, f"ms must be a whole number up to {_LONGEST_LOOK_MS}")
    count, here = _read_wanted(body)
    trial = Schedule(assessment, who()).trial(number)
    file = answer_file(name)
    if not file.add(_answer(trial, cast(Choice, choice), look)):
        abort(409, "you have answered this pair already, perhaps on another page")
    answers = file.standing()
    words = {"left": "you chose A", "right": "you chose B", "tie": "about equal"}[choice]
    more = _queue(assessment, answers, count, here) if count else []
    return jsonify(message=words, queue=more, **_counts(assessment, answers))


@blueprint.post("/assess/<name>/undo")
def undo(name: str) -> Response:
    """Take back this person's newest vote that still stands: {}; its pair comes back with it."""
    read_body()
    assessment, file = _assessment(name), answer_file(name)
    taken = file.take_back(who(), _now())
    answers = file.standing()
    queue: list[Any] = []
    if taken is not None:
        queue = [_shown(assessment, Schedule(assessment, who()).trial(taken.trial))]
    message = "nothing left to take back" if taken is None else "taken back: vote again"
    return jsonify(message=message, queue=queue, **_counts(assessment, answers))


@blueprint.get("/assess/<name>/picture/<key>.png")
def picture(name: str, key: str) -> Response:
    """One picture of an assessment by its hash; 404 for one that is not shown in it."""
    check_keys()
    assessment = _assessment(name)
    path = kept().picture(assessment.name, key)
    if key not in _keys(assessment) or not path.is_file():
        abort(404)
    response = send_file(path.resolve(), mimetype="image/png", etag=key, conditional=True)
    del response.headers["Content-Disposition"], response.headers["Last-Modified"]
    response.headers["Cache-Control"] = _CACHED_FOR_EVER
    return response


@blueprint.get("/assess/<name>/results")
def results(name: str) -> str | Response:
    """How the sets stand, with intervals, and how far each person can be relied on."""
    check_keys()
    assessment = _assessment(name)
    result = result_of(assessment, answer_file(name).standing())
    if wants_json():
        return jsonify(as_json(assessment, result))
    return render_template(
        "assessment_results.html",
        assessment=assessment,
        result=result,
        lines=[verdict_line(assessment, one) for one in result.preferences],
    )


def kept() -> Assessments:
    """The assessments of this app's data folder."""
    return Assessments(desk().data)


def answer_file(name: str) -> AnswerFile:
    """The answers to one assessment, read once and then only what is new."""
    known: dict[str, AnswerFile] = current_app.extensions.setdefault("answer_files", {})
    return known.setdefault(name, kept().answers(name))


def _assessment(name: str) -> Assessment:
    """The one of this name, or error 404."""
    if name not in kept().names():
        abort(404, f"there is no assessment {name[:LONGEST_NAME]!r}; begin it first")
    path = kept().manifest(name)
    return held(f"assessment {name}", written(path), lambda: kept().read(name))


def _keys(assessment: Assessment) -> set[str]:
    path = kept().manifest(assessment.name)
    return held(f"assessment keys {assessment.name}", written(path), assessment.every_key)


def _counts(assessment: Assessment, answers: list[Answer]) -> dict[str, Any]:
    """What a voter may know: how many votes there are, and whether that is enough."""
    return {
        "mine": sum(answer.who == who() for answer in answers),
        "votes": len(answers),
        "people": len({answer.who for answer in answers}),
        "settled": len(settled_pairs(assessment, answers)) == _pair_count(assessment),
    }


def _pair_count(assessment: Assessment) -> int:
    return len(assessment.sets) * (len(assessment.sets) - 1) // 2


def _queue(
    assessment: Assessment, answers: list[Answer], count: int, here: set[int]
) -> list[dict[str, Any]]:
    """The next pairs of the person behind this request."""
    done = {answer.trial for answer in answers if answer.who == who()}
    settled: list[Pair] = settled_pairs(assessment, answers)
    open_ = Schedule(assessment, who()).open(done, here, settled)
    return [_shown(assessment, trial) for _, trial in zip(range(count), open_, strict=False)]


def _shown(assessment: Assessment, trial: Trial) -> dict[str, Any]:
    """A pair as the page gets it: the same of every kind."""
    return {
        "trial": trial.number,
        "label": trial.label if assessment.tells_class else "",
        "images": [
            url_for("assess.picture", name=assessment.name, key=key) for key in trial.pictures
        ],
    }


def _answer(trial: Trial, choice: Choice, look: int) -> Answer:
    return Answer(
        who=who(),
        at=_now(),
        trial=trial.number,
        kind=trial.kind,
        left=trial.left,
        right=trial.right,
        pictures=trial.pictures,
        label=trial.label,
        choice=choice,
        of=trial.of,
        ms=look,
    )


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def _read_wanted(body: Mapping[str, Any]) -> tuple[int, set[int]]:
    count, here = body.get("more", 0), body.get("held", [])
    if type(count) is not int or not 0 <= count <= _MOST_MORE:
        abort(400, f"more must be a whole number from 0 to {_MOST_MORE}")
    if not isinstance(here, list) or len(here) > _MOST_HELD:
        abort(400, f"held must be a list of at most {_MOST_HELD} numbers of trials")
    if not all(type(one) is int and 0 <= one < _MOST_TRIAL for one in here):
        abort(400, "held must hold numbers of trials only")
    return count, set(here)


def _read_wish(body: dict[str, Any]) -> Wish:
    """Error 400 for what cannot be begun."""
    sets, tells = body.get("sets"), body.get("tells_class", False)
    if not isinstance(sets, list) or not all(isinstance(one, str) for one in sets):
        abort(400, "sets must be a list of the ids of sets")
    if type(tells) is not bool:
        abort(400, "tells_class must be true or false")
    known = {offer.id for offer in offers(desk().runs, desk().data)}
    for one in sets:
        if one not in known:
            abort(404, f"there is no set {one[:200]!r} any more; look at the list again")
    body = {"question": QUESTION, **body}
    match = body.get("match", "auto")
    try:
        return Wish(
            name=read_text(body, "name", LONGEST_NAME),
            sets=tuple(sets),
            question=read_text(body, "question", LONGEST_QUESTION),
            match=cast(Match, match),
            tells_class=tells,
        )
    except ConfigError as error:
        abort(400, str(error))
