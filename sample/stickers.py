"""Stickers: a folder of drawn pictures in; a folder a sticker, a sheet and stickers.json out.

Only what the novelty check found to be new goes out, unless all is asked for. A sticker's folder is
finished when it holds sticker.json; finished ones are kept as long as nothing about them changed.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from PIL import Image

from dataset import atomic_file
from dataset.config import to_mapping
from dataset.errors import ConfigError
from dataset.progress import Progress
from sample import enlarging
from sample.enlarging import EnlargeConfig
from sample.sharded import cpu_workers
from sample.sticker import StickerConfig
from sample.sticker_choice import Chosen, LeftOut, as_text, chosen_pictures
from sample.sticker_folder import FACTS, one_sticker, remove_sticker, settings_of
from sample.sticker_sheet import Card, sticker_sheet
from train.checkpoint import Checkpoint

SCHEMA = "stickers/1"  # raised when stickers are made otherwise, so that old ones are made again
_MOST_WORKERS = 8  # a picture of 512 px takes half a gigabyte
LIST, SHEET, LARGE = "stickers.json", "sheet.png", "enlarged"


@dataclass(frozen=True)
class Stickers:
    """What came of it: what stickers.json holds, and how many were made just now."""

    folder: Path
    record: dict[str, Any]
    made: int

    @property
    def left_out(self) -> Counter[str]:
        return Counter(entry["why"] for entry in self.record["left_out"])


def make_stickers(
    folder: Path,
    out: Path,
    config: StickerConfig,
    *,
    checkpoint: Checkpoint | None = None,
    enlarging_config: EnlargeConfig | None = None,
    everything: bool = False,
    replace: bool = False,
) -> Stickers:
    """Make a sticker of each picture of `folder` that is new, or of `everything`; enlarged by
    `checkpoint` first if one is given.

    Raises ConfigError without a novelty check, for an `out` that holds stickers made otherwise
    (unless `replace`) or the pictures, or a checkpoint that enlarges other pictures; DataError for
    a folder without pictures, WorldError when vtracer or resvg is missing.
    """
    chosen, left_out = chosen_pictures(folder, everything=everything)
    more = enlarging_config or EnlargeConfig()
    settings = _settings(folder, config, checkpoint, more)
    hashed = _hash(settings)
    _make_room(folder, out, hashed, replace)
    contents = [one.file.content for one in chosen]
    if checkpoint is not None:
        contents = _enlarged(folder, chosen, checkpoint, more, out)
    entries, made = [], 0
    names = _names([one.name for one in chosen])

    def work(place: int) -> tuple[dict[str, Any], bool] | LeftOut:
        return one_sticker(chosen[place], contents[place], out / names[place], config, hashed)

    with (
        Progress("stickers", len(chosen), "stickers") as progress,
        ThreadPoolExecutor(min(cpu_workers(), _MOST_WORKERS), "sticker") as pool,
    ):
        for done in pool.map(work, range(len(chosen))):
            progress.advance()
            if isinstance(done, LeftOut):
                left_out.append(done)
            else:
                entries.append(done[0])
                made += done[1]
    not_in = [asdict(one) for one in left_out]
    record = {"schema": SCHEMA, **settings, "stickers": entries, "left_out": not_in}
    _finish(out, record)
    return Stickers(out, record, made)


def default_folder(folder: Path) -> Path:
    """DIR/stickers."""
    return folder / "stickers"


def _settings(
    folder: Path, config: StickerConfig, checkpoint: Checkpoint | None, more: EnlargeConfig
) -> dict[str, Any]:
    """All that decides a sticker besides its picture, as JSON has it."""
    told: dict[str, Any] = {"source": as_text(str(folder)), "config": to_mapping(config)}
    if checkpoint is not None:
        facts = {**more.sampling.facts(), "noise": more.noise, "seed": more.seed}
        told["enlarged_with"] = {
            "checkpoint": str(checkpoint.path),
            "fingerprint": checkpoint.fingerprint,
            **facts,
        }
    return told


def _make_room(folder: Path, out: Path, settings: str, replace: bool) -> None:
    """See that `out` holds no stickers but of these `settings`; raises ConfigError."""
    if out.resolve() == folder.resolve():
        raise ConfigError(f"{out} holds the pictures; choose another --out")
    others = [
        facts.parent
        for facts in sorted(out.glob(f"*/{FACTS}"))
        if settings_of(facts.parent) not in (settings, None)  # a damaged one is made again
    ]
    if others and not replace:
        raise ConfigError(
            f"{out} holds {len(others)} stickers made otherwise; choose another --out, or --replace"
            " them"
        )
    if others:
        for name in (LIST, SHEET):
            (out / name).unlink(missing_ok=True)
    for other in others:
        remove_sticker(other)


def _enlarged(
    folder: Path,
    chosen: Sequence[Chosen],
    checkpoint: Checkpoint,
    config: EnlargeConfig,
    out: Path,
) -> list[bytes]:
    """The content of the chosen pictures as `checkpoint` enlarges them, kept in OUT/enlarged."""
    files = [one.file for one in chosen]
    if not files:
        return []
    done = enlarging.enlarge(checkpoint, folder, config, out / LARGE, replace=True, files=files)
    return [(done.folder / f"{place:05d}.png").read_bytes() for place in range(len(files))]


def _names(files: Sequence[str]) -> list[str]:
    """A folder's name for each file: without its ending, where that tells them apart, and where it
    is no other place ("...png" without its ending is the folder above)."""
    stems = Counter(Path(file).stem for file in files)
    names, taken = [], {LARGE, LIST, SHEET, ".", ".."}
    for file in files:
        stem = Path(file).stem
        name = file if stems[stem] > 1 or stem in taken else stem
        while name in taken:
            name += "_"
        names.append(name)
        taken.add(name)
    return names


def _hash(settings: dict[str, Any]) -> str:
    """SHA-256, hexadecimal."""
    return hashlib.sha256(json.dumps([SCHEMA, settings], sort_keys=True).encode()).hexdigest()


def _finish(out: Path, record: dict[str, Any]) -> None:
    """The sheet, the list (last), and away with the folders of pictures that are no longer in."""
    listed = {entry["folder"] for entry in record["stickers"]}
    for facts in out.glob(f"*/{FACTS}"):
        if facts.parent.name not in listed:
            remove_sticker(facts.parent)
    (out / LIST).unlink(missing_ok=True)
    if record["stickers"]:
        sheet = sticker_sheet(list(_cards(out, record["stickers"])))
        with atomic_file.atomic_path(out / SHEET) as partial:
            sheet.save(partial, "PNG")
    else:
        (out / SHEET).unlink(missing_ok=True)
    atomic_file.write_json(out / LIST, record)


def _cards(out: Path, entries: Sequence[dict[str, Any]]) -> Iterator[Card]:
    for entry in entries:
        folder = out / entry["folder"]
        largest = max(
            (name for name in entry["files"] if name.startswith("sticker-")),
            key=lambda name: int(name[8:-4]),
        )
        with Image.open(folder / largest, formats=["PNG"]) as image:
            picture = image.convert("RGBA")
        svg = folder / "sticker.svg"
        yield Card(entry, picture, svg.read_text("utf-8") if svg.is_file() else None)
