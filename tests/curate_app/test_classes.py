"""Classes: targets, renaming, and the top-up that a person starts, as commands that run."""

import html
import json
import re
import shlex
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import pytest
from werkzeug.test import TestResponse

from curate_app.jobs import COMMANDS, jobs_of
from curate_app.shortfall import ClassNeed
from curate_app.top_up import TopUp, last_contact, suggested, yield_of
from dataset.records import Change, Origin, SettingChange
from dataset.wording import clean_label
from scrape.cli import command_line
from tests.curate_app.conftest import Judge
from tests.curate_app.drawn_catalogue import HOSTILE, DrawnCatalogue, drawing

WORDS = [
    "red panda",
    "-x",
    "--data=/etc",
    "it's",
    "$(rm -r ~); `id`",
    'a "b" \\',
    "été 猫",
    HOSTILE,
]


def page(judge: Judge, address: str = "/classes") -> Any:
    answer = judge.get(address + ("&" if "?" in address else "?") + "format=json")
    assert answer.status_code == 200, answer.text
    return answer.json


def said(answer: TestResponse) -> Any:
    """The answer to an action as it was sent."""
    return json.loads(answer.text)


def row(judge: Judge, label: str) -> Any:
    return next(row for row in page(judge)["classes"] if row["label"] == label)


def keep(drawn: DrawnCatalogue, *ids: int, value: str = "keep") -> None:
    with drawn.open() as catalog:
        changes = [Change(image_id=i, field="status", value=value) for i in ids]
        catalog.judgements.apply(changes, who="me", verb=value)


def test_a_target_is_set_by_one_post_and_taken_back_by_undo(
    judge: Judge, drawn: DrawnCatalogue
) -> None:
    ids = drawn.add_many(8)  # bird, cat, dog, fish
    keep(drawn, ids[0])
    answer = judge.post("/classes/target", {"label": "bird", "target": 5})
    assert said(answer)["message"] == "“bird”: target 5"
    assert (row(judge, "bird")["short"], row(judge, "bird")["kept"]) == (4, 1)
    assert page(judge)["missing"] == 4
    assert '<strong class="short">4</strong>' in judge.get("/classes").text
    judge.post("/undo", {})
    assert row(judge, "bird")["target"] is None


def test_one_target_for_all_named_classes_is_one_batch(judge: Judge, drawn: DrawnCatalogue) -> None:
    drawn.add_many(4)
    drawn.add(drawing(99), label="")
    answer = judge.post("/classes/targets", {"target": 9})
    assert said(answer)["message"] == "4 classes: target 9"
    targets = {row["label"]: row["target"] for row in page(judge)["classes"]}
    assert targets == {"bird": 9, "cat": 9, "dog": 9, "fish": 9, "": None}
    judge.post("/undo", {})
    assert {row["target"] for row in page(judge)["classes"]} == {None}


def test_a_class_without_a_picture_is_added_by_its_target(
    judge: Judge, drawn: DrawnCatalogue
) -> None:
    drawn.add_many(1)
    judge.post("/classes/target", {"label": "  red   panda ", "target": 3})
    assert row(judge, "red panda")["short"] == 3
    assert judge.get("/classes?label=red+panda").status_code == 200
    judge.post("/classes/target", {"label": "red panda", "target": None})
    assert [row["label"] for row in page(judge)["classes"]] == ["bird"]


@pytest.mark.parametrize("target", [-1, 1.5, "7", True, 10**9, []])
def test_a_target_is_a_whole_number(target: object, judge: Judge) -> None:
    assert judge.post("/classes/target", {"label": "a", "target": target}).status_code == 400


@pytest.mark.parametrize("label", ["a" * 201, 7, None, "a\0b", "\u202e", "a\ud800", "a" * 2001])
def test_a_label_is_a_line_of_text(label: object, judge: Judge) -> None:
    assert judge.post("/classes/target", {"label": label, "target": 1}).status_code == 400


def test_a_class_is_renamed_with_all_its_pictures_and_its_target(
    judge: Judge, drawn: DrawnCatalogue
) -> None:
    ids = drawn.add_many(8)
    keep(drawn, ids[0], value="reject")
    judge.post("/classes/target", {"label": "bird", "target": 5})
    answer = judge.post("/classes/move", {"label": "bird", "to": "birds", "count": 2})
    assert said(answer)["message"] == "2 pictures of “bird” moved to “birds”"
    assert (row(judge, "birds")["target"], row(judge, "birds")["rejected"]) == (5, 1)
    assert "bird" not in [row["label"] for row in page(judge)["classes"]]
    judge.post("/undo", {})
    assert (row(judge, "bird")["target"], row(judge, "bird")["waiting"]) == (5, 1)


# As they came in before labels were tidied up, or by another tool.
UNTIDY = ["a  b", " a b", "z\u200bz", "x\u202ey", "tab\there", "L" * 300, "\u200fשלום"]


@pytest.mark.parametrize("label", UNTIDY, ids=ascii)
def test_a_class_that_there_is_is_meant_by_its_name_as_it_is(
    label: str, judge: Judge, drawn: DrawnCatalogue
) -> None:
    tidy = clean_label(label)
    picture, other = drawn.add(drawing(1), label=label), drawn.add(drawing(2), label=tidy)
    assert said(judge.post("/classes/target", {"label": label, "target": 1}))["batch"] == 1
    assert (row(judge, label)["target"], row(judge, tidy)["target"]) == (1, None)
    accepted = judge.post("/incoming/accept", {"label": label, "ids": [picture]})
    assert said(accepted)["pictures"][0]["id"] == picture
    again = judge.post("/judge", {"verb": "label", "ids": [other], "label": label})
    assert said(again)["pictures"][0]["label"] == label
    judge.post("/undo", {})
    moved = judge.post("/classes/move", {"label": label, "to": tidy, "count": 1})
    assert [shown["id"] for shown in said(moved)["pictures"]] == [picture]
    assert row(judge, tidy)["waiting"] + row(judge, tidy)["kept"] == 2


@pytest.mark.parametrize("label", UNTIDY, ids=ascii)
def test_every_link_of_a_class_opens_and_no_letter_of_its_name_turns_the_page_around(
    label: str, judge: Judge, drawn: DrawnCatalogue
) -> None:
    drawn.add(drawing(1), label=label)
    judge.post("/classes/target", {"label": label, "target": 5})
    links = set()
    for address in ("/classes", "/incoming", f"/classes?label={quote(label)}"):
        links |= set(re.findall(r'href="(/[^"#]*label=[^"#]*)', judge.get(address).text))
    assert {urlsplit(link).path for link in links} >= {"/", "/classes", "/incoming"}
    for link in links:
        assert judge.get(html.unescape(link)).status_code == 200, link
    title = re.search(r"<title>.*</title>", judge.get(f"/incoming?label={quote(label)}").text)
    assert title is not None
    assert "\u202e" not in title[0]


def test_labels_that_look_the_same_are_made_the_same(judge: Judge, drawn: DrawnCatalogue) -> None:
    [picture] = drawn.add_many(1)
    body = {"verb": "label", "ids": [picture], "label": " \u200fשלום\u200e  לך "}
    assert said(judge.post("/judge", body))["pictures"][0]["label"] == "שלום לך"


def test_the_letter_that_cannot_be_shown_is_named(judge: Judge) -> None:
    answer = judge.post("/classes/target", {"label": "a\u202eb", "target": 1})
    wanted = "label holds U+202E, a letter that cannot be shown; leave it out"
    assert said(answer)["error"] == wanted


def test_moving_into_another_class_keeps_the_target_of_that_one(
    judge: Judge, drawn: DrawnCatalogue
) -> None:
    drawn.add_many(8)
    for label, target in (("bird", 5), ("cat", 7)):
        judge.post("/classes/target", {"label": label, "target": target})
    judge.post("/classes/move", {"label": "bird", "to": "cat", "count": 2})
    assert (row(judge, "cat")["target"], row(judge, "cat")["waiting"]) == (7, 4)
    judge.post("/classes/move", {"label": "cat", "to": "", "count": 4})
    assert (row(judge, "")["target"], row(judge, "")["waiting"]) == (None, 4)


def test_a_class_that_changed_meanwhile_is_not_moved(judge: Judge, drawn: DrawnCatalogue) -> None:
    drawn.add_many(8)
    answer = judge.post("/classes/move", {"label": "bird", "to": "x", "count": 1})
    assert answer.status_code == 409
    assert said(answer)["error"] == "“bird” has 2 pictures now; look again"
    same = judge.post("/classes/move", {"label": "bird", "to": " bird ", "count": 2})
    assert same.status_code == 400


def test_duplicates_of_kept_pictures_are_told_apart_from_what_waits(
    judge: Judge, drawn: DrawnCatalogue
) -> None:
    small, large = drawn.add_pair(50)
    keep(drawn, large)
    assert (row(judge, "")["waiting"], row(judge, "")["repeats"]) == (1, 1)
    assert small != large


@pytest.mark.parametrize(
    "address", ["?nonsense=1", "?show=none", "?label=nowhere", "?limit=3&limit=4"]
)
def test_addresses_are_read_strictly(address: str, judge: Judge) -> None:
    assert judge.get("/classes" + address).status_code in (400, 404)


# ---------------------------------------------------------------- topping up


@pytest.mark.parametrize("words", WORDS)
def test_the_command_means_what_it_shows_whatever_the_label(words: str, tmp_path: Path) -> None:
    plan = TopUp(
        label=words, query=words, sources=("commons", "flickr"), limit=40, contact="a@b.org"
    )
    typed = shlex.split(" ".join(plan.command(tmp_path / "my data")))
    for given in (typed[3:], ["run", *plan.arguments()]):
        options = command_line().parser.parse_args(given)
        assert (options.query, options.label, options.limit) == ([words], words, 40)
        assert options.kinds == ["commons", "flickr"]
        assert options.assignments == ["crawl.contact=a@b.org"]
    assert typed[:3] == ["python", "-m", "scrape"]
    assert command_line().parser.parse_args(typed[3:]).data == tmp_path / "my data"


def test_pictures_without_a_class_are_asked_for_without_a_label() -> None:
    plan = TopUp(label="", query="logos", sources=("commons",), limit=5)
    assert not [word for word in plan.arguments() if word.startswith("--label")]


def test_the_yield_is_the_history_of_the_class_and_else_that_of_all() -> None:
    everything = ClassNeed(label="", kept=499, rejected=499)
    assert yield_of(ClassNeed(label="new"), everything) == pytest.approx(0.5)
    assert yield_of(ClassNeed(label="good", kept=990, rejected=0), everything) > 0.99
    assert yield_of(ClassNeed(label="bad", kept=0, rejected=10_000), everything) == 0.05


@pytest.mark.parametrize(
    ("need", "limit"),
    [
        (ClassNeed(label="a", target=100, kept=0), 100),
        (ClassNeed(label="a", target=1000, kept=0), 1000),
        (ClassNeed(label="a", target=100, waiting=100), 50),
        (ClassNeed(label="a", target=100, waiting=400), 20),
        (ClassNeed(label="a", target=100, waiting=400, repeats=400), 100),
        (ClassNeed(label="a"), 20),
    ],
)
def test_as_many_are_asked_for_as_the_gap_and_the_yield_say(
    need: ClassNeed, limit: int, drawn: DrawnCatalogue
) -> None:
    everything = ClassNeed(label="", kept=499, rejected=499)  # one of two is kept, two sources
    with drawn.open() as catalog:
        assert suggested(catalog, need, everything).limit == limit


def test_sources_are_those_that_gave_what_was_kept(drawn: DrawnCatalogue) -> None:
    picture = drawn.add(drawing(1), label="fox")
    keep(drawn, picture)
    with drawn.open() as catalog:
        plan = suggested(catalog, ClassNeed(label="fox", target=5), ClassNeed(label=""))
        assert plan.sources == ("commons", "openverse")
        for source in ("inaturalist", "some-site"):
            catalog.images.add_origin(picture, Origin(url=f"http://x.test/{source}", source=source))
        plan = suggested(catalog, ClassNeed(label="fox", target=5), ClassNeed(label=""))
    assert plan.sources == ("inaturalist", "commons")


@pytest.mark.parametrize(
    ("config", "contact"),
    [
        ({"crawl": {"contact": "me@a.org"}}, "me@a.org"),
        ({"crawl": {"contact": "--set x"}}, ""),
        ({"crawl": {"contact": 7}}, ""),
        ([], ""),
    ],
)
def test_the_contact_is_that_of_the_last_run(
    config: object, contact: str, drawn: DrawnCatalogue
) -> None:
    with drawn.open() as catalog:
        assert last_contact(catalog) == ""
        catalog.ledger.begin_run(json.dumps(config))
        assert last_contact(catalog) == contact


def test_the_panel_shows_the_command_for_what_the_address_says(
    judge: Judge, drawn: DrawnCatalogue
) -> None:
    drawn.add_many(4)
    plan = page(judge, "/classes?label=bird")["top_up"]
    assert (plan["query"], plan["sources"]) == ("bird", ["commons", "openverse"])
    other = "/classes?label=bird&query=%22x%22&limit=7&flickr=on&contact=me%40a.org"
    command = page(judge, other)["top_up"]["command"]
    assert command.startswith("python -m scrape run flickr --query='\"x\"' --label=bird --limit=7")
    assert judge.get("/classes?label=bird&contact=nobody").status_code == 400


GOOD = {"label": "bird", "query": "bird", "limit": 5, "contact": "me@a.org", "flickr": "on"}


@pytest.mark.parametrize(
    "bad",
    [{"contact": ""}, {"contact": "x"}, {"query": ""}, {"limit": 0}, {"flickr": "no"}, {"evil": 1}],
)
def test_nothing_starts_without_all_that_scraping_needs(
    bad: dict[str, object], judge: Judge, drawn: DrawnCatalogue
) -> None:
    drawn.add_many(1)
    assert judge.post("/classes/top-up", {**GOOD, **bad}).status_code == 400
    assert jobs_of(judge.app).all() == []


@pytest.fixture
def offline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a scrape be a program that asks nobody and says as what it was called."""
    (tmp_path / "offline.py").write_text("import json, sys\nprint(json.dumps(sys.argv[1:]))\n")
    monkeypatch.setitem(COMMANDS, "scrape", ("offline", "run"))
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))


@pytest.mark.usefixtures("offline")
def test_a_top_up_starts_the_very_command(judge: Judge, drawn: DrawnCatalogue) -> None:
    drawn.add_many(1)
    judge.get("/classes?label=bird")
    assert jobs_of(judge.app).all() == [], "looking starts nothing"
    answer = judge.post("/classes/top-up", GOOD)
    assert answer.status_code == 200, answer.text
    job = jobs_of(judge.app).get(said(answer)["job"])
    assert job is not None
    assert jobs_of(judge.app).wait(job, 60)
    assert job.state == "done", job.log
    called = json.loads(job.result)
    assert called == [
        *("run", f"--data={drawn.data}", "--progress=json"),
        *("--query=bird", "--label=bird", "--limit=5", "--set=crawl.contact=me@a.org"),
        *("--", "flickr"),
    ]
    assert command_line().parser.parse_args(called).kinds == ["flickr"]


def test_a_top_up_is_a_run_of_the_scraping_stage() -> None:
    assert COMMANDS["scrape"] == ("scrape", "run")


def test_hostile_labels_are_escaped(judge: Judge, drawn: DrawnCatalogue) -> None:
    drawn.add(drawing(1), label=HOSTILE)
    with drawn.open() as catalog:
        change = SettingChange(name=f"target:{HOSTILE}", value="4")
        catalog.judgements.apply([change], who="me", verb="target")
    for address in ("/classes", "/incoming"):
        text = judge.get(address).text
        assert HOSTILE not in text
        assert "&lt;script&gt;" in text
