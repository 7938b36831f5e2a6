"""The members of a tar as they are read one after the other: what damage looks like, and where the
tar truly ends."""

import tarfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from gzip import BadGzipFile
from lzma import LZMAError
from pathlib import Path
from typing import Literal, Self

from dataset.errors import DataError

DAMAGE = (tarfile.TarError, EOFError, BadGzipFile, LZMAError, zlib.error)


class _Header(tarfile.TarInfo):
    """Notes that the end mark of a tar was read; tarfile takes a cut one for its end, too."""

    @classmethod
    def fromtarfile(cls, tar: tarfile.TarFile) -> Self:
        try:
            return super().fromtarfile(tar)
        except tarfile.HeaderError as error:
            is_end = isinstance(error, tarfile.EOFHeaderError)  # type: ignore[attr-defined]
            if isinstance(tar, MarkedTar) and is_end:
                tar.has_end = True
            raise


class MarkedTar(tarfile.TarFile):
    """A tar whose `has_end` says, once it was read, that its end mark is there."""

    has_end = False

    @classmethod
    def opened(cls, path: Path, mode: Literal["r:", "r|*"]) -> Self:
        return cls.open(path, mode, tarinfo=_Header)


def is_plain(member: tarfile.TarInfo) -> bool:
    return member.isfile() and not member.issparse()


def forget(tar: tarfile.TarFile) -> None:
    tar.members = []  # type: ignore[attr-defined]  # or a large tar would fill the memory


@contextmanager
def readable(path: Path) -> Iterator[None]:
    try:
        yield
    except (*DAMAGE, OSError) as error:
        raise DataError(f"{path} is no readable tar ({error}); check the file") from error


def bytes_of(tar: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    stream = tar.extractfile(member)
    return stream.read() if stream is not None else b""
