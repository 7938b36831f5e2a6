"""The commands: results on stdout, faults in one line, exit codes as promised."""

import json
import shlex
import socket
from pathlib import Path

import pytest

from scrape.cli import command_line, main
from scrape.sources import KINDS
from tests.scrape.loopback import Answer, LoopbackSite
from tests.scrape.picture_site import crawl_file, fill

VERBS = ["run", "sources", "status", "demo-site"]


def run(config: Path, data: Path, *more: str) -> int:
    return main(["run", "--config", str(config), "--data", str(data), *more])


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_help_and_examples_that_parse(
    verb: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ending:
        main([verb, "--help"])
    assert ending.value.code == 0
    shown = capsys.readouterr().out.partition("examples:")[2].strip().splitlines()
    assert shown
    for example in shown:
        words = shlex.split(example)
        assert words[:4] == ["python", "-m", "scrape", verb]
        command_line().parser.parse_args(words[3:])


def test_run_prints_a_summary_and_status_counts(
    site: LoopbackSite, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    paths = fill(site, 6)
    site.routes[paths[2]] = Answer(b"", 404)
    config = crawl_file(tmp_path, site.url)
    assert run(config, tmp_path / "data") == 0
    shown = capsys.readouterr().out
    assert "added           5" in shown
    assert "failed          1  not-found" in shown
    assert main(["status", "--data", str(tmp_path / "data")]) == 0
    assert "failed (not-found)" in capsys.readouterr().out
    assert main(["status", "--data", str(tmp_path / "data"), "--json"]) == 0
    counts = json.loads(capsys.readouterr().out)
    assert counts["pictures"] == 5
    assert counts["addresses"] == {"failed": {"not-found": 1}, "fetched": {"ok": 5}}
    assert counts["label"] == {"block": 5}
    assert counts["licence"] == {"CC0-1.0": 5}


def test_run_prints_json_for_a_machine(
    site: LoopbackSite, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fill(site, 3)
    assert run(crawl_file(tmp_path, site.url), tmp_path / "data", "--limit", "2", "--json") == 0
    assert json.loads(capsys.readouterr().out)["added"] == 2


def test_a_dry_run_prints_the_resolved_config_and_asks_nothing(
    site: LoopbackSite, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = crawl_file(tmp_path, site.url)
    more = ["--dry-run", "--set", "crawl.gap_s=3", "--limit", "7"]
    assert run(config, tmp_path / "data", *more) == 0
    plan = json.loads(capsys.readouterr().out)
    assert (plan["crawl"]["gap_s"], plan["crawl"]["limit"]) == (3.0, 7)
    assert plan["source"][0]["name"] == "grid"
    assert site.requests == []
    assert not (tmp_path / "data").exists()


def test_sources_lists_kinds_with_examples_and_a_configs_sources(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["sources"]) == 0
    shown = capsys.readouterr().out
    assert "card-grid: " in shown
    assert all(f"\n{name}" in f"\n{shown}" for name in KINDS)
    assert "needs: a key in FLICKR_API_KEY" in shown
    assert main(["sources", "card-grid"]) == 0
    shown = capsys.readouterr().out
    assert 'kind = "card-grid"' in shown
    assert "keys:  kind, name, start, card; may have: label" in shown
    assert main(["sources", "cards"]) == 2
    assert "there is no kind cards; there are: " in capsys.readouterr().err
    config = crawl_file(tmp_path, "https://example.org")
    assert main(["sources", "--config", str(config)]) == 0
    assert capsys.readouterr().out == "grid: card-grid, example.org\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["run"], "say what to collect: a kind of source"),
        (["run", "--config", "missing.toml"], "cannot read config missing.toml"),
        (["run", "--config", "missing.toml", "--demo-site"], "brings its own config"),
        (["run", "--pictures", "logos.tar"], "add --demo-site"),
        (["demo-site", "--host", "0.0.0.0"], "--host 0.0.0.0 is not loopback"),
        (["status", "--data", "nowhere"], "no catalogue at nowhere"),
    ],
)
def test_a_wrong_command_is_one_line_and_exit_2(
    arguments: list[str],
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(arguments) == 2
    error = capsys.readouterr().err
    assert message in error
    assert len(error.splitlines()) == 1


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["crawl"],
        ["run", "--limit", "0"],
        ["run", "--limit", "-3"],
        ["run", "--port", "99999"],
        ["demo-site", "--port", "x"],
    ],
)
def test_wrong_usage_is_exit_2(arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as ending:
        main(arguments)
    assert ending.value.code == 2


def test_an_unknown_source_is_exit_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = crawl_file(tmp_path, "https://example.org")
    assert run(config, tmp_path / "data", "--source", "dogs") == 2
    assert "there is no source dogs in this config; it has: grid" in capsys.readouterr().err


def test_without_a_contact_a_live_run_is_exit_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = crawl_file(tmp_path, "https://example.org")
    assert run(config, tmp_path / "data", "--set", "crawl.contact=") == 2
    assert 'set crawl.contact = "you@example.org"' in capsys.readouterr().err


def test_no_readable_source_is_exit_4(
    site: LoopbackSite, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(crawl_file(tmp_path, site.url), tmp_path / "data") == 4
    captured = capsys.readouterr()
    assert "added           0" in captured.out
    assert "error: no source could be read" in captured.err


def test_everything_forbidden_is_exit_5(site: LoopbackSite, tmp_path: Path) -> None:
    fill(site, 3)
    site.routes["/robots.txt"] = Answer(b"User-agent: *\nDisallow: /")
    assert run(crawl_file(tmp_path, site.url), tmp_path / "data") == 5


def test_some_failures_are_exit_0(site: LoopbackSite, tmp_path: Path) -> None:
    paths = fill(site, 2)
    site.routes[paths[0]] = Answer(b"", 404)
    assert run(crawl_file(tmp_path, site.url), tmp_path / "data") == 0


def test_a_damaged_catalogue_is_exit_3(
    site: LoopbackSite, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = tmp_path / "data"
    data.mkdir()
    (data / "catalog.sqlite").write_bytes(b"not SQLite at all" * 100)
    assert run(crawl_file(tmp_path, site.url), data) == 3
    assert main(["status", "--data", str(data)]) == 3
    assert "is damaged or no SQLite file" in capsys.readouterr().err


@pytest.mark.parametrize("verb", [["demo-site"], ["run", "--demo-site"]])
def test_a_port_in_use_is_exit_4(
    verb: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        data = ["--data", str(tmp_path)] if verb[0] == "run" else []
        assert main([*verb, "--port", port, *data]) == 4
    assert port in capsys.readouterr().err


def test_a_network_that_is_gone_is_no_refusal_of_a_site(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with LoopbackSite() as gone:
        config = crawl_file(tmp_path, gone.url)
    assert main(["run", "--config", str(config), "--data", str(tmp_path / "data")]) == 4
    told = capsys.readouterr().err.splitlines()[-1]
    assert told.endswith(": Connection refused")
    assert "Pool" not in told
