import json
from pathlib import Path
from typing import Any

import pytest

from dataset.config import load_config, to_mapping
from dataset.errors import ConfigError, DataError
from train.config import TrainConfig, config_of_run, find_config


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
        ("lr", float("inf"), "lr is inf"),
        ("clip", -1.0, "clip"),
        ("weight_decay", float("inf"), "weight_decay is inf"),
        ("decay", "sudden", "cosine, sqrt, constant"),
        ("kind", "gan", "diffusion, vae"),
        ("network", "resnet", "unet, favicon, dogs93m"),
        ("parallel", "pipeline", "ddp, fsdp"),
        ("compile", "maybe", "auto, on, off"),
        ("split", "cal", "sealed for the novelty check"),
        ("split", "all", "train, cal, test"),
        ("ema_widths", [], "ema_widths"),
        ("ema_widths", [0.3], "below 0.25"),
        ("ema_widths", 0.1, "must be a list"),
        ("tokens", -1, "tokens"),
        ("micro_batch", -1, "micro_batch"),
        ("rollbacks", -1, "rollbacks"),
        ("rank_timeout_s", 0, "rank_timeout_s"),
        ("snapshot_every_images", -1, "snapshot_every_images"),
        ("shares", 0, "shares"),
        ("threads", -1, "threads"),
        ("seed", -1, "seed"),
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
        ("diffusion", {"schedule": "square"}, "linear, cosine, sigmoid, edm"),
        ("diffusion", {"prediction": "score"}, "eps, v, x0, edm"),
        ("diffusion", {"min_snr": -5.0}, "diffusion.min_snr"),
        ("diffusion", {"levels": "all"}, "uniform, lognormal"),
        ("diffusion", {"sigma_min": 90.0}, "diffusion.sigma_min"),
        ("diffusion", {"sigma_data": 0.0}, "diffusion.sigma_data"),
        ("diffusion", {"log_deviation": 0.0}, "diffusion.log_deviation"),
        ("diffusion", {"learned_variance": True, "schedule": "edm"}, "learned_variance"),
        ("augment", {"probability": 2.0}, "augment.probability"),
        ("preview", {"steps": 0}, "preview.steps"),
        ("preview", {"per_class": 0}, "preview.per_class"),
        ("validation", {"patience": -1}, "validation.patience"),
        ("validation", {"pictures": 0}, "validation.pictures"),
        ("upscale", {"from_size": -1}, "upscale.from_size"),
        ("upscale", {"noise": 3.0}, "upscale.noise"),
        ("vae", {"base_channels": 12}, "vae.base_channels"),
        ("vae", {"multipliers": []}, "vae.multipliers"),
        ("vae", {"latent_channels": 0}, "vae.latent_channels"),
        ("vae", {"kl_weight": float("inf")}, "vae.kl_weight is inf"),
        ("vae", {"discriminator_lr": float("inf")}, "vae.discriminator_lr is inf"),
        ("vae", {"discriminator_lr": 0.0}, "vae.discriminator_lr"),
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


def write_run(folder: Path, text: str) -> Path:
    folder.mkdir()
    (folder / "config.json").write_text(text)
    return folder


def test_the_config_of_a_run_is_read_back_under_the_name_of_its_folder(tmp_path: Path) -> None:
    config = load_config(TrainConfig, {"name": "old", "images": 7, "unet": {"blocks": 3}})
    run = write_run(tmp_path / "renamed", json.dumps(to_mapping(config)))
    read = config_of_run(run, ["images=9", "unet.dropout=0.1"])
    assert (read.name, read.images, read.unet.blocks) == ("renamed", 9, 3)
    assert read.unet.dropout == 0.1
    assert config_of_run(run).images == 7


def test_a_run_of_an_older_version_has_todays_defaults_where_it_says_nothing(
    tmp_path: Path,
) -> None:
    assert config_of_run(write_run(tmp_path / "old", '{"name": "old"}')).kind == "diffusion"


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "3", '{"name": "a", "depth": 3}', '{"name": "a", "batch": 0}']
)
def test_a_damaged_config_of_a_run_is_the_datas_fault(text: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"config\.json is damaged"):
        config_of_run(write_run(tmp_path / "run", text))


def test_a_wrong_assignment_to_a_run_is_the_users_fault(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", '{"name": "run"}')
    with pytest.raises(ConfigError, match="did you mean images"):
        config_of_run(run, ["image=3"])
    with pytest.raises(ConfigError, match="no run's folder"):
        config_of_run(tmp_path)
