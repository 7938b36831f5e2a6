"""`python -m dataset import`: pictures and packs of elsewhere come in."""

import argparse
import logging
from pathlib import Path
from typing import get_args

from dataset.catalog import Catalog
from dataset.command_line import CommandLine, add_config_options, add_data_option, printable
from dataset.config import load_config, parse_assignment, read_toml, to_mapping
from dataset.errors import ConfigError
from dataset.image_store import ImageStore
from dataset.imports.choice import ALL_HELD, as_the_source, check, most_pictures
from dataset.imports.collection import Axes, Collection, ReadOptions
from dataset.imports.detection import KINDS, open_collection
from dataset.imports.into_catalog import import_collection
from dataset.likeness import warn_of_old
from dataset.pack_replacing import check_replaceable, replaced
from dataset.pack_selection import PackConfig
from dataset.pixels import PixelLimits
from dataset.workspace import Workspace

log = logging.getLogger(__name__)

_SHOWN_CLASSES = 40


def add_verbs(command: CommandLine) -> None:
    """The verb that takes pictures in."""
    verb = command.verb(
        "import",
        _import,
        "take pictures of elsewhere into the catalogue, or straight into a pack",
        """python -m dataset import folder pictures/ --data data
        python -m dataset import animals.tar --data data --licence CC-BY-4.0
        python -m dataset import lld LLD-icon.hdf5 --scheme resnet/rc_64 --pack icons.h5
        python -m dataset import lld LLD-icon.hdf5 --clusters 2,20,50 --data data
        python -m dataset import mnist mnist/ --pack digits.h5 --keep-split --set channels=grey
        python -m dataset import webdataset shards/{000..009}.tar --pack photos.h5 --set size=64
        python -m dataset import cifar-10-binary.tar.gz --dry-run""",
    )
    verb.add_argument(
        "kind", nargs="?", default="auto", choices=["auto", *KINDS], help="what it is (auto)"
    )
    verb.add_argument("path", type=Path, help="the file, folder, or shards by {000..009} or *")
    verb.add_argument(
        "--pack", type=Path, metavar="FILE", help="write this pack, not the catalogue"
    )
    verb.add_argument(
        "--replace", action="store_true", help="write over the pack that --pack names"
    )
    verb.add_argument("--source", default="import", help="name kept as the source (import)")
    verb.add_argument("--licence", default="unknown", help="of pictures that name none (unknown)")
    verb.add_argument("--scheme", default="", help="which labels become the classes")
    verb.add_argument("--clusters", default="", help="only these of them: 2,20,50")
    verb.add_argument(
        "--axes", choices=get_args(Axes), default="auto", help="how arrays lie (auto)"
    )
    verb.add_argument("--transpose", action="store_true", help="arrays lie rows for columns")
    verb.add_argument(
        "--keep-split",
        action="store_true",
        help="the source's own test pictures stay that (--pack)",
    )
    verb.add_argument("--min-side", type=int, help="smallest side, pixels (16; of a pack 1)")
    verb.add_argument("--workers", type=int, default=2, help="how many decode at once (2)")
    add_config_options(verb, "the pack", keys=PackConfig)
    add_data_option(verb)


def _import(options: argparse.Namespace) -> None:
    if options.workers < 1 or (options.min_side is not None and options.min_side < 1):
        raise ConfigError("--workers and --min-side must be at least 1")
    of_a_pack = options.config, options.assignments, options.keep_split, options.replace
    if options.pack is None and any(of_a_pack):
        raise ConfigError(
            "--config, --set, --keep-split and --replace are of a pack; add --pack FILE"
        )
    clusters = tuple(name.strip() for name in options.clusters.split(",") if name.strip())
    asked = ReadOptions(
        scheme=options.scheme, clusters=clusters, axes=options.axes, transpose=options.transpose
    )
    config = load_config(PackConfig, options.config, options.assignments)
    if options.pack is not None:
        check_replaceable(options.pack, replace=options.replace)
    collection = open_collection(options.kind, options.path, asked)
    if options.pack is not None:
        config = _as_packed(collection, config, options)
    if options.dry_run:
        _tell(collection, config if options.pack is not None else None, options.keep_split)
    elif options.pack is not None:
        _into_pack(collection, config, options)
    else:
        _into_catalog(collection, options)


def _as_packed(
    collection: Collection, config: PackConfig, options: argparse.Namespace
) -> PackConfig:
    """The config that the pack is made with, checked; what is not as one may expect is said."""
    check(collection, config)
    given = {parse_assignment(text)[0] for text in options.assignments}
    given |= read_toml(options.config).keys() if options.config else set()
    config, line = as_the_source(collection, config, given)
    for said in (line, replaced(options.pack, to_mapping(config))):
        if said:
            log.warning(said)
    return config


def _tell(collection: Collection, config: PackConfig | None, keep_split: bool) -> None:
    """What a collection holds, and how much of it goes into a pack made with `config`."""
    summary = collection.summary()
    print(f"{summary.pictures} pictures in {collection.path} ({collection.kind})")
    for title, counts in (("splits", summary.splits), ("labels", summary.schemes)):
        if counts:
            said = ", ".join(f"{printable(name)} {count}" for name, count in counts.items())
            print(f"{title}: {said}" + (" classes" if title == "labels" else ""))
    for name, count in list(summary.classes.items())[:_SHOWN_CLASSES]:
        print(f"  {count:7} {printable(name) or '(no label)'}")
    if len(summary.classes) > _SHOWN_CLASSES:
        print(f"  and {len(summary.classes) - _SHOWN_CLASSES} more classes")
    if config is None:
        return
    if keep_split and summary.splits and not summary.splits.get("train"):
        raise ConfigError(ALL_HELD)
    taken = most_pictures(summary, config)
    more = "; licences are not looked at yet" if config.licences else ""
    print(f"would pack at most {sum(taken.values())} of them (classes: {len(taken)}{more})")


def _into_catalog(collection: Collection, options: argparse.Namespace) -> None:
    workspace = Workspace(options.data)
    with Catalog(workspace.catalog) as catalog:
        warn_of_old(catalog)
        report = import_collection(
            catalog,
            ImageStore(workspace.images),
            collection,
            source=options.source,
            licence=options.licence,
            limits=PixelLimits(min_side=options.min_side or 16),
            workers=options.workers,
        )
        undecided = catalog.images.counts("status").get("undecided", 0)
    print(f"added {report.added}, known {report.known}, rejected {sum(report.rejected.values())}")
    _tell_rejected(report.rejected)
    if report.added and undecided:
        print(
            f"undecided: {undecided}; judge them (make curate, or python -m curate_app auto), "
            "then pack"
        )


def _into_pack(collection: Collection, config: PackConfig, options: argparse.Namespace) -> None:
    from dataset.imports.into_pack import import_into_pack

    result = import_into_pack(
        collection,
        options.pack,
        config,
        source=options.source,
        licence=options.licence,
        keep_split=options.keep_split,
        limits=PixelLimits(min_side=options.min_side or 1),
        workers=options.workers,
    )
    said = ", ".join(f"{split} {count}" for split, count in result.splits.items())
    print(f"packed {sum(result.splits.values())} pictures ({said}) into {result.path}")
    print(f"{len(result.classes)} classes, content {result.content_hash[:16]}")
    _tell_rejected(result.rejected)


def _tell_rejected(rejected: dict[str, int]) -> None:
    for reason, count in sorted(rejected.items()):
        print(f"  {count:6} {reason}")
