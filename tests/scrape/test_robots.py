"""robots.txt is read once per site, and what it says is done (RFC 9309)."""

import pytest

from dataset.errors import DisallowedError
from scrape.client import PoliteClient
from scrape.clock import StepClock
from scrape.config import CrawlSettings
from tests.scrape.conftest import SETTINGS, ClientOf
from tests.scrape.loopback import Answer, LoopbackSite, redirect


def rules(text: str) -> Answer:
    return Answer(text.encode(), headers={"Content-Type": "text/plain"})


def refusal(client: PoliteClient, address: str) -> str:
    with pytest.raises(DisallowedError) as refused:
        client.get(address)
    return refused.value.reason


def robots_fetches(site: LoopbackSite) -> int:
    return sum(request.path == "/robots.txt" for request in site.requests)


def test_a_forbidden_path_is_never_asked(site: LoopbackSite, client: PoliteClient) -> None:
    site.routes["/robots.txt"] = rules("User-agent: *\nDisallow: /private/\n")
    site.routes["/open"] = Answer(b"open")
    assert client.get(f"{site.url}/open").body == b"open"
    assert refusal(client, f"{site.url}/private/a.png") == "robots"
    assert site.paths() == ["/open"]


def test_rules_for_our_name_count_before_those_for_everybody(
    site: LoopbackSite, client: PoliteClient
) -> None:
    site.routes["/robots.txt"] = rules(
        "User-agent: *\nDisallow:\n\nUser-agent: pedigree\nDisallow: /\n"
    )
    assert refusal(client, f"{site.url}/a") == "robots"


def test_rules_for_another_name_do_not_count(site: LoopbackSite, client: PoliteClient) -> None:
    site.routes["/robots.txt"] = rules("User-agent: otherbot\nDisallow: /\n")
    site.routes["/a"] = Answer(b"a")
    assert client.get(f"{site.url}/a").status == 200


def test_the_longest_rule_and_wildcards_decide(site: LoopbackSite, client: PoliteClient) -> None:
    site.routes["/robots.txt"] = rules(
        "User-agent: *\nDisallow: /media/\nAllow: /media/open/\nDisallow: /*.gif$\n"
    )
    site.routes["/media/open/a.png"] = Answer(b"a")
    assert client.get(f"{site.url}/media/open/a.png").status == 200
    assert refusal(client, f"{site.url}/media/a.png") == "robots"
    assert refusal(client, f"{site.url}/b.gif") == "robots"


def test_it_is_fetched_once_per_site_and_run(site: LoopbackSite, client: PoliteClient) -> None:
    site.routes["/robots.txt"] = rules("User-agent: *\nDisallow: /private/\n")
    site.routes["/a"] = Answer(b"a")
    for _ in range(3):
        client.get(f"{site.url}/a")
        refusal(client, f"{site.url}/private/")
    assert robots_fetches(site) == 1


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410, 451])
def test_a_site_without_rules_allows_everything(
    site: LoopbackSite, client: PoliteClient, status: int
) -> None:
    site.routes["/robots.txt"] = Answer(b"no", status)
    site.routes["/a"] = Answer(b"a")
    assert client.get(f"{site.url}/a").body == b"a"


@pytest.mark.parametrize(
    "answer",
    [
        Answer(b"", 500),
        Answer(b"", 503),
        Answer(b"", 429),
        Answer(reset=True),
        Answer(b"User-agent: *\n", missing=100),
    ],
)
def test_rules_that_cannot_be_read_forbid_everything(
    site: LoopbackSite, client: PoliteClient, answer: Answer
) -> None:
    site.routes["/robots.txt"] = answer
    site.routes["/a"] = Answer(b"a")
    assert refusal(client, f"{site.url}/a") == "robots-unreachable"
    asked = robots_fetches(site)
    assert refusal(client, f"{site.url}/b") == "robots-unreachable"
    assert robots_fetches(site) == asked == 2
    assert site.paths() == []


def test_rules_that_answer_after_a_failure_are_read(
    site: LoopbackSite, client: PoliteClient
) -> None:
    site.routes["/robots.txt"] = lambda earlier: (
        rules("User-agent: *\nDisallow: /p") if earlier else Answer(b"", 503)
    )
    assert refusal(client, f"{site.url}/p") == "robots"


def test_rules_behind_a_redirect_hold_for_the_first_site(
    site: LoopbackSite, client: PoliteClient
) -> None:
    site.routes["/robots.txt"] = redirect("/rules", 301)
    site.routes["/rules"] = rules("User-agent: *\nDisallow: /private/\n")
    assert refusal(client, f"{site.url}/private/a") == "robots"


@pytest.mark.parametrize(
    "body",
    [
        b"\xef\xbb\xbfUser-agent: *\nDisallow: /private/",
        b"User-agent: *\r\nDisallow: /private/\r\n",
        b"\xff\xfe junk \x00\nUser-agent: *\nDisallow: /private/",
        b"User-agent: *\nDisallow: /private/\n" + b"# filling\n" * 100_000,
    ],
)
def test_odd_and_huge_files_are_read_as_far_as_they_go(
    site: LoopbackSite, client: PoliteClient, body: bytes
) -> None:
    site.routes["/robots.txt"] = Answer(body)
    site.routes["/a"] = Answer(b"a")
    assert refusal(client, f"{site.url}/private/") == "robots"
    assert client.get(f"{site.url}/a").status == 200


def test_a_page_served_as_rules_allows_everything(site: LoopbackSite, client: PoliteClient) -> None:
    site.routes["/robots.txt"] = Answer(b"<html>Welcome</html>")
    site.routes["/a"] = Answer(b"a")
    assert client.get(f"{site.url}/a").status == 200


@pytest.mark.parametrize(
    ("asked", "gap_s", "waits"),
    [
        ("Crawl-delay: 7", 0.0, [7.0, 7.0, 7.0]),
        ("Crawl-delay: 7", 9.0, [9.0, 9.0, 9.0]),
        ("Crawl-delay: 99999", 0.0, [30.0, 30.0, 30.0]),
        ("Crawl-delay: -5", 0.0, []),
        ("Crawl-delay: soon", 0.0, []),
        ("", 0.0, []),
    ],
)
def test_crawl_delay_is_kept_up_to_a_cap(
    site: LoopbackSite,
    client_of: ClientOf,
    clock: StepClock,
    asked: str,
    gap_s: float,
    waits: list[float],
) -> None:
    site.routes["/robots.txt"] = rules(f"User-agent: *\n{asked}\nDisallow: /private/\n")
    site.routes["/a"] = Answer(b"a")
    client = client_of(CrawlSettings(**{**vars(SETTINGS), "gap_s": gap_s, "longest_wait_s": 30.0}))
    for _ in range(3):
        client.get(f"{site.url}/a")
    assert clock.slept == pytest.approx(waits)


def test_a_redirect_into_a_forbidden_area_is_not_followed(
    site: LoopbackSite, client: PoliteClient
) -> None:
    site.routes["/robots.txt"] = rules("User-agent: *\nDisallow: /private/\n")
    site.routes["/a"] = redirect("/private/a")
    assert refusal(client, f"{site.url}/a") == "robots"
    assert site.paths() == ["/a"]


def test_a_redirect_to_another_site_asks_its_rules(
    site: LoopbackSite, client: PoliteClient
) -> None:
    with LoopbackSite({"/robots.txt": rules("User-agent: *\nDisallow: /\n")}) as other:
        site.routes["/a"] = redirect(f"{other.url}/a")
        assert refusal(client, f"{site.url}/a") == "robots"
        assert other.paths() == []
