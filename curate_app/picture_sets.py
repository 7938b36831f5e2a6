"""The sets of pictures that can be compared: drawn ones below the runs, real ones of the packs."""

import hashlib
import io
import json
import os
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from dataset.composite import composite
from dataset.errors import ConfigError, PipelineError
from dataset.packed import PackedDataset
from dataset.pixels import PixelLimits, Pixels, decode
from dataset.provenance import SPLITS, Split
from dataset.wording import clean_label, strange_letter
from dataset.workspace import Workspace

_DEPTH = 4  # folders below the runs' own
_NO_SETS = {"previews", "checkpoints"}  # of sheets, and of no pictures
_NOT_PICTURES = {"sheet.png"}
_ENDINGS = {".png", ".jpg", ".jpeg", ".webp", ".bmp"}
_FEWEST = 2
_LARGEST_MANIFEST = 64 * 1024 * 1024
_LIMITS = PixelLimits(min_side=4)
_LONGEST_SIDE = 1024
_PNG = {"compress_level": 1}

Read = Callable[[], Pixels]


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One picture of a set; `read` gives (H, W, 3) uint8 or raises PipelineError or OSError."""

    name: str
    label: str
    read: Read


@dataclass(frozen=True, kw_only=True)
class Offer:
    """A set that can be compared.

    `id` names it in addresses and commands: folder:PATH below the runs, or pack:NAME/SPLIT.
    `origin` is what its manifest says of how it came about, `pack_hash` the content hash of the
    pack that it is of, or that the model learnt from ("": unknown).
    """

    id: str
    title: str
    count: int
    classes: tuple[str, ...]
    is_real: bool = False
    origin: str = ""
    pack_hash: str = ""

    def as_json(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "title": self.title,
            "pictures": self.count,
            "classes": list(self.classes),
            "is_real": self.is_real,
            "origin": self.origin,
        }


def offers(runs: Path, data: Path) -> list[Offer]:
    """Every set that there is: folders by name, then the packs; damaged ones are left out."""
    return [*_folder_offers(runs), *_pack_offers(data)]


def entries(offer: str, runs: Path, data: Path) -> list[Entry]:
    """The pictures of one set by its id, in order.

    Raises ConfigError for what `offers` does not list: no path from outside is ever opened.
    """
    kind, _, name = offer.partition(":")
    if kind == "folder":
        folders = {_relative(folder, runs): folder for folder in _folders(runs)}
        if name in folders:
            return _folder_entries(folders[name])
    if kind == "pack":
        pack_name, _, split = name.rpartition("/")
        packs = {path.stem: path for path in _packs(data)}
        splits = [one for one in SPLITS if one == split]
        if pack_name in packs and splits:
            return _pack_entries(PackedDataset(packs[pack_name]), splits[0])
    known = [one.id for one in offers(runs, data)]
    listed = ", ".join(known[:10]) or "none (draw some: python -m sample draw RUN)"
    raise ConfigError(f"there is no set {offer[:200]!r}; there are: {listed}")


def chosen(found: list[Entry], most: int, seed: int) -> list[Entry]:
    """At most `most` of them, drawn by lot, in their order."""
    if len(found) <= most:
        return found
    places = random.Random(seed).sample(range(len(found)), most)
    return [found[place] for place in sorted(places)]


def as_png(pixels: Pixels) -> tuple[str, bytes]:
    """(SHA-256, PNG) of (H, W, 3) uint8: nothing in it tells where it came from but the pixels;
    longest side 1024."""
    image = Image.fromarray(pixels)
    image.thumbnail((_LONGEST_SIDE, _LONGEST_SIDE), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    image.save(buffer, "PNG", **_PNG)
    content = buffer.getvalue()
    return hashlib.sha256(content).hexdigest(), content


def _folder_offers(runs: Path) -> Iterator[Offer]:
    for folder in _folders(runs):
        listed, table = _listed(folder)
        if len(listed) >= _FEWEST:
            name = _relative(folder, runs)
            yield Offer(
                id=f"folder:{name}",
                title=name,
                count=len(listed),
                classes=tuple(sorted({label for label in listed.values() if label})),
                origin=clean_label(_origin(table)),
                pack_hash=str(table.get("pack_hash") or ""),
            )


def _folders(runs: Path) -> Iterator[Path]:
    """The folders below the runs' that may hold pictures; links are not followed."""
    for place, folders, _files in os.walk(runs):
        here = Path(place)
        depth = len(here.relative_to(runs).parts)
        kept = [one for one in folders if not one.startswith(".") and one not in _NO_SETS]
        folders[:] = sorted(kept) if depth < _DEPTH else []
        if depth and not strange_letter(_relative(here, runs)):
            yield here


def _relative(folder: Path, runs: Path) -> str:
    return folder.relative_to(runs).as_posix()


def _listed(folder: Path) -> tuple[dict[str, str], dict[str, Any]]:
    """The pictures of a folder with their classes, by its manifest or else by their endings; and
    that manifest."""
    path = folder / "manifest.json"
    try:
        if path.stat().st_size <= _LARGEST_MANIFEST:
            table = json.loads(path.read_text("utf-8"))
            found = {
                str(one["file"]): clean_label(str(one.get("label_name") or ""))
                for one in table["pictures"]
            }
            if all(Path(name).name == name and not strange_letter(name) for name in found):
                return found, table
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        pass  # no manifest of a drawing: the files are what there is
    names = sorted(one.name for one in os.scandir(folder) if _is_picture(one))
    return dict.fromkeys(names, ""), {}


def _is_picture(one: "os.DirEntry[str]") -> bool:
    plain = (
        not strange_letter(one.name)
        and not one.name.startswith(".")
        and one.name not in _NOT_PICTURES
    )
    return plain and Path(one.name).suffix.lower() in _ENDINGS and one.is_file()


def _origin(table: dict[str, Any]) -> str:
    """How a drawing was made, in a line."""
    words = {
        "sampler": "{}",
        "steps": "{} steps",
        "guidance": "guidance {:g}",
        "images_seen": "{:,} pictures seen",
        "checkpoint": "{}",
    }
    kinds = {"sampler": str, "checkpoint": str, "steps": int, "images_seen": int}
    parts = [
        text.format(table[key])
        for key, text in words.items()
        if isinstance(table.get(key), kinds.get(key, (int, float)))
    ]
    return ", ".join(parts)


def _folder_entries(folder: Path) -> list[Entry]:
    def reader(path: Path) -> Read:
        return lambda: decode(path.read_bytes(), limits=_LIMITS).rgb

    listed, _ = _listed(folder)
    return [
        Entry(name=name, label=label, read=reader(folder / name)) for name, label in listed.items()
    ]


def _packs(data: Path) -> list[Path]:
    found = Workspace(data).packs.glob("*.h5")
    plain = [path for path in found if path.is_file() and not path.is_symlink()]
    return sorted(path for path in plain if not strange_letter(path.stem))


def _pack_offers(data: Path) -> Iterator[Offer]:
    for path in _packs(data):
        try:
            pack = PackedDataset(path)
        except (PipelineError, OSError):
            continue  # the Pack screen says what is wrong with it
        for split in reversed(SPLITS):  # what the model has not seen comes first
            labels = pack.labels[pack.rows(split)]
            if len(labels) >= _FEWEST:
                known = np.unique(labels[labels >= 0]).tolist()
                yield Offer(
                    id=f"pack:{path.stem}/{split}",
                    title=f"real pictures: {path.stem}, {split}",
                    count=len(labels),
                    classes=tuple(sorted(clean_label(pack.label_names[one]) for one in known)),
                    is_real=True,
                    origin=f"pack {pack.content_hash[:12]}",
                    pack_hash=pack.content_hash,
                )


def _pack_entries(pack: PackedDataset, split: Split) -> list[Entry]:
    def reader(row: int) -> Read:
        return lambda: _colour(pack.read(row, row + 1)[0])

    names = [*map(clean_label, pack.label_names), ""]  # -1, for none, is the last one
    return [
        Entry(name=f"row {row}", label=names[pack.labels[row]], read=reader(row))
        for row in pack.rows(split).tolist()
    ]


def _colour(pixels: Pixels) -> Pixels:
    """(C, H, W) of 1, 3 or 4 channels as (H, W, 3)."""
    upright = np.ascontiguousarray(pixels.transpose(1, 2, 0))
    if upright.shape[2] == 4:
        return composite(upright)
    return upright if upright.shape[2] == 3 else np.repeat(upright[:, :, :1], 3, axis=2)
