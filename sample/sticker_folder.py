"""The folder of one sticker: PNGs, paths, icons, and sticker.json (last), which makes it whole."""

import io
import json
import logging
from pathlib import Path
from typing import Any

from PIL import Image
from PIL.PngImagePlugin import PngInfo

from dataset import atomic_file
from dataset.errors import DataError
from sample.icons import icon_files
from sample.pictures import DAMAGES
from sample.starting_point import upright_image
from sample.sticker import StickerConfig, make_sticker
from sample.sticker_choice import Chosen, LeftOut

log = logging.getLogger(__name__)

FACTS = "sticker.json"


def one_sticker(
    one: Chosen, content: bytes, folder: Path, config: StickerConfig, settings: str
) -> tuple[dict[str, Any], bool] | LeftOut:
    """The facts of the finished sticker, and whether it was made just now; `content` is of the
    picture, or of what it was enlarged to, `settings` a hash of all else that decides."""
    found = _finished(folder, one, settings)
    if found is not None:
        return found, False
    try:
        image = upright_image(content, one.file.name, 4)
    except DataError as error:
        return LeftOut(one.name, str(error))
    if not image.getchannel("A").getextrema()[1]:
        return LeftOut(one.name, "all of it is transparent")
    return _made(image, one, folder, config, settings), True


def settings_of(folder: Path) -> str | None:
    """The hash of the settings that a finished sticker was made with; None for a damaged one."""
    facts = _read(folder)
    return None if facts is None else str(facts["settings"])


def remove_sticker(folder: Path) -> None:
    """Remove what was made, and the folder unless somebody put something into it."""
    facts = _read(folder)
    for name in [] if facts is None else facts["files"]:
        (folder / name).unlink(missing_ok=True)
    (folder / FACTS).unlink(missing_ok=True)
    for path in (folder / "icons", folder):
        if path.is_dir() and not any(path.iterdir()):
            path.rmdir()


def _read(folder: Path) -> dict[str, Any] | None:
    """What sticker.json says; None where it is missing, damaged, or lists what is elsewhere."""
    try:
        facts = json.loads((folder / FACTS).read_bytes())
        names = [Path(name) for name in facts["files"]]
        known = {"settings", "sha256", "verdict"} <= facts.keys()
    except (OSError, *DAMAGES):
        return None
    inside = not any(name.is_absolute() or ".." in name.parts for name in names)
    return facts if known and inside else None


def _finished(folder: Path, one: Chosen, settings: str) -> dict[str, Any] | None:
    """The facts of a finished sticker made alike, all of whose files are there."""
    facts = _read(folder)
    made_of = {"settings": settings, "sha256": one.file.sha256, "verdict": one.verdict}
    if facts is None or any(facts[key] != value for key, value in made_of.items()):
        return None
    return facts if all((folder / name).is_file() for name in facts["files"]) else None


def _made(
    image: Image.Image, one: Chosen, folder: Path, config: StickerConfig, settings: str
) -> dict[str, Any]:
    """Write one sticker's folder, its facts last."""
    sticker = make_sticker(image, config)
    name = Path(one.name).stem
    svg = sticker.redrawing(name) if config.svg else None
    if config.svg and svg is None:
        log.warning("%s is too intricate for an SVG; its sticker has none", one.name)
    text = _told(one, settings)
    files = {f"sticker-{size}.png": png_with(sticker.picture(size), text) for size in config.sizes}
    if svg is not None:
        files["sticker.svg"] = svg.svg.encode()
    if config.icons:
        bundle = icon_files(sticker.drawing, name, svg.svg if svg else None)
        files |= {f"icons/{file}": content for file, content in bundle.items()}
    (folder / FACTS).unlink(missing_ok=True)
    for file, content in files.items():
        atomic_file.write_bytes(folder / file, content)
    facts = {
        "settings": settings,
        "file": one.name,
        "folder": folder.name,
        "sha256": one.file.sha256,
        "verdict": one.verdict,
        "label": one.file.label_name,
        "seed": one.file.seed,
        "ground": {"removed": not sticker.kept, "why": sticker.kept},
        "flat": sticker.flat,
        "colours": sticker.colours if sticker.flat else None,
        "rms": round(sticker.rms, 3) if sticker.flat else None,
        "svg": None if svg is None else _svg_facts(svg.svg, svg.paths, svg.rms, svg.off),
        "files": sorted(files),
    }
    atomic_file.write_json(folder / FACTS, facts)
    return facts


def _svg_facts(svg: str, paths: int, rms: float, off: float) -> dict[str, Any]:
    """Size and re-raster error of the paths: levels of 0..255, and the share of other pixels."""
    size = len(svg.encode())
    return {"bytes": size, "paths": paths, "rms": round(rms, 3), "off": round(off, 5)}


def _told(one: Chosen, settings: str) -> dict[str, str]:
    """What the sticker's PNGs say: all that the picture said of itself, and what became of it."""
    told: dict[str, str] = {}
    try:
        with Image.open(io.BytesIO(one.file.content), formats=["PNG"]) as image:
            told = {str(k): v for k, v in image.info.items() if isinstance(v, str)}
    except (OSError, SyntaxError, ValueError):
        pass  # of another format, which says nothing
    more = {"sticker_of": one.name, "sticker_of_sha256": one.file.sha256, "verdict": one.verdict}
    return told | more | {"sticker_settings": settings}


def png_with(picture: Image.Image, text: dict[str, str]) -> bytes:
    """A PNG with text fields."""
    info = PngInfo()
    for name, value in text.items():
        info.add_text(name, value) if value.isascii() else info.add_itxt(name, value)
    buffer = io.BytesIO()
    picture.save(buffer, "PNG", pnginfo=info, optimize=True)
    return buffer.getvalue()
