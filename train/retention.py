"""Which checkpoints of a run stay: the last few whole ones, and the best.

Only whole ones are counted: one that is damaged is never what a good one is removed for.
"""

import shutil
from functools import lru_cache
from pathlib import Path

from dataset.errors import DataError
from train.checkpoint import FORMAT, MANIFEST, checkpoint_folders, validation_loss
from train.sealed_folder import read_manifest, sha256, sweep

BEST = "best"  # a link in the run's folder to the checkpoint of the lowest validation loss


def keep_checkpoints(run: Path, keep: int) -> None:
    """Keep the last `keep` whole checkpoints and the best one, point RUN/best to that, and sweep
    up what killed writers left."""
    whole = [folder for folder in checkpoint_folders(run) if is_whole(folder)]
    best = best_of(whole)
    if best is not None:
        _point(run / BEST, best)
    if whole:
        oldest = int(whole[-keep:][0].name)
        for folder in checkpoint_folders(run):
            if int(folder.name) < oldest and folder != best:
                remove(folder)
    sweep(run / "checkpoints")


def best_of(folders: list[Path]) -> Path | None:
    """The checkpoint of the lowest validation loss, the earliest of equals; None if none of them
    was measured."""
    losses = {
        folder: validation_loss(read_manifest(folder, MANIFEST, FORMAT)) for folder in folders
    }
    measured = [folder for folder in folders if losses[folder] < float("inf")]
    return min(measured, key=lambda folder: losses[folder], default=None)


def is_whole(folder: Path) -> bool:
    """Whether a checkpoint's files are what its manifest says."""
    try:
        manifest = read_manifest(folder, MANIFEST, FORMAT)
        return all(_digest(folder / name) == digest for name, digest in manifest["files"].items())
    except (DataError, OSError):
        return False


def remove(folder: Path) -> None:
    """The manifest goes first: a half-removed checkpoint is no checkpoint."""
    (folder / MANIFEST).unlink()
    shutil.rmtree(folder, ignore_errors=True)


def _point(link: Path, target: Path) -> None:
    """Make `link` lead to `target` at once, whatever it led to before."""
    partial = link.with_name(f".{link.name}.partial")
    partial.unlink(missing_ok=True)
    partial.symlink_to(target.relative_to(link.parent))
    partial.replace(link)


def _digest(path: Path) -> str:
    facts = path.stat()
    return _known_digest(path, facts.st_size, facts.st_mtime_ns)


@lru_cache(maxsize=256)
def _known_digest(path: Path, _size: int, _mtime_ns: int) -> str:
    """Of a file that has not been written to since it was last read."""
    return sha256(path)
