"""Files of a folder or a plain tar, read by name: never outside it, never unpacked to disk."""

import os
import tarfile
from collections.abc import Iterable
from pathlib import Path, PurePosixPath
from typing import Protocol

from dataset.errors import ConfigError

# Larger files are not served.
MAX_BYTES = 40_000_000


class PictureFiles(Protocol):
    """Regular files by their path inside, with forward slashes."""

    def names(self) -> Iterable[str]: ...

    def read(self, name: str) -> bytes | None:
        """The bytes, or None when there is no such regular file or it is over MAX_BYTES."""
        ...

    def close(self) -> None: ...


def open_picture_files(path: Path) -> PictureFiles:
    """Raises ConfigError when `path` is neither a readable folder nor a readable plain tar."""
    try:
        return _Folder(path) if path.is_dir() else _Tar(path)
    except OSError as error:
        raise ConfigError(
            f"cannot read pictures from {path}: {error.strerror}; give --pictures a folder or a tar"
        ) from error


def inner_path(text: str) -> str | None:
    """`text` as a normal path inside, or None when it is absolute or leads out."""
    path = PurePosixPath(text)
    if not text or path.is_absolute() or ".." in path.parts or "\\" in text or "\0" in text:
        return None
    return str(path)


class _Folder:
    def __init__(self, root: Path) -> None:
        self._root = root.resolve(strict=True)
        os.scandir(self._root).close()  # unreadable folders fail here

    def names(self) -> Iterable[str]:
        for folder, folders, files in os.walk(self._root):
            folders.sort()
            for file in sorted(files):
                yield (Path(folder) / file).relative_to(self._root).as_posix()

    def read(self, name: str) -> bytes | None:
        inside = inner_path(name)
        if inside is None:
            return None
        try:
            path = (self._root / inside).resolve(strict=True)
            if not path.is_relative_to(self._root) or not path.is_file():
                return None
            with path.open("rb") as file:
                content = file.read(MAX_BYTES + 1)
        except (OSError, RuntimeError):  # gone, unreadable, or a loop of links
            return None
        return content if len(content) <= MAX_BYTES else None

    def close(self) -> None:
        """Nothing is held open."""


class _Tar:
    """An uncompressed tar: its members are read in place by their offset."""

    def __init__(self, path: Path) -> None:
        self._places: dict[str, tuple[int, int]] = {}
        try:
            with tarfile.open(path, "r:") as tar:
                for member in tar:
                    name = inner_path(member.name)
                    if name is not None and _is_plain(member):
                        self._places[name] = (member.offset_data, member.size)
        except (tarfile.TarError, EOFError, ValueError) as error:
            raise ConfigError(
                f"{path} is no uncompressed tar ({error}); give --pictures a folder or a plain tar"
            ) from error
        self._file = os.open(path, os.O_RDONLY)

    def names(self) -> Iterable[str]:
        return self._places

    def read(self, name: str) -> bytes | None:
        offset, size = self._places.get(name, (0, MAX_BYTES + 1))
        return os.pread(self._file, size, offset) if size <= MAX_BYTES else None

    def close(self) -> None:
        if self._file >= 0:
            os.close(self._file)
            self._file = -1


def _is_plain(member: tarfile.TarInfo) -> bool:
    """A regular file whose bytes lie in the tar in one piece; no link, device or sparse file."""
    return member.type in (tarfile.REGTYPE, tarfile.AREGTYPE) and not member.issparse()
