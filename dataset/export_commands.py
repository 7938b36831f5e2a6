"""`python -m dataset export | card`: a pack leaves in the formats of others; its card."""

import argparse
import json
import logging
import re
import sys
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import cast

from dataset.card import read_manifest, write_card
from dataset.catalog import Catalog
from dataset.command_line import CommandLine
from dataset.errors import ConfigError, DataError
from dataset.exports import FORMATS, ExportOptions, export_pack
from dataset.exports.options import chosen_rows
from dataset.pack_origin import catalog_beside, imported_from, require_same_catalog
from dataset.packed import PackedDataset
from dataset.provenance import Split
from dataset.workspace import Workspace

log = logging.getLogger(__name__)

_UNITS = {"": 0, "kb": 10**3, "mb": 10**6, "gb": 10**9}


def add_verbs(command: CommandLine) -> None:
    """The verbs that write what others read."""
    _add_export(command)
    _add_card(command)


def _add_export(command: CommandLine) -> None:
    verb = command.verb(
        "export",
        _export,
        "write a pack as webdataset, csv, huggingface, npz or folder",
        """python -m dataset export webdataset data/packs/main.h5 --out shards --shard-size 500MB
        python -m dataset export csv data/packs/main.h5 --out clip --all-captions
        python -m dataset export csv data/packs/logos.h5 --out clip --background "#808080"
        python -m dataset export npz data/packs/main.h5 --out main.npz --splits train,test""",
    )
    verb.add_argument("format", choices=list(FORMATS), help="the format")
    verb.add_argument("pack", type=Path, help="the pack file")
    verb.add_argument(
        "--out", type=Path, required=True, metavar="PATH", help="folder; npz: FILE.npz"
    )
    verb.add_argument(
        "--splits",
        default="",
        metavar="A,B",
        help="splits to take (train,test); cal is kept for the novelty check unless it is named",
    )
    verb.add_argument(
        "--originals", action="store_true", help="the files that were packed, not their pixels"
    )
    verb.add_argument(
        "--all-captions", action="store_true", help="every caption (csv, huggingface)"
    )
    verb.add_argument(
        "--shard-size",
        default="10000",
        metavar="N",
        help="webdataset: pictures a tar, or bytes such as 500MB (10000)",
    )
    verb.add_argument(
        "--background",
        default="",
        metavar="COLOUR",
        help="what RGBA is laid on: white, black, #rrggbb, or keep (csv: white; others: keep)",
    )
    verb.add_argument("--compress", action="store_true", help="npz: deflate the arrays")
    verb.add_argument("--replace", action="store_true", help="an earlier export there may go")
    verb.add_argument("--dry-run", action="store_true", help="count the pictures, and stop")
    verb.add_argument("--json", action="store_true", help="print the report as JSON")


def _add_card(command: CommandLine) -> None:
    verb = command.verb(
        "card",
        _card,
        "write the card of a pack: what it is, where it came from, its licences and gaps",
        """python -m dataset card data/packs/main.h5
        python -m dataset card main.h5 --data data --print
        python -m dataset card main.h5 --out main.card.md""",
    )
    verb.add_argument("pack", type=Path, help="the pack file")
    verb.add_argument("--print", action="store_true", help="print the card, too")
    verb.add_argument(
        "--out", type=Path, metavar="FILE", help="the card (NAME.card.md beside the pack)"
    )
    verb.add_argument(
        "--data",
        type=Path,
        metavar="DIR",
        help="folder of the catalogue (the one in whose packs/ the pack lies)",
    )


def _export(options: argparse.Namespace) -> None:
    asked = _options(options)
    if options.format == "npz" and options.out.suffix.lower() != ".npz":
        raise ConfigError(f"--out is {options.out}; arrays go into a file that ends in .npz")
    packed = PackedDataset(options.pack)
    if options.dry_run:
        print(f"{len(chosen_rows(packed, asked))} pictures of {options.pack}")
        return
    report = export_pack(options.format, packed, options.out, asked)
    if options.json:
        print(json.dumps({**asdict(report), "target": str(report.target)}, indent=2))
        return
    splits = ", ".join(f"{split} {count}" for split, count in report.splits.items())
    print(f"{report.target}: {report.format}, {splits}; {report.files} files, {report.bytes} bytes")
    for note in report.notes:
        print(f"note: {note}")


def _card(options: argparse.Namespace) -> None:
    packed = PackedDataset(options.pack)
    target = options.out or options.pack.with_name(f"{options.pack.stem}.card.md")
    with ExitStack() as stack:
        catalog = _catalog_of(packed, options.data, stack)
        is_whole = catalog is not None or imported_from(packed) is not None
        if not is_whole and options.out is None:
            # What stands beside the pack may know more than this one.
            folder = stack.enter_context(TemporaryDirectory())
            target = Path(folder) / target.name
            log.warning("no catalogue is known, so the card is printed only; --out writes it")
        write_card(packed, catalog, read_manifest(packed), target)
        if options.print or not (is_whole or options.out):
            sys.stdout.write(target.read_text("utf-8"))
        else:
            print(target)


def _catalog_of(packed: PackedDataset, data: Path | None, stack: ExitStack) -> Catalog | None:
    """The catalogue in the folder that was named, else the one beside the pack if it is its own."""
    if data is not None:
        catalog = Catalog(Workspace(data).require_catalog(), create=False)
        require_same_catalog(stack.enter_context(catalog), packed)
        return catalog
    there = catalog_beside(packed.path)
    if there is None or imported_from(packed) is not None:
        return None
    catalog = stack.enter_context(Catalog(there, create=False))
    try:
        require_same_catalog(catalog, packed)
    except DataError as error:
        log.warning("%s", error)
        return None
    return catalog


def _options(options: argparse.Namespace) -> ExportOptions:
    pictures, size = _shard_size(options.shard_size)
    splits = (name.strip() for name in options.splits.split(","))
    return ExportOptions(
        splits=cast("tuple[Split, ...]", tuple(dict.fromkeys(name for name in splits if name))),
        originals=options.originals,
        all_captions=options.all_captions,
        shard_pictures=pictures,
        shard_bytes=size,
        compressed=options.compress,
        replace=options.replace,
        background=options.background,
    )


def _shard_size(text: str) -> tuple[int, int]:
    """(pictures, bytes) a shard, one of them 0: "5000" or "500MB"."""
    found = re.fullmatch(r"([0-9]{1,12})\s*([kmg]b)?", text.strip().lower(), re.ASCII)
    if found is None or not int(found[1]):
        raise ConfigError(f"--shard-size is {text!r}; a number of pictures, or bytes as in 500MB")
    unit = _UNITS[found[2] or ""]
    return (0, int(found[1]) * unit) if unit else (int(found[1]), 0)
