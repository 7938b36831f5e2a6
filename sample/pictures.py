"""The pictures of a folder, whoever drew them: read, brought to the pack's size, or counted out."""

import hashlib
import json
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from dataset.composite import Background, composite
from dataset.config import load_config
from dataset.errors import ConfigError, DataError, PictureError
from dataset.pack_selection import PackConfig
from dataset.packed import PackedDataset
from dataset.pixels import PixelLimits, Pixels
from dataset.preparation import RECIPE, decoded, prepare_picture
from dataset.progress import track
from dataset.wording import NO_TEXT

# What lies beside the pictures: from `draw`, and from the novelty check.
MANIFEST, SHEET = "manifest.json", "sheet.png"
REPORT, TABLE, RECORD = "report.html", "novelty.csv", "novelty.json"

# What reading a damaged or hostile JSON file, and what it lists, may raise.
DAMAGES = (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError)

_ENDINGS = {".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif", ".tif", ".tiff", ".avif"}
_NOT_PICTURES = {SHEET}
_LIMITS = PixelLimits(min_side=4)


@dataclass(frozen=True)
class PictureFile:
    """One file of the folder with what its manifest, if any, says of it."""

    name: str
    content: bytes
    label_name: str = ""
    seed: int | None = None

    @cached_property
    def sha256(self) -> str:
        """Of the file's bytes, in hexadecimal."""
        return hashlib.sha256(self.content).hexdigest()


@dataclass(frozen=True)
class Unreadable:
    """A file that is no picture, and why."""

    name: str
    reason: str


def list_pictures(folder: Path) -> tuple[list[PictureFile], list[Unreadable]]:
    """Every picture of `folder` in order of name; the manifest of `draw` is heeded if there.

    Raises ConfigError when the folder is missing, DataError when it holds no picture or its
    manifest is damaged.
    """
    if not folder.is_dir():
        raise ConfigError(f"no folder {folder}; draw pictures first (python -m sample draw)")
    listed = _from_manifest(folder / MANIFEST)
    if listed is None:
        names = sorted(path.name for path in folder.iterdir() if _is_picture(path))
        listed = dict.fromkeys(names, ("", None))
    if not listed:
        kinds = "PNG, JPEG, WebP, BMP, GIF, TIFF or AVIF"
        raise DataError(f"{folder} holds no pictures ({kinds}); check the path")
    found, missing = [], []
    for name, (label_name, seed) in listed.items():
        try:
            content = (folder / name).read_bytes()
        except FileNotFoundError:
            missing.append(Unreadable(name, "listed in the manifest but missing"))
        else:
            found.append(PictureFile(name, content, label_name, seed))
    return found, missing


def trained_on(folder: Path) -> str | None:
    """The content hash of the pack that the drawing model learnt from, if the manifest says so."""
    known = manifest_of(folder).get("pack_hash")
    return known if isinstance(known, str) else None


def trained_with(folder: Path) -> dict[str, Any] | None:
    """How the drawing model's pictures were changed in training, if the manifest says so."""
    known = manifest_of(folder).get("training")
    return known if isinstance(known, dict) else None


def manifest_of(folder: Path) -> dict[str, Any]:
    """What the manifest of a drawing says; nothing where it is missing or damaged."""
    try:
        manifest = json.loads((folder / MANIFEST).read_text("utf-8"))
    except (OSError, *DAMAGES):
        return {}
    return manifest if isinstance(manifest, dict) else {}


def decode_pictures(
    files: list[PictureFile], pack: PackedDataset
) -> tuple[list[PictureFile], Pixels, list[Unreadable]]:
    """Decode to the pack's size: the readable files, (B, H, W, 3) uint8, and the others.

    A picture of another size is prepared as the pack's were; in colour, or of a pack of grey ones
    in grey, three times the same. What can be seen through lies on the pack's background.
    """
    config = preparation(pack)
    readable, pictures, unreadable = [], [], []
    for file in track(files, "reading pictures", len(files), "pictures"):
        try:
            image, size = decoded(file.content, config, _LIMITS)
        except PictureError as error:
            unreadable.append(Unreadable(file.name, f"{error.reason}: {error}"))
            continue
        is_drawn = size == (pack.width, pack.height)  # by a model that learnt the sharpness, too
        plain = replace(config, sharpness=1.0) if is_drawn else config
        square = prepare_picture(image, plain, size)
        readable.append(file)
        pictures.append(np.array(square.convert("RGB")))
    shape = (0, pack.height, pack.width, 3)
    return readable, np.stack(pictures) if pictures else np.empty(shape, np.uint8), unreadable


def preparation(pack: PackedDataset) -> PackConfig:
    """How the pack's pictures were brought to its size, without alpha: what is compared is what is
    seen. Raises DataError if they are not square, or not grey, RGB or RGBA."""
    if pack.height != pack.width:
        raise DataError(
            f"pack {pack.path} holds pictures of {pack.width}x{pack.height}; only square ones work"
        )
    if pack.channels not in (1, 3, 4):
        raise DataError(
            f"pack {pack.path} holds pictures of {pack.channels} channels; 1, 3 or 4 work"
        )
    kept: dict[str, Any] = {key: pack.config[key] for key in RECIPE if key in pack.config}
    kept |= {"size": pack.width, "channels": "grey" if pack.channels == 1 else "rgb"}
    return load_config(PackConfig, kept, origin=f"the recipe in pack {pack.path}")


def as_colour(pictures: Pixels, background: Background = "auto") -> Pixels:
    """(..., H, W, C) with C of 1, 3 or 4 as (..., H, W, 3): grey three times, alpha composited."""
    if pictures.shape[-1] == 1:
        return np.repeat(pictures, 3, axis=-1)
    if pictures.shape[-1] == 4:
        flat = [composite(one, background) for one in pictures.reshape(-1, *pictures.shape[-3:])]
        return np.array(flat, dtype=np.uint8).reshape(*pictures.shape[:-1], 3)
    return pictures


def content_hash(files: list[PictureFile]) -> str:
    """SHA-256, hexadecimal, over the names and bytes of the files."""
    digest = hashlib.sha256()
    for file in files:
        digest.update(f"{file.name}|{len(file.content)}|".encode())
        digest.update(file.content)
    return digest.hexdigest()


def _is_picture(path: Path) -> bool:
    plain = not path.name.startswith(".") and path.name not in _NOT_PICTURES
    return plain and path.suffix.lower() in _ENDINGS and path.is_file()


def _from_manifest(path: Path) -> dict[str, tuple[str, int | None]] | None:
    """Names with (label name, seed) as `draw` listed them, or None without a manifest."""
    if not path.is_file():
        return None
    try:
        listed: list[dict[str, Any]] = json.loads(path.read_text("utf-8"))["pictures"]
        entries: dict[str, tuple[str, int | None]] = {
            str(entry["file"]): (str(entry.get("label_name") or ""), int(entry["seed"]))
            for entry in listed
        }
        if any(NO_TEXT.search(name + label) for name, (label, _) in entries.items()):
            raise ValueError("a name that is no text")
    except DAMAGES as error:
        raise DataError(
            f"manifest {path} is damaged ({error!r}); delete it or draw again"
        ) from error
    outside = [name for name in entries if Path(name).name != name or name in ("", "..")]
    if outside:
        raise DataError(f"manifest {path} lists {outside[0]!r}, a file outside its folder")
    return entries
