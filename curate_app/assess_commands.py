"""`python -m curate_app assess`: begin a human assessment, or print what came of one."""

import argparse
import json
from pathlib import Path
from typing import Any

from dataset.assessments import Assessments
from dataset.command_line import CommandLine, add_data_option, printable
from dataset.errors import ConfigError, DataError
from dataset.judge_name import judge_name
from dataset.workspace import Workspace

_DEFAULT_RUNS = Path("runs")
_MATCHES = ("auto", "class", "none")


def add_verb(command: CommandLine) -> None:
    """The verb of the assessments."""
    verb = command.verb(
        "assess",
        _assess,
        "print how people prefer sets of pictures in a blind comparison, or begin one",
        """python -m curate_app assess
        python -m curate_app assess old-or-new --json
        python -m curate_app assess steps --compare folder:tiny/s20 --compare folder:tiny/s50
        python -m curate_app assess real --compare folder:tiny/samples --compare pack:tiny/test""",
    )
    verb.add_argument("name", nargs="?", help="which one (default: list all)")
    add_data_option(verb)
    verb.add_argument(
        "--runs",
        type=Path,
        default=_DEFAULT_RUNS,
        metavar="DIR",
        help="the training's runs, below which drawn pictures lie (runs)",
    )
    verb.add_argument(
        "--compare",
        action="append",
        default=[],
        metavar="SET",
        help="begin it with this set, two or more times: folder:PATH below the runs, or "
        "pack:NAME/SPLIT of the data folder's packs",
    )
    verb.add_argument("--question", metavar="TEXT", help="what is asked (Which picture is better?)")
    verb.add_argument(
        "--match",
        choices=_MATCHES,
        default="auto",
        help="class: only pictures of one class meet; auto: where the sets share classes",
    )
    verb.add_argument("--tells-class", action="store_true", help="show the class with each pair")
    verb.add_argument("--most", type=int, help="pictures of each set at most (400)")
    verb.add_argument("--seed", type=int, help="of the lots that are drawn (a new one)")
    verb.add_argument("--who", default="me", metavar="NAME", help="who begins it (me)")
    verb.add_argument("--json", action="store_true", help="print as JSON")


def _assess(options: argparse.Namespace) -> None:
    kept = Assessments(options.data)
    if not options.compare:
        _check_nothing_to_begin(options)
    if options.compare:
        _begin(options)
    elif options.name is None:
        _list(kept, options.json)
    else:
        _print_result(kept, options.name, options.json)


def _check_nothing_to_begin(options: argparse.Namespace) -> None:
    """What only a new assessment heeds is not passed over in silence."""
    for key in ("question", "most", "seed"):
        if getattr(options, key) is not None:
            raise ConfigError(f"--{key} is for a new assessment; say which sets with --compare")
    if options.tells_class:
        raise ConfigError("--tells-class is for a new assessment; say which sets with --compare")


def _begin(options: argparse.Namespace) -> None:
    from curate_app.assembling import Wish, begin  # packs take a while to load

    if options.name is None:
        raise ConfigError("give the assessment a name: python -m curate_app assess NAME --compare")
    Workspace(options.data).require_catalog()
    chosen = {key: getattr(options, key) for key in ("question", "most", "seed")}
    wish = Wish(
        name=options.name,
        sets=tuple(options.compare),
        match=options.match,
        tells_class=options.tells_class,
        **{key: value for key, value in chosen.items() if value is not None},
    )
    begun = begin(wish, options.runs, options.data, judge_name(options.who))
    if options.json:
        facts = {"name": begun.name, "sets": [len(one.pictures) for one in begun.sets]}
        print(json.dumps({**facts, "by_class": begun.by_class, "gold": len(begun.gold)}))
        return
    for one in begun.sets:
        print(f"{len(one.pictures):7} pictures of {printable(one.title)}")
    how = "of one class at a time" if begun.by_class else "of any class"
    print(f"pairs {how}, {len(begun.gold)} gold checks from {printable(begun.gold_source)}")
    print(f"vote on it in the app: /assess/{begun.name} (make curate)")


def _list(kept: Assessments, as_json: bool) -> None:
    rows = [_facts(kept, name) for name in kept.names()]
    if as_json:
        print(json.dumps(rows, ensure_ascii=False))
        return
    if not rows:
        print("there is no assessment yet; begin one in the app (make curate), or with --compare")
    for row in rows:
        if "problem" in row:
            print(f"{row['name']:24} {printable(row['problem'])}")
            continue
        titles = " / ".join(map(printable, row["sets"]))
        print(f"{row['name']:24} {_votes(row['votes']):>12}  {titles}")


def _facts(kept: Assessments, name: str) -> dict[str, Any]:
    """Of one assessment; checks and repeated pairs are no votes."""
    try:
        one, answers = kept.read(name), kept.answers(name).standing()
    except DataError as error:
        return {"name": name, "problem": str(error)}
    sets = [part.title for part in one.sets]
    votes = sum(answer.kind == "compare" for answer in answers)
    return {"name": one.name, "question": one.question, "sets": sets, "votes": votes}


def _print_result(kept: Assessments, name: str, as_json: bool) -> None:
    from curate_app import assessment_result as results  # linear algebra takes a while to load

    assessment = kept.read(name)
    result = results.result_of(assessment, kept.answers(name).standing())
    if as_json:
        print(json.dumps(results.as_json(assessment, result), ensure_ascii=False))
        return
    print(printable(assessment.question))
    for one in result.preferences:
        first, second = (printable(assessment.sets[n].title) for n in (one.first, one.second))
        if not one.votes:
            print(f"{first} or {second}: no votes yet")
            continue
        print(
            f"{first} over {second}: {_percent(one.share)} of {_votes(one.votes)} "
            f"({one.ties} about equal), 95 % {_span(one.wilson)}, at every moment "
            f"{_span(one.always)}"
        )
        print(f"  {printable(results.verdict_line(assessment, one))}")
    if len(assessment.sets) > 2:
        for strength in result.strengths:
            title = printable(assessment.sets[strength.number].title)
            print(f"  {strength.score:+.2f} ± {strength.margin:.2f}  {title}")
    left_out = result.votes - result.counted
    print(
        f"{_votes(result.votes)} of {len(result.people)} "
        f"{'person' if len(result.people) == 1 else 'people'}, {left_out} left out; "
        f"gold checks {result.gold_right} of {result.gold} right, "
        f"repeated pairs {result.alike} of {result.repeated} alike"
    )


def _votes(count: int) -> str:
    return f"{count} vote{'' if count == 1 else 's'}"


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"


def _span(interval: tuple[float, float]) -> str:
    return f"{100 * interval[0]:.1f} to {100 * interval[1]:.1f} %"
