"""The pack screen: the numbers are those of the pack, the job is the command, names are checked."""

import json
import re
import shlex
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curate_app.export import pack_arguments
from curate_app.jobs import jobs_of
from dataset.cli import main
from dataset.config import load_config, to_mapping
from dataset.errors import ConfigError
from dataset.pack_selection import PackConfig
from dataset.records import Origin, PairChange, SettingChange
from dataset.workspace import Workspace
from tests.curate_app.conftest import Judge
from tests.curate_app.drawn_catalogue import HOSTILE, DrawnCatalogue, drawing

FORM = {"name": "small", "size": 16, "fit": "crop", "background": "white", "per_class": 0}


def shown(judge: Judge, address: str = "/export?format=json") -> Any:
    answer = judge.get(address)
    assert answer.status_code == 200, answer.text
    return answer.get_json()


def packed(judge: Judge, body: object) -> Any:
    """The finished job of a pack that was asked for."""
    answer = judge.post("/export/pack", body)
    assert answer.status_code == 200, answer.text
    jobs = jobs_of(judge.app)
    job = jobs.get(answer.get_json()["id"])
    assert job is not None
    assert jobs.wait(job, 60)
    return judge.get(f"/jobs/{job.id}").get_json()


def test_numbers_are_those_of_the_pack_that_is_made(judge: Judge, drawn: DrawnCatalogue) -> None:
    ids = drawn.add_many(40)
    pair = drawn.add_pair(900)
    with drawn.open() as catalog:  # a second origin has the licence that the first lacks
        origin = Origin(url="http://pictures.test/again.png", licence="CC0-1.0")
        catalog.images.add_origin(pair[0], origin)
        catalog.judgements.apply(
            [PairChange(a=pair[0], b=pair[1], verdict="same")], who="me", verb="same"
        )
    judge.judge("keep", *ids[3:], *pair)
    plan = shown(judge)["plan"]
    assert packed(judge, {"name": "main"})["state"] == "done"
    manifest = json.loads(judge.get("/export/manifest/main").text)
    assert plan["count"] == manifest["rows"] == 39
    assert {split: n for split, n in plan["splits"].items() if n} == manifest["splits"]
    assert plan["licences"] == manifest["licences"]
    classes = {one["label"] or "(no label)": one["count"] for one in plan["classes"]}
    assert classes == manifest["classes"]


def test_numbers_follow_every_setting_of_the_address(judge: Judge, drawn: DrawnCatalogue) -> None:
    ids = drawn.add_many(24)
    judge.judge("keep", *ids)
    assert shown(judge)["plan"]["count"] == 24
    assert shown(judge, "/export?label=cat&label=dog&format=json")["plan"]["count"] == 12
    assert shown(judge, "/export?per_class=2&format=json")["plan"]["count"] == 8
    assert shown(judge, "/export?licence=CC0-1.0&format=json")["plan"]["licences"] == {"CC0-1.0": 8}
    told = shown(judge, "/export?name=x1&size=64&fit=crop&background=black&format=json")
    assert (told["config"]["name"], told["config"]["size"]) == ("x1", 64)
    address = "/export?channels=grey&fit=subject&sharpness=1.25&split_by=brand&balance=smallest"
    address += "&min_per_class=2&originals=on&linear_light=on&format=json"
    told = shown(judge, address)["config"]
    assert (told["channels"], told["fit"], told["sharpness"]) == ("grey", "subject", 1.25)
    assert (told["split_by"], told["balance"], told["min_per_class"]) == ("brand", "smallest", 2)
    assert told["originals"] is told["linear_light"] is True
    judge.judge("reject", ids[0])
    assert shown(judge)["plan"]["count"] == 23  # what was counted before is not told again
    judge.post("/undo", {})
    assert shown(judge)["plan"]["count"] == 24


def test_command_line_that_is_shown_makes_that_pack(
    judge: Judge, drawn: DrawnCatalogue, capsys: pytest.CaptureFixture[str]
) -> None:
    judge.judge("keep", *drawn.add_many(8))
    address = "/export?name=one&size=16&label=cat&label=dog&background=black&format=json"
    line = shown(judge, address)["command"]
    python, minus_m, stage, *words = shlex.split(line)
    assert (python, minus_m, stage) == ("python", "-m", "dataset")
    assert main(words) == 0
    assert "one.h5" in capsys.readouterr().out
    told = json.loads((drawn.data / "packs" / "one.manifest.json").read_text())
    assert told["config"]["labels"] == ["cat", "dog"]


def test_job_and_list_tell_of_the_pack(judge: Judge, drawn: DrawnCatalogue) -> None:
    judge.judge("keep", *drawn.add_many(8))
    job = packed(judge, FORM)
    assert (job["state"], job["title"]) == ("done", "Pack small")
    told = shown(judge)
    [pack] = told["packs"]
    assert told["job"]["id"] == job["id"]
    assert (pack["name"], pack["count"], pack["size"]) == ("small", 8, 16)
    assert re.fullmatch("[0-9a-f]{64}", pack["content_hash"])
    assert pack["content_hash"][:16] in job["result"]
    answer = judge.get(pack["manifest"])
    assert answer.headers["Content-Disposition"].startswith("attachment")
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    page = judge.get("/export").text
    assert pack["content_hash"] in page
    assert "Pack small" in page


def test_split_that_would_be_empty_is_said_before_the_pack_is_refused(
    judge: Judge, drawn: DrawnCatalogue
) -> None:
    judge.judge("keep", drawn.add(drawing(499), label="cat", licence="CC0-1.0"))
    [doubt] = [d for d in shown(judge)["plan"]["doubts"] if d["about"] == "split"]
    assert doubt["line"] == "Too few pictures for split cal and test: no pack can be made"
    job = packed(judge, {"name": "main"})
    assert job["state"] == "failed"
    assert "split cal and test would be empty" in json.dumps(job)


def test_what_speaks_against_packing_is_said(judge: Judge, drawn: DrawnCatalogue) -> None:
    assert [d["about"] for d in shown(judge)["plan"]["doubts"]] == ["nothing"]
    ids = drawn.add_many(12)
    bare = drawn.add(drawing(500))
    judge.judge("keep", *ids[:10], bare)
    with drawn.open() as catalog:
        wishes: list[SettingChange | PairChange] = [
            SettingChange(name="target:cat", value="50"),
            SettingChange(name="target:zebra", value="5"),
            SettingChange(name="target:dog", value="x"),
            PairChange(a=ids[0], b=ids[1], verdict="same"),
        ]
        catalog.judgements.apply(wishes, who="me", verb="target")
    lines = {d["about"]: d["line"] for d in shown(judge)["plan"]["doubts"]}
    assert lines["short"] == "Short of their target: cat by 47, zebra by 5"
    assert lines["few"].startswith("Fewer than 20 pictures: bird (3), dog (2)")
    assert lines["label"] == "1 picture without a class"
    assert lines["licence"] == "4 pictures under an unknown licence"
    assert lines["alike"].startswith("1 picture perhaps the same as another one")
    assert lines["undecided"] == "2 pictures still undecided"
    assert lines["compare"].startswith("New pictures were not compared yet")
    page = judge.get("/export").text
    assert all(line in page for line in lines.values())


@pytest.mark.parametrize(
    ("query", "line"),
    [
        ("size=4", "size is 4; it must be 8 to 512 pixels"),
        ("size=big", "size in the form is &#39;big&#39;; it must be a whole number"),
        ("size=", "it must be a whole number"),
        ("size=-8", "it must be a whole number"),
        ("name=", "must be letters"),
        ("name=a/b", "must be letters"),
        ("name=..", "no dot in front"),
        ("name=" + "x" * 81, "at most 80 letters"),
        ("fit=melt", "it must be one of: pad, crop, subject, stretch"),
        ("sharpness=5", "sharpness is 5; it must be 0 to 4"),
        ("sharpness=nan", "it must be a number"),
        ("originals=maybe", "it must be true or false"),
        ("split_by=moon", "it must be one of: group, source, author, site, brand"),
        ("background=pink", "it must be one of: auto, white, black"),
        ("label=unicorn", "no picture is labelled unicorn"),
    ],
)
def test_wrong_setting_is_said_beside_the_form_and_packs_nothing(
    judge: Judge, drawn: DrawnCatalogue, query: str, line: str
) -> None:
    drawn.add_many(4)
    answer = judge.get(f"/export?{query}")
    assert answer.status_code == 400
    assert line in answer.text
    assert '<form id="settings"' in answer.text
    told = judge.get(f"/export?{query}&format=json")
    assert told.status_code == 400
    assert "error" in told.get_json()


@pytest.mark.parametrize(
    "query", ["x=1", "size=8&size=9", "format=xml", "label=" + "x" * 201, "statuses=reject"]
)
def test_address_is_read_strictly(judge: Judge, query: str) -> None:
    assert judge.get(f"/export?{query}").status_code == 400


@pytest.mark.parametrize(
    "body",
    [
        {"size": 4},
        {"size": "64"},
        {"size": 64.5},
        {"size": True},
        {"name": "../evil"},
        {"name": ["x"]},
        {"name": ".hidden"},
        {"name": "-x/"},
        {"labels": "cat"},
        {"labels": [1]},
        {"labels": ["x"] * 1001},
        {"fit": None},
        {"per_class": -1},
        {"sharpness": -1},
        {"sharpness": float("nan")},
        {"originals": "on"},
        {"embeddings": "/etc/passwd"},
        {"cal": 0.5},
        {"data": "/etc"},
        [],
        "x",
    ],
)
def test_wrong_wish_starts_no_job(judge: Judge, body: object) -> None:
    assert judge.post("/export/pack", body).status_code == 400
    assert jobs_of(judge.app).all() == []


@pytest.mark.parametrize(
    "name",
    [
        "none",
        "..",
        "%2e%2e",
        "..%2f..%2fcatalog",
        "..%5c..",
        "main.manifest.json",
        "x%00",
        "%2fetc%2fpasswd",
        "secret",
        "x" * 300,
    ],
)
def test_manifest_of_another_name_is_404(
    judge: Judge, drawn: DrawnCatalogue, tmp_path: Path, name: str
) -> None:
    folder = Workspace(drawn.data).packs
    folder.mkdir()
    (tmp_path / "secret.json").write_text("a secret")
    (folder / "secret.manifest.json").symlink_to(tmp_path / "secret.json")
    answer = judge.get(f"/export/manifest/{name}")
    assert answer.status_code == 404
    assert "a secret" not in answer.text
    assert "secret" not in [pack["name"] for pack in shown(judge)["packs"]]


@pytest.mark.parametrize(
    "content",
    ["", "{", "[]", "{}", '{"rows": "x"}', "[" * 100_000, '{"rows": 1, "config": 3}', "\udcff"],
)
def test_damaged_manifest_is_said_and_breaks_no_page(
    judge: Judge, drawn: DrawnCatalogue, content: str
) -> None:
    folder = Workspace(drawn.data).packs
    folder.mkdir()
    (folder / "old.h5").write_bytes(b"")
    (folder / "old.manifest.json").write_bytes(content.encode("utf-8", "surrogateescape"))
    [pack] = shown(judge)["packs"]
    assert pack["problem"] == "the manifest is damaged; pack it again"
    assert "the manifest is damaged" in judge.get("/export").text


def test_manifest_without_its_pack_is_said(judge: Judge, drawn: DrawnCatalogue) -> None:
    judge.judge("keep", *drawn.add_many(12))
    packed(judge, {"name": "gone"})
    (drawn.data / "packs" / "gone.h5").unlink()
    assert shown(judge)["packs"][0]["problem"] == "gone.h5 is missing; pack it again"


def test_hostile_class_and_licence_stay_text(judge: Judge, drawn: DrawnCatalogue) -> None:
    for seed in range(3):
        judge.judge("keep", drawn.add(drawing(seed), label=HOSTILE, licence=HOSTILE))
    page = judge.get("/export").text
    assert "<script>document" not in page
    assert "<img src=x" not in page
    assert "&lt;script&gt;document" in page
    job = packed(judge, {"labels": [HOSTILE], "licences": [HOSTILE]})
    assert job["state"] == "done", job
    assert "<img src=x" not in judge.get("/export").text


@given(
    st.builds(
        PackConfig,
        name=st.from_regex(r"[a-z0-9][a-z0-9_.-]{0,20}", fullmatch=True),
        size=st.integers(8, 512),
        fit=st.sampled_from(["pad", "crop", "stretch"]),
        labels=st.lists(
            st.text().filter(lambda text: text.isprintable() or "\x7f" in text), max_size=3
        ).map(tuple),
        licences=st.lists(st.text(), max_size=2).map(tuple),
        per_class=st.integers(0, 10**6),
        cal=st.floats(0, 0.4),
    )
)
def test_arguments_are_read_back_as_the_same_config(config: PackConfig) -> None:
    arguments = pack_arguments(config)
    assert all(argument.startswith("--set=") for argument in arguments)
    read = load_config(PackConfig, None, [a.removeprefix("--set=") for a in arguments])
    assert to_mapping(read) == to_mapping(config)


def test_hostile_name_never_becomes_a_path() -> None:
    for name in ("", "a/b", "a\\b", "a b", "a\0"):
        with pytest.raises(ConfigError):
            PackConfig(name=name)
