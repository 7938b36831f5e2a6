"""ATTRIBUTION.md names every kept picture once and whose it is; no text becomes markup."""

import json
import re
import tracemalloc
import unicodedata
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataset.catalog import Catalog
from dataset.records import Caption, Change, ImageFilter, ImageRecord, NewImage, Origin
from scrape.attribution import (
    Credited,
    attribution_md,
    credit_line,
    credited,
    licence_summary,
    write_attribution,
    write_manifest,
)

BY = "https://creativecommons.org/licenses/by/4.0/"
EVERY = ImageFilter()
IMAGE = ImageRecord(
    id=1,
    sha256="0" * 64,
    pixel_sha256="0" * 64,
    format="png",
    width=8,
    height=9,
    byte_count=70,
    has_alpha=False,
    label="bird",
    status="keep",
    reason="",
    stars=0,
    caption="",
    added_at="",
)


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[Catalog]:
    with Catalog(tmp_path / "catalog.sqlite3") as opened:
        yield opened


def origin(number: int = 1, **fields: str) -> Origin:
    stated = {
        "url": f"https://example.org/media/{number}.png",
        "page_url": f"https://example.org/works/{number}",
        "source": "gallery",
        "author": "Anna Berg",
        "author_url": "https://example.org/anna",
        "licence": "CC-BY-4.0",
        "licence_url": BY,
    }
    return Origin(**{**stated, **fields})


def add(
    catalog: Catalog,
    number: int,
    *origins: Origin,
    captions: tuple[tuple[str, str], ...] = (("A blue bird", "gallery title"),),
    keep: bool = True,
) -> int:
    image = NewImage(
        sha256=f"{number:064x}"[::-1],
        pixel_sha256=f"{number:064x}",
        format="png",
        width=8,
        height=9,
        byte_count=70,
        label="bird",
    )
    said = [Caption(text=text, origin=where) for text, where in captions]
    for found in origins or (origin(number),):
        image_id, _ = catalog.images.add(image, found, said)
    if keep:
        wish = Change(image_id=image_id, field="status", value="keep")
        catalog.judgements.apply([wish], who="anna", verb="review")
    return image_id


def line_of(catalog: Catalog, *origins: Origin, **more: tuple[tuple[str, str], ...]) -> str:
    add(catalog, 1, *origins, **more)  # type: ignore[arg-type]
    (picture,) = credited(catalog)
    return credit_line(picture)


def shown(markdown: str) -> str:
    """What a reader sees of text in which all markup is escaped, links aside."""
    return re.sub(r"\\([^\w\s]|(?=\.))", r"\1", markdown)


def test_a_picture_is_credited_with_title_author_licence_and_page(catalog: Catalog) -> None:
    assert shown(line_of(catalog)) == (
        '- `100000000000` "A blue bird" by Anna Berg (<https://example.org/anna>), Creative '
        f"Commons Attribution 4.0 International (<{BY}>), from <https://example.org/works/1>"
    )


def test_the_sites_own_line_is_used_where_it_has_one(catalog: Catalog) -> None:
    line = "(c) Anna Berg, some rights reserved (CC BY)"
    assert shown(line_of(catalog, origin(attribution=line))) == (
        f'- `100000000000` "A blue bird": {line} (<{BY}>), from <https://example.org/works/1>'
    )


def test_what_the_sites_own_line_holds_is_not_said_again(catalog: Catalog) -> None:
    line = f'"A blue bird" by Anna is under CC BY 4.0, see {BY} and https://example.org/works/1.'
    assert shown(line_of(catalog, origin(attribution=line))) == (
        '- `100000000000` "A blue bird" by Anna is under CC BY 4.0, '
        f"see <{BY}> and <https://example.org/works/1>."
    )


def test_an_origin_that_tells_nothing_is_listed_as_unknown(catalog: Catalog) -> None:
    bare = Origin(url="file:///home/anna/1.png", source="folder")
    assert line_of(catalog, bare, captions=()) == "- `100000000000` Untitled, licence unknown"
    assert licence_summary(catalog) == {"unknown": 1}


def test_a_licence_without_an_address_gets_its_own(catalog: Catalog) -> None:
    assert f"<{BY}>" in line_of(catalog, origin(licence_url=""))


@pytest.mark.parametrize(
    ("captions", "title"),
    [
        ((("a bird on a hill", "detail p"), ("Bird", "commons ObjectName")), "Bird"),
        ((("a bird on a hill", "detail p"), ("bird", "card img@alt")), "a bird on a hill"),
        ((("a photo of a bird", "model vit@123"), ("Bird", "card p")), "Bird"),
        ((("a photo of a bird", "model title"),), ""),
        ((("x " * 500, "gallery title"),), "x " * 99 + "x…"),
    ],
)
def test_the_title_is_the_sites_word_and_never_a_models(
    catalog: Catalog, captions: tuple[tuple[str, str], ...], title: str
) -> None:
    add(catalog, 1, captions=captions)
    (picture,) = credited(catalog)
    assert picture.title == title


def best_of(catalog: Catalog, *origins: Origin) -> Credited:
    add(catalog, 1, *origins)
    (picture,) = credited(catalog)
    return picture


@pytest.mark.parametrize(
    "worse",
    [
        {"licence": "unknown"},
        {"licence": "all-rights-reserved", "licence_url": ""},
        {"author": ""},
        {"author": " "},
        {"licence_url": ""},
        {"licence_url": "javascript:alert(1)"},
        {"page_url": ""},
    ],
)
def test_a_picture_goes_by_its_best_documented_origin(
    catalog: Catalog, worse: dict[str, str]
) -> None:
    best = best_of(catalog, replace(origin(1), **worse), origin(2))
    assert best.best.url == "https://example.org/media/2.png"
    assert [o.url for o in best.others] == ["https://example.org/media/1.png"]


def test_among_equals_the_first_find_counts(catalog: Catalog) -> None:
    picture = best_of(catalog, origin(1), origin(2, licence="CC-BY-NC-4.0"))
    assert picture.best.licence == "CC-BY-4.0"
    assert picture.is_contradictory


def test_every_origin_is_named_once_with_its_licence(catalog: Catalog) -> None:
    more = [
        origin(2, licence="CC0-1.0"),
        origin(2, licence="CC0-1.0", query="again"),
        Origin(url="https://pictures.example.org/3.png", source="list"),
        Origin(url="file:///home/anna/1.png", source="folder"),
    ]
    line = line_of(catalog, origin(1), origin(1, query="bird"), *more)
    assert shown(line).partition("; also found at ")[2] == (
        "<https://example.org/works/2> (CC0 1.0 Universal Public Domain Dedication), "
        "<https://pictures.example.org/3.png> (Unknown licence), folder (Unknown licence)"
    )
    assert "/home/anna" not in line


def test_a_crowd_of_origins_is_cut_and_counted(catalog: Catalog) -> None:
    line = line_of(catalog, *(origin(number) for number in range(60)))
    assert line.endswith(" and 9 more")
    assert line.count("; also found at ") == 1


def test_groups_come_by_licence_with_their_counts(catalog: Catalog) -> None:
    for number, licence in enumerate(("CC0-1.0", "CC-BY-4.0", "unknown", "CC-BY-4.0"), start=1):
        add(catalog, number, origin(number, licence=licence, licence_url=""))
    add(catalog, 9, keep=False)
    text = attribution_md(catalog)
    assert "4 pictures, each under its licence." in text
    headings = re.findall(r"^## (.*)$", text, re.MULTILINE)
    assert headings == [
        "Creative Commons Attribution 4.0 International, CC-BY-4.0: 2 pictures",
        "CC0 1.0 Universal Public Domain Dedication, CC0-1.0: 1 picture",
        "Unknown licence, unknown: 1 picture",
    ]
    groups = [group.count("\n- ") for group in text.split("\n## ")[1:]]
    assert groups == [2, 1, 1]
    assert "| 2 | Creative Commons Attribution 4.0 International, CC-BY-4.0 |" in text
    assert "state different licences" not in text
    assert licence_summary(catalog) == {"CC-BY-4.0": 2, "CC0-1.0": 1, "unknown": 1}


def test_contradicting_licences_are_told_at_the_head(catalog: Catalog) -> None:
    add(catalog, 1, origin(1), origin(2, licence="all-rights-reserved"))
    add(catalog, 2, origin(3), origin(4, licence="unknown"))
    assert "Of 1 picture the origins state different licences" in attribution_md(catalog)


def test_kept_pictures_are_the_default_and_any_filter_may_be_given(catalog: Catalog) -> None:
    add(catalog, 1)
    add(catalog, 2, origin(2, source="other"), keep=False)
    assert licence_summary(catalog) == {"CC-BY-4.0": 1}
    assert licence_summary(catalog, EVERY) == {"CC-BY-4.0": 2}
    only = ImageFilter(source="other")
    assert "1 picture, each" in attribution_md(catalog, only)


def test_an_empty_catalogue_makes_an_honest_file(catalog: Catalog, tmp_path: Path) -> None:
    assert attribution_md(catalog).startswith("# Attribution\n\n0 pictures")
    assert write_manifest(catalog, tmp_path / "out" / "manifest.jsonl") == 0
    assert licence_summary(catalog) == {}


HOSTILE = [
    "[click](javascript:alert(1))",
    "<img src=x onerror=alert(1)>",
    "<script>alert(1)</script> Anna",
    "`code` **bold** __under__ ~~gone~~ $x^2$ :smile:",
    "![x](https://evil.example/track.png)",
    "a | b | c",
    "line\n\n# heading\n- item\n> quote",
    "https://evil.example/ www.evil.example",
    "&lt;b&gt; &amp;lt;script&amp;gt; &#60;i&#62;",
    "</li></ul> ]( [^1] [ref]: <https://evil.example>",
    "\u202eevil\u2028# heading\u2029\x85- x\x00",
    "\\[x](y) \\\\",
]


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize("field", ["author", "attribution", "licence", "source", "title"])
def test_no_text_becomes_markup(catalog: Catalog, text: str, field: str) -> None:
    fields = {} if field == "title" else {field: text}
    captions = ((text, "gallery title"),) if field == "title" else ()
    other = replace(Origin(url="file:///x", source="folder"), **fields)
    add(catalog, 1, replace(origin(), **fields), other, captions=captions)
    written = attribution_md(catalog)
    (item,) = (line for line in written.splitlines() if line.startswith("- "))
    assert_inert(item.partition("` ")[2])
    for heading in re.findall(r"^## (.*)$", written, re.MULTILINE):
        assert_inert(heading.rpartition(": ")[0])
    assert len(re.findall(r"^#", written, re.MULTILINE)) == 2


def assert_inert(markdown: str) -> None:
    """Nothing that Markdown would take for markup is left but links to the places given."""
    links = re.findall(r"(?<!\\)<([^>]*)>", markdown)
    assert all(re.match(r"https://(example|creativecommons)\.org/", link) for link in links)
    rest = re.sub(r"(?<!\\)<[^>]*>", "", markdown)
    plain = re.sub(r"\\.", "", rest)
    assert not re.search(r"[`*_\[\]<>#|~&$@!\\{}^=:]|www\.", plain), plain
    assert not {unicodedata.category(c) for c in plain} & {"Cc", "Cs", "Zl", "Zp"}


@given(st.text(max_size=80), st.text(max_size=80))
def test_any_title_and_author_are_inert_and_one_line(title: str, author: str) -> None:
    best = Origin(url="", author=author)
    picture = Credited(IMAGE, best, (), (Caption(text=title, origin="x title"),))
    line = credit_line(picture)
    assert "\n" not in line
    assert_inert(line.partition("` ")[2])


@pytest.mark.parametrize(
    "address",
    [
        "javascript:alert(1)",
        "data:text/html,x",
        "file:///etc/passwd",
        "//example.com/",
        "https://example.org@evil.example/",
        "https://evil.example .example.org/",
        "https://[",
        "https://evil.example/" + "x" * 2000,
        "nonsense",
    ],
)
def test_only_plain_web_addresses_become_links(catalog: Catalog, address: str) -> None:
    bad = Origin(url=address, page_url=address, author_url=address, licence_url=address)
    bad = replace(bad, author="Anna", licence="CC-BY-4.0")
    line = line_of(catalog, bad, replace(bad, query="again"))
    assert set(re.findall(r"<([^>]*)>", line)) == {BY}


def test_an_address_cannot_leave_its_link(catalog: Catalog) -> None:
    line = line_of(catalog, origin(page_url="https://example.org/a>b<c`d \"e' (f)"))
    assert "<https://example.org/a%3Eb%3Cc%60d%20%22e'%20(f)>" in line


def test_the_manifest_tells_everything_in_one_line_a_picture(
    catalog: Catalog, tmp_path: Path
) -> None:
    captions = (("A blue\u2028bird\x85é", "gallery title"), ("blue", "gallery tags"))
    add(catalog, 1, origin(1, licence="unknown"), origin(2, query="bird"), captions=captions)
    add(catalog, 2, Origin(url=""), captions=())
    path = tmp_path / "manifest.jsonl"
    assert write_manifest(catalog, path) == 2
    first, second = (json.loads(line) for line in path.read_text("utf-8").splitlines())
    assert first["sha256"] == f"{1:064x}"[::-1]
    assert (first["format"], first["width"], first["height"]) == ("png", 8, 9)
    assert (first["licence"], first["licence_url"], first["author"]) == (
        "CC-BY-4.0",
        BY,
        "Anna Berg",
    )
    assert first["page_url"] == "https://example.org/works/2"
    assert [found["query"] for found in first["origins"]] == ["bird", ""]
    assert [caption["origin"] for caption in first["captions"]] == ["gallery title", "gallery tags"]
    assert first["title"] == "A blue bird é"
    assert (second["origins"], second["captions"], second["title"]) == ([], [], "")


def test_files_are_whole_or_absent_and_nothing_else_is_left(
    catalog: Catalog, tmp_path: Path
) -> None:
    add(catalog, 1)
    folder = tmp_path / "export"
    assert write_attribution(catalog, folder / "ATTRIBUTION.md") == {"CC-BY-4.0": 1}
    write_manifest(catalog, folder / "manifest.jsonl")
    assert sorted(path.name for path in folder.iterdir()) == ["ATTRIBUTION.md", "manifest.jsonl"]
    before = (folder / "ATTRIBUTION.md").read_text("utf-8")
    write_attribution(catalog, folder / "ATTRIBUTION.md")
    assert (folder / "ATTRIBUTION.md").read_text("utf-8") == before


def test_memory_does_not_grow_with_the_catalogue(tmp_path: Path) -> None:
    peaks = []
    for count in (1200, 3600):
        with Catalog(tmp_path / f"{count}.sqlite3") as catalog:
            with catalog.transaction():
                for number in range(count):
                    add(catalog, number, keep=False)
            tracemalloc.start()
            write_attribution(catalog, tmp_path / "ATTRIBUTION.md", EVERY)
            write_manifest(catalog, tmp_path / "manifest.jsonl", EVERY)
            peaks.append(tracemalloc.get_traced_memory()[1])
            tracemalloc.stop()
    assert peaks[1] < 1.3 * peaks[0]
