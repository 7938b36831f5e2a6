"""What to ask the web for when a class is short: sources, words, how many, as one command."""

import json
import math
import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from curate_app.shortfall import ClassNeed
from dataset.catalog import Catalog
from dataset.records import ImageFilter

# The kinds of sources that take words and say under which licence a picture stands.
SOURCES = {
    "commons": "Wikimedia Commons",
    "openverse": "Openverse",
    "inaturalist": "iNaturalist, by scientific or common name",
    "flickr": "Flickr, with a key in FLICKR_API_KEY",
}
_USUAL = ("commons", "openverse")
# What scraping takes for the address at which a site's owner can reach a person.
CONTACT = re.compile(r"[^\s()<>]+@[^\s()<>]+\.[^\s()<>]+|https?://[^\s()<>]+")
LONGEST_QUERY, LONGEST_CONTACT = 200, 200
MOST_ASKED = 100_000
_LEAST_ASKED = 20
# So many judgements of the whole catalogue weigh in with the class's own.
_WEIGHT = 10
_LEAST_YIELD = 0.05


@dataclass(frozen=True, kw_only=True)
class TopUp:
    """One wish to the scraping stage: at most `limit` pictures of each source by `query`."""

    label: str
    query: str
    sources: tuple[str, ...]
    limit: int
    contact: str = ""

    def arguments(self) -> list[str]:
        """As an app starts it: no word can be taken for an option."""
        options = [f"--query={self.query}", f"--limit={self.limit}"]
        if self.label:
            options.insert(1, f"--label={self.label}")
        if self.contact:
            options.append(f"--set=crawl.contact={self.contact}")
        return [*options, "--", *self.sources]

    def command(self, data: Path) -> list[str]:
        """The words that a person types; every value is quoted for a shell."""
        words = [f"--query={shlex.quote(self.query)}", f"--limit={self.limit}"]
        if self.label:
            words.insert(1, f"--label={shlex.quote(self.label)}")
        contact = shlex.quote(f"crawl.contact={self.contact or 'YOU@EXAMPLE.ORG'}")
        words += [f"--set={contact}", f"--data={shlex.quote(str(data))}"]
        return ["python -m scrape run", *self.sources, *words]

    def as_json(self) -> dict[str, Any]:
        return {"query": self.query, "sources": list(self.sources), "limit": self.limit}


def suggested(catalog: Catalog, need: ClassNeed, all_classes: ClassNeed) -> TopUp:
    """A top-up by the history of the class: from the sources that its kept pictures came from, for
    the words that found most of them, as many as its yield asks for."""
    kept = ImageFilter(status="keep", label=need.label)
    by_source = catalog.images.counts("source", kept)
    known = sorted((n for n in by_source if n in SOURCES), key=lambda name: -by_source[name])
    sources = tuple(dict.fromkeys([*known, *_USUAL]))[: max(len(known), len(_USUAL))]
    return TopUp(
        label=need.label,
        query=need.label or _best_query(catalog.images.counts("query", kept)),
        sources=sources,
        limit=_limit(need, yield_of(need, all_classes), len(sources)),
        contact=last_contact(catalog),
    )


def yield_of(need: ClassNeed, all_classes: ClassNeed) -> float:
    """The share of collected pictures of the class that are kept in the end, 0.05 to 1: its own
    history, and that of all classes as far as its own is short."""

    def judged(row: ClassNeed) -> int:
        return row.kept + row.rejected

    usual = (all_classes.kept + 1) / (judged(all_classes) + 2)
    share = (need.kept + _WEIGHT * usual) / (judged(need) + _WEIGHT)
    return max(share, _LEAST_YIELD)


def last_contact(catalog: Catalog) -> str:
    """The contact address of the last scraping run, "" when there is none."""
    run = catalog.ledger.last_run()
    try:
        config = json.loads(run.config) if run else {}
        contact = config["crawl"]["contact"]
    except (ValueError, KeyError, TypeError):
        return ""
    return contact if isinstance(contact, str) and CONTACT.fullmatch(contact) else ""


def _limit(need: ClassNeed, share: float, sources: int) -> int:
    """Pictures of each source: the gap that the waiting ones leave, over the yield; a round one."""
    gap = max(need.short - need.fresh * share, 0.0)
    each = max(math.ceil(gap / share / sources), _LEAST_ASKED)
    step = int(10 ** max(len(str(each)) - 2, 1))
    return min(math.ceil(each / step) * step, MOST_ASKED)


def _best_query(counts: dict[str, int]) -> str:
    named = [query for query in counts if query]
    return max(named, key=lambda query: counts[query], default="")[:LONGEST_QUERY]


def known_sources(names: Sequence[str]) -> tuple[str, ...]:
    """Those of `names` that can be asked, in the order of SOURCES."""
    return tuple(name for name in SOURCES if name in names)
