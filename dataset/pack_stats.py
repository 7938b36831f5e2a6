"""Numbers about the pictures of a pack: light, colour, sharpness, background, sizes, captions."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dataset.pack_keys import Keys, keys_of_pictures
from dataset.packed import PackedDataset, open_pack
from dataset.progress import Progress
from dataset.wording import seen

Reals = NDArray[np.float64]
_LUMA = np.array([0.299, 0.587, 0.114], np.float32)
_NEAR_BORDER = 10  # levels of 255 that a background may differ from the border's middle colour
_BLURRED = 100.0  # variance of the Laplacian of luma, levels squared; below it little is sharp
_BINS, _BAR = 10, 40
_CAPTION_EDGES = (0, 1, 10, 20, 40, 80, 160, 320, 640, 1280, 20_001)
_MOST_CLASSES = 40
_ROWS = 512


def statistics(packed: PackedDataset, sample: int = 20_000) -> dict[str, Any]:
    """Numbers about a pack, JSON-ready. What is measured of single pictures is measured of about
    `sample` rows that lie evenly (0: all); pixel duplicates are looked for among all rows.

    brightness: mean luma, 0..255. colourfulness: Hasler and Suesstrunk 2003, 0 grey to about 110.
    sharpness: variance of the Laplacian of luma. background: share of pixels within 10 levels of
    the median colour of the border.
    """
    stride = -(-len(packed) // sample) if sample else 1
    measured, keys = _measure(packed, max(stride, 1))
    _, repeats = np.unique(keys, return_counts=True)
    with open_pack(packed.path) as file:
        versions = np.diff(file["captions/offsets"][:])
    names = ["(no label)", *packed.label_names]
    classes = np.bincount(packed.labels + 1, minlength=len(names)).tolist()
    lengths = _caption_lengths(packed)
    return {
        "path": str(packed.path),
        "pictures": len(packed),
        "measured": len(measured["brightness"]),
        "channels": _channels(measured),
        "brightness": _distribution(measured["brightness"], 0, 255),
        "colourfulness": _distribution(measured["colourfulness"], 0, 120),
        "sharpness": _distribution(np.log10(measured["sharpness"] + 1), 0, 5),
        "blurred_share": _share(measured["sharpness"] < _BLURRED),
        "background": _distribution(measured["background"], 0, 1),
        "transparent_share": _mean(measured["transparent"]) if packed.channels == 4 else None,
        "original_sizes": _distribution(_longest_sides(packed), 0, None),
        "caption_lengths": _histogram(lengths, np.array(_CAPTION_EDGES)),
        "captions_per_picture": _mean(versions.astype(np.float64)),
        "pixel_duplicates": int((repeats - 1).sum()),
        "classes": {n: count for n, count in zip(names, classes, strict=True) if count},
    }


def _measure(packed: PackedDataset, stride: int) -> tuple[dict[str, Reals], Keys]:
    keys = np.zeros(len(packed), np.uint64)
    parts: dict[str, list[Reals]] = {
        name: []
        for name in (
            *("brightness", "colourfulness", "sharpness", "background", "transparent"),
            *("mean", "square"),
        )
    }
    with Progress("stats", len(packed), "pictures") as progress:
        for start, data in packed.blocks():
            keys[start : start + len(data)] = keys_of_pictures(data)
            chosen = data[-start % stride :: stride]
            for place in range(0, len(chosen), _ROWS):
                for name, values in measure_pictures(chosen[place : place + _ROWS]):
                    parts[name].append(values)
            progress.advance(len(data))
    empty = {"mean": (0, packed.channels), "square": (0, packed.channels)}
    return {
        name: np.concatenate(found) if found else np.zeros(empty.get(name, (0,)))
        for name, found in parts.items()
    }, keys


def measure_pictures(data: NDArray[np.uint8]) -> Iterator[tuple[str, Reals]]:
    """Name and values (n,) of each measure of pictures (n, C, H, W); `mean` and `square` (n, C)."""
    values = data.astype(np.float32)
    yield "mean", values.mean(axis=(2, 3), dtype=np.float64)
    yield "square", np.square(values).mean(axis=(2, 3), dtype=np.float64)
    colour = values[:, :3] if data.shape[1] >= 3 else np.repeat(values[:, :1], 3, axis=1)
    luma = np.tensordot(colour, _LUMA, axes=(1, 0))  # (n, H, W)
    yield "brightness", luma.mean(axis=(1, 2), dtype=np.float64)
    yield "colourfulness", _colourfulness(colour)
    edged = np.pad(luma, ((0, 0), (1, 1), (1, 1)), "edge")
    across = edged[:, 1:-1, :-2] + edged[:, 1:-1, 2:]
    laplacian = across + edged[:, :-2, 1:-1] + edged[:, 2:, 1:-1] - 4 * luma
    yield "sharpness", laplacian.var(axis=(1, 2), dtype=np.float64)
    border = np.concatenate(
        [colour[:, :, 0], colour[:, :, -1], colour[:, :, :, 0], colour[:, :, :, -1]], axis=2
    )
    middle = np.median(border, axis=2)[:, :, None, None]
    is_background = (np.abs(colour - middle) <= _NEAR_BORDER).all(axis=1)
    yield "background", is_background.mean(axis=(1, 2), dtype=np.float64)
    if data.shape[1] == 4:
        yield "transparent", (data[:, 3] == 0).mean(axis=(1, 2), dtype=np.float64)


def _colourfulness(colour: NDArray[np.float32]) -> Reals:
    """Hasler and Suesstrunk, "Measuring colourfulness in natural images", 2003."""
    red, green, blue = colour[:, 0], colour[:, 1], colour[:, 2]
    rg, yb = red - green, (red + green) / 2 - blue
    spread = np.hypot(_over(rg, np.std), _over(yb, np.std))
    distance = np.hypot(_over(rg, np.mean), _over(yb, np.mean))
    return np.asarray(spread + 0.3 * distance, np.float64)


def _over(axis: NDArray[Any], what: Callable[..., Any]) -> Reals:
    return np.asarray(what(axis, axis=(1, 2), dtype=np.float64))


def _channels(measured: dict[str, Reals]) -> list[dict[str, float]]:
    """Mean and deviation of each channel over the pictures that were measured, 0..1."""
    if not len(measured["mean"]):
        return []
    mean, square = measured["mean"].mean(axis=0), measured["square"].mean(axis=0)
    deviation = np.sqrt(np.maximum(square - mean**2, 0))
    return [
        {"mean": round(float(m) / 255, 4), "deviation": round(float(d) / 255, 4)}
        for m, d in zip(mean, deviation, strict=True)
    ]


def _longest_sides(packed: PackedDataset) -> Reals:
    sides = np.maximum(packed.column("original_width"), packed.column("original_height"))
    known: Reals = sides[sides > 0].astype(np.float64)
    return known


def _caption_lengths(packed: PackedDataset) -> Reals:
    """The letters of the best caption of each row."""
    step = 8192
    lengths = [
        len(text)
        for start in range(0, len(packed), step)
        for text in packed.texts("caption", start, start + step)
    ]
    return np.array(lengths, np.float64)


def _distribution(values: Reals, low: float, high: float | None) -> dict[str, Any]:
    """Mean, median and a histogram of ten bins from low to high; outliers count at the ends."""
    top = (float(values.max(initial=low)) if high is None else high) or 1.0
    edges = np.linspace(low, top, _BINS + 1)
    return {
        "mean": _mean(values),
        "median": round(float(np.median(values)), 4) if len(values) else None,
        **_histogram(np.clip(values, low, top), edges),
    }


def _histogram(values: Reals, edges: NDArray[Any]) -> dict[str, Any]:
    counts, _ = np.histogram(values, edges)
    return {"edges": [round(float(edge), 4) for edge in edges], "counts": counts.tolist()}


def _mean(values: Reals) -> float | None:
    return round(float(values.mean()), 4) if len(values) else None


def _share(of: NDArray[np.bool_]) -> float | None:
    return round(float(of.mean()), 4) if len(of) else None


def readable(found: dict[str, Any]) -> str:
    """The numbers as lines for a person, with a histogram of each."""
    channels = ", ".join(f"{c['mean']:.3f} ({c['deviation']:.3f})" for c in found["channels"])
    lines = [
        f"{found['path']}: {found['pictures']:,} pictures, {found['measured']:,} measured",
        f"channels, mean (deviation), 0..1   {channels}",
        f"exact duplicates  {found['pixel_duplicates']:,} pictures",
        f"blurred  {_percent(found['blurred_share'])} (Laplacian variance below {_BLURRED:.0f})",
        f"captions a picture  {found['captions_per_picture']}",
    ]
    if found["transparent_share"] is not None:
        lines.append(f"transparent  {_percent(found['transparent_share'])} of the pixels")
    titles = {
        "brightness": "brightness (mean luma, 0..255)",
        "colourfulness": "colourfulness (0 grey, 110 very colourful)",
        "sharpness": "sharpness (log10 of the Laplacian's variance)",
        "background": "share of background (0..1)",
        "original_sizes": "longest side of the original (px)",
        "caption_lengths": "letters of the best caption",
    }
    for key, title in titles.items():
        lines += ["", title, *_bars(found[key])]
    classes = list(found["classes"].items())
    lines += ["", "classes"]
    most = max((count for _, count in classes), default=1)
    lines += [_bar(seen(name)[:24], count, most) for name, count in classes[:_MOST_CLASSES]]
    if len(classes) > _MOST_CLASSES:
        lines.append(f"and {len(classes) - _MOST_CLASSES} more classes (--json names all)")
    return "\n".join(lines)


def _bars(part: dict[str, Any]) -> list[str]:
    edges, counts = part["edges"], part["counts"]
    most = max(max(counts, default=0), 1)
    return [
        _bar(f"{edges[place]:g} to {edges[place + 1]:g}", count, most)
        for place, count in enumerate(counts)
        if count
    ] or ["  none is known"]


def _bar(name: str, count: int, most: int) -> str:
    return f"  {name:<24}{count:>9,}  {'#' * round(_BAR * count / max(most, 1))}".rstrip()


def _percent(share: float | None) -> str:
    return "unknown" if share is None else f"{100 * share:.1f} %"
