import json
import os
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dataset.pack_writer import Block, PackHead, write_blocks
from dataset.provenance import Provenance
from tests.train.drawn_pack import CLASSES, drawn_pictures
from tests.train.torchrun import (
    assert_learnt_alike,
    command,
    config_of,
    errors,
    process_of_rank,
    run_table,
    started,
    torchrun,
    wait_until_learning,
)
from train.checkpoint import checkpoint_folders
from train.loop import train
from train.snapshots import read_snapshots

ENDLESS = 9_000_000
TOLD = {"vectors": "clip", "tokens": 3, "validation": {"every_images": 72}}
AUTOENCODER = {"kind": "vae", "vae": {"base_channels": 8, "multipliers": [1, 2]}, "augment": {}}


@pytest.fixture
def told(tmp_path: Path) -> Path:
    """40 pictures of 8 x 8, most of them with a vector, 8 of them for validation."""
    data, labels = drawn_pictures(40)
    vectors = np.random.default_rng(0).standard_normal((40, 12)).astype(np.float32)
    vectors[3] = np.nan
    facts = [
        Provenance(row=row, label=int(label), split="test" if row >= 32 else "train")
        for row, label in enumerate(labels)
    ]
    head = PackHead(count=40, shape=data.shape[1:], label_names=CLASSES, embeddings={"clip": 12})
    write_blocks(tmp_path / "told.h5", head, [Block.of(data, facts, embeddings={"clip": vectors})])
    return tmp_path / "told.h5"


@pytest.mark.slow
def test_a_run_of_two_processes_is_that_of_one_and_the_first_alone_writes_and_prints(
    told: Path, tmp_path: Path
) -> None:
    table = run_table(told, **TOLD)
    alone = train(config_of(table), tmp_path / "one").run
    done = torchrun(2, *command(table, tmp_path / "two"))
    assert done.returncode == 0, done.stderr
    together = tmp_path / "two" / "test"
    assert_learnt_alike(alone, together)
    assert len(done.stdout.splitlines()) == 1
    assert done.stderr.count("32 pictures, ") == 1
    assert [path.name for path in (together / "previews").iterdir()] == ["000000180.png"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("world", "changes"),
    [(3, {}), (4, TOLD), (2, AUTOENCODER), (2, {"micro_batch": 2, "flip": False})],
)
def test_any_number_of_processes_learns_what_one_learns(
    told: Path, tmp_path: Path, world: int, changes: dict[str, Any]
) -> None:
    table = run_table(told, **changes)
    alone = train(config_of(table), tmp_path / "one").run
    done = torchrun(world, *command(table, tmp_path / "more"))
    assert done.returncode == 0, done.stderr
    assert_learnt_alike(alone, tmp_path / "more" / "test")


@pytest.mark.slow
def test_a_sharded_run_is_that_of_one_process_and_either_goes_on_with_the_others_checkpoint(
    told: Path, tmp_path: Path
) -> None:
    table = run_table(
        told, batch=8, images=160, checkpoint_every_images=80, snapshot_every_images=80, **TOLD
    )
    sharded = table | {"parallel": "fsdp", "micro_batch": 3}
    alone = train(config_of(table), tmp_path / "one").run
    done = torchrun(2, *command(sharded, tmp_path / "two"))
    assert done.returncode == 0, done.stderr
    together = tmp_path / "two" / "test"
    assert_learnt_alike(alone, together)
    for one, other in zip(read_snapshots(alone), read_snapshots(together), strict=True):
        ours, theirs = one.tensors(), other.tensors()
        assert {n: t.shape for n, t in ours.items()} == {n: t.shape for n, t in theirs.items()}
    for run in (alone, together):
        newest = checkpoint_folders(run)[-1]
        (newest / "model.safetensors").write_bytes(b"damaged")
    assert torchrun(2, *command(sharded, tmp_path / "one")).returncode == 0
    train(config_of(table), tmp_path / "two")
    assert_learnt_alike(alone, together)


@pytest.mark.slow
@pytest.mark.parametrize(("rank", "parallel"), [(0, "ddp"), (1, "ddp"), (1, "fsdp")])
def test_a_rank_that_is_killed_ends_all_with_one_line_that_names_it(
    told: Path, tmp_path: Path, rank: int, parallel: str
) -> None:
    table = run_table(told, images=ENDLESS, batch=8, parallel=parallel)
    with started(2, *command(table, tmp_path)) as launched:
        wait_until_learning(tmp_path / "test")
        os.kill(process_of_rank(launched.pid, rank), signal.SIGKILL)
        _, said = launched.communicate(timeout=100)
    assert launched.returncode != 0
    assert len(errors(said)) == 1, said
    assert f"rank {rank} of 2 died or was stopped after " in errors(said)[0]


@pytest.mark.slow
def test_a_rank_that_hangs_is_named_when_the_others_have_waited_long_enough(
    told: Path, tmp_path: Path
) -> None:
    table = run_table(told, images=ENDLESS, rank_timeout_s=20)
    with started(2, *command(table, tmp_path)) as launched:
        wait_until_learning(tmp_path / "test")
        os.kill(process_of_rank(launched.pid, 1), signal.SIGSTOP)
        _, said = launched.communicate(timeout=150)
    assert len(errors(said)) == 1, said
    assert "rank 1 of 2 died or was stopped after " in errors(said)[0]


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_ends_all_ranks_after_one_checkpoint_from_which_the_run_goes_on(
    told: Path, tmp_path: Path, number: signal.Signals
) -> None:
    table = run_table(told, images=ENDLESS, checkpoint_every_images=ENDLESS, decay="constant")
    with started(2, *command(table, tmp_path)) as launched:
        wait_until_learning(tmp_path / "test")
        launched.send_signal(number)
        _, said = launched.communicate(timeout=100)
    assert errors(said) == ["error: interrupted; run the same command again to go on"], said
    (kept,) = checkpoint_folders(tmp_path / "test")
    seen = int(kept.name)
    assert seen > 0
    assert train(config_of(table | {"images": seen + 18}), tmp_path).images_seen == seen + 18


@pytest.mark.slow
def test_processes_that_look_for_a_batch_find_the_same_and_it_is_kept(
    told: Path, tmp_path: Path
) -> None:
    done = torchrun(2, *command(run_table(told), tmp_path), "--batch", "auto")
    assert done.returncode == 0, done.stderr
    found = json.loads((tmp_path / "test" / "config.json").read_text())["batch"]
    assert found in (16, 32)  # of 32 pictures, 16 for each
    assert done.stderr.count(f"batch {found}\n") == 1


@pytest.mark.slow
def test_what_the_user_got_wrong_is_said_once(told: Path, tmp_path: Path) -> None:
    done = torchrun(2, *command(run_table(told, batch=1), tmp_path))
    assert done.returncode != 0
    assert len(errors(done.stderr)) == 1, done.stderr
    assert "a batch of 1 leaves some of the 2 processes without a picture" in errors(done.stderr)[0]
