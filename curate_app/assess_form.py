"""The form that begins an assessment, as the address holds it, and the list of those begun."""

import shlex
from collections.abc import Callable, Collection, Sequence
from dataclasses import asdict, dataclass
from itertools import count
from pathlib import Path
from typing import Any

from flask import abort, request

from curate_app.assembling import MATCHES, QUESTION, Wish
from curate_app.assessment_result import result_of
from curate_app.picture_sets import Offer
from curate_app.runs import runs_in
from dataset.assessments import LONGEST_NAME, LONGEST_QUESTION, AnswerFile, Assessments
from dataset.errors import PipelineError
from dataset.wording import strange_letter

_KEYS = ("set", "name", "question", "match", "tells_class", "format")
_MOST_GIVEN = 100
_LONGEST = {"set": 1000, "name": LONGEST_NAME, "question": LONGEST_QUESTION}
_LONGEST_OTHER = 20
_STEPS = ("10", "50")  # of two drawings to compare


@dataclass(frozen=True, kw_only=True)
class Form:
    """What the form says; `sets` are ids of sets that there are."""

    sets: tuple[str, ...]
    name: str
    question: str
    match: str
    tells_class: bool

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True, kw_only=True)
class Outlook:
    """One assessment in the list: `problem` says what is wrong with it, "" for nothing."""

    name: str
    question: str = ""
    sets: tuple[str, ...] = ()
    votes: int = 0
    people: int = 0
    settled: bool = False
    made_at: str = ""
    problem: str = ""

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def read_form(found: Sequence[Offer], taken: Collection[str]) -> Form:
    """The form of this request; error 400 for what it cannot hold. A set that is gone by now is
    left out, and a free name suggested."""
    for key, values in request.args.lists():
        if key not in _KEYS:
            known = ", ".join(sorted(_KEYS))
            abort(400, f"unknown key {key[:40]!r} in the address; known: {known}")
        if len(values) > (_MOST_GIVEN if key == "set" else 1):
            abort(400, f"{key} is given too often in the address")
        for value in values:
            longest = _LONGEST.get(key, _LONGEST_OTHER)
            if len(value) > longest or strange_letter(value):
                abort(400, f"{key} must be one line of at most {longest} printable letters")
    _check_choice("format", ("json",))
    _check_choice("match", MATCHES)
    _check_choice("tells_class", ("on",))
    wanted = set(request.args.getlist("set"))
    free = next(name for n in count(1) if (name := f"assessment-{n}") not in taken)
    return Form(
        sets=tuple(offer.id for offer in found if offer.id in wanted),
        name=request.args.get("name") or free,
        question=request.args.get("question") or QUESTION,
        match=request.args.get("match", "auto"),
        tells_class="tells_class" in request.args,
    )


def _check_choice(key: str, allowed: Collection[str]) -> None:
    if key in request.args and request.args[key] not in allowed:
        abort(400, f"{key} can only be: {', '.join(allowed)}")


def begin_arguments(wish: Wish, runs: Path, who: str) -> list[str]:
    """The words after `python -m curate_app assess` that begin it."""
    return [
        f"--runs={runs}",
        f"--who={who}",
        *(f"--compare={one}" for one in wish.sets),
        f"--question={wish.question}",
        f"--match={wish.match}",
        *(["--tells-class"] if wish.tells_class else []),
        "--",
        wish.name,
    ]


def outlooks(kept: Assessments, answers: Callable[[str], AnswerFile]) -> list[Outlook]:
    """Every assessment, the newest first; damaged ones last."""
    rows = []
    for name in kept.names():
        try:
            assessment, given = kept.read(name), answers(name).standing()
        except PipelineError as error:
            rows.append(Outlook(name=name, problem=" ".join(str(error).split())))
            continue
        result = result_of(assessment, given)
        rows.append(
            Outlook(
                name=name,
                question=assessment.question,
                sets=tuple(one.title for one in assessment.sets),
                votes=result.votes,
                people=len(result.people),
                settled=result.settled,
                made_at=assessment.made_at,
            )
        )
    return sorted(rows, key=lambda row: row.made_at, reverse=True)


def suggestions(runs: Path) -> dict[str, Any]:
    """Commands that draw sets to compare, of runs that there are (how many: "runs")."""
    found = [run for run in runs_in(runs) if not run.problem]
    path = found[0].path if found else runs / "RUN"
    lines = []
    for steps in _STEPS:
        words = ["python", "-m", "sample", "draw", str(path), "--count", "200"]
        lines.append(
            shlex.join([*words, "--steps", steps, "--out", str(path / f"samples-{steps}")])
        )
    return {"suggestions": lines, "runs": len(found), "folder": str(runs)}
