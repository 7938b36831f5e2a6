"""The record and the page of the duplicates: whole, stable, escaped, and harmless."""

import json
import re
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from dataset.catalog import Catalog
from dataset.cli import main
from dataset.duplicate_report import MOST_THUMBNAILS, duplicates_record, write_report
from dataset.duplicates import DEFAULT_RADIUS, Comparison, mark_duplicates
from dataset.image_store import ImageStore
from dataset.ingest import ingest
from dataset.keep_rule import KeepRule
from dataset.records import Origin, PairChange
from dataset.workspace import Workspace
from tests.dataset.paired_catalogue import add_named, judge, judged, store_pairs
from tests.dataset.pictures import encoded, scene

HOSTILE = "<script>document.title='owned'</script>"


@pytest.fixture
def paired(catalog: Catalog, store: ImageStore) -> Catalog:
    """Two groups of stored pictures; the pictures of group two are missing in the store."""
    for seed, side in ((1, 160), (2, 80), (3, 120)):
        content = encoded(scene(seed, (side, side)))
        add_named(
            catalog,
            f"picture {seed}",
            sha256=store.put(content),
            width=side,
            height=side,
            byte_count=len(content),
            label=HOSTILE,
            licence="CC0-1.0" if seed == 1 else HOSTILE,
        )
    catalog.images.add_origin(1, Origin(url="http://b.test/1", source=HOSTILE))
    for name in "de":
        add_named(catalog, name)
    store_pairs(catalog, [(1, 2, 2), (1, 3, 4), (4, 5, 6)])
    return catalog


def record_of(catalog: Catalog, radius: int = 6) -> dict[str, Any]:
    rule = KeepRule()
    return duplicates_record(catalog, Comparison(catalog, rule), rule, radius)


def test_the_record_tells_the_rule_the_counts_and_why_each_stays_or_goes(paired: Catalog) -> None:
    judge(paired, 3, "keep")
    record = json.loads(json.dumps(record_of(paired)))
    assert record["counts"] == {"pictures": 5, "groups": 2, "would_go": 2}
    assert record["rule"]["order"][0] == "judged"
    assert record["radii"][6] == {
        "radius": 6, "pairs": 3, "components": 2, "pictures": 5, "groups": 2, "would_go": 2,
    }  # fmt: skip
    [group] = [group for group in record["groups"] if group["keeper"] in (1, 3)]
    assert group["keeper"] == 3
    assert group["reason"] == "kept already, the other undecided"


def test_the_pair_of_each_loser_has_its_witnesses(paired: Catalog) -> None:
    same = PairChange(a=1, b=3, verdict="same")
    paired.judgements.apply([same], who="ada", verb="same")
    [group] = [group for group in record_of(paired)["groups"] if group["keeper"] == 1]
    assert [(p["id"], p["fate"], p["bits"]) for p in group["pictures"]] == [
        (1, "stays", 0),
        (3, "goes", 4),
        (2, "goes", 2),
    ]
    assert group["pictures"][0]["pair"] is None
    assert group["pictures"][1]["pair"] == {"score": 1.0, "reason": "same, a person said"}
    assert group["pictures"][2]["pair"] == {"score": 1 - 2 / 64, "reason": "same"}
    assert [(e["a"], e["b"], e["dhash_bits"], e["decided"]) for e in group["edges"]] == [
        (1, 2, 2, ""),
        (1, 3, 4, "same"),
    ]
    assert group["pictures"][0]["sources"] == [HOSTILE, "drawn"]


def test_the_record_is_the_same_every_time(paired: Catalog) -> None:
    assert json.dumps(record_of(paired)) == json.dumps(record_of(paired))


def test_the_page_stands_alone_and_runs_nothing(
    paired: Catalog, store: ImageStore, tmp_path: Path
) -> None:
    page = tmp_path / "out" / "duplicates.html"
    beside = write_report(record_of(paired), store, page, sort="doubt", limit=10)
    text = page.read_text()
    assert json.loads(beside.read_text()) == json.loads(json.dumps(record_of(paired)))
    assert "<script" not in text
    assert "&lt;script&gt;" in text
    assert not re.search(r'(src|href)="(?!data:)', text)
    assert text.count("data:image/webp;base64,") == 3
    assert text.count("not in the store") == 2
    for fact in ("160 × 160", "CC0-1.0", "more true resolution", "2 groups of duplicates"):
        assert fact in text, fact
    # The least sure group comes first.
    assert text.index("Stays: #1") > text.index("Stays: #4" if "Stays: #4" in text else "Stays: #5")


def test_what_newer_words_overruled_is_not_shown_as_decided(paired: Catalog) -> None:
    for a, b, verdict in ((1, 2, "different"), (1, 3, "same"), (2, 3, "same")):
        change = PairChange(a=a, b=b, verdict=verdict)  # type: ignore[arg-type]
        paired.judgements.apply([change], who="ada", verb=verdict)
    record = record_of(paired)
    assert [(v["a"], v["b"]) for v in record["overruled"]] == [(1, 2)]
    [group] = [group for group in record["groups"] if group["keeper"] == 1]
    assert [(e["a"], e["b"], e["decided"]) for e in group["edges"]] == [(1, 2, ""), (1, 3, "same")]


@pytest.mark.parametrize(
    ("page_url", "url", "told"),
    [
        ("javascript:alert(1)", "data:text/html,x", ""),
        ("javascript:alert(1)", "https://a.test/1.png", "https://a.test/1.png"),
        ("http://a.test/p", "https://a.test/1.png", "http://a.test/p"),
        ("file:///etc/passwd", "http://[", ""),
    ],
)
def test_the_record_names_addresses_of_the_web_only(
    catalog: Catalog, page_url: str, url: str, told: str
) -> None:
    for name in "ab":
        add_named(catalog, name)
    catalog.images.add_origin(1, Origin(url=url, page_url=page_url, licence="CC0"))
    store_pairs(catalog, [(1, 2, 2)])
    [group] = record_of(catalog)["groups"]
    assert group["pictures"][0]["page"] == told


def test_a_page_draws_a_bounded_number_of_thumbnails(
    catalog: Catalog, store: ImageStore, tmp_path: Path
) -> None:
    content = encoded(scene(1, (80, 80)))
    add_named(catalog, "best", sha256=store.put(content), width=900, height=900)
    with catalog.transaction():
        others = [add_named(catalog, str(n)) for n in range(MOST_THUMBNAILS + 5)]
    store_pairs(catalog, [(1, other, 2) for other in others])
    page = tmp_path / "d.html"
    write_report(record_of(catalog), store, page, sort="doubt", limit=9)
    text = page.read_text()
    assert text.count("<img") == 1
    assert text.count("not in the store") == MOST_THUMBNAILS - 1
    assert text.count("not drawn") == 6


def test_the_page_shows_as_many_groups_as_asked_and_counts_the_rest(
    paired: Catalog, store: ImageStore, tmp_path: Path
) -> None:
    page = tmp_path / "duplicates.html"
    write_report(record_of(paired), store, page, sort="size", limit=1)
    text = page.read_text()
    assert "Stays: #1" in text
    assert text.count("<figure") == 3
    assert "1 group more" in text


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A data folder with one pair of which the larger is #2."""
    workspace = Workspace(tmp_path / "data")
    with Catalog(workspace.catalog) as catalog:
        for name, side in (("a", 100), ("b", 200), ("c", 150)):
            image = scene(7 if name != "c" else 8, (200, 160)).resize((side, side * 4 // 5))
            origin = Origin(url=f"http://example.org/{name}.png")
            ingest(catalog, ImageStore(workspace.images), encoded(image), origin)
    return workspace.root


def run(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    capsys.readouterr()
    code = main([str(argument) for argument in arguments])
    out, err = capsys.readouterr()
    return code, out, err


def statuses(data: Path) -> list[tuple[str, str]]:
    with Catalog(Workspace(data).catalog) as catalog:
        return list(judged(catalog).values())


def test_the_command_prints_every_radius_and_the_groups(
    data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, _ = run(capsys, "duplicates", "--data", data)
    assert code == 0
    assert re.search(rf"^ +{DEFAULT_RADIUS} +1 +1 +1 +1 <$", out, re.MULTILINE)
    assert "keep #2 (more true resolution: " in out
    assert "), would go: #1" in out


def test_the_command_writes_page_and_record_and_prints_json(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "seen" / "d.html"
    _, out, _ = run(capsys, "duplicates", "--data", data, "--json", "--report", page)
    assert json.loads(out) == json.loads(page.with_suffix(".json").read_text())
    assert [group["keeper"] for group in json.loads(out)["groups"]] == [2]
    assert page.read_text().count("<img") == 2


def test_marking_rejects_the_worse_ones_and_touches_no_file(
    data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = sorted(path.read_bytes() for path in (data / "images").rglob("*") if path.is_file())
    _, dry, _ = run(capsys, "duplicates", "--data", data, "--mark", "--dry-run")
    assert dry == "1 pictures would be rejected as duplicates\na dry run: nothing was changed\n"
    assert statuses(data)[0] == ("undecided", "")
    _, out, _ = run(capsys, "duplicates", "--data", data, "--mark")
    assert "batch 1; `python -m curate_app undo` takes it back" in out
    assert statuses(data) == [
        ("reject", "duplicate of #2"),
        ("undecided", ""),
        ("undecided", ""),
    ]
    assert files == sorted(p.read_bytes() for p in (data / "images").rglob("*") if p.is_file())
    _, again, _ = run(capsys, "duplicates", "--data", data, "--mark")
    assert again == f"nothing to mark within {DEFAULT_RADIUS} bits that is sure to 80%\n"


def test_the_rule_comes_from_the_command_or_the_data_folder(
    data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with Catalog(Workspace(data).catalog) as catalog:
        catalog.images.add_origin(1, Origin(url="http://b.test", licence="CC0-1.0"))
    _, out, _ = run(capsys, "duplicates", "--data", data)
    assert "keep #1 (better licence: CC0-1.0 against unknown)" in out
    _, out, _ = run(capsys, "duplicates", "--data", data, "--set", 'order=["resolution"]')
    assert "keep #2" in out
    (data / "keep.toml").write_text('order = ["size"]\n')
    _, out, _ = run(capsys, "duplicates", "--data", data, "--rule")
    assert json.loads(out)["order"] == ["size"]


def test_a_pair_is_decided_for_ever(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, "pair", "different", 1, 2, "--data", data)[0] == 0
    assert "would go" not in run(capsys, "duplicates", "--data", data)[1].split("\n", 1)[1]
    _, out, _ = run(capsys, "pair", "same", 1, 2, 3, "--data", data, "--who", "ada")
    assert out.startswith("batch 2; ")
    _, out, _ = run(capsys, "duplicates", "--data", data, "--radius", 0)
    assert re.search("would go: (#3 #1|#1 #3)$", out, re.MULTILINE)
    assert run(capsys, "pair", "same", 2, 1, "--data", data)[1].startswith("nothing to change")
    run(capsys, "pair", "forget", 1, 2, "--data", data)
    _, out, _ = run(capsys, "pair", "different", 1, 2, "--data", data)
    assert "contradicts newer decisions, counts no more" in out


@pytest.mark.parametrize(
    "arguments",
    [
        ["duplicates", "--radius", "99"],
        ["duplicates", "--radius", "-1"],
        ["duplicates", "--dry-run"],
        ["duplicates", "--mark", "--json"],
        ["duplicates", "--limit", "0"],
        ["duplicates", "--set", "order=1"],
        ["duplicates", "--keep", "missing.toml"],
        ["pair", "same", "1"],
        ["pair", "same", "1", "1"],
        ["pair", "same", "1", "2", "--who", ""],
        ["pair", "same", "1", "2", "--who", "a\x1bb"],
        ["pair", "same", "1", "2", "--who", "auto"],
        ["duplicates", "--report", "."],
        ["duplicates", "--report", "/"],
        ["duplicates", "--report", ""],
        ["duplicates", "--report", "x/.."],
        ["duplicates", "--report", "x.json"],
        ["duplicates", "--report", "/dev/null/x.html"],
        ["duplicates", "--report", "catalog.sqlite"],
        ["duplicates", "--mark", "--report", ""],
    ],
)
def test_wrong_use_is_one_line_and_exit_2(
    data: Path, capsys: pytest.CaptureFixture[str], arguments: list[str]
) -> None:
    code, out, err = run(capsys, *arguments, "--data", data)
    assert (code, out) == (2, "")
    assert err.startswith("error: ")
    assert err.count("\n") == 1


def test_a_picture_that_is_not_there_is_one_line_and_exit_3(
    data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, _, err = run(capsys, "pair", "same", 1, 99, "--data", data)
    assert (code, err) == (3, "error: there is no picture 99 in this catalogue\n")


@pytest.mark.parametrize("number", ["99999999999999999999", "9223372036854775808"])
def test_a_number_beyond_all_pictures_is_one_line_and_exit_3(
    data: Path, capsys: pytest.CaptureFixture[str], number: str
) -> None:
    code, _, err = run(capsys, "pair", "same", 1, number, "--data", data)
    assert (code, err) == (3, f"error: there is no picture {number} in this catalogue\n")


def test_a_missing_rule_is_told_without_naming_another_option(
    data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _, _, err = run(capsys, "duplicates", "--keep", "missing.toml", "--data", data)
    assert "missing.toml" in err
    assert "--config" not in err


@pytest.mark.parametrize("name", ["catalog.sqlite", "keep.toml", "page.png", "page"])
def test_a_report_replaces_nothing_but_pages(
    data: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    target = data / name
    if not target.exists():
        target.write_text('order = ["size"]\n')
    before = target.read_bytes()
    code, _, err = run(capsys, "duplicates", "--data", data, "--report", target)
    assert (code, err.count("\n")) == (2, 1)
    assert target.read_bytes() == before
    assert not target.with_suffix(".json").exists()


@pytest.mark.parametrize("content", ["{}", "[1]", "no JSON", '{"version": 1, "groups": []}'])
def test_a_report_replaces_no_json_that_is_no_record_of_duplicates(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], content: str
) -> None:
    page = tmp_path / "package.html"
    page.with_suffix(".json").write_text(content)
    code, _, err = run(capsys, "duplicates", "--data", data, "--report", page)
    assert code == 2
    assert "package.json is no record of duplicates" in err
    assert page.with_suffix(".json").read_text() == content
    assert not page.exists()
    page.with_suffix(".json").unlink()
    for _ in range(2):  # its own record is replaced
        assert run(capsys, "duplicates", "--data", data, "--report", page)[0] == 0


@pytest.mark.parametrize("options", [[], ["--json"], ["--mark", "--dry-run"]])
def test_who_only_looks_waits_for_nobody_who_writes(
    data: Path, capsys: pytest.CaptureFixture[str], options: list[str]
) -> None:
    assert run(capsys, "duplicates", "--data", data)[0] == 0
    other = sqlite3.connect(Workspace(data).catalog, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    assert run(capsys, "duplicates", "--data", data, *options)[0] == 0
    other.close()


def test_new_pictures_are_compared_before_a_mark_keeps_others_waiting(data: Path) -> None:
    seen: list[str] = []
    with Catalog(Workspace(data).catalog) as catalog:
        catalog._connection.set_trace_callback(seen.append)
        mark_duplicates(catalog)
        catalog._connection.set_trace_callback(None)
    read = next(place for place, sql in enumerate(seen) if "FROM fingerprint JOIN" in sql)
    assert read < seen.index("BEGIN IMMEDIATE")


def test_forgetting_what_other_decisions_say_too_tells_which(
    data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run(capsys, "pair", "same", 1, 2, "--data", data)
    run(capsys, "pair", "same", 2, 3, "--data", data)
    _, out, _ = run(capsys, "pair", "forget", 1, 3, "--data", data)
    assert out.splitlines() == [
        "nothing to change: that holds already",
        "#1 and #3 are the same still, by other decisions: #1 = #2, #2 = #3; "
        "forget one of those, too",
    ]
    run(capsys, "pair", "different", 2, 3, "--data", data)
    _, out, _ = run(capsys, "pair", "forget", 1, 3, "--data", data)
    assert "#1 and #3 are different still, by other decisions: #1 = #2, #2 ≠ #3" in out
    run(capsys, "pair", "forget", 2, 3, "--data", data)
    _, out, _ = run(capsys, "pair", "forget", 1, 3, "--data", data)
    assert out == "nothing to change: that holds already\n"
