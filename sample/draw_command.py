"""The verbs that draw: `python -m sample draw` and `python -m sample upscale`.

torchrun --nproc-per-node 2 -m sample draw runs/tiny --count 1000
"""

import argparse
import json
from pathlib import Path

from dataset.command_line import CommandLine
from dataset.config import to_mapping
from sample import draw, enlarging
from sample.draw import DrawConfig
from sample.drawn_folder import Drawing
from sample.enlarging import EnlargeConfig
from sample.sampling_options import (
    add_picture_options,
    add_sampling_options,
    add_start_options,
    path_of,
    sampling_of,
    sheet_of,
    start_of,
)
from sample.sharded import drawing_ranks
from train.checkpoint import load_checkpoint
from train.distributed import Ranks


def add_verbs(command: CommandLine) -> None:
    _add_draw(command)
    _add_upscale(command)


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
        python -m sample draw runs/tiny --seed 3 --towards 9 --per-class 12 --out between
        python -m sample draw runs/tiny --count 12 --path gif --sheet seeds --out on-the-way""",
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
    add_picture_options(verb, path=True)


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
    with drawing_ranks() as ranks:
        checkpoint = load_checkpoint(options.checkpoint)
        names = ("per_class", "count", "seed", "batch", "device")
        chosen = {name: getattr(options, name) for name in names}
        config = DrawConfig(
            sampling=sampling_of(options),
            start=start_of(options),
            path=path_of(options),
            sheet=sheet_of(options),
            labels=tuple(options.labels),
            **chosen,
        )
        folder = options.out or draw.default_folder(checkpoint)
        if options.dry_run:
            count = len(draw.prepare(checkpoint, config).pictures)
            told = f"would draw {count} pictures from {checkpoint.path} into {folder}"
            _print_dry_run(config, told, ranks)
            return 0
        done = draw.draw(checkpoint, config, folder, replace=options.replace, ranks=ranks)
        _print_drawing(done, options, ranks)
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
    add_picture_options(verb)


def _upscale(options: argparse.Namespace) -> int:
    with drawing_ranks() as ranks:
        checkpoint = load_checkpoint(options.checkpoint)
        names = ("noise", "label", "seed", "batch", "device")
        chosen = {name: getattr(options, name) for name in names}
        config = EnlargeConfig(sampling=sampling_of(options), sheet=sheet_of(options), **chosen)
        folder = options.out or enlarging.default_folder(checkpoint)
        if options.dry_run:
            count = len(enlarging.prepare(checkpoint, options.given, config).pictures)
            told = f"would enlarge {count} pictures with {checkpoint.path} into {folder}"
            _print_dry_run(config, told, ranks)
            return 0
        about = {"replace": options.replace, "ranks": ranks}
        done = enlarging.enlarge(checkpoint, options.given, config, folder, **about)
        _print_drawing(done, options, ranks)
    return 0


def _print_dry_run(config: DrawConfig | EnlargeConfig, told: str, ranks: Ranks) -> None:
    if ranks.first:
        print(json.dumps(to_mapping(config), indent=2))
        print(told)


def _print_drawing(done: Drawing, options: argparse.Namespace, ranks: Ranks) -> None:
    if not ranks.first:
        return
    if options.json:
        print(
            json.dumps({"folder": str(done.folder), "pictures": done.pictures, "drawn": done.drawn})
        )
    elif done.drawn:
        print(f"{done.drawn} of {done.pictures} pictures drawn into {done.folder} (see sheet.png)")
    else:
        print(f"{done.pictures} pictures are already drawn in {done.folder}")
