"""A crawl of the embedded demo site: served in this process, collected over real HTTP."""

import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from dataset.workspace import Workspace
from scrape.completion import Completions, spec_hash
from scrape.config import CrawlConfig, crawl_config
from scrape.crawl import crawl
from scrape.demo_site import DemoSite, demo_config_text
from scrape.report import CrawlReport
from scrape.sources import sources_of

# Stands for the site's address in what is remembered of it, whatever the port.
_ANY_BASE = "http://127.0.0.1:1"


@dataclass(frozen=True)
class DemoCrawl:
    """Which demo site, and `--set` assignments over its own config."""

    seed: int
    pictures: Path | None
    port: int
    assignments: tuple[str, ...] = ()

    def config(self, base: str = _ANY_BASE) -> CrawlConfig:
        """The site's own config with its address filled in."""
        table = tomllib.loads(demo_config_text(base))
        assignments = self.assignments
        if self.pictures is not None:  # which may hold labelled pictures alone, and no cards
            assignments = ("source.logos.may_be_empty=true", *assignments)
        return crawl_config(table, assignments, origin="the demo site's config")

    def completed(
        self, workspace: Workspace, names: Sequence[str], limit: int | None = None
    ) -> str:
        """A sentence for a person when all of it was collected before, or ""."""
        memory = Completions(workspace)
        sources = sources_of(self.config(), names)
        if not workspace.catalog.is_file() or limit is not None:
            return ""
        if not all(
            memory.has(source.spec.name, spec_hash(source.spec, self._identity()))
            for source in sources
        ):
            return ""
        return "the demo site was collected before; nothing to do (--again collects anyway)"

    def crawl(
        self, workspace: Workspace, names: Sequence[str], limit: int | None = None
    ) -> CrawlReport:
        """Serve the site, collect it, and remember the sources that were read to their end."""
        with DemoSite(self.seed, self.pictures, port=self.port) as site:
            config = self.config(site.url).with_limit(limit)
            report = crawl(sources_of(config, names), config.crawl, workspace)
        memory = Completions(workspace)
        for source in sources_of(self.config(), names):
            if report.sources[source.spec.name].is_complete:
                memory.add(source.spec.name, spec_hash(source.spec, self._identity()))
        return report

    def _identity(self) -> str:
        """Names the site's content: its seed, or the pictures that it serves instead."""
        if self.pictures is None:
            return f"seed {self.seed}"
        found = self.pictures.stat()
        return f"pictures {self.pictures.resolve()} {found.st_size} {found.st_mtime_ns}"
