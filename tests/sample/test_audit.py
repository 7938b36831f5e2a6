"""The self-audit: what it plants, what it counts."""

from pathlib import Path

import numpy as np
import pytest

from dataset.packed import PackedDataset
from sample.audit import AuditRow, audit, plant_copies, share_of_copies
from sample.damages import DAMAGES
from sample.embed import LumaChroma
from sample.novelty import NoveltyChecker, NoveltyConfig
from sample.novelty_index import build_index
from tests.sample.drawings import drawings, write_drawn_pack


def test_planted_copies_are_found_and_new_pictures_are_spared(checker: NoveltyChecker) -> None:
    done = audit(checker)
    assert [row.name for row in done.planted] == list(DAMAGES)
    assert {row.trials for row in done.planted} == {12}
    assert done.all_planted.flagged / done.all_planted.trials > 0.9
    assert done.all_planted.copies / done.all_planted.trials > 0.75
    assert done.new.trials == 30
    assert done.new.copies == 0
    assert done.new.flagged <= 5
    assert done.soft.trials == 30
    assert done.soft.copies == 0
    assert sum(row.trials for row in done.new_by_stratum) == 30
    assert sum(row.flagged for row in done.new_by_stratum) == done.new.flagged


def test_the_same_copies_are_planted_every_time(checker: NoveltyChecker) -> None:
    again = plant_copies(checker)
    for name, pictures in plant_copies(checker).items():
        assert np.array_equal(pictures, again[name]), name


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
    row = AuditRow("noise", trials=20, copies=0, rare=5, flagged=20)
    assert row.copy_interval == pytest.approx((0.0, 0.1611), abs=1e-4)
    assert row.flagged_interval == pytest.approx((0.8389, 1.0), abs=1e-4)


def test_a_checker_is_audited_once(checker: NoveltyChecker) -> None:
    first = audit(checker)
    kept = dict(checker.remembered)
    assert audit(checker) == first
    assert all(checker.remembered[name] is scores for name, scores in kept.items())


@pytest.mark.parametrize(("copies", "share"), [(0, 0.0), (4, 0.1), (40, 1.0)])
def test_a_model_that_copies_so_much_is_said_to(
    checker: NoveltyChecker, copies: int, share: float
) -> None:
    pictures = drawings([*range(copies), *range(9400, 9440 - copies)])
    nobody = np.zeros(40, dtype=np.bool_)
    scores = checker.score(pictures, "test")
    found = share_of_copies(checker, scores, audit(checker), nobody)
    assert found.judged == 40
    assert found.interval[0] <= share <= found.interval[1]
    assert found.rate == pytest.approx(share, abs=0.06)


def test_acquitted_pictures_count_as_new(checker: NoveltyChecker) -> None:
    scores = checker.score(drawings(range(10)), "test")
    everybody = np.ones(10, dtype=np.bool_)
    assert share_of_copies(checker, scores, audit(checker), ~everybody).counted == 10
    assert share_of_copies(checker, scores, audit(checker), everybody).counted == 0


def test_without_calibration_the_share_is_not_estimated(tmp_path: Path) -> None:
    pack = PackedDataset(write_drawn_pack(tmp_path / "p.h5", train=25, cal=0, test=2))
    checker = NoveltyChecker(pack, build_index(pack, LumaChroma()), NoveltyConfig(audit=1))
    scores = checker.score(drawings([1, 9000]), "test")
    found = share_of_copies(checker, scores, audit(checker), np.zeros(2, dtype=np.bool_))
    assert (found.rate, found.interval) == (None, (0.0, 1.0))
