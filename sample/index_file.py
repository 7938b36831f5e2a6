"""The file of a novelty index: named arrays and what is said of them, with a checksum of each."""

import json
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from dataset.errors import DataError
from train.tensor_file import read_tensors, write_tensors

Arrays = dict[str, NDArray[Any]]

_ABOUT = "about"


def write_arrays(path: Path, arrays: Mapping[str, NDArray[Any]], about: Mapping[str, Any]) -> None:
    """Write `arrays` and `about` (plain JSON) as one safetensors file, without a second copy."""
    checked = {**about, "checksums": {name: _checksum(array) for name, array in arrays.items()}}
    text = np.frombuffer(json.dumps(checked).encode(), dtype=np.uint8).copy()
    content = {**arrays, _ABOUT: text}
    write_tensors(path, {name: torch.from_numpy(array) for name, array in content.items()})


def read_arrays(path: Path, schema: str) -> tuple[Arrays, dict[str, Any]]:
    """The arrays of a file and what is said of them; the file is mapped, not copied.

    Raises DataError when it is damaged or of another `schema`.
    """
    try:
        tensors = read_tensors(path)
    except DataError as error:
        raise DataError(f"novelty index {path} is damaged; delete it to build it again") from error
    arrays: Arrays = {name: tensor.numpy() for name, tensor in tensors.items()}
    about = _about(arrays.pop(_ABOUT, None))
    if about.get("schema") != schema:
        raise DataError(f"{path} is no novelty index of this version; delete it to build it again")
    if about.get("checksums") != {name: _checksum(array) for name, array in arrays.items()}:
        raise DataError(f"novelty index {path} is damaged; delete it to build it again")
    return arrays, about


def _about(text: NDArray[Any] | None) -> dict[str, Any]:
    try:
        found = {} if text is None else json.loads(text.tobytes())
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _checksum(array: NDArray[Any]) -> int:
    """CRC-32 of its bytes."""
    return zlib.crc32(np.ascontiguousarray(array).reshape(-1).view(np.uint8).data)
