"""The index: exact recall over views, distinct groups, ties, and what it refuses to load."""

import os
import subprocess
import sys
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from safetensors.numpy import save_file

from dataset.errors import ConfigError, DataError
from dataset.pack_writer import write_pack
from dataset.packed import PackedDataset
from dataset.pixels import Pixels
from sample import faiss_search, flat_vectors
from sample.embed import LumaChroma, Vectors
from sample.flat_vectors import FlatVectors
from sample.novelty_index import (
    Neighbours,
    NoveltyIndex,
    build_index,
    open_index,
    pack_pictures,
)
from sample.views import View, apply_view, declared_views, mirror
from tests.sample.drawings import drawing, drawings, provenance, write_drawn_pack, write_pictures


class OtherEmbedder(LumaChroma):
    name = "other/1"


def small_pack(path: Path, pictures: Pixels, groups: list[int] | None = None) -> PackedDataset:
    groups = groups or list(range(len(pictures)))
    facts = [provenance(row, group=group) for row, group in enumerate(groups)]
    return PackedDataset(write_pictures(path, pictures, facts))


def test_a_training_picture_is_at_distance_0_from_itself(index: NoveltyIndex) -> None:
    found = index.search(drawings(range(120)), 1)
    assert found.rows[:, 0].tolist() == list(range(120))
    assert found.distances.max() < 1e-6
    assert not found.mirrored.any()
    assert {index.views[view].name for view in found.views[:, 0]} == {"as it is"}


@pytest.mark.parametrize("view", declared_views(32), ids=lambda view: view.name)
def test_every_declared_view_is_found_as_itself(index: NoveltyIndex, view: View) -> None:
    found = index.search(apply_view(drawings([7, 60]), view), 1)
    assert found.rows[:, 0].tolist() == [7, 60]
    assert found.distances.max() < 1e-6
    assert [index.views[v].name for v in found.views[:, 0]] == [view.name] * 2


def test_a_mirrored_view_is_found_as_mirrored(index: NoveltyIndex) -> None:
    shifted = apply_view(drawings([9]), View(name="", right=-2 * 2 / 32))
    found = index.search(mirror(shifted), 1)
    assert found.rows[0, 0] == 9
    assert found.distances[0, 0] < 1e-6
    assert found.mirrored[0, 0]
    assert index.views[found.views[0, 0]].name == "shifted 2 px right"


@pytest.fixture(params=["faiss", "torch"])
def either(request: pytest.FixtureRequest, index: NoveltyIndex) -> NoveltyIndex:
    """The index of the stage's pack, searched by each backend."""
    return searched_by(index, request.param)


def searched_by(index: NoveltyIndex, backend: flat_vectors.Backend) -> NoveltyIndex:
    assert isinstance(index.store, FlatVectors)
    store = FlatVectors.restored(index.store.arrays(), backend)
    own = (index.rows, index.groups, index.views)
    return NoveltyIndex(store, *own, embedder=index.embedder, pack_hash=index.pack_hash)


def same(one: Neighbours, other: Neighbours) -> bool:
    """To the last bit."""
    return all(
        np.array_equal(getattr(one, name), getattr(other, name))
        for name in ("rows", "distances", "views", "mirrored")
    )


def test_the_search_is_exact(either: NoveltyIndex, pack: PackedDataset) -> None:
    queries = drawings(range(300, 308))
    found = either.search(queries, 20)
    originals = pack_pictures(pack, either.rows)
    every = np.stack([LumaChroma().embed(apply_view(originals, v)) for v in either.views])
    for place, query in enumerate(queries):
        both = LumaChroma().embed(np.stack([query, mirror(query[None])[0]]))
        apart = [
            np.linalg.norm(rounded(every) - rounded(vector), axis=2).min(axis=0) for vector in both
        ]
        nearest = np.minimum(*apart)  # (N,) over all views and the mirror
        assert found.rows[place].tolist() == np.argsort(nearest, kind="stable")[:20].tolist()
        assert found.distances[place] == pytest.approx(np.sort(nearest)[:20], abs=1e-9)


def rounded(vectors: Vectors) -> NDArray[np.float64]:
    return vectors.astype(np.float16).astype(np.float64)


def test_16_bits_move_no_distance_by_more_than_a_thousandth(
    index: NoveltyIndex, pack: PackedDataset
) -> None:
    queries = drawings(range(300, 308))
    found = index.search(queries, 5)
    whole = LumaChroma().embed(queries).astype(np.float64)
    for place, k in np.argwhere(~found.mirrored):
        original = pack_pictures(pack, found.rows[place, k : k + 1])
        view = apply_view(original, index.views[found.views[place, k]])
        apart = np.linalg.norm(LumaChroma().embed(view)[0] - whole[place])
        assert found.distances[place, k] == pytest.approx(apart, abs=1e-3)


def test_faiss_and_torch_give_the_same_answer(index: NoveltyIndex) -> None:
    queries = np.concatenate([drawings(range(300, 330)), drawings(range(10))])
    one, other = (searched_by(index, b).search(queries, 51) for b in ("faiss", "torch"))
    assert same(one, other)


def test_answers_do_not_depend_on_the_batch(either: NoveltyIndex) -> None:
    queries = drawings(range(400, 430))
    together = either.search(queries, 30)
    for place in range(0, 30, 7):
        alone = either.search(queries[place : place + 1], 30)
        assert same(
            alone, Neighbours(*(part[place : place + 1] for part in vars(together).values()))
        )


@pytest.fixture
def one_core() -> Iterator[None]:
    if not hasattr(os, "sched_setaffinity"):
        pytest.skip("this system cannot bind a process to a core")
    allowed = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(allowed)})
    yield
    os.sched_setaffinity(0, allowed)


def test_answers_do_not_depend_on_the_number_of_threads(
    either: NoveltyIndex, request: pytest.FixtureRequest
) -> None:
    queries = drawings(range(400, 410))
    torch.set_num_threads(3)
    many = either.search(queries, 30)
    torch.set_num_threads(1)
    request.getfixturevalue("one_core")
    assert same(either.search(queries, 30), many)


def test_answers_do_not_depend_on_the_size_of_the_blocks(
    either: NoveltyIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    queries = drawings(range(400, 404))
    whole = either.search(queries, 30)
    monkeypatch.setattr(flat_vectors, "_BLOCK", 37)  # the last one is smaller
    assert same(either.search(queries, 30), whole)


def test_pictures_as_far_from_everything_are_answered_exactly(
    either: NoveltyIndex, pack: PackedDataset
) -> None:
    """Blank ones: no list says which of all the views are the nearest."""
    blank = np.stack([np.full((32, 32, 3), level, np.uint8) for level in (0, 0, 90, 255)])
    faint = np.clip(drawings([3, 900]) // 32 + 100, 0, 255).astype(np.uint8)
    found = either.search(np.concatenate([blank, faint]), 7)
    assert found.rows[0].tolist() == found.rows[1].tolist()
    originals = pack_pictures(pack, either.rows)
    every = np.stack([LumaChroma().embed(apply_view(originals, v)) for v in either.views])
    for place, query in enumerate(np.concatenate([blank, faint])):
        both = LumaChroma().embed(np.stack([query, mirror(query[None])[0]]))
        apart = [np.linalg.norm(rounded(every) - rounded(one), axis=2).min(axis=0) for one in both]
        assert found.distances[place] == pytest.approx(np.sort(np.minimum(*apart))[:7], abs=1e-9)


def test_a_large_group_in_front_hides_no_other(tmp_path: Path) -> None:
    """What is fetched at first are pictures of one group only."""
    near = np.repeat(drawings([1]), 200, axis=0)
    near[np.arange(200), 0, 0] = np.arange(200)[:, None]
    pictures = np.concatenate([near, drawings(range(2, 7))])
    pack = small_pack(tmp_path / "p.h5", pictures, groups=[0] * 200 + [1, 2, 3, 4, 5])
    index = build_index(pack, LumaChroma(), views=declared_views(32)[:5])
    found = index.search(drawings([1]), 6)
    assert sorted(found.rows[0, 1:].tolist()) == list(range(200, 205))


def test_ties_go_to_the_lower_row_however_many(tmp_path: Path) -> None:
    pictures = np.concatenate([drawings([1]), np.repeat(drawings([5]), 40, axis=0), drawings([2])])
    found = build_index(small_pack(tmp_path / "p.h5", pictures), LumaChroma()).search(
        drawings([5]), 3
    )
    assert found.rows[0].tolist() == [1, 2, 3]


def test_duplicates_are_one_neighbour_shown_by_its_nearest_picture(tmp_path: Path) -> None:
    pictures = np.concatenate([drawings([1, 2]), drawings([1]) // 8 * 8, drawings([3])])
    pack = small_pack(tmp_path / "p.h5", pictures, groups=[4, 9, 4, 7])
    found = build_index(pack, LumaChroma()).search(pictures[2:3], 4)
    assert found.rows[0, 0] == 2
    assert sorted(found.rows[0, 1:3].tolist()) == [1, 3]
    assert found.rows[0, 3] == -1
    assert found.distances[0, 3] == np.inf


def test_without_any_facts_every_row_is_an_original_of_its_own(tmp_path: Path) -> None:
    bare = build_index(small_pack(tmp_path / "bare.h5", drawings(range(8)), [0] * 8), LumaChroma())
    assert bare.group_count == 8
    assert sorted(bare.search(drawings([3]), 8).rows[0].tolist()) == list(range(8))


def test_no_query_gets_no_answer(index: NoveltyIndex) -> None:
    assert index.search(np.empty((0, 32, 32, 3), np.uint8), 5).rows.shape == (0, 5)


def test_only_the_training_split_is_indexed(index: NoveltyIndex) -> None:
    assert index.rows.tolist() == list(range(120))
    found = index.search(drawings([130, 190]), 1)  # a cal and a test picture
    assert (found.distances > 0.05).all()


def test_a_small_memory_takes_fewer_views(pack: PackedDataset) -> None:
    room = 120 * FlatVectors.bytes_each(LumaChroma.dim)
    index = build_index(pack, LumaChroma(), max_bytes=9 * room, backend="torch")
    assert [view.name for view in index.views] == [v.name for v in declared_views(32)[:9]]
    assert len(build_index(pack, LumaChroma(), max_bytes=1).views) == 1


def test_building_and_saving_hold_one_copy(pack: PackedDataset, tmp_path: Path) -> None:
    views = declared_views(32)
    size = 120 * len(views) * FlatVectors.bytes_each(LumaChroma.dim)
    tracemalloc.start()
    try:
        index = build_index(pack, LumaChroma())
        built = tracemalloc.get_traced_memory()[1]
        tracemalloc.reset_peak()
        index.save(tmp_path / "i.safetensors")
        saved = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    # Views in hand: of one batch of 120 rows in 32 bits, which here is the whole of them.
    described = 4 * 120 * len(views) * LumaChroma.dim
    assert built < size + described + 20_000_000
    assert saved < 1.2 * size


def test_only_the_views_asked_for_are_indexed(pack: PackedDataset) -> None:
    views = [View(name="as it is"), View(name="turned", degrees=90.0)]
    index = build_index(pack, LumaChroma(), views=views)
    assert index.views == views
    found = index.search(apply_view(drawings([7]), views[1]), 1)
    assert (found.rows[0, 0], found.views[0, 0]) == (7, 1)
    assert found.distances[0, 0] < 1e-6


def test_without_faiss_torch_searches(
    index: NoveltyIndex, pack: PackedDataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert index.backend == "faiss"
    monkeypatch.setattr(faiss_search, "faiss", None)
    lone = build_index(pack, LumaChroma(), views=declared_views(32)[:3])
    assert lone.backend == "torch"
    assert lone.recall is None
    with pytest.raises(ConfigError, match=r"pip install -e '\.\[sample\]'"):
        build_index(pack, LumaChroma(), backend="faiss")


@pytest.mark.parametrize("error", ["ImportError", "RuntimeError"])
def test_a_faiss_that_does_not_load_is_like_none(tmp_path: Path, error: str) -> None:
    (tmp_path / "faiss.py").write_text(f"raise {error}('broken')")
    work = "from sample import faiss_search; assert not faiss_search.is_there()"
    root = str(Path(__file__).parents[2])
    paths = {**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), root])}
    subprocess.run([sys.executable, "-c", work], check=True, env=paths)


def test_a_pack_without_training_pictures_is_refused(tmp_path: Path) -> None:
    pack = PackedDataset(write_drawn_pack(tmp_path / "p.h5", train=0, cal=3, test=0))
    with pytest.raises(DataError, match="no training pictures"):
        build_index(pack, LumaChroma())


def test_a_grey_pack_is_indexed_like_grey_pictures(tmp_path: Path) -> None:
    grey = drawings(range(6))[..., 1]
    facts = [provenance(row) for row in range(6)]
    labels = np.zeros(6, np.int64)
    write_pack(tmp_path / "g.h5", grey[:, None].copy(), labels, ["all", "b"], facts, {})
    pack = PackedDataset(tmp_path / "g.h5")
    assert pack_pictures(pack, pack.rows("train")).shape == (6, 32, 32, 3)
    found = build_index(pack, LumaChroma()).search(np.repeat(grey[..., None], 3, axis=3), 1)
    assert found.rows[:, 0].tolist() == list(range(6))


def test_a_saved_index_answers_as_before(
    index: NoveltyIndex, pack: PackedDataset, tmp_path: Path
) -> None:
    index.save(tmp_path / "i.safetensors")
    loaded = NoveltyIndex.load(tmp_path / "i.safetensors", embedder=LumaChroma(), pack=pack)
    queries = drawings(range(500, 505))
    before, after = index.search(queries, 10), loaded.search(queries, 10)
    assert np.array_equal(before.rows, after.rows)
    assert np.array_equal(before.distances, after.distances)
    assert loaded.views == index.views


def test_an_index_of_another_pack_is_refused(
    index: NoveltyIndex, pack: PackedDataset, tmp_path: Path
) -> None:
    index.save(tmp_path / "i.safetensors")
    other = PackedDataset(write_drawn_pack(tmp_path / "o.h5", train=9, cal=0, test=0))
    with pytest.raises(DataError, match="another pack"):
        NoveltyIndex.load(tmp_path / "i.safetensors", embedder=LumaChroma(), pack=other)


def test_an_index_of_another_descriptor_is_refused(
    index: NoveltyIndex, pack: PackedDataset, tmp_path: Path
) -> None:
    index.save(tmp_path / "i.safetensors")
    with pytest.raises(DataError, match="other/1"):
        NoveltyIndex.load(tmp_path / "i.safetensors", embedder=OtherEmbedder(), pack=pack)


def test_an_index_with_other_views_is_refused(pack: PackedDataset, tmp_path: Path) -> None:
    path, odd = tmp_path / "i.safetensors", [View(name="as it is", degrees=180.0)]
    build_index(pack, LumaChroma(), views=odd).save(path)
    with pytest.raises(DataError, match="views"):
        NoveltyIndex.load(path, embedder=LumaChroma(), pack=pack)
    assert NoveltyIndex.load(path, embedder=LumaChroma(), pack=pack, views=odd).views == odd


def test_an_index_that_had_room_for_fewer_views_is_taken(
    pack: PackedDataset, tmp_path: Path
) -> None:
    views = declared_views(32)
    build_index(pack, LumaChroma(), views=views[:4]).save(tmp_path / "i")
    assert NoveltyIndex.load(tmp_path / "i", embedder=LumaChroma(), pack=pack).views == views[:4]


def test_a_damaged_index_is_refused(
    index: NoveltyIndex, pack: PackedDataset, tmp_path: Path
) -> None:
    path = tmp_path / "i.safetensors"
    index.save(path)
    whole = path.read_bytes()
    flipped = bytearray(whole)
    flipped[len(whole) // 2] ^= 1
    for content in (whole[:5000], b"not an index at all", b"", bytes(flipped)):
        path.write_bytes(content)
        with pytest.raises(DataError, match="damaged"):
            NoveltyIndex.load(path, embedder=LumaChroma(), pack=pack)


def test_an_index_of_an_older_version_is_refused(pack: PackedDataset, tmp_path: Path) -> None:
    path = tmp_path / "i.safetensors"
    for about in ("{}", '{"schema": "novelty-index/1"}', "[1]", "no JSON"):
        text = np.frombuffer(about.encode(), np.uint8)
        save_file({"vectors": np.zeros(3, np.float32), "about": text}, path)
        with pytest.raises(DataError, match="version"):
            NoveltyIndex.load(path, embedder=LumaChroma(), pack=pack)


def test_either_backend_reads_what_the_other_saved(
    index: NoveltyIndex, pack: PackedDataset, tmp_path: Path
) -> None:
    path, queries = tmp_path / "i.safetensors", drawings(range(500, 505))
    index.save(path)
    loaded = NoveltyIndex.load(path, embedder=LumaChroma(), pack=pack, backend="torch")
    assert loaded.backend == "torch"
    assert same(loaded.search(queries, 10), index.search(queries, 10))


def test_an_index_is_built_once_and_opened_again(pack: PackedDataset, tmp_path: Path) -> None:
    path, views = tmp_path / "new" / "i.safetensors", declared_views(32)[:2]
    built = open_index(path, pack, LumaChroma(), views=views)
    written = path.stat().st_mtime_ns
    opened = open_index(path, pack, LumaChroma(), views=views)
    assert path.stat().st_mtime_ns == written
    assert same(opened.search(drawings([3]), 4), built.search(drawings([3]), 4))
    assert open_index(None, pack, LumaChroma(), views=views).views == views


def test_a_missing_index_is_the_user_s_mistake(pack: PackedDataset, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no novelty index"):
        NoveltyIndex.load(tmp_path / "none", embedder=LumaChroma(), pack=pack)


def test_a_copy_hidden_by_a_shift_is_nearer_than_any_other_drawing(index: NoveltyIndex) -> None:
    found = index.search(apply_view(drawing(8)[None], View(name="", right=0.11, down=-0.05)), 2)
    assert found.rows[0, 0] == 8
    assert found.distances[0, 0] < found.distances[0, 1] / 2
