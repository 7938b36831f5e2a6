"""Small packs of drawn pictures, and configs that train on them in a second."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from tests.train.drawn_pack import write_drawn_pack


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """One CPU thread, as other tests run beside; and seeds that leak into no other test."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    with torch.random.fork_rng(devices=[]):
        yield
    torch.set_num_threads(threads)


@pytest.fixture
def pack(tmp_path: Path) -> Path:
    """40 pictures of 8 x 8 in colour, two classes."""
    return write_drawn_pack(tmp_path / "pack.h5")
