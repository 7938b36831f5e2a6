"""A folder of drawn pictures: planned PNGs, a contact sheet, and a manifest (last).

Every PNG says in its metadata how it was drawn; that is also how an interrupted drawing is gone on
with: what fits the plan stays, what is missing is drawn.
"""

import io
import logging
import os
import re
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from dataset import atomic_file
from dataset.errors import ConfigError, WorldError
from dataset.pixels import Pixels
from dataset.progress import Progress
from sample.pictures import MANIFEST, RECORD, REPORT, SHEET, TABLE
from train.preview import contact_sheet, picture_image

log = logging.getLogger(__name__)

_PICTURE_NAME = re.compile(r"\d{5,}\.png")
_SHEET_COLUMNS = 12
_SHEET_MAGNIFY, _SMALL = 3, 64  # pictures of more than 64 px are shown as they are


@dataclass(frozen=True, kw_only=True)
class PlannedPicture:
    """One picture before it is drawn; `label` is -1 for none."""

    name: str
    seed: int
    label: int
    label_name: str
    share: float | None = None  # of the way towards another seed; None: there is no such way
    source: str | None = None  # the file that is enlarged
    source_hash: str | None = None  # its SHA-256

    def facts(self) -> dict[str, Any]:
        """What is said of this picture alone, as JSON has it."""
        facts = {"seed": self.seed, "label": self.label, "label_name": self.label_name}
        share = None if self.share is None else round(self.share, 6)
        more = {"share": share, "source": self.source, "source_hash": self.source_hash}
        return facts | {name: value for name, value in more.items() if value is not None}


@dataclass(frozen=True)
class Brush:
    """What draws: pictures (B, C, H, W) uint8 of a part of a plan, and how many of them held
    numbers that were not finite; where, and how many at once."""

    paint: Callable[[Sequence[PlannedPicture], Progress], tuple[Pixels, int]]
    device: torch.device
    batch: int


@dataclass(frozen=True)
class Drawing:
    """What came of drawing: the folder, and how many pictures were drawn just now."""

    folder: Path
    pictures: int
    drawn: int


def fill_folder(
    folder: Path,
    plan: Sequence[PlannedPicture],
    settings: dict[str, Any],
    origin: dict[str, Any],
    brush: Callable[[], Brush],
    *,
    replace: bool = False,
) -> Drawing:
    """Draw what is missing of `plan`; `settings` are what decides all pictures, `origin` what else
    the manifest says.

    Raises ConfigError for a folder that holds pictures drawn otherwise, unless `replace`.
    """
    done = _drawn_already(folder, plan, settings, replace)
    missing = [picture for picture in plan if picture.name not in done]
    if not missing and _is_complete(folder):
        return Drawing(folder, len(plan), 0)
    # Without a manifest the folder counts as unfinished until the last line of this function.
    (folder / MANIFEST).unlink(missing_ok=True)
    if missing:
        _draw_missing(brush(), folder, missing, settings, done=len(done))
    _write_sheet(folder, plan)
    listed = [{"file": picture.name, **picture.facts()} for picture in plan]
    atomic_file.write_json(folder / MANIFEST, {**origin, **settings, "pictures": listed})
    return Drawing(folder, len(plan), len(missing))


def _metadata(picture: PlannedPicture, settings: dict[str, Any]) -> dict[str, str]:
    return {name: str(value) for name, value in {**picture.facts(), **settings}.items()}


def _drawn_already(
    folder: Path, plan: Sequence[PlannedPicture], settings: dict[str, Any], replace: bool
) -> set[str]:
    """The names in `folder` that are as planned; others are refused or, with `replace`, removed."""
    planned = {picture.name: _metadata(picture, settings) for picture in plan}
    done, other = set(), []
    for path in sorted(folder.glob("*.png")):
        if not _PICTURE_NAME.fullmatch(path.name):
            continue
        found = _read_metadata(path)
        if path.name not in planned:
            other.append(path)
        elif found == planned[path.name]:
            done.add(path.name)
        elif found is not None:  # a damaged one is drawn again
            other.append(path)
    if other and not replace:
        raise ConfigError(
            f"{folder} holds {len(other)} pictures drawn otherwise (such as {other[0].name}); "
            "choose another --out, or --replace them"
        )
    if other:
        # What was said about the old pictures goes with them.
        for name in (MANIFEST, SHEET, RECORD, TABLE, REPORT):
            (folder / name).unlink(missing_ok=True)
        for path in other:
            path.unlink()
    return done


def _read_metadata(path: Path) -> dict[str, str] | None:
    """The PNG's text fields, or None when the file is damaged."""
    try:
        with Image.open(path, formats=["PNG"]) as image:
            image.load()
            return {str(key): str(value) for key, value in image.info.items()}
    except (OSError, SyntaxError, ValueError):
        return None


def _is_complete(folder: Path) -> bool:
    return (folder / MANIFEST).is_file() and (folder / SHEET).is_file()


def _draw_missing(
    brush: Brush,
    folder: Path,
    missing: Sequence[PlannedPicture],
    settings: dict[str, Any],
    done: int,
) -> None:
    size = brush.batch
    parts = [missing[start : start + size] for start in range(0, len(missing), size)]
    # On a CPU every thread draws batches of its own: the threads inside torch's operations wait
    # for each other hundreds of times a step, and on a busy machine for most of the time.
    workers = (os.cpu_count() or 1) if brush.device.type == "cpu" else 1
    blank = 0
    with (
        Progress("drawing", done + len(missing), "pictures", done=done) as progress,
        ThreadPoolExecutor(workers, "draw", torch.set_num_threads, (1,)) as pool,
    ):
        work = [pool.submit(brush.paint, part, progress) for part in parts]
        try:
            for part, drawing in zip(parts, work, strict=True):
                drawn, broken = _result(drawing, size)
                blank += broken
                for picture, pixels in zip(part, drawn, strict=True):
                    text = _metadata(picture, settings)
                    atomic_file.write_bytes(folder / picture.name, _png(pixels, text))
                    progress.advance()
        finally:
            pool.shutdown(cancel_futures=True)
    if blank:
        log.warning("%d pictures held numbers that are not finite, drawn mid-grey there", blank)


def _result(drawing: Future[tuple[Pixels, int]], size: int) -> tuple[Pixels, int]:
    try:
        return drawing.result()
    except torch.OutOfMemoryError as error:
        raise WorldError(
            f"the GPU's memory does not hold {size} pictures at once; give a smaller --batch, what"
            " was drawn is kept"
        ) from error


def _png(picture: Pixels, text: dict[str, str]) -> bytes:
    """One (C, H, W) picture as a PNG with text fields (tEXt, or iTXt beyond Latin-1)."""
    info = PngInfo()
    for name, value in text.items():
        info.add_text(name, value) if value.isascii() else info.add_itxt(name, value)
    buffer = io.BytesIO()
    picture_image(picture).save(buffer, "PNG", pnginfo=info)
    return buffer.getvalue()


def _write_sheet(folder: Path, plan: Sequence[PlannedPicture]) -> None:
    """All pictures in rows of one class, its name beside the first row; small ones magnified."""
    by_label: dict[str, list[NDArray[np.uint8]]] = {}
    for picture in plan:
        with Image.open(folder / picture.name, formats=["PNG"]) as image:
            pixels = np.atleast_3d(np.asarray(image)).transpose(2, 0, 1)  # (C, H, W)
        by_label.setdefault(picture.label_name, []).append(pixels)
    columns = min(_SHEET_COLUMNS, max(map(len, by_label.values())))
    tiles: list[NDArray[np.uint8]] = []
    names: list[str] = []
    for name, pictures in by_label.items():
        rows = -(-len(pictures) // columns)
        empty = np.full_like(pictures[0], 255)
        tiles += pictures + [empty] * (rows * columns - len(pictures))
        names += [name] + [""] * (rows - 1)
    magnify = _SHEET_MAGNIFY if tiles[0].shape[1] <= _SMALL else 1
    sheet = contact_sheet(np.stack(tiles), columns=columns, row_names=names, magnify=magnify)
    with atomic_file.atomic_path(folder / SHEET) as partial:
        sheet.save(partial, "PNG")
