"""Another data folder comes in with its provenance; whatever is wrong with it is one clear line."""

import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from dataset.catalog import Catalog
from dataset.catalog.connection import migrations
from dataset.cli import main
from dataset.errors import ConfigError, DataError, PipelineError
from dataset.image_store import ImageStore
from dataset.ingest import TakenImage, ingest
from dataset.merging import MergeReport, guest_of, merge
from dataset.records import (
    CLAIMED_CAPTION,
    JUDGED_CAPTION,
    Caption,
    Change,
    Origin,
    PairChange,
    VoteChange,
    best_caption,
)
from dataset.workspace import Workspace
from tests.dataset.pictures import encoded, scene, scene_bytes


class Side:
    """A data folder under construction."""

    def __init__(self, data: Path) -> None:
        self.data = data
        self.workspace = Workspace(data)
        Catalog(self.workspace.catalog).close()

    def open(self) -> Catalog:
        return Catalog(self.workspace.catalog, create=False)

    def add(self, content: bytes, url: str, *, label: str = "", caption: str = "") -> int:
        origin = Origin(url=url, page_url=f"{url}/page", source="test", licence="CC0-1.0")
        captions = [Caption(text=caption, origin="card")] if caption else []
        with self.open() as catalog:
            store = ImageStore(self.workspace.images)
            taken = ingest(catalog, store, content, origin, captions, label=label)
        assert isinstance(taken, TakenImage)
        return taken.image_id

    def judge(self, *changes: Change | PairChange | VoteChange) -> None:
        with self.open() as catalog:
            catalog.judgements.apply(changes, who="them", verb="test")

    def take(self, other: "Side", *, judgements: bool = False) -> MergeReport:
        with guest_of(self.workspace, other.data) as (guest, pictures), self.open() as catalog:
            store = ImageStore(self.workspace.images)
            return merge(catalog, store, guest, pictures, judgements=judgements, workers=1)

    def file(self, image_id: int) -> Path:
        with self.open() as catalog:
            record = catalog.images.get(image_id)
        assert record is not None
        return ImageStore(self.workspace.images).path(record.sha256)


@pytest.fixture
def here(tmp_path: Path) -> Side:
    return Side(tmp_path / "here")


@pytest.fixture
def there(tmp_path: Path) -> Side:
    return Side(tmp_path / "there")


def keep(image_id: int) -> Change:
    return Change(image_id=image_id, field="status", value="keep")


def reject(image_id: int, reason: str = "") -> Change:
    return Change(image_id=image_id, field="status", value="reject", reason=reason)


def files_of(folder: Path) -> dict[str, tuple[bytes, int]]:
    return {
        str(path.relative_to(folder)): (path.read_bytes(), path.stat().st_mtime_ns)
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def judged(side: Side) -> dict[int, tuple[str, str, int]]:
    with side.open() as catalog:
        return {r.id: (r.status, r.reason, r.stars) for r in catalog.images.all()}


def test_pictures_come_with_every_origin_caption_and_label(here: Side, there: Side) -> None:
    here.add(scene_bytes(1), "http://a.test/1", label="cat", caption="a cat")
    there.add(scene_bytes(1), "http://b.test/1", label="dog", caption="the same cat")
    there.add(scene_bytes(2), "http://b.test/2", label="dog", caption="a dog")
    there.add(scene_bytes(2), "http://c.test/2")
    before = files_of(there.data)
    report = here.take(there)
    assert (report.pictures, report.added, report.known) == (2, 1, 1)
    assert (report.origins, report.captions) == (3, 2)
    assert files_of(there.data) == before, "the other side is only read"
    with here.open() as catalog, there.open() as other:
        first, second = catalog.images.all()
        assert (first.label, second.label) == ("cat", "dog")
        assert [c.text for c in catalog.images.captions(first.id)] == ["a cat", "the same cat"]
        assert catalog.images.captions(second.id) == other.images.captions(2)
        assert catalog.images.origins(second.id) == other.images.origins(2)
        assert [o.url for o in catalog.images.origins(1)] == ["http://a.test/1", "http://b.test/1"]
        assert ImageStore(here.workspace.images).get(second.sha256) == scene_bytes(2)


def test_same_pixels_in_another_file_are_known(here: Side, there: Side) -> None:
    here.add(encoded(scene(1), "PNG"), "http://a.test/1")
    there.add(encoded(scene(1), "BMP"), "http://b.test/1")
    report = here.take(there)
    assert (report.added, report.known) == (0, 1)
    with here.open() as catalog:
        assert len(catalog.images.origins(1)) == 2


def test_a_second_merge_changes_nothing(here: Side, there: Side) -> None:
    for seed in range(3):
        there.add(scene_bytes(seed), f"http://b.test/{seed}", label="x", caption=f"text {seed}")
    there.judge(
        keep(1),
        Change(image_id=2, field="stars", value=4),
        VoteChange(left=1, right=2, outcome="left"),
    )
    here.take(there, judgements=True)
    with here.open() as catalog:
        batch = catalog.judgements.last_batch()
    again = here.take(there, judgements=True)
    assert (again.added, again.known, again.origins, again.captions) == (0, 3, 0, 0)
    assert again.batch is None
    with here.open() as catalog:
        assert catalog.judgements.last_batch() == batch


def test_judgements_stay_there_unless_asked_for(here: Side, there: Side) -> None:
    there.add(scene_bytes(1), "http://b.test/1")
    there.judge(keep(1))
    here.take(there)
    assert judged(here) == {1: ("undecided", "", 0)}


def test_judgements_are_one_batch_that_overrules_nobody_and_undo_takes_back(
    here: Side, there: Side
) -> None:
    here.add(scene_bytes(9), "http://a.test/9")  # so that numbers differ
    here.add(scene_bytes(1), "http://a.test/1")
    here.judge(reject(2, "blurred"))
    for seed in (1, 2, 3, 4):
        there.add(scene_bytes(seed), f"http://b.test/{seed}", label="cat")
    there.judge(keep(1), keep(2), reject(3, "duplicate of #2"), reject(4, "too dark"))
    there.judge(Change(image_id=2, field="stars", value=5))
    there.judge(Change(image_id=2, field="caption", value="judged text"))
    before = judged(here)
    report = here.take(there, judgements=True)
    expected = {
        1: ("undecided", "", 0),
        2: ("reject", "blurred", 0),
        3: ("keep", "", 5),
        4: ("reject", "duplicate of #3", 0),
        5: ("reject", "too dark", 0),
    }
    assert judged(here) == expected
    with here.open() as catalog:
        record = catalog.images.get(3)
        assert record is not None
        assert record.caption == "judged text"
        assert {event.batch for event in catalog.judgements.latest()} == {1, report.batch}
        undone = catalog.judgements.undo(who="merge")
        assert undone is not None
        assert undone.batch == report.batch
    assert judged(here) == {**before, **dict.fromkeys((3, 4, 5), ("undecided", "", 0))}


@pytest.mark.parametrize("judgements", [False, True])
def test_caption_written_there_is_a_judgement_and_no_found_text(
    judgements: bool, here: Side, there: Side
) -> None:
    for side, words in ((here, "the longest text"), (there, "a text")):
        for seed in (1, 2):
            side.add(scene_bytes(seed), f"http://a.test/{seed}", caption=words)
    here.judge(keep(1))
    there.judge(*(Change(image_id=i, field="caption", value="theirs") for i in (1, 2)))
    for _ in range(2):
        report = here.take(there, judgements=judgements)
    assert report.captions == 0
    with here.open() as catalog:
        found = [("the longest text", "card"), ("a text", "card")]
        for number, written in ((1, []), (2, [("theirs", JUDGED_CAPTION)] if judgements else [])):
            texts = [(c.text, c.origin) for c in catalog.images.captions(number)]
            assert texts == [*written, *found]
        assert (catalog.judgements.undo(who="merge") is not None) == judgements
        for number in (1, 2):
            captions = catalog.images.captions(number)
            assert best_caption(captions) == "the longest text"
            assert len(captions) == 2


def test_found_text_that_passes_for_one_written_by_a_person_comes_under_another_name(
    here: Side, there: Side
) -> None:
    for side in (here, there):
        side.add(scene_bytes(1), "http://a.test/1", caption="the longest text")
    there.judge(Change(image_id=1, field="caption", value="written"))
    with sqlite3.connect(there.workspace.catalog) as database:
        database.execute(
            "INSERT INTO caption (image_id, text, origin, added_at) VALUES (1, 'forged', ?, '')",
            (JUDGED_CAPTION,),
        )
    database.close()
    assert [here.take(there).captions for _ in range(2)] == [1, 0]
    with here.open() as catalog:
        captions = catalog.images.captions(1)
    assert [(c.text, c.origin) for c in captions] == [
        ("the longest text", "card"),
        ("forged", CLAIMED_CAPTION),
    ]
    assert best_caption(captions) == "the longest text"


def test_labels_come_tidied_up(here: Side, there: Side) -> None:
    for seed, label in enumerate(["a  b\x9b", "z\u200bz", "\u200fשלום\u202e", "x" * 300]):
        there.add(scene_bytes(seed), f"http://b.test/{seed}", label=label)
    here.take(there)
    with here.open() as catalog:
        labels = [record.label for record in catalog.images.all()]
    assert labels == ["a b", "zz", "שלום", "x" * 200]


def test_verdicts_on_pairs_come_unless_they_contradict_this_side(here: Side, there: Side) -> None:
    for seed in (1, 2, 3):
        here.add(scene_bytes(seed), f"http://a.test/{seed}")
    for seed in (3, 2, 1, 4):
        there.add(scene_bytes(seed), f"http://b.test/{seed}")
    here.judge(PairChange(a=1, b=2, verdict="different"))
    # There 3 is our 1, and 1 our 3: 1 = 3 and 3 = 2 would make 1 = 2.
    there.judge(PairChange(a=3, b=1, verdict="same"))
    there.judge(PairChange(a=1, b=2, verdict="same"), PairChange(a=1, b=4, verdict="different"))
    here.take(there, judgements=True)
    with here.open() as catalog:
        settled = catalog.judgements.pairs.settled()
        assert settled.overruled == ()
        assert settled.are_apart(1, 2)
        found = [(v.a, v.b, v.verdict) for v in catalog.judgements.pairs.verdicts()]
    assert (1, 2, "different") in found
    assert (3, 4, "different") in found
    assert len([v for v in found if v[2] == "same"]) == 1


def test_votes_known_here_are_not_counted_twice(here: Side, there: Side) -> None:
    for side in (here, there):
        side.add(scene_bytes(1), "http://a.test/1")
        side.add(scene_bytes(2), "http://a.test/2")
        side.judge(VoteChange(left=1, right=2, outcome="left"))
    there.judge(
        VoteChange(left=1, right=2, outcome="left"), VoteChange(left=2, right=1, outcome="tie")
    )
    here.take(there, judgements=True)
    with here.open() as catalog:
        votes = catalog.votes.standing()
        assert sorted(zip(votes.left.tolist(), votes.outcome.tolist(), strict=True)) == [
            (1, 1),
            (1, 1),
            (2, 0),
        ]


def test_a_catalogue_of_an_older_schema_is_read_and_not_migrated(
    here: Side, tmp_path: Path
) -> None:
    old = tmp_path / "old"
    old.mkdir()
    with sqlite3.connect(old / "catalog.sqlite") as connection:
        connection.executescript(migrations()[0][1])
        connection.execute("PRAGMA user_version = 1")
        connection.execute(
            "INSERT INTO image VALUES (1, ?, 'p', 'PNG', 4, 4, 9, 0, 'l', 'l', 'keep', '', 0, 't')",
            (ImageStore(old / "images").put(scene_bytes(1)),),
        )
        connection.execute(
            "INSERT INTO origin VALUES (1, 1, 'http://o.test', '', 's', '', '', 'CC0', '', 't')"
        )
    connection.close()
    before = files_of(old)
    with guest_of(here.workspace, old) as (guest, pictures), here.open() as catalog:
        report = merge(catalog, ImageStore(here.workspace.images), guest, pictures, workers=1)
        assert report.added == 1
        [record] = catalog.images.all()
        assert (record.label, record.width) == ("l", 160), "sizes are measured, not believed"
    assert files_of(old) == before


def test_a_catalogue_in_use_is_merged_with_what_is_only_in_its_log(here: Side, there: Side) -> None:
    with there.open() as busy:
        store = ImageStore(there.workspace.images)
        ingest(busy, store, scene_bytes(1), Origin(url="http://b.test/1"))
        assert Path(f"{there.workspace.catalog}-wal").stat().st_size > 0
        assert here.take(there).added == 1


# ---------------------------------------------------------------- what may be wrong over there


def broken(side: Side, how: Callable[[Path], None]) -> None:
    with sqlite3.connect(side.workspace.catalog) as connection:
        connection.execute("PRAGMA journal_mode = DELETE")
    connection.close()
    how(side.workspace.catalog)


def scribble(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[5000:60000] = os.urandom(55000)
    path.write_bytes(content)


def sql(*statements: str) -> Callable[[Path], None]:
    def change(path: Path) -> None:
        with sqlite3.connect(path) as connection:
            for statement in statements:
                connection.execute(statement)
        connection.close()

    return change


EVIL_VIEW = (
    "ALTER TABLE image RENAME TO hidden",
    "CREATE VIEW image AS WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) "
    "SELECT * FROM hidden, n",
)
EVIL_TRIGGER = "CREATE TRIGGER evil BEFORE INSERT ON event BEGIN DELETE FROM image; END"


@pytest.mark.parametrize(
    ("how", "line"),
    [
        (scribble, "damaged"),
        (lambda path: path.write_bytes(b"no database at all" * 99), "damaged or no SQLite file"),
        (lambda path: path.write_bytes(path.read_bytes()[:9000]), "damaged"),
        (sql("PRAGMA user_version = 99"), "schema 99, this Pedigree knows up to"),
        (sql(*EVIL_VIEW), "tables are not those of a Pedigree catalogue"),
        (sql(EVIL_TRIGGER), "tables are not those of a Pedigree catalogue"),
        (sql("PRAGMA user_version = 0"), "tables are not those of a Pedigree catalogue"),
    ],
)
def test_a_bad_catalogue_is_one_line_and_nothing_comes_in(
    how: Callable[[Path], None], line: str, here: Side, there: Side
) -> None:
    for seed in range(3):
        there.add(scene_bytes(seed), f"http://b.test/{seed}")
    broken(there, how)
    with pytest.raises(DataError, match=line) as caught:
        here.take(there)
    assert str(there.workspace.catalog) in str(caught.value)
    assert "\n" not in str(caught.value)
    assert judged(here) == {}
    assert not (here.data / ".merge").exists()


def test_missing_altered_and_strange_files_are_counted_and_the_rest_comes(
    here: Side, there: Side
) -> None:
    ids = [there.add(scene_bytes(seed), f"http://b.test/{seed}") for seed in range(5)]
    missing, altered, pipe, huge, good = (there.file(image_id) for image_id in ids)
    missing.unlink()
    altered.write_bytes(scene_bytes(77))
    pipe.unlink()
    os.mkfifo(pipe)
    with huge.open("wb") as sparse:
        sparse.truncate(1 << 40)
    report = here.take(there)
    assert report.rejected == {"missing": 1, "altered": 1, "no-file": 1, "too-many-bytes": 1}
    assert report.added == 1
    with here.open() as catalog:
        assert [r.sha256 for r in catalog.images.all()] == [good.name]
        assert [o.url for o in catalog.images.origins(1)] == ["http://b.test/4"]


def put_by_hand(side: Side, content: bytes, sha256: str = "") -> None:
    """A picture that no honest intake would have taken."""
    name = sha256 or ImageStore(side.workspace.images).put(content)
    sql(
        "INSERT INTO image (sha256, pixel_sha256, format, width, height, byte_count, has_alpha,"
        f" first_label, label, added_at) VALUES ('{name}', 'p', 'PNG', 9, 9, 9, 0, '', '', 't')"
    )(side.workspace.catalog)


def test_a_bomb_and_a_page_in_the_store_are_rejected_by_the_decoder(
    here: Side, there: Side
) -> None:
    put_by_hand(there, encoded(Image.new("1", (20_000, 20_000))))
    put_by_hand(there, b"<html>a page</html>" * 20)
    report = here.take(there)
    assert report.added == 0
    assert report.rejected == {"too-many-pixels": 1, "html": 1}
    assert judged(here) == {}


def test_names_that_leave_the_store_are_never_opened(
    here: Side, there: Side, tmp_path: Path
) -> None:
    (tmp_path / "secret").write_bytes(scene_bytes(1))
    there.workspace.images.mkdir()
    put_by_hand(there, b"", sha256="../../secret")
    assert here.take(there).rejected == {"no-hash": 1}


def test_text_that_is_no_utf8_comes_with_marks_of_replacement(here: Side, there: Side) -> None:
    there.add(scene_bytes(1), "http://b.test/1", caption="text")
    sql("UPDATE caption SET text = CAST(x'61FF62' AS TEXT)")(there.workspace.catalog)
    here.take(there)
    with here.open() as catalog:
        assert [c.text for c in catalog.images.captions(1)] == ["a\ufffdb"]


# ---------------------------------------------------------------- the command


def run(*arguments: object) -> int:
    return main(["merge", *map(str, arguments)])


def test_command_previews_merges_and_tells(
    here: Side, there: Side, capsys: pytest.CaptureFixture[str]
) -> None:
    there.add(scene_bytes(1), "http://b.test/1")
    there.judge(keep(1))
    assert run(there.data, "--data", here.data, "--dry-run") == 0
    assert capsys.readouterr().out == "1 pictures there: 1 would be read, 0 known here\n"
    assert judged(here) == {}
    assert run(there.data, "--data", here.data, "--json", "--judgements", "--workers", 1) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["added"], told["judgements"], told["batch"]) == (1, 1, 1)
    assert judged(here) == {1: ("keep", "", 0)}


def test_merging_into_nothing_makes_the_catalogue(there: Side, tmp_path: Path) -> None:
    there.add(scene_bytes(1), "http://b.test/1")
    assert run(there.data, "--data", tmp_path / "new", "--dry-run") == 0
    assert not (tmp_path / "new").exists()
    assert run(there.data, "--data", tmp_path / "new", "--workers", 1) == 0
    with Catalog(tmp_path / "new" / "catalog.sqlite", create=False) as catalog:
        assert catalog.images.count() == 1


@pytest.mark.parametrize(
    ("other", "line", "code"),
    [
        ("here", "is the data folder itself", 2),
        ("link", "is the data folder itself", 2),
        ("plain", "python -m dataset import folder", 2),
        ("nowhere", "no folder at", 2),
        ("here/catalog.sqlite", "name its folder", 2),
        ("there", "copy the whole data folder", 3),
    ],
)
def test_wrong_folders_are_one_line(
    other: str,
    line: str,
    code: int,
    here: Side,
    there: Side,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "link").symlink_to(here.data)
    (tmp_path / "plain").mkdir()
    there.add(scene_bytes(1), "http://b.test/1")
    shutil.rmtree(there.workspace.images)
    assert run(tmp_path / other, "--data", here.data) == code
    told = capsys.readouterr().err
    assert line in told
    assert told.count("\n") == 1


def test_two_merges_at_once_wait_for_nobody(here: Side, there: Side) -> None:
    with here.workspace.locked("merging"), pytest.raises(PipelineError, match="another process"):
        here.take(there)


def test_a_merge_that_was_killed_goes_on(here: Side, there: Side) -> None:
    for seed in range(80):
        there.add(encoded(scene(seed, (60, 50))), f"http://b.test/{seed}", caption=f"text {seed}")
        if seed % 2:
            there.judge(keep(seed + 1))
    command = [sys.executable, "-m", "dataset", "merge", str(there.data), "--data", str(here.data)]
    command += ["--workers", "1", "--judgements", "--progress", "quiet"]
    for least in (1, 33):
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        while process.poll() is None and len(judged(here)) < least:
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
        process.wait()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    with here.open() as catalog:
        assert catalog.images.count() == 80
        assert all(len(catalog.images.captions(image.id)) == 1 for image in catalog.images.all())
        assert catalog.images.counts("status") == {"keep": 40, "undecided": 40}
    assert not (here.data / ".merge").exists()


def test_config_error_is_told_for_no_workers(here: Side, there: Side) -> None:
    assert run(there.data, "--data", here.data, "--workers", 0) == ConfigError.exit_code
