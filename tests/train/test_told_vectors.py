from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from dataset.errors import ConfigError, DataError
from dataset.pack_writer import Block, PackHead, write_blocks
from dataset.packed import PackedDataset
from dataset.provenance import Provenance
from tests.train.drawn_pack import CLASSES, drawn_pictures
from train.batches import load_split
from train.subject import Subject
from train.told_vectors import told

CPU = torch.device("cpu")
NOWHERE = 3  # the row whose picture has no vector


def vectors_of(count: int = 12, length: int = 6) -> NDArray[np.float32]:
    """Numbers that say their row, and one row of NaN."""
    vectors = np.arange(count * length, dtype=np.float32).reshape(count, length)
    vectors[NOWHERE] = np.nan
    return vectors


def told_pack(path: Path, vectors: NDArray[np.float32]) -> PackedDataset:
    data, labels = drawn_pictures(len(vectors))
    facts = [Provenance(row=row, label=int(label)) for row, label in enumerate(labels)]
    head = PackHead(
        count=len(data),
        shape=data.shape[1:],
        label_names=CLASSES,
        embeddings={"clip": vectors.shape[1]},
    )
    write_blocks(path, head, [Block.of(data, facts, embeddings={"clip": vectors})])
    return PackedDataset(path)


@pytest.fixture
def told_of(tmp_path: Path) -> PackedDataset:
    return told_pack(tmp_path / "told.h5", vectors_of())


@pytest.mark.parametrize("reading", ["resident", "streamed"])
def test_pictures_come_with_their_own_vectors(told_of: PackedDataset, reading: str) -> None:
    batches = load_split(
        told_of,
        "train",
        seed=1,
        flip=False,
        device=CPU,
        reading=reading,  # type: ignore[arg-type]
        vectors="clip",
    )
    for seen in (0, 7, 14):
        given = batches.batch(seen, 7).vectors
        assert given is not None
        assert given.dtype == torch.float32
        expected = vectors_of()[batches.rows(seen, 7).numpy()]
        assert np.array_equal(given.numpy(), expected, equal_nan=True)


@pytest.mark.parametrize("reading", ["resident", "streamed"])
def test_the_ranks_vectors_joined_are_those_of_one_process(
    told_of: PackedDataset, reading: str
) -> None:
    def drawn(rank: int, world: int) -> torch.Tensor:
        batches = load_split(
            told_of,
            "train",
            seed=1,
            flip=True,
            device=CPU,
            reading=reading,  # type: ignore[arg-type]
            vectors="clip",
        )
        vectors = batches.batch(5, 10, rank, world).vectors
        assert vectors is not None
        return vectors.nan_to_num(-1.0)

    for world in (2, 3):
        joined = torch.cat([drawn(rank, world) for rank in range(world)])
        assert torch.equal(joined, drawn(0, 1))


def test_without_vectors_none_are_given(told_of: PackedDataset) -> None:
    batches = load_split(told_of, "train", seed=1, flip=False, device=CPU)
    assert batches.batch(0, 4).vectors is None
    assert Subject.of_pack(told_of).vector_length == 0


def test_the_subject_knows_how_long_the_vectors_are_and_keeps_it(told_of: PackedDataset) -> None:
    subject = Subject.of_pack(told_of, "clip", 3)
    assert subject.vector_length == 6
    assert Subject.from_facts(subject.facts()) == subject


def test_vectors_that_the_pack_has_not_are_refused_with_those_it_has(
    told_of: PackedDataset, pack: Path
) -> None:
    with pytest.raises(ConfigError, match="no embedding 'clap'; it has clip"):
        Subject.of_pack(told_of, "clap")
    with pytest.raises(ConfigError, match="no embedding 'clap'; it has clip"):
        load_split(told_of, "train", seed=0, flip=False, device=CPU, vectors="clap")
    with pytest.raises(ConfigError, match="it has none"):
        Subject.of_pack(PackedDataset(pack), "clip")


def test_tokens_that_do_not_divide_a_vector_are_refused(told_of: PackedDataset) -> None:
    with pytest.raises(ConfigError, match=r"6 numbers of vectors clip .* 4 tokens"):
        Subject.of_pack(told_of, "clip", 4)
    with pytest.raises(ConfigError, match="vectors is empty"):
        Subject.of_pack(told_of, tokens=2)


def test_an_embedding_of_no_picture_or_with_infinite_numbers_is_refused(tmp_path: Path) -> None:
    nowhere = told_pack(tmp_path / "nowhere.h5", np.full((4, 2), np.nan, np.float32))
    with pytest.raises(DataError, match=r"no picture of pack .* has a vector clip"):
        Subject.of_pack(nowhere, "clip")
    wild = vectors_of()
    wild[5, 1] = np.inf
    with pytest.raises(DataError, match="an infinite vector clip"):
        Subject.of_pack(told_pack(tmp_path / "wild.h5", wild), "clip")


def test_a_vector_is_told_whole_or_cut_and_zeros_stand_for_one_that_is_not_there() -> None:
    given = torch.from_numpy(vectors_of(5))
    whole, tokens, missing = told(given, 0)
    assert tokens is None
    assert whole is not None
    assert missing.tolist() == [False, False, False, True, False]
    assert not whole[NOWHERE].any()
    assert torch.equal(whole[~missing], given[~missing])
    nothing, tokens, _ = told(given, 3)
    assert nothing is None
    assert tokens is not None
    assert tokens.shape == (5, 3, 2)
    assert tokens[1].tolist() == [[6.0, 7.0], [8.0, 9.0], [10.0, 11.0]]
