"""The command line of training.

python -m train run --config tiny --packed data/pack.h5 --device cpu --set images=2000
"""

import argparse
import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from dataset.command_line import CommandLine, add_config_options
from dataset.config import load_config, read_toml, to_mapping
from dataset.errors import ConfigError
from dataset.packed import PackedDataset
from train.checkpoint import Checkpoint, checkpoint_folders, load_checkpoint
from train.config import PRESETS, TrainConfig, find_config, preset_names
from train.estimate import Estimate, estimate
from train.loop import Outcome, train
from train.run_folder import RunFolder


def main(arguments: Sequence[str] | None = None) -> int:
    return command_line().run(arguments)


def command_line() -> CommandLine:
    line = CommandLine("train", "Learn a diffusion model from a pack.")
    _add_run(line)
    info = line.verb(
        "info",
        _info,
        "Say what a run or a checkpoint is, and how far it came.",
        "python -m train info runs/tiny",
    )
    info.add_argument("path", type=Path, help="a run's folder or one of its checkpoints")
    info.add_argument("--json", action="store_true", help="print JSON")
    presets = line.verb(
        "presets", _presets, "List the presets and what they are for.", "python -m train presets"
    )
    presets.add_argument("--json", action="store_true", help="print JSON")
    return line


def _add_run(line: CommandLine) -> None:
    run = line.verb(
        "run",
        _run,
        "Train, or go on where the run of this name stopped.",
        """python -m train run --config tiny --packed data/pack.h5
        python -m train run --config tiny --packed data/pack.h5 --name short --set images=2000
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
    run.add_argument("--device", choices=["auto", "cpu", "cuda"], help="where to compute")
    run.add_argument(
        "--restart",
        action="store_true",
        help="begin anew; an existing run of this name is renamed to NAME.1",
    )
    run.add_argument("--json", action="store_true", help="print the outcome as JSON")


def _run(options: argparse.Namespace) -> int:
    config = _config(options)
    if options.dry_run:
        pack = PackedDataset(_pack_path(config))
        shape = (pack.channels, pack.height, pack.width)
        costs = estimate(config, shape, len(pack.label_names))
        _print(_dry_run(config, pack, costs), options.json)
        return 0
    outcome = train(config, options.runs, restart=options.restart)
    if options.json:
        print(json.dumps(_plain(to_mapping(outcome))))
    else:
        print(_outcome_line(outcome))
    return 0


def _config(options: argparse.Namespace) -> TrainConfig:
    """The file or preset, under `--set`, under the options that have their own names."""
    path = find_config(options.config or Path("tiny"))
    stem = [] if "name" in read_toml(path) else [f"name={json.dumps(path.stem)}"]
    given = {"pack": options.packed, "name": options.name, "device": options.device}
    assignments = [
        f"{key}={json.dumps(str(value))}" for key, value in given.items() if value is not None
    ]
    return load_config(TrainConfig, path, [*stem, *options.assignments, *assignments])


def _pack_path(config: TrainConfig) -> Path:
    if config.pack is None:
        raise ConfigError("no pack to learn from; give --packed FILE, or set pack in the config")
    return config.pack


def _dry_run(config: TrainConfig, pack: PackedDataset, costs: Estimate) -> dict[str, Any]:
    return {
        "pack": str(pack.path),
        "pictures": len(pack.rows(config.split)),
        "shape": [pack.channels, pack.height, pack.width],
        "classes": pack.label_names,
        "parameters": costs.parameters,
        "forward_mflop_per_image": round(costs.forward_flops / 1e6, 1),
        "training_mflop_per_image": round(costs.training_flops / 1e6, 1),
        "run_tflop": round(costs.run_flops / 1e12, 1),
        "epochs": round(config.images / max(len(pack.rows(config.split)), 1), 1),
        "memory_mib": round(costs.memory_bytes / 2**20),
        "config": to_mapping(config),
    }


def _info(options: argparse.Namespace) -> int:
    checkpoint = load_checkpoint(options.path)
    run = checkpoint.path.parent.parent
    facts = _facts(checkpoint) | {
        "checkpoints": [folder.name for folder in checkpoint_folders(run)],
        "previews": sorted(str(path) for path in (run / "previews").glob("*.png")),
    }
    stats = RunFolder(run.parent, run.name).read_stats()
    facts["last_figures"] = stats[-1] if stats else None
    _print(facts, options.json)
    return 0


def _facts(checkpoint: Checkpoint) -> dict[str, Any]:
    config, shape = checkpoint.config, checkpoint.shape
    costs = estimate(config, shape, len(checkpoint.label_names))
    return {
        "checkpoint": str(checkpoint.path),
        "images_seen": checkpoint.images_seen,
        "budget": config.images,
        "finished": checkpoint.images_seen >= config.images,
        "shape": list(shape),
        "classes": checkpoint.label_names,
        "parameters": costs.parameters,
        "training_mflop_per_image": round(costs.training_flops / 1e6, 1),
        "pack_hash": checkpoint.pack_hash,
        "fingerprint": checkpoint.fingerprint,
        "config": to_mapping(config),
    }


def _presets(options: argparse.Namespace) -> int:
    summaries = {}
    for name in preset_names():
        text = (PRESETS / f"{name}.toml").read_text(encoding="utf-8")
        summaries[name] = text.partition("\n")[0].lstrip("# ")
    if options.json:
        print(json.dumps(summaries))
    else:
        print("\n".join(f"{name}: {summary}" for name, summary in summaries.items()))
    return 0


def _outcome_line(outcome: Outcome) -> str:
    if outcome.was_finished:
        return f"{outcome.checkpoint}: finished before, {outcome.images_seen} images seen"
    skipped = f", {outcome.skipped_batches} batches skipped" if outcome.skipped_batches else ""
    return (
        f"{outcome.checkpoint}: {outcome.images_seen} images seen, loss {outcome.loss:.4f},"
        f" {outcome.images_per_s:.0f} images/s, {outcome.seconds:.0f} s{skipped}"
    )


def _print(facts: dict[str, Any], as_json: bool) -> None:
    if as_json:
        print(json.dumps(_plain(facts)))
        return
    for key, value in facts.items():
        if isinstance(value, dict):
            print(f"{key}: {json.dumps(_plain(value))}")
        elif isinstance(value, list):
            print(f"{key}: {', '.join(map(str, value)) or 'none'}")
        else:
            print(f"{key}: {value}")


def _plain(facts: dict[str, Any]) -> dict[str, Any]:
    """The same with nan as null, which is what JSON has for it."""
    return {
        key: None if isinstance(value, float) and math.isnan(value) else value
        for key, value in facts.items()
    }
