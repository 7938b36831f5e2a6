"""SVG: rendered the same everywhere, and nothing in it reaches outside."""

import base64
import gzip
from pathlib import Path

import numpy as np
import pytest

from dataset.errors import PictureError
from dataset.pixels import PixelLimits, decode
from tests.dataset.pictures import encoded, scene

BOX = "<rect x='2' y='2' width='6' height='6' fill='#c81e1e'/>"
# Pixels on whole coordinates have no edges that a renderer might draw otherwise.
PINNED = "dfcd935d359957e5"
NAMES = "xmlns='http://www.w3.org/2000/svg' xmlns:xlink='http://www.w3.org/1999/xlink'"


def svg(body: str = BOX, attributes: str = "viewBox='0 0 10 10'", before: str = "") -> bytes:
    return f"{before}<svg {NAMES} {attributes}>{body}</svg>".encode()


def reason_of(content: bytes) -> str:
    with pytest.raises(PictureError) as caught:
        decode(content)
    return caught.value.reason


def test_a_drawing_is_rendered_at_512_on_nothing() -> None:
    picture = decode(svg())
    assert (picture.format, picture.width, picture.height) == ("SVG", 512, 512)
    assert picture.has_alpha
    assert tuple(picture.rgb[256, 256]) == (0xC8, 0x1E, 0x1E)
    assert tuple(picture.rgb[5, 5]) == (255, 255, 255)


def test_the_pixel_hash_of_a_drawing_is_stable() -> None:
    assert decode(svg()).pixel_sha256 == decode(svg(before="<?xml version='1.0'?>")).pixel_sha256
    assert decode(svg()).pixel_sha256.startswith(PINNED)


@pytest.mark.parametrize(
    ("attributes", "size"),
    [
        ("viewBox='0 0 10 20'", (256, 512)),
        ("viewBox='0,0 40,20'", (512, 256)),
        ("width='20' height='10'", (512, 256)),
        ("width='1cm' height='20mm'", (256, 512)),
        ("width='1in' height='96px' viewBox='0 0 30 10'", (512, 512)),
        ("width='100%' height='100%' viewBox='0 0 10 5'", (512, 256)),
        ("width='9e3' height='4.5e3'", (512, 256)),
        ("", (512, 256)),
        ("viewBox='nonsense'", (512, 256)),
        ("viewBox='0 0 -5 0'", (512, 256)),
    ],
)
def test_the_sides_keep_their_ratio(attributes: str, size: tuple[int, int]) -> None:
    picture = decode(svg(attributes=attributes))
    assert (picture.width, picture.height) == size


@pytest.mark.parametrize(
    "before",
    [
        "\ufeff",
        "  \n",
        "<?xml version='1.0' encoding='UTF-8'?>\n<!-- a drawing -->\n<!-- by hand -->\n",
    ],
)
def test_a_drawing_is_known_whatever_stands_before_it(before: str) -> None:
    assert decode(svg(before=before)).format == "SVG"


def test_other_encodings_and_prefixes_are_read() -> None:
    plain = decode(svg()).pixel_sha256
    assert decode(svg().decode().encode("utf-16")).pixel_sha256 == plain
    latin = "<?xml version='1.0' encoding='ISO-8859-1'?>" + svg("<!-- \xe9 -->" + BOX).decode()
    assert decode(latin.encode("latin-1")).pixel_sha256 == plain
    prefixed = (
        "<s:svg xmlns:s='http://www.w3.org/2000/svg' viewBox='0 0 10 10'>"
        "<s:rect x='2' y='2' width='6' height='6' fill='#c81e1e'/></s:svg>"
    )
    assert decode(prefixed.encode()).pixel_sha256 == plain


@pytest.mark.parametrize(
    "harmless",
    [
        "<script>fetch('http://127.0.0.1/')</script>",
        "<script href='http://127.0.0.1/x.js'/>",
        "<foreignObject><iframe src='http://127.0.0.1/'/></foreignObject>",
        "<g onload='alert(1)'/>",
        "<text x='1' y='5'>no fonts here</text>",
        "<title>&lt;b&gt; &amp; &quot;</title>",
    ],
)
def test_scripts_foreign_parts_and_text_leave_no_trace(harmless: str) -> None:
    assert decode(svg(harmless + BOX)).pixel_sha256 == decode(svg()).pixel_sha256


OUTSIDE = [
    "http://127.0.0.1:9/x.png",
    "//127.0.0.1/x.png",
    "file:///etc/hostname",
    "/etc/hostname",
    "x.png",
    "other.svg#part",
    "javascript:alert(1)",
    "data:text/html,hello",
    "data:image/svg+xml;base64,PHN2Zy8+",
]


@pytest.mark.parametrize("target", OUTSIDE)
@pytest.mark.parametrize(
    "body",
    [
        "<image width='9' height='9' href='{}'/>",
        "<image width='9' height='9' xlink:href='{}'/>",
        "<image width='9' height='9' xmlns:y='http://www.w3.org/1999/xlink' y:href='{}'/>",
        "<use href='{}'/>",
        "<a href='{}'><rect width='3' height='3'/></a>",
        "<rect width='3' height='3' fill='url({})'/>",
        "<rect width='3' height='3' style='mask: URL( \"{}\" )'/>",
        "<style>rect {{ fill: url({}) }}</style>",
        "<style>@import url({});</style>",
        "<g xml:base='{}'/>",
    ],
)
def test_a_drawing_that_reaches_outside_is_refused(body: str, target: str) -> None:
    assert reason_of(svg(body.format(target))) == "svg-external"


@pytest.mark.parametrize(
    "content",
    [
        svg(before="<!DOCTYPE svg SYSTEM 'http://127.0.0.1:9/svg.dtd'>"),
        svg("&e;", before="<!DOCTYPE svg [<!ENTITY e SYSTEM 'file:///etc/passwd'>]>"),
        svg("&b;", before="<!DOCTYPE svg [<!ENTITY a 'aaa'><!ENTITY b '&a;&a;&a;'>]>"),
        svg(before="<?xml-stylesheet href='http://127.0.0.1:9/a.css'?>"),
        svg("<style>@import 'a.css';</style>"),
        svg("<style>@IMPORT 'a.css';</style>"),
        svg("<style><![CDATA[rect{fill:url(http://127.0.0.1:9/)}]]></style>"),
        svg("<style>rect{fill:u\\72l(http://127.0.0.1:9/)}</style>"),
        svg("<rect fill='ur&#108;(http://127.0.0.1:9/)'/>"),
    ],
)
def test_document_types_entities_and_hidden_imports_are_refused(content: bytes) -> None:
    assert reason_of(content) == "svg-external"


def test_a_file_beside_it_is_never_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "beside.png").write_bytes(encoded(scene(1)))
    monkeypatch.chdir(tmp_path)
    assert reason_of(svg("<image width='9' height='9' href='beside.png'/>")) == "svg-external"


def embedded(content: bytes, kind: str = "png") -> bytes:
    data = base64.b64encode(content).decode()
    return svg(f"<image width='10' height='10' href='data:image/{kind};base64,{data}'/>")


def test_references_inside_and_embedded_pictures_are_drawn() -> None:
    inside = (
        "<defs><rect id='r' x='2' y='2' width='6' height='6'/><linearGradient id='g'>"
        "<stop stop-color='#c81e1e'/></linearGradient></defs><use href='#r' fill='url(#g)'/>"
    )
    assert tuple(decode(svg(inside)).rgb[256, 256]) == (0xC8, 0x1E, 0x1E)
    picture = decode(embedded(encoded(scene(1, (64, 64)))))
    assert np.unique(picture.rgb.reshape(-1, 3), axis=0).shape[0] > 50


def test_a_bomb_inside_a_drawing_is_refused() -> None:
    with pytest.raises(PictureError) as caught:
        decode(embedded(encoded(scene(1))), limits=PixelLimits(max_pixels=10_000))
    assert caught.value.reason == "too-many-pixels"
    assert reason_of(embedded(b"nothing")) == "not-an-image"


def nested(depth: int) -> str:
    return "<g>" * depth + BOX + "</g>" * depth


def chained(count: int, tag: str = "g", refer: str = "<use href='#i{}'/>") -> str:
    parts = [f"<{tag} id='i{n}'>{refer.format(n + 1)}</{tag}>" for n in range(count)]
    return "".join(parts) + f"<{tag} id='i{count}'>{BOX}</{tag}>" + refer.format(0)


@pytest.mark.parametrize(
    "body",
    [
        nested(100),
        nested(20_000),
        chained(60),
        chained(5000),
        chained(60, "mask", "<rect width='9' height='9' mask='url(#i{})'/>"),
        "<g id='a'><use href='#b'/></g><g id='b'><use href='#a'/></g>",
        "<rect/>" * 100_001,
    ],
)
def test_depth_by_nesting_or_by_reference_is_bounded(body: str) -> None:
    assert reason_of(svg(body)) == "broken"


def test_usual_depth_is_drawn_and_multiplied_references_end() -> None:
    assert decode(svg(nested(40))).rgb[256, 256, 0] == 0xC8
    assert decode(svg(chained(20))).rgb[256, 256, 0] == 0xC8
    many = "".join(f"<g id='i{n}'>" + f"<use href='#i{n + 1}'/>" * 10 + "</g>" for n in range(7))
    assert reason_of(svg(many + "<rect id='i7' width='3' height='3'/>")) == "broken"


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (svg()[:-10], "truncated"),
        (svg("<g>")[:-6], "truncated"),
        (svg("<g></h>"), "broken"),
        (svg("\x01"), "broken"),
        (svg("<rect width='&unknown;'/>"), "broken"),
        (svg(attributes="viewBox='0 0 1 100'"), "odd-aspect"),
        (svg(attributes="width='1e-9' height='1e30'"), "broken"),
        (svg("<!--" + "x" * 2_000_000 + "-->"), "too-many-bytes"),
        (gzip.compress(svg()), "not-an-image"),
        (b"<?xml version='1.0' encoding='no-such'?>" + svg(), "broken"),
        (b"<html><body>" + svg() + b"</body></html>", "html"),
        (b"<svgish/>", "not-an-image"),
    ],
)
def test_broken_drawings_are_refused_with_a_reason(content: bytes, reason: str) -> None:
    assert reason_of(content) == reason
