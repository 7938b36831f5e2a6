"""A whole run: what it is told is remembered, and what it cannot do is said before anything."""

import json
from pathlib import Path

import pytest

from dataset.catalog import Catalog
from dataset.errors import ConfigError
from dataset.workspace import Workspace
from scrape.collect import Tape, collect, last_run, resume
from scrape.config import CrawlConfig, read_crawl_config
from tests.scrape.drawings import picture
from tests.scrape.loopback import Answer, LoopbackSite
from tests.scrape.picture_site import crawl_file, fill, plant


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace(tmp_path / "data")


@pytest.fixture
def config(site: LoopbackSite, tmp_path: Path) -> CrawlConfig:
    fill(site, 6)
    return read_crawl_config(crawl_file(tmp_path, site.url, settings="tries = 1"))


def test_the_run_is_remembered_as_it_was_resolved(
    config: CrawlConfig, workspace: Workspace
) -> None:
    limited = config.with_limit(3)
    report = collect(limited, [], workspace)
    assert (report.added, report.sources["grid"].is_limited) == (3, True)
    found, names, unread = last_run(workspace)
    assert found == limited
    assert (names, unread) == (["grid"], [])


def test_a_run_that_did_not_end_has_all_its_lists_to_read(
    config: CrawlConfig, workspace: Workspace
) -> None:
    collect(config, [], workspace)
    with Catalog(workspace.catalog) as catalog:
        stored = catalog.ledger.last_run()
        assert stored is not None
        catalog.ledger.begin_run(stored.config)  # and then the power went
    assert last_run(workspace)[2] == ["grid"]
    assert resume(workspace).seen == 6
    assert last_run(workspace)[2] == []


def test_an_unknown_source_is_named_before_anything_is_asked(
    site: LoopbackSite, config: CrawlConfig, workspace: Workspace
) -> None:
    with pytest.raises(ConfigError, match="grit"):
        collect(config, ["grit"], workspace)
    assert site.requests == []
    assert not workspace.catalog.exists()


def test_a_source_outside_without_a_contact_is_refused_before_anything_is_asked(
    tmp_path: Path, workspace: Workspace
) -> None:
    written = crawl_file(tmp_path, "https://example.org")
    written.write_text(written.read_text().replace('contact = "owner@example.org"', ""))
    with pytest.raises(ConfigError, match=r"set crawl\.contact"):
        collect(read_crawl_config(written), [], workspace)
    assert not workspace.catalog.exists()


def test_a_recording_that_is_not_there_leaves_no_catalogue_behind(
    config: CrawlConfig, workspace: Workspace, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match="no recording"):
        collect(config, [], workspace, tape=Tape(replay=tmp_path / "none"))
    assert not workspace.catalog.exists()


def test_without_any_run_there_is_nothing_to_go_on_with(workspace: Workspace) -> None:
    with Catalog(workspace.catalog):
        pass
    with pytest.raises(ConfigError, match="start one with: scrape run"):
        resume(workspace)


def test_a_source_of_the_last_run_with_a_wrong_override_is_named(
    config: CrawlConfig, workspace: Workspace
) -> None:
    collect(config, [], workspace)
    with pytest.raises(ConfigError, match="grit"):
        resume(workspace, ["source.grit.card=x"])


def test_the_report_of_a_run_is_kept(
    site: LoopbackSite, config: CrawlConfig, workspace: Workspace
) -> None:
    plant(site, {"/a": Answer(picture(1)), "/gone": Answer(b"", 404)})
    report = collect(config, [], workspace)
    with Catalog(workspace.catalog) as catalog:
        stored = catalog.ledger.last_run()
    assert stored is not None
    assert json.loads(stored.report) == json.loads(json.dumps(report.to_json()))
