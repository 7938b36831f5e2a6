"""Folders and hub names of models that others trained: found whole, hashed, never unpickled."""

import hashlib
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dataset.errors import ConfigError, DataError, PipelineError, WorldError

HUB_NAME = re.compile(r"[\w-][\w.-]*/[\w-][\w.-]*", re.ASCII)
_MODEL_FILES = (".json", ".txt", ".model", ".safetensors")
_MOST_HEADER_BYTES = 100_000_000
# What reading a stranger's files may raise inside transformers.
_LOAD_FAILURES = (
    OSError,
    ValueError,
    KeyError,
    TypeError,
    AttributeError,
    ImportError,
    RuntimeError,
)


@contextmanager
def explained(model: str, is_folder: bool) -> Iterator[None]:
    """Turn what transformers raises while it reads a model into one line."""
    try:
        yield
    except PipelineError:
        raise
    except _LOAD_FAILURES as error:
        said = str(error).strip().splitlines() or [type(error).__name__]
        if is_folder:
            raise DataError(f"model folder {model} cannot be used: {said[0]}") from error
        if "model.safetensors" in said[0]:
            raise DataError(
                f"model {model} has no safetensors in the hub at this revision, and pickles are "
                "never loaded; choose another --revision, or save it as safetensors to a folder"
            ) from error
        if isinstance(error, OSError):
            raise WorldError(
                f"model {model} cannot be had from the hub: {said[0]}; check the name, --revision "
                "and the network"
            ) from error
        raise DataError(f"model {model} of the hub cannot be used: {said[0]}") from error


def check_weights(folder: Path) -> None:
    """Refuse a folder without a configuration or with weights that are cut or only pickled."""
    if not (folder / "config.json").is_file():
        raise ConfigError(f"no model in {folder}: it has no config.json; check --model")
    weights = sorted(folder.glob("*.safetensors"))
    if not weights:
        pickles = sorted(path.name for path in folder.glob("*.bin"))
        only = f"only {pickles[0]}, a pickle, which may run code" if pickles else "no weights"
        raise DataError(
            f"model folder {folder} has no safetensors ({only}); save the model as safetensors"
        )
    for path in weights:
        if not is_whole(path):
            raise DataError(f"{path} is cut or no safetensors file; fetch the model again")


def is_whole(path: Path) -> bool:
    """Whether the file is as long as its own header says (8 bytes of length, JSON, tensors)."""
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if not 2 <= length <= _MOST_HEADER_BYTES:
            return False
        try:
            header = json.loads(file.read(length))
            ends = [entry["data_offsets"][1] for key, entry in header.items() if key[:2] != "__"]
        except (ValueError, KeyError, TypeError, AttributeError, IndexError):
            return False
    return bool(ends) and path.stat().st_size == 8 + length + max(ends)


def files_checksum(folder: Path) -> str:
    """SHA-256 over name and SHA-256 of every file in `folder` that a model is read from."""
    total = hashlib.sha256()
    for path in sorted(folder.iterdir()):
        if path.is_file() and path.suffix in _MODEL_FILES:
            with path.open("rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
            total.update(f"{digest}  {path.name}\n".encode())
    return total.hexdigest()
