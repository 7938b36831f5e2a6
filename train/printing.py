"""What the verbs of training print: facts line by line or as JSON, outcomes in one line."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from train.checkpoint import Checkpoint, checkpoint_folders
from train.estimate import estimate
from train.memorising import novelty_lines
from train.milestones import budget
from train.outcome import Outcome
from train.presets import Preset, PresetCosts
from train.run_folder import RunFolder


def print_facts(facts: Mapping[str, Any], as_json: bool) -> None:
    """`key: value` lines, lists with commas between, tables as JSON; or all as one line of JSON."""
    if as_json:
        print(json.dumps(_plain(facts)))
        return
    for key, value in facts.items():
        if isinstance(value, Mapping):
            print(f"{key}: {json.dumps(_plain(value))}")
        elif isinstance(value, list):
            print(f"{key}: {', '.join(map(str, value)) or 'none'}")
        else:
            print(f"{key}: {_worded(value)}")


def _worded(value: Any) -> str:
    """A fact in a person's words; None, True and False are Python's."""
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value)


def readable_plan(facts: Mapping[str, Any]) -> dict[str, Any]:
    """The facts of a plan for a person: minutes by the thousand say nothing."""
    return {
        "time" if key == "minutes" else key: _duration(value) if key == "minutes" else value
        for key, value in facts.items()
    }


def _duration(minutes: float) -> str:
    """In the largest unit of which there are two or more."""
    units = {"years": 60 * 24 * 365.25, "days": 60 * 24, "hours": 60, "minutes": 1}
    for unit, length in units.items():
        if minutes >= 2 * length:
            return f"about {minutes / length:.3g} {unit}"
    return f"about {60 * minutes:.0f} seconds"


def outcome_line(outcome: Outcome) -> str:
    """What a run came to, in one line; what did not happen is left out."""
    if outcome.was_finished:
        return f"{outcome.checkpoint}: finished before, {outcome.images_seen} images seen"
    parts = [
        f"{outcome.images_seen} images seen",
        f"loss {outcome.loss:.4f}",
        f"{outcome.images_per_s:.0f} images/s",
        f"{outcome.seconds:.0f} s",
    ]
    if outcome.compile_seconds >= 1:
        parts.append(f"{outcome.compile_seconds:.0f} s more to compile")
    if outcome.validation_loss is not None:
        parts.append(f"best validation loss {outcome.validation_loss:.4f}")
    if outcome.stopped_early:
        parts.append("stopped early, as that became no better")
    if outcome.skipped_batches:
        parts.append(f"{outcome.skipped_batches} batches skipped")
    if outcome.rollbacks:
        parts.append(f"went back to a checkpoint {outcome.rollbacks} x")
    return f"{outcome.checkpoint}: {', '.join(parts)}"


def checkpoint_facts(checkpoint: Checkpoint) -> dict[str, Any]:
    """What a checkpoint is, and how far its run came."""
    config, run = checkpoint.config, checkpoint.run
    costs = estimate(config, checkpoint.subject)
    stats = RunFolder(run.parent, run.name).read_stats()
    best = run / "best"
    return {
        "checkpoint": str(checkpoint.path),
        "kind": config.kind,
        "images_seen": checkpoint.images_seen,
        "budget": budget(config),
        "finished": checkpoint.images_seen >= budget(config),
        "shape": list(checkpoint.shape),
        "classes": checkpoint.label_names,
        "parameters": costs.parameters,
        "training_mflop_per_image": round(costs.training_flops / 1e6, 1),
        "ema_width": checkpoint.width,
        "validation_loss": None
        if math.isinf(checkpoint.validation_loss)
        else checkpoint.validation_loss,
        "pack_hash": checkpoint.pack_hash,
        "fingerprint": checkpoint.fingerprint,
        "checkpoints": [folder.name for folder in checkpoint_folders(run)],
        "best": best.resolve().name if best.exists() else None,
        "snapshots": sorted(path.name for path in (run / "snapshots").glob("[0-9]*")),
        "previews": sorted(str(path) for path in (run / "previews").glob("*.png")),
        "last_figures": stats[-1] if stats else None,
        "novelty": novelty[-1] if (novelty := novelty_lines(run)) else None,
    }


def preset_lines(found: Sequence[Preset], costs: Sequence[PresetCosts]) -> list[str]:
    """A table of presets; `costs` may be empty."""
    lines = []
    for number, preset in enumerate(found):
        lines.append(f"{preset.name}: {preset.purpose}")
        if costs:
            counted = costs[number]
            lines.append(
                f"  {'x'.join(map(str, preset.picture))}, {counted.parameters:,} parameters,"
                f" {counted.training_gflop_per_image} GFLOP an image forwards and backwards,"
                f" {preset.images:,} images in batches of {preset.batch},"
                f" about {counted.memory_gib} GiB on a GPU"
            )
    return lines


def preset_facts(found: Sequence[Preset], costs: Sequence[PresetCosts]) -> dict[str, Any]:
    """The same for a program, by name."""
    facts = {preset.name: asdict(preset) for preset in found}
    for preset, counted in zip(found, costs, strict=False):
        facts[preset.name] |= asdict(counted)
    return facts


def bench_lines(facts: Mapping[str, Any]) -> list[str]:
    """The figures of a bench for a person: what, how fast, of how much."""
    learning = facts["learning"]
    lines = [
        f"{facts['config']}: {facts['parameters']:,} parameters, pictures"
        f" {'x'.join(map(str, facts['shape']))}, batch {facts['batch']}, {facts['precision']},"
        f" {facts['device']}",
        f"learning: {learning['images_per_s']:,} images/s"
        f" ({learning['least']:,} to {learning['most']:,}), {learning['ms_per_step']} ms a step,"
        f" {learning['gflop_per_s']:,} GFLOP/s of {learning['peak_gflop_per_s']:,}:"
        f" MFU {learning['mfu']:.1%}",
    ]
    if learning["memory_mib"] is not None:
        lines.append(f"memory: {learning['memory_mib']:,} MiB at most")
    if facts["compiled"]:
        lines.append(f"compiling: {learning['compile_s']} s, once")
    if (drawing := facts["drawing"]) is not None:
        lines.append(
            f"drawing: {drawing['pictures_per_s']:,} pictures/s, {drawing['seconds']} s for"
            f" {drawing['pictures']} at once in {drawing['steps']} steps of {drawing['sampler']}"
        )
    return lines


def plain_json(facts: Mapping[str, Any]) -> str:
    return json.dumps(_plain(facts))


def _plain(value: Any) -> Any:
    """The same with what is not finite as null, which is all that JSON has for it."""
    if isinstance(value, Mapping):
        return {key: _plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
