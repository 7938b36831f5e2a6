"""What a command line asks for, as the config of a crawl."""

import argparse
from pathlib import Path

from dataset.errors import ConfigError
from scrape.config import CrawlConfig, crawl_config, read_crawl_config


def asked_config(options: argparse.Namespace) -> CrawlConfig:
    """The crawl file, or a source for every kind that is named, or both."""
    if options.pictures:
        raise ConfigError("--pictures is served by the demo site; add --demo-site")
    if options.config is None and not options.kinds:
        raise ConfigError(
            "say what to collect: a kind of source (see: scrape sources), --config FILE, "
            "or --demo-site to try it offline"
        )
    given = _given_keys(options)
    tables = [{"kind": kind, "name": kind, **given} for kind in dict.fromkeys(options.kinds)]
    if options.config is None:
        config = crawl_config({"source": tables}, options.assignments, origin="the command line")
    else:
        config = read_crawl_config(options.config, tables, options.assignments)
        if given and not options.kinds:
            raise ConfigError(
                "--query, --label and --from belong to kinds named on the command line"
            )
    return config.with_limit(options.limit)


def _given_keys(options: argparse.Namespace) -> dict[str, object]:
    """The keys of a source that options of the command line set."""
    keys: dict[str, object] = {}
    queries = [*options.query, *(_read_queries(options.queries) if options.queries else [])]
    if queries:
        keys["queries"] = queries
    if options.path:
        keys["path"] = options.path
    if options.label_from_query and options.label:
        raise ConfigError("--label and --label-from-query exclude each other; leave one out")
    if options.label_from_query and not queries:
        raise ConfigError("--label-from-query needs queries; give --query TEXT or --queries FILE")
    if options.label:
        keys["label"] = options.label
    return keys


def _read_queries(path: Path) -> list[str]:
    try:
        lines = path.read_text("utf-8-sig").splitlines()
    except FileNotFoundError:
        raise ConfigError(f"no list of queries at {path}; check --queries") from None
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path} is not UTF-8 ({error}); save it as UTF-8") from None
    queries = [" ".join(line.split()) for line in lines if line.strip() and line[0] != "#"]
    if not queries:
        raise ConfigError(f"{path} holds no query; write one a line")
    return list(dict.fromkeys(queries))
