"""The novelty screen: what a check found is shown, false alarms are kept, nothing gets out."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from curate_app import create_app
from curate_app.inspections import BadRecord, folders, read_checked
from curate_app.jobs import COMMANDS, jobs_of
from dataset.false_alarms import FILE_NAME, standing
from dataset.packed import PackedDataset
from tests.curate_app.checked_folder import write_check, write_pack, write_record
from tests.curate_app.conftest import Judge
from tests.curate_app.drawn_catalogue import HOSTILE, DrawnCatalogue
from tests.sample.drawings import drawings, save_pictures, write_drawn_pack
from tests.sample.told_record import told_neighbour, told_picture

VERDICTS = ["copy", "copy", "near copy", "close", "novel", "novel", "too simple to judge"]
FOLDER = "tiny/samples"


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    return tmp_path / "runs"


@pytest.fixture
def record(runs: Path, tmp_path: Path) -> dict[str, Any]:
    """A check of seven pictures in runs/tiny/samples."""
    return write_check(runs / FOLDER, VERDICTS, write_pack(tmp_path / "packs"))


@pytest.fixture
def person(drawn: DrawnCatalogue, runs: Path, record: dict[str, Any]) -> Judge:
    return Judge(create_app(drawn.data, runs=runs, testing=True))


def page_of(person: Judge, query: str = "") -> dict[str, Any]:
    answer = person.get(f"/novelty?folder={FOLDER}&format=json{query}")
    assert answer.status_code == 200, answer.text
    page: dict[str, Any] = answer.get_json()
    return page


def files(page: dict[str, Any]) -> list[str]:
    return [picture["file"] for picture in page["pictures"]]


def test_without_any_check_the_page_says_how_to_make_one(drawn: DrawnCatalogue, runs: Path) -> None:
    person = Judge(create_app(drawn.data, runs=runs, testing=True))
    assert "python -m sample novelty" in person.get("/novelty").text
    assert person.get("/novelty?format=json").get_json()["checks"] == []


def test_every_check_below_the_runs_is_listed_the_newest_first(
    person: Judge, runs: Path, tmp_path: Path
) -> None:
    write_check(runs / "other", ["novel"], tmp_path / "packs" / "drawn.h5")
    os.utime(runs / "other" / "novelty.json", (2e9, 2e9))
    listed = person.get("/novelty?format=json").get_json()["checks"]
    assert [one["folder"] for one in listed] == ["other", FOLDER]
    assert listed[1]["verdicts"]["copy"] == 2
    assert listed[1]["share"] == {"rate": 0.1, "interval": [0.04, 0.19]}
    page = person.get("/novelty").text
    assert "No copy" in page
    assert "3 of 7" in page


def test_pictures_that_could_not_be_judged_are_not_called_free_of_copies(
    person: Judge, runs: Path, tmp_path: Path
) -> None:
    plain = ["too simple to judge", "cannot say"]
    write_check(runs / "plain", plain, tmp_path / "packs" / "drawn.h5")
    assert "Nothing to judge</strong> among 2 pictures" in person.get("/novelty").text
    assert "Nothing to judge among 2 pictures" in person.get("/novelty?folder=plain").text


def test_deep_hidden_and_linked_folders_are_not_searched(
    person: Judge, runs: Path, tmp_path: Path
) -> None:
    for place in ("a/b/c/d/e", ".hidden", "tiny/checkpoints/9"):
        write_check(runs / place, ["novel"], tmp_path / "packs" / "drawn.h5")
    write_check(tmp_path / "outside", ["novel"], tmp_path / "packs" / "drawn.h5")
    (runs / "link").symlink_to(tmp_path / "outside")
    (runs / "half").mkdir()
    (runs / "half" / "novelty.json").symlink_to(tmp_path / "outside" / "novelty.json")
    assert [name for name, _ in folders(runs)] == [FOLDER]
    for name in ("a/b/c/d/e", ".hidden", "tiny/checkpoints/9", "link", "half"):
        assert person.get(f"/novelty?folder={name}").status_code == 404


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", [0, 1, 2, 3, 4, 5, 6]),
        ("&verdict=copy", [0, 1]),
        ("&verdict=novel&order=novelty", [5, 4]),
        ("&label=round", [0, 2, 4, 6]),
        ("&label=nothing", []),
        ("&verdict=false alarm", []),
        ("&order=plain", [0, 1, 2, 3, 4, 5, 6]),
        ("&order=file", [0, 1, 2, 3, 4, 5, 6]),
    ],
)
def test_the_address_filters_and_orders(person: Judge, query: str, expected: list[int]) -> None:
    assert files(page_of(person, query)) == [f"{number:05d}.png" for number in expected]


def test_a_finding_names_the_original_its_author_and_licence(person: Judge) -> None:
    first = page_of(person)["pictures"][0]
    near = first["near"][0]
    assert (first["verdict"], near["author"], near["licence"]) == ("copy", "A. Hand", "CC0-1.0")
    page = person.get(f"/novelty?folder={FOLDER}").text
    for shown in ("A. Hand", "https://pictures.example/0", "CC0-1.0", "2026-01-02", "ratio"):
        assert shown in page
    assert "3 of 7" not in page
    assert "2 of 7 pictures are copies" in page


def test_many_findings_come_page_by_page(person: Judge, runs: Path, tmp_path: Path) -> None:
    record = write_check(runs / "many", ["copy"], tmp_path / "packs" / "drawn.h5")
    record["pictures"] = [told_picture(n, "novel", sha256=f"{n:064x}") for n in range(130)]
    write_record(runs / "many", record)
    first = person.get("/novelty?folder=many&format=json").get_json()
    assert (len(first["pictures"]), first["pages"], first["fitting"]) == (60, 3, 130)
    last = person.get("/novelty?folder=many&page=3&format=json").get_json()
    assert [p["place"] for p in last["pictures"]] == list(range(120, 130))
    assert person.get("/novelty?folder=many&page=4").status_code == 404
    page = person.get("/novelty?folder=many&page=2&verdict=novel").text
    assert 'rel="next"' in page
    assert "61 to 120 of 130" in page


def test_pictures_of_the_check_and_of_the_pack_are_shown(
    person: Judge, record: dict[str, Any]
) -> None:
    sha256, pack = record["pictures"][0]["sha256"], record["pack"]["content_hash"][:16]
    for address in (f"sample/{sha256}.png", f"original/{pack}/0.png", f"original/{pack}/45.png"):
        answer = person.get(f"/novelty/{address}?folder={FOLDER}")
        assert answer.status_code == 200, address
        assert answer.data.startswith(b"\x89PNG")
        assert "immutable" in answer.headers["Cache-Control"]


@pytest.mark.parametrize(
    "address",
    [
        "sample/" + "0" * 64 + ".png?folder=" + FOLDER,
        "sample/..%2F..%2Fetc%2Fpasswd.png?folder=" + FOLDER,
        "sample/x.png?folder=../" + FOLDER,
        "sample/x.png?folder=/etc",
        "sample/x.png",
        "original/0000000000000000/0.png?folder=" + FOLDER,
        "original/{pack}/46.png?folder=" + FOLDER,
        "original/{pack}/99999999999999999999.png?folder=" + FOLDER,
        "original/{pack}/-1.png?folder=" + FOLDER,
        "report?folder=..",
        "report?folder=" + FOLDER,
    ],
)
def test_nothing_else_is_served(person: Judge, record: dict[str, Any], address: str) -> None:
    address = address.replace("{pack}", record["pack"]["content_hash"][:16])
    assert person.get(f"/novelty/{address}").status_code == 404


@pytest.mark.parametrize(
    "query",
    [
        "?folder=x&verdict=stolen",
        "?folder=x&order=random",
        "?folder=x&page=0",
        "?folder=x&page=two",
        "?folder=x&page=99999999",
        "?folder=x&folder=y",
        "?unknown=1",
    ],
)
def test_an_address_that_makes_no_sense_is_refused(person: Judge, query: str) -> None:
    assert person.get(f"/novelty{query}").status_code == 400


@pytest.mark.parametrize(
    "folder",
    [
        *("..", "../..", "/", "tiny", "tiny/samples/", "/tiny/samples", "tiny//samples"),
        *("./tiny/samples", "tiny/../tiny/samples", "%00", "x" * 5000, ".", "a/b/c/d/e"),
    ],
)
def test_a_folder_that_is_not_listed_is_not_there(person: Judge, folder: str) -> None:
    assert person.get(f"/novelty?folder={folder}").status_code == 404
    for action in ("check", "false-alarm"):
        assert person.post(f"/novelty/{action}", {"folder": folder}).status_code == 404


def test_a_picture_that_was_exchanged_since_the_check_is_not_shown(
    person: Judge, runs: Path, record: dict[str, Any]
) -> None:
    one, other = record["pictures"][:2]
    (runs / FOLDER / one["file"]).write_bytes((runs / FOLDER / other["file"]).read_bytes())
    answer = person.get(f"/novelty/sample/{one['sha256']}.png?folder={FOLDER}")
    assert answer.status_code == 404
    (runs / FOLDER / other["file"]).unlink()
    answer = person.get(f"/novelty/sample/{other['sha256']}.png?folder={FOLDER}")
    assert answer.status_code == 404


def test_a_false_alarm_is_kept_shown_and_taken_back(
    person: Judge, runs: Path, record: dict[str, Any]
) -> None:
    sha256 = record["pictures"][0]["sha256"]
    body = {"folder": FOLDER, "sha256": sha256}
    told = person.post("/novelty/false-alarm", body).get_json()
    assert (told["false_alarm"], told["who"], told["unsettled"]) == (True, "me", 1)
    assert told["message"] == "00000.png is a false alarm"
    alarm = standing(runs / FOLDER)[sha256]
    assert (alarm.file, alarm.row, alarm.who) == ("00000.png", 0, "me")
    page = page_of(person, "&verdict=false alarm")
    assert files(page) == ["00000.png"]
    assert page["pictures"][0]["false_alarm"]["who"] == "me"
    html = person.get(f"/novelty?folder={FOLDER}").text
    assert "1 of 7 pictures is a copy" in html
    assert "false alarm<span data-by>, says me" in html
    assert "2 of 7" in person.get("/novelty").text
    told = person.post("/novelty/false-alarm", {**body, "taken_back": True}).get_json()
    assert (told["false_alarm"], told["unsettled"]) == (False, 0)
    assert "3 of 7" in person.get("/novelty").text
    assert standing(runs / FOLDER) == {}
    assert page_of(person)["pictures"][0]["false_alarm"] is None


def test_saying_it_twice_is_one_line(person: Judge, runs: Path, record: dict[str, Any]) -> None:
    body = {"folder": FOLDER, "sha256": record["pictures"][0]["sha256"]}
    for _ in range(3):
        assert person.post("/novelty/false-alarm", body).status_code == 200
    assert len((runs / FOLDER / FILE_NAME).read_text().splitlines()) == 1


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"sha256": "0" * 64}, 404),
        ({"sha256": "00000.png"}, 404),
        ({"sha256": None}, 404),
        ({}, 404),
        ({"sha256": "{known}", "taken_back": "yes"}, 400),
        ({"sha256": "{known}", "row": 3}, 400),
    ],
)
def test_a_mark_of_nothing_is_refused(
    person: Judge, runs: Path, record: dict[str, Any], body: dict[str, Any], status: int
) -> None:
    if body.get("sha256") == "{known}":
        body = {**body, "sha256": record["pictures"][0]["sha256"]}
    answer = person.post("/novelty/false-alarm", {"folder": FOLDER, **body})
    assert answer.status_code == status
    assert not (runs / FOLDER / FILE_NAME).exists()


def test_a_mark_needs_the_token(person: Judge, record: dict[str, Any]) -> None:
    body = json.dumps({"folder": FOLDER, "sha256": record["pictures"][0]["sha256"]})
    for action in ("false-alarm", "check"):
        answer = person.client.post(
            f"/novelty/{action}", data=body, content_type="application/json"
        )
        assert answer.status_code == 403


def test_without_its_pack_a_check_is_shown_but_not_made_again(
    person: Judge, record: dict[str, Any]
) -> None:
    Path(record["pack"]["path"]).unlink()
    page = person.get(f"/novelty?folder={FOLDER}").text
    assert "is not there any more" in page
    answer = person.post("/novelty/check", {"folder": FOLDER})
    assert answer.status_code == 409
    assert "drawn.h5" in answer.get_json()["error"]


def test_another_pack_of_the_same_name_does_not_pass_for_it(
    person: Judge, record: dict[str, Any]
) -> None:
    pack = Path(record["pack"]["path"])
    pack.unlink()
    write_drawn_pack(pack, train=41, cal=6, test=0)
    assert "the pack is gone" in person.get(f"/novelty?folder={FOLDER}").text


def test_a_new_check_runs_the_command_with_the_settings_of_the_old_one(
    person: Judge, monkeypatch: pytest.MonkeyPatch, runs: Path, record: dict[str, Any]
) -> None:
    monkeypatch.setitem(COMMANDS, "novelty", ("json.tool", ""))
    told = person.post("/novelty/check", {"folder": FOLDER}).get_json()
    for part in ("--packed=", "--again", "--set=k=3", "--set=level=0.05", str(runs / FOLDER)):
        assert part in told["command"]
    assert "--data" not in told["command"]
    assert told["title"] == f"Checking {FOLDER}"
    jobs_of(person.app).close()


@pytest.mark.parametrize(
    ("rows", "told"),
    [([45, 3, 45], "[3, 45]"), ([], "[]"), (None, "[44]")],
)
def test_pairs_that_are_one_picture_twice_are_left_out(
    person: Judge,
    runs: Path,
    monkeypatch: pytest.MonkeyPatch,
    record: dict[str, Any],
    rows: list[int] | None,
    told: str,
) -> None:
    monkeypatch.setitem(COMMANDS, "novelty", ("json.tool", ""))
    record["config"]["duplicates"] = [44]
    write_record(runs / FOLDER, record)
    page = person.get(f"/novelty?folder={FOLDER}").text
    assert 'data-duplicate="44" checked' in page
    assert 'data-duplicate="45" autocomplete' in page
    body = {"folder": FOLDER, **({} if rows is None else {"duplicates": rows})}
    assert f"--set=duplicates={told}" in person.post("/novelty/check", body).get_json()["command"]
    jobs_of(person.app).close()


@pytest.mark.parametrize("rows", [7, ["1"], [True], [-1], [46], [1.0], list(range(1001)), {}])
def test_rows_that_are_none_are_refused(
    person: Judge, record: dict[str, Any], rows: object
) -> None:
    body = {"folder": FOLDER, "duplicates": rows}
    assert person.post("/novelty/check", body).status_code == 400


def write_drawing(folder: Path, told: object) -> None:
    folder.mkdir(parents=True)
    (folder / "manifest.json").write_text(json.dumps(told))


def test_what_was_drawn_but_not_checked_can_be_checked(
    drawn: DrawnCatalogue, runs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(COMMANDS, "novelty", ("json.tool", ""))
    pack = write_pack(drawn.data / "packs")
    told = {"pack_hash": PackedDataset(pack).content_hash, "pictures": [{}, {}]}
    write_drawing(runs / "new" / "samples", told)
    write_drawing(runs / "stranger", {**told, "pack_hash": "0" * 64})
    write_drawing(runs / "empty", {**told, "pictures": []})
    write_drawing(runs / "other", [])
    write_drawing(runs / "outdated", told)
    write_record(runs / "outdated", {"schema": "novelty/1"})
    person = Judge(create_app(drawn.data, runs=runs, testing=True))
    listed = person.get("/novelty?format=json").get_json()["unchecked"]
    assert listed == [
        {"folder": "new/samples", "pictures": 2},
        {"folder": "outdated", "pictures": 2},
        {"folder": "stranger", "pictures": 2},
    ]
    page = person.get("/novelty").text
    assert "2 pictures, the pack is not here" in page
    assert 'data-value="stranger" disabled' in page
    assert person.post("/novelty/check", {"folder": "stranger"}).status_code == 409
    assert person.post("/novelty/check", {"folder": "empty"}).status_code == 404
    job = person.post("/novelty/check", {"folder": "new/samples"}).get_json()
    assert f"--packed={pack} -- {runs / 'new/samples'}" in job["command"]
    jobs_of(person.app).close()


@pytest.mark.slow
def test_a_false_alarm_counts_from_the_next_check_on(
    drawn: DrawnCatalogue, runs: Path, tmp_path: Path
) -> None:
    from sample.inspection import inspect_folder
    from sample.novelty import NoveltyConfig

    pack = write_drawn_pack(tmp_path / "p.h5", train=25, cal=20, test=4)
    folder = save_pictures(runs / "real", drawings([3, 7000, 7001]))
    inspect_folder(folder, pack, NoveltyConfig(audit=1))
    person = Judge(create_app(drawn.data, runs=runs, testing=True))
    first = person.get("/novelty?folder=real&format=json").get_json()["pictures"][0]
    assert first["verdict"] == "copy"
    person.post("/novelty/false-alarm", {"folder": "real", "sha256": first["sha256"]})
    job = person.post("/novelty/check", {"folder": "real"}).get_json()
    found = jobs_of(person.app).get(job["id"])
    assert found is not None
    assert jobs_of(person.app).wait(found, 200)
    assert found.state == "done", list(found.log)
    told = read_checked("real", folder)
    assert [one.file for one in told.findings if one.was_false_alarm] == ["000.png"]
    assert 'id="unsettled" hidden' in person.get("/novelty?folder=real").text


def test_hostile_texts_stay_texts(person: Judge, runs: Path, tmp_path: Path) -> None:
    near = told_neighbour(
        0,
        caption=HOSTILE,
        author=HOSTILE,
        licence=HOSTILE,
        source=HOSTILE,
        view=HOSTILE,
        page_url="javascript:alert(1)",
        url=f"javascript:alert(2){HOSTILE}",
        licence_url="data:text/html,x",
    )
    record = write_check(runs / "bad", ["copy"], tmp_path / "packs" / "drawn.h5")
    record["pictures"][0] |= {"label": HOSTILE, "neighbours": [near], "verdict": HOSTILE}
    write_record(runs / "bad", record)
    page = person.get("/novelty?folder=bad").text
    assert "<script>document" not in page
    assert "<img src=x" not in page
    assert 'href="javascript' not in page
    assert 'href="data' not in page
    assert person.get("/novelty").status_code == 200


@pytest.mark.parametrize(
    "content",
    [
        "",
        "null",
        "[]",
        "{}",
        '{"schema": "novelty/2"}',
        '{"schema": "novelty/1"}',
        '{"schema": "novelty/99"}',
        "[" * 100_000,
        "\x00",
    ],
)
def test_a_damaged_record_is_told_in_the_list_and_breaks_no_page(
    person: Judge, runs: Path, content: str
) -> None:
    (runs / "broken").mkdir()
    (runs / "broken" / "novelty.json").write_text(content)
    listed = person.get("/novelty?format=json").get_json()["checks"]
    problems = {one["folder"]: one["problem"] for one in listed}
    assert problems.keys() == {"broken", FOLDER}
    assert problems["broken"].endswith("check it again")
    assert problems[FOLDER] == ""
    assert "check it again" in person.get("/novelty").text
    assert person.get("/novelty?folder=broken").status_code == 404
    assert page_of(person)["fitting"] == 7


@pytest.mark.parametrize(
    "change",
    [
        {"file": "../00000.png"},
        {"file": "/etc/passwd"},
        {"sha256": "short"},
        {"sha256": "A" * 64},
        {"p": "0.5"},
        {"p": float("nan")},
        {"complexity": None},
        {"neighbours": 7},
        {"neighbours": [{}]},
        {"seed": "x"},
    ],
)
def test_an_impossible_picture_makes_the_record_damaged(
    runs: Path, record: dict[str, Any], change: dict[str, Any]
) -> None:
    record["pictures"][0] |= change
    write_record(runs / FOLDER, record)
    with pytest.raises(BadRecord, match="damaged"):
        read_checked(FOLDER, runs / FOLDER)


def test_the_report_can_be_taken_along_but_not_run_here(person: Judge, runs: Path) -> None:
    (runs / FOLDER / "report.html").write_text("<script>alert(1)</script>")
    answer = person.get(f"/novelty/report?folder={FOLDER}")
    assert answer.headers["Content-Disposition"].startswith("attachment")
    assert "novelty-tiny-samples.html" in answer.headers["Content-Disposition"]
