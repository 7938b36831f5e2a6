"""`python -m dataset pack`: the kept pictures become one file."""

import argparse
import json
import logging
from collections.abc import Mapping

from dataset.catalog import Catalog
from dataset.command_line import CommandLine, add_config_options, add_data_option, printable
from dataset.config import load_config, to_mapping
from dataset.errors import ConfigError, DataError
from dataset.image_store import ImageStore
from dataset.pack import PackForecast, forecast, pack
from dataset.pack_replacing import replaced
from dataset.pack_selection import PackConfig
from dataset.provenance import SPLITS
from dataset.workspace import Workspace

log = logging.getLogger(__name__)

_MOST_CLASSES, _MOST_LICENCES = 30, 10
_MOST_WORKERS = 256


def add_verbs(command: CommandLine) -> None:
    """The verb that packs."""
    verb = command.verb(
        "pack",
        _pack,
        "pack the kept pictures into one HDF5 file",
        """python -m dataset pack --data data
        python -m dataset pack --dry-run --set split_by=brand
        python -m dataset pack --set size=64 --set name=dogs64 --set 'labels=["dog"]'""",
    )
    add_config_options(verb, "the pack", keys=PackConfig)
    add_data_option(verb)
    verb.add_argument(
        "--workers",
        type=int,
        metavar="N",
        help="decoding processes (default: as many as there are processors); the pack is the same",
    )
    verb.add_argument("--json", action="store_true", help="print the result as JSON")


def _pack(options: argparse.Namespace) -> None:
    config = load_config(PackConfig, options.config, options.assignments)
    workers = options.workers
    if workers is not None and not 1 <= workers <= _MOST_WORKERS:
        raise ConfigError(f"--workers is {workers}; it must be 1 to {_MOST_WORKERS}")
    workspace = Workspace(options.data)
    with Catalog(workspace.require_catalog()) as catalog:
        lost = replaced(workspace.pack(config.name), to_mapping(config))
        if lost:
            log.warning(lost)
        if options.dry_run:
            _show_forecast(forecast(catalog, config), config, options.json)
            return
        store = ImageStore(workspace.images)
        result = pack(catalog, store, workspace.packs, config, workers=workers)
    if options.json:
        print(json.dumps(to_mapping(result), indent=2))
        return
    state = "packed" if result.fresh else "up to date"
    print(
        f"{state}: {result.path} ({_listed(result.counts)}; content {result.content_hash[:16]})\n"
        f"classes: {_listed(result.classes, _MOST_CLASSES)}\n"
        f"licences: {_listed(_frequent(result.licences), _MOST_LICENCES)}"
    )
    if result.fresh:
        names = ("card.md", "attribution.csv", "manifest.json")
        print("beside it: " + ", ".join(f"{config.name}.{name}" for name in names))


def _show_forecast(found: PackForecast, config: PackConfig, as_json: bool) -> None:
    """Raises DataError when the pack would be refused."""
    if as_json:
        print(json.dumps({**to_mapping(found), "config": to_mapping(config)}, indent=2))
    else:
        total = sum(found.splits.values())
        print(f"would pack {total} pictures as {config.name}.h5 ({_listed(found.splits)})")
        width = max([len("class"), *(len(printable(name)) for name in found.classes)])
        if found.classes:
            print(f"  {'class':<{width}} {'pictures':>9} " + " ".join(f"{s:>7}" for s in SPLITS))
        for name, splits in list(found.classes.items())[:_MOST_CLASSES]:
            counts = " ".join(f"{splits[split]:>7}" for split in SPLITS)
            print(f"  {printable(name):<{width}} {sum(splits.values()):>9} {counts}")
        if len(found.classes) > _MOST_CLASSES:
            print(f"  and {len(found.classes) - _MOST_CLASSES} more classes")
        print(f"licences: {_listed(_frequent(found.licences), _MOST_LICENCES)}")
    if found.problem:
        raise DataError(found.problem)


def _frequent(counts: Mapping[str, int]) -> dict[str, int]:
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))


def _listed(counts: Mapping[str, int], most: int = 10) -> str:
    parts = [f"{printable(name)} {count}" for name, count in list(counts.items())[:most]]
    more = f" and {len(counts) - most} more" if len(counts) > most else ""
    return ", ".join(parts) + more if parts else "none"
