"""`python -m sample VERB`: draw pictures, enlarge them, check that they are new, sum up.

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
from sample import draw, enlarging
from sample.draw import DrawConfig
from sample.drawn_folder import Drawing
from sample.enlarging import EnlargeConfig
from sample.inspection import Inspection, inspect_folder
from sample.novelty import NoveltyConfig
from sample.sampling_options import add_sampling_options, add_start_options, sampling_of, start_of
from sample.summary import audit_lines, render, summarise, to_json
from train.checkpoint import load_checkpoint


def main(arguments: Sequence[str] | None = None) -> int:
    return command_line().run(arguments)


def command_line() -> CommandLine:
    """The verbs of this stage."""
    command = CommandLine("sample", "Drawing from a trained model, and checking what was drawn.")
    _add_draw(command)
    _add_upscale(command)
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
        python -m sample draw runs/tiny/checkpoints/000200000 --sampler ddpm --steps 99
        python -m sample draw runs/tiny --guidance 4 --orthogonal --guidance-between 0.2 5
        python -m sample draw runs/tiny --from cat.png --label dog --strength 0.7 --out mixed
        python -m sample draw runs/tiny --from cat.png --mask hole.png --rounds 2 --out filled
        python -m sample draw runs/tiny --seed 3 --towards 9 --per-class 12 --out between""",
    )
    usual = DrawConfig()
    verb.add_argument(
        "checkpoint", type=Path, help="a checkpoint's folder, or a run's (its latest)"
    )
    verb.add_argument("--out", type=Path, metavar="DIR", help="where to (default: RUN/samples)")
    number = verb.add_mutually_exclusive_group()
    number.add_argument("--per-class", type=int, help="pictures of each class")
    number.add_argument(
        "--count",
        type=int,
        default=usual.count,
        help=f"pictures in all, spread over the classes ({usual.count})",
    )
    verb.add_argument(
        "--label",
        dest="labels",
        action="append",
        default=[],
        metavar="NAME",
        help="a class; may be repeated",
    )
    _add_work_options(verb, "8, 256 on a GPU")
    add_sampling_options(verb, usual.sampling)
    add_start_options(verb)


def _add_work_options(verb: argparse.ArgumentParser, batch: str) -> None:
    verb.add_argument("--seed", type=int, default=0, help="of the first picture (0)")
    verb.add_argument("--batch", type=int, default=0, help=f"pictures at once ({batch})")
    devices = ["auto", "cpu", "cuda"]
    verb.add_argument("--device", choices=devices, default="auto", help="auto: the GPU if any")
    verb.add_argument(
        "--replace", action="store_true", help="remove pictures there that were drawn otherwise"
    )
    verb.add_argument("--dry-run", action="store_true", help="say what would be drawn, and stop")
    verb.add_argument("--json", action="store_true", help="print the result as JSON")


def _draw(options: argparse.Namespace) -> int:
    checkpoint = load_checkpoint(options.checkpoint)
    names = ("per_class", "count", "seed", "batch", "device")
    chosen = {name: getattr(options, name) for name in names}
    config = DrawConfig(
        sampling=sampling_of(options),
        start=start_of(options),
        labels=tuple(options.labels),
        **chosen,
    )
    folder = options.out or draw.default_folder(checkpoint)
    if options.dry_run:
        count = len(draw.prepare(checkpoint, config).pictures)
        print(json.dumps(to_mapping(config), indent=2))
        print(f"would draw {count} pictures from {checkpoint.path} into {folder}")
        return 0
    _print_drawing(draw.draw(checkpoint, config, folder, replace=options.replace), options.json)
    return 0


def _add_upscale(command: CommandLine) -> None:
    verb = command.verb(
        "upscale",
        _upscale,
        "enlarge pictures with a checkpoint of a run that learnt to (upscale.from_size)",
        """python -m sample upscale runs/upscale --from runs/icon/samples
        python -m sample upscale runs/upscale --from cat.png --out large --seed 7 --noise 0.1
        python -m sample upscale runs/upscale --from small/ --label cat --steps 30 --guidance 2""",
    )
    verb.add_argument(
        "checkpoint", type=Path, help="a checkpoint's folder, or a run's (its latest)"
    )
    verb.add_argument(
        "--from",
        dest="given",
        type=Path,
        required=True,
        metavar="PATH",
        help="a small picture, or a folder of them; of the size that the model enlarges",
    )
    verb.add_argument("--out", type=Path, metavar="DIR", help="where to (default: RUN/enlarged)")
    verb.add_argument(
        "--noise",
        type=float,
        default=0.0,
        help="sigma of noise on the small pictures: more lets more be invented (0)",
    )
    verb.add_argument(
        "--label",
        metavar="NAME",
        help="the class of all (default: what a manifest beside the pictures says)",
    )
    _add_work_options(verb, "4, 64 on a GPU")
    add_sampling_options(verb, EnlargeConfig().sampling)


def _upscale(options: argparse.Namespace) -> int:
    checkpoint = load_checkpoint(options.checkpoint)
    chosen = {
        name: getattr(options, name) for name in ("noise", "label", "seed", "batch", "device")
    }
    config = EnlargeConfig(sampling=sampling_of(options), **chosen)
    folder = options.out or enlarging.default_folder(checkpoint)
    if options.dry_run:
        count = len(enlarging.prepare(checkpoint, options.given, config).pictures)
        print(json.dumps(to_mapping(config), indent=2))
        print(f"would enlarge {count} pictures with {checkpoint.path} into {folder}")
        return 0
    done = enlarging.enlarge(checkpoint, options.given, config, folder, replace=options.replace)
    _print_drawing(done, options.json)
    return 0


def _print_drawing(done: Drawing, as_json: bool) -> None:
    if as_json:
        print(
            json.dumps({"folder": str(done.folder), "pictures": done.pictures, "drawn": done.drawn})
        )
    elif done.drawn:
        print(f"{done.drawn} of {done.pictures} pictures drawn into {done.folder} (see sheet.png)")
    else:
        print(f"{done.pictures} pictures are already drawn in {done.folder}")


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
