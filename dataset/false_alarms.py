"""False alarms of a novelty check: who says of which picture that it is no copy, beside its record.

FOLDER/false_alarms.jsonl, one line a decision, only ever appended to; taking back is a line, too.
"""

import json
import logging
import os
import re
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from dataset.errors import WorldError

log = logging.getLogger(__name__)

FILE_NAME = "false_alarms.jsonl"

_SHA256 = re.compile(r"[0-9a-f]{64}")
_LONGEST_LINE = 16 * 1024


@dataclass(frozen=True)
class FalseAlarm:
    """The word of `who`, at the time `at` (ISO 8601, UTC), that a picture is no copy.

    The picture is the file `file`, whose bytes have the SHA-256 `sha256`; `row` is the training
    picture of the pack that it was held to resemble, -1 for none.
    """

    file: str
    sha256: str
    row: int
    who: str
    at: str

    def __post_init__(self) -> None:
        """Raises ValueError for what no such line may hold."""
        texts = (self.file, self.sha256, self.who, self.at)
        if not all(isinstance(text, str) for text in texts) or type(self.row) is not int:
            raise ValueError("a false alarm is told by four texts and a row")
        if not _SHA256.fullmatch(self.sha256):
            raise ValueError(f"{self.sha256[:80]!r} is no SHA-256 in hexadecimal")
        if self.row < -1:
            raise ValueError(f"row {self.row} is no row of a pack")


def note(folder: Path, alarm: FalseAlarm, taken_back: bool = False) -> None:
    """Add one decision to the folder's file and see it onto the disk; raises WorldError."""
    line = json.dumps({**asdict(alarm), "taken_back": taken_back}, ensure_ascii=False)
    path = folder / FILE_NAME
    try:
        with path.open("ab") as file:
            # A line that was cut off by a crash must not swallow this one.
            begin = b"" if _ends_with_line(path) else b"\n"
            file.write(begin + line.encode("utf-8", "replace") + b"\n")
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise WorldError(f"cannot write {path}: {error.strerror}; the mark is not kept") from error


def standing(folder: Path) -> dict[str, FalseAlarm]:
    """The false alarms that stand, by the SHA-256 of the picture's bytes; the newest word counts.

    No file: none. A line that is cut off or otherwise damaged is left out, with a warning.
    Raises WorldError when the file cannot be read.
    """
    path = folder / FILE_NAME
    found: dict[str, FalseAlarm] = {}
    try:
        lines = path.read_bytes().splitlines()
    except FileNotFoundError:
        return found
    except OSError as error:
        raise WorldError(f"cannot read {path}: {error.strerror}; see its permissions") from error
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            alarm, taken_back = _parsed(line)
        except (ValueError, TypeError, KeyError, RecursionError):
            log.warning("line %d of %s is damaged and left out", number, path)
            continue
        if taken_back:
            found.pop(alarm.sha256, None)
        else:
            found[alarm.sha256] = alarm
    return found


def _ends_with_line(path: Path) -> bool:
    """Whether what is in the file, if anything, ends with a line's end."""
    with path.open("rb") as file:
        if not file.seek(0, os.SEEK_END):
            return True
        file.seek(-1, os.SEEK_END)
        return file.read(1) == b"\n"


def _parsed(line: bytes) -> tuple[FalseAlarm, bool]:
    """Raises ValueError, TypeError or KeyError for what `note` did not write."""
    if len(line) > _LONGEST_LINE:
        raise ValueError("longer than any line that is written here")
    content: dict[str, Any] = json.loads(line)
    if not isinstance(content, dict):
        raise TypeError("a line holds one decision")
    taken_back = content.pop("taken_back")
    if not isinstance(taken_back, bool):
        raise TypeError("taken_back is true or false")
    return FalseAlarm(**content), taken_back
