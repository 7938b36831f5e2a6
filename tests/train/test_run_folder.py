import json
import logging
from pathlib import Path
from typing import Any

import pytest

from dataset.errors import ConfigError, DataError
from tests.train.drawn_pack import tiny_config
from tests.train.kept_run import write_small_checkpoint
from train.config import TrainConfig
from train.run_folder import RunFolder

PACK_HASH = "0" * 64


def config(**changes: Any) -> TrainConfig:
    return tiny_config(Path("pack.h5"), **changes)


def folder_at(tmp_path: Path, images_seen: int) -> RunFolder:
    """A run of `config()` that came so far."""
    folder = RunFolder(tmp_path, "test")
    folder.path.mkdir()
    folder.resume(config(), PACK_HASH)
    write_small_checkpoint(folder.path, images_seen)
    return folder


def snapshot(folder: Path) -> dict[str, int]:
    return {str(path): path.stat().st_mtime_ns for path in sorted(folder.rglob("*"))}


def test_a_check_changes_nothing_on_the_disk(tmp_path: Path) -> None:
    assert RunFolder(tmp_path, "none").check(config(), PACK_HASH) is None
    assert list(tmp_path.iterdir()) == []
    folder = folder_at(tmp_path, 24)
    before = snapshot(tmp_path)
    found = folder.check(config(keep_last=1), PACK_HASH)
    assert found is not None
    assert found.images_seen == 24
    assert snapshot(tmp_path) == before


def test_another_config_is_refused_even_if_only_its_checkpoint_is_left(tmp_path: Path) -> None:
    folder = folder_at(tmp_path, 24)
    (folder.path / "config.json").unlink()
    with pytest.raises(ConfigError, match=r"lr = 0\.001, now it is 0\.5.*--restart"):
        folder.check(config(lr=0.5), PACK_HASH)


def test_a_run_is_set_aside_even_if_only_its_checkpoint_is_left(tmp_path: Path) -> None:
    write_small_checkpoint(tmp_path / "test", 8)
    RunFolder(tmp_path, "test").set_aside()
    assert [path.name for path in tmp_path.iterdir()] == ["test.1"]


def test_another_pack_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="another pack"):
        folder_at(tmp_path, 24).check(config(), "1" * 64)


@pytest.mark.parametrize("table", ["not json", "[]"])
def test_a_damaged_config_is_one_line(tmp_path: Path, table: str) -> None:
    folder = folder_at(tmp_path, 24)
    (folder.path / "config.json").write_text(table)
    with pytest.raises(DataError, match=r"config\.json is damaged.*--restart"):
        folder.check(config(), PACK_HASH)


@pytest.mark.parametrize(
    "changes",
    [
        {"images": 96},
        {"images": 24},
        {"compile": "off"},
        {"deterministic": True},
        {"micro_batch": 4},
        {"parallel": "fsdp"},
        {"rollbacks": 0},
        {"validation": {"every_images": 8}},
        {"snapshot_every_images": 8},
        {"name": "renamed"},
    ],
)
def test_what_changes_nothing_learnt_may_change(tmp_path: Path, changes: dict[str, Any]) -> None:
    assert folder_at(tmp_path, 24).check(config(**changes), PACK_HASH) is not None


@pytest.mark.parametrize("changes", [{"shares": 3}, {"seed": 1}, {"decay": "sqrt"}, {"batch": 4}])
def test_what_changes_what_is_learnt_may_not(tmp_path: Path, changes: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=next(iter(changes))):
        folder_at(tmp_path, 24).check(config(**changes), PACK_HASH)


def test_pieces_of_a_batch_are_part_of_a_run_with_batch_statistics(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path, "test")
    folder.path.mkdir()
    folder.resume(config(network="favicon"), PACK_HASH)
    with pytest.raises(ConfigError, match="micro_batch = 0, now it is 4"):
        folder.check(config(network="favicon", micro_batch=4), PACK_HASH)


def test_a_budget_below_what_was_seen_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="has seen 48 images already, images is 40 now"):
        folder_at(tmp_path, 48).check(config(images=40), PACK_HASH)


def test_prolonging_a_cosine_says_plainly_what_that_does(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder_at(tmp_path, 48).check(config(images=96), PACK_HASH)
    (warning,) = [r.getMessage() for r in caplog.records if r.levelno == logging.WARNING]
    assert "the budget is 96 images now, it was 48" in warning
    assert "learning rate jumps from 0 to" in warning


def test_figures_beyond_the_checkpoint_are_dropped_on_going_on(tmp_path: Path) -> None:
    folder = folder_at(tmp_path, 24)
    for images in (16, 24, 40):
        folder.add_stats({"images": images})
    with folder.stats.open("a") as stats:
        stats.write('3\n[1]\n{}\n{"images": "x"}\n{"images": 4')  # torn by a kill
    folder.stats.write_bytes(b"\0\0\xff\n" + folder.stats.read_bytes())  # a disk that lost power
    folder.resume(config(images=96), PACK_HASH)
    assert [line["images"] for line in folder.read_stats()] == [16, 24]
    assert json.loads((folder.path / "config.json").read_text())["images"] == 96
