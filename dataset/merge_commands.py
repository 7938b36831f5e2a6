"""`python -m dataset merge`: another data folder with its provenance taken into this one."""

import argparse
import json
from pathlib import Path
from typing import Any

from dataset.catalog import Catalog
from dataset.command_line import CommandLine, add_data_option, printable
from dataset.errors import ConfigError, DataError
from dataset.image_store import ImageStore
from dataset.likeness import warn_of_old
from dataset.merging import WHO, MergeReport, guest_of, merge, preview
from dataset.workspace import Workspace


def add_verb(command: CommandLine) -> None:
    """The verb that takes in another data folder."""
    verb = command.verb(
        "merge",
        _merge,
        "take the pictures of another data folder in, with every origin, caption and label",
        """python -m dataset merge ../laptop/data --data data --dry-run
        python -m dataset merge ../laptop/data --data data
        python -m dataset merge ../laptop/data --data data --judgements""",
    )
    verb.add_argument(
        "other", type=Path, help="the other data folder (catalog.sqlite and images/); only read"
    )
    verb.add_argument(
        "--judgements",
        action="store_true",
        help="take over what was judged there, too, for pictures that are undecided here: one "
        "batch that one undo takes back",
    )
    verb.add_argument("--workers", type=int, default=2, help="decoding processes (2)")
    verb.add_argument("--dry-run", action="store_true", help="say what would come, and stop")
    verb.add_argument("--json", action="store_true", help="print as JSON")
    add_data_option(verb)


def _merge(options: argparse.Namespace) -> None:
    if options.workers < 1:
        raise ConfigError(f"--workers {options.workers} decodes nothing; it must be at least 1")
    workspace = Workspace(options.data)
    with guest_of(workspace, options.other, dry_run=options.dry_run) as (guest, pictures):
        if options.dry_run:
            report = _previewed(workspace, guest, pictures)
        else:
            with Catalog(workspace.catalog) as catalog:
                warn_of_old(catalog)
                report = merge(
                    catalog,
                    ImageStore(workspace.images),
                    guest,
                    pictures,
                    judgements=options.judgements,
                    workers=options.workers,
                    title=f"merge {printable(options.other.name)}",
                )
    if options.json:
        print(json.dumps({"dry_run": options.dry_run, **_record(report)}, indent=2))
    else:
        print(_told(report, dry_run=options.dry_run))
    if report.pictures and sum(report.rejected.values()) == report.pictures:
        raise DataError(f"none of the {report.pictures} pictures of {options.other} can be used")


def _previewed(workspace: Workspace, guest: Catalog, pictures: ImageStore) -> MergeReport:
    if not workspace.catalog.is_file():
        return preview(None, guest, pictures)
    with Catalog(workspace.catalog, create=False) as catalog:
        return preview(catalog, guest, pictures)


def _record(report: MergeReport) -> dict[str, Any]:
    return {
        "pictures": report.pictures,
        "added": report.added,
        "known": report.known,
        "origins": report.origins,
        "captions": report.captions,
        "rejected": dict(sorted(report.rejected.items())),
        "judgements": report.judgements,
        "batch": report.batch,
    }


def _told(report: MergeReport, *, dry_run: bool) -> str:
    lines = [
        f"{report.pictures} pictures there: "
        f"{report.added} {'would be read' if dry_run else 'new'}, {report.known} known here"
    ]
    if not dry_run:
        lines.append(f"{report.origins} origins and {report.captions} captions added")
    for reason, count in sorted(report.rejected.items()):
        lines.append(f"  {count:6} {reason}: {printable(report.examples[reason])}")
    if report.batch is not None:
        lines.append(
            f"{report.judgements} judgements taken over in batch {report.batch}; "
            f"`python -m curate_app undo --who {WHO}` takes it back"
        )
    return "\n".join(lines)
