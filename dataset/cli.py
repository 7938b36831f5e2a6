"""`python -m dataset VERB`: import, caption, find duplicates and faults, pack, look into packs."""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

from dataset import merge_commands, pack_check
from dataset.atomic_file import atomic_path
from dataset.captioner import Captioner, find_model
from dataset.captioning import CaptionWish, caption_pictures, wanting
from dataset.catalog import Catalog
from dataset.command_line import CommandLine, add_config_options, add_data_option
from dataset.config import load_config, to_mapping
from dataset.duplicate_commands import add_duplicate_verbs
from dataset.errors import ConfigError, DataError
from dataset.image_store import ImageStore
from dataset.importers import count_pictures, import_folder
from dataset.likeness import warn_of_old
from dataset.pack import PackConfig, pack
from dataset.packed import PackedDataset
from dataset.pixels import PixelLimits
from dataset.quality_commands import add_quality_verb
from dataset.records import STATUSES
from dataset.rehash import rehash
from dataset.workspace import Workspace


def main(arguments: Sequence[str] | None = None) -> int:
    return command_line().run(arguments)


def command_line() -> CommandLine:
    """The verbs of this stage."""
    command = CommandLine("dataset", "The catalogue of pictures and the pack made from it.")
    verb = command.verb(
        "import",
        _import,
        "take a folder or tar of pictures into the catalogue",
        """python -m dataset import folder pictures/ --data data
        python -m dataset import folder animals.tar --data data""",
    )
    verb.add_argument("kind", choices=["folder"], help="folder: a folder or tar, class per folder")
    verb.add_argument("path", type=Path, help="the folder or tar; a captions.csv in it is read")
    verb.add_argument("--source", default="import", help="name kept as the source (import)")
    verb.add_argument("--min-side", type=int, default=16, help="smallest side in pixels (16)")
    verb.add_argument("--workers", type=int, default=2, help="decoding processes (2)")
    verb.add_argument("--dry-run", action="store_true", help="count the pictures, and stop")
    add_data_option(verb)

    merge_commands.add_verb(command)
    _add_caption_verb(command)

    add_duplicate_verbs(command)

    add_quality_verb(command)

    verb = command.verb(
        "rehash",
        _rehash,
        "measure pictures anew that an older version hashed",
        "python -m dataset rehash --data data",
    )
    add_data_option(verb)

    verb = command.verb(
        "pack",
        _pack,
        "pack the kept pictures into one HDF5 file",
        """python -m dataset pack --data data
        python -m dataset pack --set size=64 --set name=dogs64 --set 'labels=["dog"]'""",
    )
    add_config_options(verb, "the pack (keys of PackConfig)")
    add_data_option(verb)

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
    return command


def _add_caption_verb(command: CommandLine) -> None:
    verb = command.verb(
        "caption",
        _caption,
        "let a model write captions for pictures that have none (weights: safetensors only)",
        """python -m dataset caption --data data --model Salesforce/blip-image-captioning-large
        python -m dataset caption --model models/vit-gpt2 --status keep --label dog --limit 100
        python -m dataset caption --model models/blip --prompt "a logo of" --all --dry-run""",
    )
    verb.add_argument(
        "--model",
        required=True,
        metavar="FOLDER|NAME",
        help="a folder with config.json and *.safetensors, or a name in the Hugging Face hub "
        "(downloaded once); pickled weights and code that comes with a model are never loaded",
    )
    verb.add_argument("--revision", metavar="REV", help="branch, tag or commit of a hub model")
    verb.add_argument(
        "--all",
        action="store_true",
        help="pictures with other captions, too; theirs stay (default: those with no caption)",
    )
    verb.add_argument("--status", choices=STATUSES, help="only these (default: all but rejected)")
    verb.add_argument("--label", help="only pictures of this label")
    verb.add_argument("--limit", type=int, metavar="N", help="at most N pictures")
    verb.add_argument("--batch", type=int, default=8, metavar="N", help="pictures at once (8)")
    verb.add_argument("--prompt", default="", help="how the captions begin (blip and git models)")
    verb.add_argument("--max-tokens", type=int, default=32, metavar="N", help="longest text (32)")
    verb.add_argument(
        "--device",
        choices=["auto", "cpu", "cuda"],
        default="auto",
        help="where the model runs (auto: the GPU if there is one)",
    )
    verb.add_argument("--dry-run", action="store_true", help="count the pictures, and stop")
    add_data_option(verb)


def _caption(options: argparse.Namespace) -> None:
    wish = CaptionWish(
        every=options.all,
        status=options.status,
        label=options.label,
        limit=options.limit,
        batch=options.batch,
    )
    workspace = Workspace(options.data)
    with Catalog(workspace.require_catalog()) as catalog:
        model = find_model(options.model, options.revision)
        origin = model.origin(options.prompt)
        count = sum(1 for _ in wanting(catalog, wish, origin))
        if options.dry_run or not count:
            print(f"{count} pictures want a caption of {origin}")
            return
        captioner = Captioner(
            model, prompt=options.prompt, max_tokens=options.max_tokens, device=options.device
        )
        store = ImageStore(workspace.images)
        report = caption_pictures(catalog, store, captioner, wish)
    print(f"wrote {report.written} captions of {origin}, skipped {report.skipped.total()}")
    for reason, count in sorted(report.skipped.items()):
        print(f"  {count:6} {reason}")


def _import(options: argparse.Namespace) -> None:
    if options.dry_run:
        print(f"{count_pictures(options.path)} picture files in {options.path}")
        return
    if options.workers < 1 or options.min_side < 1:
        raise ConfigError("--workers and --min-side must be at least 1")
    workspace = Workspace(options.data)
    limits = PixelLimits(min_side=options.min_side)
    with Catalog(workspace.catalog) as catalog:
        warn_of_old(catalog)
        report = import_folder(
            catalog,
            ImageStore(workspace.images),
            options.path,
            source=options.source,
            limits=limits,
            workers=options.workers,
        )
    print(f"added {report.added}, known {report.known}, rejected {sum(report.rejected.values())}")
    for reason, count in sorted(report.rejected.items()):
        print(f"  {count:6} {reason}")


def _rehash(options: argparse.Namespace) -> None:
    workspace = Workspace(options.data)
    with Catalog(workspace.require_catalog()) as catalog:
        measured, failed = rehash(catalog, ImageStore(workspace.images))
    print(f"{measured} pictures measured anew" + (f", {failed} not decodable" if failed else ""))


def _pack(options: argparse.Namespace) -> None:
    config = load_config(PackConfig, options.config, options.assignments)
    workspace = Workspace(options.data)
    if options.dry_run:
        print(json.dumps(to_mapping(config), indent=2))
        return
    with Catalog(workspace.require_catalog()) as catalog:
        result = pack(catalog, ImageStore(workspace.images), workspace.packs, config)
    state = "packed" if result.fresh else "up to date"
    splits = ", ".join(f"{split} {count}" for split, count in result.counts.items())
    classes = ", ".join(f"{name} {count}" for name, count in result.classes.items())
    print(f"{state}: {result.path} ({splits}; content {result.content_hash[:16]})")
    print(f"classes: {classes}")


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
