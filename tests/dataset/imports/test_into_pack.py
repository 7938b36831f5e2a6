"""A collection straight into a pack: rows, likes, splits, order; whole or not at all."""

import hashlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from dataset.errors import ConfigError, DataError
from dataset.exports import ExportOptions, export_pack
from dataset.fingerprint import phash_of_file
from dataset.imports.cifar import CifarCollection
from dataset.imports.collection import Collection, ReadOptions
from dataset.imports.folder import FolderCollection
from dataset.imports.idx import IdxCollection
from dataset.imports.into_catalog import png
from dataset.imports.into_pack import PackedImport, import_into_pack
from dataset.imports.likes import Likes, find_likes
from dataset.imports.lld import LldCollection
from dataset.imports.prepared_rows import luma_of, phashes_of
from dataset.pack_check import verify
from dataset.pack_diff import compare
from dataset.pack_selection import PackConfig
from dataset.packed import PackedDataset
from dataset.preparation import prepare, prepared
from tests.dataset.imports.written import (
    Block,
    cifar_rows,
    facts,
    scenes,
    write_lld,
    write_mnist,
)
from tests.dataset.pictures import encoded, scene, scene_bytes


def lld(path: Path, pictures: Block, **datasets: Any) -> LldCollection:
    return LldCollection(write_lld(path, pictures, **datasets), ReadOptions())


def packed(collection: Collection, target: Path, **options: Any) -> tuple[PackedImport, Any]:
    keep = options.pop("keep_split", False)
    config = PackConfig(**options)
    result = import_into_pack(collection, target, config, keep_split=keep, workers=1)
    dataset = PackedDataset(target)
    assert verify(dataset) == []
    assert sorted(p.name for p in target.parent.glob(".*")) == []
    return result, dataset


def test_a_pack_says_what_it_was_imported_from(tmp_path: Path) -> None:
    _, pack = packed(lld(tmp_path / "l.hdf5", scenes(40)), tmp_path / "p.h5", keep_split=True)
    assert pack.config["imported_from"] == {
        **{"kind": "lld", "file": "l.hdf5", "source": "import", "licence": "unknown"},
        "keep_split": True,
    }


def test_arrays_of_the_right_size_are_packed_as_they_are(tmp_path: Path) -> None:
    pictures = scenes(40)
    labels = {"labels/ae_grayscale": list(range(4)) * 9, "labels/resnet/rc_32": [7, 3] * 20}
    names = {"meta_data/names": np.array([f"n{n}".encode() for n in range(40)])}
    collection = lld(tmp_path / "l.hdf5", pictures, **labels, **names)
    result, pack = packed(collection, tmp_path / "p.h5", cal=0.2, test=0.1)
    assert (len(pack), pack.label_names) == (40, ["0", "1", "2", "3"])
    assert sum(result.splits.values()) == 40
    assert all(result.splits.values())
    assert result.classes["0"] == 9
    assert result.classes[""] == 4
    assert [pack.splits.tolist(), pack.rows("train")[0]] == [sorted(pack.splits.tolist()), 0]
    numbers, scheme_names = pack.scheme("resnet/rc_32")
    for row, fact in enumerate(pack):
        place = int(fact.url.partition("#")[2].partition("/")[0])
        assert np.array_equal(pack.data[row].transpose(1, 2, 0), pictures[place])
        assert fact.url == f"lld:l.hdf5#{place}/n{place}"
        assert fact.label == (place % 4 if place < 36 else -1)
        assert scheme_names[numbers[row]] == str([7, 3][place % 2])
        assert fact.phash == phash_of_file(png(pictures[place]))
        assert (fact.source, fact.licence) == ("import:lld", "unknown")
        assert (fact.original_width, fact.original_height) == (32, 32)
    order = [fact.url for fact in pack]
    assert order != sorted(order)


def test_the_same_file_and_config_give_the_same_bytes(tmp_path: Path) -> None:
    digests = set()
    for n in range(2):
        collection = lld(tmp_path / "l.hdf5", scenes(30), **{"labels/a": [0, 1] * 15})
        packed(collection, tmp_path / f"{n}.h5", size=24, cal=0.2)
        digests.add(hashlib.sha256((tmp_path / f"{n}.h5").read_bytes()).hexdigest())
    assert len(digests) == 1
    _, other = packed(collection, tmp_path / "o.h5", size=24, cal=0.2, seed=1)
    assert other.content_hash != PackedDataset(tmp_path / "0.h5").content_hash


def test_copies_and_likes_share_a_group_and_so_a_split(tmp_path: Path) -> None:
    pictures = scenes(60)
    rng = np.random.default_rng(0)
    noisy = np.clip(pictures[:20].astype(int) + rng.integers(-6, 7, (20, 32, 32, 3)), 0, 255)
    every = np.concatenate([pictures, pictures[:20], noisy.astype(np.uint8)])
    _, pack = packed(lld(tmp_path / "l.hdf5", every), tmp_path / "p.h5", cal=0.3, test=0.2)
    group = {int(fact.url.split("#")[1]): fact.group for fact in pack}
    assert all(group[n] == group[n + 60] == group[n + 80] for n in range(20))
    assert len(set(group.values())) == 60
    _, exact = packed(lld(tmp_path / "l.hdf5", every), tmp_path / "e.h5", radius=0)
    group = {int(fact.url.split("#")[1]): fact.group for fact in exact}
    assert all(group[n] == group[n + 60] for n in range(20))


def test_many_blank_pictures_are_not_taken_for_each_other(tmp_path: Path) -> None:
    plain = np.zeros((40, 32, 32, 3), np.uint8) + np.arange(40, dtype=np.uint8)[:, None, None, None]
    _, pack = packed(lld(tmp_path / "l.hdf5", plain), tmp_path / "p.h5")
    assert len({fact.group for fact in pack}) == 40
    assert {fact.phash for fact in pack} == {""}


def test_a_crowd_of_equal_pictures_trains(tmp_path: Path) -> None:
    crowd = np.repeat(scenes(1), 50, axis=0)
    every = np.concatenate([crowd, scenes(30, first=5)])
    for seed in range(5):
        collection = lld(tmp_path / "l.hdf5", every)
        _, pack = packed(collection, tmp_path / "p.h5", cal=0.4, test=0.4, seed=seed)
        crowded = [fact.split for fact in pack if int(fact.url.split("#")[1]) < 50]
        assert set(crowded) == {"train"}


@pytest.mark.parametrize("channels", ["grey", "rgb", "rgba"])
@pytest.mark.parametrize("size", [16, 28, 40])
def test_digits_are_brought_to_any_size_and_any_channels(
    tmp_path: Path, channels: Any, size: int
) -> None:
    digits = luma_of(scenes(12, 28))
    write_mnist(tmp_path / "m", digits, [n % 3 for n in range(12)])
    collection = IdxCollection(tmp_path / "m", ReadOptions())
    config = PackConfig(size=size, channels=channels)
    _, pack = packed(collection, tmp_path / "p.h5", size=size, channels=channels)
    for row, fact in enumerate(pack):
        digit = digits[int(fact.url.split("#")[1])]
        wanted = prepare(np.repeat(digit[..., None], 3, axis=2), config)
        assert np.array_equal(pack.data[row].transpose(1, 2, 0), wanted)


def test_files_become_what_packing_them_from_the_catalogue_makes_of_them(tmp_path: Path) -> None:
    root = tmp_path / "p"
    for n in range(24):
        (root / "ab"[n % 2]).mkdir(parents=True, exist_ok=True)
        content = encoded(scene(n, (90 + 5 * n, 120)), "JPEG" if n % 3 else "PNG")
        (root / "ab"[n % 2] / f"{n}.png").write_bytes(content)
    (root / "a" / "broken.jpg").write_bytes(b"<html>")
    see_through = Image.fromarray(np.random.default_rng(0).integers(0, 256, (50, 60, 4), np.uint8))
    (root / "b" / "x.png").write_bytes(encoded(see_through))
    lines = facts(file_name="a/0.png", text="The first", license="MIT", author="Me")
    (root / "metadata.jsonl").write_bytes(lines)
    result, pack = packed(FolderCollection(root), tmp_path / "o.h5", originals=True, cal=0.2)
    assert result.rejected == {"html": 1}
    assert (len(pack), pack.label_names) == (25, ["a", "b"])
    for row, fact in enumerate(pack):
        content = (root / fact.url.removeprefix("file:")).read_bytes()
        assert pack.original(row) == content
        assert fact.sha256 == hashlib.sha256(content).hexdigest()
        assert np.array_equal(pack.data[row], prepared(content, PackConfig()))
        assert pack.label_names[fact.label] == fact.url[5]
    first = next(fact for fact in pack if fact.url == "file:a/0.png")
    assert (first.caption, first.licence, first.author) == ("The first", "MIT", "Me")
    assert [c.text for c in pack.captions(first.row)] == ["The first"]


def test_the_sources_own_test_pictures_stay_that_and_their_likes_do_not_train(
    tmp_path: Path,
) -> None:
    pictures = scenes(30)
    (tmp_path / "c").mkdir()
    # Two of the training pictures are test pictures as well.
    train = np.concatenate([pictures[:20], pictures[20:22]])
    (tmp_path / "c" / "data_batch_1.bin").write_bytes(cifar_rows(train, [n % 2 for n in range(22)]))
    (tmp_path / "c" / "test_batch.bin").write_bytes(cifar_rows(pictures[20:], [1] * 10))

    def collection() -> CifarCollection:
        return CifarCollection(tmp_path / "c", ReadOptions())

    result, pack = packed(collection(), tmp_path / "p.h5", keep_split=True, cal=0.2)
    assert result.rejected == {"like-held-out": 2}
    assert result.splits["test"] == 10
    for fact in pack:
        assert ("test_batch" in fact.url) == (fact.split == "test")
    assert result.splits["cal"] == 4
    anew, _ = packed(collection(), tmp_path / "q.h5", cal=0.2, test=0.1)
    assert anew.rejected == {}
    assert sum(anew.splits.values()) == 32


def test_no_copy_of_a_held_picture_trains_however_many_there_are(tmp_path: Path) -> None:
    pictures = scenes(24)
    (tmp_path / "c").mkdir()
    train = np.concatenate([pictures[:20], pictures[20:21].repeat(4, axis=0)])
    test = np.concatenate([pictures[20:], pictures[20:22]])
    (tmp_path / "c" / "data_batch_1.bin").write_bytes(cifar_rows(train, [0] * 24))
    (tmp_path / "c" / "test_batch.bin").write_bytes(cifar_rows(test, [1] * 6))
    collection = CifarCollection(tmp_path / "c", ReadOptions())
    result, _ = packed(collection, tmp_path / "p.h5", keep_split=True, cal=0.2)
    assert result.rejected == {"like-held-out": 4}
    assert (result.splits["train"], result.splits["test"]) == (16, 6)


def test_likes_share_a_split_even_if_what_joins_them_is_not_packed(tmp_path: Path) -> None:
    pictures = np.concatenate([scenes(12), scenes(12), scenes(12)])
    labels = {"labels/a": [0] * 12 + [1] * 12 + [0] * 12}
    collection = lld(tmp_path / "l.hdf5", pictures, **labels)
    result, pack = packed(collection, tmp_path / "p.h5", labels=("0",), cal=0.25, test=0.25)
    assert result.classes == {"0": 24}
    assert sorted(np.bincount(pack.column("group")).tolist())[-12:] == [2] * 12


def test_near_likes_of_held_pictures_are_told_one_step_far() -> None:
    # 0 and 1 are equal, 1 is near 2, 2 is near 3: what is held by 3 reaches 2, and no further.
    zero = np.zeros(0, np.int64)
    likes = Likes(
        equal=(np.array([0, 3]), np.array([1, 4])), near=(np.array([0, 2]), np.array([2, 3]))
    )
    held = likes.beside_held(np.array([0, 0, 0, 0, 2], np.int8))
    assert held.tolist() == [False, False, True, True, False]
    assert likes.components(without=held).tolist() == [0, 0, 2, 3, 4]
    assert not Likes((zero, zero), (zero, zero)).beside_held(np.array([0, 2], np.int8)).any()


def test_a_file_without_a_byte_is_counted_and_left_out(tmp_path: Path) -> None:
    (tmp_path / "f").mkdir()
    for n in range(4):
        (tmp_path / "f" / f"{n}.png").write_bytes(scene_bytes(n) if n else b"")
    result, _ = packed(FolderCollection(tmp_path / "f"), tmp_path / "p.h5")
    assert (result.rejected, sum(result.splits.values())) == ({"empty": 1}, 3)


def test_a_pack_with_originals_exported_and_imported_again_is_the_same(tmp_path: Path) -> None:
    (tmp_path / "f" / "a").mkdir(parents=True)
    for n in range(30):
        kind = ("PNG", "JPEG", "WEBP")[n % 3]
        content = encoded(scene(n, (64, 64)), kind)
        (tmp_path / "f" / "a" / f"{n}.{kind.lower()}").write_bytes(content)
    options: dict[str, Any] = {"originals": True, "cal": 0.2, "test": 0.2}
    _, pack = packed(FolderCollection(tmp_path / "f"), tmp_path / "p.h5", **options)
    assert {fact.original_format for fact in pack} == {"PNG", "JPEG", "WEBP"}
    asked = ExportOptions(splits=("train", "cal", "test"), originals=True)
    export_pack("folder", pack, tmp_path / "out", asked)
    collection = FolderCollection(tmp_path / "out")
    result, again = packed(collection, tmp_path / "q.h5", keep_split=True, **options)
    assert result.rejected == {}
    assert compare(pack, again).same


def test_limits_a_class_are_kept(tmp_path: Path) -> None:
    labels = {"labels/a": [0] * 12 + [1] * 5 + [2] * 2}
    collection = lld(tmp_path / "l.hdf5", scenes(19), **labels)
    some, _ = packed(collection, tmp_path / "p.h5", per_class=4, min_per_class=3)
    assert some.classes == {"0": 4, "1": 4}
    level, _ = packed(collection, tmp_path / "p.h5", balance="smallest")
    assert level.classes == {"0": 2, "1": 2, "2": 2}
    one, _ = packed(collection, tmp_path / "p.h5", labels=("1",))
    assert one.classes == {"1": 5}
    for config, said in [
        (PackConfig(labels=("9",)), "no picture is labelled 9"),
        (PackConfig(split_by="author"), "split_by works from the catalogue"),
        (PackConfig(embeddings="x.npz"), "embeddings go in from the catalogue"),
    ]:
        with pytest.raises(ConfigError, match=said):
            import_into_pack(collection, tmp_path / "p.h5", config)
    with pytest.raises(DataError, match="nothing is left to pack"):
        import_into_pack(collection, tmp_path / "p.h5", PackConfig(min_per_class=99))


def test_one_picture_trains_and_the_empty_splits_are_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    result, _ = packed(lld(tmp_path / "l.hdf5", scenes(1)), tmp_path / "p.h5")
    assert result.splits == {"train": 1, "cal": 0, "test": 0}
    assert "no pictures are left for cal and test" in caplog.text


def test_a_source_that_breaks_off_leaves_the_old_pack_and_nothing_else(tmp_path: Path) -> None:
    folder = tmp_path / "out"
    packed(lld(tmp_path / "l.hdf5", scenes(9)), folder / "p.h5")
    before = (folder / "p.h5").read_bytes()
    write_mnist(tmp_path / "m", luma_of(scenes(9, 28)), [0] * 9)
    path = tmp_path / "m" / "train-images-idx3-ubyte"
    collection = IdxCollection(path, ReadOptions())
    path.write_bytes(path.read_bytes()[:3000])
    with pytest.raises(DataError, match="ends before the last"):
        import_into_pack(collection, folder / "p.h5", PackConfig())
    empty = lld(tmp_path / "e.hdf5", scenes(2), shapes=[(3, 99, 99)] * 2)
    with pytest.raises(DataError, match="holds no picture that can be packed"):
        import_into_pack(empty, folder / "p.h5", PackConfig())
    assert [p.name for p in folder.iterdir()] == ["p.h5"]
    assert (folder / "p.h5").read_bytes() == before


def test_a_killed_import_leaves_no_spool_and_the_old_pack(tmp_path: Path) -> None:
    folder = tmp_path / "out"
    packed(lld(tmp_path / "s.hdf5", scenes(9)), folder / "p.h5")
    before = (folder / "p.h5").read_bytes()
    for n in range(300):
        (tmp_path / "many").mkdir(exist_ok=True)
        (tmp_path / "many" / f"{n}.png").write_bytes(scene_bytes(n % 9))
    for delay in (0.3, 0.6, 1.0):
        command = ["import", "folder", str(tmp_path / "many"), "--pack", str(folder / "p.h5")]
        child = subprocess.Popen(
            [sys.executable, "-m", "dataset", *command, "--replace", "--progress", "quiet"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        time.sleep(delay)
        os.kill(child.pid, signal.SIGKILL)
        child.wait()
        if (folder / "p.h5").read_bytes() == before:
            left = [p.name for p in folder.iterdir() if p.name != "p.h5"]
            assert all(name.endswith(".partial") for name in left)
    packed(FolderCollection(tmp_path / "many"), folder / "p.h5")


def test_hashes_of_many_pictures_at_once_are_those_of_each(tmp_path: Path) -> None:
    for side in (24, 32, 100, 300):
        pictures = scenes(5, side)
        wanted = [int(phash_of_file(png(picture)), 16) for picture in pictures]
        assert phashes_of(pictures).tolist() == wanted
    grey = luma_of(scenes(5))
    assert [np.asarray(Image.fromarray(p).convert("L")) for p in scenes(5)][3].tolist() == grey[
        3
    ].tolist()


def test_near_hashes_need_pixels_that_agree_and_equal_ones_do_not() -> None:
    rows = scenes(6).transpose(0, 3, 1, 2)
    digests = np.arange(12, dtype=np.uint64).reshape(6, 2)
    digests[5] = digests[4]
    hashes = np.array([8, 8, 9, 0, 0, 0], np.uint64)

    def pairs(of: Block, radius: int) -> list[list[int]]:
        likes = find_likes(of.__getitem__, digests, hashes, np.zeros(6, np.int64), radius)
        a, b = np.concatenate([likes.equal, likes.near], axis=1).tolist()
        return sorted(sorted(pair) for pair in zip(a, b, strict=True))

    assert pairs(rows, 4) == [[0, 1], [4, 5]]
    same = np.repeat(rows[:1], 6, axis=0)
    assert pairs(same, 4) == [[0, 1], [0, 2], [4, 5]]
    assert pairs(same, 0) == [[0, 1], [4, 5]]
