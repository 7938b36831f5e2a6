"""Columns are what a plain loop over the pictures gives; captions are found by their words."""

import re
import sqlite3
import unicodedata
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataset.catalog import Catalog, columns
from dataset.records import STATUSES, Caption, Change, Origin
from tests.dataset.test_catalog import new_image


def add(catalog: Catalog, n: int, *captions: str, **facts: object) -> int:
    found = [Caption(text=text, origin=f"place {k}") for k, text in enumerate(captions)]
    return catalog.images.add(new_image(n, **facts), Origin(url=f"u{n}"), found)[0]


def write(catalog: Catalog, image_id: int, text: str) -> None:
    change = Change(image_id=image_id, field="caption", value=text)
    catalog.judgements.apply([change], who="ada", verb="caption")


def found(catalog: Catalog, text: str) -> list[int]:
    return sorted(catalog.columns.with_text(text).tolist())


@pytest.fixture
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(columns, "_BLOCK", 3)


# ------------------------------------------------------------ columns


@pytest.mark.usefixtures("small_blocks")
def test_blocks_hold_every_picture_once_by_ascending_id(catalog: Catalog) -> None:
    for n in range(1, 9):
        add(catalog, n, label=f"l{n % 3}", width=n, height=7, byte_count=n * 100)
    catalog.judgements.apply(
        [
            Change(image_id=2, field="status", value="reject"),
            Change(image_id=5, field="status", value="keep"),
            Change(image_id=5, field="stars", value=4),
        ],
        who="ada",
        verb="mixed",
    )
    blocks = list(catalog.columns.pictures())
    assert [len(block.id) for block in blocks] == [3, 3, 2]
    read = [
        row
        for b in blocks
        for row in zip(
            *(b.id.tolist(), b.status.tolist(), b.stars.tolist(), b.label),
            *(b.pixels.tolist(), b.bytes.tolist()),
            strict=True,
        )
    ]
    assert read == [
        (r.id, STATUSES.index(r.status), r.stars, r.label, r.width * r.height, r.byte_count)
        for r in catalog.images.all()
    ]
    assert [b.id.tolist() for b in catalog.columns.pictures(after=6)] == [[7, 8]]
    some = [b.id.tolist() for b in catalog.columns.pictures_of([8, 99, 2, 2, 5, 1])]
    assert some == [[1, 2, 5], [8]]
    assert list(catalog.columns.pictures_of([])) == []


def test_marks_rise_with_every_picture_event_and_origin(catalog: Catalog) -> None:
    seen = [catalog.columns.marks()]
    picture = add(catalog, 1)
    seen.append(catalog.columns.marks())
    catalog.images.add_origin(picture, Origin(url="elsewhere"))
    seen.append(catalog.columns.marks())
    write(catalog, picture, "A cat")
    seen.append(catalog.columns.marks())
    catalog.judgements.undo()
    seen.append(catalog.columns.marks())
    catalog.images.add_caption(picture, Caption(text="A dog", origin="captioner"))
    seen.append(catalog.columns.marks())
    assert len(set(seen)) == len(seen)
    before = catalog.columns.marks()
    assert catalog.judgements.undo() is None
    assert catalog.columns.marks() == before


def test_pictures_judged_since_are_each_named_once(catalog: Catalog) -> None:
    for n in (1, 2, 3):
        add(catalog, n)
    write(catalog, 1, "one")
    mark = catalog.columns.marks().event
    assert catalog.columns.judged_since(mark) == []
    write(catalog, 2, "two")
    write(catalog, 2, "three")
    assert catalog.columns.judged_since(mark) == [2]
    assert sorted(catalog.columns.judged_since(0)) == [1, 2]


@pytest.mark.usefixtures("small_blocks")
def test_origins_and_scores_come_in_blocks_after_a_place(catalog: Catalog) -> None:
    for n in range(1, 6):
        origin = Origin(url=f"u{n}", source=f"s{n % 2}", licence="unknown")
        catalog.images.add(new_image(n, quality={"sharpness": n / 8}), origin)
    rows = [
        row
        for pictures, sources, licences in catalog.columns.origins()
        for row in zip(pictures.tolist(), sources, licences, strict=True)
    ]
    assert rows == [(n, f"s{n % 2}", "unknown") for n in range(1, 6)]
    assert [p.tolist() for p, _s, _l in catalog.columns.origins(after=4)] == [[5]]
    assert list(catalog.columns.origins(after=5)) == []
    scores = list(catalog.columns.quality("sharpness"))
    assert [ids.tolist() for ids, _scores in scores] == [[1, 2, 3], [4, 5]]
    np.testing.assert_array_equal(np.concatenate([s for _ids, s in scores]) * 8, range(1, 6))
    assert [ids.tolist() for ids, _s in catalog.columns.quality("sharpness", after=4)] == [[5]]
    assert list(catalog.columns.quality("unheard of")) == []


def test_measures_are_named_once_in_order(catalog: Catalog) -> None:
    assert catalog.columns.measures() == []
    add(catalog, 1, quality={"sharpness": 0.5, "contrast": 0.5})
    add(catalog, 2, quality={"sharpness": 0.5, "zebra": 0.5})
    assert catalog.columns.measures() == ["contrast", "sharpness", "zebra"]


# ------------------------------------------------------------ texts


@pytest.mark.parametrize("how", ["found", "written"])
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("red", [1, 2]),
        ("RED bird", [1]),
        ("bird red", [1]),
        ("bir re", [1]),
        ("ird", []),
        ("cafe", [3]),
        ("CAFÉ", [3]),
        ("cafe\u0301", [3]),
        ("müllers", [4]),
        ("Mullers", [4]),
        ("picture_7", [5]),
        ("7", [5, 6]),
        ("picture 7", [5]),
        ("_", [5]),
        ("%", [6]),
        ("100%", [6]),
        ("猫", [7]),
        ("い猫", [7]),
        ("黒い 猫", []),
        ("кот", [8]),
        ("чёрный", [8]),
        ("große STRAß", [9]),
        ("मैं", [10]),
        ("ខ្មែ", [11]),
        ("\uff76\uff80", [12]),
        ("x\u0301y", [13]),
        ("  red   bird ", [1]),
        ("red nothing", []),
    ],
)
def test_words_and_their_beginnings_are_found_in_captions_found_and_written(
    catalog: Catalog, how: str, text: str, expected: list[int]
) -> None:
    texts = (
        *("A red bird", "Reddish sky", "Un café noir", "Mu\u0308llers Haus"),
        *("my picture_7", "100% of 7x", "黒い猫です", "Чёрный кот"),
        *("Große Straße", "मैं घर", "ភាសាខ្មែរ", "\uff76\uff80\uff76\uff85", "X\u0301Y"),
    )
    for n, caption in enumerate(texts, 1):
        add(catalog, n, *([caption] if how == "found" else ["nothing here at all"]))
        if how == "written":
            write(catalog, n, caption)
    assert found(catalog, text) == expected


@pytest.mark.parametrize(
    "text",
    [
        *('"', '""', "'", "*", "**", "(", ")", "NEAR(", "NEAR(a b)", "OR", "AND", "NOT", "a OR b"),
        *(
            "-a",
            "^a",
            "a:",
            "text:a",
            "{text}:a",
            "a + b",
            "a*",
            '"a',
            'a"b',
            "a;b",
            "--",
            "%",
            "_",
        ),
        *("\\", "\\%", "\n", "\t", "\u202e", "\ufeff", "😀", "é" * 200, "a " * 100, "\U000e0001"),
    ],
)
def test_no_text_is_a_command_to_the_search(catalog: Catalog, text: str) -> None:
    add(catalog, 1, "plain words")
    assert found(catalog, text) == []
    catalog.images.add_caption(1, Caption(text=f"with {text} in it", origin="card"))
    if text.strip():
        assert found(catalog, text) == [1]


def test_a_written_caption_is_found_beside_those_it_replaces(catalog: Catalog) -> None:
    add(catalog, 1, "An old dog")
    write(catalog, 1, "A young cat")
    assert found(catalog, "young cat") == found(catalog, "old dog") == [1]
    # Words of two versions are not those of one caption.
    assert found(catalog, "young dog") == []
    catalog.judgements.undo()
    assert found(catalog, "young") == []


def test_a_picture_with_many_fitting_captions_is_found_once(catalog: Catalog) -> None:
    add(catalog, 1, "red one", "red two", "red three")
    write(catalog, 1, "red four")
    assert catalog.columns.with_text("red").tolist() == [1]
    assert catalog.columns.with_text("%").tolist() == []


def words(text: str) -> list[str]:
    plain = "".join(c for c in unicodedata.normalize("NFD", text) if not unicodedata.combining(c))
    return re.findall(r"[^\W_]+", plain.lower())


def fits(caption: str, text: str) -> bool:
    have = words(caption)
    return all(any(word.startswith(start) for word in have) for start in words(text))


letters = st.text(alphabet="abAäé1 -_'\"*", min_size=1, max_size=8)


@settings(max_examples=50, deadline=None)
@given(
    st.lists(st.tuples(st.lists(letters, max_size=2), letters), min_size=1, max_size=5),
    st.lists(letters.filter(words), min_size=1, max_size=5),
)
def test_search_gives_what_a_plain_loop_over_all_captions_gives(
    tmp_path_factory: pytest.TempPathFactory,
    pictures: list[tuple[list[str], str]],
    texts: list[str],
) -> None:
    path: Path = tmp_path_factory.mktemp("words") / "c.sqlite"
    with Catalog(path) as catalog:
        for n, (as_found, written) in enumerate(pictures, 1):
            add(catalog, n, *as_found)
            if n % 2:
                write(catalog, n, written)
        for text in texts:
            expected = [
                record.id
                for record in catalog.images.all()
                if any(fits(c.text, text) for c in catalog.images.captions(record.id))
            ]
            assert found(catalog, text) == expected, text


def test_what_was_judged_since_is_found_by_the_number_of_the_event_alone(
    catalog: Catalog,
) -> None:
    for n in range(1, 5):
        add(catalog, n)
    for n in (2, 1, 2):
        write(catalog, n, f"text {catalog.judgements.last_event_id()}")
    assert sorted(catalog.columns.judged_since(1)) == [1, 2]
    assert catalog.columns.judged_since(3) == []
    statements: list[str] = []
    connection = sqlite3.connect(catalog.path)
    connection.set_trace_callback(statements.append)
    columns.Columns(connection).judged_since(1)
    connection.set_trace_callback(None)
    plan = [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {statements[0]}")]
    connection.close()
    assert "SEARCH event USING INTEGER PRIMARY KEY (rowid>?)" in plan
    assert not [line for line in plan if "SCAN" in line]


@pytest.mark.usefixtures("small_blocks")
def test_contents_are_those_of_the_pictures_in_their_order(catalog: Catalog) -> None:
    for n in (5, 3, 9, 1, 2, 8, 4):
        add(catalog, n)
    expected = [record.sha256 for record in sorted(catalog.images.all(), key=lambda one: one.id)]
    assert [one for block in catalog.columns.contents() for one in block] == expected
    assert [one for block in catalog.columns.contents(4) for one in block] == expected[4:]
