"""Settings are small facts with a log: undo brings back what holds without the batch."""

import sqlite3
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataset.catalog import Catalog
from dataset.errors import DataError
from dataset.records import SettingChange


def put(catalog: Catalog, who: str = "ada", **values: str) -> int | None:
    changes = [SettingChange(name=name, value=value) for name, value in values.items()]
    return catalog.judgements.apply(changes, who=who, verb="set")


def test_a_setting_holds_until_it_is_forgotten(catalog: Catalog) -> None:
    assert (catalog.settings.get("a"), catalog.settings.get("a", "7")) == ("", "7")
    put(catalog, b="2", a="1")
    assert catalog.settings.all() == {"a": "1", "b": "2"}
    assert list(catalog.settings.all()) == ["a", "b"]
    put(catalog, a="")
    assert catalog.settings.all() == {"b": "2"}
    assert catalog.settings.get("a", "7") == "7"


def test_every_change_is_in_the_log_with_before_and_after(catalog: Catalog) -> None:
    batch = put(catalog, a="1")
    put(catalog, "bob", a="2")
    catalog.judgements.undo(who="bob")
    log = [(s.who, s.verb, s.before, s.after, s.undoes) for s in catalog.settings.latest()]
    assert log == [
        ("bob", "undo", "2", "1", 2),
        ("bob", "set", "1", "2", None),
        ("ada", "set", "", "1", None),
    ]
    assert [s.name for s in catalog.settings.of_batch(batch or 0)] == ["a"]
    assert catalog.settings.last_id() == 3


def test_what_holds_already_makes_no_batch(catalog: Catalog) -> None:
    assert put(catalog, a="") is None
    put(catalog, a="1")
    last = catalog.settings.last_id()
    assert put(catalog, a="1") is None
    assert catalog.settings.last_id() == last


def test_undo_brings_back_what_held_before(catalog: Catalog) -> None:
    put(catalog, a="1", b="1")
    put(catalog, a="2", b="")
    undone = catalog.judgements.undo()
    assert undone is not None
    assert {(s.name, s.after) for s in undone.settings} == {("a", "1"), ("b", "1")}
    assert catalog.settings.all() == {"a": "1", "b": "1"}
    catalog.judgements.undo()
    assert catalog.settings.all() == {}
    assert catalog.judgements.undo() is None


def test_undo_leaves_what_somebody_else_set_since(catalog: Catalog) -> None:
    put(catalog, "ada", a="1", b="1")
    put(catalog, "bob", a="2")
    catalog.judgements.undo(who="ada")
    assert catalog.settings.all() == {"a": "2"}
    catalog.judgements.undo(who="bob")
    # Hers was undone before: it does not come back with his.
    assert catalog.settings.all() == {}


def test_undo_in_the_middle_of_three_brings_back_nothing_older(catalog: Catalog) -> None:
    put(catalog, "ada", a="1")
    put(catalog, "bob", a="2")
    put(catalog, "ada", a="3")
    catalog.judgements.undo(who="bob")
    assert catalog.settings.get("a") == "3"
    catalog.judgements.undo(who="ada")
    assert catalog.settings.get("a") == "1"


def test_a_name_set_twice_in_one_batch_is_undone_whole(catalog: Catalog) -> None:
    changes = [SettingChange(name="a", value=value) for value in ("1", "2", "3")]
    catalog.judgements.apply(changes, who="ada", verb="set")
    assert catalog.settings.get("a") == "3"
    catalog.judgements.undo()
    assert catalog.settings.all() == {}


@pytest.mark.parametrize(
    "bad",
    [
        SettingChange(name="", value="1"),
        SettingChange(name="n" * 1001, value="1"),
        SettingChange(name="a", value="v" * 10_001),
    ],
)
def test_a_setting_of_bad_length_changes_nothing(catalog: Catalog, bad: SettingChange) -> None:
    with pytest.raises(DataError) as told:
        catalog.judgements.apply([SettingChange(name="b", value="1"), bad], who="ada", verb="set")
    assert "\n" not in str(told.value)
    assert len(str(told.value)) < 200
    assert catalog.settings.all() == {}
    assert catalog.judgements.last_batch() == 0


def test_changes_of_settings_cannot_be_altered_or_deleted(catalog: Catalog, tmp_path: Path) -> None:
    put(catalog, a="1")
    other = sqlite3.connect(tmp_path / "catalog.sqlite")
    for sql in ("UPDATE setting_event SET after = '2'", "DELETE FROM setting_event"):
        with pytest.raises(sqlite3.IntegrityError, match="never"):
            other.execute(sql)
    other.close()


# What people do, one after another: (who, settings) sets, who alone undoes.
people = st.sampled_from(["ada", "bob", "cy"])
values = st.dictionaries(st.sampled_from("ab"), st.sampled_from(["", "1", "2"]), min_size=1)
steps = st.lists(st.one_of(st.tuples(people, values), st.tuples(people, st.none())), max_size=14)


@settings(max_examples=60, deadline=None)
@given(steps)
def test_what_holds_is_the_newest_standing_change_of_each_name(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, dict[str, str] | None]]
) -> None:
    with Catalog(tmp_path_factory.mktemp("settings") / "c.sqlite") as catalog:
        stand: list[tuple[str, dict[str, str]]] = []
        held: dict[str, str] = {}
        for who, wish in steps:
            if wish is not None:
                made = {n: v for n, v in wish.items() if held.get(n, "") != v}
                assert (put(catalog, who, **wish) is None) == (not made)
                stand += [(who, made)] if made else []
            else:
                catalog.judgements.undo(who=who)
                mine = [n for n, (by, _made) in enumerate(stand) if by == who]
                if mine:
                    del stand[mine[-1]]
            held = {n: v for _who, made in stand for n, v in made.items()}
            held = {n: v for n, v in held.items() if v}
            assert catalog.settings.all() == held
