"""A recorded crawl is given again without a network, without secrets, and damage is one line."""

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from dataset.catalog import Catalog
from dataset.errors import ConfigError, DataError, DisallowedError, PipelineError
from dataset.workspace import Workspace
from scrape.addresses import canonical_address
from scrape.client import PoliteClient
from scrape.collect import Tape, collect
from scrape.config import CrawlSettings, crawl_config, read_crawl_config
from scrape.guard import Guard
from scrape.recorded import ANSWERS, RecordingTransport, ReplayTransport
from scrape.response import FetchError
from scrape.transport import NetworkTransport
from tests.scrape.conftest import SETTINGS
from tests.scrape.drawings import picture
from tests.scrape.loopback import Answer, LoopbackSite, page, redirect
from tests.scrape.picture_site import crawl_file, fill, plant
from tests.scrape.test_guard import never, no_dial

KEY = "s3cr3t/k3y+="


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "recording"


def recording(folder: Path, settings: CrawlSettings = SETTINGS) -> PoliteClient:
    transport = NetworkTransport(settings, Guard(settings.allow_hosts))
    return PoliteClient(settings, transport=RecordingTransport(transport, folder))


def replaying(folder: Path) -> PoliteClient:
    """A client that would fail at the first name or number of the network."""
    transport = ReplayTransport(folder)
    return PoliteClient(SETTINGS, resolver=never, dial=no_dial, transport=transport)


def write(folder: Path, *lines: Mapping[str, Any] | str) -> Path:
    folder.mkdir(exist_ok=True)
    text = [line if isinstance(line, str) else json.dumps(line) for line in lines]
    (folder / ANSWERS).write_text("\n".join(text) + "\n")
    return folder


def told(workspace: Workspace) -> Any:
    """All that a catalogue knows but for times and numbers of tries."""
    with Catalog(workspace.catalog) as catalog:
        images = []
        for record in catalog.images.all():
            origins = [replace(o, fetched_at="") for o in catalog.images.origins(record.id)]
            texts = [(c.text, c.origin) for c in catalog.images.captions(record.id)]
            images.append((record.sha256, record.label, origins, texts))
        return sorted(images, key=lambda entry: entry[0]), catalog.ledger.counts()


def test_a_recorded_crawl_is_given_again_without_a_network(tmp_path: Path, folder: Path) -> None:
    with LoopbackSite() as site:
        fill(site, 12)
        site.routes["/media/3.png"] = Answer(b"", 404)
        site.routes["/media/4.png"] = Answer(b"<html>")
        site.routes["/media/5.png"] = redirect("/elsewhere.png")
        site.routes["/elsewhere.png"] = Answer(picture(500, side=400, format="BMP"))
        site.routes["/media/6.png"] = Answer(picture(6), headers={"X-Robots-Tag": "noai"})
        site.routes["/media/7.png"] = Answer(reset=True)
        site.routes["/robots.txt"] = Answer(b"User-agent: *\nDisallow: /media/8")
        config = read_crawl_config(crawl_file(tmp_path, site.url, settings="tries = 1"))
        first = Workspace(tmp_path / "first")
        report = collect(config, [], first, tape=Tape(record=folder))
        before = len(site.requests)
        second = Workspace(tmp_path / "second")
        again = collect(config, [], second, tape=Tape(replay=folder))
        assert len(site.requests) == before
    assert again.added == report.added == 7
    assert again.outcomes == report.outcomes
    assert told(first) == told(second)


def test_a_run_that_is_recorded_leaves_no_pages_and_asks_for_whole_ones(
    site: LoopbackSite, tmp_path: Path, folder: Path
) -> None:
    fill(site, 2)
    config = read_crawl_config(crawl_file(tmp_path, site.url))
    workspace = Workspace(tmp_path / "data")
    collect(config, [], workspace)
    collect(config, [], workspace, tape=Tape(record=folder))
    assert not any("if-none-match" in request.headers for request in site.requests)


def test_recording_and_replaying_exclude_each_other(folder: Path) -> None:
    with pytest.raises(ConfigError, match="leave one out"):
        Tape(record=folder, replay=folder)


def test_a_secret_is_in_no_file_of_a_recording(site: LoopbackSite, folder: Path) -> None:
    echo = json.dumps({"you_sent": KEY, "more": "x" * 3000}).encode()
    site.routes["/api"] = Answer(echo[:60], headers={"X-Key": KEY, "Set-Cookie": KEY})
    site.routes["/long"] = Answer(echo)
    site.routes["/bad"] = Answer(b"", 403)
    with recording(folder) as client:
        for path in ("api", "long"):
            address = canonical_address(f"{site.url}/{path}?" + urlencode({"key": KEY}))
            answer = client.get(address, "json", headers={"X-Api-Key": KEY}, secrets=(KEY,))
            assert "s3cr3t" not in answer.final_url
        with pytest.raises(FetchError) as failure:
            client.get(f"{site.url}/bad?key={KEY}", "json", secrets=(KEY,))
    assert "s3cr3t" not in str(failure.value)
    assert any("s3cr3t" in request.path for request in site.requests)  # it was sent
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert len(files) >= 2
    for file in files:
        assert b"s3cr3t" not in file.read_bytes(), file.name
    with replaying(folder) as client:  # and another key finds the same answers
        answer = client.get(f"{site.url}/api?key=other", "json", secrets=("other",))
    assert b"you_sent" in answer.body


def test_answers_of_one_address_come_in_their_order_and_the_last_one_stays(folder: Path) -> None:
    url = "http://example.org/a"
    write(folder, *({"url": url, "text": text} for text in ("one", "two")))
    with replaying(folder) as client:
        bodies = [client.get(url).body for _ in range(3)]
    assert bodies == [b"one", b"two", b"two"]


def test_lines_may_be_written_by_hand(folder: Path) -> None:
    write(
        folder,
        {"url": "HTTP://Example.org:80/a", "json": {"n": 1}},
        "",
        {"url": "http://example.org/gone", "status": 404},
        {"url": "http://example.org/slow", "error": "timeout", "message": "too slow for us"},
        {"url": "http://example.org/no", "headers": {"X-Robots-Tag": "noai"}, "text": "x"},
        {"url": "http://example.org/there", "status": 302, "headers": {"Location": "/a"}},
    )
    with replaying(folder) as client:
        assert json.loads(client.get("http://example.org/a", "json").body) == {"n": 1}
        assert json.loads(client.get("http://example.org/there", "json").body) == {"n": 1}
        reasons = {}
        for name in ("gone", "slow", "no", "unknown"):
            try:
                client.get(f"http://example.org/{name}", "picture", tries=1)
            except (FetchError, DisallowedError) as error:
                reasons[name] = error.reason
    assert reasons == {
        "gone": "not-found", "slow": "timeout", "no": "opt-out", "unknown": "not-recorded"
    }  # fmt: skip


def test_the_guard_and_robots_hold_in_a_recording_too(folder: Path) -> None:
    write(
        folder,
        {"url": "http://10.0.0.1/a", "text": "inside"},
        {"url": "http://example.org/robots.txt", "text": "User-agent: *\nDisallow: /a"},
        {"url": "http://example.org/a", "text": "closed"},
    )
    with replaying(folder) as client:
        for url, reason in [("http://10.0.0.1/a", "private-address"),
                            ("http://example.org/a", "robots")]:  # fmt: skip
            with pytest.raises(DisallowedError) as refusal:
                client.get(url)
            assert refusal.value.reason == reason


DAMAGED = {
    "no-json": "{",
    "not-an-object": "[1]",
    "null": "null",
    "no-address": '{"text": "x"}',
    "number-as-address": '{"url": 5}',
    "no-web-address": '{"url": "file:///etc/passwd"}',
    "half-a-line": '{"url": "http://example.org/a", "te',
    "status-in-words": '{"url": "http://example.org/a", "status": "fine"}',
    "headers-in-a-list": '{"url": "http://example.org/a", "headers": [1]}',
    "file-outside": '{"url": "http://example.org/a", "file": "../../etc/passwd"}',
    "file-at-the-root": '{"url": "http://example.org/a", "file": "/etc/passwd"}',
    "file-missing": '{"url": "http://example.org/a", "file": "bodies/aa/none"}',
    "file-is-a-folder": '{"url": "http://example.org/a", "file": "bodies"}',
    "error-of-no-text": '{"url": "http://example.org/a", "error": 5}',
}


@pytest.mark.parametrize("line", DAMAGED.values(), ids=DAMAGED)
def test_a_damaged_recording_is_told_in_one_line(folder: Path, line: str) -> None:
    write(folder, {"url": "http://example.org/robots.txt", "text": ""}, line)
    (folder / "bodies").mkdir()
    with pytest.raises(PipelineError) as failure, replaying(folder) as client:
        client.get("http://example.org/a", tries=1)
    assert "\n" not in str(failure.value)
    assert isinstance(failure.value, DataError | FetchError)


def test_bytes_that_are_no_text_are_damage_too(folder: Path) -> None:
    write(folder, "")
    (folder / ANSWERS).write_bytes(b"\xff\xfe\x00\n")
    with pytest.raises(DataError, match="line 1"):
        ReplayTransport(folder)


def test_without_a_recording_there_is_nothing_to_replay(folder: Path) -> None:
    with pytest.raises(ConfigError, match="--record"):
        ReplayTransport(folder)


def test_a_second_recording_into_a_folder_adds_to_it(site: LoopbackSite, folder: Path) -> None:
    for name in ("a", "b"):
        site.routes[f"/{name}"] = page(name)
        with recording(folder) as client:
            client.get(f"{site.url}/{name}")
    with replaying(folder) as client:
        assert b"a" in client.get(f"{site.url}/a").body
        assert b"b" in client.get(f"{site.url}/b").body


def test_forms_are_told_apart_without_their_secrets(site: LoopbackSite, folder: Path) -> None:
    url = "http://example.org/token"
    write(folder, {"url": url, "method": "GET", "text": "got"})
    with replaying(folder) as client, pytest.raises(FetchError) as failure:
        client.post(url, {"key": KEY}, secrets=(KEY,))
    assert failure.value.reason == "not-recorded"


def test_a_replay_needs_no_contact_and_no_patience(tmp_path: Path, folder: Path) -> None:
    with LoopbackSite() as site:
        plant(site, {"/a": Answer(picture(1))})
        config = read_crawl_config(crawl_file(tmp_path, site.url))
        collect(config, [], Workspace(tmp_path / "first"), tape=Tape(record=folder))
    bare = replace(config, crawl=CrawlSettings(allow_hosts=("127.0.0.1",), gap_s=50.0))
    report = collect(bare, [], Workspace(tmp_path / "second"), tape=Tape(replay=folder))
    assert report.added == 1
    assert crawl_config({}).crawl.contact == ""
