"""What a sample and an original differ in, once the original is laid onto it as it matched."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dataset.pixels import Pixels
from sample.alignment import Alignment, seen_through
from sample.views import View

_PER_CENT = "\N{NO-BREAK SPACE}%"
# The gain that may be between a copy and its original; beyond it they are not matched but bent.
_GAINS = (0.4, 2.5)
# Colours of the difference picture by levels apart (0..255); the scale is the same for all pictures
# of all reports, so that they compare.
_LEVELS = (0.0, 16.0, 48.0, 96.0, 160.0)
_COLOURS = ((15, 17, 26), (66, 32, 110), (196, 58, 84), (255, 188, 92), (255, 250, 228))


@dataclass(frozen=True)
class Difference:
    """A sample and an original compared pixel by pixel.

    `aligned` is the original as the sample shows it, `picture` the difference that is left when
    the colours are matched, dark where there is none; both (H, W, 3) uint8. `levels` is the root
    mean square between sample and `aligned`, `matched` the same after the colours are matched.
    """

    aligned: Pixels
    picture: Pixels
    levels: float
    matched: float


def difference(sample: Pixels, original: Pixels, alignment: Alignment) -> Difference:
    """Compare two (H, W, 3) uint8 pictures of one size."""
    aligned = seen_through(original, alignment)
    apart = sample.astype(np.float64) - aligned
    left = sample.astype(np.float64) - _matched(aligned.astype(np.float64), sample)
    levels, matched = _root_mean_square(apart), _root_mean_square(left)
    if matched > levels:  # the bounds of the gain can make it so
        left, matched = apart, levels
    return Difference(aligned, _coloured(np.sqrt(np.square(left).mean(axis=2))), levels, matched)


def alignment_told(neighbour: Mapping[str, Any]) -> Alignment:
    """The alignment of a neighbour in novelty.json; without one, as the picture is, or mirrored."""
    told = neighbour.get("alignment")
    name, distance = str(neighbour.get("view", "")), float(neighbour.get("distance", 0.0))
    if not told:
        mirrored = bool(neighbour.get("mirrored", name.startswith("mirrored")))
        return Alignment(View(name=name), mirrored, distance)
    moves = {key: float(told[key]) for key in ("zoom", "right", "down", "degrees")}
    return Alignment(View(name=name, **moves), bool(told["mirrored"]), distance)


def alignment_words(alignment: Alignment, side: int) -> str:
    """How the original lies on a sample `side` pixels wide, such as "mirrored, 2 px left"."""
    view = alignment.view
    words = ["mirrored"] if alignment.mirrored else []
    across, along = -view.right * side / 2, -view.down * side / 2  # of the drawing, in pixels
    if view.zoom < 0.97:
        place = _corner(view.right / (1 - view.zoom), view.down / (1 - view.zoom))
        words.append(f"cropped to {100 * view.zoom:.0f}{_PER_CENT}, {place}")
    else:
        if view.zoom > 1.03:
            words.append(f"shrunk to {100 / view.zoom:.0f}{_PER_CENT}")
        moves = [
            f"{abs(pixels):.0f} px {names[pixels > 0]}"
            for pixels, names in ((along, ("up", "down")), (across, ("left", "right")))
            if abs(pixels) >= 0.5
        ]
        words += ["shifted " + " and ".join(moves)] if moves else []
    if abs(view.degrees) >= 1:
        words.append(f"turned {abs(view.degrees):.0f}°")
    return ", ".join(words) or "as it is"


def _corner(right: float, down: float) -> str:
    """The place of a window in words; -1 and 1 are the edges."""
    rows = "top" if down < -1 / 3 else "bottom" if down > 1 / 3 else ""
    columns = "left" if right < -1 / 3 else "right" if right > 1 / 3 else ""
    return " ".join(filter(None, (rows, columns))) or "middle"


def _matched(original: NDArray[np.float64], sample: Pixels) -> NDArray[np.float64]:
    """The original with the gain and bias of each channel that bring it nearest to the sample."""
    seen, wanted = original.reshape(-1, 3), sample.reshape(-1, 3).astype(np.float64)
    centre, target = seen.mean(axis=0), wanted.mean(axis=0)
    spread = np.square(seen - centre).mean(axis=0)
    together = ((seen - centre) * (wanted - target)).mean(axis=0)
    gain = np.where(spread > 1e-9, np.clip(together / np.maximum(spread, 1e-9), *_GAINS), 1.0)
    return np.asarray((original - centre) * gain + target)


def _root_mean_square(values: NDArray[np.float64]) -> float:
    return float(np.sqrt(np.square(values).mean()))


def _coloured(levels: NDArray[np.float64]) -> Pixels:
    """(H, W) levels apart as colours, (H, W, 3)."""
    channels = [np.interp(levels, _LEVELS, channel) for channel in zip(*_COLOURS, strict=True)]
    return np.rint(np.stack(channels, axis=-1)).astype(np.uint8)
