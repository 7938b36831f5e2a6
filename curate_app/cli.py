"""`python -m curate_app VERB`: serve the judging app, judge by rule, undo, look at the log."""

import argparse
import json
import logging
import webbrowser
from collections.abc import Sequence
from pathlib import Path

from curate_app import DEFAULT_RUNS, assess_commands, predict_commands, rank_commands
from curate_app.access import add_access_options, is_loopback, read_access
from curate_app.auto import DEFAULT_REJECT, AutoOutcome, judge_automatically
from curate_app.deeds import deed
from curate_app.server import Server
from dataset.catalog import Catalog
from dataset.catalog.judgements import LogEntry
from dataset.command_line import CommandLine, add_data_option, printable
from dataset.config import to_mapping
from dataset.duplicates import DEFAULT_RADIUS
from dataset.quality import PRESET_WISHES
from dataset.records import STATUSES, PairDecision, SettingEvent, Vote
from dataset.workspace import Workspace

log = logging.getLogger(__name__)


def main(arguments: Sequence[str] | None = None) -> int:
    return command_line().run(arguments)


def command_line() -> CommandLine:
    """The verbs of this stage."""
    command = CommandLine("curate_app", "Judge the collected pictures: keep, reject, rate.")
    verb = command.verb(
        "serve",
        _serve,
        "serve the judging app to a browser, here or (with a password) elsewhere",
        """python -m curate_app serve --data data
        python -m curate_app serve --data data --port 8701 --who anna --open
        python -m curate_app serve --data data --host 0.0.0.0 --token""",
    )
    add_data_option(verb)
    add_access_options(verb)
    verb.add_argument("--port", type=int, default=8700, help="port; 0 takes a free one (8700)")
    verb.add_argument("--who", default="me", metavar="NAME", help="name on the judgements (me)")
    verb.add_argument(
        "--runs",
        type=Path,
        default=DEFAULT_RUNS,
        metavar="DIR",
        help="the training's runs, to draw from and to look at (runs)",
    )
    verb.add_argument("--open", action="store_true", help="open the browser, too")

    _add_auto_verb(command)
    predict_commands.add_verb(command)
    rank_commands.add_verb(command)
    assess_commands.add_verb(command)

    verb = command.verb(
        "undo",
        _undo,
        "take back the newest action that still stands",
        """python -m curate_app undo --data data
        python -m curate_app undo --data data --who anna""",
    )
    add_data_option(verb)
    verb.add_argument("--who", metavar="NAME", help="only this person's (default: anybody's)")

    verb = command.verb(
        "log",
        _log,
        "print the newest judgements, newest first",
        "python -m curate_app log --data data --limit 20",
    )
    add_data_option(verb)
    verb.add_argument("--limit", type=int, default=50, help="how many (50)")
    verb.add_argument("--json", action="store_true", help="print one JSON object a line")

    verb = command.verb(
        "stats",
        _stats,
        "count the pictures by class and judgement",
        "python -m curate_app stats --data data",
    )
    add_data_option(verb)
    verb.add_argument("--json", action="store_true", help="print as JSON")
    return command


def _add_auto_verb(command: CommandLine) -> None:
    verb = command.verb(
        "auto",
        _auto,
        "judge without eyes: reject blanks, collages and worse duplicates, keep the rest",
        """python -m curate_app auto --data data
        python -m curate_app auto --data data --radius 4 --dry-run
        python -m curate_app auto --reject blank,collage,blur,upscaled --preset photo""",
    )
    add_data_option(verb)
    verb.add_argument(
        "--radius",
        type=int,
        default=DEFAULT_RADIUS,
        help=f"bits of 64 in which duplicates may differ ({DEFAULT_RADIUS})",
    )
    verb.add_argument(
        "--reject",
        default=",".join(DEFAULT_REJECT),
        metavar="NAMES",
        help=f"blank, or issues of `python -m dataset quality` ({','.join(DEFAULT_REJECT)})",
    )
    verb.add_argument(
        "--preset",
        choices=PRESET_WISHES,
        help="whose cuts these issues have; auto chooses for the whole catalogue (auto, but photo "
        "as long as only blanks and collages are to go)",
    )
    verb.add_argument("--dry-run", action="store_true", help="say what would be done, and stop")
    verb.add_argument("--json", action="store_true", help="print the counts as JSON")


def _serve(options: argparse.Namespace) -> None:
    access = read_access(options)
    server = Server(
        options.data, port=options.port, who=options.who, access=access, runs=options.runs
    )
    if not is_loopback(access.host):
        log.warning(
            "others can reach this app, and plain HTTP hides nothing on its way: pictures, "
            "judgements and the password; use a network you trust, or a proxy that speaks TLS"
        )
    print(server.address, flush=True)
    log.info("judging as %s; every judgement is saved at once; Ctrl-C stops", options.who)
    if options.open:
        webbrowser.open(server.address)
    server.run()


def _auto(options: argparse.Namespace) -> None:
    with _catalog(options) as catalog:
        outcome = judge_automatically(
            catalog,
            radius=options.radius,
            dry_run=options.dry_run,
            reject=[name.strip() for name in options.reject.split(",")] if options.reject else (),
            preset=options.preset,
        )
    if options.json:
        print(json.dumps({**to_mapping(outcome), "dry_run": options.dry_run}, sort_keys=True))
    else:
        _print_outcome(outcome, options.dry_run)


def _print_outcome(outcome: AutoOutcome, dry_run: bool) -> None:
    if not outcome.changed:
        print(f"nothing to do: all {outcome.decided_before} pictures are judged already")
        _print_unsure(outcome)
        return
    print(f"{outcome.kept:7} keep")
    for reason, count in sorted(outcome.rejected.items(), key=lambda item: (-item[1], item[0])):
        print(f"{count:7} reject: {reason}")
    print(f"{outcome.decided_before:7} judged before, left alone")
    _print_unsure(outcome)
    if dry_run:
        print("a dry run: nothing was changed")
    else:
        print(f"batch {outcome.batch}; `python -m curate_app undo` takes it back")


def _print_unsure(outcome: AutoOutcome) -> None:
    if outcome.unsure:
        print(f"{outcome.unsure:7} perhaps duplicates, left undecided: look at them (make curate)")


def _undo(options: argparse.Namespace) -> None:
    with _catalog(options) as catalog:
        undone = catalog.judgements.undo(who=options.who)
    if undone is None:
        print("nothing left to undo")
        return
    parts = (undone.events, undone.pairs, undone.votes, undone.settings)
    count = sum(len(part) for part in parts)
    verb, who = printable(deed(undone.verb)), printable(undone.who)
    changes = "1 change" if count == 1 else f"{count:,} changes"
    print(f"undid batch {undone.batch}: {verb} by {who}, {changes}")


def _log(options: argparse.Namespace) -> None:
    with _catalog(options) as catalog:
        for event in catalog.judgements.log(max(options.limit, 0)):
            print(json.dumps(to_mapping(event)) if options.json else _event_line(event))


def _event_line(event: LogEntry) -> str:
    # Labels come from the web, and names from whoever's catalogue was merged in.
    deed = f"{event.at}  batch {event.batch}  {printable(event.who)}  {printable(event.verb)}"
    if isinstance(event, PairDecision):
        return (
            f"{'pair':>7}  {deed}  "
            f"#{event.a} and #{event.b}: {event.before or 'by hash'} -> {event.after or 'by hash'}"
        )
    if isinstance(event, Vote):
        liked = {
            "left": f"#{event.left} over #{event.right}",
            "right": f"#{event.right} over #{event.left}",
        }
        tie = f"#{event.left} like #{event.right}"
        return f"{'vote':>7}  {deed}  {liked.get(event.outcome, tie)}"
    if isinstance(event, SettingEvent):
        return (
            f"{'set':>7}  {deed}  "
            f"{printable(event.name)}: {printable(event.before)} -> {printable(event.after)}"
        )
    reason = f" ({printable(event.reason_after)})" if event.reason_after else ""
    before, after = printable(str(event.before)), printable(str(event.after))
    return f"{event.id:7}  {deed}  #{event.image_id} {event.field}: {before} -> {after}{reason}"


def _stats(options: argparse.Namespace) -> None:
    with _catalog(options) as catalog:
        balance = catalog.images.class_balance()
    rows = {
        label: {status: balance.get((label, status), 0) for status in STATUSES}
        for label in sorted({label for label, _status in balance})
    }
    if options.json:
        print(json.dumps(rows, indent=2))
        return
    total = {status: sum(row[status] for row in rows.values()) for status in STATUSES}
    lines = [(printable(label) or "(no label)", row) for label, row in rows.items()] + [
        ("all", total)
    ]
    width = max(len(label) for label, _row in lines)
    print(f"{'class':{width}}" + "".join(f"{status:>11}" for status in STATUSES))
    for label, row in lines:
        print(f"{label:{width}}" + "".join(f"{row[status]:11}" for status in STATUSES))


def _catalog(options: argparse.Namespace) -> Catalog:
    return Catalog(Workspace(options.data).require_catalog(), create=False)
