"""The file of a pack: the same bytes again, open to others' readers, closed to damage."""

import json
import multiprocessing
import os
import pickle
import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.utils.data import DataLoader, Dataset

from dataset import pack_check, pack_sheet, pack_summary
from dataset.errors import ConfigError, DataError, PipelineError
from dataset.pack_measure import PictureMeasure, check_rows, rows_at_once
from dataset.pack_trailer import SIZE
from dataset.pack_writer import Block, PackHead, write_blocks, write_pack
from dataset.packed import PackedDataset
from dataset.provenance import NUMBER_COLUMNS, TEXT_COLUMNS, Provenance
from dataset.records import Caption
from tests.dataset.packs import facts_of, pictures, write_small


def test_the_same_arguments_give_the_same_bytes(tmp_path: Path) -> None:
    write_small(tmp_path / "a.h5")
    write_small(tmp_path / "b.h5")
    assert (tmp_path / "a.h5").read_bytes() == (tmp_path / "b.h5").read_bytes()


@pytest.mark.parametrize("cut", [1, 7, 24, 100])
def test_blocks_cut_otherwise_give_the_same_content_hash(tmp_path: Path, cut: int) -> None:
    whole = write_small(tmp_path / "a.h5", cut=24)
    parts = write_small(tmp_path / "b.h5", cut=cut)
    assert whole.content_hash == parts.content_hash
    assert pack_check.verify(parts) == []


def test_the_content_hash_is_pinned(tmp_path: Path) -> None:
    data = np.arange(2 * 3 * 4 * 4, dtype=np.uint8).reshape(2, 3, 4, 4)
    digest = write_pack(tmp_path / "p.h5", data, np.array([0, -1]), ["a"], [], {})
    assert digest == "2fcb859b2a81433a16f864477ee3bcc3394df328bdbefb040026b4d708330bb2"


@pytest.mark.parametrize(
    "changed",
    [{"caption": "x"}, {"licence": "CC0-1.0"}, {"stars": 2}, {"rating": 0.5}, {"sha256": "f" * 64}],
)
def test_every_fact_counts_for_the_content_hash(tmp_path: Path, changed: dict[str, Any]) -> None:
    plain = write_small(tmp_path / "a.h5")
    other = write_small(tmp_path / "b.h5", facts=facts_of(24, **changed))
    assert plain.content_hash != other.content_hash


def test_what_was_written_is_read_again(tmp_path: Path) -> None:
    facts = facts_of(24, rating=1.5, rating_deviation=0.25, votes=7, attribution="by\tme")
    packed = write_small(tmp_path / "p.h5", facts=facts)
    assert list(packed) == facts
    assert packed.facts(5, 9) == facts[5:9]
    assert packed.provenance(23) == facts[23]
    assert (packed.data == pictures(24)).all()
    assert (packed.read(3, 9) == packed.data[3:9]).all()
    assert (np.concatenate([data for _, data in packed.blocks()]) == packed.data).all()
    assert packed.captions(4) == [
        Caption(text=facts[4].caption, origin="alt"),
        Caption(text="zwei", origin="page"),
    ]
    assert [packed.original(row) for row in range(3)] == [None, b"file", b"filefile"]
    assert packed.embedding("clip").shape == (24, 5)
    assert packed.schemes == ["label", "resnet/rc_4"]
    assert packed.scheme("resnet/rc_4")[1] == ["0", "1", "2", "3"]
    assert packed.texts("source", 0, 2) == ["garden", "garden"]
    assert packed.texts("author") == [""] * 24
    assert packed.rows("cal").tolist() == list(range(1, 24, 3))


def test_none_and_nothing_come_back_as_none_and_nothing(tmp_path: Path) -> None:
    write_pack(tmp_path / "p.h5", pictures(2), np.array([-1, -1]), [], [Provenance()] * 2, {})
    fact = PackedDataset(tmp_path / "p.h5").provenance(1)
    assert (fact.rating, fact.rating_deviation, fact.sha256, fact.phash) == (None, None, "", "")


@settings(max_examples=10, deadline=None)
@given(st.lists(st.text(max_size=20), min_size=1, max_size=6))
def test_any_text_is_kept_but_for_what_no_file_of_texts_holds(
    tmp_path_factory: pytest.TempPathFactory, texts: list[str]
) -> None:
    path = tmp_path_factory.mktemp("t") / "p.h5"
    facts = [Provenance(caption=text) for text in texts]
    write_pack(path, pictures(len(texts)), np.full(len(texts), -1), [], facts, {})
    packed = PackedDataset(path)
    kept = [t.replace("\0", "").encode("utf-8", "replace").decode() for t in texts]
    assert packed.texts("caption") == kept
    assert pack_check.verify(packed) == []


@pytest.mark.parametrize("of", ["blocks", "arrays"])
def test_a_pack_of_no_pictures_opens(tmp_path: Path, of: str) -> None:
    if of == "blocks":
        write_blocks(tmp_path / "p.h5", PackHead(count=0, shape=(3, 8, 8)), [])
    else:
        empty = np.zeros((0, 3, 8, 8), np.uint8)
        write_pack(tmp_path / "p.h5", empty, np.zeros(0, np.int64), [], [], {})
    packed = PackedDataset(tmp_path / "p.h5")
    assert len(packed) == 0
    assert packed.data.shape == (0, 3, 8, 8)
    assert pack_check.verify(packed) == []
    assert "0 pictures" in pack_summary.readable(pack_summary.summarise(packed))


@pytest.mark.parametrize(
    "wrong",
    [
        {"labels": np.array([0, 9])},
        {"labels": np.array([0, -2])},
        {"labels": np.array([0])},
        {"splits": np.array([0, 3], np.uint8)},
        {"data": np.zeros((2, 1, 8, 8), np.uint8)},
        {"facts": [Provenance()]},
    ],
)
def test_a_block_that_does_not_fit_leaves_no_file(tmp_path: Path, wrong: dict[str, Any]) -> None:
    right: dict[str, Any] = {
        "data": pictures(2),
        "labels": np.array([0, 1]),
        "splits": np.zeros(2, np.uint8),
    }
    head = PackHead(count=2, shape=(3, 8, 8), label_names=["a", "b"])
    with pytest.raises(ValueError, match=r"."):
        write_blocks(tmp_path / "p.h5", head, [Block(**(right | wrong))])
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("shape", [(2, 8, 8), (3, 0, 8), (0, 8, 8)])
def test_a_shape_that_no_pack_has_is_refused(shape: tuple[int, int, int]) -> None:
    with pytest.raises(ValueError, match="no pack of 1 pictures of shape"):
        PackHead(count=1, shape=shape)


def test_arrays_of_a_block_may_be_used_again(tmp_path: Path) -> None:
    def blocks() -> Any:
        buffer = np.zeros((5, 3, 8, 8), np.uint8)
        for n in range(4):
            buffer[:] = n
            yield Block(data=buffer, labels=np.full(5, -1), splits=np.zeros(5, np.uint8))

    write_blocks(tmp_path / "p.h5", PackHead(count=20, shape=(3, 8, 8)), blocks())
    packed = PackedDataset(tmp_path / "p.h5")
    assert packed.data[:, 0, 0, 0].tolist() == np.repeat(range(4), 5).tolist()
    assert [line for line in pack_check.verify(packed) if "leak" not in line] == []


def lld_reader(path: Path, key: str) -> tuple[Any, Any, list[bytes], Any]:
    """Reads the way loaders of LLD do: pictures, clusters of one scheme, names, probabilities."""
    with h5py.File(path, "r") as file:
        images, labels = file["data"], file[key]
        count = min(len(images), len(labels))  # of some files the labels are shorter
        probabilities = labels.attrs["probs"]
        names = list(file["meta_data/names"][:count])
        first = np.swapaxes(images[:count], 1, 3)  # what they show is transposed; so it is
        return first, labels[:count].astype(int), names, probabilities


@pytest.mark.parametrize("key", ["labels/label", "labels/resnet/rc_4"])
def test_a_reader_of_lld_opens_our_file_unchanged(tmp_path: Path, key: str) -> None:
    packed = write_small(tmp_path / "p.h5")
    images, labels, names, probabilities = lld_reader(packed.path, key)
    assert images.shape == (24, 8, 8, 3)
    assert (images.transpose(0, 3, 2, 1) == packed.data).all()
    assert probabilities.sum() == pytest.approx(1)
    assert set(labels) == set(range(len(probabilities)))
    assert names[2].decode() == "a picture 2 ünï"
    drawn = np.random.default_rng(0).choice(len(probabilities), 100, p=probabilities)
    assert drawn.max() < len(probabilities)
    with h5py.File(packed.path) as file:
        assert (file["images"][3] == file["data"][3]).all()
        assert json.loads(file["labels/label"].attrs["names"]) == ["cat", "dog"]
        assert file["data"].chunks is None


class _Rows(Dataset[tuple[torch.Tensor, int]]):
    def __init__(self, packed: PackedDataset) -> None:
        self.packed = packed

    def __len__(self) -> int:
        return len(self.packed)

    def __getitem__(self, row: int) -> tuple[torch.Tensor, int]:
        fact = self.packed.provenance(row)
        return torch.from_numpy(self.packed.data[row].copy()), fact.image_id


@pytest.mark.filterwarnings("ignore:This DataLoader will create")
@pytest.mark.parametrize(("start", "workers"), [("spawn", 2), ("fork", 8)])
def test_worker_processes_read_the_right_rows(tmp_path: Path, start: str, workers: int) -> None:
    packed = write_small(tmp_path / "p.h5", 64)
    assert packed.data[0].any()  # mapped before the workers start
    packed.provenance(0)
    loader = DataLoader(
        _Rows(packed), batch_size=4, num_workers=workers, multiprocessing_context=start
    )
    pairs = [(batch, ids) for batch, ids in loader]
    assert torch.cat([ids for _, ids in pairs]).tolist() == list(range(1, 65))
    assert (torch.cat([batch for batch, _ in pairs]).numpy() == packed.data).all()


def _caption_of(packed: PackedDataset, row: int) -> str:
    return packed.captions(row)[0].text


def test_a_pack_is_small_when_it_travels(tmp_path: Path) -> None:
    packed = write_small(tmp_path / "p.h5", data=pictures(100, (3, 32, 32)))
    assert packed.data.any()
    packed.provenance(0)
    travelled = pickle.dumps(packed)
    assert len(travelled) < 10_000
    assert pickle.loads(travelled).rows("test").tolist() == packed.rows("test").tolist()
    with ProcessPoolExecutor(2, multiprocessing.get_context("fork")) as pool:
        found = list(pool.map(_caption_of, [packed] * 5, range(5)))
    assert found == [_caption_of(packed, row) for row in range(5)]


def test_a_pack_that_is_replaced_in_use_is_told(tmp_path: Path) -> None:
    packed = write_small(tmp_path / "p.h5")
    write_small(tmp_path / "p.h5", 30)
    with pytest.raises(DataError, match="was replaced by another one"):
        assert packed.data[0].any()
    with pytest.raises(DataError, match="was replaced by another one"):
        packed.provenance(0)


def everything(path: Path) -> None:
    packed = PackedDataset(path)
    pack_check.check(packed)
    pack_summary.summarise(packed)
    pack_sheet.sample_sheet(packed)
    list(packed)
    packed.captions(3)
    packed.original(4)


def test_a_pack_that_is_cut_anywhere_is_told_in_one_line(tmp_path: Path) -> None:
    whole = write_small(tmp_path / "p.h5").path.read_bytes()
    cut = tmp_path / "cut.h5"
    end_of_file = len(whole) - SIZE
    for end in [*range(0, end_of_file, len(whole) // 60), end_of_file - 1]:
        cut.write_bytes(whole[:end])
        with pytest.raises(DataError) as caught:
            everything(cut)
        assert "\n" not in str(caught.value)
        assert "cut.h5" in str(caught.value)


def test_a_byte_that_is_altered_anywhere_is_told_in_one_line(tmp_path: Path) -> None:
    whole = write_small(tmp_path / "p.h5").path.read_bytes()
    rng = np.random.default_rng(5)
    used = np.flatnonzero(np.frombuffer(whole, np.uint8))
    start = whole.index(pictures(24).tobytes())
    flipped = tmp_path / "flipped.h5"
    for place in rng.choice(used, 80).tolist():
        altered = bytearray(whole)
        altered[place] ^= 1 << int(rng.integers(8))
        flipped.write_bytes(altered)
        if start <= place < start + pictures(24).nbytes:
            assert "rows 0-23 of data" in pack_check.verify(PackedDataset(flipped))[0]
            continue
        if place >= len(whole) - SIZE:
            continue  # the trailer itself: it is found, or passes for none
        with pytest.raises(DataError, match="damaged"):
            PackedDataset(flipped)


def alter(path: Path, what: Any) -> None:
    with h5py.File(path, "r+") as file:
        what(file)


def replaced(name: str, value: Any) -> Any:
    def do(file: h5py.File) -> None:
        attributes = dict(file[name].attrs)
        del file[name]
        file[name] = value
        for key, held in attributes.items():
            file[name].attrs[key] = held

    return do


def resized(name: str, shape: tuple[int, ...]) -> Any:
    def do(file: h5py.File) -> None:
        dtype = file[name].dtype
        del file[name]
        file.create_dataset(name, shape, dtype, chunks=(1 << 10,), maxshape=(None,))

    return do


@pytest.mark.parametrize(
    ("what", "told"),
    [
        (replaced("labels/label", np.zeros(5, int)), r"labels/label has shape \(5,\)"),
        (replaced("labels/resnet/rc_4", np.zeros(5, int)), "rc_4 has shape"),
        (replaced("labels/label", np.full(24, 7)), "a label is 7, there are 2 classes"),
        (replaced("split", np.full(24, 9, np.uint8)), "a split is 9"),
        (replaced("labels/label", np.zeros(24)), "labels/label holds float64"),
        (replaced("provenance/votes", np.zeros(3, int)), "votes has shape"),
        (replaced("data", np.zeros((24, 8, 8), np.uint8)), "data is not a contiguous"),
        (replaced("data", np.zeros((24, 2, 8, 8), np.uint8)), "data has pictures of"),
        (replaced("captions/offsets", np.zeros(24, int)), "captions/offsets has shape"),
        (resized("captions/text", (1 << 40,)), "claims"),
        (lambda file: file.attrs.__setitem__("schema", 2), "a newer Pedigree"),
        (lambda file: file.attrs.__setitem__("schema", 0), "an older Pedigree"),
        (lambda file: file.attrs.__setitem__("schema", "one"), "is damaged"),
        (lambda file: file.attrs.__setitem__("config", "{"), "is damaged"),
        (lambda file: file.attrs.__setitem__("config", "[]"), "no JSON object"),
        (lambda file: file.attrs.__delitem__("cal_seal"), "has no cal_seal.*pack again"),
        (lambda file: file.__delitem__("provenance/attribution"), "no provenance/attribution"),
        (lambda file: file.__delitem__("captions"), "no captions/offsets.*pack again"),
        (lambda file: file["labels/label"].attrs.__setitem__("names", "{}"), "no list of texts"),
        (lambda file: file["checks"].attrs.__delitem__("columns"), "older Pedigree"),
    ],
)
def test_what_does_not_fit_is_told_in_one_line(tmp_path: Path, what: Any, told: str) -> None:
    path = write_small(tmp_path / "p.h5").path
    alter(path, what)
    with pytest.raises(DataError, match=told) as caught:
        PackedDataset(path)
    assert "\n" not in str(caught.value)


def test_a_pack_points_at_no_other_file(tmp_path: Path) -> None:
    path = write_small(tmp_path / "p.h5").path
    secret = tmp_path / "secret"
    secret.write_bytes(bytes(24 * 8))

    def outside(file: h5py.File) -> None:
        del file["provenance/votes"]
        file.create_dataset("provenance/votes", (24,), np.int64, external=str(secret))

    alter(path, outside)
    with pytest.raises(DataError, match="lies in another file; refused"):
        PackedDataset(path)

    def linked(file: h5py.File) -> None:
        del file["provenance/votes"]
        file["provenance/votes"] = h5py.ExternalLink(str(tmp_path / "other.h5"), "/votes")

    alter(path, linked)
    with pytest.raises(DataError, match="votes is a link; refused"):
        PackedDataset(path)


@pytest.mark.parametrize("content", [b"", b"x", b"\x89HDF\r\n\x1a\n", b"\x89HDF\r\n\x1a\n" * 99])
def test_what_is_no_hdf5_file_is_told(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "p.h5"
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"no pack \(no readable HDF5 file\)|truncated or damaged"):
        PackedDataset(path)


def test_folders_and_absent_files_are_the_users_mistake(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "none.h5"):
        with pytest.raises(ConfigError, match="no pack at"):
            PackedDataset(path)


def test_rows_names_and_kinds_that_are_not_there_are_told(tmp_path: Path) -> None:
    packed = write_small(tmp_path / "p.h5")
    for read in (packed.provenance, packed.captions, packed.original):
        for row in (-1, 24):
            with pytest.raises(IndexError, match="of a pack of 24"):
                read(row)
    with pytest.raises(ConfigError, match="has no embedding 'dino'; it has clip"):
        packed.embedding("dino")
    with pytest.raises(ConfigError, match="has no labels 'x'; it has label, resnet/rc_4"):
        packed.scheme("x")
    with pytest.raises(ConfigError, match="unknown split"):
        packed.rows("dev")  # type: ignore[arg-type]
    with pytest.raises(PipelineError, match=r"."):
        packed.column("none")


def test_many_classes_and_long_configs_fit(tmp_path: Path) -> None:
    names = [f"a class of a rather long name {n}" for n in range(9000)]
    labels = np.arange(24) * 300
    config = {"labels": names}
    write_pack(tmp_path / "p.h5", pictures(24), labels, names, [], config)
    packed = PackedDataset(tmp_path / "p.h5")
    assert packed.label_names == names
    assert packed.config == config
    assert pack_check.verify(packed) == []


def test_statistics_are_of_what_trains(tmp_path: Path) -> None:
    data = np.zeros((3, 1, 2, 2), np.uint8)
    data[1], data[2] = 255, 51
    splits = np.array([0, 1, 0], np.uint8)
    write_pack(tmp_path / "p.h5", data, np.full(3, -1), [], [], {}, splits=splits)
    with h5py.File(tmp_path / "p.h5") as file:
        assert file["stats/mean"][:].tolist() == pytest.approx([0.1])
        assert file["stats/deviation"][:].tolist() == pytest.approx([0.1])


@pytest.mark.parametrize("shape", [(3, 8, 8), (1, 300, 300), (4, 16, 20)])
def test_sums_are_exact_whatever_the_size(shape: tuple[int, int, int]) -> None:
    data = pictures(5, shape)
    data[0] = 255
    measure = PictureMeasure(5, shape, check_rows(shape))
    measure.update(data, np.zeros(5, np.uint8))
    mean, deviation = measure.statistics()
    assert mean == pytest.approx(data.mean(axis=(0, 2, 3)) / 255)
    assert deviation == pytest.approx(data.std(axis=(0, 2, 3)) / 255)


def test_blocks_hold_megabytes_and_checks_a_few_rows() -> None:
    assert rows_at_once((3, 32, 32)) == 4096
    assert rows_at_once((4, 512, 512)) == 16
    assert check_rows((3, 32, 32)) == 64
    assert check_rows((4, 512, 512)) == 1
    assert check_rows((1, 8, 8)) == 256


def test_every_column_of_the_provenance_has_a_field() -> None:
    fields = set(Provenance.__dataclass_fields__)
    assert set(TEXT_COLUMNS) | set(NUMBER_COLUMNS) <= fields


_MANY = """
import resource, sys, pathlib, numpy as np
from dataset import pack_check
from dataset.pack_writer import Block, PackHead, write_blocks
from dataset.packed import PackedDataset
path, count, step = pathlib.Path(sys.argv[1]), 200_000, 4000
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
rng = np.random.default_rng(0)
blocks = (
    Block(
        data=rng.integers(0, 256, (step, 1, 32, 32), dtype=np.uint8),
        labels=np.full(step, -1), splits=np.zeros(step, np.uint8),
    )
    for start in range(0, count, step)
)
write_blocks(path, PackHead(count=count, shape=(1, 32, 32)), blocks)
assert pack_check.verify(PackedDataset(path)) == []
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)
"""


def test_a_large_pack_is_written_and_verified_in_little_memory(tmp_path: Path) -> None:
    command = [sys.executable, "-c", _MANY, str(tmp_path / "p.h5")]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert (tmp_path / "p.h5").stat().st_size > 200_000_000
    assert int(done.stdout) < 150


def test_what_a_killed_writer_left_is_removed(tmp_path: Path) -> None:
    left = tmp_path / ".p[1].h5.12.99999999.partial"
    foreign = tmp_path / f".p[1].h5.12.{os.getppid()}.partial"
    left.write_bytes(b"half")
    foreign.write_bytes(b"of a living process")
    write_small(tmp_path / "p[1].h5")
    assert not left.exists()
    assert foreign.exists()


def test_gathered_rows_are_those_of_the_map_in_any_order(tmp_path: Path) -> None:
    data = np.random.default_rng(4).integers(0, 256, (20, 3, 8, 8), dtype=np.uint8)
    write_pack(tmp_path / "p.h5", data, np.zeros(20, np.int64), ["a"], (), {})
    packed, rows = PackedDataset(tmp_path / "p.h5"), np.array([19, 0, 7, 7, 3])
    assert np.array_equal(packed.gather(rows), data[rows])
    out = np.empty((5, 3, 8, 8), np.uint8)
    assert packed.gather(rows, out) is out
    assert np.array_equal(out, data[rows])
    assert packed.gather(rows[:0]).shape == (0, 3, 8, 8)
    for outside in (20, -1):
        with pytest.raises(IndexError, match="of a pack of 20"):
            packed.gather(np.array([0, outside]))
