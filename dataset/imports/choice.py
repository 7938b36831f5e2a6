"""Which pictures of a collection a config lets into a pack, and what of a config goes by itself."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dataset.errors import ConfigError, DataError
from dataset.imports.collection import Collection, Summary
from dataset.pack_filters import check_labels, no_licence, too_small
from dataset.pack_selection import PackConfig
from dataset.splits import within_limits

ALL_HELD = "the source's own test pictures leave none to train on; leave out --keep-split"
_NOTHING = "nothing is left to pack"
_CHANNELS = {1: "grey", 3: "rgb", 4: "rgba"}
_SMALLEST, _LARGEST = 8, 512  # what `size` may be


def check(collection: Collection, config: PackConfig) -> None:
    """Raises ConfigError for keys that only a catalogue can serve, and for labels not there."""
    if config.split_by != "group":
        raise ConfigError("split_by works from the catalogue only; import there, then pack")
    if config.statuses != ("keep",):
        raise ConfigError("statuses are judgements of a catalogue; import there, judge, then pack")
    if config.embeddings:
        raise ConfigError("embeddings go in from the catalogue only; import there, then pack")
    if not collection.grows:
        check_labels(config.labels, collection.label_names)


def as_the_source(
    collection: Collection, config: PackConfig, given: Iterable[str]
) -> tuple[PackConfig, str]:
    """The config with the size and channels that all pictures of the source have, where these are
    none of the keys `given`; and a line that says so, "" when nothing changed."""
    if collection.own_shape is None:
        return config, ""
    channels, height, width = collection.own_shape
    own: dict[str, Any] = {}
    if height == width and _SMALLEST <= height <= _LARGEST:
        own["size"] = height
    if channels in _CHANNELS:
        own["channels"] = _CHANNELS[channels]
    taken = {
        key: value
        for key, value in own.items()
        if key not in given and value != getattr(config, key)
    }
    if not taken:
        return config, ""
    said = ", ".join(f"{key}={value}" for key, value in taken.items())
    name = collection.path.name
    return replace(config, **taken), f"taken from {name}: {said} (--set chooses another)"


def chosen_rows(
    labels: NDArray[np.int64], names: Sequence[str], licences: Sequence[str], config: PackConfig
) -> NDArray[np.bool_]:
    """Which rows (N,) of these labels and licences the config's filters and limits a class let in.

    Raises ConfigError for a label that no row has, DataError when a filter leaves nothing.
    """
    check_labels(config.labels, names)
    chosen = np.ones(len(labels), np.bool_)
    if config.labels:
        wanted = [code for code, name in enumerate(names) if name in config.labels]
        chosen = np.isin(labels, wanted)
        if not chosen.any():
            raise DataError(f"{_NOTHING}: no picture left has one of the labels asked for")
    if config.licences:
        licensed = np.array([licence in config.licences for licence in licences], np.bool_)
        if not (chosen & licensed).any():
            among = Counter(licences[place] for place in np.flatnonzero(chosen).tolist())
            told = no_licence(config.licences, int(chosen.sum()), among)
            raise DataError(f"{_NOTHING}: {told}")
        chosen &= licensed
    places = np.flatnonzero(chosen)
    left = _within(labels[places], config)
    if not left.any():
        counts = np.bincount(labels[places] + 1, minlength=len(names) + 1).tolist()
        there = {name: n for name, n in zip(["", *names], counts, strict=True) if n}
        raise DataError(f"{_NOTHING}: {too_small(config.min_per_class, there)}")
    chosen[places[~left]] = False
    return chosen


def _within(labels: NDArray[np.int64], config: PackConfig) -> NDArray[np.bool_]:
    return within_limits(
        labels,
        np.zeros(len(labels), np.int64),
        most=config.per_class,
        least=config.min_per_class,
        level=config.balance == "smallest",
    )


def most_pictures(summary: Summary, config: PackConfig) -> dict[str, int]:
    """How many pictures a class at most go into a pack, before any is found broken or alike."""
    check_labels(config.labels, summary.classes)
    classes: Mapping[str, int] = summary.classes
    names = [name for name in classes if not config.labels or name in config.labels]
    codes = np.repeat(np.arange(len(names)), [classes[name] for name in names])
    counts = np.bincount(codes[_within(codes, config)], minlength=len(names)).tolist()
    return {name: count for name, count in zip(names, counts, strict=True) if count}
