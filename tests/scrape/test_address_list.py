"""A list of addresses is read as it streams: any format, odd columns, and bad rows one by one."""

import csv
import gzip
import io
import json
import os
import tracemalloc
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataset.catalog import Catalog
from dataset.config import from_mapping
from dataset.errors import ConfigError, DataError
from dataset.workspace import Workspace
from scrape.client import PoliteClient
from scrape.config import CrawlSettings
from scrape.crawl import crawl
from scrape.row_file import BadRows, Row, file_rows, row_kind, text_rows
from scrape.sources.address_list import AddressList, AddressListSpec
from scrape.sources.source import ScrapedItem
from tests.scrape.conftest import SETTINGS
from tests.scrape.drawings import picture
from tests.scrape.loopback import Answer, LoopbackSite

AT = "https://example.org"


def listed(path: Path, **keys: Any) -> AddressList:
    table = {"kind": "addresses", "name": "listed", "path": str(path), **keys}
    return AddressList(from_mapping(AddressListSpec, table, "the test"))


@pytest.fixture
def items_of(client: PoliteClient) -> Callable[[AddressList], list[ScrapedItem]]:
    return lambda source: list(source.items(client))


ItemsOf = Callable[[AddressList], list[ScrapedItem]]


def told(items: list[ScrapedItem]) -> list[tuple[str, str]]:
    """(end of the address, captions) of each item."""
    return [
        (item.picture_url.removeprefix(AT), "|".join(c.text for c in item.captions))
        for item in items
    ]


TWO = [("/1.png", "one, two"), ("/2.png", "zwölf")]
WRITTEN = {
    "a.txt": f"# mine\n{AT}/1.png\tone, two\n\n{AT}/2.png\tzwölf\n",
    "a.csv": f'url,caption\r\n{AT}/1.png,"one, two"\r\n{AT}/2.png,zwölf\r\n',
    "semicolon.csv": f"Image_URL;Text\n{AT}/1.png;one, two\n{AT}/2.png;zwölf\n",
    "a.tsv": f"TEXT\tURL\none, two\t{AT}/1.png\nzwölf\t{AT}/2.png\n",
    "no-header.tsv": f"one, two\t{AT}/1.png\nzwölf\t{AT}/2.png\n",
    "no-header.csv": f'{AT}/1.png,"one, two"\n{AT}/2.png,zwölf\n',
    "bom.csv": f'\ufeffcontentUrl,title\n{AT}/1.png,"one,\r\n two"\n{AT}/2.png,zwölf\n',
    "mac.csv": f'url,caption\r{AT}/1.png,"one, two"\r{AT}/2.png,zwölf\r',
    "a.jsonl": f'{{"url":"{AT}/1.png","text":"one, two"}}\n\n{{"url":"{AT}/2.png","text":"zwölf"}}',
}


@pytest.mark.parametrize("name", WRITTEN)
@pytest.mark.parametrize("is_packed", [False, True])
def test_every_format_says_the_same(
    name: str, is_packed: bool, tmp_path: Path, items_of: ItemsOf
) -> None:
    path = tmp_path / (f"{name}.gz" if is_packed else name)
    content = WRITTEN[name].encode()
    path.write_bytes(gzip.compress(content) if is_packed else content)
    source = listed(path)
    assert (told(items_of(source)), source.warnings) == (TWO, [])
    assert source.spec.hosts() == ("example.org",)


def test_parquet_says_the_same_and_its_pictures_are_not_read(
    tmp_path: Path, items_of: ItemsOf
) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    columns = {
        "URL": [f"{AT}/1.png", None, f"{AT}/2.png"],
        "TEXT": [["one, two"], [], ["zwölf", "twelve"]],
        "image": [b"\x89PNG", b"", None],
        "WIDTH": [1, 2, 3],
    }
    parquet.write_table(pyarrow.table(columns), tmp_path / "a.parquet")
    source = listed(tmp_path / "a.parquet")
    assert told(items_of(source)) == [TWO[0], ("/2.png", "zwölf|twelve")]
    assert "1 unusable rows" in source.warnings[0]
    (tmp_path / "b.parquet").write_bytes(b"PAR1 but not for long")
    with pytest.raises(DataError, match=r"b\.parquet is no readable parquet"):
        items_of(listed(tmp_path / "b.parquet"))


def test_columns_are_guessed_and_a_licence_may_be_an_address(
    tmp_path: Path, items_of: ItemsOf
) -> None:
    row = {
        "Image_URL": f"{AT}/a b.png",
        "url": f"{AT}/page-of-something",
        "Title": "<b>A dog</b>",
        "caption": "A brown dog",
        "CLASS": "dog",
        "creator": "Anna",
        "license": "https://creativecommons.org/licenses/by/4.0/",
        "source_url": f"{AT}/dogs/1",
    }
    path = tmp_path / "a.jsonl"
    path.write_text(json.dumps(row) + "\n" + json.dumps({"url": f"{AT}/2.png"}))
    first, second = items_of(listed(path, licence="CC0", author="Me"))
    assert first.picture_url == f"{AT}/a%20b.png"
    assert [(c.text, c.origin) for c in first.captions] == [
        ("A brown dog", "list caption"),
        ("A dog", "list title"),
    ]
    assert (first.label, first.author, first.licence) == ("dog", "Anna", "CC-BY-4.0")
    assert first.page_url == f"{AT}/dogs/1"
    assert (second.author, second.licence, second.page_url) == ("Me", "CC0-1.0", f"{AT}/2.png")
    assert items_of(listed(path, label="cat"))[0].label == "cat"


PICTURE_ROWS = [
    ("image,url", f"{AT}/1.png,{AT}/p", ("/1.png", "/p")),
    ("url,image", f"{AT}/p,{AT}/1.png", ("/1.png", "/p")),
    ("url,image", f"{AT}/1.png,1.png", ("/1.png", "/1.png")),
    ("image_url,link", f"{AT}/1.png,{AT}/p", ("/1.png", "/p")),
    ("image_url,url,page", f"{AT}/1.png,{AT}/p,{AT}/q", ("/1.png", "/q")),
    ("image_url,url", f",{AT}/p", None),
    ("image,url", f" ,{AT}/p", None),
    ("image_url,url", f"gone,{AT}/p", None),
    ("url,url", f"{AT}/1.png,", ("/1.png", "/1.png")),
    ("url,url", f",{AT}/1.png", ("/1.png", "/1.png")),
    ("url,caption,URL", f"{AT}/1.png,a", ("/1.png", "/1.png")),
]


@pytest.mark.parametrize(("header", "row", "expected"), PICTURE_ROWS)
def test_a_picture_is_told_from_its_page(
    header: str, row: str, expected: tuple[str, str] | None, tmp_path: Path, items_of: ItemsOf
) -> None:
    path = tmp_path / "a.csv"
    good = ",".join(f"{AT}/0.png" for _ in header.split(","))
    path.write_text(f"{header}\n{good}\n{row}\n")
    source = listed(path)
    found = [(i.picture_url, i.page_url) for i in items_of(source)[1:]]
    assert found == ([] if expected is None else [(AT + expected[0], AT + expected[1])])
    assert len(source.warnings) == (expected is None)


def test_what_is_no_number_is_no_caption(tmp_path: Path, items_of: ItemsOf) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text(
        "".join(
            f'{{"url": "{AT}/{n}.png", "caption": {value}, "label": {value}}}\n'
            for n, value in enumerate(("NaN", "-Infinity", "1e999", "null", "7"))
        )
    )
    items = items_of(listed(path))
    assert [item.label for item in items] == ["", "", "", "", "7"]
    assert [item.captions for item in items[:4]] == [()] * 4


@pytest.mark.parametrize(
    ("name", "header", "bad"),
    [
        ("a.csv", b"url,caption\n", b"https://example.org/b.png,caf\xe9\n"),
        ("a.csv", b"url,caption\n", b'https://example.org/b.png,"caf\xe9\n two"\n'),
        ("a.tsv", b"url\tcaption\n", b"https://example.org/b\xff.png\ta\n"),
        ("a.txt", b"", b"https://example.org/b.png\t\xe9\n"),
        ("a.jsonl", b"", b'{"url": "https://example.org/b.png", "caption": "\xed\xa0\x80"}\n'),
    ],
)
def test_a_byte_that_is_no_utf_8_costs_its_row_alone(
    name: str, header: bytes, bad: bytes, tmp_path: Path, items_of: ItemsOf
) -> None:
    good = (
        b'{"url": "https://example.org/1.png"}\n' if "json" in name else b"https://example.org/1\n"
    )
    for rows in (good * 3000 + bad + good * 3000, bad + good * 6000):
        (tmp_path / name).write_bytes(header + rows)
        source = listed(tmp_path / name)
        assert len(items_of(source)) == 6000
        (warning,) = source.warnings
        assert "1 unusable rows; a row is not UTF-8" in warning


def test_the_first_host_is_known_before_the_run(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text(f"url,caption\nnothing,here\n{AT}:8080/1.png,a\nhttp://b.example/2.png,b\n")
    assert listed(path).spec.hosts() == ("example.org:8080",)
    assert listed(tmp_path).spec.hosts() == ("example.org:8080",)
    with pytest.raises(ConfigError, match=r"example\.org without a contact"):
        crawl([listed(path)], CrawlSettings(), Workspace(tmp_path / "data"))
    os.mkfifo(tmp_path / "pipe.csv")
    (tmp_path / "b.csv").write_bytes(b"url\n\xff\xfe")
    (tmp_path / "empty").mkdir()
    (tmp_path / "c.parquet").write_bytes(b"PAR1")
    for name in ("gone.csv", "pipe.csv", "b.csv", "empty", "c.parquet"):
        assert listed(tmp_path / name).spec.hosts() == ()


def test_a_damaged_parquet_file_is_told_in_one_line(tmp_path: Path, items_of: ItemsOf) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    path = tmp_path / "a.parquet"
    parquet.write_table(pyarrow.table({"url": [f"{AT}/{n}.png" for n in range(50)]}), path)
    whole = path.read_bytes()
    for start in range(0, len(whole) - 40, 40):
        path.write_bytes(whole[:start] + b"\xff" * 40 + whole[start + 40 :])
        with suppress(DataError):
            items_of(listed(path))
    path.write_bytes(whole[:4] + b"\xff" * 60 + whole[64:])
    with pytest.raises(DataError, match=r"a\.parquet is no readable parquet file") as caught:
        items_of(listed(path))
    assert "\n" not in str(caught.value)


def test_columns_may_be_named(tmp_path: Path, items_of: ItemsOf) -> None:
    path = tmp_path / "a.csv"
    path.write_text(f"url,Photo,says,kind\nhttp://x.example/,{AT}/1.png,hello,bird\n")
    named = {"picture": "photo", "captions": ["SAYS"], "label": "Kind"}
    (item,) = items_of(listed(path, columns=named))
    assert (told([item]), item.label) == ([("/1.png", "hello")], "bird")
    with pytest.raises(ConfigError, match=r"no column 'foto'; it has: url, photo, says, kind"):
        items_of(listed(path, columns={"picture": "foto"}))


BAD_CSV = {
    "never closed": f'{AT}/x.png,"never closed\n',
    "after a quote": f'{AT}/x.png,"a"b\n',
    "too many cells": f"{AT}/x.png,a,b\n",
    "no address": ",a\n",
    "no web address": "ftp://example.org/x.png,a\n",
    "a local path": "images/x.png,a\n",
    "a script": "javascript:alert(1),a\n",
    "a huge cell": f"{AT}/x.png,{'a' * 200_000}\n",
    "a huge line": f"{AT}/x.png,{'a' * 2_100_000}\n",
}


@pytest.mark.parametrize("bad", BAD_CSV.values(), ids=BAD_CSV)
def test_a_bad_row_costs_itself_alone_and_is_told_once(
    bad: str, tmp_path: Path, items_of: ItemsOf
) -> None:
    path = tmp_path / "a.csv"
    good = "".join(f'{AT}/{n}.png,"c ""{n}"""\n' for n in range(3, 300))
    path.write_text(f'url,caption\n{AT}/1.png,a\n{bad}{AT}/2.png,"b\nb"\n{bad}{good}')
    source = listed(path)
    found = told(items_of(source))
    assert found[:3] == [("/1.png", "a"), ("/2.png", "b b"), ("/3.png", 'c "3"')]
    assert len(found) == 299
    assert len(source.warnings) == 1
    assert "2 unusable rows; a " in source.warnings[0]


@pytest.mark.parametrize(
    "line",
    ["{", "[]", "null", "NaN", '"x"', "[" * 100_000, "{}", '{"url":null}', '{"url":{"a":1}}',
     '{"url":7}', '{"url":true}', '{"url":"http://"}', '{"url":"http://[::1"}', "x\0y"],
)  # fmt: skip
def test_a_bad_line_of_json_costs_itself_alone(
    line: str, tmp_path: Path, items_of: ItemsOf
) -> None:
    path = tmp_path / "a.jsonl"
    good = f'{{"url": "{AT}/1.png", "caption": [1, null, "\\ud800 a"], "label": {{}}}}\n'
    path.write_text(good * 200 + f"{line}\n{good}")
    source = listed(path)
    assert told(items_of(source)) == [("/1.png", "a")] * 201
    assert "1 unusable rows" in source.warnings[0]


def test_a_stray_quote_in_a_tsv_is_part_of_the_text(tmp_path: Path, items_of: ItemsOf) -> None:
    path = tmp_path / "a.tsv"
    path.write_text(f'"big" dog\t{AT}/1.png\n"\t{AT}/2.png\n"a\n b"\t{AT}/3.png\n')
    assert told(items_of(listed(path))) == [
        ("/1.png", '"big" dog'),
        ("/2.png", ""),
        ("/3.png", "a b"),
    ]


NO_LISTS = {
    "utf-16.csv": ("url\nhttp://a.example/1".encode("utf-16"), "UTF-16 or no text"),
    "utf-16-le.csv": ("url\nhttp://a.example/1".encode("utf-16-le"), "UTF-16 or no text"),
    "latin.csv": ("url,caption\nhttp://a.example/1,\xe9\n".encode("latin-1"), "not UTF-8"),
    "picture.txt": (picture(1), "UTF-16 or no text"),
    "cut.csv.gz": (gzip.compress(b"url\nhttp://a.example/1\n" * 99)[:-12], "damaged gzip"),
    "words.txt": (b"hello\nworld\n", r"no address in 2 rows \(a row has no web address: 'hello'\)"),
    "no-column.csv": (
        b"name,size\n" + b"a,1\n" * 9,
        "no column of picture addresses; it has: name, size; name its column: columns.picture",
    ),
    "latin-rows.txt": (b"http://a.example/\xe9\n" * 200 + b"http://a.example/1\n", "not UTF-8"),
}


@pytest.mark.parametrize("name", NO_LISTS)
def test_what_is_no_list_is_refused_in_one_line(
    name: str, tmp_path: Path, items_of: ItemsOf
) -> None:
    content, message = NO_LISTS[name]
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=message) as caught:
        items_of(listed(tmp_path / name))
    assert "\n" not in str(caught.value)
    assert name in str(caught.value)


def test_a_folder_of_lists_is_read_by_name_and_past_a_bad_one(
    tmp_path: Path, items_of: ItemsOf, client: PoliteClient
) -> None:
    with pytest.raises(ConfigError, match=r"no txt, csv, .* file in"):
        items_of(listed(tmp_path))
    (tmp_path / "b.txt").write_text(f"{AT}/2.png\n")
    (tmp_path / "a.csv").write_text(f"{AT}/1.png\n")
    (tmp_path / "._a.csv").write_bytes(b"\0\0")
    (tmp_path / "readme.md").write_text("no list")
    assert told(items_of(listed(tmp_path))) == [("/1.png", ""), ("/2.png", "")]
    (tmp_path / "a.csv").write_bytes(b"\xff\xfe")
    items = listed(tmp_path).items(client)
    assert told([next(items)]) == [("/2.png", "")]
    with pytest.raises(DataError, match=r"a\.csv is UTF-16"):
        next(items)


def test_an_empty_list_has_no_items(tmp_path: Path, items_of: ItemsOf) -> None:
    for name in ("a.txt", "a.csv", "a.jsonl"):
        (tmp_path / name).write_text("")
        assert items_of(listed(tmp_path / name)) == []


@pytest.mark.parametrize("keys", [{"queries": ["a"]}, {"columns": {"foto": "a"}}, {"max_pages": 0}])
def test_a_wrong_declaration_is_refused(keys: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(ConfigError):
        listed(tmp_path / "a.csv", **keys)
    with pytest.raises(ConfigError, match="has no list"):
        AddressListSpec(kind="addresses", name="listed")


def test_a_path_that_is_no_list_is_the_persons_fault(tmp_path: Path, items_of: ItemsOf) -> None:
    (tmp_path / "a.doc").write_text("url")
    for name, message in (("gone.csv", "cannot read"), ("a.doc", "is no list")):
        with pytest.raises(ConfigError, match=message):
            items_of(listed(tmp_path / name))
    assert [row_kind(n) for n in ("A.CSV.GZ", "csv", ".csv", "a.parquet.gz", "a.tab")] == [
        "csv", "", "", "", "tsv"
    ]  # fmt: skip


def test_memory_stays_flat_over_a_long_list(tmp_path: Path, client: PoliteClient) -> None:
    path = tmp_path / "a.csv.gz"
    with gzip.open(path, "wt") as file:
        file.write("url,caption\n")
        file.writelines(f"{AT}/{n}.png,number {n}\n" for n in range(20_000))
    rows = file_rows(path, BadRows())
    next(rows)
    tracemalloc.start()
    try:
        assert sum(1 for _ in rows) == 19_999
        assert tracemalloc.get_traced_memory()[1] < 1_000_000
    finally:
        tracemalloc.stop()


TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20)
ROWS = st.lists(st.tuples(TEXTS.filter(str.strip), TEXTS, TEXTS), max_size=8)


@given(ROWS)
def test_written_rows_are_read_back(rows: list[tuple[str, str, str]]) -> None:
    def read(content: str, kind: str) -> list[Row]:
        bad = BadRows()
        found = list(text_rows(io.BytesIO(content.encode()), kind, "it", bad))
        assert bad.count == 0
        return found

    named = [dict(zip("abc", row, strict=True)) for row in rows]
    expected: list[Row] = [{name: (text,) for name, text in row.items()} for row in named]
    for kind, delimiter in (("csv", ","), ("tsv", "\t")):
        written = io.StringIO(newline="")
        writer = csv.writer(written, delimiter=delimiter, quoting=csv.QUOTE_ALL)
        writer.writerows([("A", "b", "C"), *rows])
        assert read(written.getvalue(), kind) == expected
    assert (
        read("\n".join(json.dumps(row, ensure_ascii=False) for row in named), "jsonl") == expected
    )


def test_a_crawl_fetches_what_is_listed(
    site: LoopbackSite, client: PoliteClient, tmp_path: Path
) -> None:
    for number in range(3):
        site.routes[f"/{number}.png"] = Answer(picture(number))
    path = tmp_path / "a.csv"
    path.write_text(
        "url,caption,license\n"
        + "".join(f"{site.url}/{n}.png,Picture {n},CC BY-SA 4.0\n" for n in range(3))
        + f"nothing,here,\n{site.url}/gone.png,gone,\n"
    )
    workspace = Workspace(tmp_path / "data")
    report = crawl([listed(path, label="block")], SETTINGS, workspace, client=client)
    assert (report.added, report.outcomes["failed"]) == (3, {"not-found": 1})
    assert len(report.warnings) == 1
    with Catalog(workspace.catalog) as catalog:
        for image in catalog.images.all():
            (origin,) = catalog.images.origins(image.id)
            (caption,) = catalog.images.captions(image.id)
            assert caption.text == f"Picture {origin.url[-5]}"
            assert (image.label, origin.licence) == ("block", "CC-BY-SA-4.0")
