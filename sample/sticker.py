"""One sticker: a picture without its ground, enlarged, as pixels of any size and as paths."""

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from PIL import Image

from dataset.drawings import SIDE
from dataset.pixels import Pixels
from sample.background import NoGroundError, cut_out, find_ground
from sample.flat_art import FlatArt, flat_art
from sample.tracing import Redrawing, difference, traced
from train.checked import require

GroundChoice = Literal["auto", "keep", "holes"]
Enlargement = Literal["auto", "flat", "lanczos"]

_WORKED_AT = 1024  # pixels of the longer side that everything else is made from
_SMALL_ICON = 64  # pixels a side
_MOST_SIDE = 512  # a larger picture is made smaller first
_SOLID = 128  # alpha from which a pixel is there, where it must be there or not
_SEEN_AT_ALL = [255 if alpha >= 32 else 0 for alpha in range(256)]
_THERE = [255 if alpha >= _SOLID else 0 for alpha in range(256)]
# Flat art is preferred where, made small again, it is near enough to the picture, in root mean
# square levels. A picture with a flat ground is a drawing, however fine its lettering; it may be a
# little farther if next to no pixels (a share) differ visibly. One without may be shaded.
_SHADED_RMS, _DRAWING_RMS, _FARTHER = 5.0, 12.0, (17.0, 0.05)
# Edges are softened by this share of a pixel, unless that loses thin lines: a difference so much
# greater than without it, where it is seen at all.
_SOFTNESS, _SEEN, _LOST = 0.4, 0.02, 1.15


@dataclass(frozen=True, kw_only=True)
class StickerConfig:
    """How a sticker is made."""

    sizes: tuple[int, ...] = (512, 256, 128, 64)  # of the PNGs, pixels a side
    ground: GroundChoice = "auto"  # removed where it is flat; holes: also where it is enclosed
    enlarge: Enlargement = "auto"  # flat: in few colours with sharp edges, where that fits
    margin: float = 0.04  # of the side, around what is drawn
    outline: int = 0  # width of a white edge around the drawing, in pixels of 512
    svg: bool = True
    icons: bool = True

    def __post_init__(self) -> None:
        for name, known in (("ground", get_args(GroundChoice)), ("enlarge", get_args(Enlargement))):
            given = getattr(self, name)
            require(given in known, name, given, f"one of {', '.join(known)}")
        fit = bool(self.sizes) and all(16 <= size <= 1024 for size in self.sizes)
        require(fit, "sizes", self.sizes, "one or more, each from 16 to 1024")
        require(0.0 <= self.margin <= 0.4, "margin", self.margin, "from 0 to 0.4")
        require(0 <= self.outline <= 64, "outline", self.outline, "from 0 to 64")


@dataclass(frozen=True)
class Sticker:
    """`drawing` is RGBA, cut to what is drawn, its longer side of 1024 px.

    `kept` says why the ground was kept (empty: it was removed), `flat` whether it was enlarged as
    flat art of so many `colours`, `rms` how far that is, made small again, from the picture
    (levels).
    """

    drawing: Image.Image
    flat_drawing: Image.Image  # as flat art, whether that fits or not
    config: StickerConfig
    kept: str
    flat: bool
    colours: int
    rms: float

    def picture(self, side: int) -> Image.Image:
        """The sticker (side, side), RGBA; supersampled."""
        if not self.config.outline:
            return fitted(self.drawing, side, self._share)
        large = fitted(self.drawing, SIDE, self._share)
        large = outlined(large, self.config.outline)
        if side > SIDE:  # the edge is enlarged, the drawing is not
            edge = large.resize((side, side), Image.Resampling.LANCZOS)
            return Image.alpha_composite(edge, fitted(self.drawing, side, self._share))
        return large.resize((side, side), Image.Resampling.LANCZOS)

    def redrawing(self, title: str) -> Redrawing | None:
        """The sticker as paths: of flat areas, or of shades where that comes nearer to it; None
        where it is too intricate for either."""
        original = np.asarray(self.picture(SIDE))
        flat = traced(self._solid(self.flat_drawing, smooth=False), original, title, flat=True)
        if self.flat:
            return flat
        shaded = traced(self._solid(self.drawing, smooth=True), original, title, flat=False)
        made = [one for one in (flat, shaded) if one is not None]
        return min(made, key=lambda one: one.rms, default=None)

    def _solid(self, drawing: Image.Image, *, smooth: bool) -> Pixels:
        """The sticker of 512 px with every pixel opaque or not there at all."""
        square = fitted(drawing, SIDE, self._share, smooth=smooth)
        square.putalpha(square.getchannel("A").point(_THERE))
        if self.config.outline:
            square = outlined(square, self.config.outline)
            square.putalpha(square.getchannel("A").point(_THERE))
        return np.asarray(square)

    @property
    def _share(self) -> float:
        """Of the side that the drawing takes; a ground that was kept goes to the border."""
        if self.kept:
            return 1.0
        return 1.0 - 2.0 * max(self.config.margin, self.config.outline / SIDE)


def make_sticker(picture: Image.Image, config: StickerConfig) -> Sticker:
    """A sticker of an RGBA picture of any size."""
    if max(picture.size) > _MOST_SIDE:
        picture = picture.copy()
        picture.thumbnail((_MOST_SIDE, _MOST_SIDE), Image.Resampling.LANCZOS)
    cut, kept = _without_ground(np.array(picture.convert("RGBA")), config)
    cut = _cropped(cut)
    times = -(-_WORKED_AT // max(cut.shape[:2]))
    art = flat_art(cut)
    hard, rms, off = _enlarged(art, cut, times)
    fine = rms <= _DRAWING_RMS or (rms <= _FARTHER[0] and off <= _FARTHER[1])
    fits = rms <= _SHADED_RMS if kept else fine
    flat = config.enlarge == "flat" or (config.enlarge == "auto" and fits)
    drawing = hard
    if not flat:
        drawing = Image.fromarray(cut).resize(hard.size, Image.Resampling.LANCZOS)
    box = drawing.getchannel("A").point(_SEEN_AT_ALL).getbbox()
    about = config, kept, flat, len(art.colours), rms
    return Sticker(drawing.crop(box), hard.crop(box), *about)


def _enlarged(art: FlatArt, cut: Pixels, times: int) -> tuple[Image.Image, float, float]:
    """Flat art enlarged, and how far that is from the drawing that it is of, `cut` (H, W, 4): root
    mean square levels, and share of pixels that differ visibly."""

    def tried(softness: float) -> tuple[Image.Image, float, float]:
        large = Image.fromarray(art.enlarged(times, softness=softness))
        small = large.resize((cut.shape[1], cut.shape[0]), Image.Resampling.BOX)
        return large, *difference(np.asarray(small), cut)

    soft = tried(_SOFTNESS)
    if soft[2] <= _SEEN:
        return soft
    sharp = tried(0.0)
    return sharp if soft[1] > _LOST * sharp[1] else soft


def fitted(
    drawing: Image.Image,
    side: int,
    share: float = 1.0,
    ground: tuple[int, int, int] | None = None,
    *,
    smooth: bool = True,
) -> Image.Image:
    """The drawing in the middle of a square, its longer side a `share` of that of the square; RGBA
    on transparency, or RGB on a `ground`."""
    scale = side * share / max(drawing.size)
    size = (max(1, round(drawing.width * scale)), max(1, round(drawing.height * scale)))
    # Of flat areas Lanczos leaves a shimmer along the edges, which is too small to be seen only
    # where it makes small icons crisper.
    way = Image.Resampling.LANCZOS if side <= _SMALL_ICON else Image.Resampling.HAMMING
    resized = drawing.resize(size, way if smooth else Image.Resampling.NEAREST)
    square = Image.new("RGBA", (side, side), (0, 0, 0, 0) if ground is None else (*ground, 255))
    place = ((side - size[0]) // 2, (side - size[1]) // 2)
    square.alpha_composite(resized, place)
    return square if ground is None else square.convert("RGB")


def outlined(picture: Image.Image, width: int) -> Image.Image:
    """An RGBA picture on a white edge that follows it at a distance of `width` pixels."""
    alpha = np.asarray(picture.getchannel("A"))
    padded, grown = np.pad(alpha, width), alpha.copy()
    height, across = alpha.shape
    for radius in range(width, 0, -max(1, width // 3)):
        for angle in np.arange(0.0, 2.0 * np.pi, 1.0 / radius):
            down, right = round(radius * np.sin(angle)), round(radius * np.cos(angle))
            moved = padded[width + down :, width + right :][:height, :across]
            np.maximum(grown, moved, out=grown)
    edge = np.dstack([np.full((*alpha.shape, 3), 255, np.uint8), grown])
    return Image.alpha_composite(Image.fromarray(edge), picture)


def _without_ground(picture: Pixels, config: StickerConfig) -> tuple[Pixels, str]:
    """(H, W, 4) without its ground, and why that was kept, if it was."""
    if (picture[..., 3] < _SOLID).any():  # drawn with transparency, or cut out before
        return picture, ""
    if config.ground == "keep":
        return picture, "as was asked"
    try:
        ground = find_ground(picture[..., :3], holes=config.ground == "holes")
    except NoGroundError as error:
        return picture, str(error)
    return cut_out(picture[..., :3], ground), ""


def _cropped(picture: Pixels) -> Pixels:
    """(H, W, 4) cut to what is drawn, and a pixel around it where there is one."""
    rows, columns = (np.flatnonzero(picture[..., 3].any(axis=axis)) for axis in (1, 0))
    if len(rows) == 0:
        return picture
    top, left = max(0, rows[0] - 1), max(0, columns[0] - 1)
    return picture[top : rows[-1] + 2, left : columns[-1] + 2]
