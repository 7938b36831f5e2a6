"""The presets by name: what each is for, the pictures that it is made for, and what it costs."""

from dataclasses import dataclass
from pathlib import Path

from dataset.config import load_config
from train.config import PRESETS, TrainConfig, find_config, preset_names
from train.estimate import estimate
from train.subject import Subject

# The pictures that a preset is made for, (C, H, W), and how many classes; others do as well.
PICTURES = {
    "tiny": ((3, 32, 32), 2),
    "mnist": ((1, 28, 28), 10),
    "icon": ((3, 32, 32), 0),
    "cifar": ((3, 32, 32), 10),
    "animal": ((3, 64, 64), 8),
    "dogs": ((3, 64, 64), 0),
    "h200": ((3, 64, 64), 0),
    "vae": ((3, 128, 128), 0),
    "upscale": ((3, 128, 128), 0),
}


@dataclass(frozen=True, kw_only=True)
class Preset:
    """A config that comes with Pedigree."""

    name: str
    purpose: str  # the first line of its file
    picture: tuple[int, int, int]
    images: int  # its budget
    batch: int


@dataclass(frozen=True, kw_only=True)
class PresetCosts:
    """What a preset costs with the pictures that it is made for."""

    parameters: int
    training_gflop_per_image: float  # forwards and backwards
    memory_gib: float  # of its whole batch, in the precision of a GPU
    run_pflop: float


def presets() -> list[Preset]:
    """All presets, the cheapest machine first."""
    order = list(PICTURES)
    return [preset(name) for name in sorted(preset_names(), key=order.index)]


def preset(name: str) -> Preset:
    """What preset `name` is; raises ConfigError naming the presets when there is none."""
    config = preset_config(name)
    text = (PRESETS / f"{name}.toml").read_text(encoding="utf-8")
    return Preset(
        name=name,
        purpose=text.partition("\n")[0].lstrip("# "),
        picture=PICTURES[name][0],
        images=config.images,
        batch=config.batch,
    )


def preset_costs(name: str) -> PresetCosts:
    """Counted on the meta device, without a weight being made."""
    config = preset_config(name)
    costs = estimate(config, preset_subject(name), bfloat16=True)
    return PresetCosts(
        parameters=costs.parameters,
        training_gflop_per_image=round(costs.training_flops / 1e9, 2),
        memory_gib=round(costs.memory_bytes / 2**30, 2),
        run_pflop=round(costs.run_flops / 1e15, 3),
    )


def preset_config(name: str) -> TrainConfig:
    return load_config(TrainConfig, find_config(Path(name)))


def preset_subject(name: str) -> Subject:
    """The pictures that a preset is made for."""
    picture, classes = PICTURES[name]
    return Subject.of_pictures(picture, tuple(f"class {number}" for number in range(classes)))
