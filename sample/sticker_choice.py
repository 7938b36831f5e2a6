"""Which drawn pictures may go out: those that the novelty check found to be new."""

import json
from dataclasses import dataclass
from pathlib import Path

from dataset import false_alarms
from dataset.errors import ConfigError, DataError
from sample.novelty import VERDICTS
from sample.pictures import DAMAGES, RECORD, PictureFile, list_pictures

_NEW, _UNCHECKED, _FALSE_ALARM = "novel", "not checked", "false alarm"


@dataclass(frozen=True)
class Chosen:
    """A picture that becomes a sticker, and what the novelty check said of it."""

    file: PictureFile
    verdict: str

    @property
    def name(self) -> str:
        """The file's, as text that can be written anywhere."""
        return as_text(self.file.name)


@dataclass(frozen=True)
class LeftOut:
    """A picture that does not, and why."""

    file: str
    why: str


def chosen_pictures(folder: Path, *, everything: bool) -> tuple[list[Chosen], list[LeftOut]]:
    """The pictures of `folder` that are new, or whatever they are if `everything`; and the others.

    A person's word that a finding is a false alarm makes a picture new. Raises ConfigError when
    nothing was checked, unless `everything`; DataError for a damaged record.
    """
    files, missing = list_pictures(folder)
    verdicts = _verdicts(folder)
    if verdicts is None and not everything:
        raise ConfigError(
            f"{folder} was not checked for copies; run python -m sample novelty {folder} --packed"
            " PACK first, or give --any"
        )
    standing = false_alarms.standing(folder)
    chosen, left_out = [], [LeftOut(as_text(one.name), one.reason) for one in missing]
    for file in files:
        verdict = (verdicts or {}).get((file.name, file.sha256))
        verdict = verdict or (verdicts or {}).get((file.name, ""), _UNCHECKED)
        if verdict not in (_NEW, _UNCHECKED) and file.sha256 in standing:
            verdict = _FALSE_ALARM
        if everything or verdict in (_NEW, _FALSE_ALARM):
            chosen.append(Chosen(file, verdict))
        else:
            left_out.append(LeftOut(as_text(file.name), verdict))
    return chosen, left_out


def _verdicts(folder: Path) -> dict[tuple[str, str], str] | None:
    """The verdict of each picture by name and SHA-256 (empty in records that have none), or None
    where nothing was checked."""
    path = folder / RECORD
    if not path.is_file():
        return None
    try:
        listed = json.loads(path.read_bytes())["pictures"]
        found = {
            (str(one["file"]), str(one.get("sha256") or "")): str(one["verdict"]) for one in listed
        }
        if unknown := set(found.values()).difference(VERDICTS):
            raise ValueError(f"no verdict: {min(unknown)[:40]}")
    except (OSError, *DAMAGES) as error:
        raise DataError(
            f"{path} is damaged ({error!r}); run python -m sample novelty again with --again"
        ) from error
    return found


def as_text(name: str) -> str:
    """A file's name, which may be any bytes."""
    return name.encode("utf-8", "replace").decode()
