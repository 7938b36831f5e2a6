"""The real picture is found however a page hides it."""

import pytest
from bs4 import BeautifulSoup

from scrape.lazy_images import (
    PICTURE_ATTRIBUTES,
    STYLE,
    is_placeholder,
    largest_of_set,
    original_address,
    picture_address,
    picture_of_card,
)

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
        ('<picture><source data-srcset="w.webp 2x"><img src="blank.gif"></picture>', "w.webp"),
        (f'<picture><source srcset="w.webp"><img srcset="{DATA} 1w"></picture>', "w.webp"),
        ('<img data-orig-file="o.png" srcset="l.png 900w">', "o.png"),
        ('<img src="blank.gif"><noscript>&lt;img src="a.png"&gt;</noscript>', "a.png"),
        ('<img src="blank.gif"><noscript>&lt;img &lt;![x]]&gt;</noscript>', ""),
        ('<img src="blank.gif"><noscript><img srcset="s.png 1x, l.png 2x"></noscript>', "l.png"),
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
        ("a.png 100w 50h, b.png 90w", "a.png"),
        ("a.png nanw, b.png 1w", "b.png"),
        ("a.png 1x,b.png, c.png 2x", "c.png"),
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
        ("/wp-content/plugins/x/lazy_placeholder.gif", True),
        ("/ajax-loader.gif", True),
        ("/grey.gif", True),
        ("/grey.png", False),
        ("/media/pixelmator.png", False),
        ("/media/blanket.jpg", False),
        ("/loading/bird.png", False),
        ("/media/my-placeholders.html", False),
    ],
)
def test_placeholders_are_known_by_their_file_name(address: str, expected: bool) -> None:
    assert is_placeholder(address) is expected


def address_on_card(markup: str, *attributes: str, image: str = "img") -> str:
    card = BeautifulSoup(markup, "html.parser").find(True)
    assert card is not None
    return picture_of_card(card, image, attributes or PICTURE_ATTRIBUTES)


@pytest.mark.parametrize(
    ("markup", "address"),
    [
        ('<div><img src="a.png"></div>', "a.png"),
        ('<img src="a.png">', "a.png"),
        ("<div style=\"background-image:url('b.png')\"><p>x</p></div>", "b.png"),
        ('<div><i style="color:red; background: #fff url( b.png ) no-repeat"></i></div>', "b.png"),
        ("<div><i style='BACKGROUND-IMAGE: url(\"b c.png\")'></i></div>", "b c.png"),
        (
            f'<div style="background:url({DATA})"><i style="background:url(b.png)"></i></div>',
            "b.png",
        ),
        ('<div><picture><source srcset="w.webp"></picture></div>', "w.webp"),
        ('<div><noscript>&lt;img src="n.png"&gt;</noscript></div>', "n.png"),
        ('<div><a><img src="blank.gif"></a><noscript><img src="n.png"></noscript></div>', "n.png"),
        ('<div style="background:red"><p>x</p></div>', ""),
        ('<div style="background:url()"></div>', ""),
        ("<div></div>", ""),
    ],
)
def test_a_picture_is_found_wherever_it_hides_in_a_card(markup: str, address: str) -> None:
    assert address_on_card(markup) == address


def test_a_background_beside_an_image_counts_only_when_style_is_named() -> None:
    markup = '<div style="background-image:url(b.png)"><img src="blank.gif"></div>'
    assert address_on_card(markup) == ""
    assert address_on_card(markup, "src", STYLE) == "b.png"
    seen = '<div style="background-image:url(b.png)"><img src="a.png"></div>'
    assert address_on_card(seen, "src", STYLE) == "a.png"
    assert address_on_card(seen, STYLE, "src") == "b.png"
    own = '<div><i style="background:url(x.png)"></i><b style="background:url(b.png)"></b></div>'
    assert address_on_card(own, STYLE, image="b") == "b.png"


def test_a_huge_style_takes_no_more_than_a_look() -> None:
    style = "background:" * 100_000
    assert address_on_card(f'<div style="{style}"></div>') == ""


HERE = "https://example.org"
WORDPRESS = f"{HERE}/wp-content/uploads/2020/01"
DRUPAL = f"{HERE}/sites/default/files"
WIX = "https://static.wixstatic.com/media"
SHOP = "https://cdn.shopify.com/s/files/1"
WIKI = "https://upload.example.org/wikipedia/commons"
SQUARE = "https://images.squarespace-cdn.com/content"


@pytest.mark.parametrize(
    ("thumbnail", "original"),
    [
        (f"{WORDPRESS}/a-150x150.png", f"{WORDPRESS}/a.png"),
        (f"{HERE}/a_1926-1938-300x201.JPG?x=1", f"{HERE}/a_1926-1938.JPG?x=1"),
        (f"{HERE}/uploads/a-scaled.jpg", f"{HERE}/uploads/a.jpg"),
        (f"{HERE}/a_200x200.webp", f"{HERE}/a.webp"),
        (
            "https://i0.wp.com/example.org/a.jpg?resize=300%2C200&ssl=1",
            "https://i0.wp.com/example.org/a.jpg?ssl=1",
        ),
        (
            "https://x.files.wordpress.com/2020/a.jpg?w=300",
            "https://x.files.wordpress.com/2020/a.jpg",
        ),
        (f"{SHOP}/a_200x200.png?v=7", f"{SHOP}/a.png?v=7"),
        (f"{SHOP}/a_300x.png", f"{SHOP}/a.png"),
        (f"{SHOP}/a_x300_crop_center@2x.progressive.jpg", f"{SHOP}/a.jpg"),
        (f"{SHOP}/a_grande.jpg?v=7&width=300", f"{SHOP}/a.jpg?v=7"),
        (f"{SHOP}/a_%7Bwidth%7Dx.jpg", f"{SHOP}/a.jpg"),
        (f"{HERE}/cdn/shop/files/a_small.jpg", f"{HERE}/cdn/shop/files/a.jpg"),
        (f"{WIKI}/thumb/a/ab/Blue_bird.jpg/120px-Blue_bird.jpg", f"{WIKI}/a/ab/Blue_bird.jpg"),
        (f"{DRUPAL}/styles/large/public/2020/a.jpg?itok=x", f"{DRUPAL}/2020/a.jpg"),
        (f"{DRUPAL}/styles/l/public/a.png.webp", f"{DRUPAL}/a.png"),
        (f"{DRUPAL}/styles/l/public/dog.webp", f"{DRUPAL}/dog.webp"),
        (f"{SQUARE}/v1/a.png?format=300w", f"{SQUARE}/v1/a.png?format=original"),
        (f"{WIX}/1_2~mv2.jpg/v1/fill/w_9,h_9/a.jpg", f"{WIX}/1_2~mv2.jpg"),
        (
            "https://1.bp.blogspot.com/-a/b/c/d/s320/a.jpg",
            "https://1.bp.blogspot.com/-a/b/c/d/s0/a.jpg",
        ),
    ],
)
def test_a_thumbnail_tells_where_its_original_lies(thumbnail: str, original: str) -> None:
    assert original_address(thumbnail) == original
    assert original_address(original) == original


@pytest.mark.parametrize(
    "address",
    [
        f"{HERE}/a.png",
        f"{HERE}/150x150.png",
        f"{HERE}/-150x150.png",
        f"{HERE}/a-150x150",
        f"{HERE}/a-150x150/b.png",
        f"{HERE}/a-0x0.png",
        f"{HERE}/a-12345x150.png",
        f"{HERE}/a-1926.png",
        f"{HERE}/a_small.png",
        f"{HERE}/a_300x.png",
        f"{HERE}/a.png?w=300",
        f"{HERE}/a.png?format=300w",
        f"{WIKI}/thumb/a/ab/Bird.svg/120px-Bird.svg.png",
        f"{WIKI}/thumb/a/ab/Book.pdf/page1-120px-Book.pdf.jpg",
        f"{HERE}/media/a.jpg/v1/fill/w_9/a.jpg",
        f"{HERE}/s320/a.jpg",
        f"{HERE}/",
    ],
)
def test_an_address_that_is_no_certain_thumbnail_stays(address: str) -> None:
    assert original_address(address) == address


@pytest.mark.parametrize(
    ("markup", "address"),
    [
        (f'<img src="{DATA}"><img src="/1.png">', "/1.png"),
        ('<img src="spacer.gif"><b><img src="blank.gif"><img data-src="/1.png"></b>', "/1.png"),
        ('<img src="/1.png"><img src="/2.png">', "/1.png"),
        ('<i data-bg="/b.png"></i>', "/b.png"),
        ("<i data-bg=\"url('/b.png')\"></i>", "/b.png"),
        ('<i data-background-image="/b.png" style="background:url(/s.png)"></i>', "/b.png"),
        (f'<img src="{DATA}"><i data-bg="/b.png"></i>', "/b.png"),
        ('<img src="/1.png"><i data-bg="/b.png"></i>', "/1.png"),
        ('<img src="blank.gif" data-bg="/b.png">', "/b.png"),
        ('<i data-bg="blank.gif"></i>', ""),
    ],
)
def test_a_card_shows_its_first_picture_that_is_no_placeholder(markup: str, address: str) -> None:
    card = BeautifulSoup(f"<div>{markup}</div>", "html.parser").div
    assert card is not None
    assert picture_of_card(card, "img") == address


def test_a_card_may_be_a_lazy_background_itself() -> None:
    card = BeautifulSoup('<div data-bg="/b.png"></div>', "html.parser").div
    assert card is not None
    assert picture_of_card(card, "img") == "/b.png"
