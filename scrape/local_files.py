"""The files of a folder or a tar, by their paths inside it. Nothing is unpacked to the disk, and
nothing outside is read."""

import os
import tarfile
import threading
import weakref
from abc import ABC, abstractmethod
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO

from dataset.errors import ConfigError, DataError
from dataset.imports.folder import CAPTION_FILES, is_compressed, is_picture
from scrape.response import FetchError
from scrape.tar_members import DAMAGE, MarkedTar, bytes_of, forget, is_plain, readable

TABLES = (*CAPTION_FILES, "metadata.jsonl")
# Of a compressed tar: tables and small texts are kept, and pictures that were passed on the way to
# others. A file of a few KB may unpack to many GB.
_LARGEST_TABLE = 50_000_000
_LONGEST_TEXT = 64_000
_ALL_TEXTS = 200_000_000
_KEPT_BYTES = 64_000_000


class LocalFiles(ABC):
    """What lies in a folder or a tar; used by many threads."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.refused = 0  # names that lead outside
        self.is_cut = False  # a tar that ends too early; known when the names were read

    @abstractmethod
    def names(self) -> Iterator[PurePosixPath]:
        """Every file, tables before the pictures that they may speak of."""

    @abstractmethod
    def read(self, name: PurePosixPath, limit: int) -> bytes:
        """The bytes of a file; raises FetchError (not-found, too-many-bytes)."""

    @abstractmethod
    def has(self, name: PurePosixPath) -> bool:
        """Whether there is such a file."""

    @abstractmethod
    def version(self, name: PurePosixPath) -> str:
        """A text that is another one when the file was changed; raises FetchError (not-found)."""


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

    def version(self, name: PurePosixPath) -> str:
        file = self._file(name)
        try:
            facts = file.stat() if file is not None else None
        except OSError:
            facts = None
        if facts is None:
            raise _not_found(self.path, name)
        return f"{facts.st_size}-{facts.st_mtime_ns}"

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
    """Where a file lies in a tar: its number, its first byte and how many they are; and when it
    was changed."""

    number: int
    offset: int
    size: int
    changed: float


class TarFiles(LocalFiles):
    """A tar: a list of its members is made once, then each is read where it lies."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._lock = threading.Lock()
        self._members: dict[PurePosixPath, _Member] | None = None
        self._changed = 0  # when the tar was, in ns
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

    def version(self, name: PurePosixPath) -> str:
        with self._lock:
            member = self._index().get(name)
        if member is None:
            raise _not_found(self.path, name)
        return f"{member.size}-{member.changed}-{self._changed}"

    def read(self, name: PurePosixPath, limit: int) -> bytes:
        with self._lock:
            member = self._index().get(name)
            if member is None:
                raise _not_found(self.path, name)
            if member.size > limit:
                raise _too_large(name, limit)
            with readable(self.path):
                content = self._content(name, member)
        if len(content) != member.size:
            raise DataError(f"{self.path} has changed since it was opened; start the run again")
        return content

    def _index(self) -> dict[PurePosixPath, _Member]:
        """The plain files by name, the last one of each name; the caller holds the lock."""
        if self._members is None:
            found: dict[PurePosixPath, _Member] = {}
            self.refused = 0
            with readable(self.path), self._tar_from_start() as tar:
                self._changed = self.path.stat().st_mtime_ns
                for number, (member, text) in enumerate(self._whole(tar)):
                    name = PurePosixPath(member.name)
                    if not is_plain(member):
                        continue
                    if not is_inside(name):
                        self.refused += 1
                        continue
                    place = _Member(number, member.offset_data, member.size, member.mtime)
                    found[name] = place
                    self._note(name, text)
            self._members = found
        return self._members

    def _whole(self, tar: MarkedTar) -> Iterator[tuple[tarfile.TarInfo, bytes | None]]:
        """The members one after the other, with the text of those that are kept; where the tar is
        cut those before. Raises ReadError when there are none."""
        passed: tuple[tarfile.TarInfo, bytes | None] | None = None
        count = 0
        try:
            while (member := tar.next()) is not None:
                if passed is not None:
                    yield passed
                passed, count = None, count + 1
                passed = (member, self._text(tar, member))
                forget(tar)
            self.is_cut = not tar.has_end
        except DAMAGE:
            self.is_cut = True
        last = passed[0] if passed is not None else None
        is_whole = last is not None and last.offset_data + last.size <= self._length(tar)
        if self.is_cut and count <= 1 and not is_whole:
            raise tarfile.ReadError("it ends within its first file")
        if passed is not None and is_whole:
            yield passed

    def _tar_from_start(self) -> MarkedTar:
        return MarkedTar.opened(self.path, "r:")

    def _length(self, tar: tarfile.TarFile) -> int:
        """How many bytes of tar there are, when its end was reached."""
        return self.path.stat().st_size

    def _text(self, tar: tarfile.TarFile, member: tarfile.TarInfo) -> bytes | None:
        """The content of a member that is to be kept from the first pass."""
        return None

    def _note(self, name: PurePosixPath, text: bytes | None) -> None:
        """A whole member was passed while the list was made."""

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
        self._text_bytes = 0
        self._kept: OrderedDict[PurePosixPath, bytes] = OrderedDict()
        self._kept_bytes = 0
        self._tar: tarfile.TarFile | None = None
        self._next = 0  # the number of the member that comes next

    def names(self) -> Iterator[PurePosixPath]:
        with self._lock:
            members = self._index()
        yield from sorted(members, key=lambda name: (is_picture(name), members[name].number))

    def _tar_from_start(self) -> MarkedTar:
        return MarkedTar.opened(self.path, "r|*")

    def _length(self, tar: tarfile.TarFile) -> int:
        return tar.fileobj.tell() if tar.fileobj is not None else 0

    def _text(self, tar: tarfile.TarFile, member: tarfile.TarInfo) -> bytes | None:
        name = PurePosixPath(member.name)
        is_table = name.name in TABLES
        is_text = name.suffix.lower() == ".txt" and member.size <= _LONGEST_TEXT
        if not is_plain(member) or not (is_table or is_text):
            return None
        if member.size > _LARGEST_TABLE:
            raise DataError(
                f"{name} in {self.path} unpacks to {member.size} bytes, over {_LARGEST_TABLE}; "
                "unpack the tar and give the folder"
            )
        if self._text_bytes + member.size > _ALL_TEXTS:
            raise DataError(
                f"the tables and texts in {self.path} unpack to over {_ALL_TEXTS} bytes; "
                "unpack the tar and give the folder"
            )
        return bytes_of(tar, member)

    def _note(self, name: PurePosixPath, text: bytes | None) -> None:
        self._text_bytes -= len(self._texts.pop(name, b""))
        if text is not None:
            self._texts[name] = text
            self._text_bytes += len(text)

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
            forget(self._tar)
            self._next += 1
            if self._next > member.number:
                return bytes_of(self._tar, passed)
            self._keep(self._tar, passed, self._next - 1)
        return b""

    def _keep(self, tar: tarfile.TarFile, passed: tarfile.TarInfo, number: int) -> None:
        name = PurePosixPath(passed.name)
        place = self._index().get(name)
        is_known = place is not None and place.number == number and name not in self._kept
        if not is_known or not is_picture(name) or passed.size > _KEPT_BYTES // 4:
            return
        self._kept[name] = bytes_of(tar, passed)
        self._kept_bytes += passed.size
        while self._kept_bytes > _KEPT_BYTES:
            self._kept_bytes -= len(self._kept.popitem(last=False)[1])


def _within(content: bytes, limit: int, name: PurePosixPath) -> bytes:
    if len(content) > limit:
        raise _too_large(name, limit)
    return content


def _too_large(name: PurePosixPath, limit: int) -> FetchError:
    return FetchError("too-many-bytes", f"{name} is over {limit} bytes", is_final=True)


def _not_found(path: Path, name: PurePosixPath) -> FetchError:
    return FetchError("not-found", f"there is no file {name} in {path}", is_final=True)
