"""`python -m dataset duplicates` and `python -m dataset pair`: find, show, mark, decide."""

import argparse
import json
from collections.abc import Collection, Sequence
from pathlib import Path

from dataset.catalog import Catalog
from dataset.command_line import CommandLine, add_data_option
from dataset.config import to_mapping
from dataset.duplicate_report import (
    SORTS,
    check_report_path,
    duplicates_record,
    write_report,
)
from dataset.duplicates import (
    DEFAULT_RADIUS,
    Comparison,
    DuplicateGroup,
    RadiusCounts,
    mark_duplicates,
    require_radius,
)
from dataset.errors import ConfigError
from dataset.image_store import ImageStore
from dataset.judge_name import judge_name
from dataset.keep_rule import KeepRule, read_rule
from dataset.likeness import refresh_edges
from dataset.records import PairChange, PairVerdict, Verdict
from dataset.star_cover import Settlement
from dataset.workspace import Workspace

_MOST_LISTED = 20
_VERDICTS: dict[str, Verdict] = {"same": "same", "different": "different", "forget": ""}


def add_duplicate_verbs(command: CommandLine) -> None:
    """The verbs about pictures that show the same."""
    _add_duplicates(command)
    _add_pair(command)


def _add_duplicates(command: CommandLine) -> None:
    verb = command.verb(
        "duplicates",
        _duplicates,
        "find pictures of the same, show what every radius would fold away, mark the worse ones",
        """python -m dataset duplicates --data data
        python -m dataset duplicates --radius 4 --report duplicates.html
        python -m dataset duplicates --set 'order=["stars","resolution"]' --json
        python -m dataset duplicates --mark --dry-run
        python -m dataset duplicates --mark --radius 4 --keep keep.toml""",
    )
    add_data_option(verb)
    verb.add_argument(
        "--radius", type=int, default=DEFAULT_RADIUS, help=f"bits of 64 ({DEFAULT_RADIUS})"
    )
    verb.add_argument("--json", action="store_true", help="print rule, counts and groups as JSON")
    verb.add_argument(
        "--report",
        type=Path,
        metavar="HTML",
        help="write a page to look at, and the JSON beside it",
    )
    verb.add_argument(
        "--sort", choices=SORTS, default="doubt", help="the page shows these first (doubt)"
    )
    verb.add_argument(
        "--limit", type=int, default=200, metavar="N", help="at most N groups on the page (200)"
    )
    verb.add_argument(
        "--mark",
        action="store_true",
        help="reject the worse ones as `duplicate of #N`; one undo takes it back, files stay",
    )
    verb.add_argument("--dry-run", action="store_true", help="with --mark: say what would be done")
    verb.add_argument(
        "--keep",
        type=Path,
        metavar="TOML",
        help="the rule by which one stays (default: keep.toml in the data folder, if there is one)",
    )
    verb.add_argument(
        "--set",
        dest="assignments",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="override one key of the rule; may be repeated",
    )
    verb.add_argument("--rule", action="store_true", help="print the rule as JSON, and stop")


def _add_pair(command: CommandLine) -> None:
    verb = command.verb(
        "pair",
        _pair,
        "say for ever that pictures are the same or different, whatever their hashes say",
        """python -m dataset pair same 12 40
        python -m dataset pair different 12 40 41
        python -m dataset pair forget 12 40""",
    )
    verb.add_argument("verdict", choices=list(_VERDICTS), help="forget: let the hashes decide")
    verb.add_argument("pictures", type=int, nargs="+", metavar="N", help="two pictures or more")
    verb.add_argument("--who", default="me", metavar="NAME", help="name on the decision (me)")
    add_data_option(verb)


def _duplicates(options: argparse.Namespace) -> None:
    require_radius(options.radius)
    if options.limit < 1:
        raise ConfigError(f"--limit {options.limit} shows nothing; it must be at least 1")
    if options.dry_run and not options.mark:
        raise ConfigError("--dry-run belongs to --mark; without it nothing is changed anyway")
    if options.mark and (options.json or options.report is not None):
        raise ConfigError("--mark changes judgements; look with --json or --report before it")
    if options.report is not None:
        check_report_path(options.report)
    workspace = Workspace(options.data)
    rule = read_rule(workspace.root, options.keep, options.assignments)
    if options.rule:
        print(json.dumps(to_mapping(rule), indent=2))
        return
    with Catalog(workspace.require_catalog()) as catalog:
        if options.mark:
            _mark(catalog, options, rule)
        else:
            _show(catalog, workspace, options, rule)


def _mark(catalog: Catalog, options: argparse.Namespace, rule: KeepRule) -> None:
    batch, changes = mark_duplicates(catalog, options.radius, rule, dry_run=options.dry_run)
    if not changes:
        print(f"nothing to mark within {options.radius} bits that is sure to {rule.sure:.0%}")
        return
    print(f"{len(changes)} pictures {'would be ' if batch is None else ''}rejected as duplicates")
    if batch is None:
        print("a dry run: nothing was changed")
    else:
        print(f"batch {batch}; `python -m curate_app undo` takes it back")


def _show(
    catalog: Catalog, workspace: Workspace, options: argparse.Namespace, rule: KeepRule
) -> None:
    refresh_edges(catalog)
    with catalog.snapshot():
        comparison = Comparison(catalog, rule)
        certain = Comparison(catalog, rule, sure_only=True)
        record = None
        if options.json or options.report:
            record = duplicates_record(catalog, comparison, rule, options.radius)
    if options.report and record is not None:
        beside = write_report(
            record,
            ImageStore(workspace.images),
            options.report,
            sort=options.sort,
            limit=options.limit,
        )
    if options.json:
        print(json.dumps(record, indent=2, sort_keys=True, ensure_ascii=False))
        return
    _print_table(comparison.table(), options.radius)
    marked = len(certain.marks(certain.groups(options.radius)))
    print(f"{marked} of them are sure to {rule.sure:.0%}: these --mark rejects unseen")
    _print_groups(comparison.groups(options.radius), comparison.undecided)
    if options.report:
        print(f"page: {options.report}\nrecord: {beside}")


def _print_table(table: Sequence[RadiusCounts], radius: int) -> None:
    print("radius    pairs   chains  groups  would go")
    for row in table:
        mark = " <" if row.radius == radius else ""
        print(
            f"{row.radius:6} {row.pairs:8} {row.components:8} {row.groups:7} {row.would_go:9}{mark}"
        )


def _print_groups(groups: Sequence[DuplicateGroup], undecided: Collection[int]) -> None:
    for group in groups[:_MOST_LISTED]:
        going = " ".join(f"#{m}" for m in group.members[1:] if m in undecided) or "none"
        kept = " ".join(f"#{m}" for m in group.members[1:] if m not in undecided)
        more = f"; kept before: {kept}" if kept else ""
        chain = "; a chain" if group.chain else ""
        print(f"keep #{group.keeper} ({group.reason}), would go: {going}{more}{chain}")
    if len(groups) > _MOST_LISTED:
        print(f"and {len(groups) - _MOST_LISTED} groups more (--report shows, --json prints them)")


def _pair(options: argparse.Namespace) -> None:
    pictures = list(dict.fromkeys(options.pictures))
    if len(pictures) < 2:
        raise ConfigError("a pair is two different pictures; name at least two")
    who, verdict = judge_name(options.who), _VERDICTS[options.verdict]
    changes = [
        PairChange(a=a, b=b, verdict=verdict)
        for place, a in enumerate(pictures)
        for b in pictures[place + 1 :]
    ]
    with Catalog(Workspace(options.data).require_catalog()) as catalog:
        batch = catalog.judgements.apply(changes, who=who, verb=options.verdict)
        settled = catalog.judgements.pairs.settled()
        held = set(catalog.judgements.pairs.verdicts()) - set(settled.overruled)
    if batch is None:
        print("nothing to change: that holds already")
    else:
        print(f"batch {batch}; `python -m curate_app undo` takes it back")
        for old in settled.overruled:
            print(
                f"#{old.a} and #{old.b} {old.verdict}: contradicts newer decisions, counts no more"
            )
    if not verdict:
        for change in changes:
            _print_why_still(change, settled, held)


def _print_why_still(
    forgotten: PairChange, settled: Settlement, held: Collection[PairVerdict]
) -> None:
    """Say which other decisions say the same of a pair whose own decision is forgotten."""
    a, b = forgotten.a, forgotten.b
    same = a in settled.same and b in settled.same and settled.same.find(a) == settled.same.find(b)
    if not same and not settled.are_apart(a, b):
        return
    sets = {settled.same.find(a), settled.same.find(b)}
    others = sorted(
        (v.a, v.b, "=" if v.verdict == "same" else "≠")
        for v in held
        if {settled.same.find(v.a), settled.same.find(v.b)} <= sets
        and (v.verdict == "same" or not same)
    )
    told = ", ".join(f"#{one} {sign} #{other}" for one, other, sign in others[:_MOST_LISTED])
    word = "the same" if same else "different"
    print(f"#{a} and #{b} are {word} still, by other decisions: {told}; forget one of those, too")
