"""The best icon of every site: found wherever it lies, measured, and never asked for twice."""

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from dataset.errors import ConfigError, DisallowedError
from scrape.client import PoliteClient
from scrape.clock import StepClock
from scrape.config import CrawlSettings
from scrape.favicon_search import IconRules, SharedIcons, icons_of
from scrape.recorded import ReplayTransport
from scrape.response import FetchError, Response
from scrape.sources.favicons import KIND, Favicons, FaviconsSpec
from scrape.sources.source import ScrapedItem
from tests.scrape.conftest import SETTINGS
from tests.scrape.icon_files import drawn, icon_of, svg
from tests.scrape.loopback import Answer, LoopbackSite, page, redirect


def favicons(**keys: Any) -> Favicons:
    given = {"kind": "favicons", "name": "icons", "scheme": "http", **keys}
    return Favicons(FaviconsSpec(**given))


def host(site: LoopbackSite) -> str:
    return f"127.0.0.1:{site.port}"


def completed(client: PoliteClient, site: LoopbackSite, **keys: Any) -> ScrapedItem:
    source = favicons(domains=(host(site),), **keys)
    return source.complete(client, next(source.items(client)))


def best(client: PoliteClient, site: LoopbackSite, **keys: Any) -> Response:
    source = favicons(domains=(host(site),), **keys)
    item = source.complete(client, next(source.items(client)))
    return source.fetch(client, item, {})


def link(href: str, rel: str = "icon", more: str = "") -> str:
    return f'<link rel="{rel}" href="{href}" {more}>'


def test_domains_are_named_without_asking_anybody(
    client: PoliteClient, site: LoopbackSite, tmp_path: Path
) -> None:
    listed = tmp_path / "top.csv"
    listed.write_text("1,example.co.uk\n2,\n3,xn--bcher-kva.example\n4,no domain\n")
    source = favicons(
        path=str(listed), domains=("Example.ORG",), queries=("www.b.example",), label="favicon"
    )
    source = Favicons(FaviconsSpec(**{**vars(source.spec), "scheme": "both"}))
    items = list(source.items(client))
    assert [item.picture_url for item in items] == [
        "https://example.org/favicon.ico",
        "https://www.b.example/favicon.ico",
        "https://example.co.uk/favicon.ico",
        "https://xn--bcher-kva.example/favicon.ico",
    ]
    assert items[0].page_url == items[0].detail_url == "https://example.org/"
    assert [item.captions[0].text for item in items] == ["example", "b", "example", "bücher"]
    assert items[0].captions[0].origin == "domain"
    assert {item.label for item in items} == {"favicon"}
    assert len(source.warnings) == 1
    assert "2 lines without a domain" in source.warnings[0]
    assert source.spec.hosts() == ("example.org", "www.b.example")
    assert site.requests == []


def test_the_first_host_of_a_list_is_told(tmp_path: Path) -> None:
    listed = tmp_path / "top.txt"
    listed.write_text("?\na.example\nb.example\n")
    assert favicons(path=str(listed)).spec.hosts() == ("a.example",)
    listed.write_text("")
    assert favicons(path=str(listed)).spec.hosts() == ()


@pytest.mark.parametrize(
    "keys",
    [
        {},
        {"domains": ("no domain",)},
        {"queries": ("dog",)},
        {"domains": ("a.example",), "scheme": "ftp"},
        {"domains": ("a.example",), "max_icons": 0},
        {"domains": ("a.example",), "largest": -1},
        {"domains": ("a.example",), "well_known": ("favicon.ico",)},
    ],
)
def test_a_declaration_that_cannot_be_is_refused(keys: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match="source icons"):
        favicons(**keys)


def test_the_largest_real_icon_wins_whatever_was_promised(
    client: PoliteClient, site: LoopbackSite
) -> None:
    site.routes |= {
        "/": page("", link("/liar.png", more='sizes="512x512"') + link("/t", "apple-touch-icon")),
        "/liar.png": Answer(drawn(16)),
        "/t": Answer(drawn(180, format="JPEG")),
        "/favicon.ico": Answer(icon_of(drawn(16), drawn(48))),
    }
    answer = best(client, site)
    assert answer.final_url == f"{site.url}/t"
    assert answer.body == drawn(180, format="JPEG")
    assert sorted(site.paths()) == [
        "/",
        "/apple-touch-icon-precomposed.png",
        "/apple-touch-icon.png",
        "/favicon.ico",
        "/liar.png",
        "/t",
    ]


def test_a_square_icon_goes_before_a_larger_banner(
    client: PoliteClient, site: LoopbackSite
) -> None:
    site.routes |= {
        "/": page("", link("/banner.png") + link("/almost.png")),
        "/banner.png": Answer(drawn(300, 100)),
        "/almost.png": Answer(drawn(100, 98)),
        "/favicon.ico": Answer(drawn(32)),
    }
    assert best(client, site).final_url == f"{site.url}/almost.png"


def test_the_largest_side_that_is_wanted_is_a_limit(
    client: PoliteClient, site: LoopbackSite
) -> None:
    sides = (512, 180, 64, 16)
    links = "".join(link(f"/{side}.png", more=f'sizes="{side}x{side}"') for side in sides)
    site.routes |= {f"/{side}.png": Answer(drawn(side)) for side in sides}
    site.routes["/"] = page("", links)
    assert best(client, site).final_url.endswith("/512.png")
    assert best(client, site, largest=100).final_url.endswith("/64.png")
    assert best(client, site, largest=8).final_url.endswith("/16.png")
    asked = len(site.paths())
    assert best(client, site, largest=64).final_url.endswith("/64.png")
    assert site.paths()[asked:] == ["/", "/64.png"]  # nothing better can come


def test_no_more_icons_are_asked_for_than_allowed_and_none_twice(
    client: PoliteClient, site: LoopbackSite
) -> None:
    links = "".join(link(f"/{number}.png") for number in range(30))
    site.routes["/"] = page("", links + link("/favicon.ico") + link("/favicon.ico#x"))
    site.routes["/favicon.ico"] = Answer(drawn(16))
    assert best(client, site, max_icons=5).final_url.endswith("/favicon.ico")
    asked = site.paths()[1:]
    assert len(asked) == len(set(asked)) == 5
    assert {"/favicon.ico", "/apple-touch-icon.png"} < set(asked)


@pytest.mark.parametrize(
    "bad",
    [
        Answer(b"<!doctype html><html></html>", headers={"Content-Type": "image/png"}),
        Answer(b""),
        Answer(drawn(1, format="GIF")),
        Answer(drawn(64)[:20]),
        Answer(b"GIF89a"),
        Answer(drawn(64), status=404),
        Answer(svg()),
        redirect("/"),
        redirect("/loop.png"),
        redirect("http://10.0.0.1/icon.png"),
        redirect("file:///etc/passwd"),
        Answer(drawn(64), headers={"X-Robots-Tag": "noimageai"}),
        Answer(drawn(64), headers={"TDM-Reservation": "1"}),
        Answer(drawn(64), missing=500),
    ],
)
def test_what_is_no_icon_is_passed_over(
    client: PoliteClient, site: LoopbackSite, bad: Answer
) -> None:
    site.routes |= {
        "/": page("", link("/bad.png", more='sizes="64x64"')),
        "/bad.png": bad,
        "/loop.png": redirect("/bad.png"),
        "/favicon.ico": Answer(drawn(16)),
    }
    assert best(client, site).final_url == f"{site.url}/favicon.ico"
    assert "/bad.png" in site.paths()


def test_a_cut_file_is_taken_only_when_there_is_no_whole_one(
    client: PoliteClient, site: LoopbackSite
) -> None:
    site.routes |= {"/": page("", link("/cut.png")), "/cut.png": Answer(drawn(300)[:-30])}
    assert best(client, site).final_url.endswith("/cut.png")
    site.routes["/favicon.ico"] = Answer(drawn(16))
    assert best(client, site).final_url.endswith("/favicon.ico")


def test_a_drawing_counts_only_when_it_is_wanted(client: PoliteClient, site: LoopbackSite) -> None:
    site.routes |= {
        "/": page("", link("/i.svg", more='type="image/svg+xml"')),
        "/i.svg": Answer(svg('viewBox="0 0 9 9"')),
        "/favicon.ico": Answer(drawn(32)),
    }
    assert best(client, site).final_url.endswith("/favicon.ico")
    assert "/i.svg" not in site.paths()
    assert best(client, site, vector=True).final_url.endswith("/i.svg")


def test_well_known_addresses_are_those_of_the_site_that_the_domain_leads_to(
    client: PoliteClient, site: LoopbackSite
) -> None:
    site.routes["/"] = redirect(f"http://localhost:{site.port}/en/")
    site.routes["/en/"] = page("", link("../media/i.png"))
    site.routes["/media/i.png"] = Answer(drawn(40))
    settings = CrawlSettings(
        contact="owner@example.org", allow_hosts=("127.0.0.1", "localhost"), gap_s=0
    )
    with PoliteClient(settings, clock=StepClock()) as open_client:
        item = completed(open_client, site)
    there = f"http://localhost:{site.port}"
    assert item.fallback_urls[:2] == (f"{there}/media/i.png", f"{there}/favicon.ico")


def test_a_manifest_is_read_and_maskable_icons_come_last(
    client: PoliteClient, site: LoopbackSite
) -> None:
    icons = [
        {"src": "mask.png", "sizes": "512x512", "purpose": "maskable"},
        {"src": "any.png", "sizes": "192x192"},
    ]
    site.routes |= {
        "/": page("", link("/pwa/m.json", "manifest") + link("/small.png")),
        "/pwa/m.json": Answer(json.dumps({"icons": icons}).encode()),
    }
    addresses = completed(client, site).fallback_urls
    assert [address.removeprefix(site.url) for address in addresses[:3]] == [
        "/pwa/any.png",
        "/small.png",
        "/pwa/mask.png",
    ]
    assert f"{site.url}/pwa/any.png" not in completed(client, site, manifest=False).fallback_urls


@pytest.mark.parametrize("found", [Answer(status=500), Answer(b"<html>"), redirect("file:///x")])
def test_a_page_whose_manifest_cannot_be_read_has_its_other_icons(
    client: PoliteClient, site: LoopbackSite, found: Answer
) -> None:
    site.routes |= {"/": page("", link("/m", "manifest") + link("/i.png")), "/m": found}
    assert f"{site.url}/i.png" in completed(client, site).fallback_urls


def test_a_page_that_declares_nothing_may_still_have_a_manifest(
    client: PoliteClient, site: LoopbackSite
) -> None:
    manifest = json.dumps({"icons": [{"src": "/a.png"}]}).encode()
    site.routes |= {"/": page("hello"), "/site.webmanifest": Answer(manifest)}
    assert completed(client, site).fallback_urls[0] == f"{site.url}/a.png"


def test_tiles_are_read_when_they_are_wanted(client: PoliteClient, site: LoopbackSite) -> None:
    tiles = b'<browserconfig><tile><square310x310logo src="/310.png"/></tile></browserconfig>'
    head = '<meta name="msapplication-config" content="/b.xml">' + link("/i.png")
    site.routes |= {"/": page("", head), "/b.xml": Answer(tiles)}
    assert f"{site.url}/310.png" not in completed(client, site).fallback_urls
    assert completed(client, site, browserconfig=True).fallback_urls[0] == f"{site.url}/310.png"


def test_an_icon_inside_the_page_counts_as_any_other(
    client: PoliteClient, site: LoopbackSite
) -> None:
    inside = f"data:image/png;base64,{base64.b64encode(drawn(64)).decode()}"
    site.routes |= {
        "/": page("", link(inside) + link("data:image/png;base64,!") + link("data:nonsense")),
        "/favicon.ico": Answer(drawn(16)),
    }
    answer = best(client, site)
    assert (answer.body, answer.final_url) == (drawn(64), f"{site.url}/")


def test_the_names_of_the_site_become_captions(client: PoliteClient, site: LoopbackSite) -> None:
    head = '<title>Home &amp; more</title><meta property="og:site_name" content="Example">'
    site.routes["/"] = page("", head)
    captions = completed(client, site).captions
    assert [(caption.text, caption.origin) for caption in captions] == [
        ("Example", "meta og:site_name"),
        ("Home & more", "title"),
    ]


@pytest.mark.parametrize(
    "home",
    [
        page("", '<meta name="robots" content="noai">' + link("/i.png")),
        page("", '<meta name="ROBOTS" content="index, NoImageAI">'),
        Answer(b"<html></html>", headers={"X-Robots-Tag": "noimageai"}),
    ],
)
def test_a_page_that_says_no_ends_the_search(
    client: PoliteClient, site: LoopbackSite, home: Answer
) -> None:
    site.routes |= {"/": home, "/favicon.ico": Answer(drawn(16))}
    with pytest.raises(DisallowedError) as refusal:
        best(client, site)
    assert refusal.value.reason == "opt-out"
    assert site.paths() == ["/"]


def test_no_icon_is_asked_for_that_robots_forbids(client: PoliteClient, site: LoopbackSite) -> None:
    site.routes |= {
        "/robots.txt": Answer(b"User-agent: *\nDisallow: /private/\nDisallow: /favicon.ico\n"),
        "/": page("", link("/private/i.png") + link("/public.png")),
        "/public.png": Answer(drawn(20)),
    }
    assert best(client, site).final_url == f"{site.url}/public.png"
    assert not {"/private/i.png", "/favicon.ico"} & set(site.paths())


def test_a_site_that_forbids_everything_is_a_no(client: PoliteClient, site: LoopbackSite) -> None:
    site.routes["/robots.txt"] = Answer(b"User-agent: *\nDisallow: /\n")
    with pytest.raises(DisallowedError) as refusal:
        best(client, site)
    assert refusal.value.reason == "robots"
    assert site.paths() == []


def test_a_home_page_that_robots_forbids_leaves_the_well_known_addresses(
    client: PoliteClient, site: LoopbackSite
) -> None:
    site.routes["/robots.txt"] = Answer(b"User-agent: *\nDisallow: /$\n")
    site.routes["/favicon.ico"] = Answer(drawn(16))
    assert best(client, site).body == drawn(16)
    assert "/" not in site.paths()


@pytest.mark.parametrize("home", [Answer(status=404), Answer(status=403), Answer(b"<![x", 200)])
def test_a_home_page_that_is_not_there_leaves_the_well_known_addresses(
    client: PoliteClient, site: LoopbackSite, home: Answer
) -> None:
    site.routes |= {"/": home, "/apple-touch-icon.png": Answer(drawn(60))}
    assert best(client, site).final_url == f"{site.url}/apple-touch-icon.png"


def test_a_site_without_icons_has_none_for_good(client: PoliteClient, site: LoopbackSite) -> None:
    site.routes["/"] = page("hello")
    with pytest.raises(FetchError) as failure:
        best(client, site)
    assert (failure.value.reason, failure.value.is_final) == ("no-icon", True)


def test_a_site_that_is_ill_is_asked_again(client: PoliteClient, site: LoopbackSite) -> None:
    site.routes["/"] = Answer(status=503)
    with pytest.raises(FetchError) as failure:
        best(client, site)
    assert (failure.value.reason, failure.value.is_final) == ("no-icon", False)
    site.routes["/favicon.ico"] = Answer(drawn(16))
    assert best(client, site).body == drawn(16)


def test_an_icon_that_is_not_there_for_now_is_asked_for_again(
    client: PoliteClient, site: LoopbackSite
) -> None:
    site.routes |= {"/": page("", link("/i.png")), "/i.png": Answer(status=500)}
    with pytest.raises(FetchError) as failure:
        best(client, site)
    assert (failure.value.status, failure.value.is_final) == (500, False)


def test_a_dead_host_of_others_does_not_keep_a_site_waiting(
    client: PoliteClient, site: LoopbackSite
) -> None:
    with LoopbackSite() as gone:
        dead = f"{gone.url}/i.png"
    site.routes |= {"/": page("", link(dead)), "/favicon.ico": Answer(b"<html>")}
    with pytest.raises(FetchError) as failure:
        best(client, site)
    assert (failure.value.reason, failure.value.is_final) == ("no-icon", True)


def test_the_end_of_a_crawl_is_no_lack_of_icons(client: PoliteClient, site: LoopbackSite) -> None:
    site.routes["/"] = page("", link("/i.png"))
    source = favicons(domains=(host(site),))
    item = source.complete(client, next(source.items(client)))
    client.stop()
    with pytest.raises(FetchError) as failure:
        source.complete(client, item)
    assert failure.value.reason == "stopped"
    with pytest.raises(FetchError) as failure:
        source.fetch(client, item, {})
    assert failure.value.reason == "stopped"


def test_a_site_that_wants_to_be_left_alone_is(client: PoliteClient, site: LoopbackSite) -> None:
    site.routes["/"] = Answer(status=429, headers={"Retry-After": "600"})
    with pytest.raises(FetchError) as failure:
        best(client, site)
    assert failure.value.wait_s == 600
    assert site.paths() == ["/"]


def test_a_site_without_https_is_asked_over_http(client: PoliteClient, site: LoopbackSite) -> None:
    site.routes |= {"/": page("", link("/i.png")), "/i.png": Answer(drawn(24))}
    answer = best(client, site, scheme="both")
    assert answer.final_url == f"{site.url}/i.png"
    with pytest.raises(DisallowedError, match=r"robots\.txt"):
        best(client, site, scheme="https")


def test_a_host_that_cannot_be_reached_is_tried_later(client: PoliteClient) -> None:
    with LoopbackSite() as gone:
        port = gone.port
    source = favicons(domains=(f"127.0.0.1:{port}",), scheme="both")
    with pytest.raises(DisallowedError) as failure:
        source.complete(client, next(source.items(client)))
    assert failure.value.reason == "robots-unreachable"  # which is asked again in the next run


def test_the_icon_of_a_platform_is_asked_for_once_for_many_sites(
    client_of: Any, site: LoopbackSite
) -> None:
    settings = CrawlSettings(
        contact="owner@example.org", allow_hosts=("127.0.0.1", "localhost"), gap_s=0
    )
    client = client_of(settings)
    shared = f"http://localhost:{site.port}/platform.ico"
    site.routes |= {"/": page("", link(shared)), "/platform.ico": Answer(drawn(64))}
    source = favicons(domains=(host(site), host(site)), max_icons=1)
    answers = [
        source.fetch(client, source.complete(client, item), {}) for item in source.items(client)
    ]
    assert [answer.final_url for answer in answers] == [shared, shared]
    assert site.paths("/platform") == ["/platform.ico"]


def test_shared_icons_are_kept_within_limits() -> None:
    shared = SharedIcons(most=2, longest=10)
    for name, size in (("a", 3), ("b", 3), ("huge", 11), ("c", 3)):
        if name == "c":
            shared.get("a")
        shared.put(name, Response(status=200, headers={}, body=b"x" * size, final_url=name))
    kept = [name for name in ("a", "b", "huge", "c") if shared.get(name) is not None]
    assert kept == ["a", "c"]


def test_all_icons_of_a_site_are_listed_largest_first(
    client: PoliteClient, site: LoopbackSite
) -> None:
    site.routes |= {
        "/": page("", link("/v.ico?v=5") + link("/t.png", "apple-touch-icon") + link("/wide.gif")),
        "/v.ico": Answer(icon_of(drawn(32))),
        "/favicon.ico": Answer(icon_of(drawn(32))),
        "/t.png": Answer(drawn(114)),
        "/wide.gif": Answer(drawn(32, 8, "GIF")),
        "/apple-touch-icon.png": Answer(b"", headers={"Content-Type": "image/png"}),
    }
    found = [
        (icon.address.removeprefix(site.url), icon.width, icon.height, icon.format)
        for icon in icons_of(client, site.url)
    ]
    assert found == [
        ("/t.png", 114, 114, "png"),
        ("/favicon.ico", 32, 32, "ico"),
        ("/v.ico?v=5", 32, 32, "ico"),
        ("/wide.gif", 32, 8, "gif"),
    ]
    assert icons_of(client, host(site), IconRules(scheme="http", max_icons=1))[0].width == 114


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    """A site behind two redirects, as recorded; a second one whose https fails."""
    (tmp_path / "icon").write_bytes(drawn(72))
    (tmp_path / "small").write_bytes(drawn(16))
    moved = {"status": 301, "text": ""}
    answers: list[dict[str, Any]] = [
        {"url": "https://bücher.example/", **moved, "headers": {"Location": "https://w.example/"}},
        {"url": "https://w.example/", **moved, "headers": {"Location": "/de/"}},
        {"url": "https://w.example/de/", "text": link("../i.png")},
        {"url": "https://w.example/i.png", "file": "icon"},
        {"url": "https://w.example/favicon.ico", "file": "small"},
        {"url": "https://old.example/robots.txt", "error": "tls", "message": "no certificate"},
        {"url": "http://old.example/", "text": "<p>old"},
        {"url": "http://old.example/favicon.ico", "file": "small"},
        {"url": "https://ill.example/robots.txt", "status": 503, "text": ""},
        {"url": "http://ill.example/favicon.ico", "file": "small"},
    ]
    (tmp_path / "answers.jsonl").write_text("\n".join(map(json.dumps, answers)))
    return tmp_path


def test_recorded_answers_give_the_same_icons(recording: Path) -> None:
    source = favicons(domains=("bücher.example", "old.example", "ill.example"), scheme="both")
    transport = ReplayTransport(recording)
    with PoliteClient(SETTINGS, clock=StepClock(), transport=transport) as client:
        first, second, third = source.items(client)
        found = [source.fetch(client, source.complete(client, i), {}) for i in (first, second)]
        with pytest.raises(DisallowedError, match="503"):  # it has answered: http is no way round
            source.complete(client, third)
    assert [answer.final_url for answer in found] == [
        "https://w.example/i.png",
        "http://old.example/favicon.ico",
    ]
    assert [caption.text for caption in first.captions] == ["bücher"]


def test_the_kind_says_how_to_ask_it() -> None:
    assert KIND.name == "favicons"
    assert KIND.ask.startswith("python -m scrape run favicons")
    assert Favicons.takes_own_turns
