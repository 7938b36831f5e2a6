"""`python -m dataset info | verify`: what a pack holds, and whether it is what it says."""

import argparse
import json
from pathlib import Path

from dataset import pack_check
from dataset.atomic_file import atomic_path
from dataset.command_line import CommandLine
from dataset.errors import DataError
from dataset.packed import PackedDataset


def add_verbs(command: CommandLine) -> None:
    """The verbs that read packs."""
    verb = command.verb(
        "info",
        _info,
        "say what a pack holds: classes, splits, licences",
        """python -m dataset info data/packs/main.h5
        python -m dataset info data/packs/main.h5 --sheet sheet.png""",
    )
    verb.add_argument("pack", type=Path, help="the pack file")
    verb.add_argument("--json", action="store_true", help="print as JSON")
    verb.add_argument("--sheet", type=Path, metavar="PNG", help="write a sheet of samples, too")

    verb = command.verb(
        "verify",
        _verify,
        "check a pack: content hash, columns, leaks between splits",
        "python -m dataset verify data/packs/main.h5",
    )
    verb.add_argument("pack", type=Path, help="the pack file")


def _info(options: argparse.Namespace) -> None:
    packed = PackedDataset(options.pack)
    summary = pack_check.summarise(packed)
    if options.sheet is not None:
        with atomic_path(options.sheet) as partial:
            pack_check.sample_sheet(packed).save(partial, format="PNG")
    print(json.dumps(summary, indent=2) if options.json else pack_check.readable(summary))


def _verify(options: argparse.Namespace) -> None:
    faults = pack_check.verify(PackedDataset(options.pack))
    if faults:
        more = f" (and {len(faults) - 1} more)" if len(faults) > 1 else ""
        raise DataError(f"pack {options.pack} is not sound: {faults[0]}{more}; pack again")
    print(f"sound: {options.pack}")
