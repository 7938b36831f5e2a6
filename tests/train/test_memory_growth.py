"""What a long run costs in memory: no more than a short one."""

import subprocess
import sys
from pathlib import Path

import pytest

MEBIBYTE = 2**20

# The run says how much memory the process holds at each of its checkpoints, 100 steps apart.
_CHILD = """
import gc, json, sys
from pathlib import Path
from dataset.config import from_mapping
from tests.train.drawn_pack import tiny_config
from train.loop import train

def say(path):
    gc.collect()
    print(int(Path("/proc/self/statm").read_text().split()[1]) * 4096, flush=True)

config = tiny_config(
    Path(sys.argv[1]),
    images=1500 * 8,
    checkpoint_every_images=100 * 8,
    snapshot_every_images=250 * 8,
    preview={"every_images": 250 * 8},
)
train(config, Path(sys.argv[2]), on_checkpoint=say)
"""


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="no /proc here")
def test_a_thousand_steps_add_less_than_a_mebibyte(pack: Path, tmp_path: Path) -> None:
    """Figures, checkpoints, snapshots and previews included."""
    command = [sys.executable, "-c", _CHILD, str(pack), str(tmp_path)]
    said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    resident = [int(line) for line in said.split()]
    assert len(resident) == 15
    # The first 500 steps warm up: libraries are loaded, threads started, buffers reused from then.
    assert resident[14] - resident[4] < MEBIBYTE, resident
