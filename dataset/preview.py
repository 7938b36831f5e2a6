"""Pictures chosen to be seen before and after their preparation, and the recipes to compare."""

import hashlib
import heapq
import itertools
import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from PIL import Image

from dataset.catalog import Catalog
from dataset.config import load_config
from dataset.errors import ConfigError, DataError, PipelineError
from dataset.image_store import ImageStore
from dataset.imports.folder import FolderItem, folder_items
from dataset.pack_selection import PackConfig
from dataset.pixels import Size
from dataset.preparation import RECIPE, decoded, prepare_picture, window
from dataset.progress import track
from dataset.resizing import Box

log = logging.getLogger(__name__)
T = TypeVar("T")

_MOST_RECIPES = 12


@dataclass(frozen=True)
class Recipe:
    """One way to prepare pictures, and what sets it apart from the others (such as fit=crop)."""

    title: str
    config: PackConfig


@dataclass(frozen=True)
class Candidate:
    """A picture that may be shown; `read` fetches its file."""

    name: str
    label: str
    read: Callable[[], bytes]


@dataclass(frozen=True)
class Shown:
    """A picture before and after: `original` is RGB or RGBA, perhaps smaller than its own `size`;
    one window (in pixels of `size`) and one prepared picture for each recipe."""

    name: str
    label: str
    size: Size
    original: Image.Image
    windows: list[Box]
    prepared: list[Image.Image]


def recipes(
    file: Path | None, assignments: Sequence[str], alternatives: Sequence[str]
) -> list[Recipe]:
    """The recipes of every combination of `alternatives`, each KEY=VALUE,VALUE... of a config.

    Raises ConfigError for what is no key of a recipe, and for more than 12 combinations.
    """
    choices = []
    for text in alternatives:
        key, _, values = text.partition("=")
        if key not in RECIPE or not values:
            raise ConfigError(
                f"--compare takes KEY=VALUE,VALUE..., not {text!r}; keys: {', '.join(RECIPE)}"
            )
        choices.append([f"{key}={value.strip()}" for value in values.split(",")])
    if len({choice[0].partition("=")[0] for choice in choices}) < len(choices):
        raise ConfigError("--compare names a key twice; list its values in one: fit=pad,crop")
    found = [
        Recipe(", ".join(chosen), load_config(PackConfig, file, [*assignments, *chosen]))
        for chosen in itertools.islice(itertools.product(*choices), _MOST_RECIPES + 1)
    ]
    if len(found) > _MOST_RECIPES:
        raise ConfigError(f"--compare makes over {_MOST_RECIPES} recipes; compare fewer")
    return found


def from_catalog(
    catalog: Catalog,
    store: ImageStore,
    config: PackConfig,
    count: int,
    seed: int,
    *,
    labels: Sequence[str] = (),
    ids: Sequence[int] = (),
) -> list[Candidate]:
    """`ids`, or up to `count` of the pictures that the config's statuses and licences and `labels`
    (none: all) let into a pack, chosen by `seed`.

    Raises ConfigError for an id that the catalogue has not, DataError when there is no picture.
    """
    chosen = list(ids) or _sample(_wanted(catalog, config, labels), count, seed)
    if not chosen:
        raise DataError(
            f"no picture to show: none is {'/'.join(config.statuses)} with the labels and licences "
            "asked for; judge pictures first (make curate, or python -m curate_app auto), or "
            "name some with --ids"
        )
    records = catalog.images.records(chosen)
    missing = [image_id for image_id in chosen if image_id not in records]
    if missing:
        raise ConfigError(f"--ids: the catalogue has no picture #{missing[0]}")

    def candidate(image_id: int) -> Candidate:
        record = records[image_id]
        return Candidate(f"#{image_id}", record.label, lambda: store.get(record.sha256))

    return [candidate(image_id) for image_id in chosen]


def from_files(path: Path, labels: Sequence[str], count: int, seed: int) -> list[Candidate]:
    """Up to `count` pictures of a folder or tar, chosen by `seed`; `labels` narrow the choice."""
    items = track(folder_items(path), "looking through pictures", None, "pictures")
    wanted = ((str(item.path), item) for item in items if not labels or item.label in labels)
    chosen = _sample(wanted, count, seed)
    if not chosen:
        among = f" labelled {', '.join(labels)}" if labels else ""
        raise DataError(f"{path} holds no picture{among}; check the path")

    def candidate(item: FolderItem) -> Candidate:
        return Candidate(str(item.path), item.label, lambda: item.content)

    return [candidate(item) for item in chosen]


def prepare_shown(candidates: Sequence[Candidate], recipes: Sequence[Recipe]) -> list[Shown]:
    """What can be decoded of the candidates, prepared by every recipe; the rest is logged.

    Raises DataError when nothing can be.
    """
    shown = []
    for one in track(candidates, "preparing", len(candidates), "pictures"):
        try:
            shown.append(_prepared_by_all(one, recipes))
        except PipelineError as error:
            log.warning("%s is left out: %s", one.name, error)
    if not shown:
        raise DataError(f"none of {len(candidates)} pictures can be decoded; see the log")
    return shown


def _prepared_by_all(one: Candidate, recipes: Sequence[Recipe]) -> Shown:
    content = one.read()
    windows, squares = [], []
    for recipe in recipes:
        image, size = decoded(content, recipe.config)
        windows.append(window(image, recipe.config, size))
        squares.append(prepare_picture(image, recipe.config, size))
    original, size = _original(content)
    return Shown(one.name, one.label, size, original, windows, squares)


def _original(content: bytes) -> tuple[Image.Image, Size]:
    """The picture at no more than about 512 px, and its own size."""
    image, size = decoded(content, PackConfig(size=256))
    image.thumbnail((512, 512), Image.Resampling.LANCZOS)
    return image, size


def _wanted(
    catalog: Catalog, config: PackConfig, labels: Sequence[str]
) -> Iterator[tuple[str, int]]:
    licensed = (
        set(catalog.packables.licensed(config.licences).tolist()) if config.licences else None
    )
    for block in catalog.packables.blocks(config.statuses):
        for image_id, digest, label in zip(
            block.id.tolist(), block.sha256, block.label, strict=True
        ):
            if labels and label not in labels:
                continue
            if licensed is None or image_id in licensed:
                yield digest.tobytes().hex(), image_id


def _sample(named: Iterable[tuple[str, T]], count: int, seed: int) -> list[T]:
    ranked = ((_rank(name, seed), name, one) for name, one in named)
    return [one for _, _, one in heapq.nsmallest(count, ranked, key=lambda entry: entry[:2])]


def _rank(name: str, seed: int) -> bytes:
    """What the choice goes by: a picture more or less in the catalogue changes it by one."""
    return hashlib.sha256(f"{seed}/{name}".encode("utf-8", "replace")).digest()
