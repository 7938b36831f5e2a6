"""The collecting stage's commands; try it without a network:

python -m scrape run --demo-site --data data --limit 20
"""

import argparse
import json
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from dataset.catalog import Catalog
from dataset.command_line import CommandLine, add_config_options, add_data_option
from dataset.config import to_mapping
from dataset.errors import ConfigError
from dataset.workspace import Workspace
from scrape.config import CrawlConfig, read_crawl_config
from scrape.crawl import crawl
from scrape.demo_crawl import DemoCrawl
from scrape.demo_site import DemoSite
from scrape.guard import is_loopback
from scrape.report import CrawlReport, table
from scrape.sources import KINDS, sources_of

DEMO_PORT = 8765


def main(arguments: Sequence[str] | None = None) -> int:
    return command_line().run(arguments)


def command_line() -> CommandLine:
    """Every verb of `python -m scrape`."""
    line = CommandLine("scrape", "Collect pictures politely, with their captions and origins.")
    _add_run(line)
    sources = line.verb(
        "sources",
        _sources,
        "list the kinds of sources, and the sources of a config",
        "python -m scrape sources\npython -m scrape sources --config crawl.toml",
    )
    add_config_options(sources, "the crawl")
    status = line.verb(
        "status",
        _status,
        "count what was collected and what was not, and why",
        "python -m scrape status\npython -m scrape status --data data --json",
    )
    add_data_option(status)
    status.add_argument("--json", action="store_true", help="print one JSON object")
    demo = line.verb(
        "demo-site",
        _demo_site,
        "serve the embedded demo site on this machine",
        "python -m scrape demo-site --port 8765\n"
        "python -m scrape demo-site --pictures logos.tar --seed 3",
    )
    _add_demo_options(demo)
    demo.add_argument(
        "--host", default="127.0.0.1", help="address of this machine to listen on, loopback only"
    )
    return line


def _add_run(line: CommandLine) -> None:
    run = line.verb(
        "run",
        _run,
        "collect pictures from the sources of a config, or from the demo site",
        "python -m scrape run --config crawl.toml --source logos --limit 100\n"
        "python -m scrape run --config crawl.toml --set crawl.contact=me@example.org\n"
        "python -m scrape run --demo-site --data data",
    )
    add_config_options(run, "the crawl")
    add_data_option(run)
    run.add_argument(
        "--source", action="append", default=[], metavar="NAME", help="only this one; repeatable"
    )
    run.add_argument(
        "--limit", type=_positive, metavar="N", help="ask for at most N pictures of each source"
    )
    run.add_argument("--json", action="store_true", help="print the summary as one JSON object")
    run.add_argument(
        "--demo-site", action="store_true", help="collect from the embedded demo site, offline"
    )
    run.add_argument(
        "--again", action="store_true", help="crawl the demo site even if that was done already"
    )
    _add_demo_options(run)


def _add_demo_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--port",
        type=_port,
        default=DEMO_PORT,
        help=f"port of the demo site on 127.0.0.1 (default: {DEMO_PORT})",
    )
    parser.add_argument(
        "--pictures",
        type=Path,
        metavar="PATH",
        help="let the demo site serve this folder or tar (with captions.csv), not its drawings",
    )
    parser.add_argument("--seed", type=int, default=7, help="seed of the drawings (default: 7)")


def _run(options: argparse.Namespace) -> int:
    workspace = Workspace(options.data)
    if options.demo_site:
        if options.config:
            raise ConfigError("--demo-site brings its own config; leave --config out")
        demo = DemoCrawl(options.seed, options.pictures, options.port, tuple(options.assignments))
        if options.dry_run:
            return _print_plan(demo.config(), options.source)
        done = None if options.again else demo.completed(workspace, options.source, options.limit)
        if done:
            print(done)
            return 0
        report = demo.crawl(workspace, options.source, options.limit)
    else:
        config = _config(options)
        if options.dry_run:
            return _print_plan(config, options.source)
        report = crawl(sources_of(config, options.source), config.crawl, workspace)
    return _print_report(report, as_json=options.json)


def _config(options: argparse.Namespace) -> CrawlConfig:
    if options.pictures:
        raise ConfigError("--pictures is served by the demo site; add --demo-site")
    if options.config is None:
        raise ConfigError("say what to collect: --config FILE, or --demo-site to try it offline")
    config = read_crawl_config(options.config, options.assignments)
    return config.with_limit(getattr(options, "limit", None))


def _print_plan(config: CrawlConfig, names: Sequence[str]) -> int:
    """The resolved config as JSON: what a run would do."""
    specs = [to_mapping(source.spec) for source in sources_of(config, names)]
    print(json.dumps({"crawl": to_mapping(config.crawl), "source": specs}, indent=2))
    return 0


def _print_report(report: CrawlReport, *, as_json: bool) -> int:
    print(json.dumps(report.to_json(), indent=2) if as_json else report.to_text(), flush=True)
    verdict = report.verdict()
    if verdict is None:
        return 0
    print(f"error: {verdict}", file=sys.stderr)
    return verdict.exit_code


def _sources(options: argparse.Namespace) -> None:
    if options.config is None:
        for name, kind in KINDS.items():
            needed, optional = kind.keys()
            print(f"{name}: {kind.summary}\n  needs: {needed}\n  may have: {optional}")
            print(kind.example)
        return
    config = read_crawl_config(options.config, options.assignments)
    for source in sources_of(config):
        print(f"{source.spec.name}: {source.spec.kind}, {', '.join(source.spec.start)}")


def _status(options: argparse.Namespace) -> None:
    with Catalog(Workspace(options.data).require_catalog(), create=False) as catalog:
        addresses = catalog.ledger.counts()
        counts = {facet: catalog.images.counts(facet) for facet in ("source", "label", "licence")}
        total = catalog.images.count()
    if options.json:
        by_state: dict[str, dict[str, int]] = {}
        for (state, reason), count in addresses.items():
            by_state.setdefault(state, {})[reason] = count
        found: dict[str, Any] = {"pictures": total, "addresses": by_state, **counts}
        print(json.dumps(found, indent=2))
        return
    print(f"{total} pictures")
    print(table("addresses", Counter({f"{s} ({r})": n for (s, r), n in addresses.items()})))
    for facet, values in counts.items():
        print(table(f"pictures by {facet}", values))


def _demo_site(options: argparse.Namespace) -> None:
    if not is_loopback(options.host):
        raise ConfigError(f"--host {options.host} is not loopback; use 127.0.0.1")
    with DemoSite(options.seed, options.pictures, options.host, options.port) as site:
        print(f"{site.url}/  (Ctrl-C ends it)", flush=True)
        site.serve_forever()


def _positive(text: str) -> int:
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of at least 1")
    return int(text)


def _port(text: str) -> int:
    if not text.isdigit() or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is no port; choose 1 to 65535, or 0 for any")
    return int(text)
