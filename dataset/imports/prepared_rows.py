"""Pictures of a batch as rows of a pack, with the hash that tells which of them look alike."""

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from dataset.composite import composite
from dataset.errors import PictureError
from dataset.fingerprint import FLAT_CONTRAST, LUMA_SIDE
from dataset.imports.collection import Batch
from dataset.pack_selection import PackConfig
from dataset.phash import frequency_bits, many_frequency_words, reduced, words
from dataset.pixels import PixelLimits, Pixels, colour_image
from dataset.preparation import prepare_picture

_CHANNELS = {"grey": 1, "rgb": 3, "rgba": 4}
# A large JPEG is decoded smaller, but never below so many times the size it is brought to.
_DECODED_OVER_SIZE = 2.5
# Small pictures whose grey stays in the cache.
_AT_ONCE = 512


@dataclass(frozen=True)
class Looks:
    """Rows (n, C, size, size), pHashes (n,), 0 for a picture too flat to have one, own sizes
    (n, 2) as height and width, formats of files, "" of arrays; `places` (n,) in the batch of those
    that could be decoded."""

    rows: NDArray[np.uint8]
    phashes: NDArray[np.uint64]
    sizes: NDArray[np.int64]
    formats: list[str]
    places: NDArray[np.int64]


@dataclass(frozen=True)
class _Look:
    row: Pixels
    phash: int
    size: tuple[int, int]
    format: str


class Preparer:
    """Brings batches to the size of a pack; files are decoded in `workers` threads."""

    def __init__(self, config: PackConfig, limits: PixelLimits, workers: int) -> None:
        self._config, self._limits = config, limits
        self.shape = (_CHANNELS[config.channels], config.size, config.size)
        self._threads = ThreadPoolExecutor(workers, "prepare")

    def close(self) -> None:
        self._threads.shutdown(cancel_futures=True)

    def looks(self, batch: Batch, rejected: Callable[[str], None]) -> Looks:
        """A batch as rows; `rejected` is told the reason for every picture that is none."""
        block = batch.pixels
        if isinstance(block, np.ndarray) and not any(batch.contents) and self._fits(block):
            return self._whole(block)
        found: list[_Look] = []
        places: list[int] = []
        for place, look in enumerate(self._threads.map(self._of(batch), range(len(batch)))):
            if isinstance(look, str):
                rejected(look)
            else:
                found.append(look)
                places.append(place)
        rows = np.empty((len(found), *self.shape), np.uint8)
        for n, one in enumerate(found):
            rows[n] = one.row
        phashes = np.array([one.phash for one in found], np.uint64)
        sizes = np.array([one.size for one in found], np.int64).reshape(-1, 2)
        formats = [one.format for one in found]
        return Looks(rows, phashes, sizes, formats, np.array(places, np.int64))

    def _fits(self, block: Pixels) -> bool:
        """Whether arrays (n, H, W, C) need nothing but another order of their axes."""
        size, colours = self._config.size, block.shape[3]
        same = colours == self.shape[0] or (colours == 1 and self.shape[0] == 3)
        return block.shape[1:3] == (size, size) and same and self._config.sharpness == 1.0

    def _whole(self, block: Pixels) -> Looks:
        rows = np.ascontiguousarray(block.transpose(0, 3, 1, 2))
        sizes = np.tile(np.array(block.shape[1:3]), (len(block), 1))
        if rows.shape[1] != self.shape[0]:
            rows = np.repeat(rows, self.shape[0], axis=1)
        none = [""] * len(block)
        return Looks(rows, phashes_of(block), sizes, none, np.arange(len(block)))

    def _of(self, batch: Batch) -> Callable[[int], _Look | str]:
        def look(place: int) -> _Look | str:
            content = batch.contents[place] if batch.contents else b""
            try:
                if content or batch.pixels is None:
                    return self._of_file(content)
                return self._of_array(batch.pixels[place])
            except PictureError as error:
                return error.reason

        return look

    def _of_file(self, content: bytes) -> _Look:
        least = round(_DECODED_OVER_SIZE * self._config.size)
        image, size, kind = colour_image(
            content,
            limits=self._limits,
            least_side=None if self._config.linear_light else max(least, 2 * LUMA_SIDE),
        )
        return self._look(image, (size[1], size[0]), kind)

    def _of_array(self, pixels: Pixels) -> _Look:
        height, width, colours = pixels.shape
        picture = np.ascontiguousarray(pixels[:, :, 0] if colours == 1 else pixels)
        image = Image.fromarray(picture)
        return self._look(image if colours > 1 else image.convert("RGB"), (height, width), "")

    def _look(self, image: Image.Image, size: tuple[int, int], kind: str) -> _Look:
        square = prepare_picture(image, self._config, (size[1], size[0]))
        row = np.frombuffer(square.tobytes(), np.uint8).reshape(*self.shape[1:], self.shape[0])
        seen = image
        if image.mode == "RGBA":
            seen = Image.fromarray(composite(np.asarray(reduced(image)), self._config.background))
        grey = reduced(seen).convert("L")
        luma = np.asarray(grey.resize((LUMA_SIDE, LUMA_SIDE), Image.Resampling.LANCZOS))
        phash = 0 if luma.std() < FLAT_CONTRAST else int(words(frequency_bits(luma, 8))[0])
        return _Look(row.transpose(2, 0, 1), phash, size, kind)


def phashes_of(block: Pixels) -> NDArray[np.uint64]:
    """The pHashes (n,) of arrays (n, H, W, C) of small pictures, as `dataset.fingerprint` has
    them; 0 for those too flat to have one."""
    hashes = np.zeros(len(block), np.uint64)
    for start in range(0, len(block), _AT_ONCE):
        part = slice(start, start + _AT_ONCE)
        luma = luma_of(block[part])
        if luma.shape[1:] != (LUMA_SIDE, LUMA_SIDE):
            luma = np.stack(list(_resized(luma)))
        found = many_frequency_words(luma)
        found[luma.std(axis=(1, 2)) < FLAT_CONTRAST] = 0
        hashes[part] = found
    return hashes


def luma_of(block: Pixels) -> NDArray[np.uint8]:
    """Grey pictures (n, H, W) of (n, H, W, C), rounded as Pillow does; RGBA lies on white."""
    if block.shape[3] == 1:
        return np.ascontiguousarray(block[..., 0])
    red, green, blue = (block[..., channel].astype(np.uint32) for channel in range(3))
    # ITU-R BT.601 in fixed point of 16 bits.
    luma = (red * 19595 + green * 38470 + blue * 7471 + 0x8000) >> 16
    if block.shape[3] == 4:
        alpha = block[..., 3].astype(np.uint32)
        luma = (luma * alpha + 255 * (255 - alpha) + 127) // 255
    return luma.astype(np.uint8)


def _resized(luma: NDArray[np.uint8]) -> Iterable[NDArray[np.uint8]]:
    for picture in luma:
        grey = reduced(Image.fromarray(picture))
        yield np.asarray(grey.resize((LUMA_SIDE, LUMA_SIDE), Image.Resampling.LANCZOS))
