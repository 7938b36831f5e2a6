"""Runs killed at random steps, in the midst of anything, become the runs that nobody killed."""

import json
import os
import random
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from dataset.config import to_mapping
from tests.train.drawn_pack import tiny_config, write_drawn_pack
from train.checkpoint import MANIFEST, checkpoint_folders
from train.config import TrainConfig
from train.run_folder import RunFolder
from train.snapshots import MANIFEST as SNAPSHOT

BATCH = 8

_CHILD = """
import json, sys
from pathlib import Path
from dataset.config import from_mapping
from train.config import TrainConfig
from train.loop import train

table = json.loads(Path(sys.argv[1]).read_text())
train(from_mapping(TrainConfig, table, "test"), Path(sys.argv[2]))
"""


def child(config: TrainConfig, runs: Path) -> subprocess.Popen[bytes]:
    """The run in a process of its own."""
    runs.mkdir(exist_ok=True)
    path = runs / "config.json"
    path.write_text(json.dumps(to_mapping(config)))
    command = [sys.executable, "-c", _CHILD, str(path), str(runs)]
    return subprocess.Popen(command, env=os.environ | {"OMP_NUM_THREADS": "1"})


def lines(run: Path) -> list[dict[str, Any]]:
    return RunFolder(run.parent, run.name).read_stats()


def what_was_learnt(run: Path) -> list[tuple[int, float, float]]:
    """Images, loss and gradient norm of every step."""
    return [(line["images"], line["loss"], line["grad_norm"]) for line in lines(run)]


def digests(run: Path) -> dict[str, Any]:
    """Of everything in the last checkpoint (weights, averages, moments) and in the snapshots."""
    manifests = [checkpoint_folders(run)[-1] / MANIFEST]
    manifests += (run / "snapshots").glob(f"*/{SNAPSHOT}")
    assert len(manifests) >= 1 + 2
    return {path.parent.name: json.loads(path.read_text())["files"] for path in manifests}


def kill_after(process: subprocess.Popen[bytes], run: Path, images: int) -> None:
    """kill -9 as soon as the run has learnt from `images` images."""
    with process:
        while process.poll() is None:
            found = lines(run)
            if found and found[-1]["images"] >= images:
                process.kill()
            time.sleep(0.002)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("steps", "saves", "kills", "pixels", "changes"),
    [
        (250, 17, 3, 8, {"augment": {"probability": 0.3}, "flip": True}),
        (250, 17, 3, 8, {"unet": {"dropout": 0.2}, "decay": "sqrt"}),
        (250, 17, 3, 8, {"kind": "vae"}),
        (8, 2, 1, 32, {"network": "favicon"}),  # it has buffers that move as it learns
        pytest.param(
            *(250, 17, 3, 8, {"device": "cuda", "deterministic": True}), marks=pytest.mark.gpu
        ),
    ],
    ids=["augmented", "dropout", "vae", "favicon", "cuda"],
)
def test_a_run_killed_again_and_again_is_the_uninterrupted_run_to_the_bit(
    steps: int,
    saves: int,
    kills: int,
    pixels: int,
    changes: dict[str, Any],
    tmp_path: Path,
    request: pytest.FixtureRequest,
) -> None:
    pack = write_drawn_pack(tmp_path / "pack.h5", shape=(3, pixels, pixels))
    config = tiny_config(
        pack,
        images=steps * BATCH,
        stats_every_steps=1,
        checkpoint_every_images=steps // saves * BATCH,
        snapshot_every_images=steps // 2 * BATCH,
        **changes,
    )
    with child(config, tmp_path / "whole") as process:
        assert process.wait() == 0
    randomness = random.Random(request.node.name)
    run, whole = (tmp_path / runs / config.name for runs in ("parts", "whole"))
    for step in sorted(randomness.sample(range(steps // saves, steps * 3 // 5 + 1), kills)):
        killed = child(config, tmp_path / "parts")
        kill_after(killed, run, step * BATCH)
        assert killed.returncode == -9
    with child(config, tmp_path / "parts") as process:
        assert process.wait() == 0
    assert [images for images, _, _ in what_was_learnt(whole)] == [
        BATCH * step for step in range(1, steps + 1)
    ]
    assert what_was_learnt(run) == what_was_learnt(whole)
    assert digests(run) == digests(whole)
