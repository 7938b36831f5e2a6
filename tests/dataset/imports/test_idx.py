"""MNIST's files: magic numbers, sizes, labels and splits; cut and made-up ones are told."""

import gzip
import os
from pathlib import Path

import numpy as np
import pytest

from dataset.errors import ConfigError, DataError
from dataset.imports.collection import ReadOptions
from dataset.imports.idx import IdxCollection
from dataset.provenance import SPLITS
from tests.dataset.imports.written import idx, write_mnist

DIGITS = np.random.default_rng(0).integers(0, 256, (7, 28, 28), np.uint8)


def opened(path: Path) -> IdxCollection:
    return IdxCollection(path, ReadOptions())


def test_both_parts_of_a_folder_are_read_with_their_splits(tmp_path: Path) -> None:
    write_mnist(tmp_path / "m", DIGITS, [3, 1, 4, 1, 5, 9, 2])
    write_mnist(tmp_path / "m", DIGITS[:2], [6, 0], "t10k")
    collection = opened(tmp_path / "m")
    test, train = collection.batches()
    assert train.labels.tolist() == [3, 1, 4, 1, 5, 9, 2]
    assert test.labels.tolist() == [6, 0]
    assert collection.label_names == [str(n) for n in range(10)]
    assert np.array_equal(np.asarray(train.pixels)[..., 0], DIGITS)
    assert train.splits is not None
    assert test.splits is not None
    assert {SPLITS[code] for code in train.splits} == {"train"}
    assert {SPLITS[code] for code in test.splits} == {"test"}
    assert train.facts[3]["url"] == "mnist:train-images-idx3-ubyte#3"
    summary = collection.summary()
    assert (summary.pictures, summary.splits) == (9, {"test": 2, "train": 7})
    assert summary.classes["1"] == 2


def test_a_file_without_labels_beside_it_has_pictures_of_no_class(tmp_path: Path) -> None:
    images = write_mnist(tmp_path / "m", DIGITS, [0] * 7)
    (tmp_path / "m" / "train-labels-idx1-ubyte.gz").unlink()
    (batch,) = opened(images).batches()
    assert batch.labels.tolist() == [-1] * 7


def test_colours_are_read_as_well(tmp_path: Path) -> None:
    pictures = np.random.default_rng(1).integers(0, 256, (3, 8, 9, 3), np.uint8)
    (tmp_path / "a-images-idx4-ubyte").write_bytes(idx(0x804, pictures.shape, pictures.tobytes()))
    (batch,) = opened(tmp_path / "a-images-idx4-ubyte").batches()
    assert np.array_equal(np.asarray(batch.pixels), pictures)


BODY = DIGITS.tobytes()


@pytest.mark.parametrize("is_packed", [False, True])
@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "no IDX file of pictures"),
        (b"\x89PNG", "no IDX file of pictures"),
        (idx(0x801, (7, 28, 28), BODY), "begins with 0x00000801, not 0x00000803"),
        (idx(0xD03, (7, 28, 28), BODY), "no IDX file of pictures"),
        (idx(0x803, (7, 28), b""), "made up|ends before"),
        (idx(0x803, (7, 28, 28), BODY)[:9], "ends before|made up"),
        (idx(0x803, (7, 28, 28), BODY[:-1]), "ends before|made up"),
        (idx(0x803, (7, 28, 28), BODY + b"x"), "goes on|made up"),
        (idx(0x803, (2**31, 28, 28), BODY), "made up"),
        (idx(0x803, (2**32 - 1,) * 3, BODY), "sides up to"),
        (idx(0x803, (7, 0, 28), b""), "sides up to"),
    ],
)
def test_what_is_no_such_file_is_told_in_one_line(
    tmp_path: Path, content: bytes, said: str, is_packed: bool
) -> None:
    path = tmp_path / "x-images-idx3-ubyte"
    path.write_bytes(gzip.compress(content) if is_packed else content)
    with pytest.raises(DataError, match=said) as error:
        list(opened(path).batches())
    assert "\n" not in str(error.value)


def test_labels_of_another_number_are_refused(tmp_path: Path) -> None:
    write_mnist(tmp_path / "m", DIGITS, [1] * 6)
    with pytest.raises(DataError, match="has 6 labels for 7 pictures"):
        opened(tmp_path / "m")


def test_a_damaged_gzip_is_told(tmp_path: Path) -> None:
    content = gzip.compress(idx(0x803, DIGITS.shape, BODY))
    path = tmp_path / "a-images-idx3-ubyte.gz"
    for damaged in (content[: len(content) // 2], content[:40] + os.urandom(60) + content[100:]):
        path.write_bytes(damaged)
        with pytest.raises(DataError, match=r"is damaged|made up"):
            list(opened(path).batches())


def test_a_gzip_that_unpacks_to_far_more_than_it_says_is_not_unpacked(tmp_path: Path) -> None:
    bomb = gzip.compress(idx(0x803, (2, 28, 28), bytes(200_000_000)))
    (tmp_path / "a-images-idx3-ubyte.gz").write_bytes(bomb)
    with pytest.raises(DataError, match="goes on after the last"):
        list(opened(tmp_path / "a-images-idx3-ubyte.gz").batches())


def test_nothing_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no file or folder at"):
        opened(tmp_path / "none")
    with pytest.raises(ConfigError, match="no files named like"):
        opened(tmp_path)
