"""A folder of drawn pictures: planned PNGs, a contact sheet, and a manifest (last).

Every PNG says in its metadata how it was drawn; that is also how an interrupted drawing is gone on
with: what fits the plan stays, what is missing is drawn.
"""

import io
import logging
import re
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from dataset import atomic_file
from dataset.errors import ConfigError, WorldError
from dataset.pixels import Pixels
from dataset.progress import Progress
from sample.picture_sheet import SheetConfig, Tile, sheet_image, shown_places
from sample.pictures import MANIFEST, RECORD, REPORT, SHEET, TABLE, manifest_of
from sample.sharded import Turns, cpu_workers, told_by_first
from train.distributed import ALONE, Ranks
from train.preview import picture_image

log = logging.getLogger(__name__)

PATHS = "paths"  # the folder of the animations of a drawing, beside its pictures

_PICTURE_NAME = re.compile(r"\d{5,}\.png")
_PATH_NAME = re.compile(r"(\d{5,}|sheet)\.(gif|webp)")


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

    @property
    def tile(self) -> Tile:
        """What a sheet says of it: on the way to another seed, how far that is."""
        told = f"seed {self.seed}" if self.share is None else f"{self.share:.0%} of the way"
        return Tile(self.label_name, told)

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


class Companion(Protocol):
    """What else is made of each picture, before its PNG is written, and of all of them."""

    @property
    def facts(self) -> dict[str, Any]:
        """What the manifest says of it."""
        ...

    def has(self, picture: PlannedPicture) -> bool:
        """Whether it is there for this picture."""
        ...

    def is_finished(self) -> bool:
        """Whether what belongs to all of them is there."""
        ...

    def finish(self, plan: Sequence[PlannedPicture], layout: SheetConfig) -> None:
        """Make what belongs to all of them."""
        ...


def fill_folder(
    folder: Path,
    plan: Sequence[PlannedPicture],
    settings: dict[str, Any],
    origin: dict[str, Any],
    brush: Callable[[], Brush],
    *,
    replace: bool = False,
    layout: SheetConfig | None = None,
    paths: Companion | None = None,
    ranks: Ranks = ALONE,
) -> Drawing:
    """Draw what is missing of `plan`; `settings` are what decides all pictures, `origin` what else
    the manifest says. Of several `ranks` each draws a part, and the first one does the rest.

    Raises ConfigError for a folder that holds pictures drawn otherwise, unless `replace`.
    """
    layout = layout or SheetConfig()
    about = {**origin, **settings, "sheet": asdict(layout)}
    about |= {"path": paths.facts} if paths else {}

    def begin() -> list[str] | None:
        """The names of the missing pictures, or None when nothing at all is to be done."""
        done = _drawn_already(folder, plan, settings, replace)
        missing = [p.name for p in plan if p.name not in done or (paths and not paths.has(p))]
        if not missing and _is_complete(folder, about) and (not paths or paths.is_finished()):
            return None
        # Without a manifest the folder counts as unfinished until the last line of `fill_folder`.
        (folder / MANIFEST).unlink(missing_ok=True)
        return missing

    names = told_by_first(ranks, begin)
    if names is None:
        return Drawing(folder, len(plan), 0)
    missing = [picture for picture in plan if picture.name in set(names)]
    if missing:
        _draw_missing(brush(), folder, missing, settings, len(plan) - len(missing), ranks)
    if ranks.first:
        _write_sheet(folder, plan, layout)
        if paths:
            paths.finish(plan, layout)
        listed = [{"file": picture.name, **picture.facts()} for picture in plan]
        atomic_file.write_json(folder / MANIFEST, {**about, "pictures": listed})
    return Drawing(folder, len(plan), len(missing))


def metadata(picture: PlannedPicture, settings: dict[str, Any]) -> dict[str, str]:
    """The text fields of a picture's PNG: its own facts and what decides all pictures."""
    return {name: str(value) for name, value in {**picture.facts(), **settings}.items()}


def _drawn_already(
    folder: Path, plan: Sequence[PlannedPicture], settings: dict[str, Any], replace: bool
) -> set[str]:
    """The names in `folder` that are as planned; others are refused or, with `replace`, removed."""
    planned = {picture.name: metadata(picture, settings) for picture in plan}
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
        stale = [path for path in (folder / PATHS).glob("*") if _PATH_NAME.fullmatch(path.name)]
        for path in (*other, *stale):
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


def _is_complete(folder: Path, about: dict[str, Any]) -> bool:
    """Whether sheet and manifest are there, made as is asked for now."""
    manifest = manifest_of(folder)
    alike = all(manifest.get(key) == about[key] for key in about)
    return alike and (folder / SHEET).is_file()


def _draw_missing(
    brush: Brush,
    folder: Path,
    missing: Sequence[PlannedPicture],
    settings: dict[str, Any],
    done: int,
    ranks: Ranks,
) -> None:
    size, turns, blank = ranks.smallest(brush.batch), Turns(ranks), 0
    parts = [missing[start : start + size] for start in range(0, len(missing), size)]
    # On a CPU every thread draws batches of its own: the threads inside torch's operations wait
    # for each other hundreds of times a step, and on a busy machine for most of the time.
    workers = cpu_workers() if brush.device.type == "cpu" else 1
    with (
        Progress("drawing", done + len(missing), "pictures", done=done) as progress,
        ThreadPoolExecutor(workers, "draw", torch.set_num_threads, (1,)) as pool,
    ):
        taken = (parts[number] for number in turns.taken(len(parts)))
        try:
            for part, (drawn, broken) in _painted(brush, pool, taken, workers, progress):
                blank += broken
                for picture, pixels in zip(part, drawn, strict=True):
                    text = metadata(picture, settings)
                    atomic_file.write_bytes(folder / picture.name, png_content(pixels, text))
                    progress.advance(done + turns.add(1) - progress.done)
        finally:
            pool.shutdown(cancel_futures=True)
        blank = turns.finish(blank)
        progress.advance(done + turns.add(0) - progress.done)
    if blank:
        log.warning("%d pictures held numbers that are not finite, drawn mid-grey there", blank)


_Part = Sequence[PlannedPicture]


def _painted(
    brush: Brush,
    pool: ThreadPoolExecutor,
    parts: Iterator[_Part],
    workers: int,
    progress: Progress,
) -> Iterator[tuple[_Part, tuple[Pixels, int]]]:
    """Each of `parts` with what was drawn of it; one more is taken than is being drawn, so that
    nobody waits for the disk."""
    under_way: deque[tuple[_Part, Future[tuple[Pixels, int]]]] = deque()
    for part in parts:
        under_way.append((part, pool.submit(brush.paint, part, progress)))
        if len(under_way) > workers:
            first, drawing = under_way.popleft()
            yield first, _result(drawing, brush.batch)
    while under_way:
        first, drawing = under_way.popleft()
        yield first, _result(drawing, brush.batch)


def _result(drawing: Future[tuple[Pixels, int]], size: int) -> tuple[Pixels, int]:
    try:
        return drawing.result()
    except torch.OutOfMemoryError as error:
        raise WorldError(
            f"the GPU's memory does not hold {size} pictures at once; give a smaller --batch, what"
            " was drawn is kept"
        ) from error


def png_content(picture: Pixels, text: dict[str, str]) -> bytes:
    """One (C, H, W) picture as a PNG with text fields (tEXt, or iTXt beyond Latin-1)."""
    info = PngInfo()
    for name, value in text.items():
        info.add_text(name, value) if value.isascii() else info.add_itxt(name, value)
    buffer = io.BytesIO()
    picture_image(picture).save(buffer, "PNG", pnginfo=info)
    return buffer.getvalue()


def _write_sheet(folder: Path, plan: Sequence[PlannedPicture], layout: SheetConfig) -> None:
    """All pictures as `layout` says; of very many the first of each class."""
    tiles = [picture.tile for picture in plan]
    places = shown_places(tiles)
    pictures = []
    for place in places:
        with Image.open(folder / plan[place].name, formats=["PNG"]) as image:
            pictures.append(np.atleast_3d(np.asarray(image)).transpose(2, 0, 1))  # (C, H, W)
    shown = [tiles[place] for place in places]
    sheet = sheet_image(pictures, shown, layout, left_out=len(plan) - len(places))
    with atomic_file.atomic_path(folder / SHEET) as partial:
        sheet.save(partial, "PNG")
