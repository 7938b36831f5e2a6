"""A really trained tiny run for the pages that draw: 16 px, the classes round and angular."""

from pathlib import Path

import torch

from sample.novelty import NoveltyConfig
from sample.studio_check import checker_of_run
from tests.sample.drawings import write_drawn_pack
from tests.train.drawn_pack import tiny_config
from train.checkpoint import load_checkpoint
from train.loop import train


def train_run(folder: Path, name: str = "tiny") -> Path:
    """Train `folder`/runs/`name` from 25 drawings, with 20 to judge by; returns its folder.

    The index of its pack is made, too, so that no page waits for it.
    """
    pack = write_drawn_pack(folder / "pack.h5", train=25, cal=20, test=4, side=16)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    with torch.random.fork_rng(devices=[]):
        changes = {"images": 16, "checkpoint_every_images": 8, "warmup_images": 0}
        run = train(tiny_config(pack, name=name, **changes), folder / "runs").run
    checker_of_run(load_checkpoint(run), None, NoveltyConfig())
    torch.set_num_threads(threads)
    return run
