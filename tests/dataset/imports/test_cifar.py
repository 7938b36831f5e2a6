"""CIFAR's binary batches from folders and tars; pickles and wrong sizes are refused."""

import pickle
from pathlib import Path

import numpy as np
import pytest

from dataset.errors import ConfigError, DataError
from dataset.imports.cifar import CifarCollection
from dataset.imports.collection import ReadOptions
from dataset.provenance import SPLITS
from tests.dataset.imports.written import cifar_rows, scenes, write_tar

TEN = b"airplane\nautomobile\nbird\ncat\ndeer\ndog\nfrog\nhorse\nship\ntruck\n\n"
PICTURES = scenes(6)
FILES = {
    "cifar-10-batches-bin/batches.meta.txt": TEN,
    "cifar-10-batches-bin/data_batch_1.bin": cifar_rows(PICTURES[:2], [3, 9]),
    "cifar-10-batches-bin/data_batch_2.bin": cifar_rows(PICTURES[2:4], [0, 1]),
    "cifar-10-batches-bin/readme.html": b"<html>",
    "cifar-10-batches-bin/test_batch.bin": cifar_rows(PICTURES[4:], [5, 5]),
}


def opened(path: Path, scheme: str = "") -> CifarCollection:
    return CifarCollection(path, ReadOptions(scheme=scheme))


def unpack(folder: Path, files: dict[str, bytes]) -> Path:
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return folder


@pytest.mark.parametrize("kind", ["folder", "folder above", "tar", "tar.gz"])
def test_batches_are_read_with_names_and_the_test_split(tmp_path: Path, kind: str) -> None:
    path = unpack(tmp_path, FILES) / ("cifar-10-batches-bin" if kind == "folder" else "")
    if kind.startswith("tar"):
        mode = "w:gz" if kind == "tar.gz" else "w"
        path = write_tar(tmp_path / f"cifar.{kind}", FILES, mode)
    collection = opened(path)
    batches = list(collection.batches())
    assert collection.total == 6
    assert collection.label_names[3] == "cat"
    assert [batch.labels.tolist() for batch in batches] == [[3, 9], [0, 1], [5, 5]]
    assert np.array_equal(np.concatenate([np.asarray(b.pixels) for b in batches]), PICTURES)
    splits = [{SPLITS[code] for code in b.splits} for b in batches if b.splits is not None]
    assert splits == [{"train"}, {"train"}, {"test"}]
    summary = collection.summary()
    assert summary.splits == {"train": 4, "test": 2}
    assert summary.classes["dog"] == 2


def test_the_hundred_classes_have_a_coarse_scheme_as_well(tmp_path: Path) -> None:
    fine = "".join(f"fine {n}\n" for n in range(100)).encode()
    coarse = "".join(f"coarse {n}\n" for n in range(20)).encode()
    files = {
        "fine_label_names.txt": fine,
        "coarse_label_names.txt": coarse,
        "train.bin": cifar_rows(PICTURES[:4], [1, 2, 3, 19], [99, 0, 50, 7]),
        "test.bin": cifar_rows(PICTURES[4:], [0, 0], [1, 1]),
    }
    collection = opened(unpack(tmp_path, files))
    train, _test = collection.batches()
    assert [collection.label_names[n] for n in train.labels] == [
        "fine 99", "fine 0", "fine 50", "fine 7",
    ]  # fmt: skip
    assert train.schemes["coarse"].tolist() == [1, 2, 3, 19]
    by_coarse = opened(tmp_path, "coarse")
    assert next(iter(by_coarse.batches())).labels.tolist() == [1, 2, 3, 19]
    with pytest.raises(ConfigError, match="--scheme is of: fine, coarse"):
        opened(tmp_path, "other")


def test_a_single_batch_is_read_and_its_names_may_lie_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "data_batch_1.bin"
    path.write_bytes(cifar_rows(PICTURES[:2], [3, 9]))
    assert opened(path).label_names == [str(n) for n in range(10)]
    (tmp_path / "batches.meta.txt").write_bytes(TEN)
    assert opened(path).label_names[9] == "truck"


@pytest.mark.parametrize("kind", ["folder", "tar", "file"])
def test_the_pickled_version_is_refused_unread(tmp_path: Path, kind: str) -> None:
    class Trap:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return (Path.touch, (tmp_path / "sprung",))  # type: ignore[return-value]

    files = {"data_batch_1": pickle.dumps(Trap()), "batches.meta": pickle.dumps(Trap())}
    path = unpack(tmp_path / "py", files)
    if kind == "tar":
        path = write_tar(tmp_path / "py.tar.gz", files, "w:gz")
    elif kind == "file":
        path = path / "data_batch_1"
    with pytest.raises(DataError, match="pickled version"):
        opened(path)
    assert not (tmp_path / "sprung").exists()


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("data_batch_1.bin", b"", "no multiple of 3073"),
        ("data_batch_1.bin", cifar_rows(PICTURES, [0] * 6)[:-1], "no multiple of 3073"),
        ("data_batch_1.bin", cifar_rows(PICTURES, [0, 0, 0, 0, 0, 10]), "label 10, but there are"),
        ("train.bin", cifar_rows(PICTURES, [0] * 6), "no multiple of 3074"),
        ("train.bin", cifar_rows(PICTURES, [20] * 6, [0] * 6), "label 20, but there are 20"),
    ],
)
def test_what_is_no_batch_is_told(tmp_path: Path, name: str, content: bytes, said: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=said):
        list(opened(tmp_path).batches())


def test_hostile_tars_and_names_are_told(tmp_path: Path) -> None:
    rows = cifar_rows(PICTURES[:1], [0])
    twice = write_tar(tmp_path / "twice.tar", {"a/test_batch.bin": rows, "b/test_batch.bin": rows})
    with pytest.raises(DataError, match=r"test_batch\.bin twice"):
        opened(twice)
    (tmp_path / "both").mkdir()
    for name in ("train.bin", "test_batch.bin"):
        (tmp_path / "both" / name).write_bytes(cifar_rows(PICTURES[:1], [0], [0]))
    with pytest.raises(DataError, match="CIFAR-10 and CIFAR-100"):
        opened(tmp_path / "both")
    with pytest.raises(ConfigError, match="has no batches"):
        opened(write_tar(tmp_path / "none.tar", {"a.txt": b"x"}))
    with pytest.raises(ConfigError, match="no file or folder"):
        opened(tmp_path / "nothing")
    whole = write_tar(tmp_path / "w.tar.gz", FILES, "w:gz").read_bytes()
    (tmp_path / "cut.tar.gz").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DataError, match=r"no readable tar|no multiple"):
        list(opened(tmp_path / "cut.tar.gz").batches())


@pytest.mark.parametrize("end", [12, 60, -30])
def test_a_compressed_tar_that_ends_early_is_told(tmp_path: Path, end: int) -> None:
    files = {"data_batch_1.bin": cifar_rows(scenes(9), [1] * 9)}
    path = write_tar(tmp_path / "c.tar.gz", files, "w:gz")
    path.write_bytes(path.read_bytes()[:end])
    with pytest.raises(DataError, match="is no readable tar"):
        list(opened(path).batches())


def test_names_of_classes_are_cleaned_and_stay_apart(tmp_path: Path) -> None:
    names = b"<b>cat</b>\na\0b\nab\n\xff\n\x1b[31m\n"
    (tmp_path / "batches.meta.txt").write_bytes(names)
    (tmp_path / "data_batch_1.bin").write_bytes(cifar_rows(PICTURES[:1], [2]))
    assert opened(tmp_path).label_names == ["<b>cat</b>", "ab", "ab 2", "\ufffd", "[31m"]
