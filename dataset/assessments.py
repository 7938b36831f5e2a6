"""Human assessments: which pictures are compared, and every answer to "which is better?".

`assessments/NAME/` of a data folder holds the pictures as PNGs of our own, assessment.json
(written last) and answers.jsonl, to which lines are only ever added.
"""

import errno
import fcntl
import itertools
import json
import os
import re
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from dataset import atomic_file
from dataset.config import from_mapping, to_mapping
from dataset.errors import ConfigError, DataError
from dataset.wording import strange_letter

SCHEMA = "assessment/1"
Kind = Literal["compare", "gold", "repeat"]
Choice = Literal["left", "right", "tie"]
KINDS: tuple[Kind, ...] = get_args(Kind)
CHOICES: tuple[Choice, ...] = get_args(Choice)

LONGEST_NAME, LONGEST_QUESTION = 40, 200
MOST_SETS = 8
_NAME = re.compile(r"[a-z0-9](?:[a-z0-9-]*[a-z0-9])?")
_KEY = re.compile("[0-9a-f]{64}")
_MANIFEST, _PICTURES, _ANSWERS = "assessment.json", "pictures", "answers.jsonl"


@dataclass(frozen=True, kw_only=True)
class ShownPicture:
    """One picture that is shown: the SHA-256 of its PNG, its class ("" for none), and the file or
    row that it was made from."""

    key: str
    label: str = ""
    origin: str = ""


@dataclass(frozen=True, kw_only=True)
class PictureSet:
    """One of the things compared; `source` says where its pictures were taken from, `origin` what
    is known of how they came about."""

    title: str
    source: str
    pictures: tuple[ShownPicture, ...]
    origin: str = ""


@dataclass(frozen=True, kw_only=True)
class GoldCheck:
    """A pair with a right answer: a picture and the same one damaged by noise (both keys)."""

    sound: str
    damaged: str
    label: str = ""


@dataclass(frozen=True, kw_only=True)
class Assessment:
    """What is asked about which sets. `by_class`: only pictures of one class meet; `tells_class`:
    the class is shown with them. `seed` decides, with a person's name, what that person sees."""

    name: str
    question: str
    sets: tuple[PictureSet, ...]
    seed: int
    made_at: str
    made_by: str
    by_class: bool = False
    tells_class: bool = False
    gold: tuple[GoldCheck, ...] = ()
    gold_source: str = ""
    schema: str = SCHEMA

    def __post_init__(self) -> None:
        check_name(self.name)
        if self.schema != SCHEMA:
            raise ConfigError(f"schema {self.schema!r} is not {SCHEMA!r}")
        if not 2 <= len(self.sets) <= MOST_SETS:
            raise ConfigError(f"an assessment compares 2 to {MOST_SETS} sets, not {len(self.sets)}")
        if not all(one.pictures for one in self.sets):
            raise ConfigError("a set without pictures cannot be compared")
        bad = [key for key in self.every_key() if not _KEY.fullmatch(key)]
        if bad:
            raise ConfigError(f"{bad[0][:80]!r} is no SHA-256 of a picture")
        if self.by_class:
            self._check_classes()

    def _check_classes(self) -> None:
        classes = [{picture.label for picture in one.pictures} - {""} for one in self.sets]
        for (a, first), (b, second) in itertools.combinations(enumerate(classes), 2):
            if first.isdisjoint(second):
                raise ConfigError(
                    f"{self.sets[a].title} and {self.sets[b].title} share no class, so nothing "
                    "of one class can be compared"
                )

    def every_key(self) -> set[str]:
        """The keys of all pictures that may be shown."""
        shown = {picture.key for one in self.sets for picture in one.pictures}
        return shown | {key for check in self.gold for key in (check.sound, check.damaged)}


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What one person said of one pair, in full: no other file is needed to count it.

    `left` and `right` are numbers of sets; of a gold check 1 for the sound one and 0 for the
    damaged one. `pictures` are their keys, `of` the trial that a repeat repeats (-1: none), `ms`
    how long the person looked (-1: unknown).
    """

    who: str
    at: str
    trial: int
    kind: Kind
    left: int
    right: int
    pictures: tuple[str, str]
    label: str
    choice: Choice
    of: int = -1
    ms: int = -1

    @property
    def chosen(self) -> int | None:
        """The set that was preferred, None for "about equal"."""
        return {"left": self.left, "right": self.right}.get(self.choice)


def check_name(name: str) -> None:
    """Raises ConfigError for what is no name of an assessment."""
    if len(name) > LONGEST_NAME or not _NAME.fullmatch(name):
        raise ConfigError(
            f"{name[:80]!r} is no name of an assessment: give 1 to {LONGEST_NAME} small letters, "
            "digits and hyphens, such as old-or-new"
        )


def check_question(question: str) -> None:
    """Raises ConfigError for what cannot be asked on a page."""
    if not question.strip() or len(question) > LONGEST_QUESTION or strange_letter(question):
        raise ConfigError(
            f"the question must be one line of 1 to {LONGEST_QUESTION} printable letters"
        )


class Assessments:
    """The assessments of a data folder."""

    def __init__(self, data: Path) -> None:
        self.root = data / "assessments"

    def names(self) -> list[str]:
        """Those that were begun, by name; what is not finished yet or no folder is left out."""
        found = self.root.glob(f"*/{_MANIFEST}")
        return sorted(path.parent.name for path in found if _NAME.fullmatch(path.parent.name))

    def read(self, name: str) -> Assessment:
        """Raises ConfigError where there is none of that name, DataError for a damaged one."""
        check_name(name)
        path = self.root / name / _MANIFEST
        try:
            table = json.loads(path.read_text("utf-8"))
        except FileNotFoundError:
            known = ", ".join(self.names()) or "none yet"
            raise ConfigError(f"there is no assessment {name!r}; there are: {known}") from None
        except (ValueError, RecursionError) as error:
            raise DataError(f"{path} is damaged ({error}); begin another assessment") from error
        if not isinstance(table, dict):
            raise DataError(f"{path} is damaged (no object); begin another assessment")
        try:
            return from_mapping(Assessment, table, str(path))
        except ConfigError as error:
            raise DataError(f"{error}; begin another assessment") from error

    def manifest(self, name: str) -> Path:
        return self.root / name / _MANIFEST

    def picture(self, name: str, key: str) -> Path:
        """Where a picture lies; `key` is 64 hexadecimal digits."""
        return self.root / name / _PICTURES / f"{key}.png"

    def put_picture(self, name: str, key: str, png: bytes) -> None:
        """Write a picture of an assessment that is not begun yet."""
        path = self.picture(name, key)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(png)

    def write(self, assessment: Assessment) -> None:
        """The manifest, last of all: what it names is on the disk by then. Raises ConfigError when
        the name is taken."""
        path = self.root / assessment.name / _MANIFEST
        if path.exists():
            raise ConfigError(
                f"there is an assessment {assessment.name!r} already; choose another name"
            )
        for key in assessment.every_key():
            _sync(self.picture(assessment.name, key))
        atomic_file.fsync_folder(path.parent / _PICTURES)
        atomic_file.write_bytes(path.with_name(_ANSWERS), b"")
        atomic_file.write_json(path, to_mapping(assessment))

    def answers(self, name: str) -> "AnswerFile":
        return AnswerFile(self.root / name / _ANSWERS)


class AnswerFile:
    """The answers to one assessment; safe to use from several threads and processes.

    Nothing is ever taken out of the file: what is taken back stays there with a line that says so.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.Lock()
        self._standing: dict[tuple[str, int], Answer] = {}  # in the order of answering
        self._forget()

    def standing(self) -> list[Answer]:
        """Every answer that was not taken back, oldest first; raises DataError for a damaged line.

        A last line without its end was never acknowledged, and is none.
        """
        with self._lock:
            self._read_on()
            return list(self._standing.values())

    def add(self, answer: Answer) -> bool:
        """Write an answer down for good; False when that person has answered the trial already."""
        with self._lock, self._locked_file() as file:
            self._read_on()
            if (answer.who, answer.trial) in self._standing:
                return False
            self._append(file, to_mapping(answer))
            return True

    def take_back(self, who: str, at: str) -> Answer | None:
        """Take back this person's newest answer that stands: which it was, None without any."""
        with self._lock, self._locked_file() as file:
            self._read_on()
            mine = [answer for answer in self._standing.values() if answer.who == who]
            if not mine:
                return None
            self._append(file, {"who": who, "at": at, "taken_back": mine[-1].trial})
            return mine[-1]

    def _locked_file(self) -> "_LockedFile":
        self.path.parent.mkdir(parents=True, exist_ok=True)
        return _LockedFile(self.path)

    def _append(self, file: int, entry: Mapping[str, Any]) -> None:
        os.ftruncate(file, self._read_to)  # the torn end of a line that nobody was told of
        line = (json.dumps(entry, ensure_ascii=False, sort_keys=True) + "\n").encode()
        if os.pwrite(file, line, self._read_to) < len(line):  # the disk ended within the line
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self.path))
        os.fsync(file)
        self._read_on()

    def _read_on(self) -> None:
        try:
            with self.path.open("rb") as file:
                found = os.fstat(file.fileno())
                if found.st_ino != self._inode or found.st_size < self._read_to:
                    self._forget(found.st_ino)
                file.seek(self._read_to)
                fresh = file.read()
        except FileNotFoundError:
            self._forget()
            return
        whole = fresh[: fresh.rfind(b"\n") + 1]
        for line in whole.splitlines():
            self._lines += 1
            self._take(line)
        self._read_to += len(whole)

    def _forget(self, inode: int = 0) -> None:
        self._read_to, self._lines, self._standing, self._inode = 0, 0, {}, inode

    def _take(self, line: bytes) -> None:
        try:
            entry = json.loads(line)
            if "taken_back" in entry:
                del self._standing[str(entry["who"]), int(entry["taken_back"])]
            else:
                answer = _answer(entry)
                self._standing[answer.who, answer.trial] = answer
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            number = self._lines
            self._forget()
            raise DataError(
                f"line {number} of {self.path} is damaged ({error!r}); take that line out"
            ) from error


def _sync(path: Path) -> None:
    # Written first and synced in the end, pictures cost a tenth: the first call takes all along.
    with path.open("rb") as written:
        os.fsync(written.fileno())


class _LockedFile:
    """A file open for writing that no other process writes meanwhile; yields its descriptor."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __enter__(self) -> int:
        self._file = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o644)
        fcntl.flock(self._file, fcntl.LOCK_EX)
        return self._file

    def __exit__(self, *_error: object) -> None:
        os.close(self._file)  # the lock goes with it


def _answer(entry: Mapping[str, Any]) -> Answer:
    """Raises KeyError, TypeError or ValueError for an entry that makes no sense."""
    numbers = {key: entry[key] for key in ("trial", "left", "right", "of", "ms")}
    texts = {key: entry[key] for key in ("who", "at", "label")}
    first, second = entry["pictures"]
    if not all(type(value) is int and value >= -1 for value in numbers.values()):
        raise ValueError("a number is none")
    if not all(isinstance(text, str) for text in (*texts.values(), first, second)):
        raise ValueError("a text is none")
    if entry["kind"] not in KINDS or entry["choice"] not in CHOICES:
        raise ValueError("an unknown kind or choice")
    more = {"kind": entry["kind"], "choice": entry["choice"], "pictures": (first, second)}
    return Answer(**texts, **numbers, **more)
