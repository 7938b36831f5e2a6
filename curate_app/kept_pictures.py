"""The drawn pictures that a person kept: RUN/kept with PNGs, a log of who kept what, a manifest.

The log (kept.jsonl) is the truth, one event a line, an undo an event as well; manifest.json follows
it, in the shape that `python -m sample novelty RUN/kept` reads.
"""

import json
import os
import re
import tempfile
import zipfile
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any, Literal

from curate_app.drawn_picture import DrawnPicture
from dataset import atomic_file
from dataset.errors import DataError

_LOG, _MANIFEST, _SET_ASIDE = "kept.jsonl", "manifest.json", "dropped"
_NAME = re.compile(r"[0-9]{1,16}-[0-9a-f]{12}\.png")
_IN_MEMORY = 16 * 1024 * 1024

Verb = Literal["keep", "drop", "judge"]


@dataclass(frozen=True, kw_only=True)
class KeptEvent:
    """Something that was said of one picture; `undoes` names the event that it takes back."""

    number: int
    verb: Verb
    file: str
    who: str
    at: str
    undoes: int | None = None
    entry: dict[str, Any] | None = None  # of a picture that is kept: what the manifest says of it
    origin: dict[str, Any] | None = None  # of the first one of a checkpoint


class KeptPictures:
    """The kept pictures of the run in folder `run`; for one thread at a time."""

    def __init__(self, run: Path) -> None:
        self.folder = run / "kept"

    def standing(self) -> dict[str, dict[str, Any]]:
        """What the manifest says of each kept picture, by file, the newest last."""
        kept: dict[str, dict[str, Any]] = {}
        for event in self._events():
            if event.verb == "judge" and event.file in kept:
                kept[event.file] = event.entry or {}
            elif event.verb != "judge":
                before = kept.pop(event.file, None)
                if event.verb == "keep":
                    kept[event.file] = event.entry or before or {}
        return kept

    def path(self, file: str) -> Path | None:
        """Where a kept picture lies; None for whatever is none."""
        found = self.folder / file
        return found if _NAME.fullmatch(file) and found.is_file() else None

    def keep(self, picture: DrawnPicture, who: str) -> str:
        """Keep a picture; returns its file. One that is kept already stays as it is."""
        file = file_name(picture)
        if file in self.standing():
            return file
        atomic_file.write_bytes(self.folder / file, picture.content)
        (self.folder / _SET_ASIDE / file).unlink(missing_ok=True)
        entry = {"file": file, **picture.record(), **picture.origin}
        self._add("keep", file, who, entry=entry, origin=dict(picture.origin))
        return file

    def judge(self, pictures: Iterable[DrawnPicture]) -> None:
        """Note the verdicts that came after the pictures were kept."""
        standing = self.standing()
        for picture in pictures:
            entry = standing.get(file_name(picture))
            if entry is not None and entry.get("novelty") != (found := picture.record()["novelty"]):
                entry["novelty"] = found
                self._add("judge", file_name(picture), entry["who"], entry=entry)

    def drop(self, file: str, who: str) -> bool:
        """Keep a picture no longer; its file is set aside. False if it is not kept."""
        if file not in self.standing():
            return False
        self._set_aside(file)
        self._add("drop", file, who)
        return True

    def undo(self, who: str) -> KeptEvent | None:
        """Take back the newest event of this person that still stands; None when there is none."""
        events = self._events()
        undone = {event.undoes for event in events}
        own = [one for one in events if one.who == who and one.undoes is None]
        own = [one for one in own if one.verb != "judge"]
        last = next((one for one in reversed(own) if one.number not in undone), None)
        if last is None:
            return None
        is_kept = last.file in self.standing()
        if last.verb == "keep" and is_kept:
            self._set_aside(last.file)
        elif last.verb == "drop" and not is_kept:
            aside = self.folder / _SET_ASIDE / last.file
            if not aside.is_file():
                raise DataError(f"{aside} is gone; the picture can be drawn again from its seed")
            aside.replace(self.folder / last.file)
        entries = [one.entry for one in events if one.file == last.file and one.entry]
        back: Verb = "drop" if last.verb == "keep" else "keep"
        entry = entries[-1] if back == "keep" and entries else None
        self._add(back, last.file, who, undoes=last.number, entry=entry)
        return last

    def zipped(self) -> IO[bytes]:
        """The kept pictures and their manifest as one ZIP, rewound."""
        packed = tempfile.SpooledTemporaryFile(_IN_MEMORY)  # noqa: SIM115 (the caller's)
        with zipfile.ZipFile(packed, "w", zipfile.ZIP_STORED) as archive:
            for file in self.standing():
                if (path := self.path(file)) is not None:
                    archive.write(path, file)
            if (self.folder / _MANIFEST).is_file():
                archive.write(self.folder / _MANIFEST, _MANIFEST, zipfile.ZIP_DEFLATED)
        packed.seek(0)
        return packed

    def _set_aside(self, file: str) -> None:
        aside = self.folder / _SET_ASIDE
        aside.mkdir(parents=True, exist_ok=True)
        if (self.folder / file).is_file():
            (self.folder / file).replace(aside / file)

    def _add(
        self,
        verb: Verb,
        file: str,
        who: str,
        *,
        undoes: int | None = None,
        entry: dict[str, Any] | None = None,
        origin: dict[str, Any] | None = None,
    ) -> None:
        events = self._events()
        at = datetime.now(UTC).isoformat(timespec="seconds")
        number = 1 + max((event.number for event in events), default=0)
        event = KeptEvent(
            number=number,
            verb=verb,
            file=file,
            who=who,
            at=at,
            undoes=undoes,
            entry=None if entry is None else {"who": who, "at": at, **entry},
            origin=origin,
        )
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / _LOG).open("a+b") as log:
            torn = log.tell() > 0 and not _ends_a_line(log)
            line = json.dumps(asdict(event), ensure_ascii=False)
            log.write((b"\n" if torn else b"") + line.encode() + b"\n")
            log.flush()
            os.fsync(log.fileno())
        origins = [one.origin for one in (*events, event) if one.origin]
        about: Mapping[str, Any] = origins[-1] if origins else {}
        pictures = list(self.standing().values())
        atomic_file.write_json(self.folder / _MANIFEST, {**about, "pictures": pictures})

    def _events(self) -> list[KeptEvent]:
        """All whole lines of the log; one torn by a kill is left out."""
        try:
            lines = (self.folder / _LOG).read_text("utf-8", "replace").splitlines()
        except FileNotFoundError:
            return []
        found = []
        for line in lines:
            try:
                event = KeptEvent(**json.loads(line))
            except (ValueError, TypeError, RecursionError):
                continue
            if isinstance(event.file, str) and _NAME.fullmatch(event.file):
                found.append(event)
        return found


def file_name(picture: DrawnPicture) -> str:
    """What a picture is called where it is kept: its seed, and what tells it from its likes."""
    return f"{picture.seed}-{picture.sha256[:12]}.png"


def _ends_a_line(log: IO[bytes]) -> bool:
    log.seek(-1, os.SEEK_END)
    return log.read(1) == b"\n"
