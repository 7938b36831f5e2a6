"""`python -m dataset quality`: what is wrong with the pictures, and which have it."""

import argparse
import json
from pathlib import Path
from typing import Any

from dataset.catalog import Catalog
from dataset.command_line import CommandLine, add_config_options, add_data_option, printable
from dataset.errors import ConfigError
from dataset.image_store import ImageStore
from dataset.issues import Standard, standard_of, tell_choice, warn_of_old_scores
from dataset.quality import CUTS_FILE, PRESET_WISHES, read_cuts
from dataset.quality_report import page_rows, quality_record, write_report
from dataset.workspace import Workspace

_MOST_LISTED = 50
_MOST_IN_A_ROW = 6


def add_quality_verb(command: CommandLine) -> None:
    """The verb about what is wrong with pictures."""
    verb = command.verb(
        "quality",
        _quality,
        "count the pictures that are blurred, dark, collages ..., and show where the cuts lie",
        """python -m dataset quality --data data
        python -m dataset quality --issue blur --limit 20
        python -m dataset quality --preset logo --json
        python -m dataset quality --set cut.blur=0.4 --report quality.html""",
    )
    add_data_option(verb)
    verb.add_argument(
        "--preset",
        choices=PRESET_WISHES,
        help="whose cuts; auto chooses for the whole catalogue (auto)",
    )
    add_config_options(
        verb, f"the cuts (default: {CUTS_FILE} in the data folder, if there is one)", dry_run=False
    )
    verb.add_argument("--issue", metavar="NAME", help="list the pictures with it, the worst first")
    verb.add_argument(
        "--limit",
        type=int,
        metavar="N",
        help=f"at most N pictures in the list ({_MOST_LISTED}) "
        f"and in each row of the page ({_MOST_IN_A_ROW})",
    )
    verb.add_argument("--json", action="store_true", help="print as JSON")
    verb.add_argument(
        "--report",
        type=Path,
        metavar="HTML",
        help="write a page of the worst pictures and of those nearest to each cut",
    )


def _quality(options: argparse.Namespace) -> None:
    if options.limit is not None and options.limit < 1:
        raise ConfigError(f"--limit {options.limit} shows nothing; it must be at least 1")
    workspace = Workspace(options.data)
    path = workspace.require_catalog()
    cuts = read_cuts(workspace.root, options.config, options.assignments, options.preset)
    with Catalog(path) as catalog:
        warn_of_old_scores(catalog)
        with catalog.transaction():  # one state of the catalogue, whoever else is at work
            standard = standard_of(catalog, cuts)
            _require_issue(standard, options.issue)
            limit = options.limit or _MOST_LISTED
            record = quality_record(catalog, standard, options.issue, limit)
            rows = []
            if options.report:
                limit = options.limit or _MOST_IN_A_ROW
                rows = page_rows(catalog, standard, record, limit)
    if cuts.preset == "auto":
        tell_choice(standard)
    if options.report:
        write_report(record, rows, ImageStore(workspace.images), options.report)
    if options.json:
        print(json.dumps(record, indent=2, sort_keys=True, ensure_ascii=False))
    elif options.issue:
        _print_pictures(record)
    else:
        _print_issues(record)
    if options.report and not options.json:
        print(f"written: {options.report}")


def _require_issue(standard: Standard, issue: str | None) -> None:
    known = [rule.issue for rule in standard.rules]
    if issue is not None and issue not in known:
        raise ConfigError(
            f"--issue {issue}: preset {standard.preset} has no such issue; "
            f"it has {', '.join(known)}"
        )


def _print_issues(record: dict[str, Any]) -> None:
    total = record["pictures"]
    print(f"{'issue':16} {'measure':>12}   {'cut':>6} {'pictures':>9} {'share':>8}")
    for row in record["issues"]:
        share = 100 * row["pictures"] / max(1, total)
        print(
            f"{row['issue']:16} {row['measure']:>12} {_sign(row)} {row['cut']:6g} "
            f"{row['pictures']:9} {share:6.1f} %"
        )
    print(f"preset {record['preset']}; {total} pictures that are not rejected")


def _print_pictures(record: dict[str, Any]) -> None:
    [row] = [row for row in record["issues"] if row["issue"] == record["issue"]]
    print(
        f"{row['pictures']} pictures with {row['issue']} "
        f"({row['measure']} {_sign(row)} {row['cut']:g}, preset {record['preset']})"
    )
    for picture in record["listed"]:
        size = f"{picture['width']}x{picture['height']}"
        name, label = f"#{picture['id']}", printable(picture["label"])
        print(f"{name:>9} {picture['score']:9.4g} {size:>11}  {label}".rstrip())
    more = row["pictures"] - len(record["listed"])
    if more:
        print(f"and {more} more (--limit)")


def _sign(row: dict[str, Any]) -> str:
    return "<" if row["bad"] == "low" else ">"
