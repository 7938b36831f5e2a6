"""A folder or a tar is collected as any site is; nothing outside of it is ever read."""

import dataclasses
import gzip
import hashlib
import io
import os
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataset.catalog import Catalog
from dataset.config import from_mapping
from dataset.errors import ConfigError, DataError
from dataset.image_store import ImageStore
from dataset.workspace import Workspace
from scrape.candidates import address_of, candidate_of
from scrape.client import PoliteClient
from scrape.crawl import crawl
from scrape.response import FetchError
from scrape.sources.folder import Folder, FolderSpec
from scrape.sources.source import ScrapedItem
from tests.scrape.conftest import SETTINGS, ClientOf
from tests.scrape.drawings import picture

CAPTIONS = (
    "file,title,label,author,licence,page_url\n"
    'cat/2.png,"A cat, asleep",tabby,Anna,CC BY 4.0,https://example.org/2\n'
    "cat/gone.png,gone,,,,\n"
    ",nothing,,,,\n"
)
FILES = {
    "1.png": picture(1),
    "cat/2.png": picture(2),
    "cat/3 ü#%.PNG": picture(3),
    "cat/3 ü#%.txt": "\ufeffa third\n".encode(),
    "captions.csv": CAPTIONS.encode(),
    "dog/images/4.png": picture(4),
    "dog/images/metadata.jsonl": b'{"file_name": "4.png", "text": ["a dog", "it runs"]}\n',
    "dog/readme.md": b"no picture",
}


def folder(path: Path, **keys: Any) -> Folder:
    table = {"kind": "folder", "name": "mine", "path": str(path), **keys}
    return Folder(from_mapping(FolderSpec, table, "the test"))


def as_folder(at: Path, files: dict[str, bytes]) -> Path:
    for name, content in files.items():
        path = at / "photos" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return at / "photos"


def as_tar(at: Path, files: dict[str, bytes], suffix: str = "tar") -> Path:
    path = at / f"photos.{suffix}"
    with tarfile.open(path, "w" if suffix == "tar" else "w:gz") as tar:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return path


def as_tar_gz(at: Path, files: dict[str, bytes]) -> Path:
    return as_tar(at, files, "tar.gz")


Written = Callable[[Path, dict[str, bytes]], Path]


@pytest.fixture(params=[as_folder, as_tar, as_tar_gz])
def written(request: pytest.FixtureRequest) -> Written:
    found: Written = request.param
    return found


def body(source: Folder, client: PoliteClient, item: ScrapedItem) -> bytes:
    answer = source.fetch(client, item, {})
    assert (answer.status, answer.final_url) == (200, item.picture_url)
    return answer.body


def root(path: Path) -> str:
    return f"file:{path.name}-{hashlib.sha256(os.fsencode(path.resolve())).hexdigest()[:8]}/"


def at(address: str) -> ScrapedItem:
    return ScrapedItem(picture_url=address, page_url="", source="mine")


def test_files_become_items_with_what_is_said_of_them(
    written: Written, tmp_path: Path, client: PoliteClient
) -> None:
    path = written(tmp_path, FILES)
    source = folder(path, licence="CC0")
    items = {item.picture_url: item for item in source.items(client)}
    start = root(path)
    one, two = items[f"{start}1.png"], items[f"{start}cat/2.png"]
    three, four = items[f"{start}cat/3%20%C3%BC%23%25.PNG"], items[f"{start}dog/images/4.png"]
    assert len(items) == 4
    assert [item.label for item in (one, two, three, four)] == ["", "tabby", "cat", ""]
    assert [c.text for c in two.captions] == ["A cat, asleep"]
    assert (two.author, two.licence, two.page_url) == ("Anna", "CC-BY-4.0", "https://example.org/2")
    assert [(c.text, c.origin) for c in three.captions] == [("a third", "text file")]
    assert [(c.text, c.origin) for c in four.captions] == [
        ("a dog", "metadata.jsonl"),
        ("it runs", "metadata.jsonl"),
    ]
    assert (one.licence, one.page_url, one.captions) == ("CC0-1.0", "", ())
    assert [body(source, client, i) for i in (four, one, three, two)] == [
        picture(n) for n in (4, 1, 3, 2)
    ]
    assert any("1 unusable rows; a row of captions.csv names no file" in w for w in source.warnings)
    assert any("1 pictures that are not there, as cat/gone.png" in w for w in source.warnings)
    labelled = {item.label for item in folder(path, label="animal").items(client)}
    assert labelled == {"animal"}


def test_a_picture_is_there_without_the_list_being_read(
    written: Written, tmp_path: Path, client: PoliteClient
) -> None:
    path = written(tmp_path, FILES)
    name = f"{root(path)}cat/3%20%C3%BC%23%25.PNG"
    assert body(folder(path), client, at(name)) == picture(3)


@pytest.mark.parametrize(
    "inner",
    ["../secret.png", "%2e%2e/secret.png", "cat/../../secret.png", "/etc/passwd", "%2Fetc/passwd",
     "", "cat", "gone.png", "a%00b.png", "out.png", "pipe.png", "circle.png", "x" * 5000],
)  # fmt: skip
def test_what_is_not_inside_is_not_found(
    inner: str, written: Written, tmp_path: Path, client: PoliteClient
) -> None:
    path = written(tmp_path, FILES)
    (tmp_path / "secret.png").write_bytes(picture(9))
    if path.is_dir():
        (path / "out.png").symlink_to(tmp_path / "secret.png")
        (path / "circle.png").symlink_to(path / "circle.png")
        os.mkfifo(path / "pipe.png")
    with pytest.raises(FetchError) as caught:
        folder(path).fetch(client, at(f"{root(path)}{inner}"), {})
    assert (caught.value.reason, caught.value.is_final) == ("not-found", True)
    with pytest.raises(FetchError, match="is not in"):
        folder(path).fetch(client, at("file:another/1.png"), {})


def test_links_that_lead_outside_are_counted_and_those_inside_are_followed(
    tmp_path: Path, client: PoliteClient
) -> None:
    path = as_folder(tmp_path, {"all/1.png": picture(1)})
    outside = as_folder(tmp_path / "other", {"2.png": picture(2)})
    (path / "cat").mkdir()
    (path / "cat" / "a.png").symlink_to("../all/1.png")
    (path / "cat" / "b.png").symlink_to(outside / "2.png")
    (path / "cat" / "c.png").symlink_to("nowhere.png")
    (path / "linked").symlink_to(outside)
    source = folder(path)
    found = [item.picture_url for item in source.items(client)]
    assert found == [f"{root(path)}all/1.png", f"{root(path)}cat/a.png"]
    assert "2 names that lead outside or nowhere" in source.warnings[0]
    with pytest.raises(FetchError):
        source.fetch(client, at(f"{root(path)}linked/2.png"), {})


def test_names_of_a_tar_that_lead_outside_and_links_are_never_items(
    tmp_path: Path, client: PoliteClient
) -> None:
    path = as_tar(
        tmp_path, {"./a.png": picture(1), "../b.png": b"", "/c.png": b"", "a/../../d.png": b""}
    )
    with tarfile.open(path, "a") as tar:
        for name, kind in (("l.png", tarfile.SYMTYPE), ("h.png", tarfile.LNKTYPE)):
            link = tarfile.TarInfo(name)
            link.type, link.linkname = kind, "/etc/passwd"
            tar.addfile(link)
        again = tarfile.TarInfo("a.png")
        again.size = len(picture(7))
        tar.addfile(again, io.BytesIO(picture(7)))
    source = folder(path)
    (item,) = source.items(client)
    assert item.picture_url == f"{root(path)}a.png"
    assert body(source, client, item) == picture(7)
    assert "3 names that lead outside" in source.warnings[0]


def test_a_name_of_any_bytes_is_found_again(tmp_path: Path, client: PoliteClient) -> None:
    path = as_folder(tmp_path, {"1.png": picture(1)})
    (path / "1.png").rename(os.fsdecode(os.fsencode(path) + b"/\xff\xfe%41.png"))
    (item,) = folder(path).items(client)
    assert item.picture_url == f"{root(path)}%FF%FE%2541.png"
    assert body(folder(path), client, item) == picture(1)


def test_a_picture_over_the_limit_is_not_read(
    written: Written, tmp_path: Path, client_of: ClientOf
) -> None:
    path = written(tmp_path, {"1.png": bytes(2000)})
    small = client_of(type(SETTINGS)(max_bytes=1999))
    with pytest.raises(FetchError) as caught:
        folder(path).fetch(small, at(f"{root(path)}1.png"), {})
    assert caught.value.reason == "too-many-bytes"


@pytest.mark.parametrize("suffix", ["tar", "tar.gz"])
def test_a_damaged_tar_is_told_in_one_line(
    suffix: str, tmp_path: Path, client: PoliteClient
) -> None:
    path = as_tar(tmp_path, FILES, suffix)
    whole = path.read_bytes()
    for content in (b"no tar", whole[:100], b""):
        path.write_bytes(content)
        with pytest.raises(DataError, match=r"photos\.tar.* is no readable tar"):
            list(folder(path).items(client))


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (b"title\na\n", "captions.csv in .* lacks the column file"),
        ("file\na".encode("utf-16"), "captions.csv is UTF-16"),
        (b"file,title\n1.png,\xe9\n", "captions.csv is not UTF-8"),
    ],
)
def test_a_table_that_says_nothing_stops_the_source(
    table: bytes, message: str, written: Written, tmp_path: Path, client: PoliteClient
) -> None:
    path = written(tmp_path, {"1.png": picture(1), "captions.csv": table})
    with pytest.raises(DataError, match=message):
        list(folder(path).items(client))


def test_a_wrong_declaration_is_the_persons_fault(tmp_path: Path, client: PoliteClient) -> None:
    with pytest.raises(ConfigError, match="no folder or tar"):
        list(folder(tmp_path / "gone").items(client))
    with pytest.raises(ConfigError, match="takes no queries"):
        folder(tmp_path, queries=["a"])
    with pytest.raises(ConfigError, match="has no folder"):
        FolderSpec(kind="folder", name="mine")


NAMES = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\0/"), min_size=1, max_size=12
).filter(lambda name: name not in (".", "..") and not name.startswith("._"))


@settings(max_examples=20, deadline=None)
@given(st.dictionaries(st.tuples(NAMES, NAMES), st.binary(max_size=20), max_size=5))
def test_every_name_of_a_tar_is_found_again_in_any_order(
    tmp_path_factory: pytest.TempPathFactory, files: dict[tuple[str, str], bytes]
) -> None:
    contents = {f"{parent}/{name}.png": body for (parent, name), body in files.items()}
    for make in (as_tar, as_tar_gz):
        source = folder(make(tmp_path_factory.mktemp("tar"), contents))
        with PoliteClient(SETTINGS) as client:
            items = list(source.items(client))
            bodies = [body(source, client, item) for item in reversed(items)]
        assert sorted(bodies) == sorted(contents.values())


def test_a_compressed_tar_is_read_from_its_start_only_when_it_must(
    tmp_path: Path, client: PoliteClient
) -> None:
    path = as_tar_gz(tmp_path, {f"{n}.png": picture(n) for n in range(6)})
    source = folder(path)
    items = list(source.items(client))
    for number in (2, 0, 1, 5, 4, 3, 3):
        assert body(source, client, items[number]) == picture(number)


def test_folders_of_one_name_are_not_taken_for_one(
    written: Written, tmp_path: Path, workspace: Workspace
) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    one = written(tmp_path / "a", {"images/1.png": picture(1)})
    two = written(tmp_path / "b", {"images/1.png": picture(2)})
    sources = [folder(one, name="one"), folder(two, name="two")]
    assert crawl(sources, SETTINGS, workspace).added == 2
    (tmp_path / "link").mkdir()
    link = tmp_path / "link" / one.name
    link.symlink_to(one)
    assert crawl([folder(link)], SETTINGS, workspace).seen == 1


def test_a_changed_file_is_read_again_and_no_other(
    written: Written, tmp_path: Path, workspace: Workspace
) -> None:
    again = dataclasses.replace(SETTINGS, recheck_days=0.0)
    path = written(tmp_path, {"1.png": picture(1), "2.png": picture(2)})
    assert crawl([folder(path)], again, workspace).added == 2
    report = crawl([folder(path)], again, workspace)
    assert (report.added, report.unchanged) == (0, 2)
    path = written(tmp_path, {"1.png": picture(1), "2.png": picture(3)})
    os.utime(path / "2.png" if path.is_dir() else path, (2e9, 2e9))
    if path.is_dir():
        os.utime(path / "1.png", (1e9, 1e9))
    report = crawl([folder(path)], again, workspace)
    assert report.added == 1


def test_a_file_as_it_was_is_not_read_again(
    written: Written, tmp_path: Path, client: PoliteClient
) -> None:
    path = written(tmp_path, {"1.png": picture(1)})
    (item,) = folder(path).items(client)
    etag = folder(path).fetch(client, item, {}).headers["etag"]
    answer = folder(path).fetch(client, item, {"If-None-Match": etag})
    assert (answer.status, answer.body, answer.headers["etag"]) == (304, b"", etag)
    os.utime(path / "1.png" if path.is_dir() else path, (1e9, 1e9))
    answer = folder(path).fetch(client, item, {"If-None-Match": etag})
    assert (answer.status, answer.body) == (200, picture(1))


def test_a_small_tar_does_not_unpack_into_the_memory(tmp_path: Path, client: PoliteClient) -> None:
    nothing = bytes(50_000_001)
    path = as_tar_gz(tmp_path, {"captions.csv": nothing, "1.png": picture(1)})
    assert path.stat().st_size < 100_000
    with pytest.raises(DataError, match=r"captions\.csv in .* unpacks to 50000001 bytes, over"):
        list(folder(path).items(client))
    path = as_tar_gz(tmp_path, {"other.csv": nothing, "1.png": picture(1)})
    assert len(list(folder(path).items(client))) == 1
    tables = {f"{n}/captions.csv": nothing[:-1] for n in range(5)}
    with pytest.raises(DataError, match=r"tables and texts in .* unpack to over 200000000"):
        list(folder(as_tar_gz(tmp_path, tables)).items(client))


@pytest.mark.parametrize("suffix", ["tar", "tar.gz"])
@pytest.mark.parametrize(
    ("cut", "whole"), [(0, 3), (200, 3), (512, 3), (700, 3), (-1, 4), (None, 5)]
)
def test_the_whole_files_of_a_cut_tar_are_taken(
    cut: int | None, whole: int, suffix: str, tmp_path: Path, client: PoliteClient
) -> None:
    """`cut` counts from the header of the fourth file, -1 is in the padding after it."""
    path = as_tar(tmp_path, {f"{n}.png": picture(n) for n in range(5)})
    with tarfile.open(path) as tar:
        header = tar.getmembers()[3].offset
        padding = tar.getmembers()[3].offset_data + len(picture(3)) + 3
    content = path.read_bytes()
    end = len(content) if cut is None else padding if cut == -1 else header + cut
    path = tmp_path / f"cut.{suffix}"
    path.write_bytes(gzip.compress(content[:end]) if suffix == "tar.gz" else content[:end])
    source = folder(path)
    items = list(source.items(client))
    assert [body(source, client, item) for item in items] == [picture(n) for n in range(whole)]
    told = [warning for warning in source.warnings if "ends too early" in warning]
    assert (len(source.warnings), len(told)) == ((0, 0) if cut is None else (1, 1))


def test_a_compressed_tar_that_is_cut_gives_what_came_before(
    tmp_path: Path, client: PoliteClient
) -> None:
    path = as_tar_gz(tmp_path, {f"{n}.png": os.urandom(20_000) for n in range(9)})
    path.write_bytes(path.read_bytes()[:100_000])
    source = folder(path)
    items = list(source.items(client))
    assert len(items) == 4
    assert [len(body(source, client, item)) for item in items] == [20_000] * 4
    assert "ends too early" in source.warnings[0]


def test_the_notes_of_a_mac_are_no_pictures(
    written: Written, tmp_path: Path, client: PoliteClient
) -> None:
    path = written(tmp_path, {"1.png": picture(1), "._1.png": b"x", "__MACOSX/._1.png": b"x"})
    assert [item.picture_url for item in folder(path).items(client)] == [f"{root(path)}1.png"]


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace(tmp_path / "data")


def test_a_crawl_takes_in_every_picture_once(
    written: Written, tmp_path: Path, workspace: Workspace
) -> None:
    files = {**FILES, "bad.png": b"<html>", "again.png": picture(1)}
    path = written(tmp_path, files)
    report = crawl([folder(path, licence="CC0")], SETTINGS, workspace)
    assert (report.added, report.known, report.outcomes["rejected"]) == (4, 1, {"html": 1})
    store = ImageStore(workspace.images)
    with Catalog(workspace.catalog) as catalog:
        images = list(catalog.images.all())
        urls = {origin.url for image in images for origin in catalog.images.origins(image.id)}
        assert {store.get(image.sha256) for image in images} == {picture(n) for n in range(1, 5)}
        assert sorted(image.label for image in images) == ["", "", "cat", "tabby"]
    assert f"{root(path)}cat/3%20%C3%BC%23%25.PNG" in urls
    again = crawl([folder(path, licence="CC0")], SETTINGS, workspace)
    assert (again.added, again.seen, again.settled) == (0, 5, 1)


def test_a_run_goes_on_from_the_ledger_alone(
    written: Written, tmp_path: Path, workspace: Workspace
) -> None:
    path = written(tmp_path, FILES)
    with (
        Catalog(workspace.catalog) as catalog,
        catalog.transaction(),
        PoliteClient(SETTINGS) as client,
    ):
        for item in folder(path).items(client):
            catalog.ledger.name(*address_of(item, is_local=True), candidate_of(item))
    report = crawl([folder(path)], SETTINGS, workspace, reads=[])
    assert (report.added, report.outcomes["failed"]) == (4, {})
