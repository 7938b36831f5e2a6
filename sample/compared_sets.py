"""Sets of drawn pictures to compare: folders as they are, or drawn now from checkpoints."""

import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from dataset.errors import ConfigError, DataError
from dataset.packed import PackedDataset
from dataset.pixels import Pixels
from sample import draw
from sample.draw import DrawConfig
from sample.picture_captions import captions_of
from sample.pictures import (
    content_hash,
    decode_pictures,
    list_pictures,
    manifest_of,
    trained_on,
)
from train.checkpoint import Checkpoint, checkpoint_folders, load_checkpoint
from train.drawing import Sampling

_CHECKPOINT = "checkpoint.json"


@dataclass(frozen=True, kw_only=True)
class PictureSet:
    """Drawn pictures (n, H, W, 3) uint8 of the pack's size, with what is known of them."""

    name: str
    folder: Path
    pictures: Pixels
    captions: list[str]
    facts: dict[str, Any] = field(default_factory=dict)  # as JSON has it

    @property
    def images_seen(self) -> int | None:
        seen = self.facts.get("images_seen")
        return seen if isinstance(seen, int) else None


@dataclass(frozen=True, kw_only=True)
class Source:
    """Where a set comes from: a folder of pictures, or a checkpoint and how to draw from it."""

    name: str
    folder: Path  # of the pictures; drawn into if there is a checkpoint
    checkpoint: Checkpoint | None = None
    drawing: DrawConfig | None = None


def sources(
    paths: Sequence[Path],
    samplings: Sequence[Sampling],
    drawing: DrawConfig,
    out: Path,
    *,
    all_checkpoints: bool = False,
) -> list[Source]:
    """What is compared: each folder of pictures, and each checkpoint with each of `samplings`.

    `drawing` says how many and from which seed; they are drawn below `out`. Raises ConfigError for
    a path that is neither, or the same twice.
    """
    found: list[Source] = []
    for path in paths:
        checkpoints = _checkpoints(path, all_checkpoints)
        if checkpoints is None:
            found.append(Source(name=_short(path), folder=path))
            continue
        for checkpoint in checkpoints:
            once = samplings[:1] if checkpoint.config.kind == "vae" else samplings
            found += [
                _drawn(checkpoint, replace(drawing, sampling=sampling), out, len(samplings) > 1)
                for sampling in once
            ]
    return _distinct(found)


def open_set(
    source: Source, pack: PackedDataset, caption_as: str = "", only: Sequence[str] = ()
) -> PictureSet:
    """Draw what has to be drawn, and read the pictures at the pack's size, with their captions.

    Of a folder that says the classes, those of the classes `only` (empty: all). Raises what `draw`
    and `list_pictures` do, and DataError where no picture can be read.
    """
    if source.checkpoint is not None and source.drawing is not None:
        draw.draw(source.checkpoint, source.drawing, source.folder)
    files, _ = list_pictures(source.folder)
    if only:
        files = [file for file in files if file.label_name in ("", *only)]
        if not files:
            raise DataError(f"{source.folder} holds no pictures of {', '.join(only)}; draw some")
    readable, pictures, unreadable = decode_pictures(files, pack)
    if not readable:
        raise DataError(
            f"{source.folder} holds no picture that can be read: {unreadable[0].reason}"
        )
    facts = _facts(source.folder) | {
        "folder": str(source.folder),
        "content_hash": content_hash(readable),
        "unreadable": len(unreadable),
        "trained_on_this_pack": _same_pack(source.folder, pack),
    }
    return PictureSet(
        name=source.name,
        folder=source.folder,
        pictures=pictures,
        captions=captions_of(source.folder, readable, caption_as),
        facts=facts,
    )


def default_folder(path: Path) -> Path:
    """Where an evaluation of `path` goes: PATH/evaluation, of a checkpoint in its run's folder."""
    is_checkpoint = (path / _CHECKPOINT).is_file()
    return (path.resolve().parents[1] if is_checkpoint else path) / "evaluation"


def _checkpoints(path: Path, every: bool) -> list[Checkpoint] | None:
    """Those that a path means, or None for a folder of pictures."""
    if not path.is_dir():
        raise ConfigError(f"no folder {path}; give a run, a checkpoint or a folder of pictures")
    if (path / _CHECKPOINT).is_file():
        return [load_checkpoint(path)]
    there = checkpoint_folders(path)
    if not there:
        return None
    return [load_checkpoint(one) for one in there] if every else [load_checkpoint(path)]


def _drawn(checkpoint: Checkpoint, drawing: DrawConfig, out: Path, several: bool) -> Source:
    if checkpoint.config.upscale.active:
        raise ConfigError(f"{checkpoint.path} enlarges pictures; give a folder of what it enlarged")
    how = drawing.sampling
    is_vae = checkpoint.config.kind == "vae"
    words = "prior" if is_vae else f"{how.sampler}:{how.steps}"
    if several and how.guidance.scale != 1.0 and not is_vae:
        words += f":{how.guidance.scale:g}"
    settings = [checkpoint.fingerprint, how.facts(), drawing.count, drawing.seed, drawing.labels]
    digest = hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[:8]
    run = re.sub(r"[^\w.-]", "_", checkpoint.run.name)
    plain = words.replace(":", "-")
    return Source(
        name=f"{checkpoint.run.name} {checkpoint.images_seen} {words}",
        folder=out / "drawn" / f"{run}-{checkpoint.images_seen:09d}-{plain}-{digest}",
        checkpoint=checkpoint,
        drawing=drawing,
    )


def _distinct(found: list[Source]) -> list[Source]:
    """With whole paths for names where the short ones would be the same."""
    folders = [source.folder.resolve() for source in found]
    for source, folder in zip(found, folders, strict=True):
        if folders.count(folder) > 1:
            raise ConfigError(f"{source.name} is given twice; leave one out")
    names = [source.name for source in found]
    return [
        replace(source, name=str(source.folder)) if names.count(source.name) > 1 else source
        for source in found
    ]


def _short(path: Path) -> str:
    """The last two parts of a path: a folder of samples is mostly called that."""
    parts = [part for part in path.resolve().parts[-2:] if part != "/"]
    return "/".join(parts) or str(path)


def _facts(folder: Path) -> dict[str, Any]:
    """What the manifest says of how the pictures were drawn, but for the list of them."""
    return {name: value for name, value in manifest_of(folder).items() if name != "pictures"}


def _same_pack(folder: Path, pack: PackedDataset) -> bool | None:
    known = trained_on(folder)
    return None if known is None else known == pack.content_hash
