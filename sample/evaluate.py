"""The evaluation: how like real pictures are drawn ones, in figures that can be trusted.

Sets of equal size, each figure with its interval, and beside it what real pictures get when they
are compared with real ones. Artefacts: evaluation.png, and evaluation.json (last).
"""

import logging
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import PIL
import torch

from dataset import atomic_file
from dataset.config import to_mapping
from dataset.errors import ConfigError, DataError, WorldError
from dataset.packed import PackedDataset
from dataset.pixels import Pixels
from dataset.progress import Progress
from sample.clip_score import clip_score
from sample.compared_sets import PictureSet, Source, open_set
from sample.embed import Vectors
from sample.encoders import Encoder, Space, open_encoder
from sample.encoders_hub import Clip
from sample.figures_of_merit import METRICS, Comparison, compare, title_of
from sample.fitting import FILTER
from sample.inception import Inception
from sample.picture_captions import check_template, filled
from sample.plotting import plot_evaluation
from sample.real_pictures import SIDES, RealPictures, Side, choose_real, most_comparable
from sample.resampling import Figure, resampled
from sample.vector_cache import VectorCache
from train.checked import require
from train.device import find_device

log = logging.getLogger(__name__)

SCHEMA = "evaluation/1"
RECORD, PLOT, VECTORS = "evaluation.json", "evaluation.png", "vectors"
_LEAST = 6  # pictures of a set
_DIGITS = 9


@dataclass(frozen=True, kw_only=True)
class EvaluateConfig:
    """What is compared by which figures, in which spaces, of how many pictures."""

    spaces: tuple[str, ...] = ("outline",)
    metrics: tuple[str, ...] = METRICS
    against: Side = "train"  # the reference; held-out: pictures that no model has learnt from
    labels: tuple[str, ...] = ()  # classes that are compared, drawn and real; empty: all
    count: int = 500  # pictures of each set at most; the smallest set decides
    replicates: int = 100  # of the bootstrap
    caption_as: str = ""  # such as "a photo of a {label}"; empty: captions as they are
    seed: int = 0

    def __post_init__(self) -> None:
        for space in self.spaces:
            Space.of(space)
        require(bool(self.spaces), "spaces", self.spaces, "at least one")
        require(bool(self.metrics), "metrics", self.metrics, "at least one")
        for metric in self.metrics:
            require(metric in METRICS, "metrics", metric, f"of {', '.join(METRICS)}")
        require(self.against in SIDES, "against", self.against, " or ".join(SIDES))
        require(self.count >= _LEAST, "count", self.count, f"{_LEAST} or more")
        require(self.replicates >= 2, "replicates", self.replicates, "2 or more")
        require(self.seed >= 0, "seed", self.seed, "0 or more")
        check_template(self.caption_as)
        if self.metrics == ("clip",) and not any(s.startswith("clip=") for s in self.spaces):
            raise ConfigError("the CLIP score needs the space of a CLIP; add --space clip=MODEL")


@dataclass(frozen=True)
class Evaluation:
    """What evaluation.json holds, and where it lies."""

    folder: Path
    record: dict[str, Any]

    @property
    def plot(self) -> Path:
        return self.folder / PLOT


@dataclass(frozen=True)
class _Row:
    """One line of the table: pictures (n, H, W, 3), their captions, and the reference's size."""

    name: str
    is_real: bool
    pictures: Pixels
    captions: list[str]
    facts: dict[str, Any]


def evaluate(
    sources: Sequence[Source],
    pack_path: Path,
    config: EvaluateConfig,
    folder: Path,
    *,
    device: str = "auto",
    online: bool = False,
) -> Evaluation:
    """Compare each source with the pack's pictures, and write the evaluation into `folder`.

    Raises ConfigError for what cannot be opened, DataError for sets too small for any figure that
    was asked for.
    """
    pack = PackedDataset(pack_path)
    comparable(pack, config)  # before anything that takes long
    encoders = [open_encoder(space, pack, device=device, online=online) for space in config.spaces]
    sets = [open_set(source, pack, config.caption_as, config.labels) for source in sources]
    count = _equal_count(pack, config, sets)
    real = choose_real(pack, config.against, count, config.seed, config.labels)
    rows = [*_real_rows(real, config), *(_drawn_row(one, count, config.seed) for one in sets)]
    reference = real.pictures(real.reference)
    cache = VectorCache(folder / VECTORS, find_device(device).type)
    found = [
        _compared(encoder, reference, rows, config, cache, real.reference_words)
        for encoder in encoders
    ]
    _check_any(config, found)
    record = {
        "schema": SCHEMA,
        "config": to_mapping(config),
        "n": count,
        "reference": real.reference_words,
        "pack": _pack_facts(pack),
        "made_with": _made_with(find_device(device).type),
        "spaces": [_space_facts(*one) for one in zip(config.spaces, encoders, found, strict=True)],
        "sets": [_row_facts(row, config.spaces, found, place) for place, row in enumerate(rows)],
    }
    _plot(record, folder / PLOT)
    atomic_file.write_json(folder / RECORD, record)
    return Evaluation(folder, record)


def _plot(record: dict[str, Any], path: Path) -> None:
    """Without matplotlib the figures are kept all the same, and no older plot beside them."""
    try:
        plot_evaluation(record, path)
    except WorldError as error:
        log.warning("no plot: %s", error)
        path.unlink(missing_ok=True)


def comparable(pack: PackedDataset, config: EvaluateConfig) -> int:
    """How many pictures of a set can be compared at most: more need not be drawn.

    Raises DataError for a pack with too few, ConfigError for a class that it does not have.
    """
    most = most_comparable(pack, config.against, config.labels)
    if most < _LEAST:
        raise DataError(
            f"pack {pack.path} has too few {config.against} pictures to compare with"
            f"{' of ' + ', '.join(config.labels) if config.labels else ''}; it takes {2 * _LEAST},"
            " half of them to compare real with real"
        )
    return min(config.count, most)


def _equal_count(pack: PackedDataset, config: EvaluateConfig, sets: Sequence[PictureSet]) -> int:
    """How many pictures of each set are compared; says what sets the limit."""
    limits = {one.name: len(one.pictures) for one in sets}
    limits[f"half of the {config.against} pictures"] = most_comparable(
        pack, config.against, config.labels
    )
    name = min(limits, key=lambda key: limits[key])
    count = min(config.count, limits[name])
    if count < _LEAST:
        raise DataError(
            f"{name} has {limits[name]} pictures, too few to compare; it takes {_LEAST}"
        )
    if count < config.count:
        log.warning("%d pictures of each set are compared: there are no more in %s", count, name)
    return count


def _real_rows(real: RealPictures, config: EvaluateConfig) -> list[_Row]:
    chosen = [(real.others_words, real.others), (real.across_words, real.across)]
    rows = []
    for name, numbers in chosen:
        if len(numbers) < _LEAST:
            continue
        template = config.caption_as
        said = real.captions(numbers)
        if template:
            said = [filled(template, label) for label in real.labels(numbers)]
        rows.append(_Row(name, True, real.pictures(numbers), said, {}))
    return rows


def _drawn_row(one: PictureSet, count: int, seed: int) -> _Row:
    """`count` of its pictures, at random: they mostly lie sorted by class."""
    random = np.random.default_rng([seed, 2])
    chosen = np.sort(random.permutation(len(one.pictures))[:count])
    facts = {**one.facts, "available": len(one.pictures)}
    return _Row(one.name, False, one.pictures[chosen], [one.captions[i] for i in chosen], facts)


def _compared(
    encoder: Encoder,
    reference: Pixels,
    rows: Sequence[_Row],
    config: EvaluateConfig,
    cache: VectorCache,
    words: str,
) -> list[Comparison]:
    """The figures of every row in one space; smaller sets meet as small a part of the reference."""
    known = cache.vectors(encoder, reference, f"encoding {words}")
    drawn = [cache.vectors(encoder, row.pictures, f"encoding {row.name}") for row in rows]
    found = []
    with Progress(f"comparing in {encoder.name}", len(rows), "sets") as progress:
        for row, vectors in zip(rows, drawn, strict=True):
            comparison = compare(
                known[: len(vectors)],
                vectors,
                config.metrics,
                published=_is_published(encoder),
                replicates=config.replicates,
                seed=config.seed,
            )
            if "clip" in config.metrics and isinstance(encoder, Clip):
                _add_clip(comparison, encoder, row, vectors, config)
            found.append(comparison)
            progress.advance(1, row.name)
    return found


def _add_clip(
    comparison: Comparison, encoder: Clip, row: _Row, vectors: Vectors, config: EvaluateConfig
) -> None:
    counts = resampled(len(vectors), config.replicates, config.seed, 1)
    score = clip_score(encoder, vectors, row.captions, counts, config.seed)
    if score is None:
        comparison.refused["clip"] = (
            "the CLIP score needs captions: in the manifest, in metadata.jsonl, or of the classes"
            ' with --set caption_as="a photo of a {label}"'
        )
        return
    comparison.figures["clip"] = score.own
    if score.shuffled is not None:
        comparison.figures["clip_shuffled"] = score.shuffled


def _check_any(config: EvaluateConfig, found: Sequence[Sequence[Comparison]]) -> None:
    """Raise DataError when no drawn set got any figure, with the first reason."""
    if any(one.figures for of_space in found for one in of_space):
        return
    reasons = [reason for of_space in found for one in of_space for reason in one.refused.values()]
    raise DataError(reasons[0] if reasons else f"no figure of {', '.join(config.metrics)} applies")


def _pack_facts(pack: PackedDataset) -> dict[str, Any]:
    counts = {split: len(pack.rows(split)) for split in ("train", "cal", "test")}
    return {"path": str(pack.path), "content_hash": pack.content_hash, **counts}


def _made_with(device: str) -> dict[str, str]:
    """What else the last bits may depend on."""
    versions = {"torch": torch.__version__, "numpy": np.__version__, "pillow": PIL.__version__}
    return {**versions, "resized_by": FILTER, "device": device}


def _space_facts(space: str, encoder: Encoder, comparisons: Sequence[Comparison]) -> dict[str, Any]:
    shown = {metric for one in comparisons for metric in one.figures}
    refused: dict[str, str] = {}
    for one in comparisons:
        refused |= {metric: why for metric, why in one.refused.items() if metric not in shown}
    published = _is_published(encoder)
    order = [metric for metric in (*METRICS, "clip_shuffled") if metric in shown]
    titles = {metric: asdict(title_of(metric, published=published)) for metric in order}
    return {
        "space": space,
        "encoder": encoder.name,
        "dim": encoder.dim,
        "metrics": order,
        "titles": titles,
        "refused": refused,
    }


def _is_published(encoder: Encoder) -> bool:
    return isinstance(encoder, Inception) and encoder.is_published


def _row_facts(
    row: _Row, spaces: Sequence[str], found: Sequence[Sequence[Comparison]], place: int
) -> dict[str, Any]:
    return {
        "name": row.name,
        "real": row.is_real,
        "n": len(row.pictures),
        "facts": row.facts,
        "figures": {
            space: {name: _rounded(one) for name, one in of_space[place].figures.items()}
            for space, of_space in zip(spaces, found, strict=True)
        },
        "refused": {
            space: of_space[place].refused for space, of_space in zip(spaces, found, strict=True)
        },
    }


def _rounded(figure: Figure) -> dict[str, float]:
    """As JSON has it, without the last digits: those depend on how many threads added up."""
    return {name: float(f"{value:.{_DIGITS}g}") for name, value in asdict(figure).items()}
