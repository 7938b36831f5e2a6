"""`python -m dataset pack`: the kept pictures become one file."""

import argparse
import json

from dataset.catalog import Catalog
from dataset.command_line import CommandLine, add_config_options, add_data_option
from dataset.config import load_config, to_mapping
from dataset.image_store import ImageStore
from dataset.pack import pack
from dataset.pack_selection import PackConfig
from dataset.workspace import Workspace


def add_verbs(command: CommandLine) -> None:
    """The verb that packs."""
    verb = command.verb(
        "pack",
        _pack,
        "pack the kept pictures into one HDF5 file",
        """python -m dataset pack --data data
        python -m dataset pack --set size=64 --set name=dogs64 --set 'labels=["dog"]'""",
    )
    add_config_options(verb, "the pack (keys of PackConfig)")
    add_data_option(verb)


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
