"""The index: exact recall over views, distinct groups, ties, and what it refuses to load."""

from pathlib import Path

import numpy as np
import pytest

from dataset.errors import ConfigError, DataError
from dataset.pack_writer import write_pack
from dataset.packed import PackedDataset
from dataset.pixels import Pixels
from sample.embed import LumaChroma, Vectors
from sample.novelty_index import NoveltyIndex, build_index, pack_pictures
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


def test_the_search_is_exact(index: NoveltyIndex) -> None:
    queries = drawings(range(300, 308))
    found = index.search(queries, 20)
    both = [LumaChroma().embed(queries), LumaChroma().embed(mirror(queries))]
    for place in range(len(queries)):
        apart = [
            np.linalg.norm(index.vectors.astype(np.float64) - side[place], axis=2).min(axis=0)
            for side in both
        ]
        nearest = np.minimum(*apart)  # (N,) over all views and the mirror
        assert found.rows[place].tolist() == np.argsort(nearest, kind="stable")[:20].tolist()
        assert found.distances[place] == pytest.approx(np.sort(nearest)[:20], abs=1e-9)


def test_answers_do_not_depend_on_the_batch(index: NoveltyIndex) -> None:
    queries = drawings(range(400, 430))
    together = index.search(queries, 30)
    for place in range(0, 30, 7):
        alone = index.search(queries[place : place + 1], 30)
        assert np.array_equal(alone.rows[0], together.rows[place])
        assert np.array_equal(alone.distances[0], together.distances[place])
        assert np.array_equal(alone.views[0], together.views[place])


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


def test_no_query_gets_no_answer(index: NoveltyIndex) -> None:
    assert index.search(np.empty((0, 32, 32, 3), np.uint8), 5).rows.shape == (0, 5)


def test_only_the_training_split_is_indexed(index: NoveltyIndex) -> None:
    assert index.rows.tolist() == list(range(120))
    found = index.search(drawings([130, 190]), 1)  # a cal and a test picture
    assert (found.distances > 0.05).all()


def test_a_small_memory_takes_fewer_views(pack: PackedDataset) -> None:
    index = build_index(pack, LumaChroma(), max_bytes=120 * LumaChroma.dim * 4 * 9)
    assert [view.name for view in index.views] == [v.name for v in declared_views(32)[:9]]
    assert len(build_index(pack, LumaChroma(), max_bytes=1).views) == 1


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


def test_an_index_with_other_views_is_refused(
    index: NoveltyIndex, pack: PackedDataset, tmp_path: Path
) -> None:
    own = (index.rows, index.groups, [View(name="upside down")])
    vectors: Vectors = index.vectors[:1]
    odd = NoveltyIndex(vectors, *own, embedder=LumaChroma(), pack_hash=pack.content_hash)
    odd.save(tmp_path / "i.safetensors")
    with pytest.raises(DataError, match="views"):
        NoveltyIndex.load(tmp_path / "i.safetensors", embedder=LumaChroma(), pack=pack)


def test_a_damaged_index_is_refused(
    index: NoveltyIndex, pack: PackedDataset, tmp_path: Path
) -> None:
    path = tmp_path / "i.safetensors"
    index.save(path)
    path.write_bytes(path.read_bytes()[:5000])
    with pytest.raises(DataError, match="damaged"):
        NoveltyIndex.load(path, embedder=LumaChroma(), pack=pack)
    path.write_bytes(b"not an index at all")
    with pytest.raises(DataError):
        NoveltyIndex.load(path, embedder=LumaChroma(), pack=pack)


def test_a_missing_index_is_the_user_s_mistake(pack: PackedDataset, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no novelty index"):
        NoveltyIndex.load(tmp_path / "none", embedder=LumaChroma(), pack=pack)


def test_a_copy_hidden_by_a_shift_is_nearer_than_any_other_drawing(index: NoveltyIndex) -> None:
    found = index.search(apply_view(drawing(8)[None], View(name="", right=0.11, down=-0.05)), 2)
    assert found.rows[0, 0] == 8
    assert found.distances[0, 0] < found.distances[0, 1] / 2
