"""The polite client against a real server with every fault."""

import gzip
import threading
import time
import zlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from email.utils import formatdate

import pytest

from dataset.errors import DisallowedError
from scrape.client import PoliteClient, redirected
from scrape.clock import StepClock
from scrape.config import CrawlSettings
from scrape.response import FetchError, Request
from tests.scrape.conftest import SETTINGS, ClientOf
from tests.scrape.loopback import Answer, LoopbackSite, redirect


def failure_of(client: PoliteClient, address: str) -> FetchError:
    with pytest.raises(FetchError) as failure:
        client.get(address, "picture")
    return failure.value


def test_an_answer_comes_back_whole_with_its_way(site: LoopbackSite, client: PoliteClient) -> None:
    site.routes["/a"] = redirect("/b?x=1", 301)
    site.routes["/b"] = Answer(b"picture", headers={"ETag": '"1"', "Content-Type": "image/png"})
    answer = client.get(f"{site.url}/a", "picture")
    assert (answer.status, answer.body, answer.tries) == (200, b"picture", 2)
    assert answer.final_url == f"{site.url}/b?x=1"
    assert answer.hops == (f"{site.url}/a", f"{site.url}/b?x=1")
    assert answer.headers["etag"] == '"1"'


def test_every_request_names_us_and_the_contact(site: LoopbackSite, client: PoliteClient) -> None:
    site.routes["/a"] = Answer(b"a")
    client.get(f"{site.url}/a")
    agents = {request.headers["user-agent"] for request in site.requests}
    assert agents == {"Pedigree/0.1 (+owner@example.org)"}
    assert len(site.requests) == 2  # robots.txt too


def test_connections_are_reused(site: LoopbackSite, client_of: ClientOf) -> None:
    site.routes["/a"] = Answer(b"a")
    client = client_of(SETTINGS)
    for _ in range(5):
        client.get(f"{site.url}/a")
    assert len({request.peer for request in site.requests if request.path == "/a"}) == 1


def test_cookies_are_not_kept(site: LoopbackSite, client: PoliteClient) -> None:
    site.routes["/a"] = Answer(b"a", headers={"Set-Cookie": "track=1; Path=/"})
    client.get(f"{site.url}/a")
    client.get(f"{site.url}/a")
    assert all("cookie" not in request.headers for request in site.requests)


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        (404, "not-found"),
        (410, "not-found"),
        (401, "http-401"),
        (403, "http-403"),
        (206, "http-206"),
        (304, "http-304"),
        (302, "http-302"),
    ],
)
def test_a_clear_no_is_final_and_not_asked_again(
    site: LoopbackSite, client: PoliteClient, status: int, reason: str
) -> None:
    site.routes["/a"] = Answer(b"" if status == 304 else b"x", status)
    failure = failure_of(client, f"{site.url}/a")
    assert (failure.reason, failure.is_final, failure.status) == (reason, True, status)
    assert site.paths() == ["/a"]


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
def test_a_passing_fault_is_asked_again_after_growing_pauses(
    site: LoopbackSite, client: PoliteClient, clock: StepClock, status: int
) -> None:
    site.routes["/a"] = Answer(b"", status)
    failure = failure_of(client, f"{site.url}/a")
    assert (failure.reason, failure.is_final, failure.tries) == (f"http-{status}", False, 4)
    assert clock.slept == [1.0, 2.0, 4.0]
    assert site.paths() == ["/a"] * 4


def test_a_fault_that_passes_is_forgotten(site: LoopbackSite, client: PoliteClient) -> None:
    answers = [Answer(b"", 503), Answer(reset=True), Answer(b"half", missing=9), Answer(b"whole")]
    site.routes["/a"] = answers.__getitem__
    answer = client.get(f"{site.url}/a", "picture")
    assert (answer.body, answer.tries) == (b"whole", 4)


def test_retry_after_in_seconds_puts_the_host_to_sleep(
    site: LoopbackSite, client: PoliteClient, clock: StepClock
) -> None:
    site.routes["/a"] = lambda earlier: (
        Answer(b"a") if earlier else Answer(b"", 429, {"Retry-After": "17"})
    )
    assert client.get(f"{site.url}/a").tries == 2
    assert clock.slept == [17.0]


def test_retry_after_as_a_date_is_understood(
    site: LoopbackSite, client: PoliteClient, clock: StepClock
) -> None:
    date = formatdate(clock.wall() + 42, usegmt=True)
    site.routes["/a"] = lambda earlier: (
        Answer(b"a") if earlier else Answer(b"", 503, {"Retry-After": date})
    )
    assert client.get(f"{site.url}/a").tries == 2
    assert clock.slept == [42.0]


@pytest.mark.parametrize(
    "value", ["soon", "-5", "1e9", "0", "", "Mon, 01 Jan 1990 00:00:00 GMT", "9" * 5000]
)
def test_a_senseless_retry_after_means_the_usual_pause(
    site: LoopbackSite, client: PoliteClient, clock: StepClock, value: str
) -> None:
    site.routes["/a"] = lambda earlier: (
        Answer(b"a") if earlier else Answer(b"", 429, {"Retry-After": value})
    )
    assert client.get(f"{site.url}/a").tries == 2
    assert clock.slept == [1.0]


def test_a_host_that_wants_too_long_a_rest_is_left_alone(
    site: LoopbackSite, client: PoliteClient, clock: StepClock
) -> None:
    site.routes["/a"] = Answer(b"", 429, {"Retry-After": "7200"})
    site.routes["/b"] = Answer(b"b")
    first = failure_of(client, f"{site.url}/a")
    second = failure_of(client, f"{site.url}/b")
    assert (first.reason, first.is_final) == (second.reason, False) == ("host-asleep", False)
    assert first.wait_s == second.wait_s == 7200.0
    assert (first.tries, second.tries) == (1, 0)
    assert site.paths() == ["/a"]
    assert clock.slept == []


@pytest.mark.parametrize(
    ("first", "then", "keeps"),
    [
        ("https://api.example/a", "https://api.example/b", True),
        ("http://api.example/a", "https://api.example/b", True),
        ("https://api.example/a", "http://api.example/b", False),
        ("https://api.example/a", "https://other.example/b", False),
    ],
)
def test_a_key_stays_with_its_site_and_its_encryption(first: str, then: str, keeps: bool) -> None:
    request = Request(address=first, headers={"Authorization": "Bearer x", "Accept": "y"})
    headers = redirected(request, then).headers
    assert ("Authorization" in headers, "Accept" in headers) == (keeps, True)


def test_no_key_stands_in_a_refusal(site: LoopbackSite, client: PoliteClient) -> None:
    site.routes["/robots.txt"] = Answer(b"User-agent: *\nDisallow: /")
    with pytest.raises(DisallowedError, match=r"key=\*\*\*") as refusal:
        client.get(f"{site.url}/api?key=SECRET", "json", secrets=("SECRET",))
    assert "SECRET" not in str(refusal.value)


def test_rules_that_expire_while_a_turn_is_held_are_read_again(
    site: LoopbackSite, clock: StepClock
) -> None:
    site.routes["/a"] = Answer(b"picture")
    with PoliteClient(replace(SETTINGS, connections_per_host=1), clock=clock) as client:
        client.get(f"{site.url}/a")
        clock.sleep(25 * 3600.0, threading.Event())
        assert client.pace.take(site.url.removeprefix("http://")) == 0
        assert client.get(f"{site.url}/a", "picture", holds_turn=True).body == b"picture"
    assert sum(request.path == "/robots.txt" for request in site.requests) == 2


def test_a_dead_host_is_given_up_after_a_few_addresses(
    site: LoopbackSite, client: PoliteClient
) -> None:
    for number in range(2):
        site.routes[f"/{number}"] = Answer(reset=True)
        assert failure_of(client, f"{site.url}/{number}").reason == "connection"
    assert failure_of(client, f"{site.url}/2").reason == "host-down"
    assert "/2" not in site.paths()


def test_nobody_listening_is_a_connection_failure(client: PoliteClient) -> None:
    with LoopbackSite() as gone:
        address = f"{gone.url}/a"
    with pytest.raises(DisallowedError) as refusal:
        client.get(address)
    assert refusal.value.reason == "robots-unreachable"


def test_a_body_cut_short_every_time_is_final(site: LoopbackSite, client: PoliteClient) -> None:
    site.routes["/length"] = Answer(b"half", missing=100)
    site.routes["/chunks"] = Answer(b"half", missing=1, chunked=True)
    for path in ("/length", "/chunks"):
        failure = failure_of(client, site.url + path)
        assert (failure.reason, failure.is_final, failure.tries) == ("cut-short", True, 4)


def test_chunked_and_lengthless_bodies_are_read(site: LoopbackSite, client: PoliteClient) -> None:
    body = bytes(range(256)) * 1000
    site.routes["/chunks"] = Answer(body, chunked=True)
    site.routes["/open"] = Answer(body, lengthless=True)
    assert client.get(f"{site.url}/chunks").body == body
    assert client.get(f"{site.url}/open").body == body


def test_an_empty_answer_is_an_answer(site: LoopbackSite, client: PoliteClient) -> None:
    site.routes["/a"] = Answer(b"")
    assert client.get(f"{site.url}/a", "picture").body == b""


def test_a_body_over_the_limit_is_left_unread(site: LoopbackSite, client_of: ClientOf) -> None:
    site.routes["/a"] = Answer(bytes(20_000_000))
    client = client_of(replace(SETTINGS, max_bytes=100_000))
    failure = failure_of(client, f"{site.url}/a")
    assert (failure.reason, failure.is_final) == ("too-many-bytes", True)
    assert len(site.paths()) == 1


def test_a_body_of_exactly_the_limit_is_taken(site: LoopbackSite, client_of: ClientOf) -> None:
    site.routes["/a"] = Answer(bytes(100_000))
    client = client_of(replace(SETTINGS, max_bytes=100_000))
    assert len(client.get(f"{site.url}/a", "picture").body) == 100_000


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
def test_a_compressed_bomb_stops_at_the_limit(
    site: LoopbackSite, client_of: ClientOf, encoding: str
) -> None:
    zeros = bytes(50_000_000)
    bomb = gzip.compress(zeros) if encoding == "gzip" else zlib.compress(zeros)
    site.routes["/a"] = Answer(bomb, headers={"Content-Encoding": encoding})
    client = client_of(replace(SETTINGS, max_page_bytes=1_000_000))
    with pytest.raises(FetchError) as failure:
        client.get(f"{site.url}/a", "page")
    assert failure.value.reason == "too-many-bytes"


def test_a_page_that_is_compressed_is_unpacked(site: LoopbackSite, client: PoliteClient) -> None:
    body = gzip.compress(b"<p>text</p>")
    site.routes["/a"] = Answer(body, headers={"Content-Encoding": "gzip"})
    assert client.get(f"{site.url}/a").body == b"<p>text</p>"


def test_a_body_that_is_not_packed_as_it_says_is_final(
    site: LoopbackSite, client: PoliteClient
) -> None:
    site.routes["/a"] = Answer(b"plain", headers={"Content-Encoding": "gzip"})
    failure = failure_of(client, f"{site.url}/a")
    assert (failure.reason, failure.is_final) == ("bad-encoding", True)


@pytest.mark.parametrize(
    "answer",
    [
        Answer(b"x" * 1000, drip_s=0.05),
        Answer(b"x" * 1000, drip_s=0.05, lengthless=True),
        Answer(b"x" * 1000, drip_s=0.05, chunked=True),
        Answer(b"x", drip_head_s=0.05),
    ],
    ids=["body", "lengthless", "chunks", "head"],
)
def test_a_slow_drip_ends_at_the_deadline(
    site: LoopbackSite, client_of: ClientOf, answer: Answer
) -> None:
    site.routes["/robots.txt"] = Answer(b"")
    site.routes["/a"] = answer
    failure = failure_of(client_of(replace(SETTINGS, deadline_s=0.4, tries=1)), f"{site.url}/a")
    assert (failure.reason, failure.is_final) == ("too-slow", False)


def test_silence_is_a_timeout(site: LoopbackSite, client_of: ClientOf) -> None:
    site.routes["/a"] = Answer(b"a", delay_s=0.6)
    failure = failure_of(client_of(replace(SETTINGS, timeout_s=0.1, tries=1)), f"{site.url}/a")
    assert (failure.reason, failure.is_final) == ("timeout", False)


def test_a_server_without_tls_is_named_so(site: LoopbackSite, client: PoliteClient) -> None:
    with pytest.raises(DisallowedError, match="cannot be read"):
        client.get(f"https://127.0.0.1:{site.port}/a")
    with pytest.raises(FetchError) as failure:
        client._get_robots(f"https://127.0.0.1:{site.port}/robots.txt")
    assert failure.value.reason in ("tls", "host-down")


def test_redirects_in_a_circle_end(site: LoopbackSite, client: PoliteClient) -> None:
    site.routes["/a"] = redirect("/b")
    site.routes["/b"] = redirect("/a")
    failure = failure_of(client, f"{site.url}/a")
    assert (failure.reason, failure.is_final) == ("redirect-loop", True)


def test_redirects_without_end_end(site: LoopbackSite, client: PoliteClient) -> None:
    for number in range(20):
        site.routes[f"/{number}"] = redirect(f"/{number + 1}")
    failure = failure_of(client, f"{site.url}/0")
    assert (failure.reason, failure.is_final) == ("too-many-redirects", True)
    assert len(site.paths()) == SETTINGS.max_redirects + 1


@pytest.mark.parametrize(
    "headers",
    [{"X-Robots-Tag": "noai, noimageai"}, {"X-Robots-Tag": "none"}, {"tdm-reservation": "1"}],
)
def test_an_opt_out_is_obeyed_before_the_body_is_read(
    site: LoopbackSite, client: PoliteClient, headers: dict[str, str]
) -> None:
    site.routes["/a"] = Answer(bytes(30_000_000), headers=headers)
    with pytest.raises(DisallowedError) as refusal:
        client.get(f"{site.url}/a", "picture")
    assert refusal.value.reason == "opt-out"
    time.sleep(0.05)
    assert site.written.get("/a", 0) < 10_000_000  # what the sockets' buffers took


def test_a_page_may_stay_out_of_search_engines(site: LoopbackSite, client: PoliteClient) -> None:
    site.routes["/a"] = Answer(b"a", headers={"X-Robots-Tag": "noindex"})
    assert client.get(f"{site.url}/a", "page").body == b"a"


def test_without_a_contact_only_allowed_loopback_is_asked(site: LoopbackSite) -> None:
    site.routes["/a"] = Answer(b"a")
    settings = CrawlSettings(allow_hosts=("127.0.0.1", "intranet.example"), gap_s=0)
    with PoliteClient(settings, resolver=lambda host, port: ["127.0.0.1"]) as client:
        assert client.get(f"{site.url}/a").body == b"a"
        for host in ("example.org", f"intranet.example:{site.port}"):
            with pytest.raises(DisallowedError, match=r"set crawl\.contact") as refusal:
                client.get(f"http://{host}/a")
            assert refusal.value.reason == "no-contact"
    assert len(site.paths()) == 1


def test_two_connections_to_a_host_at_most(site: LoopbackSite, client: PoliteClient) -> None:
    lock, open_now, most = threading.Lock(), [0], [0]

    def watched(_: int) -> Answer:
        with lock:
            open_now[0] += 1
            most[0] = max(most[0], open_now[0])
        time.sleep(0.02)
        with lock:
            open_now[0] -= 1
        return Answer(b"a")

    site.routes["/a"] = watched
    client.get(f"{site.url}/a")
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda n: client.get(f"{site.url}/a?{n}"), range(16)))
    assert most == [2]


def test_stopping_ends_a_request_under_way(site: LoopbackSite) -> None:
    asked = threading.Event()

    def hang(_: int) -> Answer:
        asked.set()
        return Answer(b"a", delay_s=60.0)

    site.routes["/a"] = hang
    with PoliteClient(SETTINGS) as client, ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(client.get, f"{site.url}/a")
        assert asked.wait(10)
        client.stop()
        with pytest.raises(FetchError) as failure:
            waiting.result(timeout=30)
    assert failure.value.reason == "stopped"
