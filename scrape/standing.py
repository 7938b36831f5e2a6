"""How the collection stands: pictures, addresses by outcome, hosts at rest, the last run."""

import json
from collections import Counter
from dataclasses import dataclass
from typing import Any

from dataset.catalog import Catalog
from dataset.records import CrawlRun
from scrape.default_icons import RepeatedPicture, repeated
from scrape.reasons import advice, sentence
from scrape.report import table

_FACETS = ("source", "label", "licence")
_MOST = 10


@dataclass(frozen=True)
class Standing:
    """What `scrape status` tells."""

    pictures: int
    addresses: dict[tuple[str, str], int]
    facets: dict[str, dict[str, int]]
    resting: dict[str, tuple[str, str]]
    shared: list[RepeatedPicture]
    run: CrawlRun | None

    def to_json(self) -> dict[str, Any]:
        by_state: dict[str, dict[str, int]] = {}
        for (state, reason), count in self.addresses.items():
            by_state.setdefault(state, {})[reason] = count
        return {
            "pictures": self.pictures,
            "addresses": by_state,
            **self.facets,
            "resting": {host: until for host, (until, _) in self.resting.items()},
            "shared": [picture._asdict() for picture in self.shared],
            "last_run": None if self.run is None else self._last_run(self.run),
        }

    def _last_run(self, run: CrawlRun) -> dict[str, Any]:
        return {
            "started_at": run.started_at,
            "ended_at": run.ended_at,
            "sources": json.loads(run.config)["names"] or list(json.loads(run.config)["source"]),
        }

    def to_text(self) -> str:
        lines = [f"{self.pictures} pictures", "addresses:"]
        for (state, reason), count in self.addresses.items():
            told = f": {sentence(reason)}" if reason not in ("", "ok", "unchanged") else ""
            todo = f" [{advice(reason)}]" if advice(reason) and state != "fetched" else ""
            name = f"{state} ({reason})" if reason else state
            lines.append(f"  {count:>7}  {name}{told}{todo}")
        lines += [table(f"pictures by {facet}", found) for facet, found in self.facets.items()]
        lines += [f"host {h} rests until {until}" for h, (until, _) in self.resting.items()]
        if self.shared:
            lines.append("pictures that many hosts share:")
            for picture in self.shared:
                lines.append(
                    f"  {picture.hosts:>7}  #{picture.image_id}  {', '.join(picture.examples)}"
                )
        if self.run is not None and not self.run.ended_at:
            lines.append(f"the run of {self.run.started_at} was not finished: scrape resume")
        return "\n".join(lines)


def standing(catalog: Catalog) -> Standing:
    """Counts of everything in `catalog`."""
    return Standing(
        pictures=catalog.images.count(),
        addresses=dict(Counter(catalog.ledger.counts())),
        facets={facet: catalog.images.counts(facet) for facet in _FACETS},
        resting=catalog.ledger.resting_hosts(),
        shared=repeated(catalog, most=_MOST),
        run=catalog.ledger.last_run(),
    )
