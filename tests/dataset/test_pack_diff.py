"""What changed between two packs, and which judgements made it so."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dataset import cli, pack_diff, pack_diff_report
from dataset.catalog import Catalog
from dataset.packed import PackedDataset
from dataset.provenance import Provenance
from dataset.records import Change
from tests.dataset.conftest import AddPicture
from tests.dataset.packs import facts_of, pictures, write_small
from tests.dataset.pictures import scene_bytes


def told(old: PackedDataset, new: PackedDataset, **options: Any) -> dict[str, Any]:
    return pack_diff.as_mapping(pack_diff.compare(old, new), **options)


def shuffled(facts: list[Provenance], seed: int = 1) -> tuple[Any, list[Provenance]]:
    """The pictures and facts of `write_small` in another order."""
    order = np.random.default_rng(seed).permutation(len(facts))
    return pictures(len(facts))[order], [
        replace(facts[place], row=row) for row, place in enumerate(order)
    ]


def test_a_pack_and_itself_in_another_order_are_the_same(tmp_path: Path) -> None:
    old = write_small(tmp_path / "a.h5")
    data, facts = shuffled(facts_of(24))
    new = write_small(tmp_path / "b.h5", data=data, facts=facts)
    found = told(old, new)
    assert found["same"]
    assert found["matched_by"] == "sha256"
    assert found["in_both"] == 24
    assert "the same pictures, facts and config" in pack_diff_report.readable(found)


@pytest.mark.parametrize(
    ("known", "by"),
    [({}, "sha256"), ({"sha256": ""}, "image_id"), ({"sha256": "", "image_id": 0}, "pixels")],
)
def test_every_kind_of_change_is_found(tmp_path: Path, known: dict[str, Any], by: str) -> None:
    before = facts_of(24, **known)
    after = list(before)
    after[1] = replace(after[1], label=0)
    after[2] = replace(after[2], split="train")
    after[3] = replace(after[3], caption="another text")
    after[4] = replace(after[4], licence="CC0-1.0")
    after[5] = replace(after[5], stars=5)
    old = write_small(tmp_path / "a.h5", data=pictures(24)[:-2], facts=before[:-2])
    data, facts = shuffled(after)
    kept = np.flatnonzero([fact.url != "http://example.org/0" for fact in facts])
    facts = [replace(facts[place], row=row) for row, place in enumerate(kept)]
    new = write_small(tmp_path / "b.h5", data=data[kept], facts=facts)
    found = told(old, new)
    assert found["matched_by"] == by
    assert found["in_both"] == 21
    assert found["counts"] == {
        "gone": 1, "added": 2, "label": 1, "split": 1, "caption": 1, "licence": 1, "stars": 1,
        "pixels": 0,
    }  # fmt: skip
    listed = found["pictures"]
    assert [one["url"] for one in listed["gone"]] == ["http://example.org/0"]
    assert {one["url"][-2:] for one in listed["added"]} == {"22", "23"}
    assert (listed["label"][0]["before"], listed["label"][0]["after"]) == ("dog", "cat")
    assert (listed["split"][0]["before"], listed["split"][0]["after"]) == ("test", "train")
    assert listed["caption"][0]["after"] == "another text"
    assert not found["same"]


def test_classes_are_compared_by_name_and_not_by_number(tmp_path: Path) -> None:
    old = write_small(tmp_path / "a.h5")
    facts = [replace(fact, label=fact.label + 1) for fact in facts_of(24)]
    new = write_small(tmp_path / "b.h5", facts=facts, label_names=["ape", "cat", "dog"])
    assert told(old, new)["counts"]["label"] == 0


def test_other_pixels_are_another_preparation(tmp_path: Path) -> None:
    data = pictures(24)
    old = write_small(tmp_path / "a.h5", data=data)
    data[7] ^= 1
    new = write_small(tmp_path / "b.h5", data=data)
    found = told(old, new)
    assert [one["image_id"] for one in found["pictures"]["pixels"]] == [8]
    assert found["config"] == {}


def test_another_size_changes_all_pixels_and_the_config(tmp_path: Path) -> None:
    old = write_small(tmp_path / "a.h5")
    new = write_small(tmp_path / "b.h5", data=pictures(24, (3, 16, 16)))
    found = told(old, new)
    assert found["counts"]["pixels"] == 24
    assert found["config"] == {"size": {"old": 8, "new": 16}}
    text = pack_diff_report.readable(found)
    assert "shape      3x8x8 -> 3x16x16: all pixels differ" in text
    assert "config     size: 8 -> 16" in text


def test_twins_are_paired_in_order(tmp_path: Path) -> None:
    facts = facts_of(6, sha256="", image_id=0)
    data = np.zeros((6, 3, 8, 8), np.uint8)
    old = write_small(tmp_path / "a.h5", data=data[:4], facts=facts[:4])
    new = write_small(tmp_path / "b.h5", data=data, facts=facts)
    found = told(old, new)
    assert (found["matched_by"], found["in_both"]) == ("pixels", 4)
    assert (found["counts"]["added"], found["counts"]["gone"]) == (2, 0)


def test_an_empty_pack_has_everything_added_or_gone(tmp_path: Path) -> None:
    full = write_small(tmp_path / "a.h5")
    empty = write_small(tmp_path / "b.h5", data=pictures(24)[:0], facts=[])
    assert told(full, empty)["counts"]["gone"] == 24
    assert told(empty, full)["counts"]["added"] == 24
    assert told(empty, empty)["same"]


def test_lists_are_limited_and_say_so(tmp_path: Path) -> None:
    old = write_small(tmp_path / "a.h5")
    new = write_small(tmp_path / "b.h5", facts=facts_of(24, stars=3))
    found = told(old, new, limit=4)
    assert len(found["pictures"]["stars"]) == 4
    assert "and 20 more (--limit)" in pack_diff_report.readable(found)
    assert told(old, new, limit=0)["pictures"]["stars"] == []


def judged(catalog: Catalog, folder: Path) -> tuple[PackedDataset, PackedDataset]:
    """Two packs of a catalogue, one before and one after two people's judgements."""
    before = catalog.judgements.last_event_id()
    records = catalog.images.records([1, 2, 3, 4])
    facts = [replace(fact, sha256=records[fact.image_id].sha256) for fact in facts_of(4)]
    old = write_small(folder / "a.h5", data=pictures(4)[:3], facts=facts[:3], event_id=before)
    reject = Change(image_id=1, field="status", value="reject", reason="blurred")
    catalog.judgements.apply([reject], who="ada", verb="reject")
    label = Change(image_id=2, field="label", value="cat")
    catalog.judgements.apply([label], who="bob", verb="label")
    after = catalog.judgements.last_event_id()
    later = [replace(facts[1], row=0, label=0), *(replace(f, row=f.row - 1) for f in facts[2:])]
    new = write_small(folder / "b.h5", data=pictures(4)[1:], facts=later, event_id=after)
    catalog.judgements.apply(
        [Change(image_id=3, field="label", value="x")], who="eve", verb="later"
    )
    return old, new


@pytest.fixture
def packs(
    catalog: Catalog, add_picture: AddPicture, tmp_path: Path
) -> tuple[PackedDataset, PackedDataset]:
    for n in range(4):
        add_picture(scene_bytes(n), label="dog")
    catalog.judgements.apply(
        [Change(image_id=1, field="status", value="keep")], who="eve", verb="before"
    )
    return judged(catalog, tmp_path)


def test_the_events_between_two_packs_are_told(
    catalog: Catalog, packs: tuple[PackedDataset, PackedDataset]
) -> None:
    found = told(*packs, catalog=catalog)
    [gone], [label], [added] = (found["pictures"][kind] for kind in ("gone", "label", "added"))
    [event] = gone["events"]
    assert (event["who"], event["verb"], event["reason"]) == ("ada", "reject", "blurred")
    assert [event["who"] for event in label["events"]] == ["bob"]
    assert added["events"] == []
    assert [(b["who"], b["pictures"]) for b in found["batches"]] == [("ada", 1), ("bob", 1)]
    text = pack_diff_report.readable(found)
    assert "ada, " in text
    assert "no judgement between the packs" in text
    assert "eve," not in text


def test_backwards_the_same_events_are_told(
    catalog: Catalog, packs: tuple[PackedDataset, PackedDataset]
) -> None:
    found = told(packs[1], packs[0], catalog=catalog)
    assert [batch["who"] for batch in found["batches"]] == ["ada", "bob"]
    assert (found["newer"], told(*packs)["newer"]) == ("A", "B")
    text = pack_diff_report.readable(found)
    assert f"A is the newer one (event {found['old']['event_id']}, B: " in text
    assert "in A only, the newer pack" in text
    assert "in B only, the older pack\n  #1" in text
    assert "not yet in B: ada, " in text
    assert "judgements that A has and B not yet (events 1 to 3)" in text


def test_a_picture_that_only_the_lot_moved_says_so(tmp_path: Path) -> None:
    before = facts_of(24)
    after = [replace(fact, split="test") if fact.row == 0 else fact for fact in before]
    after[1] = replace(after[1], split="test", label=0)
    config = {"size": 8, "seed": 0}
    old = write_small(tmp_path / "a.h5", facts=before, config=config)
    found = told(old, write_small(tmp_path / "b.h5", facts=after, config=config))
    assert [one["because"] for one in found["pictures"]["split"]] == [
        "the lot was drawn anew: other pictures came or went",
        "its class is another one, and each class has a lot of its own",
    ]
    assert "\n      the lot was drawn anew: other" in pack_diff_report.readable(found)
    seeded = write_small(tmp_path / "c.h5", facts=after, config=config | {"seed": 1})
    [first, _] = told(old, seeded)["pictures"]["split"]
    assert first["because"] == "the config draws otherwise (seed)"


def test_what_was_sealed_and_trains_now_is_warned_of(tmp_path: Path) -> None:
    facts = facts_of(24)
    learnt = [replace(fact, split="train") if fact.row in (1, 4) else fact for fact in facts]
    old = write_small(tmp_path / "a.h5", facts=facts, event_id=3)
    new = write_small(tmp_path / "b.h5", facts=learnt, event_id=4)
    found = told(old, new)
    assert "warning: 2 rows of A's cal in training of B: what was sealed is learnt" in (
        pack_diff_report.readable(found)
    )
    assert "2 rows of B's cal in training of A" in told(new, old)["warnings"][0]
    assert told(old, old)["warnings"] == []


def test_a_catalogue_of_other_pictures_is_not_asked(
    packs: tuple[PackedDataset, PackedDataset], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    foreign = write_small(tmp_path / "f.h5").path
    arguments = ["diff", str(packs[0].path), str(foreign), "--data", str(tmp_path)]
    assert cli.main(arguments) == 3
    line = f"catalog.sqlite is not the one that pack {foreign} was made from"
    assert line in capsys.readouterr().err
    assert cli.main([*arguments, "--json"]) == 3
    assert line in json.loads(capsys.readouterr().out)["faults"][0]


def test_the_command_reads_the_catalogue(
    packs: tuple[PackedDataset, PackedDataset], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    paths = [str(packed.path) for packed in packs]
    assert cli.main(["diff", *paths, "--data", str(tmp_path), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [batch["who"] for batch in found["batches"]] == ["ada", "bob"]
    assert cli.main(["diff", *paths]) == 0
    assert "1 gone, 1 added, 2 in both" in capsys.readouterr().out


def test_wrong_use_is_told_in_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = str(write_small(tmp_path / "a.h5").path)
    assert cli.main(["diff", path, path, "--limit", "-1"]) == 2
    assert cli.main(["diff", path, str(tmp_path / "none.h5")]) == 2
    assert cli.main(["diff", path, path, "--data", str(tmp_path / "none")]) == 2
    assert capsys.readouterr().err.count("\n") == 3


def test_hostile_texts_are_shown_and_not_obeyed(tmp_path: Path) -> None:
    old = write_small(tmp_path / "a.h5")
    new = write_small(tmp_path / "b.h5", facts=facts_of(24, caption="\x1b[2J" + "x" * 500))
    text = pack_diff_report.readable(told(old, new))
    assert "\x1b" not in text
    assert max(map(len, text.splitlines())) < 300
