"""The reference and its like: equal in number, disjoint, and no near-duplicate in both."""

from pathlib import Path

import numpy as np
import pytest

from dataset.errors import ConfigError, DataError
from dataset.packed import PackedDataset
from sample.real_pictures import RealPictures, Side, choose_real, most_comparable
from tests.sample.drawings import drawings, provenance, write_pictures


@pytest.mark.parametrize(("side", "most"), [("train", 60), ("held-out", 45)])
def test_reference_and_its_like_share_no_picture(
    pack: PackedDataset, side: Side, most: int
) -> None:
    assert most_comparable(pack, side) == most
    real = choose_real(pack, side, most, seed=0)
    assert len(real.reference) == len(real.others) == most
    assert not set(real.reference) & set(real.others)
    own = set(pack.rows("train"))
    if side == "held-out":
        own = set(pack.rows("cal")) | set(pack.rows("test"))
    assert set(real.reference) | set(real.others) <= own
    assert not set(real.across) & own
    assert len(real.across) == min(most, len(pack) - len(own))


def test_the_seed_alone_decides(pack: PackedDataset) -> None:
    def rows(real: RealPictures) -> list[int]:
        return [*real.reference.tolist(), *real.others.tolist(), *real.across.tolist()]

    assert rows(choose_real(pack, "train", 40, 1)) == rows(choose_real(pack, "train", 40, 1))
    assert rows(choose_real(pack, "train", 40, 1)) != rows(choose_real(pack, "train", 40, 2))


def test_near_duplicates_do_not_make_real_look_nearer(tmp_path: Path) -> None:
    """Five of each drawing in one group: the two halves hold different drawings."""
    pictures = np.repeat(drawings(range(20)), 5, axis=0)
    facts = [provenance(row, group=row // 5) for row in range(100)]
    pack = PackedDataset(write_pictures(tmp_path / "groups.h5", pictures, facts))
    real = choose_real(pack, "train", 40, seed=3)
    assert not {row // 5 for row in real.reference} & {row // 5 for row in real.others}


def test_more_than_half_are_refused(pack: PackedDataset) -> None:
    with pytest.raises(DataError, match="120 training pictures; comparing 61 takes twice as many"):
        choose_real(pack, "train", 61, 0)
    with pytest.raises(DataError, match="comparing 0"):
        choose_real(pack, "train", 0, 0)


@pytest.mark.parametrize("side", ["train", "held-out"])
def test_a_class_alone_is_compared_with_its_own_real_pictures(
    pack: PackedDataset, side: Side
) -> None:
    most = most_comparable(pack, side, ("round",))
    assert 0 < most < most_comparable(pack, side)
    real = choose_real(pack, side, most, 0, ("round",))
    for rows in (real.reference, real.others, real.across):
        assert set(real.labels(rows)) == {"round"}
    assert real.reference_words.endswith("pictures of round")
    both = choose_real(pack, side, most, 0, ("round", "angular"))
    assert set(both.labels(both.reference)) == {"round", "angular"}
    with pytest.raises(ConfigError, match="has no class 'oval'; its classes: round, angular"):
        choose_real(pack, side, most, 0, ("oval",))


def test_pictures_captions_and_classes_are_those_of_the_rows(pack: PackedDataset) -> None:
    real = choose_real(pack, "train", 5, 0)
    assert (real.pictures(np.array([3, 1])) == drawings([3, 1])).all()
    assert real.captions(np.array([3, 1])) == ["Drawing number 3", "Drawing number 1"]
    assert real.labels(np.array([3, 0])) == ["angular", "round"]


def test_grey_and_transparent_pictures_are_seen_in_colour(tmp_path: Path) -> None:
    grey = drawings(range(12)).mean(axis=3, keepdims=True).astype(np.uint8)
    facts = [provenance(row) for row in range(12)]
    pack = PackedDataset(write_pictures(tmp_path / "grey.h5", grey, facts))
    seen = choose_real(pack, "train", 6, 0).pictures(np.array([0]))
    assert seen.shape == (1, 32, 32, 3)
    assert (seen[..., 0] == seen[..., 2]).all()
    clear = np.concatenate([drawings(range(12)), np.zeros((12, 32, 32, 1), np.uint8)], axis=3)
    pack = PackedDataset(write_pictures(tmp_path / "clear.h5", clear, facts))
    seen = choose_real(pack, "train", 6, 0).pictures(np.array([0]))
    assert seen.shape == (1, 32, 32, 3)
    assert len(np.unique(seen)) == 1  # nothing is left but the background
