"""Rows of a pack on their way: in files without a name, so that nothing stays of them."""

import json
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dataset.imports.collection import Facts
from dataset.records import Caption

_Told = tuple[list[Facts], list[list[Caption]]]


class Spool:
    """Prepared rows (n, C, size, size), what is said of them and their files, in files beside
    `folder`'s; they are gone as soon as they are closed, and when the process is killed, too."""

    def __init__(self, folder: Path, shape: tuple[int, int, int], *, originals: bool) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.shape, self.count = shape, 0
        self._rows = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115
        self._notes = _Texts(folder)
        self._files = _Texts(folder) if originals else None

    def append(
        self,
        rows: NDArray[np.uint8],
        facts: Sequence[Facts],
        captions: Sequence[Sequence[Caption]],
        files: Sequence[bytes],
    ) -> None:
        """Rows with a dictionary each of what is said; `captions` and `files` may be empty."""
        self._rows.write(np.ascontiguousarray(rows).data)
        said = captions or [()] * len(rows)
        self._notes.append(
            [
                json.dumps([fact, [(c.text, c.origin) for c in those]]).encode()
                for fact, those in zip(facts, said, strict=True)
            ]
        )
        if self._files is not None:
            self._files.append(files or [b""] * len(rows))
        self.count += len(rows)

    def rows(self, places: NDArray[np.int64]) -> NDArray[np.uint8]:
        """Some rows (n, C, size, size), read and not mapped: a mapped file fills the memory."""
        self._rows.flush()
        number, size = self._rows.fileno(), int(np.prod(self.shape))
        found = np.empty((len(places), *self.shape), np.uint8)
        flat = found.reshape(len(places), size)
        for n in np.argsort(places, kind="stable").tolist():
            os.preadv(number, [flat[n]], int(places[n]) * size)
        return found

    def told(self, places: NDArray[np.int64]) -> _Told:
        """Facts and captions of some rows."""
        read: list[Any] = [json.loads(note.decode()) for note in self._notes.read(places)]
        captions = [[Caption(text=t, origin=o) for t, o in those] for _, those in read]
        return [fact for fact, _ in read], captions

    def files(self, places: NDArray[np.int64]) -> list[bytes]:
        return [] if self._files is None else self._files.read(places)

    def close(self) -> None:
        self._rows.close()
        self._notes.close()
        if self._files is not None:
            self._files.close()


class _Texts:
    """Strings of bytes one after another in a file; where each ends is in memory."""

    def __init__(self, folder: Path) -> None:
        self._file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115
        self._lengths: list[NDArray[np.int64]] = []
        self._ends: NDArray[np.int64] | None = None

    def append(self, texts: Sequence[bytes]) -> None:
        self._file.write(b"".join(texts))
        self._lengths.append(np.array([len(text) for text in texts], np.int64))

    def read(self, places: NDArray[np.int64]) -> list[bytes]:
        if self._ends is None:
            self._file.flush()
            self._ends = np.concatenate([np.zeros(1, np.int64), *self._lengths]).cumsum()
        starts, ends = self._ends[places].tolist(), self._ends[places + 1].tolist()
        number = self._file.fileno()
        return [os.pread(number, b - a, a) for a, b in zip(starts, ends, strict=True)]

    def close(self) -> None:
        self._file.close()
