"""The verdicts: copies are called so, new drawings are left alone, and doubt is admitted."""

from pathlib import Path

import numpy as np
import pytest

from dataset.errors import ConfigError, DataError
from dataset.packed import PackedDataset
from dataset.pixels import Pixels
from sample.embed import LumaChroma
from sample.novelty import VERDICTS, NoveltyChecker, NoveltyConfig, verdict_counts
from sample.novelty_index import NoveltyIndex, build_index
from sample.significance import wilson_interval
from sample.views import View, apply_view, mirror
from tests.sample.drawings import (
    drawing,
    drawings,
    provenance,
    write_drawn_pack,
    write_pictures,
)

NEW = range(1000, 1050)


def verdicts(checker: NoveltyChecker, pictures: Pixels) -> list[str]:
    return [found.verdict for found in checker.judge(checker.score(pictures, "test"))]


def checker_of(path: Path, config: NoveltyConfig | None = None) -> NoveltyChecker:
    pack = PackedDataset(path)
    return NoveltyChecker(pack, build_index(pack, LumaChroma()), config or NoveltyConfig())


def test_the_training_set_itself_is_all_copies(checker: NoveltyChecker) -> None:
    scores = checker.score(drawings(range(0, 120, 3)), "test")
    found = checker.judge(scores)
    assert {verdict.verdict for verdict in found} == {"copy"}
    assert scores.levels.max() == 0
    assert {verdict.p for verdict in found} == {checker.smallest_p}


def test_copies_in_disguise_are_copies(checker: NoveltyChecker) -> None:
    noise = np.random.default_rng(0).normal(0, 5, (20, 32, 32, 3))
    noisy = np.clip(drawings(range(20)) + noise, 0, 255).astype(np.uint8)
    moved = apply_view(mirror(drawings(range(20, 40))), View(name="", right=0.1, down=0.05))
    dimmed = (drawings(range(40, 60)) * 0.8).astype(np.uint8)
    found = verdicts(checker, np.concatenate([noisy, moved, dimmed]))
    assert found.count("copy") >= 57


def test_new_drawings_are_not_flagged_beyond_the_level(checker: NoveltyChecker) -> None:
    scores = checker.score(drawings(NEW), "test")
    flagged = int(checker.flagged(scores).sum())
    low, _ = wilson_interval(flagged, len(NEW))
    assert low <= checker.config.level
    assert verdict_counts(checker.judge(scores))["copy"] == 0


def test_ten_per_cent_copies_are_reported_as_ten_per_cent(checker: NoveltyChecker) -> None:
    found = verdicts(checker, np.concatenate([drawings(range(8)), drawings(range(1000, 1042))]))
    assert found[:8] == ["copy"] * 8
    assert "copy" not in found[8:]


def test_the_verdict_does_not_depend_on_the_company_but_for_q(checker: NoveltyChecker) -> None:
    together = checker.judge(checker.score(drawings(NEW), "test"))
    alone = checker.judge(checker.score(drawings(NEW[:1]), "test"))
    assert alone[0].p == together[0].p
    assert alone[0].q == alone[0].p


@pytest.mark.parametrize("level", [0, 128, 255])
def test_a_blank_picture_is_too_simple_to_judge(checker: NoveltyChecker, level: int) -> None:
    blank = np.full((1, 32, 32, 3), level, np.uint8)
    (found,) = checker.judge(checker.score(blank, "test"))
    assert found.verdict == "too simple to judge"
    assert found.p is None
    assert found.q is None


def test_blank_pictures_do_not_weigh_on_the_others(checker: NoveltyChecker) -> None:
    few = checker.judge(checker.score(drawings(range(2000, 2010)), "test"))
    blanks = np.zeros((30, 32, 32, 3), np.uint8)
    many = checker.judge(
        checker.score(np.concatenate([drawings(range(2000, 2010)), blanks]), "test")
    )
    assert few == many[:10]


def test_no_pictures_no_verdicts(checker: NoveltyChecker) -> None:
    scores = checker.score(np.empty((0, 32, 32, 3), np.uint8), "test")
    assert checker.judge(scores) == []
    assert verdict_counts([]) == dict.fromkeys(VERDICTS, 0)


@pytest.mark.parametrize("cal", [0, 10])
def test_too_few_calibration_pictures_admit_it(tmp_path: Path, cal: int) -> None:
    checker = checker_of(write_drawn_pack(tmp_path / "p.h5", train=40, cal=cal, test=0))
    assert not checker.calibrated
    assert verdicts(checker, drawings(range(3000, 3005))) == ["cannot say"] * 5


def test_the_same_pixels_are_a_copy_even_without_calibration(tmp_path: Path) -> None:
    checker = checker_of(write_drawn_pack(tmp_path / "p.h5", train=40, cal=0, test=0))
    shown = np.stack([drawing(3), mirror(drawings([4]))[0], drawing(5) ^ 1])
    assert verdicts(checker, shown) == ["copy"] * 3


def test_three_training_pictures_give_no_scale(tmp_path: Path) -> None:
    checker = checker_of(write_drawn_pack(tmp_path / "p.h5", train=3, cal=0, test=0))
    assert verdicts(checker, drawings([0, 3000])) == ["copy", "cannot say"]


def test_a_duplicate_among_the_calibration_pictures_does_not_hide_copies(tmp_path: Path) -> None:
    seeds = [*range(60), *range(5000, 5069), 7]  # drawing 7 is in both splits
    facts = [provenance(row, "train" if row < 60 else "cal") for row in range(len(seeds))]
    checker = checker_of(write_pictures(tmp_path / "p.h5", drawings(seeds), facts))
    disguised = apply_view(drawings([12, 13]), View(name="", right=0.09, down=0.03))
    assert checker.held_out.known == 1
    assert checker.calibration.ratios[0] > 0.1
    assert verdicts(checker, disguised) == ["copy", "copy"]


def test_a_duplicate_in_disguise_that_a_person_knows_is_left_out(tmp_path: Path) -> None:
    seeds = [*range(40), *range(5000, 5029)]
    hidden = apply_view(drawings([7]), View(name="", right=0.2, zoom=0.9))
    facts = [provenance(row, "train" if row < 40 else "cal") for row in range(len(seeds) + 1)]
    path = write_pictures(tmp_path / "p.h5", np.concatenate([drawings(seeds), hidden]), facts)
    lax = checker_of(path)
    (suspect,) = lax.held_out.rows[lax.held_out.ratios < lax.config.copy_ratio].tolist()
    assert suspect == len(seeds)
    strict = checker_of(path, NoveltyConfig(duplicates=(suspect,)))
    assert strict.held_out.known == 1
    assert len(strict.calibration.ratios) == len(lax.calibration.ratios) - 1
    assert strict.calibration.ratios[0] > lax.config.copy_ratio


def test_near_copies_need_q_and_close_ones_p(checker: NoveltyChecker) -> None:
    # The nearest of many new drawings: p at the level at best, too few for a small q.
    found = checker.judge(checker.score(drawings(range(6000, 6050)), "test"))
    for verdict in found:
        assert verdict.p is not None
        assert verdict.q is not None
        if verdict.verdict == "near copy":
            assert verdict.q <= checker.config.level
        if verdict.verdict == "close":
            assert verdict.p <= checker.config.level < verdict.q
        if verdict.verdict == "novel":
            assert verdict.p > checker.config.level


def test_the_ratio_is_to_the_next_distinct_originals(checker: NoveltyChecker) -> None:
    scores = checker.score(drawings([4000]), "test")
    near = scores.neighbours.distances[0]
    assert near.shape == (5 + 50,)
    assert scores.ratio[0] == pytest.approx(near[0] / near[1:51].mean())


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("k", 0),
        ("reference", 0),
        ("level", 0.0),
        ("level", 1.0),
        ("copy_level", 0.0),
        ("copy_ratio", 1.5),
        ("identical_levels", -1.0),
        ("least_contrast", -1.0),
        ("aligned", 0),
        ("strata", 0),
        ("strata", 4),
        ("least_stratum", 0),
        ("audit", 0),
        ("seed", -1),
        ("index_mb", 0),
    ],
)
def test_thresholds_out_of_range_are_refused_by_name(name: str, value: float) -> None:
    with pytest.raises(ConfigError, match=name):
        NoveltyConfig(**{name: value})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "pictures",
    [
        np.zeros((1, 16, 16, 3), np.uint8),
        np.zeros((1, 32, 32, 4), np.uint8),
        np.zeros((1, 32, 32), np.uint8),
        np.full((1, 32, 32, 3), np.nan, np.float32),
    ],
)
def test_pictures_of_another_shape_or_type_are_refused(
    checker: NoveltyChecker, pictures: Pixels
) -> None:
    with pytest.raises(DataError, match="cannot be compared"):
        checker.score(pictures, "test")


def test_how_many_neighbours_are_shown_moves_no_verdict(
    checker: NoveltyChecker, pack: PackedDataset, index: NoveltyIndex
) -> None:
    shown = drawings([3, 9100, 9101])
    wordy = NoveltyChecker(pack, index, NoveltyConfig(k=9))
    few, many = (one.judge(one.score(shown, "test")) for one in (checker, wordy))
    assert few == many


def test_what_a_person_acquits_joins_the_calibration_and_accuses_nobody_more(
    checker: NoveltyChecker,
) -> None:
    moved = apply_view(drawings(range(10)), View(name="", right=0.15, degrees=5))
    scores = checker.score(np.concatenate([moved, drawings(range(9200, 9210))]), "test")
    before = checker.p_values(scores)
    innocent = np.arange(20) < 5
    milder = checker.acquitting(scores, innocent)
    assert len(milder.calibration.ratios) == len(checker.calibration.ratios) + 5
    assert (milder.p_values(scores) >= before - 1 / 60).all()
    assert milder.p_values(scores)[0] > before[0]
    assert (checker.p_values(scores) == before).all()  # the checker itself stays as it was


def test_a_copy_to_the_eye_is_never_part_of_the_calibration(checker: NoveltyChecker) -> None:
    scores = checker.score(drawings([1, 2]), "test")
    same = checker.acquitting(scores, np.array([True, True]))
    assert len(same.calibration.ratios) == len(checker.calibration.ratios)


def test_parts_of_scores_are_judged_alike(checker: NoveltyChecker) -> None:
    scores = checker.score(drawings([1, 9300, 9301]), "test")
    assert (
        checker.p_values(scores)[[2, 0]].tolist()
        == checker.p_values(scores.part(np.array([2, 0]))).tolist()
    )
    assert len(scores.part(slice(1, 3)).alignments) == 2


def test_plain_and_intricate_pictures_are_each_judged_by_their_like(
    pack: PackedDataset, index: NoveltyIndex
) -> None:
    checker = NoveltyChecker(pack, index, NoveltyConfig(least_stratum=20))
    names = [stratum.name for stratum in checker.calibration.strata]
    assert names == ["plain", "middling", "intricate"]
    assert checker.smallest_p == pytest.approx(1 / 21)
    scores = checker.score(drawings(NEW), "test")
    assert set(checker.calibration.place(scores.complexity).tolist()) == {0, 1, 2}
    assert verdicts(checker, drawings([3, 4])) == ["copy", "copy"]


def test_a_stricter_level_asks_for_larger_strata(pack: PackedDataset, index: NoveltyIndex) -> None:
    config = NoveltyConfig(least_stratum=1, level=0.03)  # 33 pictures at least
    assert len(NoveltyChecker(pack, index, config).calibration.strata) == 1
