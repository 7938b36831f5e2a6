"""Which format a path is of, and its collection, opened."""

import tarfile
from collections.abc import Callable
from pathlib import Path, PurePosixPath

from dataset.errors import ConfigError
from dataset.imports.another_pack import PackCollection
from dataset.imports.cifar import CifarCollection, is_cifar_name
from dataset.imports.collection import Collection, ReadOptions
from dataset.imports.folder import FolderCollection, is_picture, readable_tar
from dataset.imports.idx import IdxCollection
from dataset.imports.lld import LldCollection, is_pack
from dataset.imports.webdataset import WebDatasetCollection

_OPENERS: dict[str, Callable[[Path, ReadOptions], Collection]] = {
    "folder": lambda path, _: FolderCollection(path),
    "lld": LldCollection,
    "mnist": IdxCollection,
    "cifar": CifarCollection,
    "webdataset": lambda path, _: WebDatasetCollection(path),
    "pack": PackCollection,
}
KINDS = tuple(_OPENERS)
_HDF5 = b"\x89HDF\r\n\x1a\n"
_PROBED_MEMBERS = 64
_PICKLED = {"data_batch_1", "batches.meta"}


def open_collection(kind: str, path: Path, options: ReadOptions) -> Collection:
    """The collection at `path`; `kind` is one of KINDS, or "auto" to look.

    Raises ConfigError when nothing is there, or options are given that the kind has no use for.
    """
    kind = kind_of(path) if kind == "auto" else kind
    if options.clusters and kind != "lld":
        raise ConfigError(f"--clusters is of labels in HDF5 files, not of {kind}")
    if options.scheme and kind not in ("lld", "cifar", "pack"):
        raise ConfigError(f"--scheme is of files with several labels, not of {kind}")
    return _OPENERS[kind](path, options)


def kind_of(path: Path) -> str:
    """The kind of what lies at `path`, by its first bytes and the names in it.

    Raises ConfigError when nothing is there."""
    if path.is_dir():
        return _kind_of_folder(path)
    if not path.is_file():
        if any(sign in path.name for sign in "{*?"):
            return "webdataset"
        raise ConfigError(f"no folder or file at {path}; check the path")
    with path.open("rb") as file:
        start = file.read(8)
    if start == _HDF5:
        return "pack" if is_pack(path) else "lld"
    if start[:3] == b"\0\0\x08" or "idx" in path.name:
        return "mnist"
    if is_cifar_name(path.name):
        return "cifar"
    return _kind_of_tar(path)


def _kind_of_folder(path: Path) -> str:
    names = {p.name for p in path.iterdir()}
    below = {p.name for folder in path.glob("cifar*") if folder.is_dir() for p in folder.iterdir()}
    if any(is_cifar_name(name) or name in _PICKLED for name in names | below):
        return "cifar"
    if any("images" in name and "idx" in name for name in names):
        return "mnist"
    tars = [name for name in names if name.endswith(".tar")]
    if tars and not any(is_picture(PurePosixPath(name)) for name in names):
        return "webdataset"
    return "folder"


def _kind_of_tar(path: Path) -> str:
    """By its first members: batches of CIFAR, texts beside pictures, or plain pictures."""
    keys: dict[str, set[str]] = {}
    with readable_tar(path), tarfile.open(path, "r|*") as tar:
        for place, member in enumerate(tar):
            name = PurePosixPath(member.name)
            if is_cifar_name(name.name) or name.name in _PICKLED:
                return "cifar"
            if member.isfile():
                stem, _, ending = name.name.partition(".")
                keys.setdefault(str(name.parent / stem), set()).add(ending.lower())
            if place >= _PROBED_MEMBERS:
                break
    notes = {"txt", "json", "cls"}
    is_web = any(endings & notes and endings - notes for endings in keys.values())
    return "webdataset" if is_web else "folder"
