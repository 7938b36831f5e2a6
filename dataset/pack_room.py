"""A disk that is full while HDF5 writes to it: noticed before, and survived when it happens."""

import errno
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import h5py

# So much stays free for what HDF5 holds back: the facts of a block, and its caches.
_SPARE_BYTES = 16 << 20


def require_room(folder: Path, size: int) -> None:
    """Raises OSError when the disk has no room for `size` bytes more and what comes with them:
    HDF5 may crash when it meets a full disk itself."""
    disk = shutil.disk_usage(folder)
    if disk.total and disk.free < size + _SPARE_BYTES:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(folder))


@contextmanager
def told_by_number() -> Iterator[None]:
    """Makes of HDF5's failure to write, which is text, the OSError that the system had."""
    try:
        yield
    except (OSError, RuntimeError) as error:
        found = re.search(r"errno = (\d+)", str(error))
        if found is None:
            raise
        raise OSError(int(found[1]), os.strerror(int(found[1]))) from error


def throw_away(file: h5py.File) -> None:
    """Close a file that nobody will read. HDF5 cannot close one whose rest it fails to write, and
    crashes at exit, so the rest goes elsewhere."""
    # In memory where there is such a folder, since the disk may be full.
    folder = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    with tempfile.TemporaryFile(dir=folder) as elsewhere:
        os.dup2(elsewhere.fileno(), file.id.get_vfd_handle())
        with suppress(OSError, RuntimeError):
            file.close()
