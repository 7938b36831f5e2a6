"""`python -m dataset quality`: counts, lists, JSON, the page, and wrong use."""

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from dataset.catalog import Catalog
from dataset.cli import main
from dataset.image_store import ImageStore
from dataset.ingest import TakenImage, ingest
from dataset.records import Origin
from dataset.workspace import Workspace
from tests.dataset.paired_catalogue import add_named, judge
from tests.dataset.pictures import encoded
from tests.dataset.quality.rasters import blurred, photograph

HOSTILE = "<script>document.title='owned'</script>\x1b[2J"
SHARP, SOFT, SOFTER, SMALL, REJECTED, LOST = range(1, 7)


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two blurred pictures, a small one, a rejected blurred one, and one that is not stored."""
    workspace = Workspace(tmp_path_factory.mktemp("measured"))
    pictures = [
        photograph(1),
        blurred(photograph(2), 5),
        blurred(photograph(3), 9),
        photograph(4, (90, 80)),
        blurred(photograph(5), 7),
    ]
    with Catalog(workspace.catalog) as catalog:
        for number, picture in enumerate(pictures, 1):
            origin = Origin(url=f"http://example.org/{number}")
            store = ImageStore(workspace.images)
            taken = ingest(catalog, store, encoded(picture), origin, label=HOSTILE)
            assert isinstance(taken, TakenImage)
        judge(catalog, REJECTED, "reject")
        add_named(catalog, "lost", quality={"sharpness": 0.4, "entropy": 7.0}, fingerprint=b"")
    return workspace.root


@pytest.fixture
def data(measured: Path, tmp_path: Path) -> Path:
    """A copy of `measured` for one test to write to."""
    return Path(shutil.copytree(measured, tmp_path / "data"))


def run(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    capsys.readouterr()
    code = main(["quality", *(str(argument) for argument in arguments)])
    out, err = capsys.readouterr()
    return code, out, err


def told(capsys: pytest.CaptureFixture[str], *arguments: object) -> dict[str, Any]:
    code, out, _ = run(capsys, *arguments, "--json")
    assert code == 0
    record = json.loads(out)
    assert isinstance(record, dict)
    return record


def counts(record: dict[str, Any]) -> dict[str, int]:
    return {row["issue"]: row["pictures"] for row in record["issues"]}


def test_the_table_has_every_issue_with_its_cut_and_how_many_have_it(
    data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, _ = run(capsys, "--data", data)
    assert code == 0
    assert re.search(r"^blur +sharpness < +0\.5 +3 +60\.0 %$", out, re.MULTILINE)
    assert re.search(r"^too-small +side < +96 +1 +20\.0 %$", out, re.MULTILINE)
    assert re.search(r"^collage +collage > +0\.8 +0 +0\.0 %$", out, re.MULTILINE)
    assert out.endswith("preset photo; 5 pictures that are not rejected\n")


def test_an_issue_lists_its_pictures_worst_first_and_its_labels_cannot_steer_the_terminal(
    data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _, out, _ = run(capsys, "--data", data, "--issue", "blur", "--limit", 2)
    head, first, second, more = out.splitlines()
    assert head == "3 pictures with blur (sharpness < 0.5, preset photo)"
    assert first.split()[0] == f"#{SOFTER}"
    assert second.split()[0] == f"#{SOFT}"
    assert first.split()[2] == "480x360"
    assert r"\x1b[2J" in first
    assert "\x1b" not in out
    assert more == "and 1 more (--limit)"


def test_the_json_is_the_same_every_time_and_its_keys_are_sorted(
    data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _, once, _ = run(capsys, "--data", data, "--json", "--issue", "blur")
    assert once == run(capsys, "--data", data, "--json", "--issue", "blur")[1]
    record = json.loads(once)
    assert once == json.dumps(record, indent=2, sort_keys=True, ensure_ascii=False) + "\n"
    assert [picture["id"] for picture in record["listed"]] == [SOFTER, SOFT, LOST]
    assert [p["score"] for p in record["listed"]] == sorted(p["score"] for p in record["listed"])
    assert (record["version"], record["preset"], record["pictures"]) == (1, "photo", 5)
    assert told(capsys, "--data", data)["listed"] is None


def test_cuts_can_be_edited_for_one_run_and_for_the_data_folder(
    data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert counts(told(capsys, "--data", data, "--set", "cut.too-small=500"))["too-small"] == 4
    (data / "quality.toml").write_text("cut.too-small = 1\n")
    assert counts(told(capsys, "--data", data))["too-small"] == 0
    assert counts(told(capsys, "--data", data, "--set", "cut.too-small=500"))["too-small"] == 4


def test_the_preset_is_chosen_and_told_unless_one_is_asked_for(
    data: Path, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    told(capsys, "--data", data)
    [line] = [line for line in caplog.messages if line.startswith("preset")]
    assert line.startswith("preset photo: 0 of 6 pictures looked at have transparency or few tones")
    caplog.clear()
    record = told(capsys, "--data", data, "--preset", "logo")
    assert (record["preset"], record["reason"]) == ("logo", "as asked")
    assert "watermark" not in counts(record)
    assert not [line for line in caplog.messages if line.startswith("preset")]


def test_pictures_that_an_older_version_measured_are_told(
    data: Path, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    told(capsys, "--data", data)
    assert "1 pictures were measured by an older version" in caplog.text


def test_the_page_stands_alone_runs_nothing_and_shows_both_sides_of_a_cut(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "out" / "q.html"
    code, out, _ = run(capsys, "--data", data, "--report", page, "--issue", "blur", "--limit", 2)
    assert code == 0
    assert out.endswith(f"written: {page}\n")
    text = page.read_text("utf-8")
    assert "<script" not in text
    assert "&lt;script&gt;" in text
    assert not re.search(r'(src|href)="(?!data:)', text)
    shown = re.findall(r'<figure class="(\w+)">.*?<dt>#(\d+)</dt>', text, re.DOTALL)
    worst, over = [("goes", str(SOFTER)), ("goes", str(SOFT))], [("goes", str(LOST))]
    assert shown[:3] == worst + over  # the one over the cut that is not among the worst
    assert {number for kind, number in shown if kind == "stays"} == {str(SHARP), str(SMALL)}
    assert text.count("not in the store") == 1
    assert text.count("data:image/webp;base64,") == 4


def test_the_page_has_every_issue_and_stands_beside_json_on_stdout(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "q.html"
    record = told(capsys, "--data", data, "--report", page)
    sections = re.findall(r'<section class="group" id="([\w-]+)">', page.read_text("utf-8"))
    assert sections == [row["issue"] for row in record["issues"]]


def test_an_empty_catalogue_has_no_issues_and_a_page(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Catalog(Workspace(tmp_path).catalog).close()
    record = told(capsys, "--data", tmp_path, "--report", tmp_path / "q.html")
    assert set(counts(record).values()) == {0}
    assert "No picture has this score." in (tmp_path / "q.html").read_text("utf-8")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--issue", "blurr"], "it has blur, dark, bright"),
        (["--issue", "watermark", "--preset", "logo"], "preset logo has no such issue"),
        (["--limit", "0"], "must be at least 1"),
        (["--set", "cut.blur=7"], "sharpness goes from 0 to 1"),
        (["--set", "cut.nothing=1"], "no such issue"),
        (["--config", "missing.toml"], "cannot read config"),
        (["--report", "/"], "check the path"),
    ],
)
def test_wrong_use_is_one_line_and_exit_2(
    data: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], said: str
) -> None:
    code, out, err = run(capsys, "--data", data, *arguments)
    assert (code, out) == (2, "")
    [line] = [line for line in err.splitlines() if line.startswith("error: ")]
    assert said in line
