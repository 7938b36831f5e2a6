import tomllib
from pathlib import Path

import pytest
import torch

from dataset.config import load_config
from dataset.errors import ConfigError
from train.config import PRESETS, TrainConfig, find_config, preset_names
from train.learners import check, subject_of
from train.networks import build_network, count_parameters
from train.presets import PICTURES, preset, preset_config, preset_costs, preset_subject, presets
from train.printing import preset_facts, preset_lines

# Counted once; a change here is a change of what a preset's name stands for.
PARAMETERS = {
    "tiny": 1_239_708,
    "mnist": 1_233_812,
    "icon": 9_452_227,
    "cifar": 51_219_715,
    "animal": 19_039_491,
    "dogs": 93_417_859,
    "h200": 236_348_547,
    "vae": 7_003_715,
    "upscale": 18_589_580,
}
# Of one picture, forwards and backwards.
GFLOP = {
    "tiny": 0.56,
    "mnist": 0.42,
    "icon": 8.13,
    "cifar": 107.47,
    "animal": 31.6,
    "dogs": 54.81,
    "h200": 406.65,
    "vae": 96.6,
    "upscale": 30.42,
}
MODERN = ("icon", "cifar", "animal", "dogs", "h200", "upscale")


def test_all_presets_are_there_and_pictures_are_known_of_each() -> None:
    assert set(preset_names()) == PICTURES.keys() == PARAMETERS.keys() == GFLOP.keys()
    assert [found.name for found in presets()] == list(PICTURES)


@pytest.mark.parametrize("name", PICTURES)
def test_a_preset_is_a_valid_config_that_opens_with_what_it_is_for(name: str) -> None:
    config = load_config(TrainConfig, find_config(Path(name)))
    assert config.name == name
    assert config.pack is None
    first, second = (PRESETS / f"{name}.toml").read_text(encoding="utf-8").splitlines()[:2]
    assert first.startswith("# ")
    assert len(first) > 40
    assert first.endswith(".") or second.startswith("# ")
    assert preset(name).purpose == first.removeprefix("# ")


@pytest.mark.parametrize("name", PICTURES)
def test_a_preset_builds_on_its_pictures_and_on_others(name: str) -> None:
    config = preset_config(name)
    for picture in (PICTURES[name][0], (4, 128, 128), (1, 256, 128)):
        subject = subject_of(config, preset_subject(name))
        if picture != PICTURES[name][0]:
            if config.upscale.active and picture[1] != picture[2]:
                continue
            subject = type(subject).of_pictures(picture, ("only",))
        check(config, subject)
        with torch.device("meta"):
            assert count_parameters(build_network(config, subject)) > 100_000


def test_presets_cost_what_is_written_of_them() -> None:
    costs = {name: preset_costs(name) for name in PICTURES}
    assert {name: counted.parameters for name, counted in costs.items()} == PARAMETERS
    assert {name: counted.training_gflop_per_image for name, counted in costs.items()} == GFLOP
    line = preset_lines([preset("dogs")], [costs["dogs"]])[1]
    assert "3x64x64, 93,417,859 parameters, 54.81 GFLOP an image" in line
    facts = preset_facts([preset("dogs")], [costs["dogs"]])["dogs"]
    assert facts["training_gflop_per_image"] == 54.81
    assert facts["images"] == 7_000_000


@pytest.mark.parametrize("name", MODERN)
def test_the_modern_presets_learn_lognormal_levels_with_the_edm_prediction(name: str) -> None:
    diffusion = preset_config(name).diffusion
    assert (diffusion.schedule, diffusion.prediction) == ("edm", "edm")
    assert diffusion.levels == "lognormal"


def test_dogs_is_the_network_whose_parameters_are_counted_to_the_digit() -> None:
    assert preset_config("dogs").network == "dogs93m"
    assert PARAMETERS["dogs"] == 93_417_859


@pytest.mark.parametrize("name", PICTURES)
def test_checkpoints_previews_and_snapshots_come_within_the_budget(name: str) -> None:
    config = preset_config(name)
    assert config.warmup_images < config.images / 4
    assert config.batch <= config.checkpoint_every_images <= config.images
    assert config.preview.every_images <= config.images
    assert config.snapshot_every_images <= config.images / 2


@pytest.mark.parametrize("name", PICTURES)
def test_a_preset_leaves_pack_and_device_to_the_person(name: str) -> None:
    table = tomllib.loads((PRESETS / f"{name}.toml").read_text(encoding="utf-8"))
    assert "device" not in table
    assert "pack" not in table


def test_a_preset_that_is_not_there_is_refused_with_those_that_are() -> None:
    with pytest.raises(ConfigError, match="presets: animal, cifar"):
        preset("giant")
