"""A crawl puts every picture into the catalogue once, every no into the ledger with its reason."""

import io
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from dataset.catalog import Catalog
from dataset.errors import ConfigError, DisallowedError, WorldError
from dataset.image_store import ImageStore
from dataset.records import AddressRecord
from dataset.workspace import Workspace
from scrape.client import PoliteClient
from scrape.clock import StepClock
from scrape.config import CrawlSettings
from scrape.crawl import crawl
from scrape.report import CrawlReport
from scrape.sources import ScrapedItem, Source
from scrape.sources.source import StartSpec
from tests.scrape.conftest import SETTINGS
from tests.scrape.drawings import picture
from tests.scrape.loopback import Answer, LoopbackSite, Script, page, redirect
from tests.scrape.picture_site import fill, grid_source, plant, show


@dataclass
class Runs:
    """Crawls of one site into one data folder, each run with a client of its own."""

    site: LoopbackSite
    workspace: Workspace
    clock: StepClock
    settings: CrawlSettings = SETTINGS

    def run(self, *sources: Source[Any]) -> CrawlReport:
        with PoliteClient(self.settings, clock=self.clock) as client:
            chosen = sources or (grid_source(self.site.url),)
            return crawl(chosen, self.settings, self.workspace, client=client)

    def catalog(self) -> Catalog:
        return Catalog(self.workspace.catalog)

    def ledger(self, path: str) -> AddressRecord | None:
        with self.catalog() as catalog:
            return catalog.ledger.get(self.site.url + path)


@pytest.fixture
def runs(site: LoopbackSite, tmp_path: Path, clock: StepClock) -> Runs:
    return Runs(site, Workspace(tmp_path / "data"), clock)


def test_pictures_arrive_with_text_label_origin_and_licence(runs: Runs) -> None:
    paths = fill(runs.site, 12)
    report = runs.run()
    assert (report.added, report.known, report.seen) == (12, 0, 0)
    assert report.verdict() is None
    with runs.catalog() as catalog:
        records = list(catalog.images.all())
        found = {catalog.images.origins(record.id)[0].url: record for record in records}
        assert set(found) == {runs.site.url + path for path in paths}
        assert {record.label for record in records} == {"block"}
        origin = catalog.images.origins(records[0].id)[0]
        assert (origin.source, origin.licence) == ("grid", "CC0-1.0")
        assert origin.page_url == f"{runs.site.url}/"
        third = found[f"{runs.site.url}/media/3.png"]
        captions = catalog.images.captions(third.id)
        assert [(c.text, c.origin) for c in captions] == [("Picture /media/3.png", "card p")]
        store = ImageStore(runs.workspace.images)
        assert store.get(third.sha256) == picture(3)


def test_a_second_run_asks_for_no_picture(runs: Runs) -> None:
    fill(runs.site, 12)
    runs.run()
    asked = len(runs.site.paths("/media/"))
    with runs.catalog() as catalog:
        before = [catalog.images.origins(record.id) for record in catalog.images.all()]
    report = runs.run()
    assert asked == len(runs.site.paths("/media/")) == 12
    assert (report.added, report.known, report.seen) == (0, 0, 12)
    with runs.catalog() as catalog:
        assert [catalog.images.origins(record.id) for record in catalog.images.all()] == before


BAD_ANSWERS: dict[str, tuple[Script, str, str]] = {
    "html": (Answer(b"<!DOCTYPE html><p>Sorry", headers={"Content-Type": "image/png"}),
             "rejected", "html"),
    "empty": (Answer(b""), "rejected", "empty"),
    "text": (Answer(b"just some text"), "rejected", "not-an-image"),
    "svg": (Answer(b"<svg xmlns='http://www.w3.org/2000/svg'><image href='/x.png'/></svg>"),
            "rejected", "svg-external"),
    "tiny": (Answer(picture(1, side=6)), "rejected", "too-small"),
    "half-jpeg": (Answer(picture(2, side=200, format="JPEG")[:2000]), "rejected", "truncated"),
    "junk-png": (Answer(picture(3).replace(b"IDAT", b"IDAT????", 1)), "rejected", "broken"),
    "huge": (Answer(bytes(3_000_000)), "rejected", "too-many-bytes"),
    "gone": (Answer(b"", 404), "failed", "not-found"),
    "forbidden": (Answer(b"", 403), "failed", "http-403"),
    "cut": (Answer(picture(4), missing=50), "failed", "cut-short"),
    "circle": (redirect("/circle"), "failed", "redirect-loop"),
    "packed": (Answer(b"plain text", headers={"Content-Encoding": "gzip"}),
               "failed", "bad-encoding"),
    "busy": (Answer(b"", 503), "retry", "http-503"),
    "many": (Answer(b"", 429, {"Retry-After": "2"}), "retry", "http-429"),
    "dead": (Answer(reset=True), "retry", "connection"),
    "noai": (Answer(picture(5), headers={"X-Robots-Tag": "noai"}), "refused", "opt-out"),
    "private/x": (Answer(picture(6)), "refused", "robots"),
    "inside": (redirect("http://10.0.0.1/x.png"), "refused", "private-address"),
    "file": (redirect("file:///etc/passwd"), "refused", "scheme"),
}  # fmt: skip


def test_every_bad_answer_has_its_state_and_reason(runs: Runs) -> None:
    runs.settings = replace(SETTINGS, max_bytes=1_000_000)
    runs.site.routes["/robots.txt"] = Answer(b"User-agent: *\nDisallow: /private/")
    plant(runs.site, {f"/{name}": script for name, (script, _, _) in BAD_ANSWERS.items()})
    report = runs.run()
    written = {name: runs.ledger(f"/{name}") for name in BAD_ANSWERS}
    found = {name: (r.state, r.reason) for name, r in written.items() if r is not None}
    assert found == {name: (state, reason) for name, (_, state, reason) in BAD_ANSWERS.items()}
    assert report.added == 0
    counted = sum(sum(reasons.values()) for reasons in report.outcomes.values())
    assert counted == len(BAD_ANSWERS)


def test_a_final_no_is_not_asked_again_and_a_passing_one_is(runs: Runs) -> None:
    plant(runs.site, {"/gone": Answer(b"", 404), "/busy": Answer(b"", 503)})
    runs.run()
    runs.site.routes["/gone"] = runs.site.routes["/busy"] = Answer(picture(1))
    report = runs.run()
    assert (report.added, report.settled) == (1, 1)
    assert len(runs.site.paths("/gone")) == 1
    record = runs.ledger("/busy")
    assert record is not None
    assert (record.state, record.attempts, record.http_status) == ("fetched", 5, 200)


def test_an_address_that_never_answers_well_is_given_up(runs: Runs) -> None:
    plant(runs.site, {"/busy": Answer(b"", 503)})
    reports = [runs.run() for _ in range(6)]
    assert [report.outcomes["retry"]["http-503"] for report in reports] == [1, 1, 1, 1, 0, 0]
    assert reports[4].outcomes["failed"]["http-503"] == 1
    assert reports[5].settled == 1
    assert len(runs.site.paths("/busy")) == 20


def test_a_long_rest_that_a_site_asks_for_is_kept_across_runs(runs: Runs) -> None:
    plant(runs.site, {"/a": Answer(b"", 429, {"Retry-After": "7200"}), "/b": Answer(picture(1))})
    runs.settings = replace(SETTINGS, workers=1)
    first = runs.run()
    assert (first.outcomes["retry"], first.waiting) == ({"http-429": 1}, 1)
    assert "asked for" in first.hosts[runs.site.url.removeprefix("http://")]
    runs.site.routes["/a"] = Answer(picture(2))
    asked = len(runs.site.requests)
    assert runs.run().sources["grid"].reason == "host-asleep"
    assert len(runs.site.requests) == asked  # neither robots.txt nor the list
    runs.clock = StepClock(runs.clock.wall() + 7300)
    assert runs.run().added == 2


def test_a_list_that_asks_for_a_long_rest_is_left_alone_by_the_next_run(runs: Runs) -> None:
    runs.site.routes["/"] = Answer(b"", 429, {"Retry-After": "3600"})
    runs.run()
    asked = len(runs.site.requests)
    runs.run()
    assert len(runs.site.requests) == asked


def test_a_limit_counts_addresses_not_namings(runs: Runs) -> None:
    paths = fill(runs.site, 8)
    show(runs.site, [paths[0]] * 20 + paths, per_page=40)
    runs.settings = replace(SETTINGS, limit=5)
    assert runs.run().added == 5


def test_an_address_that_is_too_long_once_escaped_does_not_stop_the_others(runs: Runs) -> None:
    paths = fill(runs.site, 2)
    show(runs.site, ["/" + "\u4e2d" * 1400, "/" + "\u56fd" * 1400, *paths])
    assert runs.run().added == 2


def test_two_runs_in_one_folder_exclude_each_other(runs: Runs) -> None:
    fill(runs.site, 1)
    with (
        runs.workspace.locked("collecting"),
        pytest.raises(WorldError, match="another process is collecting"),
    ):
        runs.run()


def test_one_address_on_two_pages_is_asked_once_and_has_two_origins(runs: Runs) -> None:
    paths = fill(runs.site, 4, per_page=2)
    show(runs.site, [*paths, paths[0]], per_page=4)
    runs.site.routes[paths[0]] = Answer(picture(0), delay_s=0.1)
    report = runs.run()
    assert (report.added, report.seen) == (4, 1)
    assert len(runs.site.paths(paths[0])) == 1
    record = runs.ledger(paths[0])
    assert record is not None
    with runs.catalog() as catalog:
        image = catalog.images.by_sha256(record.sha256)
        assert image is not None
        pages = [origin.page_url for origin in catalog.images.origins(image.id)]
    assert pages == [f"{runs.site.url}/", f"{runs.site.url}/?page=2"]


def test_addresses_that_differ_only_in_spelling_are_one(runs: Runs) -> None:
    runs.site.routes["/a.png"] = Answer(picture(1))
    show(runs.site, ["/a.png", "/%61.png", "/x/../a.png", "/a.png#top"])
    assert (runs.run().added, len(runs.site.paths("/a"))) == (1, 1)


def test_the_same_bytes_elsewhere_are_known_and_add_an_origin(runs: Runs) -> None:
    plant(runs.site, {"/a": Answer(picture(1)), "/b": Answer(picture(1))})
    report = runs.run()
    assert (report.added, report.known) == (1, 1)
    with runs.catalog() as catalog:
        assert len(catalog.images.origins(1)) == 2


def test_the_same_pixels_in_other_bytes_are_known_and_stay_so(runs: Runs) -> None:
    rewritten = io.BytesIO()
    Image.open(io.BytesIO(picture(1))).save(rewritten, "PNG", compress_level=1)
    assert rewritten.getvalue() != picture(1)
    plant(runs.site, {"/a": Answer(picture(1)), "/b": Answer(rewritten.getvalue())})
    assert (runs.run().known, runs.run().seen) == (1, 2)
    assert len(runs.site.paths("/b")) == 1


def test_a_source_that_fails_is_named_and_the_others_go_on(runs: Runs) -> None:
    fill(runs.site, 3)
    with LoopbackSite({"/": page("<p>we have moved")}) as other:
        report = runs.run(grid_source(other.url, name="moved"), grid_source(runs.site.url))
    assert report.added == 3
    assert report.sources["moved"].reason == "no-cards"
    assert report.sources["grid"].is_complete
    assert report.verdict() is None


def test_no_readable_source_at_all_is_a_failure_of_the_world(runs: Runs) -> None:
    runs.site.routes["/"] = Answer(b"", 500)
    verdict = runs.run().verdict()
    assert isinstance(verdict, WorldError)
    assert "HTTP 500" in str(verdict)


@pytest.mark.parametrize("closed", ["/", "/media/"])
def test_a_site_that_forbids_everything_is_a_refusal(runs: Runs, closed: str) -> None:
    fill(runs.site, 3)
    runs.site.routes["/robots.txt"] = Answer(f"User-agent: *\nDisallow: {closed}".encode())
    verdict = runs.run().verdict()
    assert isinstance(verdict, DisallowedError)
    assert runs.site.paths("/media/") == []


def test_a_page_that_fails_later_keeps_what_came_before(runs: Runs) -> None:
    fill(runs.site, 10)
    runs.site.routes["/?page=2"] = Answer(b"", 500)
    report = runs.run()
    assert (report.added, report.sources["grid"].reason) == (5, "http-500")
    assert not report.sources["grid"].is_complete
    assert report.verdict() is None


def test_limit_is_pictures_asked_for_per_source(runs: Runs) -> None:
    fill(runs.site, 12)
    runs.settings = replace(SETTINGS, limit=4)
    report = runs.run()
    assert (report.added, report.sources["grid"].is_complete) == (4, False)
    assert runs.run().added == 4
    assert len(runs.site.paths("/media/")) == 8


def test_without_a_contact_nothing_outside_is_asked(tmp_path: Path) -> None:
    settings = CrawlSettings(allow_hosts=("127.0.0.1",))
    workspace = Workspace(tmp_path / "data")
    with pytest.raises(ConfigError, match=r"example\.org without a contact .* set crawl\.contact"):
        crawl([grid_source("https://example.org")], settings, workspace)
    assert not workspace.catalog.exists()


def test_a_picture_on_a_host_that_needs_a_contact_waits_for_one(runs: Runs) -> None:
    plant(runs.site, {"/a": Answer(picture(1)), "/b": redirect("http://example.org/b.png")})
    runs.settings = replace(SETTINGS, contact="")
    report = runs.run()
    assert (report.added, report.outcomes["retry"]) == (1, {"no-contact": 1})


class _Interrupted(Source[StartSpec]):
    """Names pictures until somebody presses Ctrl-C, when five were asked for."""

    asked: Callable[[], int]

    def items(self, client: PoliteClient) -> Iterator[ScrapedItem]:
        for number in range(10):
            url = f"{self.spec.start[0]}media/{number}.png"
            yield ScrapedItem(picture_url=url, page_url=url, source=self.spec.name)
        while self.asked() < 5:
            threading.Event().wait(0.01)
        raise KeyboardInterrupt


def test_an_interrupt_keeps_what_was_taken_in_and_a_rerun_finishes(runs: Runs) -> None:
    fill(runs.site, 12)
    runs.settings = replace(SETTINGS, workers=1)
    spec = StartSpec(kind="interrupted", name="grid", start=(f"{runs.site.url}/",))
    source = _Interrupted(spec)
    source.asked = lambda: len(runs.site.paths("/media/"))
    with pytest.raises(KeyboardInterrupt):
        runs.run(source)
    with runs.catalog() as catalog:
        taken = catalog.images.count()
    assert 4 <= taken <= 10
    assert runs.run().added == 12 - taken
    assert len(runs.site.paths("/media/")) <= 12 + 2  # at most those in flight were asked twice


def test_a_known_picture_does_not_get_the_cut_text_of_its_card_again(runs: Runs) -> None:
    site = runs.site
    site.routes["/"] = page(
        '<div class="card"><a href="/d"><img src="/a.png"></a><p>A blue bird…</p></div>'
    )
    site.routes["/d"] = page("<h1>A blue bird over a hill</h1>")
    site.routes["/a.png"] = Answer(picture(1))
    source = grid_source(site.url)
    source = type(source)(replace(source.spec, detail="a@href", detail_captions=("h1",)))
    for _ in range(2):
        runs.run(source)
    with runs.catalog() as catalog:
        assert [c.text for c in catalog.images.captions(1)] == ["A blue bird over a hill"]
    assert len(site.paths("/d")) == 1


def test_a_picture_waits_for_its_detail_page_a_whole_run_and_then_comes_without(
    runs: Runs,
) -> None:
    site = runs.site
    site.routes["/"] = page(
        '<div class="card"><a href="/d"><img src="/a.png"></a><p>A blue bird…</p></div>'
    )
    site.routes["/d"] = Answer(b"", 503)
    site.routes["/a.png"] = Answer(picture(1))
    source = grid_source(site.url)
    source = type(source)(replace(source.spec, detail="a@href", detail_captions=("h1",)))
    assert runs.run(source).outcomes["retry"] == {"http-503": 1}
    assert site.paths("/a.png") == []
    assert runs.run(source).added == 1
    with runs.catalog() as catalog:
        assert [c.text for c in catalog.images.captions(1)] == ["A blue bird…"]


def test_warnings_of_sources_reach_the_report(runs: Runs) -> None:
    fill(runs.site, 2)
    runs.site.routes["/"] = page('<div class="card"><p>no picture</p></div>')
    report = runs.run()
    assert "1 cards, 0 pictures" in report.warnings[0]
    assert "warning: grid: " in report.to_text()


def test_a_fetched_picture_that_the_catalogue_lost_is_fetched_again(runs: Runs) -> None:
    (path,) = fill(runs.site, 1)
    runs.run()
    record = runs.ledger(path)
    assert record is not None
    with runs.catalog() as catalog:
        catalog.ledger.put(replace(record, sha256="0" * 64))
    assert (runs.run().known, runs.run().seen) == (1, 1)
