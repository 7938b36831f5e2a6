"""`python -m sample evaluate`: sets of drawn pictures, checkpoints and samplers side by side.

python -m sample evaluate runs/tiny/samples --packed data/packs/main.h5
"""

import argparse
import json
from dataclasses import replace
from pathlib import Path

from dataset.command_line import CommandLine, add_config_options
from dataset.config import load_config, to_mapping
from dataset.errors import ConfigError
from dataset.packed import PackedDataset
from sample.compared_sets import default_folder, sources
from sample.draw import DrawConfig
from sample.evaluate import RECORD, EvaluateConfig, Evaluation, comparable, evaluate
from sample.evaluation_table import table_lines
from sample.sampling_options import add_sampling_options, sampling_of
from train.drawing import Sampling
from train.samplers import SAMPLERS


def add_verb(command: CommandLine) -> None:
    """Add `evaluate` to the verbs of the stage."""
    verb = command.verb(
        "evaluate",
        _evaluate,
        "compare drawn pictures, checkpoints and samplers with real pictures in one table and plot",
        """python -m sample evaluate runs/tiny/samples --packed data/packs/main.h5
        python -m sample evaluate runs/a runs/b --packed main.h5 --count 1000 --out compared
        python -m sample evaluate runs/tiny --packed main.h5 --all-checkpoints
        python -m sample evaluate runs/tiny --packed main.h5 --try ddim:50 --try heun:18:1.5
        python -m sample evaluate samples --packed main.h5 --space inception=inception.pth
        python -m sample evaluate samples --packed main.h5 --space clip=models/clip --json""",
    )
    verb.add_argument(
        "paths",
        type=Path,
        nargs="+",
        metavar="PATH",
        help="a folder of pictures; or a run (its latest checkpoint) or a checkpoint to draw from",
    )
    verb.add_argument(
        "--packed", type=Path, required=True, metavar="FILE", help="the pack that was trained on"
    )
    verb.add_argument(
        "--out", type=Path, metavar="DIR", help="where to (default: PATH/evaluation of the first)"
    )
    verb.add_argument(
        "--space",
        dest="spaces",
        action="append",
        default=[],
        metavar="SPACE",
        help="outline, patches, vae=RUN, inception=FILE, dinov2=MODEL or clip=MODEL, a MODEL being"
        " a folder or a hub name; may be repeated (outline)",
    )
    verb.add_argument("--count", type=int, help="pictures of each set at most (500)")
    _add_drawing(verb)
    verb.add_argument(
        "--fetch", action="store_true", help="download models that are not at hand from the hub"
    )
    verb.add_argument("--json", action="store_true", help="print evaluation.json's content")
    add_config_options(verb, "the evaluation", keys=EvaluateConfig)


def _add_drawing(verb: argparse.ArgumentParser) -> None:
    verb.add_argument(
        "--all-checkpoints", action="store_true", help="of a run every checkpoint, not the latest"
    )
    verb.add_argument(
        "--try",
        dest="tried",
        action="append",
        default=[],
        metavar="SAMPLER:STEPS[:GUIDANCE]",
        help="draw in this way; may be repeated, to compare (default: the options below)",
    )
    verb.add_argument(
        "--label",
        dest="labels",
        action="append",
        default=[],
        metavar="NAME",
        help="a class alone, of the drawn and of the real pictures; may be repeated",
    )
    verb.add_argument("--first-seed", type=int, default=0, help="of the pictures drawn (0)")
    verb.add_argument("--batch", type=int, default=0, help="pictures drawn at once (8, GPU 256)")
    devices = ["auto", "cpu", "cuda"]
    verb.add_argument("--device", choices=devices, default="auto", help="auto: the GPU if any")
    add_sampling_options(verb, DrawConfig().sampling)


def _evaluate(options: argparse.Namespace) -> int:
    given = list(options.assignments)
    if options.count is not None:
        given.append(f"count={options.count}")
    for key in ("spaces", "labels"):
        if named := list(dict.fromkeys(getattr(options, key))):
            given.append(f"{key}={json.dumps(named, ensure_ascii=False)}")
    config = load_config(EvaluateConfig, options.config, given)
    drawing = DrawConfig(
        labels=config.labels,
        count=comparable(PackedDataset(options.packed), config),
        seed=options.first_seed,
        batch=options.batch,
        device=options.device,
    )
    out = options.out or default_folder(options.paths[0])
    ways = tried(options.tried, sampling_of(options))
    compared = sources(options.paths, ways, drawing, out, all_checkpoints=options.all_checkpoints)
    if options.dry_run:
        print(json.dumps(to_mapping(config), indent=2))
        for source in compared:
            verb = "draw" if source.checkpoint is not None else "read"
            print(f"would {verb} {source.name} ({source.folder})")
        return 0
    done = evaluate(
        compared, options.packed, config, out, device=options.device, online=options.fetch
    )
    _print(done, options.json)
    return 0


def tried(ways: list[str], usual: Sampling) -> list[Sampling]:
    """The ways to draw: `usual` if none is given, else each SAMPLER:STEPS[:GUIDANCE] in its place.

    Raises ConfigError for what is no such way.
    """
    return [_way(text, usual) for text in dict.fromkeys(ways)] or [usual]


def _way(text: str, usual: Sampling) -> Sampling:
    sampler, *numbers = text.split(":")
    guidance = usual.guidance
    try:
        steps = int(numbers[0])
        if len(numbers) > 1:
            (scale,) = numbers[1:]
            guidance = replace(guidance, scale=float(scale))
    except (ValueError, IndexError) as error:
        raise ConfigError(
            f"--try {text} is no SAMPLER:STEPS or SAMPLER:STEPS:GUIDANCE, such as ddim:50:1.5;"
            f" the samplers are {', '.join(SAMPLERS)}"
        ) from error
    return replace(usual, sampler=sampler, steps=steps, guidance=guidance)


def _print(done: Evaluation, as_json: bool) -> None:
    if as_json:
        print(json.dumps(done.record, indent=2, ensure_ascii=False))
        return
    for line in table_lines(done.record):
        print(line)
    if done.plot.is_file():
        print(done.plot)
    print(done.folder / RECORD)
