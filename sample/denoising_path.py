"""The way of each picture from noise, step by step: a small animation of its own, and one sheet."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from dataset import atomic_file
from dataset.errors import ConfigError
from dataset.pixels import Pixels
from dataset.progress import track
from sample.drawn_folder import PATHS, PlannedPicture, metadata
from sample.picture_sheet import SheetConfig, sheet_image, shown_places
from train.batches import to_bytes
from train.checked import require
from train.denoiser import Denoiser
from train.preview import picture_image

Kind = Literal["none", "gif", "webp"]
Shows = Literal["noisy", "guess"]

_WAY_MS, _HOLD_MS = 2400, 1500  # of all frames together, and of the last
_LEAST_MS, _MOST_MS = 40, 400  # of each of the others
_PART_SIDE = 160  # pixels a side of what stands for a large image
_SIDE = 128  # pixels that a small picture is magnified to, at least
_FRAMES = 24
_ON_SHEET = 36  # pictures of the animated sheet
_NOISE = 0.5  # standard deviation of pure noise as it is shown; at 1, most of it would be clipped
_DESCRIPTION = 0x010E  # ImageDescription of EXIF


@dataclass(frozen=True, kw_only=True)
class PathConfig:
    """What is kept of the way: nothing, or so many frames."""

    kind: Kind = "none"
    shows: Shows = "noisy"  # the picture as it is on its way, or what the model takes it for
    frames: int = _FRAMES  # the most; fewer where there are fewer steps

    def __post_init__(self) -> None:
        for name, known in (("kind", get_args(Kind)), ("shows", get_args(Shows))):
            given = getattr(self, name)
            require(given in known, f"path {name}", given, f"one of {', '.join(known)}")
        require(2 <= self.frames <= 200, "frames", self.frames, "from 2 to 200")
        if not self.active and (self.frames, self.shows) != (_FRAMES, "noisy"):
            raise ConfigError("frames and what they show are of a path; choose --path gif or webp")

    @property
    def active(self) -> bool:
        return self.kind != "none"


class PathRecorder:
    """Looks on while a batch is drawn (an OnStep), and keeps as much as is shown."""

    def __init__(self, denoiser: Denoiser, config: PathConfig) -> None:
        self._denoiser, self._config = denoiser, config
        self._kept: list[Pixels] = []  # (B, C, H, W) each
        self._seen, self._every = 0, 1

    def __call__(self, _done: int, x: Tensor, x0: Tensor) -> None:
        if self._seen % self._every == 0:
            # How many steps come is not known here, as some are taken again: thinned as they come.
            if len(self._kept) == 2 * self._config.frames:
                self._kept, self._every = self._kept[::2], 2 * self._every
            shown = x0 if self._config.shows == "guess" else as_seen(x, x0)
            pictures = self._denoiser.pictures(torch.nan_to_num(shown))
            self._kept.append(to_bytes(torch.nan_to_num(pictures)).cpu().numpy())
        self._seen += 1

    def frames(self, drawn: Pixels) -> Pixels:
        """(F, B, C, H, W) from the first noise to the pictures `drawn` (B, C, H, W)."""
        last = len(self._kept) - 1
        count = min(len(self._kept), self._config.frames - 1)
        chosen = np.unique(np.linspace(0, last, count).round().astype(np.int64)).tolist()
        return np.stack([*(self._kept[place] for place in chosen), drawn])


def as_seen(x: Tensor, x0: Tensor) -> Tensor:
    """x = x0 + sigma * eps (B, C, H, W) brought to the range of pictures, whatever its sigma.

    Sigma is taken from what the model holds for noise: some samplers raise it on the way.
    """
    sigma = (x - x0).square().mean(dim=(1, 2, 3), keepdim=True).sqrt()
    return x / (1.0 + (sigma / _NOISE).square()).sqrt()


class Paths:
    """The animations in the folder `paths` of a drawing; a `Companion` of its pictures."""

    def __init__(self, folder: Path, config: PathConfig, settings: dict[str, Any]) -> None:
        self.folder, self.config, self._settings = folder / PATHS, config, settings

    @property
    def facts(self) -> dict[str, Any]:
        return {"kind": self.config.kind, "shows": self.config.shows, "frames": self.config.frames}

    def write(self, part: Sequence[PlannedPicture], frames: Pixels) -> None:
        """One animation each of `frames` (F, B, C, H, W)."""
        for place, picture in enumerate(part):
            images = [_magnified(frame) for frame in frames[:, place]]
            _save(self._path(picture), images, self._text(picture))

    def has(self, picture: PlannedPicture) -> bool:
        """Whether the picture's animation is there, made from this picture and in this way."""
        return _read_text(self._path(picture)) == self._text(picture)

    def is_finished(self) -> bool:
        return self._sheet.is_file()

    def finish(self, plan: Sequence[PlannedPicture], layout: SheetConfig) -> None:
        """The first pictures of each class on their way, side by side."""
        tiles = [picture.tile for picture in plan]
        shown = shown_places(tiles, _ON_SHEET)
        ways = [list(_frames(self._path(plan[place]))) for place in shown]
        length = max(map(len, ways))
        ways = [[*way, *[way[-1]] * (length - len(way))] for way in ways]
        tiles = [tiles[place] for place in shown]
        if not layout.columns:
            width = min(12, max(1, round(1.5 * len(tiles) ** 0.5)))
            layout = SheetConfig(style=layout.style, columns=width)
        moments = track(zip(*ways, strict=True), "sheet of the paths", length, "frames")
        images = [sheet_image(pictures, tiles, layout) for pictures in moments]
        _save(self._sheet, images, json.dumps(self.facts, sort_keys=True))

    @property
    def _sheet(self) -> Path:
        return self.folder / f"sheet.{self.config.kind}"

    def _path(self, picture: PlannedPicture) -> Path:
        return self.folder / f"{Path(picture.name).stem}.{self.config.kind}"

    def _text(self, picture: PlannedPicture) -> str:
        return json.dumps(metadata(picture, self._settings) | {"path": self.facts}, sort_keys=True)


def _magnified(frame: Pixels) -> Image.Image:
    """A frame (C, H, W) as RGB without smoothing; what is transparent is white."""
    image = picture_image(frame)
    if image.mode == "RGBA":
        ground = Image.new("RGBA", image.size, "white")
        image = Image.alpha_composite(ground, image)
    times = max(1, -(-_SIDE // image.height))
    size = (image.width * times, image.height * times)
    return image.convert("RGB").resize(size, Image.Resampling.NEAREST)


def _save(path: Path, images: Sequence[Image.Image], text: str) -> None:
    """An endless animation that rests on its last image; `text` goes into its metadata."""
    more: dict[str, Any] = {"comment": text.encode(), "optimize": False, "disposal": 1}
    times = _times(images)
    if path.suffix == ".webp":
        exif = Image.Exif()
        exif[_DESCRIPTION] = text
        more = {"lossless": True, "exif": exif}
    else:
        images = [_indexed(image) for image in images]
    with atomic_file.atomic_path(path) as partial:
        images[0].save(
            partial,
            path.suffix[1:].upper(),
            save_all=True,
            append_images=images[1:],
            duration=times,
            loop=0,
            **more,
        )


def _times(images: Sequence[Image.Image]) -> list[int]:
    """Milliseconds for each image: the more, the more it differs from the one before. Of many
    steps most only make the noise a little weaker."""
    seen = [np.asarray(_part(image), np.float32) for image in images]
    changes = np.array([np.abs(now - then).mean() for then, now in pairwise(seen)])
    shares = np.concatenate([[0.0], changes[:-1]]) / max(float(changes.sum()), 1e-6)
    times = np.clip(shares * _WAY_MS, _LEAST_MS, _MOST_MS)
    return [*(int(time) // 10 * 10 for time in times), _HOLD_MS]  # a GIF counts in hundredths


def _indexed(image: Image.Image) -> Image.Image:
    """Of 256 colours that suit this image, for a GIF."""
    palette = _part(image).quantize(256, method=Image.Quantize.MAXCOVERAGE, kmeans=1)
    return image.quantize(palette=palette, dither=Image.Dither.NONE)


def _part(image: Image.Image) -> Image.Image:
    """Some of the pixels of a large image, to measure it by."""
    share = min(1.0, _PART_SIDE / max(image.size))
    size = (max(1, round(image.width * share)), max(1, round(image.height * share)))
    return image.resize(size, Image.Resampling.NEAREST)


def _read_text(path: Path) -> str | None:
    """What `_save` wrote beside the images, or None when there is no such whole file."""
    try:
        with Image.open(path, formats=["GIF", "WEBP"]) as image:
            if image.format == "GIF":
                return bytes(image.info.get("comment", b"")).decode("utf-8", "replace")
            return str(image.getexif().get(_DESCRIPTION, ""))
    except (OSError, SyntaxError, ValueError):
        return None


def _frames(path: Path) -> Iterator[Pixels]:
    """The images of an animation as (3, H, W)."""
    with Image.open(path, formats=["GIF", "WEBP"]) as image:
        for number in range(getattr(image, "n_frames", 1)):
            image.seek(number)
            yield np.asarray(image.convert("RGB")).transpose(2, 0, 1)
