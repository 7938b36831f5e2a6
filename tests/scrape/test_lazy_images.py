"""The real picture is found however a page hides it."""

import pytest
from bs4 import BeautifulSoup

from scrape.lazy_images import is_placeholder, largest_of_set, picture_address

DATA = "data:image/gif;base64,R0lGODlhAQABAAAAACw="


def address_in(markup: str, *attributes: str) -> str:
    image = BeautifulSoup(markup, "html.parser").select_one("img")
    assert image is not None
    return picture_address(image, attributes) if attributes else picture_address(image)


@pytest.mark.parametrize(
    ("markup", "address"),
    [
        ('<img src="a.png">', "a.png"),
        ('<img src=" a.png ">', "a.png"),
        ('<img srcset="s.png 100w, l.png 900w, m.png 400w" src="a.png">', "l.png"),
        ('<img data-srcset="s.png 1x, l.png 3x" src="a.png">', "l.png"),
        (f'<img data-src="a.png" src="{DATA}">', "a.png"),
        ('<img data-src="a.png" src="/static/placeholder.svg">', "a.png"),
        (f'<img data-lazy-src="a.png" src="{DATA}">', "a.png"),
        ('<img src="/img/blank.gif"><noscript><img src="a.png"></noscript>', "a.png"),
        ('<noscript><img src="a.png"></noscript>', "a.png"),
        (f'<img srcset="{DATA} 1w" data-src="a.png">', "a.png"),
        ('<picture><source srcset="w.webp 2x"><img src="a.png"></picture>', "w.webp"),
        (f'<img src="{DATA}">', ""),
        ('<img src="">', ""),
        ("<img>", ""),
        ('<img src="spacer.gif">', ""),
    ],
)
def test_the_best_address_wins_over_placeholders(markup: str, address: str) -> None:
    assert address_in(markup) == address


def test_a_source_may_choose_its_own_attributes() -> None:
    markup = '<img data-original="o.png" data-src="d.png" src="a.png">'
    assert address_in(markup, "data-original", "src") == "o.png"
    assert address_in(markup, "src") == "a.png"
    assert address_in(markup, "data-full") == ""


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("a.png", "a.png"),
        ("a.png, b.png 2x", "b.png"),
        ("a.png 1x,b.png 2x", "b.png"),
        ("a,b.png 300w, c.png 200w", "a,b.png"),
        ("a.png 1.5x, b.png 1x", "a.png"),
        ("a.png wide, b.png 2x", "b.png"),
        ("", ""),
        (" , , ", ""),
        ("a.png " * 3000, "a.png"),
    ],
)
def test_a_set_gives_its_largest_member(text: str, address: str) -> None:
    assert largest_of_set(text) == address


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("/static/placeholder.svg", True),
        ("/img/lazy-load.gif", True),
        ("/1x1.png?x", True),
        ("about:blank", True),
        ("/media/pixelmator.png", False),
        ("/media/blanket.jpg", False),
        ("/loading/bird.png", False),
        ("/media/my-placeholders.html", False),
    ],
)
def test_placeholders_are_known_by_their_file_name(address: str, expected: bool) -> None:
    assert is_placeholder(address) is expected
