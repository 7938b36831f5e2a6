"""The self-audit: what it plants, what it counts."""

from pathlib import Path

import numpy as np
import pytest

from dataset.packed import PackedDataset
from sample.audit import DAMAGES, AuditRow, audit, plant_copies
from sample.embed import LumaChroma
from sample.novelty import NoveltyChecker, NoveltyConfig
from sample.novelty_index import build_index
from tests.sample.drawings import drawing, write_drawn_pack


def test_planted_copies_are_found_and_new_pictures_are_spared(checker: NoveltyChecker) -> None:
    done = audit(checker)
    assert [row.name for row in done.planted] == list(DAMAGES)
    assert {row.trials for row in done.planted} == {12}
    assert done.all_planted.flagged / done.all_planted.trials > 0.9
    assert done.all_planted.copies / done.all_planted.trials > 0.75
    assert done.new.trials == 30
    assert done.new.copies == 0
    assert done.new.flagged_interval[0] <= checker.config.level


def test_the_same_copies_are_planted_every_time(checker: NoveltyChecker) -> None:
    again = plant_copies(checker)
    for name, pictures in plant_copies(checker).items():
        assert np.array_equal(pictures, again[name]), name


@pytest.mark.parametrize("name", list(DAMAGES))
def test_every_damage_changes_a_picture_and_keeps_its_shape(name: str) -> None:
    before = drawing(1)
    after = DAMAGES[name](before.copy(), np.random.default_rng(0))
    assert after.shape == before.shape
    assert after.dtype == np.uint8
    assert not np.array_equal(after, before)


def test_strengths_are_drawn_at_random(checker: NoveltyChecker) -> None:
    for name, pictures in plant_copies(checker).items():
        assert len(np.unique(pictures.reshape(len(pictures), -1), axis=0)) == 12, name


def test_a_pack_without_test_split_is_audited_with_planted_copies_alone(tmp_path: Path) -> None:
    pack = PackedDataset(write_drawn_pack(tmp_path / "p.h5", train=25, cal=25, test=0))
    checker = NoveltyChecker(pack, build_index(pack, LumaChroma()), NoveltyConfig(audit=4))
    done = audit(checker)
    assert done.new.trials == 0
    assert done.new.flagged_interval == (0.0, 1.0)
    assert done.all_planted.trials == 4 * len(DAMAGES)


def test_rates_carry_wilson_intervals() -> None:
    row = AuditRow("noise", trials=20, copies=0, flagged=20)
    assert row.copy_interval == pytest.approx((0.0, 0.1611), abs=1e-4)
    assert row.flagged_interval == pytest.approx((0.8389, 1.0), abs=1e-4)
