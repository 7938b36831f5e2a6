"""The collecting stage's commands; try it without a network:

python -m scrape run --demo-site --data data --limit 20
"""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from dataset.catalog import Catalog
from dataset.command_line import CommandLine, add_config_options, add_data_option
from dataset.config import to_mapping
from dataset.errors import ConfigError
from dataset.records import STATUSES, ImageFilter
from dataset.workspace import Workspace
from scrape.asked import asked_config
from scrape.attribution import licence_summary, write_attribution, write_manifest
from scrape.collect import Tape, collect, last_run, resume
from scrape.config import CrawlConfig, read_crawl_config
from scrape.demo_crawl import DemoCrawl
from scrape.demo_site import DemoSite
from scrape.explain import explain
from scrape.guard import is_loopback
from scrape.report import CrawlReport, table
from scrape.sources import KINDS, sources_of
from scrape.standing import standing

DEMO_PORT = 8765


def main(arguments: Sequence[str] | None = None) -> int:
    return command_line().run(arguments)


def command_line() -> CommandLine:
    """Every verb of `python -m scrape`."""
    line = CommandLine("scrape", "Collect pictures politely, with their captions and origins.")
    _add_run(line)
    _add_going_on(line)
    _add_looking(line)
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
        "collect pictures from kinds of sources, from those of a config, or from the demo site",
        'python -m scrape run commons openverse --query "red panda" --set crawl.contact=me@a.org\n'
        "python -m scrape run google --queries breeds.txt --label-from-query --limit 200\n"
        "python -m scrape run favicons --from domains.csv\n"
        "python -m scrape run --config crawl.toml --source logos --limit 100\n"
        "python -m scrape run --demo-site --data data",
    )
    run.add_argument(
        "kinds", nargs="*", metavar="KIND", help="a kind of source to ask (see: scrape sources)"
    )
    add_config_options(run, "the crawl")
    add_data_option(run)
    run.add_argument(
        "--query", action="append", default=[], metavar="TEXT", help="what to ask for; repeatable"
    )
    run.add_argument("--queries", type=Path, metavar="FILE", help="a list of queries, one a line")
    run.add_argument(
        "--label-from-query", action="store_true", help="label every picture with its query"
    )
    run.add_argument("--label", metavar="TEXT", help="label every picture with this")
    run.add_argument(
        "--from", dest="path", metavar="PATH", help="the file or folder that a kind reads"
    )
    run.add_argument(
        "--source", action="append", default=[], metavar="NAME", help="only this one; repeatable"
    )
    run.add_argument(
        "--limit", type=_positive, metavar="N", help="ask for at most N pictures of each source"
    )
    _add_tape_options(run)
    run.add_argument("--json", action="store_true", help="print the summary as one JSON object")
    run.add_argument(
        "--demo-site", action="store_true", help="collect from the embedded demo site, offline"
    )
    run.add_argument(
        "--again", action="store_true", help="crawl the demo site even if that was done already"
    )
    _add_demo_options(run)


def _add_going_on(line: CommandLine) -> None:
    """The verbs that go on with what a run left."""
    going_on = line.verb(
        "resume",
        _resume,
        "go on with the last run: what it left, and lists that it did not read to the end",
        "python -m scrape resume --data data\npython -m scrape resume --set crawl.gap_s=2",
    )
    retry = line.verb(
        "retry",
        _retry,
        "ask again for addresses that got a final no, by reason",
        "python -m scrape retry --reason too-many-bytes --set crawl.max_bytes=90000000\n"
        "python -m scrape retry --reason not-found --dry-run",
    )
    retry.add_argument(
        "--reason", required=True, metavar="R", help="a reason code as `scrape status` shows it"
    )
    retry.add_argument(
        "--source", action="append", default=[], metavar="NAME", help="only this one; repeatable"
    )
    retry.add_argument("--dry-run", action="store_true", help="say how many, and stop")
    for verb in (going_on, retry):
        add_data_option(verb)
        verb.add_argument(
            "--set",
            dest="assignments",
            action="append",
            default=[],
            metavar="KEY=VALUE",
            help="override one key of the last run's config; may be repeated",
        )
        _add_tape_options(verb)
        verb.add_argument("--json", action="store_true", help="print the summary as JSON")


def _add_looking(line: CommandLine) -> None:
    """The verbs that only look."""
    sources = line.verb(
        "sources",
        _sources,
        "list the kinds of sources, what they need and how to ask them; or those of a config",
        "python -m scrape sources\npython -m scrape sources commons\n"
        "python -m scrape sources --config crawl.toml",
    )
    sources.add_argument("kind", nargs="?", help="all about this kind")
    add_config_options(sources, "the crawl")
    found = line.verb(
        "explain",
        _explain,
        "why is this picture in the set, or not: the whole story",
        "python -m scrape explain https://example.org/logo.png\npython -m scrape explain '#12'",
    )
    found.add_argument("what", metavar="ADDRESS", help="an address, or the number of a picture")
    status = line.verb(
        "status",
        _status,
        "count what was collected and what was not, and why",
        "python -m scrape status\npython -m scrape status --data data --json",
    )
    status.add_argument("--json", action="store_true", help="print one JSON object")
    export = line.verb(
        "export",
        _export,
        "write ATTRIBUTION.md and manifest.jsonl: whose pictures, under which licences",
        "python -m scrape export --to attribution\n"
        "python -m scrape export --to attribution --status all",
    )
    export.add_argument(
        "--to", type=Path, required=True, metavar="DIR", help="the folder to write into"
    )
    export.add_argument(
        "--status", choices=[*STATUSES, "all"], default="keep", help="which pictures (keep)"
    )
    for verb in (found, status, export):
        add_data_option(verb)


def _add_tape_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--record", type=Path, metavar="DIR", help="write every answer of the web into this folder"
    )
    parser.add_argument(
        "--replay", type=Path, metavar="DIR", help="answer from this folder, without the network"
    )


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
        if options.config or options.kinds:
            raise ConfigError("--demo-site brings its own config; leave --config and kinds out")
        demo = DemoCrawl(options.seed, options.pictures, options.port, tuple(options.assignments))
        if options.dry_run:
            return _print_plan(demo.config(), options.source)
        done = None if options.again else demo.completed(workspace, options.source, options.limit)
        if done:
            print(done)
            return 0
        report = demo.crawl(workspace, options.source, options.limit)
    else:
        config = asked_config(options)
        if options.dry_run:
            return _print_plan(config, options.source)
        tape = Tape(options.record, options.replay)
        report = collect(config, options.source, workspace, tape=tape)
    return _print_report(report, as_json=options.json)


def _resume(options: argparse.Namespace) -> int:
    tape = Tape(options.record, options.replay)
    report = resume(Workspace(options.data), options.assignments, tape=tape)
    return _print_report(report, as_json=options.json)


def _retry(options: argparse.Namespace) -> int:
    workspace = Workspace(options.data)
    config, names, unread = last_run(workspace, options.assignments)
    for name in options.source:
        if name not in names:
            raise ConfigError(f"the last run had no source {name}; it had: {', '.join(names)}")
    asked = options.source or names
    with Catalog(workspace.require_catalog(), create=False) as catalog:
        wanted = catalog.ledger.closed_count(options.reason, asked)
        reasons = {reason for _, reason in catalog.ledger.counts() if reason}
        if options.reason not in reasons:
            raise ConfigError(
                f"no address has the reason {options.reason}; "
                f"there are: {', '.join(sorted(reasons)) or 'none'}"
            )
        if options.dry_run or not wanted:
            print(f"{wanted} addresses of {', '.join(asked)} with the reason {options.reason}")
            return 0
        print(f"{catalog.ledger.reopen(options.reason, asked)} addresses to ask again")
    tape = Tape(options.record, options.replay)
    report = collect(config, names, workspace, tape=tape, reads=(), unread=unread)
    return _print_report(report, as_json=options.json)


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
    if options.config is not None:
        config = read_crawl_config(options.config, (), options.assignments)
        for source in sources_of(config):
            print(f"{source.spec.name}: {source.spec.kind}, {', '.join(source.spec.hosts())}")
        return
    if options.kind is not None and options.kind not in KINDS:
        raise ConfigError(f"there is no kind {options.kind}; there are: {', '.join(KINDS)}")
    for name, kind in KINDS.items():
        if options.kind in (None, name):
            mark = " (fragile)" if kind.is_fragile else ""
            print(f"{name}{mark}: {kind.summary}\n  needs: {kind.needs}")
            print(f"  ask:   {kind.ask}" if kind.ask else "  ask:   by a crawl file")
        if options.kind == name:
            needed, optional = kind.keys()
            print(f"  keys:  {needed}; may have: {optional}\n{kind.example}")
    if options.kind is None:
        print("all about one of them: python -m scrape sources KIND")


def _explain(options: argparse.Namespace) -> None:
    with Catalog(Workspace(options.data).require_catalog(), create=False) as catalog:
        print("\n  ".join(explain(catalog, options.what)))


def _status(options: argparse.Namespace) -> None:
    with Catalog(Workspace(options.data).require_catalog(), create=False) as catalog:
        found = standing(catalog)
    print(json.dumps(found.to_json(), indent=2) if options.json else found.to_text())


def _export(options: argparse.Namespace) -> None:
    where = ImageFilter(status=None if options.status == "all" else options.status)
    with Catalog(Workspace(options.data).require_catalog(), create=False) as catalog:
        write_attribution(catalog, options.to / "ATTRIBUTION.md", where)
        count = write_manifest(catalog, options.to / "manifest.jsonl", where)
        licences = licence_summary(catalog, where)
    print(f"{count} pictures in {options.to}/ATTRIBUTION.md and {options.to}/manifest.jsonl")
    if not count and options.status != "all":
        print(f"none has the judgement {options.status} yet; --status all takes every picture")
        return
    print(table("pictures by licence", licences))


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
