"""The benchmark's own catalogue: the same in every run, and one that the app could have made."""

from pathlib import Path

import pytest

from curate_app import create_app
from tests.bench.large_catalogue import COMMON_WORD, copy_of, fill
from tests.curate_app.conftest import Judge
from tests.curate_app.drawn_catalogue import HOSTILE
from tests.curate_app.mixed_actions import check_log, stored_state

COUNT = 400


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bench") / "data"
    fill(folder, COUNT)
    return folder


def test_it_is_the_same_in_every_run(data: Path, tmp_path: Path) -> None:
    fill(tmp_path / "again", COUNT)
    again = stored_state(tmp_path / "again" / "catalog.sqlite")
    assert again == stored_state(data / "catalog.sqlite")


def test_its_state_is_the_replay_of_its_log(data: Path) -> None:
    assert check_log(data / "catalog.sqlite") > COUNT


def test_the_app_shows_judges_and_takes_back(data: Path, tmp_path: Path) -> None:
    judged = copy_of(data, tmp_path / "copy")
    path = judged / "catalog.sqlite"
    before = stored_state(path)
    judge = Judge(create_app(judged, testing=True))
    page = judge.get("/?format=json").get_json()
    assert (page["total"], len(page["pictures"])) == (COUNT, 200)
    assert judge.get(page["pictures"][0]["thumbnail"]).status_code == 200
    found = judge.get(f"/?text={COMMON_WORD}&format=json").get_json()
    assert COUNT // 8 < found["total"] < COUNT // 5
    assert page["pictures"][0]["caption"].startswith(HOSTILE)
    assert HOSTILE not in judge.get("/").text
    fresh = judge.get("/?status=undecided&format=json").get_json()["pictures"]
    judge.judge("keep", fresh[0]["id"])
    assert stored_state(path) != before
    judge.post("/undo", {})
    assert stored_state(path) == before
