"""The command line of training.

python -m train run --config tiny --packed data/pack.h5 --device cpu --set images=2000
"""

import argparse
import json
import logging
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path

from dataset.command_line import CommandLine, add_config_options
from dataset.config import load_config, read_toml, to_mapping
from train.averaging import average
from train.batch_size import auto_batch
from train.bench import BenchConfig, bench
from train.bench_options import bench_subject, read_picture
from train.checkpoint import load_checkpoint
from train.config import TrainConfig, config_of_run, find_config
from train.device import find_device
from train.distributed import first_rank
from train.loop import train
from train.plan import plan
from train.plotting import plot_run
from train.presets import preset_costs, presets
from train.printing import (
    bench_lines,
    checkpoint_facts,
    outcome_line,
    plain_json,
    preset_facts,
    preset_lines,
    print_facts,
    readable_plan,
)
from train.watching import watched

log = logging.getLogger(__name__)

DEVICES = ["auto", "cpu", "cuda"]


def main(arguments: Sequence[str] | None = None) -> int:
    return command_line().run(arguments)


def command_line() -> CommandLine:
    """The verbs of this stage."""
    line = CommandLine("train", "Learn a diffusion model from a pack.")
    _add_run(line)
    _add_resume(line)
    _add_info(line)
    _add_plot(line)
    _add_bench(line)
    _add_presets(line)
    _add_average(line)
    return line


def _add_run(line: CommandLine) -> None:
    run = line.verb(
        "run",
        _run,
        "Train, or go on where the run of this name stopped.",
        """python -m train run --config tiny --packed data/pack.h5
        python -m train run --config tiny --packed data/pack.h5 --name short --set images=2000
        python -m train run --config icon --packed data/pack.h5 --batch auto --watch
        python -m train run --config tiny --packed data/pack.h5 --dry-run""",
    )
    add_config_options(run, "the run, or the name of a preset (default: tiny)", keys=TrainConfig)
    run.add_argument("--packed", type=Path, metavar="FILE", help="the pack to learn from")
    run.add_argument(
        "--runs",
        type=Path,
        default=Path("runs"),
        metavar="DIR",
        help="folder of the runs (default: runs)",
    )
    run.add_argument("--name", help="the run's folder in --runs (default: as in the config)")
    run.add_argument("--device", choices=DEVICES, help="where to compute")
    run.add_argument(
        "--batch", metavar="N|auto", help="pictures a step; auto: as many as the GPU holds"
    )
    run.add_argument(
        "--restart",
        action="store_true",
        help="begin anew; an existing run of this name is renamed to NAME.1",
    )
    _add_watch(run)
    run.add_argument("--json", action="store_true", help="print the outcome as JSON")


def _add_watch(verb: argparse.ArgumentParser) -> None:
    verb.add_argument(
        "--watch",
        action="store_true",
        help="compare pictures of each checkpoint with the pack meanwhile (python -m sample watch)",
    )


def _run(options: argparse.Namespace) -> int:
    return _train(_config(options), options.runs, options)


def _add_resume(line: CommandLine) -> None:
    resume = line.verb(
        "resume",
        _resume,
        "Go on with a run from its last checkpoint, with the config that it was begun with.",
        """python -m train resume runs/tiny
        python -m train resume runs/tiny --set images=200000
        python -m train resume runs/tiny --packed moved/pack.h5 --device cpu""",
    )
    resume.add_argument("run", type=Path, metavar="RUN", help="the run's folder")
    resume.add_argument("--packed", type=Path, metavar="FILE", help="where the pack is now")
    resume.add_argument("--device", choices=DEVICES, help="where to compute")
    resume.add_argument(
        "--set",
        dest="assignments",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="change a key that nothing learnt so far depends on, such as images; may be repeated",
    )
    resume.add_argument("--dry-run", action="store_true", help="say what would be done, and stop")
    _add_watch(resume)
    resume.add_argument("--json", action="store_true", help="print the outcome as JSON")
    resume.set_defaults(restart=False)


def _resume(options: argparse.Namespace) -> int:
    given = {"pack": options.packed, "device": options.device}
    config = config_of_run(options.run, [*options.assignments, *_assignments(given)])
    return _train(config, options.run.resolve().parent, options)


def _train(config: TrainConfig, runs: Path, options: argparse.Namespace) -> int:
    """Train, or only say what would be done."""
    if options.dry_run:
        if first_rank():
            facts = plan(config, runs, restart=options.restart)
            print_facts(facts if options.json else readable_plan(facts), options.json)
        return 0
    is_watched = options.watch and first_rank()
    with watched(runs / config.name) if is_watched else nullcontext():
        outcome = train(config, runs, restart=options.restart)
    if first_rank():
        print(plain_json(to_mapping(outcome)) if options.json else outcome_line(outcome))
    return 0


def _config(options: argparse.Namespace) -> TrainConfig:
    """The file or preset, under `--set`, under the options that have their own names."""
    path = find_config(options.config or Path("tiny"))
    stem = [] if "name" in read_toml(path) else [f"name={_quoted(path.stem)}"]
    given = {"pack": options.packed, "name": options.name, "device": options.device}
    assignments = [*stem, *options.assignments, *_assignments(given)]
    if options.batch not in (None, "auto"):
        assignments.append(f"batch={options.batch}")
    config = load_config(TrainConfig, path, assignments)
    if options.batch != "auto":
        return config
    size = auto_batch(config, options.runs, restart=options.restart)
    log.info("batch %d", size)
    return load_config(TrainConfig, path, [*assignments, f"batch={size}"])


def _assignments(given: dict[str, object]) -> list[str]:
    """Options with names of their own as --set would have them; those not given are left out."""
    return [f"{key}={_quoted(value)}" for key, value in given.items() if value is not None]


def _quoted(value: object) -> str:
    """As a string of TOML, which knows no surrogate pairs."""
    return json.dumps(str(value), ensure_ascii=False)


def _add_info(line: CommandLine) -> None:
    info = line.verb(
        "info",
        _info,
        "Say what a run or a checkpoint is, and how far it came.",
        "python -m train info runs/tiny",
    )
    info.add_argument("path", type=Path, help="a run's folder or one of its checkpoints")
    info.add_argument("--json", action="store_true", help="print JSON")


def _info(options: argparse.Namespace) -> int:
    checkpoint = load_checkpoint(options.path)
    facts = checkpoint_facts(checkpoint)
    print_facts(facts | {"config": to_mapping(checkpoint.config)}, options.json)
    return 0


def _add_plot(line: CommandLine) -> None:
    plot = line.verb(
        "plot",
        _plot,
        "Draw a run's loss, learning rate and speed, and its noise schedule, as PNG files.",
        "python -m train plot runs/tiny",
    )
    plot.add_argument("run", type=Path, metavar="RUN", help="the run's folder")


def _plot(options: argparse.Namespace) -> int:
    print("\n".join(str(path) for path in plot_run(options.run)))
    return 0


def _add_bench(line: CommandLine) -> None:
    verb = line.verb(
        "bench",
        _bench,
        "Measure how fast a config learns and draws on this device, with random pictures.",
        """python -m train bench --config tiny --device cpu
        python -m train bench --config dogs --picture 3x64x64 --rounds 5 --steps 20 --json
        python -m train bench --config icon --packed data/pack.h5 --set batch=256""",
    )
    add_config_options(verb, "the run, or a preset (default: tiny)", dry_run=False)
    verb.add_argument("--device", choices=DEVICES, help="where to compute")
    shape = verb.add_mutually_exclusive_group()
    shape.add_argument("--packed", type=Path, metavar="FILE", help="pictures shaped as this pack's")
    shape.add_argument(
        "--picture",
        type=read_picture,
        metavar="CxHxW",
        help="the pictures' shape (default: what the preset is made for, else 3x32x32)",
    )
    usual = BenchConfig()
    for name, what in (
        ("rounds", "how often; the median is printed"),
        ("steps", "steps of learning in a round"),
        ("warmup", "steps before the first round, not counted"),
        ("pictures", "drawn at once; 0: none is drawn"),
        ("drawing_steps", "steps of the sampler"),
    ):
        number = getattr(usual, name)
        option = f"--{name.replace('_', '-')}"
        verb.add_argument(option, type=int, default=number, metavar="N", help=f"{what} ({number})")
    verb.add_argument("--json", action="store_true", help="print JSON")


def _bench(options: argparse.Namespace) -> int:
    given = options.config or Path("tiny")
    path = find_config(given)
    stem = [] if "name" in read_toml(path) else [f"name={_quoted(path.stem)}"]
    assignments = [*stem, *options.assignments, *_assignments({"device": options.device})]
    config = load_config(TrainConfig, path, assignments)
    how = BenchConfig(
        rounds=options.rounds,
        steps=options.steps,
        warmup=options.warmup,
        pictures=options.pictures,
        drawing_steps=options.drawing_steps,
    )
    subject = bench_subject(config, options.packed, options.picture, str(given))
    facts = bench(config, subject, find_device(config.device), how)
    print(plain_json(facts) if options.json else "\n".join(bench_lines(facts)))
    return 0


def _add_presets(line: CommandLine) -> None:
    verb = line.verb(
        "presets",
        _presets,
        "List the presets and what they are for.",
        """python -m train presets
        python -m train presets --costs""",
    )
    verb.add_argument("--costs", action="store_true", help="count parameters, FLOPs and memory")
    verb.add_argument("--json", action="store_true", help="print JSON")


def _presets(options: argparse.Namespace) -> int:
    found = presets()
    costs = [preset_costs(preset.name) for preset in found] if options.costs else []
    if options.json:
        print(plain_json(preset_facts(found, costs)))
    else:
        print("\n".join(preset_lines(found, costs)))
    return 0


def _add_average(line: CommandLine) -> None:
    verb = line.verb(
        "average",
        _average,
        "Work out the averaged weights of another width, as a checkpoint to draw from.",
        """python -m train average runs/tiny --width 0.08
        python -m train average runs/tiny/checkpoints/000096000 --width 0.03 --out runs/narrow""",
    )
    verb.add_argument("path", type=Path, help="a run's folder or one of its checkpoints")
    verb.add_argument(
        "--width", type=float, required=True, help="as a share of the images seen, such as 0.08"
    )
    verb.add_argument("--out", type=Path, metavar="DIR", help="where to (default: RUN/averages)")
    verb.add_argument("--json", action="store_true", help="print JSON")


def _average(options: argparse.Namespace) -> int:
    done = average(options.path, options.width, options.out)
    if options.json:
        print(plain_json(to_mapping(done)))
    else:
        print(
            f"{done.path}: average of width {done.width}, of {done.sources} that were kept,"
            f" error of its profile {done.error:.2%}"
        )
    return 0
