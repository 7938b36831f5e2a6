"""`python -m dataset info | verify | diff | stats`: what packs hold, and whether it is true."""

import argparse
import json
from pathlib import Path

from dataset import pack_check, pack_diff, pack_diff_report, pack_stats, pack_summary
from dataset.atomic_file import atomic_path
from dataset.catalog import Catalog
from dataset.command_line import CommandLine
from dataset.errors import ConfigError, DataError
from dataset.pack_trailer import check_trailer
from dataset.packed import PackedDataset
from dataset.workspace import Workspace


def add_verbs(command: CommandLine) -> None:
    """The verbs that read packs."""
    verb = command.verb(
        "info",
        _info,
        "say what a pack holds: classes, splits, licences, sources, captions, config",
        """python -m dataset info data/packs/main.h5
        python -m dataset info data/packs/main.h5 --sheet sheet.png""",
    )
    _add_pack(verb)
    verb.add_argument("--sheet", type=Path, metavar="PNG", help="write a sheet of samples, too")

    verb = command.verb(
        "verify",
        _verify,
        "check a pack: contents, sums, leaks between splits, licences",
        """python -m dataset verify data/packs/main.h5
        python -m dataset verify data/packs/main.h5 --strict --json""",
    )
    _add_pack(verb)
    verb.add_argument(
        "--strict", action="store_true", help="pictures without a free licence are faults, too"
    )

    verb = command.verb(
        "diff",
        _diff,
        "say what changed from pack A to pack B, and which judgements made it so",
        """python -m dataset diff old.h5 data/packs/main.h5
        python -m dataset diff old.h5 data/packs/main.h5 --data data --limit 3""",
    )
    verb.add_argument("old", type=Path, metavar="A", help="the older pack")
    verb.add_argument("new", type=Path, metavar="B", help="the newer pack")
    verb.add_argument(
        "--data", type=Path, metavar="DIR", help="folder of the catalogue that both come from"
    )
    verb.add_argument("--limit", type=int, default=10, help="pictures named a change (10)")
    verb.add_argument("--json", action="store_true", help="print as JSON")

    verb = command.verb(
        "stats",
        _stats,
        "measure the pictures of a pack: light, colour, sharpness, background, duplicates",
        """python -m dataset stats data/packs/main.h5
        python -m dataset stats data/packs/main.h5 --sample 0 --json""",
    )
    _add_pack(verb)
    verb.add_argument(
        "--sample", type=int, default=20_000, help="pictures that are measured (20000; 0: all)"
    )


def _add_pack(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("pack", type=Path, help="the pack file")
    verb.add_argument("--json", action="store_true", help="print as JSON")


def _info(options: argparse.Namespace) -> None:
    packed = PackedDataset(options.pack)
    summary = pack_summary.summarise(packed)
    if options.sheet is not None:
        with atomic_path(options.sheet) as partial:
            pack_summary.sample_sheet(packed).save(partial, format="PNG")
    print(_json(summary) if options.json else pack_summary.readable(summary))


def _verify(options: argparse.Namespace) -> None:
    if options.pack.is_file():
        check_trailer(options.pack, most=None)
    found = pack_check.check(PackedDataset(options.pack), strict=options.strict)
    if options.json:
        told = {"pack": str(options.pack), "sound": not found.faults}
        print(_json({**told, "faults": found.faults, "warnings": found.warnings}))
    else:
        for line in found.faults:
            print(f"fault: {line}")
        for line in found.warnings:
            print(f"warning: {line}")
    if found.faults:
        more = f" (and {len(found.faults) - 1} more)" if len(found.faults) > 1 else ""
        raise DataError(f"pack {options.pack} is not sound: {found.faults[0]}{more}; pack again")
    if not options.json:
        print(f"sound: {options.pack}")


def _diff(options: argparse.Namespace) -> None:
    if options.limit < 0:
        raise ConfigError(f"--limit is {options.limit}; it must be at least 0")
    difference = pack_diff.compare(PackedDataset(options.old), PackedDataset(options.new))
    if options.data is None:
        found = pack_diff.as_mapping(difference, limit=options.limit)
    else:
        with Catalog(Workspace(options.data).require_catalog(), create=False) as catalog:
            found = pack_diff.as_mapping(difference, limit=options.limit, catalog=catalog)
    print(_json(found) if options.json else pack_diff_report.readable(found))


def _stats(options: argparse.Namespace) -> None:
    if options.sample < 0:
        raise ConfigError(f"--sample is {options.sample}; it must be at least 0 (0: all)")
    found = pack_stats.statistics(PackedDataset(options.pack), options.sample)
    print(_json(found) if options.json else pack_stats.readable(found))


def _json(content: object) -> str:
    return json.dumps(content, indent=2)
