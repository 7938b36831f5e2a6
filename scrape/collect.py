"""One whole run: the way to the web (or to a recording), the crawl, and the note of it."""

import dataclasses
import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from dataset.catalog import Catalog
from dataset.config import to_mapping
from dataset.errors import ConfigError
from dataset.likeness import warn_of_old
from dataset.workspace import Workspace
from scrape.client import PoliteClient
from scrape.config import CrawlConfig, CrawlSettings, stored_config
from scrape.contact import require_contact
from scrape.crawl import crawl
from scrape.page_cache import RevalidatingTransport
from scrape.recorded import RecordingTransport, ReplayTransport
from scrape.report import CrawlReport
from scrape.sources import sources_of


@dataclass(frozen=True)
class Tape:
    """Folders of recorded answers: one to write, or one to answer from instead of the network."""

    record: Path | None = None
    replay: Path | None = None

    def __post_init__(self) -> None:
        if self.record is not None and self.replay is not None:
            raise ConfigError("--record and --replay exclude each other; leave one out")


def collect(
    config: CrawlConfig,
    names: Sequence[str],
    workspace: Workspace,
    *,
    tape: Tape | None = None,
    reads: Collection[str] | None = None,
    unread: Collection[str] = (),
) -> CrawlReport:
    """Crawl the config's sources (those in `names`, or all); the run is remembered for `resume`.

    `reads` names the sources whose lists are read (None: all), the others only go on with what the
    ledger has open. `unread` names those whose lists an earlier run left unread: still to be read.
    """
    sources = sources_of(config, names)
    with _client(config.crawl, workspace, tape or Tape()) as client:
        if not (tape and tape.replay):
            require_contact(sources, config.crawl)
        with Catalog(workspace.catalog) as catalog:
            warn_of_old(catalog)
            run_id = catalog.ledger.begin_run(_stored(config, names))
        report = crawl(sources, client.settings, workspace, client=client, reads=reads)
    for name in unread:
        report.sources[name].is_read = False
    with Catalog(workspace.catalog) as catalog:
        catalog.ledger.end_run(run_id, json.dumps(report.to_json()))
    return report


def resume(
    workspace: Workspace, assignments: Sequence[str] = (), *, tape: Tape | None = None
) -> CrawlReport:
    """Go on with the last run: its open addresses, and the lists that it had not read to the end.

    Raises ConfigError when there is no run to go on with.
    """
    config, names, unread = last_run(workspace, assignments)
    if config.crawl.limit is None:
        return collect(config, names, workspace, tape=tape, reads=unread)
    # What a limited run had named is all that it was to ask for.
    settings = dataclasses.replace(config.crawl, limit=None)
    config = dataclasses.replace(config, crawl=settings)
    return collect(config, names, workspace, tape=tape, reads=())


def last_run(
    workspace: Workspace, assignments: Sequence[str] = ()
) -> tuple[CrawlConfig, list[str], list[str]]:
    """(config, names of the sources, those not read to the end) of the last run."""
    with Catalog(workspace.require_catalog(), create=False) as catalog:
        run = catalog.ledger.last_run()
    if run is None:
        raise ConfigError(
            f"no run to go on with in {workspace.root}; start one with: scrape run "
            "(a run of the demo site is gone on with by the same command)"
        )
    stored = json.loads(run.config)
    config = stored_config(stored, assignments)
    names = list(stored["names"]) or list(config.source)
    shares = json.loads(run.report)["sources"] if run.report else {}
    unread = [
        name
        for name in names
        if not (shares.get(name, {}).get("is_read") or shares.get(name, {}).get("is_limited"))
    ]
    return config, names, unread


def _client(settings: CrawlSettings, workspace: Workspace, tape: Tape) -> PoliteClient:
    """A client for the network, or for a recording, which needs no patience and no contact."""
    if tape.replay is not None:
        contact = settings.contact or "nobody@replay.invalid"
        settings = dataclasses.replace(settings, gap_s=0.0, contact=contact)
        return PoliteClient(settings, transport=ReplayTransport(tape.replay))
    client = PoliteClient(settings)
    if tape.record is not None:  # a recording must hold whole answers, never "unchanged"
        client.transport = RecordingTransport(client.transport, tape.record)
    else:
        client.transport = RevalidatingTransport(client.transport, workspace.root / "pages")
    return client


def _stored(config: CrawlConfig, names: Sequence[str]) -> str:
    return json.dumps({**to_mapping(config), "names": list(names)})
