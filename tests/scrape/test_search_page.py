"""Result pages are read in every layout that was seen, and whatever else they hold."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataset.errors import DisallowedError
from scrape import bing_page, duckduckgo_page, google_page
from scrape.search_page import (
    Found,
    ResultPage,
    json_values,
    merged,
    query_of,
    require_welcome,
    saved_from,
    wall_of,
)
from tests.scrape.search_site import (
    SPOT,
    bing_card,
    bing_mark,
    duck_answer,
    google_block,
    google_card,
    google_link,
    original,
    place,
    small,
    title,
    whole,
)

HERE = "https://www.google.com/search?q=panda"
PARSERS = (google_page.parse, bing_page.parse, duckduckgo_page.parse)


def pairs(found: list[Found]) -> list[tuple[str, str]]:
    return [(one.picture, one.page) for one in found]


def expected(*numbers: int) -> list[tuple[str, str]]:
    return [(original(number), place(number)) for number in numbers]


def test_google_links_carry_the_original_and_its_page() -> None:
    page = whole(google_link(1) + '<a href="/search?q=other">other</a>' + google_link(2))
    found = google_page.parse(page, HERE)
    assert pairs(found) == expected(1, 2)
    assert found[0].texts == (
        (title(1), "google alt"),
        ("pages.example", "google link text"),
    )


@pytest.mark.parametrize("year", [2020, 2022])
def test_google_blocks_are_read_wherever_the_cards_stand(year: int) -> None:
    found = google_page.parse(whole(google_block(range(1, 6), year=year)), HERE)
    assert pairs(found) == expected(1, 2, 3, 4, 5)
    assert found[0].texts == ((title(1), "google title"),)
    assert found[0].thumbnail == small(1)


def test_google_cards_of_a_variable_are_read() -> None:
    cards = json.dumps({"id7": [1, google_card(7)]})
    found = google_page.parse(whole(f"<script>(function(){{var m={cards};f(m)}})()</script>"), HERE)
    assert pairs(found) == expected(7)


def test_google_metas_of_before_2020_are_read() -> None:
    told = {"ou": original(3), "ru": place(3), "tu": small(3), "pt": title(3), "oh": 600}
    metas = [json.dumps(told), "{broken", json.dumps({"ou": 7, "ru": place(4)}), "[]"]
    cards = "".join(f'<div class="rg_meta notranslate">{meta}</div>' for meta in metas)
    found = google_page.parse(whole(cards), HERE)
    assert pairs(found) == [*expected(3), ("", place(4))]
    assert found[0].texts == ((title(3), "google pt"),)


def test_google_in_an_unknown_layout_still_gives_addresses_with_their_pages() -> None:
    icon = ["https://pages.example/icon.png", 16, 16]
    entries = [
        {"new": [[small(n), 90, 120], "x", {"full": [original(n), 600, 800]}, n, [place(n), "T"]]}
        for n in (1, 2)
    ]
    found = google_page.parse(whole(f"<script>load({json.dumps([icon, entries])})</script>"), HERE)
    assert pairs(found) == expected(1, 2)
    assert [one.thumbnail for one in found] == [small(1), small(2)]
    assert found[0].texts == (("T", "google title"),)


@pytest.mark.parametrize("levels", [1, 2, 3])
def test_google_answers_with_json_inside_of_json_are_read(levels: int) -> None:
    text = json.dumps([[[original(1), 600, 800], [place(1)]], [[original(2), 600, 800]]])
    for _ in range(levels):
        text = json.dumps([["wrb.fr", "x", text]])
    found = google_page.parse(f")]}}'\n\n{text}", HERE)
    assert pairs(found) == [*expected(1), (original(2), "")]


def test_google_layouts_that_name_the_same_picture_are_one() -> None:
    page = whole(google_link(1) + google_block(range(1, 3), year=2022))
    found = google_page.parse(page, HERE)
    assert pairs(found) == expected(1, 2)
    assert found[0].thumbnail == small(1)


def test_bing_cards_are_known_by_their_attribute_whatever_their_class() -> None:
    cards = "".join(bing_card(bing_mark(n), cls) for n, cls in ((1, "iusc"), (2, "new"), (3, "")))
    found = bing_page.parse(whole(f'<p m="metres">{cards}'), HERE)
    assert pairs(found) == expected(1, 2, 3)
    assert found[0].texts == ((title(1), "bing t"), ("A picture of panda 1", "bing desc"))
    assert (found[0].mark, found[0].thumbnail[:32]) == (
        f"{1:032x}",
        "https://ts1.mm.bing.net/th?id=OI",
    )


def test_a_bing_card_that_is_escaped_twice_is_read() -> None:
    twice = json.dumps(bing_mark(1)).replace('"', "&quot;")
    assert pairs(bing_page.parse(bing_card(twice), HERE)) == expected(1)


@pytest.mark.parametrize(
    "broken",
    [
        '{"murl": "https://pictures.exam',
        '["murl"]',
        '{"murl": 7}',
        '{"murl": null, "t": ["x"]}',
        '{"turl": NaN}',
        '"murl"',
        '{"murl":' + "[" * 5000,
    ],
)
def test_one_bad_bing_card_costs_one_card(broken: str) -> None:
    page = bing_card(bing_mark(1)) + bing_card(broken) + bing_card(bing_mark(2))
    assert pairs(bing_page.parse(page, HERE)) == [expected(1)[0], ("", ""), expected(2)[0]]


def test_duckduckgo_answers_are_read_alone_and_in_scripts() -> None:
    answer = json.dumps(duck_answer(range(1, 4)))
    inside = f"<script>DDG.ready=1;DDG.duckbar.load('images', {answer});</script>"
    for text in (answer, whole(inside)):
        found = duckduckgo_page.parse(text, "https://duckduckgo.com/?q=panda")
        assert pairs(found) == expected(1, 2, 3)
        assert found[0].texts == ((f"{title(1)} {{sic}}", "duckduckgo title"),)


def test_duckduckgo_links_and_proxied_originals_are_read() -> None:
    link = '<a href="/?q=x&iai=https%3A%2F%2Fpictures.example%2Ffull%2F1.jpg" title="T">x</a>'
    (found,) = duckduckgo_page.parse(whole(link), HERE)
    assert (found.picture, found.texts[0]) == (original(1), ("T", "duckduckgo title"))
    proxy = "//external-content.duckduckgo.com/iu/?u="
    images = (
        f'<img src="{proxy}https%3A%2F%2Ftse1.mm.bing.net%2Fth%3Fid%3D1&f=1">'
        f'<img src="{SPOT}" data-src="{proxy}https%3A%2F%2Fpictures.example%2Ffull%2F2.jpg&f=1">'
    )
    assert [one.picture for one in duckduckgo_page.parse(whole(images), HERE)] == [original(2)]


def test_duckduckgo_results_without_a_usable_image_are_cards_without_a_picture() -> None:
    answer = duck_answer(range(1, 2))
    hostile: list[Any] = [7, None, "javascript:alert(1)", ["x"], "file:///etc/passwd"]
    answer["results"] += [{"image": image, "thumbnail": None, "title": 5} for image in hostile]
    found = duckduckgo_page.parse(json.dumps(answer), HERE)
    assert [one.picture for one in found] == [original(1), "", "", "", "", ""]


def test_the_first_that_names_a_picture_counts_and_the_others_add() -> None:
    first = Found(picture="a", texts=(("t", "o"),))
    second = Found(picture="a", page="p", thumbnail="s", texts=(("u", "o"),))
    bare = Found(picture="")
    whole_one = Found(picture="a", page="p", thumbnail="s", texts=(("t", "o"),))
    assert merged([first, bare], [second]) == [whole_one, bare]


def test_json_is_found_where_values_begin_and_nowhere_else() -> None:
    script = r"""var a=[1,"\x3c"]; f({"b":[2]}, [3]); x={key:'no', data: [4]}; t("y=[5]") //[6]"""
    values = list(json_values(script))
    assert values == [[1, "<"], {"b": [2]}, [3], [4], [5]]


def test_reading_hostile_scripts_ends() -> None:
    for unit in ("=[", "=[1,", '="[', "(((", "={", '=["=[\\"', "return[return{", '"results":['):
        assert sum(1 for _ in json_values(unit * 20_000)) < 20_000
        for parse in PARSERS:
            parse(whole(f'<script>"image" http {unit * 2000}</script>'), HERE)


@given(st.text(max_size=400))
def test_no_text_at_all_breaks_a_parser(text: str) -> None:
    for parse in PARSERS:
        for page in (text, f"<p>{text}", f"<script>=[{text}</script>", f'<a m="murl{text}">'):
            for one in parse(page, HERE):
                assert isinstance(one.picture, str)


@given(st.recursive(st.none() | st.integers() | st.text(max_size=8) | st.just(original(1)),
                    lambda inner: st.lists(inner, max_size=4)
                    | st.dictionaries(st.sampled_from(["2003", "image", "thumbnail", "x"]), inner),
                    max_leaves=20))  # fmt: skip
def test_no_json_at_all_breaks_a_parser(value: Any) -> None:
    for parse in PARSERS:
        parse(json.dumps([value]), HERE)
        parse(bing_card(json.dumps({"murl": value, "t": value})), HERE)


@pytest.mark.parametrize(
    ("page", "address", "wall"),
    [
        ("Our systems have detected unusual traffic", "https://www.google.com/", "bot-wall"),
        ('<form id="captcha-form">', HERE, "bot-wall"),
        ("", "https://www.google.com/sorry/index?continue=x", "bot-wall"),
        ('<div class="anomaly-modal__title">Duck</div>', "https://duckduckgo.com/", "bot-wall"),
        ("<h1>Before you continue to Google</h1>", HERE, "consent"),
        ("", "https://consent.google.com/m?continue=x", "consent"),
        ('<form action="https://consent.google.com/save">', HERE, "consent"),
        ("Your search - zzq - did not match any image results.", HERE, "nothing"),
        ("<p>There are no results for zzq</p>", "https://www.bing.com/", "nothing"),
        ("<p>Welcome</p>", HERE, ""),
    ],
)  # fmt: skip
def test_a_page_without_results_is_known(page: str, address: str, wall: str) -> None:
    assert wall_of(page, address) == wall


@pytest.mark.parametrize(
    "meta",
    [
        '<meta name="robots" content="noai, nofollow">',
        "<META CONTENT=noimageai NAME=robots>",
        "<meta name='pedigree' content='noml'>",
    ],
)
def test_a_page_that_opts_out_is_left_alone(meta: str) -> None:
    require_welcome(whole("x", '<meta name="robots" content="noindex">'), HERE)
    with pytest.raises(DisallowedError) as refusal:
        require_welcome(whole("x", meta), HERE)
    assert refusal.value.reason == "opt-out"


def test_a_saved_page_knows_where_it_is_from_and_what_was_asked() -> None:
    mark = "<!-- saved from url=(0038)https://www.google.com/search?q=red+panda -->"
    page = f"<!DOCTYPE html>\n{mark}\n<html></html>"
    assert saved_from(page) == "https://www.google.com/search?q=red+panda"
    assert query_of(page, saved_from(page)) == "red panda"
    assert query_of('<input name="q" value="red  panda">', "") == "red panda"
    assert query_of("<p>", "http://[") == ""


def test_conditional_sections_do_not_end_the_reading() -> None:
    page = ResultPage("<![if !IE]><a href='/x'>link</a><![endif]><script>1</script>")
    assert (page.links[0].href, page.scripts) == ("/x", ["1"])
