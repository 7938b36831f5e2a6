"""The kinds of sources, by the name that a config uses; a new kind is one file and one line."""

import dataclasses
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from dataset.config import from_mapping
from dataset.errors import ConfigError
from scrape.config import CrawlConfig
from scrape.sources import card_grid, json_api
from scrape.sources.source import ScrapedItem, Source, SourceError, SourceSpec

__all__ = ["KINDS", "Kind", "ScrapedItem", "Source", "SourceError", "SourceSpec", "sources_of"]


@dataclass(frozen=True)
class Kind:
    """One kind of source: its declaration, its reader, what it is for, and an example."""

    spec: type[SourceSpec]
    reader: type[Source[Any]]
    summary: str
    example: str

    def keys(self) -> tuple[str, str]:
        """The keys that a declaration needs and those that it may have, as lists for a person."""
        fields = dataclasses.fields(self.spec)
        needed = [field.name for field in fields if _is_needed(field)]
        optional = [field.name for field in fields if not _is_needed(field)]
        return ", ".join(needed), ", ".join(optional)


KINDS = {
    "card-grid": Kind(
        card_grid.CardGridSpec,
        card_grid.CardGrid,
        "HTML pages of cards with pictures and captions, by CSS selectors",
        card_grid.EXAMPLE,
    ),
    "json-api": Kind(
        json_api.JsonApiSpec,
        json_api.JsonApi,
        "a JSON list of pictures with paging, by field names",
        json_api.EXAMPLE,
    ),
}


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


def _is_needed(field: dataclasses.Field[Any]) -> bool:
    has_default = field.default is not dataclasses.MISSING
    return not (has_default or field.default_factory is not dataclasses.MISSING)


def _source(name: str, table: dict[str, Any]) -> Source[Any]:
    kind = KINDS.get(str(table.get("kind")))
    if kind is None:
        raise ConfigError(
            f"source {name} is of kind {table.get('kind')!r}; known kinds: {', '.join(KINDS)}"
        )
    spec = from_mapping(kind.spec, table, f"source {name}")
    return kind.reader(spec)
