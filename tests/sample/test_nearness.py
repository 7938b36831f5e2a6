"""Nearness: search, alignment and the ratio to the next distinct originals."""

from pathlib import Path

import numpy as np
import pytest

from dataset.packed import PackedDataset
from dataset.pixels import Pixels
from sample.embed import LumaChroma
from sample.nearness import Nearness, measure
from sample.novelty_index import NoveltyIndex, build_index
from sample.views import View, apply_view, mirror
from tests.sample.drawings import drawings, provenance, write_drawn_pack, write_pictures

BETWEEN = View(name="", zoom=0.9, right=0.04, down=-0.05, degrees=3.0)


def nearness(
    pictures: Pixels, index: NoveltyIndex, pack: PackedDataset, reference: int = 50
) -> Nearness:
    return measure(pictures, index, pack, depth=5, reference=reference, least_reference=10)


def test_the_ratio_is_to_the_mean_of_the_next_originals(
    index: NoveltyIndex, pack: PackedDataset
) -> None:
    near = nearness(drawings(range(4000, 4004)), index, pack, reference=20)
    distances = near.neighbours.distances
    assert distances.shape == (4, 25)
    assert near.ratio == pytest.approx(distances[:, 0] / distances[:, 1:21].mean(axis=1))


def test_alignment_brings_a_copy_nearer_and_new_pictures_hardly(
    index: NoveltyIndex, pack: PackedDataset
) -> None:
    copies, new = apply_view(drawings(range(8)), BETWEEN), drawings(range(5000, 5008))
    for pictures, factor in ((copies, 0.7), (new, 1.0)):
        grid = index.search(pictures, 55)
        before = grid.distances[:, 0] / grid.distances[:, 1:51].mean(axis=1)
        near = nearness(pictures, index, pack)
        assert np.median(near.ratio) < factor * np.median(before)
        assert (near.neighbours.distances[:, 0] <= grid.distances[:, 0]).all()
    assert nearness(copies, index, pack).ratio.max() < nearness(new, index, pack).ratio.min()


def test_neighbours_stay_in_order_and_keep_their_company(
    index: NoveltyIndex, pack: PackedDataset
) -> None:
    pictures = drawings(range(6000, 6015))
    grid, near = index.search(pictures, 55), nearness(pictures, index, pack)
    distances = near.neighbours.distances
    assert (np.diff(distances, axis=1) >= 0).all()
    assert np.array_equal(np.sort(near.neighbours.rows), np.sort(grid.rows))
    assert np.array_equal(distances[:, 5:], grid.distances[:, 5:])
    for b, alignments in enumerate(near.alignments):
        assert [alignment.distance for alignment in alignments] == distances[b, :5].tolist()
        mirrored = near.neighbours.mirrored[b, :5].tolist()
        assert [alignment.mirrored for alignment in alignments] == mirrored


def test_a_mirrored_copy_is_aligned_as_its_mirror_image(
    index: NoveltyIndex, pack: PackedDataset
) -> None:
    copies = mirror(apply_view(drawings(range(10)), BETWEEN))
    near = nearness(copies, index, pack)
    assert near.neighbours.rows[:, 0].tolist() == list(range(10))
    found = [alignments[0] for alignments in near.alignments]
    assert all(alignment.mirrored for alignment in found)
    assert np.median([alignment.view.degrees for alignment in found]) == pytest.approx(3, abs=1)


def test_a_copy_made_so_light_that_colours_were_cut_off_is_found(
    index: NoveltyIndex, pack: PackedDataset
) -> None:
    lighter = np.clip(drawings(range(20)) * 1.3 + 25, 0, 255).astype(np.uint8)
    near = nearness(lighter, index, pack)
    assert near.neighbours.rows[:, 0].tolist() == list(range(20))
    assert max(alignments[0].gain for alignments in near.alignments) > 1.2
    assert near.ratio.max() < 0.3


@pytest.mark.parametrize("part", [slice(0, 1), slice(3, 7)])
def test_an_answer_does_not_depend_on_its_company(
    index: NoveltyIndex, pack: PackedDataset, part: slice
) -> None:
    pictures = drawings(range(7000, 7012))
    together, alone = nearness(pictures, index, pack), nearness(pictures[part], index, pack)
    assert np.array_equal(together.ratio[part], alone.ratio)
    assert together.alignments[part] == alone.alignments


def test_the_same_picture_is_at_no_distance(index: NoveltyIndex, pack: PackedDataset) -> None:
    near = nearness(np.concatenate([drawings([3]), mirror(drawings([4]))]), index, pack)
    assert near.neighbours.rows[:, 0].tolist() == [3, 4]
    assert near.ratio.tolist() == [0.0, 0.0]


def test_grey_copies_are_found(index: NoveltyIndex, pack: PackedDataset) -> None:
    luma = drawings(range(20)) @ np.array([0.299, 0.587, 0.114])
    grey = np.repeat(np.rint(luma).astype(np.uint8)[..., None], 3, axis=3)
    near = nearness(grey, index, pack)
    assert near.neighbours.rows[:, 0].tolist() == list(range(20))
    assert np.median(near.ratio) < 0.35


def test_too_few_originals_give_no_ratio(tmp_path: Path) -> None:
    pack = PackedDataset(write_drawn_pack(tmp_path / "p.h5", train=3, cal=0, test=0))
    near = nearness(drawings([0, 3000]), build_index(pack, LumaChroma()), pack)
    assert np.isnan(near.ratio).all()
    assert near.neighbours.rows[0, 0] == 0
    assert [len(alignments) for alignments in near.alignments] == [3, 3]


def test_one_original_many_times_gives_no_ratio_either(tmp_path: Path) -> None:
    facts = [provenance(row, group=row) for row in range(20)]
    path = write_pictures(tmp_path / "p.h5", drawings([7] * 20), facts)
    pack = PackedDataset(path)
    near = nearness(drawings([7]), build_index(pack, LumaChroma()), pack)
    assert np.isnan(near.ratio).all()
    assert near.neighbours.rows[0, :20].tolist() == list(range(20))
    assert [alignment.distance for alignment in near.alignments[0]] == [0.0] * 5


def test_copies_of_larger_pictures_are_aligned_too(tmp_path: Path) -> None:
    pack = PackedDataset(write_drawn_pack(tmp_path / "p.h5", train=12, cal=0, test=0, side=96))
    copies = apply_view(drawings(range(3), 96), BETWEEN)
    near = nearness(copies, build_index(pack, LumaChroma()), pack)
    assert near.neighbours.rows[:, 0].tolist() == [0, 1, 2]
    assert near.ratio.max() < 0.2


@pytest.mark.parametrize("level", [0, 255])
def test_blank_pictures_are_measured_without_complaint(
    index: NoveltyIndex, pack: PackedDataset, level: int
) -> None:
    near = nearness(np.full((2, 32, 32, 3), level, np.uint8), index, pack)
    assert np.isfinite(near.ratio).all()


def test_no_pictures_nothing_measured(index: NoveltyIndex, pack: PackedDataset) -> None:
    near = nearness(np.empty((0, 32, 32, 3), np.uint8), index, pack)
    assert near.ratio.shape == (0,)
    assert near.alignments == []
