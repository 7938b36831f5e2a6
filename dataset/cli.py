"""`python -m dataset VERB`: import, caption, find duplicates and faults, pack, look into packs."""

import argparse
from collections.abc import Sequence

from dataset import (
    caption_commands,
    export_commands,
    import_commands,
    inspect_commands,
    merge_commands,
    pack_commands,
    preview_commands,
)
from dataset.catalog import Catalog
from dataset.command_line import CommandLine, add_data_option
from dataset.duplicate_commands import add_duplicate_verbs
from dataset.image_store import ImageStore
from dataset.quality_commands import add_quality_verb
from dataset.rehash import rehash
from dataset.workspace import Workspace


def main(arguments: Sequence[str] | None = None) -> int:
    return command_line().run(arguments)


def command_line() -> CommandLine:
    """The verbs of this stage."""
    command = CommandLine("dataset", "The catalogue of pictures and the pack made from it.")
    import_commands.add_verbs(command)
    merge_commands.add_verb(command)
    caption_commands.add_verbs(command)
    add_duplicate_verbs(command)
    add_quality_verb(command)
    verb = command.verb(
        "rehash",
        _rehash,
        "measure pictures anew that an older version hashed",
        "python -m dataset rehash --data data",
    )
    add_data_option(verb)
    pack_commands.add_verbs(command)
    preview_commands.add_verbs(command)
    inspect_commands.add_verbs(command)
    export_commands.add_verbs(command)
    return command


def _rehash(options: argparse.Namespace) -> None:
    workspace = Workspace(options.data)
    with Catalog(workspace.require_catalog()) as catalog:
        measured, failed = rehash(catalog, ImageStore(workspace.images))
    print(f"{measured} pictures measured anew" + (f", {failed} not decodable" if failed else ""))
