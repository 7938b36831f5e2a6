"""`python -m dataset import`: pictures and packs of elsewhere come in."""

import argparse
from pathlib import Path

from dataset.catalog import Catalog
from dataset.command_line import CommandLine, add_data_option
from dataset.errors import ConfigError
from dataset.image_store import ImageStore
from dataset.importers import count_pictures, import_folder
from dataset.likeness import warn_of_old
from dataset.pixels import PixelLimits
from dataset.workspace import Workspace


def add_verbs(command: CommandLine) -> None:
    """The verb that takes pictures in."""
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
