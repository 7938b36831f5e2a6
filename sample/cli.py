"""`python -m sample VERB`: draw pictures, check that they are new, sum up.

python -m sample draw runs/tiny --per-class 2 --steps 10 --device cpu
"""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from dataset.command_line import CommandLine, add_config_options, add_data_option
from dataset.config import load_config, to_mapping
from dataset.errors import DataError
from sample.draw import DrawConfig, default_folder, draw, plan_pictures
from sample.inspection import Inspection, inspect_folder
from sample.novelty import NoveltyConfig
from sample.summary import audit_lines, render, summarise, to_json
from train.checkpoint import load_checkpoint
from train.samplers import SAMPLERS


def main(arguments: Sequence[str] | None = None) -> int:
    return command_line().run(arguments)


def command_line() -> CommandLine:
    """The verbs of this stage."""
    command = CommandLine("sample", "Drawing from a trained model, and checking what was drawn.")
    _add_draw(command)
    _add_novelty(command)
    _add_summary(command)
    return command


def _add_draw(command: CommandLine) -> None:
    verb = command.verb(
        "draw",
        _draw,
        "draw numbered pictures, a contact sheet and a manifest from a checkpoint",
        """python -m sample draw runs/tiny --per-class 8
        python -m sample draw runs/tiny --label dog --count 16 --seed 100 --out dogs --steps 25
        python -m sample draw runs/tiny/checkpoints/000200000 --sampler ddpm --steps 99""",
    )
    usual = DrawConfig()
    verb.add_argument(
        "checkpoint", type=Path, help="a checkpoint's folder, or a run's (its latest)"
    )
    verb.add_argument("--out", type=Path, metavar="DIR", help="where to (default: RUN/samples)")
    verb.add_argument("--sampler", choices=list(SAMPLERS), default=usual.sampler, help="the method")
    verb.add_argument(
        "--steps", type=int, default=usual.steps, help=f"calls of the model ({usual.steps})"
    )
    verb.add_argument(
        "--guidance",
        type=float,
        default=usual.guidance,
        help=f"how strongly the class is insisted on; 1: as learnt ({usual.guidance})",
    )
    verb.add_argument("--eta", type=float, default=usual.eta, help="DDIM's fresh noise, 0 to 1 (0)")
    number = verb.add_mutually_exclusive_group()
    number.add_argument("--per-class", type=int, default=0, help="pictures of each class")
    number.add_argument(
        "--count",
        type=int,
        default=usual.count,
        help=f"pictures in all, spread over the classes ({usual.count})",
    )
    verb.add_argument(
        "--label", dest="labels", action="append", default=[], help="a class; may be repeated"
    )
    verb.add_argument("--seed", type=int, default=usual.seed, help="of the first picture (0)")
    verb.add_argument(
        "--batch", type=int, default=usual.batch, help="pictures at once (16, 256 on a GPU)"
    )
    devices = ["auto", "cpu", "cuda"]
    verb.add_argument(
        "--device", choices=devices, default=usual.device, help="auto: the GPU if any"
    )
    verb.add_argument(
        "--replace", action="store_true", help="remove pictures there that were drawn otherwise"
    )
    verb.add_argument("--dry-run", action="store_true", help="say what would be drawn, and stop")
    verb.add_argument("--json", action="store_true", help="print the result as JSON")


def _draw(options: argparse.Namespace) -> int:
    checkpoint = load_checkpoint(options.checkpoint)
    names = ("sampler", "steps", "guidance", "eta", "per_class", "count", "seed", "batch", "device")
    chosen = {name: getattr(options, name) for name in names}
    config = DrawConfig(**chosen, labels=tuple(options.labels))
    folder = options.out or default_folder(checkpoint)
    if options.dry_run:
        plan = plan_pictures(config, checkpoint.label_names)
        print(json.dumps(to_mapping(config), indent=2))
        print(f"would draw {len(plan)} pictures from {checkpoint.path} into {folder}")
        return 0
    done = draw(checkpoint, config, folder, replace=options.replace)
    if options.json:
        print(
            json.dumps({"folder": str(done.folder), "pictures": done.pictures, "drawn": done.drawn})
        )
    elif done.drawn:
        print(f"{done.drawn} of {done.pictures} pictures drawn into {done.folder} (see sheet.png)")
    else:
        print(f"{done.pictures} pictures are already drawn in {done.folder}")
    return 0


def _add_novelty(command: CommandLine) -> None:
    verb = command.verb(
        "novelty",
        _novelty,
        "compare pictures with the training set and write report.html beside them",
        """python -m sample novelty runs/tiny/samples --packed data/packs/main.h5
        python -m sample novelty pictures/ --packed data/packs/main.h5 --strict --json
        python -m sample novelty pictures/ --packed data/packs/main.h5 --set level=0.02 --again""",
    )
    verb.add_argument("folder", type=Path, metavar="DIR", help="a folder of PNG or JPEG pictures")
    verb.add_argument(
        "--packed", type=Path, required=True, metavar="FILE", help="the pack that was trained on"
    )
    verb.add_argument("--k", type=int, help="neighbours shown beside each picture (3)")
    verb.add_argument(
        "--index", type=Path, metavar="FILE", help="keep the index here, to be used again"
    )
    verb.add_argument("--strict", action="store_true", help="exit with 3 when a copy is found")
    verb.add_argument("--again", action="store_true", help="check again even if nothing changed")
    verb.add_argument("--json", action="store_true", help="print novelty.json's content")
    add_config_options(verb, "the verdicts", keys=NoveltyConfig)


def _novelty(options: argparse.Namespace) -> int:
    given = [*options.assignments, *([f"k={options.k}"] if options.k is not None else [])]
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
    copies = done.counts["copy"]
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
    calibration = done.record["calibration"]
    if not calibration["enough"]:
        print(
            f"{calibration['pictures']} calibration pictures are too few for a verdict at this "
            "level; pack with a larger cal split",
            file=sys.stderr,
        )
    for line in audit_lines(done.record):
        print(line)
    print(done.report)


def _add_summary(command: CommandLine) -> None:
    verb = command.verb(
        "summary",
        _summary,
        "sum up what was collected, kept, packed, learnt, drawn and found to be new",
        """python -m sample summary --data data --run runs/tiny
        python -m sample summary --run runs/tiny --json""",
    )
    add_data_option(verb)
    verb.add_argument("--run", type=Path, required=True, metavar="RUN", help="the run's folder")
    verb.add_argument(
        "--samples", type=Path, metavar="DIR", help="the drawn pictures (default: RUN/samples)"
    )
    verb.add_argument("--json", action="store_true", help="print as JSON")


def _summary(options: argparse.Namespace) -> int:
    parts = summarise(options.data, options.run, options.samples)
    print(to_json(parts) if options.json else render(parts))
    return 0
