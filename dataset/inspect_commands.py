"""`python -m dataset info | verify | diff | stats`: what packs hold, and whether it is true."""

import argparse
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from dataset import (
    pack_check,
    pack_diff,
    pack_diff_report,
    pack_sheet,
    pack_stats,
    pack_summary,
)
from dataset.atomic_file import atomic_path
from dataset.catalog import Catalog
from dataset.command_line import CommandLine
from dataset.errors import ConfigError, DataError
from dataset.pack_origin import require_same_catalog
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
        "--strict",
        action="store_true",
        help="licences that are unknown, reserve all rights or that nobody knows are faults, too",
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
    if options.sheet is not None and options.sheet.suffix.lower() != ".png":
        raise ConfigError(f"--sheet is {options.sheet}; it is written as PNG, so end it in .png")
    with _faults_as_json(options.json, pack=options.pack):
        packed = PackedDataset(options.pack)
        summary = pack_summary.summarise(packed)
        if options.sheet is not None:
            sheet = pack_sheet.sample_sheet(packed)
            with atomic_path(options.sheet) as partial:
                sheet.save(partial, format="PNG")
            summary["sheet"] = str(options.sheet)
    print(_json(summary) if options.json else pack_summary.readable(summary))
    if options.sheet is not None and not options.json:
        print(f"\nsheet      {options.sheet}: {pack_sheet.told(packed)}")


def _verify(options: argparse.Namespace) -> None:
    with _faults_as_json(options.json, pack=options.pack, sound=False):
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
        raise DataError(f"pack {options.pack} is not sound: {found.faults[0]}{more}; {found.cure}")
    if not options.json:
        print(f"sound: {options.pack}")


def _diff(options: argparse.Namespace) -> None:
    if options.limit < 0:
        raise ConfigError(f"--limit is {options.limit}; it must be at least 0")
    with _faults_as_json(options.json, old=options.old, new=options.new):
        found = _difference(options)
    print(_json(found) if options.json else pack_diff_report.readable(found))


def _difference(options: argparse.Namespace) -> dict[str, Any]:
    old, new = PackedDataset(options.old), PackedDataset(options.new)
    if options.data is None:
        return pack_diff.as_mapping(pack_diff.compare(old, new), limit=options.limit)
    with Catalog(Workspace(options.data).require_catalog(), create=False) as catalog:
        for packed in (old, new):
            require_same_catalog(catalog, packed)
        difference = pack_diff.compare(old, new)
        return pack_diff.as_mapping(difference, limit=options.limit, catalog=catalog)


def _stats(options: argparse.Namespace) -> None:
    if options.sample < 0:
        raise ConfigError(f"--sample is {options.sample}; it must be at least 0 (0: all)")
    found = pack_stats.statistics(PackedDataset(options.pack), options.sample)
    print(_json(found) if options.json else pack_stats.readable(found))


@contextmanager
def _faults_as_json(is_wanted: bool, **told: Any) -> Iterator[None]:
    """Print a fault of the data as JSON, too, beside what is `told`, before it ends the command."""
    try:
        yield
    except DataError as error:
        if is_wanted:
            known = {name: str(v) if isinstance(v, Path) else v for name, v in told.items()}
            print(_json({**known, "faults": [str(error)]}))
        raise


def _json(content: object) -> str:
    return json.dumps(content, indent=2)
