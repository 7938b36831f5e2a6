"""The drawing screen: what may be asked, of which run, and what becomes of what is kept."""

import io
import json
import shlex
import shutil
import sys
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from curate_app import create_app, studio
from curate_app.drawing_form import MOST_SEED, SAMPLERS, SHARES, DrawForm, read_form
from curate_app.runs import runs_in
from curate_app.studio import Studio
from curate_app.studios import studios_of
from dataset.errors import ConfigError
from sample.cli import main
from sample.studio_request import read_request
from tests.curate_app.conftest import Judge
from tests.curate_app.drawn_catalogue import HOSTILE, DrawnCatalogue
from tests.curate_app.test_drawn_picture import line
from tests.curate_app.trained_run import train_run
from train.samplers import SAMPLERS as KNOWN_SAMPLERS

ASK = {"run": "tiny", "sampler": "ddim", "steps": 3, "count": 2, "seed": 5, "label": "round"}


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return train_run(tmp_path_factory.mktemp("trained"))


@pytest.fixture
def runs(trained: Path, tmp_path: Path) -> Path:
    shutil.copytree(trained, tmp_path / "runs" / "tiny")
    return tmp_path / "runs"


@pytest.fixture
def page(drawn: DrawnCatalogue, runs: Path) -> Iterator[Judge]:
    judge = Judge(create_app(drawn.data, runs=runs, testing=True))
    yield judge
    studios_of(judge.app).close()


def drawn_by(page: Judge, **changes: Any) -> list[dict[str, Any]]:
    """The pictures of a request, once all is drawn."""
    answer = page.post("/generate/draw", {**ASK, **changes})
    assert answer.status_code == 200, answer.text
    number = answer.get_json()["request"]
    assert studios_of(page.app).of("tiny").wait(90)
    shown = page.get("/generate?run=tiny&format=json").get_json()
    assert shown["state"]["error"] == ""
    return [one for one in shown["pictures"] if one["request"] == number]


def test_pictures_are_drawn_judged_kept_and_taken_home(page: Judge, runs: Path) -> None:
    first, second = drawn_by(page)
    assert (first["seed"], first["label_name"], first["steps"]) == (5, "round", 3)
    studio = studios_of(page.app).of("tiny")
    with studio.changed:
        assert studio.changed.wait_for(lambda: not studio.is_checking, 60)
    html = page.get("/generate?run=tiny").text
    assert f'data-picture="{first["sha256"]}"' in html
    assert "being checked" not in html
    assert "https://pictures.example/" in html
    assert "CC0-1.0" in html
    png = page.get(f"/generate/picture?run=tiny&picture={first['sha256']}")
    assert (png.mimetype, png.data[:4]) == ("image/png", b"\x89PNG")
    near = page.get(f"/generate/original?run=tiny&picture={first['sha256']}&place=0")
    assert near.data[:4] == b"\x89PNG"

    kept = page.post("/generate/keep", {"run": "tiny", "picture": second["sha256"]}).get_json()
    assert (kept["kept"], kept["count"], kept["message"]) == (True, 1, "kept seed 6")
    own = page.get(f"/generate/kept?run=tiny&file={kept['file']}")
    assert own.data == (runs / "tiny" / "kept" / kept["file"]).read_bytes()
    packed = page.get("/generate/kept.zip?run=tiny")
    assert "tiny-kept.zip" in packed.headers["Content-Disposition"]
    with zipfile.ZipFile(io.BytesIO(packed.data)) as archive:
        told = json.loads(archive.read("manifest.json"))
    assert told["pictures"][0]["novelty"]["verdict"] in {"novel", "close", "near copy", "copy"}
    assert page.post("/generate/undo", {"run": "tiny"}).get_json()["kept"] is False
    assert page.get("/generate/kept.zip?run=tiny").status_code == 404

    # The same child draws again, and what lies beside a seed.
    child = studio._child
    [alike] = drawn_by(page, like=5, share=0.1, count=1)
    assert (alike["seed"], alike["share"]) == (5, 0.1)
    assert studio._child is child
    page.post("/generate/clear", {"run": "tiny"})
    assert page.get("/generate?run=tiny&format=json").get_json()["pictures"] == []
    # It ends with the app.
    studios_of(page.app).close()
    assert child is not None
    assert child.is_over
    assert page.post("/generate/draw", ASK).status_code == 409


def test_command_line_that_is_shown_draws_the_same(
    page: Judge, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = "/generate?run=tiny&label=round&steps=3&sampler=ddim&count=2&seed=5&format=json"
    line = page.get(address).get_json()["command"]
    python, minus_m, stage, *words = shlex.split(line)
    assert (python, minus_m, stage) == ("python", "-m", "sample")
    monkeypatch.chdir(tmp_path)
    assert main([*words, "--device", "cpu"]) == 0
    told = json.loads((tmp_path / "drawn" / "manifest.json").read_text())
    assert [(one["seed"], one["label_name"]) for one in told["pictures"]] == [
        (5, "round"),
        (6, "round"),
    ]
    assert (told["steps"], told["sampler"]) == (3, "ddim")


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("seed", -1),
        ("seed", MOST_SEED + 1),
        ("seed", 1.5),
        ("seed", True),
        ("seed", "5; rm"),
        ("count", 0),
        ("count", 65),
        ("steps", 0),
        ("steps", 1001),
        ("guidance", -1),
        ("guidance", 51),
        ("guidance", None),
        ("guidance", "nan"),
        ("share", 0.3),
        ("like", -5),
        ("sampler", "--out=/etc"),
        ("sampler", None),
        ("label", "cat"),
        ("label", "x" * 300),
        ("label", ["round"]),
        ("checkpoint", "../000000008"),
        ("checkpoint", "000000009"),
        ("checkpoint", 8),
        ("out", "x"),
    ],
)
def test_setting_out_of_range_is_refused_and_starts_nothing(
    key: str, value: object, page: Judge
) -> None:
    answer = page.post("/generate/draw", {**ASK, key: value})
    assert answer.status_code == 400
    assert key in answer.get_json()["error"]
    assert not studios_of(page.app).of("tiny").is_at_work
    if isinstance(value, str | int | float) and key not in ("out", "like"):
        shown = page.get(f"/generate?run=tiny&{key}={quote(str(value))}")
        assert shown.status_code == 400 or type(value) is bool


@pytest.mark.parametrize(
    "name",
    ["..", ".", "", "/etc", "../runs/tiny", "tiny/", "tiny/../tiny", "TINY", "x" * 300, "a\0"],
)
def test_only_runs_that_are_listed_are_ever_opened(name: str, page: Judge) -> None:
    for path in ("", "/state", "/drawn", "/kept.zip"):
        assert page.get(f"/generate{path}?run={quote(name)}").status_code in (400, 404), path
    for verb in ("draw", "stop", "clear", "undo"):
        assert page.post(f"/generate/{verb}", {"run": name}).status_code in (400, 404), verb
    assert page.post("/generate/keep", {"run": name, "picture": "0" * 64}).status_code in (400, 404)


@pytest.mark.parametrize(
    "address",
    [
        "/generate?run=tiny&run=tiny",
        "/generate?run=tiny&like=3",
        "/generate?run=tiny&format=xml",
        "/generate?nonsense=1",
        "/generate/state?run=tiny&x=1",
        "/generate/drawn?run=tiny&after=-1",
        "/generate/drawn?run=tiny&after=1e3",
        "/generate/kept?run=tiny&file=../config.json",
        "/generate/kept?run=tiny&file=manifest.json",
        "/generate/picture?run=tiny&picture=../../x",
        "/generate/picture?run=tiny",
        f"/generate/original?run=tiny&picture={'0' * 64}&place=0",
    ],
)
def test_strange_address_is_told_in_one_line(address: str, page: Judge) -> None:
    assert page.get(address).status_code in (400, 404)


def test_without_a_run_the_page_says_how_to_get_one(drawn: DrawnCatalogue, tmp_path: Path) -> None:
    for folder in (tmp_path / "none", tmp_path):
        page = Judge(create_app(drawn.data, runs=folder, testing=True))
        answer = page.get("/generate")
        assert answer.status_code == 200
        assert "python -m train run" in answer.text
        assert page.get("/generate?format=json").get_json()["runs"] == []


def test_without_torch_the_page_says_what_to_install(
    page: Judge, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    assert "pip install" in page.get("/generate?run=tiny").text
    answer = page.post("/generate/draw", ASK)
    assert (answer.status_code, "PyTorch" in answer.get_json()["error"]) == (503, True)


def test_runs_that_cannot_be_drawn_from_are_told_why(page: Judge, runs: Path) -> None:
    shutil.copytree(runs / "tiny", runs / "broken")
    (runs / "broken" / "checkpoints" / "000000016" / "checkpoint.json").write_text("{")
    large = shutil.copytree(runs / "tiny", runs / "large")
    for path in large.glob("checkpoints/*/checkpoint.json"):
        told = json.loads(path.read_text())
        told["config"]["upscale"]["from_size"] = 8
        path.write_text(json.dumps(told))
    (runs / "empty").mkdir()
    (runs / "note.txt").write_text("no run")
    found = {run.name: run.problem for run in runs_in(runs)}
    assert set(found) == {"tiny", "broken", "large"}
    assert "damaged" in found["broken"]
    assert "enlarges" in found["large"]
    answer = page.post("/generate/draw", {**ASK, "run": "large"})
    assert (answer.status_code, "enlarges" in answer.get_json()["error"]) == (400, True)
    assert "enlarges" in page.get("/generate?run=large").text


def test_run_whose_every_word_is_hostile_is_shown_as_text(page: Judge, runs: Path) -> None:
    name = HOSTILE.replace("/", "")
    bad = shutil.copytree(runs / "tiny", runs / name)
    for path in bad.glob("checkpoints/*/checkpoint.json"):
        told = json.loads(path.read_text())
        told["subject"]["label_names"] = [HOSTILE, "round"]
        path.write_text(json.dumps(told))
    html = page.get(f"/generate?run={quote(name)}&label={quote(HOSTILE)}").text
    assert "<script>document" not in html
    assert "&lt;script&gt;" in html


def test_every_sampler_and_every_form_is_one_that_the_studio_takes() -> None:
    assert set(SAMPLERS) == set(KNOWN_SAMPLERS)
    for form in (DrawForm(), DrawForm(like=3, share=0.1, label="cat", seed=MOST_SEED, count=64)):
        told = form.request(4)
        read_request(json.dumps(told))
        assert told["id"] == 4
    assert all(0 < share < 1 for share in SHARES)


def test_address_holds_what_is_not_as_usual() -> None:
    form = DrawForm(seed=7, guidance=3.5, label="cat")
    assert form.address() == {"seed": 7, "guidance": 3.5, "label": "cat"}
    texts = {key: str(value) for key, value in form.address().items()}
    assert read_form(texts) == form
    with pytest.raises(ConfigError, match="unknown key"):
        read_form({"no": "1"})


def test_state_of_a_run_that_is_not_drawn_from_is_asleep(page: Judge) -> None:
    told = page.get("/generate/state?run=tiny").get_json()
    assert (told["state"], told["pictures"], told["error"]) == ("asleep", 0, "")


PROGRAM = """
import json, sys, time
lines = {lines!r}
def say(told): print(told if isinstance(told, str) else json.dumps(told), flush=True)
say({{"event": "ready", "checkpoint": "c", "images_seen": 1, "pack_hash": "x"}})
for asked in sys.stdin:
    for told in lines:
        say(told)
"""


@pytest.fixture
def scripted(runs: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A studio whose child says these lines when it is asked for anything."""
    [run] = runs_in(runs)
    started: list[Studio] = []

    def start(*lines: object) -> Studio:
        command = [sys.executable, "-c", PROGRAM.format(lines=list(lines))]
        monkeypatch.setattr(studio, "command_of", lambda _checkpoint: command)
        made = Studio(run.name)
        started.append(made)
        made.draw(run, DrawForm(count=2))
        made.wait(20)
        return made

    yield start
    for made in started:
        made.close()


def test_child_that_says_what_it_never_says_is_ended(scripted: Any) -> None:
    for bad in (
        "no json",
        "[1]",
        {"event": "boo"},
        {**line(), "png": "x"},
        {**line(), "id": 9},
        {"event": "done", "id": 1},
        {"event": "findings", "id": 1, "findings": [3]},
        {"event": "step", "id": 1, "step": "x", "steps": 1, "pictures": 0},
        "[" * 5000,
    ):
        made = scripted(bad)
        with made.changed:
            assert made.changed.wait_for(lambda one=made: not one.is_at_work, 20)
        assert made.state == "failed"
        assert "what it never says" in made.error
        assert list(made.pictures) == []


def test_verdicts_that_come_later_reach_the_pictures(scripted: Any) -> None:
    shown = [line(finding=None), line(finding=None, place=1, seed=13)]
    done = {"event": "done", "id": 1, "verdicts": []}
    found = line()["finding"]
    late = {"event": "findings", "id": 1, "findings": [{"place": 1, **found, "verdict": "copy"}]}
    made = scripted(*shown, done, late, {"event": "checking", "unchecked": "the pack is gone"})
    with made.changed:
        assert made.changed.wait_for(lambda: not made.is_checking, 20)
    assert [one.verdict for one in made.pictures] == ["not checked", "copy"]
    assert made.as_json()["unchecked"] == "the pack is gone"
    assert [one.place for one in made.since(made.pictures[0].revision - 1)] == [0]


def test_other_checkpoint_means_another_child(scripted: Any, runs: Path) -> None:
    done = {"event": "done", "id": 1, "verdicts": []}
    made = scripted(done, {**done, "id": 2})
    [run] = runs_in(runs)
    first, at = made._child, made.checkpoint
    made.draw(run, DrawForm(checkpoint="000000008"))
    assert made._child is not first
    assert made.wait(20)
    assert (at.name, made.checkpoint.name) == ("000000016", "000000008")


def test_form_that_a_run_does_not_fit_is_refused(runs: Path) -> None:
    [run] = runs_in(runs)
    few = replace(run, most_steps=10, kind="vae")
    with pytest.raises(ConfigError, match="steps is 20"):
        DrawForm().fitted(few)
    with pytest.raises(ConfigError, match="like is 3"):
        DrawForm(steps=2, like=3).fitted(few)
