"""The files of a folder or a tar, by their paths inside it. Nothing is unpacked to the disk, and
nothing outside is read."""

import os
import tarfile
import threading
import weakref
import zlib
from abc import ABC, abstractmethod
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from gzip import BadGzipFile
from lzma import LZMAError
from pathlib import Path, PurePosixPath
from typing import IO

from dataset.errors import ConfigError, DataError
from dataset.importers import is_compressed, is_picture
from scrape.response import FetchError

# Of a compressed tar: small texts are kept, and pictures that were passed on the way to others.
_LONGEST_TEXT = 64_000
_KEPT_BYTES = 64_000_000


class LocalFiles(ABC):
    """What lies in a folder or a tar; used by many threads."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.refused = 0  # names that lead outside

    @abstractmethod
    def names(self) -> Iterator[PurePosixPath]:
        """Every file, tables before the pictures that they may speak of."""

    @abstractmethod
    def read(self, name: PurePosixPath, limit: int) -> bytes:
        """The bytes of a file; raises FetchError (not-found, too-many-bytes)."""

    @abstractmethod
    def has(self, name: PurePosixPath) -> bool:
        """Whether there is such a file."""


def local_files(path: Path) -> LocalFiles:
    """The files of the folder or tar at `path`; raises ConfigError when there is neither."""
    if path.is_dir():
        return FolderFiles(path)
    if not path.is_file():
        raise ConfigError(f"no folder or tar at {path}; check the path")
    return PackedTarFiles(path) if is_compressed(path) else TarFiles(path)


def is_inside(name: PurePosixPath) -> bool:
    """Whether a path stays below where it begins."""
    return bool(name.parts) and not name.is_absolute() and ".." not in name.parts


class FolderFiles(LocalFiles):
    """A folder, read as it stands; links to files outside of it are not followed."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._real = path.resolve()

    def names(self) -> Iterator[PurePosixPath]:
        for folder, folders, files in os.walk(self.path):
            folders.sort()
            inside = PurePosixPath(Path(folder).relative_to(self.path).as_posix())
            # Texts and tables first, as they are few.
            for file in sorted(files, key=lambda file: (is_picture(PurePosixPath(file)), file)):
                if self._file(inside / file) is not None:
                    yield inside / file
                else:
                    self.refused += 1

    def has(self, name: PurePosixPath) -> bool:
        return self._file(name) is not None

    def read(self, name: PurePosixPath, limit: int) -> bytes:
        file = self._file(name)
        if file is None:
            raise _not_found(self.path, name)
        try:
            with file.open("rb") as stream:
                content = stream.read(limit + 1)
        except OSError as error:
            message = f"cannot read {file}: {error.strerror or error}"
            raise FetchError("not-found", message, is_final=True) from None
        return _within(content, limit, name)

    def _file(self, name: PurePosixPath) -> Path | None:
        """The plain file that `name` stands for, or None."""
        if not is_inside(name):
            return None
        try:
            file = (self._real / name).resolve()
            is_there = file.is_relative_to(self._real) and file.is_file()
        except (OSError, RuntimeError, ValueError):  # a link to itself, a NUL in the name
            return None
        return file if is_there else None


@dataclass(frozen=True)
class _Member:
    """Where a file lies in a tar: its number, its first byte and how many they are."""

    number: int
    offset: int
    size: int


class TarFiles(LocalFiles):
    """A tar: a list of its members is made once, then each is read where it lies."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._lock = threading.Lock()
        self._members: dict[PurePosixPath, _Member] | None = None
        self._file: IO[bytes] | None = None
        self._opened = ExitStack()
        weakref.finalize(self, self._opened.close)

    def names(self) -> Iterator[PurePosixPath]:
        with self._lock:
            members = self._index()
        yield from sorted(members, key=lambda name: (is_picture(name), name))

    def has(self, name: PurePosixPath) -> bool:
        with self._lock:
            return name in self._index()

    def read(self, name: PurePosixPath, limit: int) -> bytes:
        with self._lock:
            member = self._index().get(name)
            if member is None:
                raise _not_found(self.path, name)
            if member.size > limit:
                raise _too_large(name, limit)
            with _readable(self.path):
                content = self._content(name, member)
        if len(content) != member.size:
            raise DataError(f"{self.path} has changed since it was opened; start the run again")
        return content

    def _index(self) -> dict[PurePosixPath, _Member]:
        """The plain files by name, the last one of each name; the caller holds the lock."""
        if self._members is None:
            found: dict[PurePosixPath, _Member] = {}
            self.refused = 0
            with _readable(self.path), self._tar_from_start() as tar:
                for number, member in enumerate(_members(tar)):
                    name = PurePosixPath(member.name)
                    if not member.isfile() or member.issparse():
                        continue
                    if not is_inside(name):
                        self.refused += 1
                        continue
                    found[name] = _Member(number, member.offset_data, member.size)
                    self._note(tar, name, member)
            self._members = found
        return self._members

    def _tar_from_start(self) -> tarfile.TarFile:
        return tarfile.open(self.path, "r:")

    def _note(self, tar: tarfile.TarFile, name: PurePosixPath, member: tarfile.TarInfo) -> None:
        """A member was passed while the list was made."""

    def _content(self, name: PurePosixPath, member: _Member) -> bytes:
        """The bytes of a member; the caller holds the lock."""
        if self._file is None:
            self._file = self._opened.enter_context(self.path.open("rb"))
        self._file.seek(member.offset)
        return self._file.read(member.size)


class PackedTarFiles(TarFiles):
    """A compressed tar, which can be read only from its beginning on: texts are kept from the
    first pass, and pictures are passed to those who ask for them in about their order."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._texts: dict[PurePosixPath, bytes] = {}
        self._kept: OrderedDict[PurePosixPath, bytes] = OrderedDict()
        self._kept_bytes = 0
        self._tar: tarfile.TarFile | None = None
        self._next = 0  # the number of the member that comes next

    def names(self) -> Iterator[PurePosixPath]:
        with self._lock:
            members = self._index()
        yield from sorted(members, key=lambda name: (is_picture(name), members[name].number))

    def _tar_from_start(self) -> tarfile.TarFile:
        return tarfile.open(self.path, "r|*")

    def _note(self, tar: tarfile.TarFile, name: PurePosixPath, member: tarfile.TarInfo) -> None:
        is_table = name.suffix.lower() in (".csv", ".jsonl")
        if is_table or (name.suffix.lower() == ".txt" and member.size <= _LONGEST_TEXT):
            self._texts[name] = _bytes_of(tar, member)

    def _content(self, name: PurePosixPath, member: _Member) -> bytes:
        if name in self._texts:
            return self._texts[name]
        if name in self._kept:
            self._kept_bytes -= member.size
            return self._kept.pop(name)
        if self._tar is None or member.number < self._next:
            self._opened.close()
            self._tar = self._opened.enter_context(self._tar_from_start())
            self._next = 0
        while (passed := self._tar.next()) is not None:
            _forget(self._tar)
            self._next += 1
            if self._next > member.number:
                return _bytes_of(self._tar, passed)
            self._keep(self._tar, passed, self._next - 1)
        return b""

    def _keep(self, tar: tarfile.TarFile, passed: tarfile.TarInfo, number: int) -> None:
        name = PurePosixPath(passed.name)
        place = self._index().get(name)
        is_known = place is not None and place.number == number and name not in self._kept
        if not is_known or not is_picture(name) or passed.size > _KEPT_BYTES // 4:
            return
        self._kept[name] = _bytes_of(tar, passed)
        self._kept_bytes += passed.size
        while self._kept_bytes > _KEPT_BYTES:
            self._kept_bytes -= len(self._kept.popitem(last=False)[1])


def _members(tar: tarfile.TarFile) -> Iterator[tarfile.TarInfo]:
    """The members one after the other."""
    while (member := tar.next()) is not None:
        yield member
        _forget(tar)


def _forget(tar: tarfile.TarFile) -> None:
    tar.members = []  # type: ignore[attr-defined]  # or a large tar would fill the memory


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    try:
        yield
    except (tarfile.TarError, EOFError, BadGzipFile, LZMAError, zlib.error, OSError) as error:
        raise DataError(f"{path} is no readable tar ({error}); check the file") from error


def _bytes_of(tar: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    stream = tar.extractfile(member)
    return stream.read() if stream is not None else b""


def _within(content: bytes, limit: int, name: PurePosixPath) -> bytes:
    if len(content) > limit:
        raise _too_large(name, limit)
    return content


def _too_large(name: PurePosixPath, limit: int) -> FetchError:
    return FetchError("too-many-bytes", f"{name} is over {limit} bytes", is_final=True)


def _not_found(path: Path, name: PurePosixPath) -> FetchError:
    return FetchError("not-found", f"there is no file {name} in {path}", is_final=True)
