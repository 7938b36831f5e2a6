"""Small files of every format that is imported, written by the tests."""

import gzip
import io
import json
import tarfile
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from tests.dataset.pictures import scene

Block = NDArray[np.uint8]


def scenes(count: int, side: int = 32, first: int = 0) -> Block:
    """Pictures (count, side, side, 3) of which no two look alike."""
    size = (160, 160)
    pictures = [scene(seed, size).resize((side, side)) for seed in range(first, first + count)]
    return np.stack([np.asarray(picture) for picture in pictures])


def write_lld(path: Path, pictures: Block, **datasets: Any) -> Path:
    """An HDF5 file as LLD has it: data (N, 3, H, W), and further datasets by their paths."""
    with h5py.File(path, "w") as file:
        data = np.ascontiguousarray(pictures.transpose(0, 3, 1, 2))
        file.create_dataset(
            "data", data=data, chunks=(min(3, len(data)), *data.shape[1:]), compression="gzip"
        )
        for name, values in datasets.items():
            file[name] = values
    return path


def idx(magic: int, shape: tuple[int, ...], content: bytes) -> bytes:
    return magic.to_bytes(4, "big") + np.array(shape, ">u4").tobytes() + content


def write_mnist(folder: Path, pictures: Block, labels: list[int], name: str = "train") -> Path:
    """Grey pictures (N, H, W) and labels, the first plain and the second packed."""
    folder.mkdir(exist_ok=True)
    images = folder / f"{name}-images-idx3-ubyte"
    images.write_bytes(idx(0x803, pictures.shape, pictures.tobytes()))
    packed = gzip.compress(idx(0x801, (len(labels),), bytes(labels)), mtime=0)
    (folder / f"{name}-labels-idx1-ubyte.gz").write_bytes(packed)
    return images


def cifar_rows(pictures: Block, *labels: list[int]) -> bytes:
    """Rows of bytes: the labels, then red, green and blue."""
    planes = pictures.transpose(0, 3, 1, 2).reshape(len(pictures), -1)
    columns = [np.array(those, np.uint8)[:, None] for those in labels]
    return np.concatenate([*columns, planes], axis=1).tobytes()


def write_tar(path: Path, members: dict[str, bytes], mode: str = "w") -> Path:
    with tarfile.open(path, mode) as tar:  # type: ignore[call-overload]
        for name, content in members.items():
            add(tar, name, content)
    return path


def add(tar: tarfile.TarFile, name: str, content: bytes, kind: bytes = tarfile.REGTYPE) -> None:
    info = tarfile.TarInfo(name)
    info.size, info.type, info.linkname = len(content), kind, "/etc/passwd"
    tar.addfile(info, io.BytesIO(content))


def facts(**said: Any) -> bytes:
    return json.dumps(said).encode()
