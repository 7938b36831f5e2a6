"""resume, retry, rechecks and kept pages: what a second run does with what the first one left."""

import json
import time
from dataclasses import replace
from email.utils import formatdate
from pathlib import Path

import pytest

from dataset.catalog import Catalog
from dataset.errors import ConfigError
from dataset.records import AddressRecord
from dataset.workspace import Workspace
from scrape import cli
from scrape.client import PoliteClient
from scrape.clock import StepClock
from scrape.collect import last_run, resume
from scrape.crawl import crawl
from scrape.report import CrawlReport
from tests.scrape.conftest import SETTINGS
from tests.scrape.drawings import picture
from tests.scrape.loopback import Answer, LoopbackSite, Script, page
from tests.scrape.picture_site import card, crawl_file, fill, grid_source, plant

DAY = 86400.0


@pytest.fixture
def data(tmp_path: Path) -> Workspace:
    return Workspace(tmp_path / "data")


def run(site: LoopbackSite, data: Workspace, *more: str, settings: str = "") -> int:
    config = crawl_file(data.root.parent, site.url, settings=f"tries = 1\n{settings}")
    return cli.main(["run", "--config", str(config), "--data", str(data.root), *more])


def going_on(verb: str, data: Workspace, *more: str) -> int:
    return cli.main([verb, "--data", str(data.root), *more])


def row(data: Workspace, address: str) -> AddressRecord:
    with Catalog(data.catalog) as catalog:
        record = catalog.ledger.get(address)
    assert record is not None
    return record


def test_retry_asks_again_for_one_reason_alone(
    site: LoopbackSite, data: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    plant(site, {"/gone": Answer(b"", 404), "/html": Answer(b"<html>"), "/a": Answer(picture(1))})
    assert run(site, data) == 0
    site.routes["/gone"], site.routes["/html"] = Answer(picture(2)), Answer(picture(3))
    asked = len(site.paths())
    assert going_on("retry", data, "--reason", "not-found", "--dry-run") == 0
    assert len(site.paths()) == asked
    assert going_on("retry", data, "--reason", "not-found") == 0
    assert site.paths()[asked:] == ["/gone"]  # no list is read again
    assert row(data, site.url + "/gone").state == "fetched"
    assert row(data, site.url + "/html").reason == "html"
    assert "1 addresses to ask again" in capsys.readouterr().out


def test_retry_of_a_reason_that_nothing_has_asks_for_nothing(
    site: LoopbackSite, data: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    plant(site, {"/a": Answer(picture(1))})
    run(site, data)
    asked = len(site.paths())
    assert going_on("retry", data, "--reason", "robots") == 2
    assert len(site.paths()) == asked
    assert "no address has the reason robots; there are: ok" in capsys.readouterr().err


def test_what_the_config_forbade_is_had_after_a_change_and_a_retry(
    site: LoopbackSite, data: Workspace
) -> None:
    with LoopbackSite({"/b.png": Answer(picture(2))}, host="127.0.0.2") as other:
        plant(site, {"/a": Answer(picture(1))})
        site.routes["/"] = page(card("/a", "a") + card(f"{other.url}/b.png", "b"))
        assert run(site, data) == 0
        assert row(data, f"{other.url}/b.png").reason == "private-address"
        assert run(site, data) == 0  # settled: not even looked at again
        allow = ["--set", 'crawl.allow_hosts=["127.0.0.1", "127.0.0.2"]']
        assert going_on("retry", data, "--reason", "private-address", *allow) == 0
        assert row(data, f"{other.url}/b.png").state == "fetched"
        assert other.paths() == ["/b.png"]


def test_a_larger_limit_of_bytes_and_a_retry_bring_a_large_picture(
    site: LoopbackSite, data: Workspace
) -> None:
    plant(site, {"/a": Answer(picture(1)), "/large": Answer(picture(2) + bytes(90_000))})
    run(site, data, settings="max_bytes = 50000")
    assert row(data, site.url + "/large").reason == "too-many-bytes"
    assert (
        going_on("retry", data, "--reason", "too-many-bytes", "--set", "crawl.max_bytes=99999") == 0
    )
    assert row(data, site.url + "/large").state == "fetched"


def test_resume_asks_for_what_is_open_and_reads_no_list_that_was_read(
    site: LoopbackSite, data: Workspace
) -> None:
    plant(site, {"/busy": Answer(b"", 503), "/a": Answer(picture(1)), "/gone": Answer(b"", 404)})
    assert run(site, data) == 0
    site.routes["/busy"] = Answer(picture(2))
    asked = len(site.paths())
    assert going_on("resume", data) == 0
    assert site.paths()[asked:] == ["/busy"]
    assert going_on("resume", data) == 0  # nothing is left
    assert len(site.paths()) == asked + 1


def test_resume_reads_a_list_again_that_had_failed(site: LoopbackSite, data: Workspace) -> None:
    fill(site, 10)
    second, site.routes["/?page=2"] = site.routes["/?page=2"], Answer(b"", 500)
    assert run(site, data) == 0
    site.routes["/?page=2"] = second
    assert going_on("resume", data) == 0
    with Catalog(data.catalog) as catalog:
        assert catalog.images.count() == 10


def test_resume_overrides_a_key_of_the_last_run(site: LoopbackSite, data: Workspace) -> None:
    fill(site, 4)
    run(site, data)
    config, names, unread = last_run(data, ["crawl.gap_s=7"])
    assert (config.crawl.gap_s, names, unread) == (7.0, ["grid"], [])
    with pytest.raises(ConfigError, match="gap_z"):
        last_run(data, ["crawl.gap_z=7"])


def test_without_a_run_there_is_nothing_to_resume(
    data: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    assert going_on("resume", data) in (2, 3)
    with Catalog(data.catalog), pytest.raises(ConfigError, match="start one with: scrape run"):
        resume(data)
    assert "Traceback" not in capsys.readouterr().err


def test_the_limit_of_a_run_holds_for_its_resumption_and_another_run_goes_further(
    site: LoopbackSite, data: Workspace
) -> None:
    fill(site, 12)
    run(site, data, "--limit", "5")
    assert len(site.paths("/media/")) == 5
    assert going_on("resume", data) == 0
    assert len(site.paths("/media/")) == 5  # the list was left at its limit, on purpose
    run(site, data, "--limit", "5")
    assert sorted(site.paths("/media/")) == sorted(f"/media/{n}.png" for n in range(10))


# Pictures that may have changed


class Changing:
    """A picture with a validator; it answers 304 to whoever knows its present bytes."""

    def __init__(self, number: int) -> None:
        self.number = number

    def answer(self, site: LoopbackSite) -> Script:
        tag = f'"{self.number}"'

        def script(_: int) -> Answer:
            asked = site.requests[-1].headers
            if asked.get("if-none-match") == tag:
                return Answer(b"", 304, {"ETag": tag})
            return Answer(picture(self.number), headers={"ETag": tag})

        return script


def recheck(
    site: LoopbackSite, data: Workspace, days_later: float, *, recheck_days: float | None = 7
) -> CrawlReport:
    # Rows carry the real time: the second run lies that far ahead of it.
    clock = StepClock(time.time() + days_later * DAY)
    settings = replace(SETTINGS, recheck_days=recheck_days, workers=1)
    with PoliteClient(settings, clock=clock) as client:
        return crawl([grid_source(site.url)], settings, data, client=client)


def test_a_picture_is_asked_whether_it_changed_when_its_time_has_come(
    site: LoopbackSite, data: Workspace
) -> None:
    plant(site, {"/a": Changing(1).answer(site), "/b": Answer(picture(2))})
    assert recheck(site, data, 0).added == 2
    early = recheck(site, data, 6)
    assert (early.seen, early.unchanged, len(site.paths("/a"))) == (2, 0, 1)
    due = recheck(site, data, 8)
    assert (due.added, due.unchanged, due.seen) == (0, 1, 1)  # /b has nothing to ask with
    assert row(data, site.url + "/a").state == "fetched"
    assert recheck(site, data, 8, recheck_days=None).seen == 2
    with Catalog(data.catalog) as catalog:
        assert catalog.images.count() == 2
        assert len(catalog.images.origins(1)) == 1


def test_changed_bytes_at_a_known_address_are_a_new_picture_and_the_old_one_stays(
    site: LoopbackSite, data: Workspace
) -> None:
    changing = Changing(1)
    plant(site, {"/a": changing.answer(site)})
    recheck(site, data, 0)
    before = row(data, site.url + "/a")
    changing.number = 5
    site.routes["/a"] = changing.answer(site)
    assert recheck(site, data, 8).added == 1
    after = row(data, site.url + "/a")
    assert after.sha256 != before.sha256
    assert after.etag == '"5"'
    with Catalog(data.catalog) as catalog:
        assert catalog.images.count() == 2


def test_a_recheck_that_fails_keeps_the_picture(site: LoopbackSite, data: Workspace) -> None:
    plant(site, {"/a": Changing(1).answer(site)})
    recheck(site, data, 0)
    site.routes["/a"] = Answer(b"", 404)
    recheck(site, data, 8)
    with Catalog(data.catalog) as catalog:
        assert catalog.images.count() == 1


# Pages that may have changed


@pytest.mark.parametrize(
    ("header", "question"),
    [
        ({"ETag": '"1"'}, "if-none-match"),
        ({"Last-Modified": formatdate(0, usegmt=True)}, "if-modified-since"),
    ],
)
def test_a_second_run_asks_a_page_whether_it_changed(
    site: LoopbackSite, data: Workspace, header: dict[str, str], question: str
) -> None:
    fill(site, 3)
    whole = site.routes["/"]
    assert isinstance(whole, Answer)
    answers = {False: replace(whole, headers={**whole.headers, **header}), True: Answer(b"", 304)}
    site.routes["/"] = lambda _: answers[question in site.requests[-1].headers]
    assert run(site, data) == 0
    del site.written["/"]
    assert run(site, data) == 0
    assert site.requests[-1].headers[question]
    assert "/" not in site.written  # not a byte of it came again
    with Catalog(data.catalog) as catalog:
        stored = catalog.ledger.last_run()
    assert stored is not None
    assert json.loads(stored.report)["seen"] == 3


def test_a_kept_page_that_was_damaged_is_asked_for_anew(
    site: LoopbackSite, data: Workspace
) -> None:
    fill(site, 3)
    whole = site.routes["/"]
    assert isinstance(whole, Answer)
    site.routes["/"] = replace(whole, headers={**whole.headers, "ETag": '"1"'})
    run(site, data)
    bodies = list((data.root / "pages").rglob("*.body"))
    assert len(bodies) == 1
    bodies[0].write_bytes(b"half")
    assert run(site, data) == 0
    assert "if-none-match" not in site.requests[-1].headers


def test_a_run_leaves_its_config_and_report_behind(site: LoopbackSite, data: Workspace) -> None:
    fill(site, 3)
    run(site, data, "--source", "grid")
    with Catalog(data.catalog) as catalog:
        stored = catalog.ledger.last_run()
    assert stored is not None
    assert json.loads(stored.report)["added"] == 3
    assert json.loads(stored.config)["names"] == ["grid"]
    assert stored.ended_at >= stored.started_at > ""


def test_an_unknown_data_folder_is_one_line(
    data: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    assert going_on("retry", data, "--reason", "html") in (2, 3)
    assert len(capsys.readouterr().err.strip().splitlines()) == 1
