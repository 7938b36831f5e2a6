"""Who hands out batches of pictures from a disk: files in folders, WebDataset, and a pack."""

import importlib.util
import io
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from tests.dataset.pictures import encoded, scene

Pictures = NDArray[np.uint8]
WORKERS = 2
_DRAWN = 500


def drawn(count: int, side: int = 32) -> Pictures:
    """(count, 3, side, side): scenes at a small size, shifted so that no two are the same."""
    scenes = [np.asarray(scene(n, (96, 96)).resize((side, side))) for n in range(_DRAWN)]
    shifted = [np.roll(scenes[n % _DRAWN], n // _DRAWN, axis=1) for n in range(count)]
    return np.ascontiguousarray(np.stack(shifted).transpose(0, 3, 1, 2))


def pngs(data: Pictures) -> Iterator[bytes]:
    for picture in data:
        yield encoded(Image.fromarray(picture.transpose(1, 2, 0)))


class PictureFolder(Dataset[tuple[Tensor, int]]):
    """A folder a class, a file a picture, each opened and decoded when it is asked for."""

    def __init__(self, root: Path) -> None:
        classes = sorted(folder.name for folder in root.iterdir())
        self._files = [
            (str(file), label)
            for label, name in enumerate(classes)
            for file in sorted((root / name).iterdir())
        ]

    def __len__(self) -> int:
        return len(self._files)

    def __getitem__(self, place: int) -> tuple[Tensor, int]:
        path, label = self._files[place]
        with Image.open(path) as image:
            pixels = np.array(image.convert("RGB"))
        return torch.from_numpy(pixels).permute(2, 0, 1), label


def write_folder(root: Path, files: list[bytes], classes: int = 10) -> None:
    for label in range(classes):
        (root / f"class {label}").mkdir(parents=True)
    for number, content in enumerate(files):
        (root / f"class {number % classes}" / f"{number:06d}.png").write_bytes(content)


def folder_batches(root: Path, size: int) -> DataLoader[tuple[Tensor, int]]:
    """Shuffled batches uint8 (n, 3, H, W) from two processes that stay between the epochs."""
    return DataLoader(
        PictureFolder(root),
        batch_size=size,
        shuffle=True,
        num_workers=WORKERS,
        persistent_workers=True,
    )


def write_tars(folder: Path, files: list[bytes], classes: int = 10) -> str:
    """One tar for each process that will read; returns their names in WebDataset's notation."""
    folder.mkdir(parents=True)
    for shard in range(WORKERS):
        with tarfile.open(folder / f"{shard}.tar", "w") as tar:
            for number in range(shard, len(files), WORKERS):
                _add(tar, f"{number:06d}.png", files[number])
                _add(tar, f"{number:06d}.cls", str(number % classes).encode())
    return f"{folder}/{{0..{WORKERS - 1}}}.tar"


def webdataset_packages() -> Path | None:
    """The folder that WebDataset is installed in, or None."""
    spec = importlib.util.find_spec("webdataset")
    return Path(spec.origin).parent.parent if spec is not None and spec.origin else None


class WebDatasetEpochs:
    """WebDataset in a process of its own; each call reads an epoch and returns its pictures."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process

    def __call__(self) -> int:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        return int(self._process.stdout.readline())


@contextmanager
def webdataset(packages: Path, tars: str, size: int) -> Iterator[WebDatasetEpochs]:
    runner = Path(__file__).with_name("webdataset_batches.py")
    command = [sys.executable, str(runner), str(packages), tars, str(size), str(WORKERS)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        yield WebDatasetEpochs(process)
        # Loaders that were forked since hold the other end of its input, too: it is told to end.
        process.communicate("end\n", timeout=60)


def epoch(loader: Any) -> int:
    """Go through a loader once; returns how many pictures came."""
    return sum(len(pictures) for pictures, _labels in loader)


def _add(tar: tarfile.TarFile, name: str, content: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(content)
    tar.addfile(member, io.BytesIO(content))
