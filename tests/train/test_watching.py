"""A run that is watched: the child judges its checkpoints, and never outlives or harms it."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from dataset.config import to_mapping
from tests.sample.drawings import write_drawn_pack
from tests.train.drawn_pack import tiny_config
from train.memorising import novelty_lines
from train.watching import watched

pytestmark = pytest.mark.slow


def toml_of(pack: Path, **changes: object) -> str:
    table = to_mapping(tiny_config(pack, **changes))
    lines = [f"{key} = {json.dumps(value)}" for key, value in table.items() if plain(value)]
    unet = [f"{key} = {json.dumps(value)}" for key, value in table["unet"].items() if plain(value)]
    return "\n".join([*lines, "[unet]", *unet, "[preview]", "every_images = 0"])


def plain(value: object) -> bool:
    return value is not None and not isinstance(value, dict)


def test_training_with_watch_ends_when_its_last_checkpoint_is_judged(tmp_path: Path) -> None:
    pack = write_drawn_pack(tmp_path / "pack.h5", train=25, cal=20, test=4, side=16)
    changes = {"images": 16, "checkpoint_every_images": 8, "warmup_images": 0}
    (tmp_path / "run.toml").write_text(toml_of(pack, **changes))
    command = [sys.executable, "-m", "train", "run", "--watch", "--json"]
    command += ["--config", str(tmp_path / "run.toml"), "--runs", str(tmp_path / "runs")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=200)
    assert done.returncode == 0, done.stderr
    run = tmp_path / "runs" / "test"
    assert json.loads(done.stdout)["images_seen"] == 16  # the child prints nothing between
    assert [line["images"] for line in novelty_lines(run)] == [8, 16], done.stderr
    assert "novelty: " in done.stderr.splitlines()[-1]  # how it fared is the last word
    info = [sys.executable, "-m", "train", "info", str(run), "--json"]
    told = json.loads(subprocess.run(info, capture_output=True, text=True, timeout=60).stdout)
    assert told["novelty"]["images"] == 16


def test_child_ends_with_a_training_that_fails_and_leaves_the_last_word_to_it(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(KeyboardInterrupt), watched(tmp_path / "none"):
        time.sleep(8)  # past its imports
        raise KeyboardInterrupt
    assert children() == []
    assert capfd.readouterr().err == ""


def test_child_hears_of_a_killed_training_and_ends(tmp_path: Path) -> None:
    program = (
        "import os, pathlib, signal, time\n"
        "from train.watching import watched\n"
        f"with watched(pathlib.Path({str(tmp_path / 'none')!r})):\n"
        "    print(open(f'/proc/self/task/{os.getpid()}/children').read(), flush=True)\n"
        "    time.sleep(60)\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    with parent.stdout:
        child = int(parent.stdout.readline())
        parent.kill()
        parent.wait()
    for _ in range(600):
        if not is_alive(child):
            return
        time.sleep(0.1)
    raise AssertionError("the child goes on")


def children() -> list[str]:
    return Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()


def is_alive(number: int) -> bool:
    try:
        return " Z " not in Path(f"/proc/{number}/stat").read_text()
    except OSError:
        return False
