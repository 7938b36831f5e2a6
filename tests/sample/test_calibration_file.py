"""The calibration on the disk: as good as a new one, and never one of other scores."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from dataset.packed import PackedDataset
from sample.audit import audit
from sample.calibration_file import (
    CalibrationKey,
    calibration_key,
    calibration_path,
    load_calibration,
    save_calibration,
)
from sample.inspection import open_checker
from sample.novelty import NoveltyChecker, NoveltyConfig
from sample.novelty_index import NoveltyIndex
from tests.sample.drawings import drawings

CONFIG = NoveltyConfig(audit=2)
KEY = CalibrationKey("cal", "audit")


@pytest.fixture(scope="module")
def audited(small_pack: PackedDataset) -> NoveltyChecker:
    checker = open_checker(small_pack, CONFIG)
    audit(checker)
    return checker


def test_what_is_kept_gives_the_same_verdicts_and_the_same_audit(
    audited: NoveltyChecker, tmp_path: Path
) -> None:
    path = tmp_path / "kept"
    save_calibration(path, KEY, audited.remembered)
    kept = load_calibration(path, KEY)
    again = NoveltyChecker(audited.pack, audited.index, CONFIG, kept)
    assert again.calibration.ratios.tolist() == audited.calibration.ratios.tolist()
    assert again.held_out.near_rows.tolist() == audited.held_out.near_rows.tolist()
    assert audit(again) == audit(audited)
    scores = audited.score(drawings([3, 9000]), "test")
    assert again.judge(scores) == audited.judge(scores)


def test_an_opened_checker_keeps_its_calibration_beside_the_index(
    small_pack: PackedDataset, tmp_path: Path
) -> None:
    index = tmp_path / "index"
    first = open_checker(small_pack, CONFIG, index)
    path = calibration_path(index)
    written = path.stat().st_mtime_ns
    second = open_checker(small_pack, CONFIG, index)
    assert path.stat().st_mtime_ns == written
    assert second.calibration.ratios.tolist() == first.calibration.ratios.tolist()


def test_other_scores_have_another_key(index: NoveltyIndex) -> None:
    key = calibration_key(index, CONFIG)
    assert calibration_key(index, CONFIG) == key
    assert calibration_key(index, replace(CONFIG, k=9, level=0.2, strata=1)) == key
    names = ("aligned", "reference", "least_reference")
    others = [calibration_key(index, replace(CONFIG, **{name: 7})) for name in names]  # type: ignore[arg-type]
    assert len({key.cal, *(other.cal for other in others)}) == 4
    audits = [calibration_key(index, replace(CONFIG, audit=7)), *others]
    audits.append(calibration_key(index, replace(CONFIG, seed=7)))
    assert len({key.audit, *(other.audit for other in audits)}) == 6
    assert {other.cal for other in (audits[0], audits[-1])} == {key.cal}


def test_a_command_with_another_audit_shares_the_calibration_alone(
    audited: NoveltyChecker, tmp_path: Path
) -> None:
    path = tmp_path / "kept"
    save_calibration(path, KEY, audited.remembered)
    assert set(load_calibration(path, CalibrationKey("cal", "another"))) == {"cal"}


@pytest.mark.parametrize("content", [b"", b"no", b"0" * 2000])
def test_a_damaged_file_is_measured_anew(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "kept").write_bytes(content)
    assert load_calibration(tmp_path / "kept", KEY) == {}
    assert load_calibration(tmp_path / "none", KEY) == {}


def test_a_cut_or_changed_file_and_another_key_are_not_used(
    audited: NoveltyChecker, tmp_path: Path
) -> None:
    path = tmp_path / "kept"
    save_calibration(path, KEY, audited.remembered)
    assert load_calibration(path, CalibrationKey("another", "audit")) == {}
    whole = path.read_bytes()
    assert set(load_calibration(path, KEY)) == set(audited.remembered)
    path.write_bytes(whole[:-40])
    assert load_calibration(path, KEY) == {}
    changed = bytearray(whole)
    changed[-9] ^= 1
    path.write_bytes(changed)
    assert load_calibration(path, KEY) == {}


def test_numbers_that_are_none_survive(tmp_path: Path, audited: NoveltyChecker) -> None:
    scores = audited.remembered["cal"]
    odd = replace(scores, ratio=np.full_like(scores.ratio, np.nan))
    save_calibration(tmp_path / "kept", KEY, {"cal": odd})
    assert np.isnan(load_calibration(tmp_path / "kept", KEY)["cal"].ratio).all()
