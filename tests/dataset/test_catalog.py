"""The catalogue: one row per distinct picture, many origins; readable after every accident."""

import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from dataset.catalog import Catalog
from dataset.catalog.connection import migrations, open_read_only
from dataset.errors import DataError, WorldError
from dataset.records import AddressRecord, Caption, ImageFilter, NewImage, Origin
from tests.dataset.conftest import AddPicture
from tests.dataset.pictures import encoded, scene, scene_bytes


def new_image(n: int, **facts: object) -> NewImage:
    values = {
        "sha256": f"{n:064x}",
        "pixel_sha256": f"{n + 10_000:064x}",
        "format": "PNG",
        "width": 32,
        "height": 32,
        "byte_count": 10,
        **facts,
    }
    return NewImage(**values)  # type: ignore[arg-type]


def test_the_same_bytes_or_pixels_are_one_picture_with_two_origins(
    catalog: Catalog, add_picture: AddPicture
) -> None:
    image = scene(1)
    first = add_picture(encoded(image), url="http://a/1", licence="CC0-1.0", caption="one")
    same_bytes = add_picture(encoded(image), url="http://b/1", caption="two")
    same_pixels = add_picture(encoded(image, "PNG", compress_level=1), url="http://c/1")
    assert first == same_bytes == same_pixels
    assert [origin.url for origin in catalog.images.origins(first)] == [
        "http://a/1",
        "http://b/1",
        "http://c/1",
    ]
    assert [caption.text for caption in catalog.images.captions(first)] == ["one", "two"]
    assert catalog.images.count() == 1


def test_an_origin_or_caption_is_not_doubled(catalog: Catalog, add_picture: AddPicture) -> None:
    for _ in range(3):
        picture = add_picture(scene_bytes(1), url="http://a/1", caption="same")
    assert len(catalog.images.origins(picture)) == 1
    assert len(catalog.images.captions(picture)) == 1


def test_filters_narrow_and_pages_cover_each_picture_once(catalog: Catalog) -> None:
    for n in range(25):
        catalog.images.add(
            new_image(n, label="cat" if n % 2 else "dog"),
            Origin(url=f"u{n}", source="site", licence="CC0-1.0" if n < 10 else "unknown"),
            [Caption(text=f"100% picture_{n}", origin="card")],
        )
    seen, after = [], 0
    while page := catalog.images.page(after=after, limit=7):
        seen += [record.id for record in page]
        after = page[-1].id
    assert seen == sorted(set(seen))
    assert len(seen) == 25
    assert catalog.images.count(ImageFilter(label="cat")) == 12
    assert catalog.images.count(ImageFilter(licence="CC0-1.0", label="dog")) == 5
    assert catalog.images.count(ImageFilter(text="picture_7")) == 1
    assert catalog.images.count(ImageFilter(text="%")) == 25
    assert catalog.images.count(ImageFilter(text="picture%7")) == 0
    assert catalog.images.count(ImageFilter(source="other")) == 0
    assert catalog.images.counts("label") == {"cat": 12, "dog": 13}
    assert catalog.images.counts("licence") == {"CC0-1.0": 10, "unknown": 15}


def test_a_failed_transaction_leaves_nothing(catalog: Catalog) -> None:
    with pytest.raises(RuntimeError), catalog.transaction():
        catalog.images.add(new_image(1), Origin(url="u"))
        raise RuntimeError("stop")
    assert catalog.images.count() == 0


def test_the_ledger_keeps_the_newest_outcome_and_counts_reasons(catalog: Catalog) -> None:
    catalog.ledger.put(AddressRecord(url="http://a/1", state="retry", reason="http-503"))
    catalog.ledger.put(AddressRecord(url="http://a/1", state="fetched", reason="new", attempts=2))
    catalog.ledger.put(AddressRecord(url="http://a/2", state="failed", reason="http-404"))
    record = catalog.ledger.get("http://a/1")
    assert record is not None
    assert (record.state, record.attempts) == ("fetched", 2)
    assert catalog.ledger.get("http://a/3") is None
    assert catalog.ledger.counts() == {("failed", "http-404"): 1, ("fetched", "new"): 1}


def test_a_file_that_is_no_database_is_told(tmp_path: Path) -> None:
    path = tmp_path / "catalog.sqlite"
    path.write_bytes(b"this is not a database, but it is long enough to be read as one" * 50)
    with pytest.raises(DataError, match="damaged or no SQLite file"):
        Catalog(path)


def test_a_foreign_database_is_told(tmp_path: Path) -> None:
    path = tmp_path / "catalog.sqlite"
    with sqlite3.connect(path) as other:
        other.execute("CREATE TABLE recipes (name TEXT)")
    other.close()
    with pytest.raises(DataError, match="no Pedigree catalogue"):
        Catalog(path)


def test_a_catalogue_of_a_newer_version_is_told(tmp_path: Path) -> None:
    path = tmp_path / "catalog.sqlite"
    Catalog(path).close()
    with sqlite3.connect(path) as other:
        other.execute("PRAGMA user_version = 99")
    other.close()
    with pytest.raises(DataError, match="schema 99"):
        Catalog(path)


def test_a_damaged_page_is_told_not_thrown(tmp_path: Path) -> None:
    path = tmp_path / "catalog.sqlite"
    with Catalog(path) as catalog:
        for n in range(2000):
            catalog.images.add(new_image(n), Origin(url=f"http://example.org/{n}" * 10))
    content = bytearray(path.read_bytes())
    content[4096 * 4 : 4096 * 40] = b"\xa5" * (4096 * 36)
    path.write_bytes(bytes(content))
    with pytest.raises(DataError, match="damaged"), Catalog(path) as catalog:
        for record in catalog.images.all():
            catalog.images.origins(record.id)


def test_a_missing_catalogue_is_not_made_by_reading(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no catalogue at"):
        Catalog(tmp_path / "none.sqlite", create=False)
    assert not (tmp_path / "none.sqlite").exists()


def test_a_locked_catalogue_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dataset.catalog.connection._BUSY_TIMEOUT_S", 0.05)
    with (
        Catalog(tmp_path / "c.sqlite") as one,
        Catalog(tmp_path / "c.sqlite") as two,
        one.transaction(),
        pytest.raises(WorldError, match="stayed locked"),
        two.transaction(),
    ):
        raise AssertionError("two writers at once")


def test_many_processes_may_open_a_new_catalogue_at_once(tmp_path: Path) -> None:
    program = (
        "import sys, pathlib; from dataset.catalog import Catalog\n"
        "with Catalog(pathlib.Path(sys.argv[1])) as catalog: print(catalog.images.count())\n"
    )
    command = [sys.executable, "-c", program, str(tmp_path / "catalog.sqlite")]
    children = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(4)]
    assert [child.communicate()[0] for child in children] == ["0\n"] * 4


def test_migrations_are_numbered_without_gaps() -> None:
    assert [number for number, _sql in migrations()] == list(range(1, len(migrations()) + 1))


def test_kill_9_while_adding_keeps_every_committed_picture(tmp_path: Path) -> None:
    program = (
        "import os, sys, pathlib\n"
        "from dataset.catalog import Catalog\nfrom dataset.records import Origin\n"
        "from tests.dataset.test_catalog import new_image\n"
        "catalog = Catalog(pathlib.Path(sys.argv[1]))\n"
        "for n in range(50):\n"
        "    catalog.images.add(new_image(n), Origin(url=str(n)))\n"
        "    print(n, flush=True)\n"
        "    if n == 30: os.kill(os.getpid(), 9)\n"
    )
    path = tmp_path / "catalog.sqlite"
    done = subprocess.run(
        [sys.executable, "-c", program, str(path)], capture_output=True, text=True, check=False
    )
    with Catalog(path) as catalog:
        assert catalog.images.count() == len(done.stdout.split()) == 31


def test_the_ledger_of_version_1_is_kept_with_hosts(tmp_path: Path) -> None:
    path = tmp_path / "catalog.sqlite"
    old = sqlite3.connect(path)
    for _, sql in migrations()[:1]:
        old.executescript(sql)
    old.execute("PRAGMA user_version = 1")
    addresses = [
        "https://a.example/x.png",
        "http://b.example:81/y?z=http://c/",
        "http://c.example/",
    ]
    for url in addresses:
        old.execute(
            "INSERT INTO address VALUES (?, 'failed', 'not-found', 3, 404, '', '', '', '', '', '')",
            (url,),
        )
    old.commit()
    old.close()
    with Catalog(path) as catalog:
        kept = [catalog.ledger.get(url) for url in addresses]
        assert catalog.ledger.counts() == {("failed", "not-found"): 3}
    hosts = [record.host for record in kept if record is not None]
    assert hosts == ["a.example", "b.example:81", "c.example"]
    assert {(r.attempts, r.http_status) for r in kept if r is not None} == {(3, 404)}


def test_a_catalogue_that_nobody_may_write_to_is_read(tmp_path: Path) -> None:
    folder = tmp_path / "a # b?"
    with Catalog(folder / "catalog.sqlite") as catalog:
        catalog.images.add(new_image(1), Origin(url="http://a.example/1"), [])
    before = sorted(folder.iterdir())
    with closing(open_read_only(folder / "catalog.sqlite")) as connection:
        assert connection.execute("SELECT count(*) FROM image").fetchone()[0] == 1
        with pytest.raises(sqlite3.OperationalError, match="readonly"):
            connection.execute("DELETE FROM image")
    assert sorted(folder.iterdir()) == before


def test_a_catalogue_of_another_version_is_not_opened_for_reading_alone(tmp_path: Path) -> None:
    path = tmp_path / "catalog.sqlite"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA user_version = 1")
    with pytest.raises(DataError, match="another version and cannot be written here"):
        open_read_only(path)
    path.write_bytes(b"no database at all" * 100)
    with pytest.raises(DataError, match="damaged or no SQLite file"):
        open_read_only(path)
