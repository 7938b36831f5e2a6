"""Quality scores: precision and recall of every issue on labelled pictures, and their cost.

Cuts were set on the first half of the pictures and are measured on the second; how the scores
work was found by looking at both. PEDIGREE_PHOTOS, PEDIGREE_LOGOS and PEDIGREE_ANIMALS name the
tars; what is not there is skipped.
"""

import math
import zlib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image

from dataset.phash import reduced
from dataset.pixels import PixelLimits, rasterise
from dataset.quality import PRESETS, Rule, issues_of, quality_scores
from tests.bench import labelled_quality as labelled
from tests.bench.labelled_quality import Maker, Original
from tests.bench.stopwatch import race, show

Scores = Mapping[str, float]
Writer = Callable[[Image.Image, np.random.Generator], bytes]

# As large pictures are decoded when they are taken in; strips and small ones are let through.
_LEAST_SIDE = 512
_LIMITS = PixelLimits(max_aspect=40, min_side=1)
# Changed versions of every photograph, with the defect and without.
_ROUNDS = 3
_DEFECTS: dict[str, Maker] = {
    "blur": labelled.blurred,
    "dark": labelled.darkened,
    "bright": labelled.over_exposed,
    "low-information": labelled.emptied,
    "odd-aspect": labelled.strip,
    "too-small": labelled.shrunk,
    "text-heavy": labelled.page_of_text,
    "watermark": labelled.watermarked,
    "border": labelled.bordered,
    "upscaled": labelled.upscaled,
}
_LOGO_DEFECTS = ("blur", "dark", "low-information", "border", "upscaled")


@dataclass(frozen=True)
class Sample:
    """A picture's name and scores; `is_for_tuning` tells the half that cuts may be chosen on."""

    name: str
    is_for_tuning: bool
    scores: Scores


def run() -> None:
    photographs, logos, animals = labelled.photographs(), labelled.logos(), labelled.animals()
    if photographs:
        _photographs(photographs, animals)
        _speed(photographs)
    else:
        print("photographs: skipped, PEDIGREE_PHOTOS names no tar")
    if logos:
        _logos(logos)
    else:
        print("logos: skipped, PEDIGREE_LOGOS names no tar")
    if animals:
        _small_ones(animals)
    else:
        print("pictures of 32x32: skipped, PEDIGREE_ANIMALS names no tar")


def measured(content: bytes) -> Scores:
    raster = rasterise(content, limits=_LIMITS, least_side=_LEAST_SIDE)
    return quality_scores(raster, reduced(raster.image), len(content))


def wilson(hits: int, count: int) -> tuple[float, float]:
    """The 95 % interval of a share (Wilson 1927)."""
    if count == 0:
        return 0.0, 1.0
    z, share = 1.959964, hits / count
    middle = (share + z * z / (2 * count)) / (1 + z * z / count)
    half = z / (1 + z * z / count)
    half *= math.sqrt(share * (1 - share) / count + z * z / (4 * count * count))
    return middle - half, middle + half


def chance_for(*parts: object) -> np.random.Generator:
    return np.random.default_rng(zlib.crc32(repr(parts).encode()))


def photograph_samples(
    photographs: Sequence[Original], animals: Sequence[Original]
) -> tuple[list[Sample], dict[str, list[Sample]]]:
    """Pictures without a defect (untouched and harmlessly changed), and by issue those with one."""
    clean = [Sample(o.name, o.is_for_tuning, measured(o.content)) for o in photographs]
    clean += _made(photographs, "", labelled.harmless, labelled.jpeg, rounds=_ROUNDS)
    marred = {
        issue: _made(photographs, issue, maker, labelled.jpeg, rounds=_ROUNDS)
        for issue, maker in _DEFECTS.items()
    }
    marred["collage"] = [*_sheets(photographs, labelled.collage_of, "photos")]
    if animals:
        marred["collage (32x32)"] = [*_sheets(animals, labelled.sheet_of_small, "animals")]
    return clean, marred


def _made(
    originals: Sequence[Original], issue: str, maker: Maker, writer: Writer, rounds: int = 1
) -> list[Sample]:
    found = []
    for original in originals:
        image = labelled.on_white(original.image)
        for turn in range(rounds):
            chance = chance_for(issue, original.name, turn)
            picture = image
            if issue and turn % 2 and min(image.size) > 120:  # of other sizes as well
                picture = labelled.harmless(image, chance)
            content = writer(maker(picture, chance), chance)
            found.append(Sample(original.name, original.is_for_tuning, measured(content)))
    return found


def _sheets(
    originals: Sequence[Original],
    maker: Callable[[list[Image.Image], np.random.Generator], Image.Image],
    title: str,
) -> Iterator[Sample]:
    """Collages of the pictures of one half at a time."""
    for is_for_tuning in (True, False):
        images = [
            labelled.on_white(original.image)
            for original in originals
            if original.is_for_tuning == is_for_tuning
        ]
        for turn in range(170):
            chance = chance_for(title, is_for_tuning, turn)
            content = labelled.jpeg(maker(images, chance), chance)
            yield Sample(f"{title} {turn}", is_for_tuning, measured(content))


def _photographs(photographs: Sequence[Original], animals: Sequence[Original]) -> None:
    clean, marred = photograph_samples(photographs, animals)
    print("\nphotographs of the second half; precision as if half of them had the defect")
    _print_head()
    for rule in PRESETS["photo"]:
        for issue in (rule.issue, f"{rule.issue} (32x32)"):
            if issue in marred:
                born = labelled.BORN_WITH.get(rule.issue, set())
                without = [sample for sample in clean if sample.name not in born]
                _print_row(issue, rule, marred[issue], without)
    kinds = Counter(
        issue.name
        for sample in clean
        for issue in issues_of(sample.scores, PRESETS["photo"])
        if sample.name not in labelled.BORN_WITH.get(issue.name, set())
    )
    print(f"  issues of {len(clean)} pictures without a defect: {dict(kinds)}")


def logo_samples(logos: Sequence[Original]) -> tuple[list[Sample], dict[str, list[Sample]]]:
    """The logos as they are, and by issue some of them with a defect; names for text-heavy."""
    clean = [Sample(o.name, o.is_for_tuning, measured(o.content)) for o in logos]
    some = [logo for logo in logos if min(logo.image.size) >= 64][::4]
    marred = {issue: _made(some, issue, _DEFECTS[issue], labelled.png) for issue in _LOGO_DEFECTS}
    words = {logo.name for logo in logos if logo.variant == "wordmark"}
    marred["text-heavy"] = [sample for sample in clean if sample.name in words]
    return clean, marred


def _logos(logos: Sequence[Original]) -> None:
    clean, marred = logo_samples(logos)
    icons = {logo.name for logo in logos if logo.variant == "icon"}
    print("\nlogos of the second half; precision as if half of them had the defect")
    _print_head()
    for rule in PRESETS["logo"]:
        if rule.issue in marred:
            only_icons = rule.issue == "text-heavy"
            without = [s for s in clean if s.name in icons or not only_icons]
            _print_row(rule.issue, rule, marred[rule.issue], without)
    kinds = Counter(issue.name for s in clean for issue in issues_of(s.scores, PRESETS["logo"]))
    print(f"  issues of {len(clean)} logos as they are: {dict(kinds)}")
    found = [
        s.name for s in clean if "collage" in {i.name for i in issues_of(s.scores, PRESETS["logo"])}
    ]
    print(f"  called collages: {found}")


def _print_head() -> None:
    print(f"  {'issue':<18} {'cut':<22} {'precision':<26} {'recall':<26} with/without")


def _print_row(issue: str, rule: Rule, marred: Sequence[Sample], clean: Sequence[Sample]) -> None:
    """One line; false alarms are weighed as if there were as many pictures without as with."""
    with_it = [s for s in marred if not s.is_for_tuning]
    without = [s for s in clean if not s.is_for_tuning]
    caught = sum(_is_flagged(rule, sample) for sample in with_it)
    alarms = sum(_is_flagged(rule, sample) for sample in without)
    weighed = alarms * len(with_it) / max(1, len(without))
    precision = caught / (caught + weighed) if caught else 0.0
    low, high = wilson(round(precision * (caught + alarms)), caught + alarms)
    least, most = wilson(caught, len(with_it))
    sign = "<" if rule.bad == "low" else ">"
    print(
        f"  {issue:<18} {f'{rule.measure} {sign} {rule.cut:g}':<22} "
        f"{f'{precision:.3f} ({low:.3f} to {high:.3f})':<26} "
        f"{f'{caught / len(with_it):.3f} ({least:.3f} to {most:.3f})':<26} "
        f"{len(with_it)}/{len(without)}, {alarms} false"
    )


def _is_flagged(rule: Rule, sample: Sample) -> bool:
    return rule.measure in sample.scores and rule.is_met(sample.scores[rule.measure])


def _small_ones(animals: Sequence[Original]) -> None:
    some = animals[::10]
    kinds = Counter(
        issue.name for o in some for issue in issues_of(measured(o.content), PRESETS["photo"])
    )
    print(f"\npictures of 32x32, {len(some)} as they are: {dict(kinds)}")


def _speed(photographs: Sequence[Original]) -> None:
    contents = [o.content for o in photographs if max(o.image.size) == 500]
    rasters = [rasterise(content) for content in contents]
    smalls = [reduced(raster.image) for raster in rasters]
    every = list(zip(rasters, smalls, contents, strict=True))
    contestants = {
        "Pillow: reduce to 144 pixels": lambda: [reduced(r.image) for r in rasters],
        "all quality scores": lambda: [quality_scores(r, s, len(c)) for r, s, c in every],
    }
    results = race(contestants, len(every))
    show("photographs of 500 pixels, decoded", "pictures", results)
    for result in results:
        print(f"  {result.name:<44} {1000 / result.per_second:>14.2f} ms")
