"""A full disk is one error, and leaves the old pack and a process that ends in order."""

import errno
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from dataset.pack_room import require_room, told_by_number
from dataset.pack_writer import Block, PackHead, write_blocks

# A process that HDF5 failed to write for: a limit of its files stands in for a full disk.
FAILING = """
import resource, signal, sys
import h5py, numpy as np
from pathlib import Path
from dataset.pack_room import throw_away, told_by_number

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
file = h5py.File(sys.argv[1], "w")
for n in range(9):
    texts = file.create_dataset(f"t{n}", (500,), h5py.string_dtype())
    texts[:] = ["x" * 400] * 500
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), resource.RLIM_INFINITY))
try:
    with told_by_number():
        file.flush()
except OSError as error:
    print(error.errno)
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
throw_away(file)
"""


@pytest.mark.parametrize("most", [0, 4_000, 100_000, 1_000_000])
def test_a_file_that_cannot_be_written_is_told_and_thrown_away(tmp_path: Path, most: int) -> None:
    command = [sys.executable, "-c", FAILING, str(tmp_path / "p.h5"), str(most)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, f"{errno.EFBIG}\n", "")


def test_no_room_is_told_before_anything_is_written(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No space left") as told:
        require_room(tmp_path, 1 << 62)
    assert told.value.errno == errno.ENOSPC
    require_room(tmp_path, 0)


def test_the_number_of_an_error_is_read_from_what_hdf5_says() -> None:
    for said, number in [("x (file write failed: errno = 28, ...)", 28), ("other", None)]:
        with pytest.raises((OSError, RuntimeError)) as told, told_by_number():
            raise RuntimeError(said)
        assert getattr(told.value, "errno", None) == number


def test_a_writer_that_is_stopped_leaves_nothing(tmp_path: Path) -> None:
    def blocks() -> Iterator[Block]:
        yield Block.of(np.zeros((0, 3, 8, 8), np.uint8), [])
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_blocks(tmp_path / "p.h5", PackHead(count=9, shape=(3, 8, 8)), blocks())
    assert list(tmp_path.iterdir()) == []
