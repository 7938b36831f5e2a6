"""`python -m dataset preview`: pictures before and after their preparation, to look at."""

import argparse
import re
from pathlib import Path

from dataset.catalog import Catalog
from dataset.command_line import CommandLine, add_config_options, add_data_option
from dataset.errors import ConfigError
from dataset.image_store import ImageStore
from dataset.pack_selection import PackConfig
from dataset.preview import Candidate, Recipe, from_catalog, from_files, prepare_shown, recipes
from dataset.preview_sheet import write_preview_page, write_sheet
from dataset.workspace import Workspace

_MOST = 200
_NUMBER = re.compile(r"[0-9]{1,18}")


def add_verbs(command: CommandLine) -> None:
    """The verb that shows what preparation does."""
    verb = command.verb(
        "preview",
        _preview,
        "show pictures before and after their preparation for a pack",
        """python -m dataset preview --data data --out preview.png
        python -m dataset preview --set size=64 --compare fit=pad,crop,subject --label dog
        python -m dataset preview --from photos.tar --compare sharpness=1,1.5 --html preview.html
        python -m dataset preview --ids 5,9,12 --set channels=rgba""",
    )
    add_data_option(verb)
    add_config_options(verb, "the pack", keys=PackConfig, dry_run=False)
    verb.add_argument(
        "--compare",
        action="append",
        default=[],
        metavar="KEY=VALUE,VALUE",
        help="several recipes side by side; may be repeated for other keys",
    )
    verb.add_argument("--from", dest="source", type=Path, metavar="PATH", help="a folder or tar")
    verb.add_argument("--ids", default="", metavar="N,N", help="these pictures of the catalogue")
    verb.add_argument("--label", action="append", default=[], help="only this class; repeatable")
    verb.add_argument("--count", type=int, default=12, metavar="N", help="so many pictures (12)")
    verb.add_argument("--seed", type=int, default=0, help="another seed, other pictures (0)")
    verb.add_argument(
        "--out",
        type=Path,
        default=Path("preview.png"),
        metavar="PNG",
        help="where the sheet is written (preview.png)",
    )
    verb.add_argument("--html", type=Path, metavar="HTML", help="a page of the same, too")


def _preview(options: argparse.Namespace) -> None:
    if not 1 <= options.count <= _MOST:
        raise ConfigError(f"--count is {options.count}; it must be 1 to {_MOST}")
    compared = recipes(options.config, options.assignments, options.compare)
    shown = prepare_shown(_candidates(options, compared[0]), compared)
    write_sheet(options.out, shown, compared)
    if options.html is not None:
        write_preview_page(options.html, shown, compared)
    written = " and ".join(str(path) for path in (options.out, options.html) if path is not None)
    print(f"written: {written} (pictures {len(shown)}, recipes {len(compared)})")


def _candidates(options: argparse.Namespace, recipe: Recipe) -> list[Candidate]:
    labels = options.label or recipe.config.labels
    if options.source is not None:
        if options.ids:
            raise ConfigError("--ids are pictures of the catalogue; leave out --from or --ids")
        return from_files(options.source, labels, options.count, options.seed)
    workspace = Workspace(options.data)
    with Catalog(workspace.require_catalog()) as catalog:
        return from_catalog(
            catalog,
            ImageStore(workspace.images),
            recipe.config,
            options.count,
            options.seed,
            labels=labels,
            ids=_numbers(options.ids),
        )


def _numbers(text: str) -> list[int]:
    numbers = text.split(",") if text else []
    if len(numbers) > _MOST or not all(_NUMBER.fullmatch(number) for number in numbers):
        raise ConfigError(f"--ids takes up to {_MOST} numbers such as 5,9,12, not {text[:80]!r}")
    return [int(number) for number in numbers]
