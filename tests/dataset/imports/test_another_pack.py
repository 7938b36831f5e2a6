"""A pack goes into another one or into a catalogue with all that it says of its pictures."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from dataset.catalog import Catalog
from dataset.errors import ConfigError, DataError
from dataset.image_store import ImageStore
from dataset.imports.another_pack import PackCollection
from dataset.imports.collection import ReadOptions
from dataset.imports.into_catalog import import_collection
from dataset.imports.into_pack import import_into_pack
from dataset.pack_selection import PackConfig
from dataset.pack_writer import Block, PackHead, write_blocks
from dataset.packed import PackedDataset
from dataset.pixels import decode
from dataset.provenance import Provenance, Split
from dataset.records import Caption
from tests.dataset.imports.written import scenes
from tests.dataset.pictures import scene_bytes

SPLIT: tuple[Split, ...] = ("train",) * 6 + ("cal",) * 2 + ("test",) * 2


def write(path: Path) -> Path:
    rows = scenes(10).transpose(0, 3, 1, 2)
    facts = [
        Provenance(
            row=n,
            image_id=100 + n,
            label=n % 2,
            caption=f"caption {n}",
            url=f"http://example.org/{n}",
            source="openverse",
            author="A. <i>",
            licence="CC-BY-4.0",
            fetched_at="2024-01-02T03:04:05+00:00",
            sha256=f"{n + 1:064x}",
            stars=n % 6,
            rating=n / 4,
            rating_deviation=0.5,
            votes=n,
            group=n + 1,
            split=SPLIT[n],
        )
        for n in range(10)
    ]
    head = PackHead(
        count=10,
        shape=(3, 32, 32),
        label_names=["cat", "dog"],
        schemes={"size": ["big", "small"]},
        has_originals=True,
    )
    block = Block.of(
        rows,
        facts,
        captions=[[Caption(text=f"caption {n}", origin="card")] for n in range(10)],
        originals=[scene_bytes(n) if n < 3 else b"" for n in range(10)],
        schemes={"size": np.array([0, 1] * 5, np.int64)},
    )
    write_blocks(path, head, [block])
    return path


def unnumbered(fact: Provenance) -> Provenance:
    """A fact without what a pack measures and numbers itself."""
    sizes = replace(fact, original_width=0, original_height=0, original_format="", phash="")
    return replace(sizes, row=0, image_id=0, group=0)


def test_facts_captions_schemes_and_splits_come_along(tmp_path: Path) -> None:
    write(tmp_path / "a.h5")
    collection = PackCollection(tmp_path / "a.h5", ReadOptions())
    result = import_into_pack(collection, tmp_path / "b.h5", PackConfig(), keep_split=True)
    assert result.splits == {"train": 6, "cal": 2, "test": 2}
    old, new = PackedDataset(tmp_path / "a.h5"), PackedDataset(tmp_path / "b.h5")
    assert new.label_names == ["cat", "dog"]
    assert new.scheme("size")[1] == ["big", "small"]
    was = {fact.url: fact for fact in old}
    for fact in new:
        before = was[fact.url]
        assert unnumbered(fact) == unnumbered(before)
        assert fact.image_id == 0  # its number in another catalogue means nothing here
        assert fact.sha256 == before.sha256
        assert [c.text for c in new.captions(fact.row)] == [before.caption]
        assert new.scheme("size")[0][fact.row] == old.scheme("size")[0][before.row]


def test_what_the_pack_groups_stays_together(tmp_path: Path) -> None:
    rows = scenes(40).transpose(0, 3, 1, 2)
    facts = [Provenance(row=n, label=0, group=1 + n // 4) for n in range(40)]
    head = PackHead(count=40, shape=(3, 32, 32), label_names=["cat"])
    write_blocks(tmp_path / "a.h5", head, [Block.of(rows, facts)])
    collection = PackCollection(tmp_path / "a.h5", ReadOptions())
    config = PackConfig(cal=0.2, test=0.2)
    result = import_into_pack(collection, tmp_path / "b.h5", config, workers=1)
    assert sorted(result.splits.values()) == [8, 8, 24]
    pack = PackedDataset(tmp_path / "b.h5")
    assert sorted(np.bincount(pack.column("group")).tolist())[-10:] == [4] * 10


def test_originals_are_prepared_anew_and_rows_stand_in_for_those_that_lack_one(
    tmp_path: Path,
) -> None:
    write(tmp_path / "a.h5")
    collection = PackCollection(tmp_path / "a.h5", ReadOptions())
    config = PackConfig(size=64, originals=True)
    import_into_pack(collection, tmp_path / "b.h5", config)
    new = PackedDataset(tmp_path / "b.h5")
    for fact in new:
        number = int(fact.url.rpartition("/")[2])
        assert new.original(fact.row) == (scene_bytes(number) if number < 3 else None)
        assert fact.original_width == (160 if number < 3 else 32)


def test_a_pack_enters_the_catalogue_with_its_origins(
    catalog: Catalog, store: ImageStore, tmp_path: Path
) -> None:
    write(tmp_path / "a.h5")
    collection = PackCollection(tmp_path / "a.h5", ReadOptions())
    report = import_collection(catalog, store, collection, workers=1)
    assert (report.added, report.rejected) == (10, {})
    records = catalog.images.page()
    assert store.get(records[0].sha256) == scene_bytes(0)
    assert np.array_equal(decode(store.get(records[5].sha256)).rgb, scenes(10)[5])
    assert [record.label for record in records] == ["cat", "dog"] * 5
    origin = catalog.images.origins(records[4].id)[0]
    assert (origin.source, origin.licence, origin.author) == ("openverse", "CC-BY-4.0", "A. <i>")
    assert origin.fetched_at == "2024-01-02T03:04:05+00:00"
    assert [c.text for c in catalog.images.captions(records[4].id)] == ["caption 4"]
    again = PackCollection(tmp_path / "a.h5", ReadOptions())
    assert import_collection(catalog, store, again, workers=1).known == 10


def test_another_scheme_may_become_the_classes(tmp_path: Path) -> None:
    collection = PackCollection(write(tmp_path / "a.h5"), ReadOptions(scheme="size"))
    assert collection.label_names == ["big", "small"]
    assert collection.summary().classes == {"big": 5, "small": 5}
    with pytest.raises(ConfigError, match="no labels 'x'"):
        PackCollection(tmp_path / "a.h5", ReadOptions(scheme="x"))


def test_no_pack_and_a_cut_one_are_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no pack at"):
        PackCollection(tmp_path / "none.h5", ReadOptions())
    content = write(tmp_path / "a.h5").read_bytes()
    (tmp_path / "cut.h5").write_bytes(content[: len(content) // 2])
    with pytest.raises(DataError, match=r"cut\.h5"):
        PackCollection(tmp_path / "cut.h5", ReadOptions())
