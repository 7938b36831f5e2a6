"""The pages: every picture once, captions cut on cards and whole on their own page, escaped."""

from collections import Counter

import pytest

from scrape.demo_site import DemoSite
from tests.scrape.demo_site.visitor import Visitor


def test_the_index_links_to_everything(visitor: Visitor) -> None:
    links = {str(link["href"]) for link in visitor.soup("/").select("a[href]")}
    assert {"/logos/", "/search", "/api/pictures", "/robots.txt"} <= links
    assert {f"/search?q={kind}" for kind in ("bird", "cat", "turtle")} <= links
    for link in links:
        assert visitor.get(link).status_code == 200, link


def test_the_grid_shows_every_card_exactly_once(site: DemoSite, visitor: Visitor) -> None:
    cards = visitor.cards()
    assert Counter(card["picture"] for card in cards) == Counter(
        picture.address for picture in site.collection.cards
    )
    assert len(cards) > 320


def test_a_grid_page_has_12_cards_and_the_last_no_next(visitor: Visitor) -> None:
    first = visitor.soup("/logos/")
    assert len(first.select("div.card")) == 12
    following = first.select_one("a[rel=next]")
    assert following is not None
    assert following["href"] == "/logos/?page=2"
    assert first.select_one("a[rel=prev]") is None
    last = visitor.soup("/logos/?page=29")
    assert last.select_one("a[rel=next]") is None
    assert last.select_one("a[rel=prev]") is not None


def test_a_card_hides_its_picture_behind_a_placeholder(visitor: Visitor) -> None:
    for card in visitor.cards("/logos/?page=28"):
        assert card["picture"] == card["plain"]
        assert card["alt"] == f"{card['name']} logo"
    image = visitor.soup("/logos/").select_one("div.card img")
    assert image is not None
    placeholder = visitor.get(str(image["src"]))
    assert placeholder.headers["Content-Type"] == "image/svg+xml"


def test_about_half_of_the_long_captions_are_cut_and_whole_on_their_own_page(
    site: DemoSite, visitor: Visitor
) -> None:
    whole = {picture.page: picture.description for picture in site.collection.cards}
    cards = visitor.cards()
    long = [card for card in cards if len(whole[card["page"]]) > 80]
    cut = [card for card in long if card["caption"].endswith("…")]
    assert 0.35 < len(cut) / len(long) < 0.65
    assert all(card["caption"] == whole[card["page"]] for card in cards if card not in cut)
    for card in cut[:10]:
        text = visitor.soup(card["page"]).select("p.description")[0].text
        assert text == whole[card["page"]]
        assert text.startswith(card["caption"].removesuffix("…"))


def test_a_detail_page_states_author_and_licence(site: DemoSite, visitor: Visitor) -> None:
    stated = Counter[str]()
    for picture in site.collection.cards[:60]:
        soup = visitor.soup(picture.page)
        assert soup.select("h1")[0].text == picture.title
        assert soup.select("img.whole")[0]["src"] == picture.address
        assert soup.select("dd.author")[0].text == picture.author
        licence = soup.select_one("dd.licence")
        assert (licence.text if licence else "") == picture.licence
        stated[picture.licence] += 1
        if picture.licence.startswith("CC"):
            link = soup.select("dd.licence a[rel=license]")[0]
            assert str(link["href"]).startswith("https://creativecommons.org/")
    assert stated.keys() == {"CC0-1.0", "CC-BY-4.0", "CC-BY-SA-4.0", "unknown", ""}


def test_an_animal_has_a_page_too(site: DemoSite, visitor: Visitor) -> None:
    dog = next(picture for picture in site.collection.labelled if picture.breed)
    soup = visitor.soup(dog.page)
    assert soup.select("dd.breed")[0].text == dog.breed


def test_the_search_form_repeats_the_words_as_text(visitor: Visitor) -> None:
    evil = '"><script>alert(1)</script>'
    soup = visitor.soup(f"/search?q={evil}")
    assert soup.select("input[name=q]")[0]["value"] == evil
    assert all("src" in script.attrs for script in soup.select("script"))


@pytest.mark.parametrize("page", ["0", "-1", "x", "1.5", "٣", "99999999999999999999", ""])
def test_a_page_that_is_no_number_of_the_grid_is_refused(visitor: Visitor, page: str) -> None:
    answer = visitor.get("/logos/", params={"page": page})
    assert answer.status_code == (200 if page == "" else 400)


@pytest.mark.parametrize("page", ["30", "999999"])
def test_a_page_past_the_end_is_a_404(visitor: Visitor, page: str) -> None:
    assert visitor.get(f"/logos/?page={page}").status_code == 404


@pytest.mark.parametrize(
    "path",
    [
        "/nothing",
        "/logos/nobody/",
        "/media/",
        "/media/logos/",
        "/static/",
        "/static/../server.py",
        "/static/..%2fserver.py",
        "/static/demo.toml",
        "/pictures/cat-0001",
        "/favicon.ico",
    ],
)
def test_an_unknown_path_is_a_404(visitor: Visitor, path: str) -> None:
    assert visitor.get(path).status_code == 404


@pytest.mark.parametrize("name", ["site.css", "search.js", "cards.js", "placeholder.svg"])
def test_static_files_are_there(visitor: Visitor, name: str) -> None:
    assert visitor.get(f"/static/{name}").status_code == 200


def test_logos_without_a_slash_leads_to_the_grid(visitor: Visitor) -> None:
    answer = visitor.get("/logos")
    assert answer.url.endswith("/logos/")
    assert [hop.status_code for hop in answer.history] == [301]
