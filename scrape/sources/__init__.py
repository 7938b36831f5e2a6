"""The kinds of sources, by the name that a config uses; a new kind is one file with a KIND."""

import importlib
import pkgutil
from collections.abc import Collection
from typing import Any

from dataset.config import from_mapping
from dataset.errors import ConfigError
from scrape.config import CrawlConfig
from scrape.sources.source import Kind, ScrapedItem, Source, SourceError, SourceSpec

__all__ = ["KINDS", "Kind", "ScrapedItem", "Source", "SourceError", "SourceSpec", "sources_of"]


def _kinds() -> dict[str, Kind]:
    """Every KIND of the modules beside this one, by name."""
    found = {}
    for module in pkgutil.iter_modules(__path__):
        kind = getattr(importlib.import_module(f"{__name__}.{module.name}"), "KIND", None)
        if isinstance(kind, Kind):
            found[kind.name] = kind
    return dict(sorted(found.items()))


KINDS = _kinds()


def sources_of(config: CrawlConfig, names: Collection[str] = ()) -> list[Source[Any]]:
    """The config's sources, or those in `names`, ready to be read.

    Raises ConfigError for an unknown kind or key, a bad selector, and names that are not there.
    """
    for name in names:
        if name not in config.source:
            known = ", ".join(config.source) or "none"
            raise ConfigError(f"there is no source {name} in this config; it has: {known}")
    sources = [
        _source(name, table) for name, table in config.source.items() if not names or name in names
    ]
    if not sources:
        raise ConfigError("the config names no source; add a [[source]] table (see: sources)")
    return sources


def _source(name: str, table: dict[str, Any]) -> Source[Any]:
    kind = KINDS.get(str(table.get("kind")))
    if kind is None:
        raise ConfigError(
            f"source {name} is of kind {table.get('kind')!r}; known kinds: {', '.join(KINDS)}"
        )
    spec = from_mapping(kind.spec, table, f"source {name}")
    return kind.reader(spec)
