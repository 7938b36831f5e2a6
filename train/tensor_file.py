"""Files of named tensors, in the safetensors format.

Written here piece by piece: no second copy in memory, hashed on the way, a full disk is an
OSError like everywhere, and a thread that writes does not hold up the others.
"""

import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from dataset.errors import DataError

_TYPES = {
    torch.float64: "F64",
    torch.float32: "F32",
    torch.float16: "F16",
    torch.bfloat16: "BF16",
    torch.int64: "I64",
    torch.int32: "I32",
    torch.uint8: "U8",
    torch.bool: "BOOL",
}
_ALIGNMENT = 8  # of the first tensor, so that every number lies at a multiple of its size


def write_tensors(path: Path, tensors: Mapping[str, Tensor]) -> str:
    """Write `tensors` to `path` and on to the disk; returns the file's SHA-256 in hexadecimals."""
    digest = hashlib.sha256()
    with path.open("wb") as file:
        for part in _parts(tensors):
            digest.update(part)
            file.write(part)
        file.flush()
        os.fsync(file.fileno())
    return digest.hexdigest()


def read_tensors(path: Path, prefix: str = "") -> dict[str, Tensor]:
    """The tensors of a file whose names begin with `prefix`, by the rest of their names, in host
    memory; raises DataError if it is no such file."""
    try:
        with safe_open(path, "pt") as file:
            return {
                name.removeprefix(prefix): file.get_tensor(name)
                for name in file.keys()  # noqa: SIM118 - it is no mapping
                if name.startswith(prefix)
            }
    except (SafetensorError, OSError) as error:
        raise DataError(f"cannot read the weights in {path}: {error}") from error


def _parts(tensors: Mapping[str, Tensor]) -> Iterator[bytes | memoryview]:
    """The bytes of the file: length of the header, header, tensors from wide numbers to narrow."""
    order = sorted(tensors, key=lambda name: (-tensors[name].element_size(), name))
    header, start = {}, 0
    for name in order:
        tensor = tensors[name]
        end = start + tensor.numel() * tensor.element_size()
        header[name] = {
            "dtype": _TYPES[tensor.dtype],
            "shape": list(tensor.shape),
            "data_offsets": [start, end],
        }
        start = end
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % _ALIGNMENT)
    yield len(text).to_bytes(8, "little")
    yield text
    for name in order:
        yield _bytes(tensors[name])


def _bytes(tensor: Tensor) -> memoryview:
    flat = tensor.detach().cpu().contiguous().reshape(-1)
    return flat.view(torch.uint8).numpy().data
