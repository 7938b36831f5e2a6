"""Coded vectors: for what does not fit whole; found approximately, measured exactly."""

from pathlib import Path

import numpy as np
import pytest

from dataset.errors import ConfigError, DataError
from dataset.packed import PackedDataset
from sample import faiss_search
from sample.coded_vectors import CodedVectors, lists_for
from sample.embed import LumaChroma
from sample.flat_vectors import FlatVectors
from sample.novelty_index import NoveltyIndex, build_index
from sample.views import View, apply_view, declared_views, mirror
from tests.sample.drawings import drawings

# Too little for 120 x 103 whole vectors (13 MB), enough for their codes (0.9 MB).
ROOM = 2_000_000


@pytest.fixture(scope="module")
def coded(pack: PackedDataset) -> NoveltyIndex:
    return build_index(pack, LumaChroma(), max_bytes=ROOM)


def test_what_does_not_fit_whole_is_coded_with_all_its_views(coded: NoveltyIndex) -> None:
    assert coded.backend == "faiss ivf-pq"
    assert len(coded.views) == len(declared_views(32))
    assert isinstance(coded.store, CodedVectors)


def test_its_recall_is_measured(coded: NoveltyIndex) -> None:
    assert coded.recall is not None
    assert coded.recall >= 0.98


def test_it_finds_copies_at_their_exact_distance(coded: NoveltyIndex, index: NoveltyIndex) -> None:
    view = View(name="", zoom=0.9, right=0.06, down=-0.03, degrees=3.0)
    copies = apply_view(drawings(range(0, 60)), view)
    found, exact = (way.search(copies, 20) for way in (coded, index))
    assert found.rows[:, 0].tolist() == list(range(60))
    assert np.array_equal(found.distances[:, 0], exact.distances[:, 0])
    turned = coded.search(mirror(copies), 1)
    assert turned.mirrored.all()
    assert turned.rows[:, 0].tolist() == list(range(60))


def test_its_scale_of_nearness_is_that_of_an_exact_search(
    coded: NoveltyIndex, index: NoveltyIndex
) -> None:
    queries = drawings(range(300, 340))
    found, exact = (way.search(queries, 21) for way in (coded, index))
    assert (found.rows >= 0).all()
    for way in (found, exact):
        assert (np.diff(way.distances, axis=1) >= 0).all()
    ratio, right = (
        way.distances[:, 0] / way.distances[:, 1:].mean(axis=1) for way in (found, exact)
    )
    assert ratio == pytest.approx(right, rel=0.05)


def test_a_saved_one_answers_as_before(
    coded: NoveltyIndex, pack: PackedDataset, tmp_path: Path
) -> None:
    path, queries = tmp_path / "i.safetensors", drawings(range(500, 505))
    coded.save(path)
    loaded = NoveltyIndex.load(path, embedder=LumaChroma(), pack=pack)
    before, after = coded.search(queries, 10), loaded.search(queries, 10)
    assert np.array_equal(before.rows, after.rows)
    assert np.array_equal(before.distances, after.distances)
    assert (loaded.backend, loaded.recall) == (coded.backend, coded.recall)
    path.write_bytes(path.read_bytes()[:-1000] + bytes(1000))
    with pytest.raises(DataError, match="damaged"):
        NoveltyIndex.load(path, embedder=LumaChroma(), pack=pack)


def test_without_faiss_fewer_views_are_taken_and_a_coded_file_is_refused(
    coded: NoveltyIndex, pack: PackedDataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    coded.save(tmp_path / "i")
    monkeypatch.setattr(faiss_search, "faiss", None)
    assert len(build_index(pack, LumaChroma(), max_bytes=ROOM).views) == ROOM // (
        120 * FlatVectors.bytes_each(LumaChroma.dim)
    )
    with pytest.raises(ConfigError, match="faiss"):
        NoveltyIndex.load(tmp_path / "i", embedder=LumaChroma(), pack=pack)


def test_codes_that_do_not_fit_leave_views_out(pack: PackedDataset) -> None:
    room = 90 * 120 * CodedVectors.bytes_each(LumaChroma.dim)
    assert len(build_index(pack, LumaChroma(), max_bytes=room).views) == 90


@pytest.mark.parametrize(
    ("vectors", "lists"), [(10_000, 128), (1_000_000, 1024), (5_000_000, 2048), (10**9, 2048)]
)
def test_lists_grow_with_the_vectors_and_can_be_taught(vectors: int, lists: int) -> None:
    assert lists_for(vectors) == lists
