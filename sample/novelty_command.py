"""`python -m sample novelty DIR --packed FILE`: are the pictures of a folder new?

python -m sample novelty runs/tiny/samples --packed data/packs/demo.h5 --strict
"""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from dataset.command_line import CommandLine, add_config_options
from dataset.config import load_config, to_mapping
from dataset.errors import DataError
from sample.inspection import Inspection, inspect_folder
from sample.novelty import NoveltyConfig
from sample.summary import audit_lines, share_line


def add_verb(command: CommandLine) -> None:
    """Add `novelty` to the stage's verbs."""
    verb = command.verb(
        "novelty",
        _novelty,
        "compare pictures with the training set and write report.html beside them",
        """python -m sample novelty runs/tiny/samples --packed data/packs/main.h5
        python -m sample novelty pictures/ --packed data/packs/main.h5 --strict --json
        python -m sample novelty pictures/ --packed data/packs/main.h5 --set level=0.02 --again
        python -m sample novelty pictures/ --packed data/packs/main.h5 --encoder dinov2=FOLDER""",
    )
    verb.add_argument("folder", type=Path, metavar="DIR", help="a folder of PNG or JPEG pictures")
    verb.add_argument(
        "--packed", type=Path, required=True, metavar="FILE", help="the pack that was trained on"
    )
    verb.add_argument("--k", type=int, help="neighbours shown beside each picture (3)")
    verb.add_argument(
        "--encoder",
        metavar="SPACE",
        help="a learnt descriptor instead of the built-in one, such as dinov2=FOLDER",
    )
    verb.add_argument(
        "--index", type=Path, metavar="FILE", help="keep the index here, to be used again"
    )
    verb.add_argument(
        "--strict",
        action="store_true",
        help="exit with 3 when a copy is found that nobody marked as a false alarm",
    )
    verb.add_argument("--again", action="store_true", help="check again even if nothing changed")
    verb.add_argument("--json", action="store_true", help="print novelty.json's content")
    add_config_options(verb, "the verdicts", keys=NoveltyConfig)


def _novelty(options: argparse.Namespace) -> int:
    named = {"k": options.k, "encoder": options.encoder}
    given = [f"{key}={value}" for key, value in named.items() if value is not None]
    given = [*options.assignments, *given]
    config = load_config(NoveltyConfig, options.config, given)
    if options.dry_run:
        print(json.dumps(to_mapping(config), indent=2))
        return 0
    done = inspect_folder(
        options.folder, options.packed, config, again=options.again, index_path=options.index
    )
    if options.json:
        print(json.dumps(done.record, indent=2, ensure_ascii=False))
    else:
        _print_inspection(done)
    copies = done.record["share"]["copies"]
    if options.strict and copies:
        raise DataError(f"{copies} of the pictures in {done.folder} are copies; see {done.report}")
    return 0


def _print_inspection(done: Inspection) -> None:
    if not done.fresh:
        print("already checked: the same pictures, pack and thresholds")
    for verdict, count in done.counts.items():
        print(f"{count:7} {verdict}")
    if done.record["unreadable"]:
        print(f"{len(done.record['unreadable']):7} left out: not readable as pictures")
    for line in doubts(done.record):
        print(line, file=sys.stderr)
    print(share_line(done.record))
    for line in audit_lines(done.record):
        print(line)
    print(done.report)


def doubts(record: dict[str, Any]) -> list[str]:
    """What the calibration cannot bear, in a line each; none when all is well."""
    calibration, judged = record["calibration"], record["share"]["judged"]
    count, needed = calibration["pictures"], record["fewest_findings"]
    if not calibration["enough"]:
        return [
            f"{count} calibration pictures are too few for a verdict at this level; pack with a"
            " larger cal split"
        ]
    if needed > max(judged, 1):
        return [
            f"{count} calibration pictures cannot tell a near copy among {judged} pictures, only"
            " copies; pack with a larger cal split"
        ]
    return []
