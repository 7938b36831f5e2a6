"""The content of novelty.json: every key that readers of it rely on."""

import json

import numpy as np
import pytest

from sample.inspection import judged_record
from sample.novelty import NoveltyChecker
from sample.pictures import PictureFile
from tests.sample.drawings import drawings

KEYS = {
    "": "config embedder backend recall views pack calibration verdicts share fewest_findings audit"
    " most_copied pictures",
    "pack": "path content_hash train groups cal test",
    "calibration": "pictures smallest_p enough false_alarms duplicates suspect threshold strata"
    " lowest ratios complexities",
    "share": "judged flagged copies counted rate interval",
    "audit": "planted all_planted new new_by_stratum soft",
}
PICTURE = (
    "file sha256 label seed verdict false_alarm p q ratio levels contrast complexity stratum"
    " neighbours"
)
NEIGHBOUR = (
    "row distance ratio view mirrored alignment label image_id caption url page_url source author"
    " licence licence_url fetched_at sha256 phash rating"
)


@pytest.fixture(scope="module")
def record(checker: NoveltyChecker) -> dict:  # type: ignore[type-arg]
    files = [PictureFile(f"{n}.png", bytes([n]), "round", n) for n in range(3)]
    return judged_record(checker, files, drawings([8000, 7, 8001]))


@pytest.mark.parametrize("part", list(KEYS))
def test_every_part_has_its_keys(record: dict, part: str) -> None:  # type: ignore[type-arg]
    assert set(record[part] if part else record) == set(KEYS[part].split())


def test_pictures_and_neighbours_have_their_keys(record: dict) -> None:  # type: ignore[type-arg]
    for picture in record["pictures"]:
        assert set(picture) == set(PICTURE.split())
        for near in picture["neighbours"]:
            assert set(near) == set(NEIGHBOUR.split())
    (stratum,) = record["calibration"]["strata"]
    assert set(stratum) == {"name", "up_to", "pictures", "smallest_p", "threshold"}
    row = record["audit"]["planted"][0]
    assert set(row) == {
        *("name", "trials", "copies", "rare", "flagged", "copy_interval", "flagged_interval")
    }


def test_it_is_plain_json_without_infinities(record: dict) -> None:  # type: ignore[type-arg]
    assert json.loads(json.dumps(record, allow_nan=False)) == record


def test_the_copy_comes_first_and_knows_its_original(
    record: dict,  # type: ignore[type-arg]
) -> None:
    first = record["pictures"][0]
    assert (first["file"], first["seed"], first["verdict"]) == ("1.png", 1, "copy")
    near = first["neighbours"][0]
    assert (near["row"], near["mirrored"], near["view"]) == (7, False, "as it is")
    assert near["distance"] == near["ratio"] == pytest.approx(0, abs=1e-3)
    assert near["alignment"]["zoom"] == pytest.approx(1, abs=0.02)
    for picture in record["pictures"]:
        ratios = [near["ratio"] for near in picture["neighbours"]]
        assert ratios[0] == pytest.approx(picture["ratio"], abs=1e-9)
        assert ratios == sorted(ratios)
        assert picture["stratum"] == "all"


def test_the_lowest_calibration_pairs_are_of_the_cal_and_the_train_split(
    record: dict,  # type: ignore[type-arg]
    checker: NoveltyChecker,
) -> None:
    calibration = record["calibration"]
    lowest = calibration["lowest"]
    assert len(lowest) == 20
    ratios = [pair["ratio"] for pair in lowest]
    assert ratios == sorted(ratios)
    assert ratios == pytest.approx(calibration["ratios"][:20], abs=1e-6)
    assert {pair["row"] for pair in lowest} <= set(checker.pack.rows("cal").tolist())
    assert {pair["near_row"] for pair in lowest} <= set(checker.pack.rows("train").tolist())
    assert len(calibration["complexities"]) == len(calibration["ratios"]) == 60


def test_no_pictures_make_an_empty_record(checker: NoveltyChecker) -> None:
    empty = judged_record(checker, [], np.empty((0, 32, 32, 3), np.uint8))
    assert empty["pictures"] == empty["most_copied"] == []
    assert empty["share"]["judged"] == 0
    assert empty["share"]["rate"] is None
