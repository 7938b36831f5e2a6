"""What a crawl is told: pace and limits in [crawl], one [[source]] table per place to read.

Example (the keys of a source depend on its `kind`; see `python -m scrape sources`):

    [crawl]
    contact = "me@example.org"
    [[source]]
    kind = "card-grid"
    name = "logos"
    start = ["https://example.org/logos/"]
"""

import dataclasses
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dataset.config import load_config, read_toml
from dataset.errors import ConfigError

AGENT = "Pedigree"
VERSION = "0.1"

_CONTACT = re.compile(r"[^\s()<>]+@[^\s()<>]+\.[^\s()<>]+|https?://[^\s()<>]+")


@dataclass(frozen=True, kw_only=True)
class CrawlSettings:
    """[crawl]: how politely and how far. Seconds end in _s; None means no limit.

    `allow_hosts` names hosts that may lie in a private network or on this machine; `gap_s` is the
    least time between two requests to one host; `deadline_s` ends one request as a whole;
    `longest_wait_s` is the longest Retry-After or Crawl-delay that a run waits for; `workers` are
    requests at once over all hosts, `decoders` the processes that decode; pictures fetched more
    than `recheck_days` ago are asked whether they changed; `limit` is pictures per source. An
    API is asked by its own terms unless `robots_for_apis`: robots.txt speaks to crawlers.
    `robots_off_for` names hosts whose robots.txt you decided not to follow; every run says so.
    """

    contact: str = ""
    allow_hosts: tuple[str, ...] = ()
    gap_s: float = 1.0
    timeout_s: float = 20.0
    deadline_s: float = 120.0
    max_bytes: int = 40_000_000
    max_page_bytes: int = 10_000_000
    max_redirects: int = 5
    tries: int = 4
    longest_wait_s: float = 120.0
    workers: int = 16
    decoders: int = 2
    connections_per_host: int = 2
    recheck_days: float | None = None
    limit: int | None = None
    robots_for_apis: bool = False
    robots_off_for: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.contact and not _CONTACT.fullmatch(self.contact):
            raise ConfigError(
                f"crawl.contact {self.contact!r} is neither a mail address nor a web address; "
                'write it like "me@example.org"'
            )
        for name in (
            "max_bytes",
            "max_page_bytes",
            "tries",
            "workers",
            "connections_per_host",
            "decoders",
        ):
            self._require(name, least=1)
        for name in ("gap_s", "longest_wait_s", "max_redirects"):
            self._require(name, least=0)
        for name in ("timeout_s", "deadline_s"):
            self._require(name, least=0.001)
        if self.limit is not None:
            self._require("limit", least=1)
        if self.recheck_days is not None:
            self._require("recheck_days", least=0)
        for name in ("allow_hosts", "robots_off_for"):
            hosts = tuple(host.strip("[]").lower() for host in getattr(self, name))
            object.__setattr__(self, name, hosts)

    def _require(self, name: str, *, least: float) -> None:
        value = getattr(self, name)
        if not value >= least:
            raise ConfigError(f"crawl.{name} is {value}; it must be at least {least}")

    @property
    def user_agent(self) -> str:
        """The honest name that every request carries, with the contact where there is one."""
        return f"{AGENT}/{VERSION}" + (f" (+{self.contact})" if self.contact else "")


@dataclass(frozen=True, kw_only=True)
class CrawlConfig:
    """A whole crawl file: the settings, and each source's table by its name, not yet checked."""

    crawl: CrawlSettings = field(default_factory=CrawlSettings)
    source: dict[str, dict[str, Any]] = field(default_factory=dict)

    def with_limit(self, limit: int | None) -> "CrawlConfig":
        """The same crawl with --limit over crawl.limit, where it is given."""
        if limit is None:
            return self
        return dataclasses.replace(self, crawl=dataclasses.replace(self.crawl, limit=limit))


def read_crawl_config(
    path: Path,
    tables: Sequence[Mapping[str, Any]] = (),
    assignments: Sequence[str] = (),
) -> CrawlConfig:
    """Read a crawl file and add further source `tables`; `--set crawl.gap_s=2` and
    `--set source.NAME.key=value` override both."""
    found = read_toml(path)
    if tables and isinstance(found.get("source", []), list):
        found = {**found, "source": [*found.get("source", []), *tables]}
    return crawl_config(found, assignments, origin=str(path))


def crawl_config(
    table: Mapping[str, Any], assignments: Sequence[str] = (), *, origin: str = "the configuration"
) -> CrawlConfig:
    """Build a CrawlConfig from parsed TOML; raises ConfigError naming `origin`."""
    named = {**table, "source": _by_name(table.get("source", []), origin)}
    return load_config(CrawlConfig, named, assignments, origin=origin)


def stored_config(stored: Mapping[str, Any], assignments: Sequence[str] = ()) -> CrawlConfig:
    """The config of a run as the ledger keeps it, its sources by name already."""
    table = {"crawl": stored["crawl"], "source": stored["source"]}
    return load_config(CrawlConfig, table, assignments, origin="the last run")


def _by_name(tables: Any, origin: str) -> dict[str, dict[str, Any]]:
    """Key the [[source]] tables by their names, so that --set can reach each of them."""
    if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
        raise ConfigError(f"source in {origin} must be written as [[source]] tables")
    named: dict[str, dict[str, Any]] = {}
    for table in tables:
        name = table.get("name")
        if not isinstance(name, str) or not re.fullmatch(r"[A-Za-z0-9_-]+", name):
            raise ConfigError(
                f"a [[source]] in {origin} has the name {name!r}; "
                "give it a name of letters, digits, - and _"
            )
        if name in named:
            raise ConfigError(f"two sources in {origin} are named {name}; rename one")
        named[name] = table
    return named
