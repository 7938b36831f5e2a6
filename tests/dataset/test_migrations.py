"""A catalogue of an earlier version arrives with its pictures, judgements, log and way back."""

import sqlite3
from pathlib import Path

import numpy as np
import pytest

from dataset.catalog import Catalog
from dataset.catalog.connection import migrations
from dataset.errors import DataError
from dataset.records import Caption, Change, ImageFilter, Origin, PairChange, VoteChange
from tests.dataset.test_catalog import new_image

AT = "2026-01-01T00:00:00.000Z"
CAPTIONS = ("A red café", "Two RED birds", "100% cotton_wool")

# (id, batch, who, verb, picture, field, before, after, reason before, reason after, undoes)
EVENTS: list[tuple[int, int, str, str, int, str, str | int, str | int, str, str, int | None]] = [
    (3, 1, "ada", "keep", 1, "status", "undecided", "keep", "", "", None),
    (4, 2, "bob", "reject", 2, "status", "undecided", "reject", "", "blurred", None),
    (9, 3, "ada", "stars", 3, "stars", 0, 5, "", "", None),
    (10, 4, "ada", "undo", 3, "stars", 5, 0, "", "", 3),
    (11, 7, "ada", "label", 1, "label", "cat", "dog", "", "", None),
    (20, 8, "bob", "stars", 2, "stars", 0, 2, "", "", None),
    (21, 8, "bob", "stars", 3, "stars", 0, 2, "", "", None),
]
# (batch, who, verb, before, after, since before, since after, undoes) of pictures 1 and 2
DECISIONS: list[tuple[int, str, str, str, str, int, int, int | None]] = [
    (5, "bob", "same", "", "same", 0, 5, None),
    (6, "bob", "undo", "same", "", 5, 0, 5),
    (7, "ada", "different", "", "different", 0, 7, None),
]


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """A catalogue of version 4 in use: three pictures, two judges, undone batches."""
    path = tmp_path / "catalog.sqlite"
    db = sqlite3.connect(path)
    db.execute("PRAGMA journal_mode = WAL")
    for _, sql in migrations()[:4]:
        db.executescript(sql)
    db.execute("PRAGMA user_version = 4")
    for n in (1, 2, 3):
        db.execute(
            "INSERT INTO image (id, sha256, pixel_sha256, format, width, height, byte_count, "
            "has_alpha, first_label, label, added_at) VALUES (?, ?, ?, 'PNG', 32, 32, 10, 0, "
            "'cat', 'cat', ?)",
            (n, f"{n:064x}", f"{n + 9:064x}", AT),
        )
        db.execute(
            "INSERT INTO origin (image_id, url, page_url, source, query, author, licence, "
            "licence_url, fetched_at) VALUES (?, ?, '', 'site', '', '', 'CC0-1.0', '', ?)",
            (n, f"http://a.example/{n}", AT),
        )
        db.execute(
            "INSERT INTO caption (image_id, text, origin, added_at) VALUES (?, ?, 'card', ?)",
            (n, CAPTIONS[n - 1], AT),
        )
    for event in EVENTS:
        db.execute(
            "INSERT INTO event (id, batch, at, who, verb, image_id, field, before, after, "
            f"reason_before, reason_after, undoes) VALUES (?, ?, '{AT}', ?, ?, ?, ?, ?, ?, ?, ?, "
            "?)",
            event,
        )
        _, _, _, _, image_id, field, _, after, _, reason, _ = event
        db.execute(f"UPDATE image SET {field} = ? WHERE id = ?", (after, image_id))
        if field == "status":
            db.execute("UPDATE image SET reason = ? WHERE id = ?", (reason, image_id))
    for decision in DECISIONS:
        db.execute(
            "INSERT INTO pair_decision (batch, at, who, verb, a, b, before, after, since_before, "
            f"since_after, undoes) VALUES (?, '{AT}', ?, ?, 1, 2, ?, ?, ?, ?, ?)",
            decision,
        )
    db.commit()
    db.close()
    return path


def judged(catalog: Catalog) -> list[tuple[str, str, str, int, str]]:
    return [(r.label, r.status, r.reason, r.stars, r.caption) for r in catalog.images.all()]


ARRIVED = [
    ("dog", "keep", "", 0, ""),
    ("cat", "reject", "blurred", 2, ""),
    ("cat", "undecided", "", 2, ""),
]


def test_state_and_log_arrive_as_they_were(old: Path) -> None:
    with Catalog(old) as catalog:
        assert judged(catalog) == ARRIVED
        events = sorted(catalog.judgements.latest(), key=lambda event: event.id)
        assert [
            (
                *(e.id, e.batch, e.who, e.verb, e.image_id, e.field, e.before, e.after),
                *(e.reason_before, e.reason_after, e.undoes),
            )
            for e in events
        ] == EVENTS
        assert {event.at for event in events} == {AT}
        assert [(d.batch, d.after, d.undoes) for d in catalog.judgements.pairs.of_image(1)] == [
            (5, "same", None),
            (6, "", 5),
            (7, "different", None),
        ]
        assert [(v.verdict, v.since) for v in catalog.judgements.pairs.verdicts()] == [
            ("different", 7)
        ]
        assert [entry.batch for entry in catalog.judgements.log()] == [8, 8, 7, 7, 6, 5, 4, 3, 2, 1]
        assert (catalog.judgements.last_batch(), catalog.judgements.last_event_id()) == (8, 21)
    with Catalog(old) as again:
        assert judged(again) == ARRIVED


def test_undo_goes_on_where_each_person_was(old: Path) -> None:
    with Catalog(old) as catalog:
        undone = catalog.judgements.undo(who="ada")
        assert undone is not None
        # Batch 7 was of a picture and a pair; the undone ones before it are passed over.
        assert (undone.batch, undone.verb, len(undone.events), len(undone.pairs)) == (
            *(7, "label", 1, 1),
        )
        assert catalog.judgements.pairs.verdicts() == []
        order = [catalog.judgements.undo(who="ada"), catalog.judgements.undo(who="ada")]
        assert [u and u.batch for u in order] == [1, None]
        order = [catalog.judgements.undo(), catalog.judgements.undo(), catalog.judgements.undo()]
        assert [u and u.batch for u in order] == [8, 2, None]
        assert judged(catalog) == [("cat", "undecided", "", 0, "")] * 3


def test_numbers_of_events_and_batches_go_on_rising(old: Path) -> None:
    with Catalog(old) as catalog:
        changes = [
            Change(image_id=3, field="caption", value="Cotton"),
            Change(image_id=3, field="status", value="keep"),
        ]
        assert catalog.judgements.apply(changes, who="ada", verb="caption") == 9
        assert [event.id for event in catalog.judgements.of_batch(9)] == [22, 23]
        assert catalog.judgements.apply(
            [VoteChange(left=1, right=2, outcome="tie")], who="ada", verb="vote"
        ) == 10  # fmt: skip
        undone = catalog.judgements.undo(who="ada")
        assert undone is not None
        assert [v.outcome for v in undone.votes] == ["tie"]
        catalog.judgements.apply([PairChange(a=2, b=3, verdict="same")], who="bob", verb="same")
        assert [d.batch for d in catalog.judgements.pairs.latest(1)] == [12]


def test_an_empty_catalogue_of_an_earlier_version_can_be_judged(tmp_path: Path) -> None:
    path = tmp_path / "catalog.sqlite"
    db = sqlite3.connect(path)
    for _, sql in migrations()[:4]:
        db.executescript(sql)
    db.execute("PRAGMA user_version = 4")
    db.close()
    with Catalog(path) as catalog:
        assert catalog.judgements.last_event_id() == 0
        assert catalog.judgements.undo() is None
        catalog.images.add(new_image(1), Origin(url="u"))
        catalog.judgements.apply(
            [Change(image_id=1, field="stars", value=1)], who="a", verb="stars"
        )
        assert catalog.judgements.last_event_id() == 1


def test_old_and_new_captions_are_found_by_their_words(old: Path) -> None:
    with Catalog(old) as catalog:
        catalog.images.add_caption(3, Caption(text="a red thread", origin="detail"))
        for text, expected in {
            "red": {1, 2, 3},
            "red caf": {1},
            "CAFÉ": {1},
            "thread": {3},
            "cotton": {3},
        }.items():
            assert set(catalog.columns.with_text(text).tolist()) == expected, text
        assert catalog.images.count(ImageFilter(text="cotton_wool")) == 1


def test_events_of_an_earlier_version_stay_final(old: Path) -> None:
    Catalog(old).close()
    other = sqlite3.connect(old)
    for sql in ("UPDATE event SET who = 'b'", "DELETE FROM event", "DELETE FROM pair_decision"):
        with pytest.raises(sqlite3.IntegrityError, match="never"):
            other.execute(sql)
    assert other.execute("PRAGMA foreign_key_check").fetchall() == []
    assert other.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    assert other.execute("PRAGMA user_version").fetchone()[0] == len(migrations())
    other.close()


def test_a_migration_that_fails_leaves_the_catalogue_as_it_was(old: Path) -> None:
    db = sqlite3.connect(old)
    db.execute("CREATE TABLE vote (id INTEGER)")  # in the way of a table of version 5
    db.commit()
    before = list(db.iterdump())
    with pytest.raises((DataError, sqlite3.Error)), Catalog(old):
        pass
    assert list(db.iterdump()) == before
    assert db.execute("PRAGMA user_version").fetchone()[0] == 4
    db.execute("DROP TABLE vote")
    db.commit()
    db.close()
    with Catalog(old) as catalog:
        assert judged(catalog) == ARRIVED


def test_a_migrated_catalogue_has_the_schema_of_a_new_one(old: Path, tmp_path: Path) -> None:
    Catalog(old).close()
    Catalog(tmp_path / "new.sqlite").close()
    schemas = []
    for path in (old, tmp_path / "new.sqlite"):
        db = sqlite3.connect(path)
        schemas.append(set(db.execute("SELECT type, name, sql FROM sqlite_master")))
        db.close()
    assert schemas[0] == schemas[1]


def test_marks_and_columns_of_a_migrated_catalogue_begin_where_its_rows_end(old: Path) -> None:
    with Catalog(old) as catalog:
        marks = catalog.columns.marks()
        assert (marks.picture, marks.event, marks.origin) == (3, 21, 3)
        [block] = catalog.columns.pictures()
        np.testing.assert_array_equal(block.status, [1, 2, 0])
        np.testing.assert_array_equal(block.stars, [0, 2, 2])
        assert block.label == ["dog", "cat", "cat"]
        assert len(catalog.votes.standing()) == 0
        assert catalog.settings.all() == {}
