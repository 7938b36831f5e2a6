from pathlib import Path
from typing import Any

import pytest

from dataset.config import load_config, to_mapping
from dataset.errors import ConfigError
from train.config import TrainConfig, find_config, preset_names


def test_every_preset_is_a_valid_config_and_opens_with_what_it_is_for() -> None:
    assert "tiny" in preset_names()
    for name in preset_names():
        path = find_config(Path(name))
        assert load_config(TrainConfig, path).name == name
        assert path.read_text(encoding="utf-8").startswith("# ")


def test_a_resolved_config_reads_back_as_itself() -> None:
    config = load_config(TrainConfig, find_config(Path("tiny")), ["diffusion.min_snr=none"])
    assert load_config(TrainConfig, to_mapping(config)) == config


def test_assignments_reach_nested_tables() -> None:
    config = load_config(TrainConfig, {"name": "a"}, ["unet.blocks=3", "preview.steps=5"])
    assert (config.unet.blocks, config.preview.steps) == (3, 5)


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("name", "a/b", "folder name"),
        ("name", "..", "folder name"),
        ("images", 0, "images"),
        ("batch", 0, "batch"),
        ("batch", "many", "whole number"),
        ("lr", 0.0, "lr"),
        ("clip", -1.0, "clip"),
        ("decay", "sudden", "cosine, constant"),
        ("betas", [0.9], "betas"),
        ("betas", [0.9, 1.0], "betas"),
        ("label_dropout", 1.5, "label_dropout"),
        ("device", "abacus", "auto, cpu, cuda"),
        ("learning_rate", 0.1, "unknown key learning_rate"),
        ("unet", {"base_channels": 12}, "unet.base_channels"),
        ("unet", {"multipliers": []}, "unet.multipliers"),
        ("unet", {"multipliers": [0]}, "unet.multipliers"),
        ("unet", {"blocks": 0}, "unet.blocks"),
        ("unet", {"patch": 3}, "unet.patch"),
        ("unet", {"attention_levels": [7]}, "unet.attention_levels"),
        ("unet", {"head_channels": 7}, "unet.head_channels"),
        ("unet", {"head_channels": 0}, "unet.head_channels"),
        ("unet", {"embedding_channels": 33}, "unet.embedding_channels"),
        ("unet", {"dropout": 1.0}, "unet.dropout"),
        ("unet", {"depth": 3}, "unknown key unet.depth"),
        ("diffusion", {"steps": 10}, "diffusion.steps"),
        ("diffusion", {"schedule": "square"}, "linear, cosine"),
        ("diffusion", {"prediction": "score"}, "eps, v, x0"),
        ("diffusion", {"min_snr": -5.0}, "diffusion.min_snr"),
        ("preview", {"steps": 0}, "preview.steps"),
    ],
)
def test_a_wrong_value_is_refused_with_its_key(key: str, value: Any, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        load_config(TrainConfig, {"name": "a"} | {key: value})


def test_a_config_that_is_neither_file_nor_preset_names_the_presets(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="tiny"):
        find_config(Path("huge"))
    own = tmp_path / "mine.toml"
    assert find_config(own) == own
