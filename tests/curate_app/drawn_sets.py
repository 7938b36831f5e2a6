"""Runs with folders of drawn pictures, and packs of real ones, all tiny."""

import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from dataset.workspace import Workspace
from tests.curate_app.drawn_catalogue import drawing
from tests.dataset.packs import facts_of, write_small

CLASSES = ("cat", "dog")


def draw_folder(
    folder: Path, count: int = 8, *, first: int = 0, labelled: bool = True, side: int = 16
) -> Path:
    """Pictures as `python -m sample draw` leaves them; classes take turns."""
    folder.mkdir(parents=True, exist_ok=True)
    listed = []
    for number in range(count):
        told = PngInfo()
        told.add_text("sampler", f"secret of {folder.name}")
        name = f"{number:05d}.png"
        drawing(first + number, side).save(folder / name, pnginfo=told)
        label = CLASSES[number % 2] if labelled else ""
        listed.append({"file": name, "seed": number, "label": number % 2, "label_name": label})
    write_manifest(folder, {"pictures": listed, "sampler": "ddim", "steps": 20, "guidance": 2.0})
    Image.new("RGB", (64, 64)).save(folder / "sheet.png")
    return folder


def write_manifest(folder: Path, table: Any) -> None:
    (folder / "manifest.json").write_text(json.dumps(table), "utf-8")


def write_pack(data: Path, name: str, count: int = 24, channels: int = 3) -> str:
    """A pack of drawn pictures of 16 px in which cats and dogs take turns, as do the splits; its
    content hash."""
    Workspace(data).packs.mkdir(parents=True, exist_ok=True)
    made: list[NDArray[np.uint8]] = []
    for number in range(count):
        pixels = np.asarray(drawing(5000 + number, 16))
        alpha = np.full((16, 16, 1), 255, np.uint8)
        every = np.concatenate([pixels, alpha], axis=2).transpose(2, 0, 1)
        made.append(every[:channels])
    pack = write_small(Workspace(data).pack(name), data=np.stack(made), facts=facts_of(count))
    return pack.content_hash
