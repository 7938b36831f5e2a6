from pathlib import Path
from typing import Any

import pytest
import torch

from dataset.config import load_config
from dataset.packed import PackedDataset
from tests.train.drawn_pack import tiny_config
from train.advice import FEW, SMALL, advice, memory_lines, run_advice
from train.config import TrainConfig
from train.subject import Subject


def test_few_pictures_are_warned_of_with_what_to_set() -> None:
    (line,) = advice(load_config(TrainConfig, {"name": "a", "images": 1000}), FEW - 1)
    assert line.startswith("1999 pictures are few: the model may copy them")
    for key in ("augment.probability=0.15", "unet.dropout=0.25", "validation.every_images=50"):
        assert f"--set {key}" in line
    assert "python -m sample novelty" in line


def test_a_small_collection_is_told_what_it_lacks_and_a_large_one_nothing() -> None:
    config = load_config(TrainConfig, {"name": "a"})
    (line,) = advice(config, FEW)
    assert line.startswith("2000 pictures are a small collection")
    assert advice(config, SMALL) == []


@pytest.mark.parametrize(
    ("table", "missing"),
    [
        ({"augment": {"probability": 0.12}}, "augment"),
        ({"unet": {"dropout": 0.2}}, "dropout"),
        ({"network": "favicon"}, "dropout"),
        ({"validation": {"every_images": 10}}, "validation"),
    ],
)
def test_what_is_set_is_not_advised_again(table: dict[str, Any], missing: str) -> None:
    (line,) = advice(load_config(TrainConfig, {"name": "a"} | table), FEW)
    assert missing not in line
    assert "--set" in line


def test_what_is_advised_can_be_set_and_then_nothing_more_is_advised(pack: Path) -> None:
    config = tiny_config(pack)
    (line,) = advice(config, FEW)
    given = [word for word in line.replace(",", " ").split() if "=" in word]
    assert len(given) == 3
    table = {"name": "a", "images": config.images}
    better = load_config(TrainConfig, table, given)
    assert advice(better, FEW) == []
    (line,) = advice(better, FEW - 1)
    assert "--set" not in line


def test_a_network_that_cannot_augment_is_not_told_to() -> None:
    for network in ("favicon", "dogs93m"):
        config = load_config(TrainConfig, {"name": "a", "network": network})
        assert "augment" not in advice(config, FEW)[0]


def test_an_autoencoder_is_meant_to_copy() -> None:
    assert advice(load_config(TrainConfig, {"name": "a", "kind": "vae"}), 10) == []


@pytest.mark.parametrize(("needed", "warned"), [(1, False), (7, False), (8, True), (212, True)])
def test_a_run_that_needs_about_all_memory_is_told_so(needed: int, warned: bool) -> None:
    lines = memory_lines(needed << 30, 8 << 30)
    said = f"about {needed} GiB are needed and 8 GiB are there: try --batch auto"
    assert lines == ([said] if warned else [])


def test_a_run_on_a_cpu_is_warned_of_its_memory_beforehand(pack: Path) -> None:
    config = tiny_config(pack, batch=100_000_000)
    subject, cpu = Subject.of_pack(PackedDataset(pack)), torch.device("cpu")
    assert run_advice(config, SMALL, subject, cpu)[0].endswith("are there: try --batch auto")
    assert run_advice(config, SMALL, subject, torch.device("cuda")) == []
    assert run_advice(tiny_config(pack), SMALL, subject, cpu) == []
