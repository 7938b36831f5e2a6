"""--pictures: a folder or a tar with captions.csv, read safely; hostile ones are refused."""

import io
import os
import tarfile
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
import requests
from PIL import Image

from dataset.errors import ConfigError
from scrape.demo_site import DemoSite
from scrape.demo_site.folder_collection import FolderCollection
from scrape.demo_site.picture_files import inner_path, open_picture_files
from tests.scrape.demo_site.visitor import Visitor

Files = Mapping[str, bytes]
Packer = Callable[[Path, Files], Path]


def picture(colour: str, side: int = 40) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (side + 10, side), colour).save(buffer, "PNG")
    return buffer.getvalue()


CSV = """file,title,label,page_url,licence,variant
a.png,Acme & <Sons>,,https://acme.example/?a=1&b=2,CC0-1.0,logo
sub/b c#1.png,Bolt,,javascript:alert(1),,icon
sub/d.png,A red cat,cat,,CC-BY-4.0,
e.png,A cat,cat,http://cats.example/e,odd licence,
gone.png,Bolt,,,,
"""
FILES: Files = {
    "set/captions.csv": CSV.encode("utf-8-sig"),
    "set/a.png": picture("red"),
    "set/sub/b c#1.png": picture("green"),
    "set/sub/d.png": picture("blue", 60),
    "set/e.png": b"<html><script>alert(1)</script>",
    "set/unnamed.png": picture("black"),
    "other/captions/readme.txt": b"nothing",
}


def as_folder(tmp_path: Path, files: Files) -> Path:
    root = tmp_path / "folder"
    root.mkdir()
    for name, content in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(content)
    return root


def as_tar(tmp_path: Path, files: Files) -> Path:
    path = tmp_path / "pictures.tar"
    with tarfile.open(path, "w") as tar:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return path


def as_dotted_tar(tmp_path: Path, files: Files) -> Path:
    return as_tar(tmp_path, {f"./{name}": content for name, content in files.items()})


packers = pytest.mark.parametrize("pack", [as_folder, as_tar, as_dotted_tar])


@packers
def test_every_row_is_shown_where_its_label_says(tmp_path: Path, pack: Packer) -> None:
    with DemoSite(pictures=pack(tmp_path, FILES)) as site, requests.Session() as session:
        visitor = Visitor(session, site.url)
        cards = visitor.cards()
        assert [card["name"] for card in cards] == ["Acme & <Sons>", "Bolt", "Bolt"]
        assert [card["page"] for card in cards] == [
            "/logos/acme-sons/",
            "/logos/bolt/",
            "/logos/bolt-2/",
        ]
        assert visitor.get(cards[0]["picture"]).content == FILES["set/a.png"]
        assert visitor.get(cards[1]["picture"]).content == FILES["set/sub/b c#1.png"]
        assert visitor.get(cards[2]["picture"]).status_code == 404
        cats = visitor.entries("/api/pictures?label=cat")
        assert [(cat["title"], cat["width"], cat["height"]) for cat in cats] == [
            ("A red cat", 70, 60),
            ("A cat", None, None),
        ]
        assert visitor.get(cats[0]["url"]).content == FILES["set/sub/d.png"]
        assert visitor.soup("/search?q=cat")
        assert site.planted == {}


@packers
def test_licence_and_source_come_from_the_csv(tmp_path: Path, pack: Packer) -> None:
    with DemoSite(pictures=pack(tmp_path, FILES)) as site, requests.Session() as session:
        visitor = Visitor(session, site.url)
        page = visitor.soup("/logos/acme-sons/")
        assert page.select("dd.source a")[0]["href"] == "https://acme.example/?a=1&b=2"
        assert page.select("dd.licence a")[0].text == "CC0-1.0"
        assert page.select("h1")[0].text == "Acme & <Sons>"
        bolt = visitor.soup("/logos/bolt/")
        assert not bolt.select("dd.source, dd.licence")
        cats = visitor.entries("/api/pictures?label=cat")
        assert [cat["licence"] for cat in cats] == ["CC-BY-4.0", "odd licence"]
        assert [cat["page_url"] for cat in cats] == [
            "/pictures/a-red-cat/",
            "http://cats.example/e",
        ]
        assert cats[1]["licence_url"] is None


@packers
def test_markup_is_never_served_as_markup(tmp_path: Path, pack: Packer) -> None:
    with DemoSite(pictures=pack(tmp_path, FILES)) as site, requests.Session() as session:
        answer = Visitor(session, site.url).get("/media/pictures/set/e.png")
    assert answer.headers["Content-Type"] == "application/octet-stream"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


@packers
def test_files_without_a_row_are_not_served(tmp_path: Path, pack: Packer) -> None:
    with DemoSite(pictures=pack(tmp_path, FILES)) as site, requests.Session() as session:
        visitor = Visitor(session, site.url)
        for path in ("set/unnamed.png", "set/captions.csv", "set/../set/a.png", "/etc/passwd"):
            assert visitor.get(f"/media/pictures/{path.replace('..', '%2e%2e')}").status_code == 404


def test_missing_files_are_counted_in_the_log(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    collection = FolderCollection(as_folder(tmp_path, FILES))
    collection.close()
    assert "1 files" in caplog.text
    assert "captions.csv" in caplog.text


@packers
@pytest.mark.parametrize("file", ["../secret.png", "/etc/passwd", "a/../../b.png", "", "a\\b.png"])
def test_a_row_that_leads_out_is_refused_with_its_line(
    tmp_path: Path, pack: Packer, file: str
) -> None:
    files = {"captions.csv": f"file,title\na.png,A\n{file},B\n".encode(), "a.png": picture("red")}
    with pytest.raises(ConfigError, match="line 3"):
        FolderCollection(pack(tmp_path, files))


@packers
@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"file,label\na.png,x\n", "no column title"),
        (b"name,title\na.png,x\n", "no column file"),
        (b"", "no column file"),
        (b"\xff\xfe\x00bad", "no CSV in UTF-8"),
        (b'file,title\n"' + b"a" * 200_000 + b'",x\n', "no CSV in UTF-8"),
    ],
)
def test_a_bad_captions_file_is_one_line(
    tmp_path: Path, pack: Packer, content: bytes, what: str
) -> None:
    with pytest.raises(ConfigError, match=what) as raised:
        FolderCollection(pack(tmp_path, {"captions.csv": content}))
    assert "\n" not in str(raised.value)


@packers
def test_a_set_without_captions_is_refused(tmp_path: Path, pack: Packer) -> None:
    with pytest.raises(ConfigError, match=r"no captions\.csv"):
        FolderCollection(pack(tmp_path, {"a.png": picture("red")}))


def test_the_outermost_captions_file_counts(tmp_path: Path) -> None:
    files = {
        "a/b/captions.csv": b"file,title\nx.png,Deep\n",
        "z/captions.csv": b"file,title\ny.png,Outer\n",
    }
    collection = FolderCollection(as_tar(tmp_path, files))
    assert [picture.title for picture in collection.cards] == ["Outer"]
    collection.close()


@pytest.mark.parametrize(
    "content", [b"", b"not a tar at all" * 100, b"\x1f\x8b\x08\x00" + b"0" * 600]
)
def test_a_file_that_is_no_tar_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "pictures.tar"
    path.write_bytes(content)
    with pytest.raises(ConfigError) as raised:
        FolderCollection(path)
    assert str(path) in str(raised.value)


def test_a_compressed_tar_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "pictures.tar.gz"
    with tarfile.open(path, "w:gz") as tar:
        tar.addfile(tarfile.TarInfo("captions.csv"))
    with pytest.raises(ConfigError, match="no uncompressed tar"):
        FolderCollection(path)


def test_a_path_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot read pictures"):
        DemoSite(pictures=tmp_path / "nowhere")


def test_links_devices_and_outside_names_in_a_tar_are_not_there(tmp_path: Path) -> None:
    path = tmp_path / "hostile.tar"
    rows = ["link.png", "hard.png", "fifo.png", "real.png"]
    with tarfile.open(path, "w") as tar:
        for name, kind, target in (
            ("link.png", tarfile.SYMTYPE, "/etc/passwd"),
            ("hard.png", tarfile.LNKTYPE, "real.png"),
            ("fifo.png", tarfile.FIFOTYPE, ""),
            ("../outside.png", tarfile.REGTYPE, ""),
            ("/absolute.png", tarfile.REGTYPE, ""),
        ):
            member = tarfile.TarInfo(name)
            member.type, member.linkname = kind, target
            tar.addfile(member)
        content = "file,title\n" + "".join(f"{row},{row}\n" for row in rows)
        for name, body in (("captions.csv", content.encode()), ("real.png", picture("red"))):
            member = tarfile.TarInfo(name)
            member.size = len(body)
            tar.addfile(member, io.BytesIO(body))
    files = open_picture_files(path)
    assert sorted(files.names()) == ["captions.csv", "real.png"]
    files.close()
    with DemoSite(pictures=path) as site, requests.Session() as session:
        statuses = [
            session.get(f"{site.url}/media/pictures/{row}", timeout=10).status_code for row in rows
        ]
    assert statuses == [404, 404, 404, 200]
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["hostile.tar"]


def test_a_tar_cut_short_gives_no_more_than_it_has(tmp_path: Path) -> None:
    whole = as_tar(
        tmp_path, {"captions.csv": b"file,title\na.png,A\n", "a.png": picture("red", 400)}
    )
    cut = tmp_path / "cut.tar"
    cut.write_bytes(whole.read_bytes()[: 512 * 4])
    with pytest.raises(ConfigError):
        FolderCollection(cut)


def test_links_out_of_a_folder_are_not_followed(tmp_path: Path) -> None:
    (tmp_path / "secret.png").write_bytes(picture("red"))
    root = as_folder(
        tmp_path, {"captions.csv": b"file,title\nlink.png,L\nloop.png,O\nfifo.png,F\n"}
    )
    (root / "link.png").symlink_to(tmp_path / "secret.png")
    (root / "loop.png").symlink_to(root / "loop.png")
    os.mkfifo(root / "fifo.png")
    collection = FolderCollection(root)
    for picture_ in collection.cards:
        assert collection.answer(picture_.address) is None
    collection.close()


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("a/b.png", "a/b.png"),
        ("./a//b.png", "a/b.png"),
        ("..", None),
        ("a/..", None),
        ("a\0b", None),
    ],
)
def test_inner_paths(text: str, path: str | None) -> None:
    assert inner_path(text) == path
