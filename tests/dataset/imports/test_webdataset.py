"""WebDataset's tars: samples, shards, texts and classes; hostile names and doubled keys."""

import tarfile
from pathlib import Path

import pytest

from dataset.catalog import Catalog
from dataset.errors import ConfigError, DataError
from dataset.image_store import ImageStore
from dataset.imports.into_catalog import import_collection
from dataset.imports.webdataset import WebDatasetCollection, shards_of
from dataset.provenance import SPLITS
from tests.dataset.imports.written import add, facts, write_tar
from tests.dataset.pictures import scene_bytes

OURS = facts(
    url="http://example.org/1.png",
    page_url="http://example.org/1",
    author="A. <b>Person</b>",
    licence="CC0-1.0",
    captions=[{"text": "A red one", "origin": "card"}, {"text": "Rot", "origin": "alt"}, 7],
    label=0,
    label_name="shape",
    split="cal",
)
SAMPLES = {
    "a/000.png": scene_bytes(0),
    "a/000.txt": b"A red one",
    "a/000.json": OURS,
    "a/000.cls": b"0",
    "a/001.jpg": scene_bytes(1, "JPEG"),
    "a/001.txt": "Caf\u00e9\0\n".encode(),
    "a/001.cls": b"17\n",
    "a/002.seg.png": b"not the picture",
    "a/002.webp": scene_bytes(2, "WEBP"),
    "a/002.cls": b"-1",
}


def test_parts_of_one_key_make_one_picture(tmp_path: Path) -> None:
    collection = WebDatasetCollection(write_tar(tmp_path / "s.tar", SAMPLES))
    (batch,) = collection.batches()
    assert batch.contents == [scene_bytes(0), scene_bytes(1, "JPEG"), scene_bytes(2, "WEBP")]
    names = [*collection.label_names, ""]
    assert [names[label] for label in batch.labels] == ["shape", "17", ""]
    texts = [[(c.text, c.origin) for c in those] for those in batch.captions]
    assert texts == [[("A red one", "card"), ("Rot", "alt")], [("Caf\u00e9", "txt")], []]
    assert batch.facts[0]["licence"] == "CC0-1.0"
    assert batch.facts[0]["url"] == "http://example.org/1.png"
    assert batch.facts[1]["url"] == "webdataset:s.tar#a/001"
    assert batch.splits is not None
    assert batch.splits.tolist() == [SPLITS.index("cal"), -1, -1]


def test_shards_are_named_by_braces_and_stars_or_lie_in_a_folder(tmp_path: Path) -> None:
    for n in range(3):
        members = {f"k{n}.png": scene_bytes(n), f"k{n}.txt": b"x"}
        write_tar(tmp_path / f"train-{n:03d}.tar", members)
    wanted = [tmp_path / f"train-{n:03d}.tar" for n in range(3)]
    assert shards_of(tmp_path / "train-{000..002}.tar") == wanted
    assert shards_of(tmp_path / "train-{000,002}.tar") == [wanted[0], wanted[2]]
    assert shards_of(tmp_path / "train-*.tar") == wanted
    assert shards_of(tmp_path) == wanted
    collection = WebDatasetCollection(tmp_path / "train-{000..002}.tar")
    summary = collection.summary()
    assert (summary.pictures, summary.splits) == (3, {"train": 3})
    with pytest.raises(ConfigError, match=r"no shard at .*train-003"):
        shards_of(tmp_path / "train-{000..003}.tar")
    with pytest.raises(ConfigError, match="no tars at"):
        shards_of(tmp_path / "test-*.tar")
    for many in ("{000000..999999}.tar", "{0..99999}{0..99999}.tar"):
        with pytest.raises(ConfigError, match="the most is"):
            shards_of(tmp_path / many)


def test_shards_enter_the_catalogue_and_what_is_no_picture_is_counted(
    catalog: Catalog, store: ImageStore, tmp_path: Path
) -> None:
    members = {**SAMPLES, "b/9.txt": b"words alone", "b/10.png": b"<html>"}
    path = write_tar(tmp_path / "s.tar.gz", members, "w:gz")
    collection = WebDatasetCollection(path)
    report = import_collection(catalog, store, collection, licence="CC-BY-4.0", workers=1)
    assert (report.added, report.known) == (3, 0)
    assert report.rejected == {"no-picture": 1, "html": 1}
    origins = [catalog.images.origins(record.id)[0] for record in catalog.images.page()]
    assert [origin.licence for origin in origins] == ["CC0-1.0", "CC-BY-4.0", "CC-BY-4.0"]
    assert {origin.source for origin in origins} == {"import:webdataset"}
    again = WebDatasetCollection(path)
    assert import_collection(catalog, store, again, workers=1).known == 3


@pytest.mark.parametrize("name", ["../out.png", "/etc/x.png", "a/../../x.png"])
def test_names_that_lead_outside_are_refused(tmp_path: Path, name: str) -> None:
    path = write_tar(tmp_path / "s.tar", {"a.png": scene_bytes(0), name: scene_bytes(1)})
    with pytest.raises(DataError, match="leads outside"):
        list(WebDatasetCollection(path).batches())


@pytest.mark.parametrize(
    "names", [["a.png", "a.png"], ["a.png", "b.png", "a.png"], ["a.png", "b.png", "a.txt"]]
)
def test_a_key_that_comes_twice_is_refused(tmp_path: Path, names: list[str]) -> None:
    with tarfile.open(tmp_path / "s.tar", "w") as tar:
        for seed, name in enumerate(names):
            add(tar, name, scene_bytes(seed))
    with pytest.raises(DataError, match="twice; keep one"):
        list(WebDatasetCollection(tmp_path / "s.tar").batches())


def test_the_same_key_in_two_shards_is_two_pictures(tmp_path: Path) -> None:
    for n in range(2):
        write_tar(tmp_path / f"{n}.tar", {"000.png": scene_bytes(n), "000.txt": b"x"})
    assert WebDatasetCollection(tmp_path / "{0..1}.tar").summary().pictures == 2


def test_links_and_devices_are_passed_over(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "s.tar", "w") as tar:
        add(tar, "a.png", b"", tarfile.SYMTYPE)
        add(tar, "b.png", b"", tarfile.LNKTYPE)
        add(tar, "c.png", b"", tarfile.CHRTYPE)
        add(tar, "d.png", scene_bytes(0))
    (batch,) = WebDatasetCollection(tmp_path / "s.tar").batches()
    assert batch.contents == [scene_bytes(0)]


def test_nonsense_beside_a_picture_says_nothing(tmp_path: Path) -> None:
    for n, said in enumerate([b"[" * 50_000, b"\xff", b"7", b'{"licence": {"a": 1}}', b"{"]):
        path = write_tar(tmp_path / f"{n}.tar", {"a.png": scene_bytes(0), "a.json": said})
        (batch,) = WebDatasetCollection(path).batches()
        assert batch.facts[0] == {"url": f"webdataset:{n}.tar#a"}


def test_a_vast_text_and_a_cut_shard_are_told(tmp_path: Path) -> None:
    vast = write_tar(tmp_path / "v.tar", {"a.png": scene_bytes(0), "a.txt": bytes(2_000_000)})
    with pytest.raises(DataError, match="over 1 MB"):
        list(WebDatasetCollection(vast).batches())
    whole = write_tar(tmp_path / "w.tar", SAMPLES).read_bytes()
    (tmp_path / "c.tar").write_bytes(whole[: len(scene_bytes(0)) // 2 + 512])
    with pytest.raises(DataError, match="no readable tar"):
        list(WebDatasetCollection(tmp_path / "c.tar").batches())
    (tmp_path / "n.tar").write_bytes(b"no tar at all")
    with pytest.raises(DataError, match="no readable tar"):
        list(WebDatasetCollection(tmp_path / "n.tar").batches())
