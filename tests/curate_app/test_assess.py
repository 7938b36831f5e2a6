"""The assessment screens over the real app: blind pages, votes, checks, results, the verb."""

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from curate_app import create_app
from curate_app.assembling import Wish, begin
from curate_app.assessment_result import counted_votes, result_of
from curate_app.cli import main
from curate_app.jobs import jobs_of
from curate_app.trials import Schedule
from dataset.assessments import Answer, Assessment, Assessments
from tests.curate_app.conftest import Judge
from tests.curate_app.drawn_catalogue import HOSTILE, DrawnCatalogue
from tests.curate_app.drawn_sets import draw_folder, write_pack

BOTH = ("folder:tiny/samples", "folder:tiny/later")


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    return tmp_path / "runs"


@pytest.fixture
def anna(drawn: DrawnCatalogue, runs: Path) -> Judge:
    return Judge(create_app(drawn.data, who="anna", runs=runs, testing=True))


@pytest.fixture
def ben(drawn: DrawnCatalogue, runs: Path) -> Judge:
    return Judge(create_app(drawn.data, who="ben", runs=runs, testing=True))


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the runs and the data of an assessment "pair" of two drawings."""
    folder = tmp_path_factory.mktemp("template")
    (folder / "data").mkdir()
    start(folder / "data", folder / "runs")
    return folder


@pytest.fixture
def pair(drawn: DrawnCatalogue, runs: Path, template: Path) -> Assessment:
    """The assessment "pair", begun in `drawn`."""
    shutil.copytree(template / "runs", runs)
    shutil.copytree(template / "data", drawn.data, dirs_exist_ok=True)
    return Assessments(drawn.data).read("pair")


def start(data: Path, runs: Path, **more: Any) -> Assessment:
    draw_folder(runs / "tiny" / "samples", 8)
    draw_folder(runs / "tiny" / "later", 8, first=100)
    usual: dict[str, Any] = {"name": "pair", "sets": BOTH, "seed": 3, "tells_class": True}
    return begin(Wish(**(usual | more)), runs, data, "anna")


def shown(judge: Judge, address: str) -> Any:
    answer = judge.get(address + ("&" if "?" in address else "?") + "format=json")
    assert answer.status_code == 200, answer.text
    return answer.get_json()


def vote(judge: Judge, trial: int, choice: str = "left", **more: Any) -> Any:
    body = {"trial": trial, "choice": choice, **more}
    return judge.post("/assess/pair/vote", body)


def answered(
    of: Assessment, who: str, count: int, prefers: int = 0, *, passes: bool = True
) -> list[Answer]:
    """The answers of somebody who always prefers one set."""
    found = []
    schedule = Schedule(of, who)
    for number in range(count):
        trial = schedule.trial(number)
        wanted = int(passes) if trial.kind == "gold" else prefers
        found.append(
            Answer(
                who=who,
                at="",
                trial=number,
                kind=trial.kind,
                left=trial.left,
                right=trial.right,
                pictures=trial.pictures,
                label=trial.label,
                choice="left" if trial.left == wanted else "right",
                of=trial.of,
                ms=1500,
            )
        )
    return found


def store(drawn: DrawnCatalogue, answers: list[Answer], name: str = "pair") -> None:
    file = Assessments(drawn.data).answers(name)
    for answer in answers:
        assert file.add(answer)


# ------------------------------------------------------------------------------ the list


def test_without_sets_the_page_says_how_to_draw_some(anna: Judge, runs: Path) -> None:
    page = anna.get("/assess")
    assert page.status_code == 200
    assert "There is nothing to compare yet" in page.text
    assert f"python -m sample draw {runs}/RUN --count 200" in page.text
    assert 'id="begin-form"' not in page.text
    assert shown(anna, "/assess")["sets"] == []
    draw_folder(runs / "tiny" / "samples")
    page = anna.get("/assess")
    assert "One set alone cannot be compared" in page.text
    assert "there is tiny/samples" in page.text


def test_the_address_holds_the_form(anna: Judge, runs: Path) -> None:
    draw_folder(runs / "a")
    draw_folder(runs / "b")
    address = "/assess?set=folder:b&set=folder:gone&name=mine&question=Why%3F&match=none"
    form = shown(anna, address + "&tells_class=on")["form"]
    assert form == {
        "sets": ["folder:b"],
        "name": "mine",
        "question": "Why?",
        "match": "none",
        "tells_class": True,
    }
    page = anna.get(address).text
    assert re.search(r'value="folder:b" checked', page)
    assert not re.search(r'value="folder:a" checked', page)
    assert shown(anna, "/assess")["form"]["name"] == "assessment-1"


_NO_ADDRESSES = [
    "/assess?other=1",
    "/assess?name=a&name=b",
    "/assess?match=x",
    "/assess?tells_class=1",
    "/assess?name=" + "a" * 41,
    "/assess?question=a%E2%80%AEb",
    "/assess?format=xml",
    "/assess?" + "&".join(f"set={n}" for n in range(101)),
    "/assess/pair?trial=1",
    "/assess/pair/next?count=0",
    "/assess/pair/next?count=31",
    "/assess/pair/next?held=a",
    "/assess/pair/next?held=1,,2",
    "/assess/pair/results?who=ben",
]


def test_address_that_means_nothing_is_refused(anna: Judge, pair: Assessment) -> None:
    for address in _NO_ADDRESSES:
        assert anna.get(address).status_code == 400, address


def test_list_tells_votes_and_what_is_damaged(
    anna: Judge, drawn: DrawnCatalogue, runs: Path, pair: Assessment
) -> None:
    store(drawn, answered(pair, "ben", 12))
    start(drawn.data, runs, name="other")
    Assessments(drawn.data).manifest("other").write_text("{")
    rows = {row["name"]: row for row in shown(anna, "/assess")["assessments"]}
    assert (rows["pair"]["votes"], rows["pair"]["people"]) == (10, 1)
    assert rows["pair"]["sets"] == ["tiny/samples", "tiny/later"]
    assert "is damaged" in rows["other"]["problem"]
    assert "is damaged" in anna.get("/assess").text
    assert anna.get("/assess/other").status_code == 500


def test_assessment_is_begun_by_a_job_that_is_the_command(
    anna: Judge, drawn: DrawnCatalogue, runs: Path
) -> None:
    draw_folder(runs / "a", 4)
    write_pack(drawn.data, "pets")
    body = {"name": "mine", "sets": ["folder:a", "pack:pets/test"], "question": "Real?"}
    job = anna.post("/assess/begin", body).get_json()
    jobs = jobs_of(anna.app)
    known = jobs.get(job["id"])
    assert known is not None
    assert jobs.wait(known, 60)
    assert known.state == "done", known.error
    made = Assessments(drawn.data).read("mine")
    assert [one.title for one in made.sets] == ["a", "real pictures: pets, test"]
    assert (made.question, made.made_by, made.by_class) == ("Real?", "anna", True)
    assert anna.post("/assess/begin", body).status_code == 409


_NO_FORMS: list[tuple[dict[str, Any], int]] = [
    ({"name": "../x"}, 400),
    ({"name": 7}, 400),
    ({"name": None}, 400),
    ({"sets": "folder:a"}, 400),
    ({"sets": [1, 2]}, 400),
    ({"sets": []}, 400),
    ({"sets": [BOTH[0]]}, 400),
    ({"sets": [BOTH[0], BOTH[0]]}, 400),
    ({"sets": [BOTH[0], "folder:../../etc"]}, 404),
    ({"sets": [BOTH[0], "--help"]}, 404),
    ({"question": ""}, 400),
    ({"question": "x" * 201}, 400),
    ({"match": "colour"}, 400),
    ({"match": ["class"]}, 400),
    ({"tells_class": "yes"}, 400),
    ({"most": 3}, 400),
]


def test_form_that_cannot_be_begun_starts_no_job(anna: Judge, pair: Assessment) -> None:
    for change, status in _NO_FORMS:
        answer = anna.post("/assess/begin", {"name": "x", "sets": list(BOTH), **change})
        assert answer.status_code == status, (change, answer.text)
    assert shown(anna, "/jobs")["jobs"] == []


# ------------------------------------------------------------------------------ voting


def test_nothing_on_the_voting_page_tells_a_set_a_check_or_the_standing(
    anna: Judge, drawn: DrawnCatalogue, runs: Path
) -> None:
    write_pack(drawn.data, "pets")
    of = start(drawn.data, runs, sets=(BOTH[0], "pack:pets/test"))
    told = [anna.get("/assess/pair").text, json.dumps(shown(anna, "/assess/pair"))]
    queue = shown(anna, "/assess/pair/next?count=30")
    told.append(json.dumps(queue))
    told.append(vote(anna, 0, more=5).text)
    for text in told:
        for word in ("tiny", "samples", "pets", "real", "gold", "repeat", "noise", "folder:"):
            assert word not in text.replace("already", "").replace("ready", "")
    assert {tuple(sorted(one)) for one in queue["queue"]} == {("images", "label", "trial")}
    kinds = {Schedule(of, "anna").trial(one["trial"]).kind for one in queue["queue"]}
    assert kinds == {"compare", "gold", "repeat"}
    sizes = set()
    for one in queue["queue"]:
        for image in one["images"]:
            answer = anna.get(image)
            assert answer.mimetype == "image/png"
            assert "Content-Disposition" not in answer.headers
            assert "Last-Modified" not in answer.headers
            sizes.add(image.count("/"))
    assert len(sizes) == 1


def test_vote_is_written_with_all_that_counts_it(
    anna: Judge, drawn: DrawnCatalogue, pair: Assessment
) -> None:
    answer = vote(anna, 0, "right", ms=812, more=4, held=[1, 2])
    assert answer.status_code == 200, answer.text
    told = answer.get_json()
    assert (told["mine"], told["votes"], told["settled"]) == (1, 1, False)
    assert [one["trial"] for one in told["queue"]] == [3, 4, 5, 6]
    trial = Schedule(pair, "anna").trial(0)
    [stored] = Assessments(drawn.data).answers("pair").standing()
    assert (stored.who, stored.choice, stored.ms) == ("anna", "right", 812)
    assert (stored.kind, stored.left, stored.right) == (trial.kind, trial.left, trial.right)
    assert stored.pictures == trial.pictures
    assert [one["trial"] for one in shown(anna, "/assess/pair")["queue"]] == list(range(1, 9))


def test_the_class_is_shown_only_where_that_is_wanted(
    anna: Judge, drawn: DrawnCatalogue, runs: Path, pair: Assessment
) -> None:
    assert {one["label"] for one in shown(anna, "/assess/pair")["queue"]} <= {"cat", "dog"}
    start(drawn.data, runs, name="silent", tells_class=False)
    assert {one["label"] for one in shown(anna, "/assess/silent")["queue"]} == {""}


def test_pair_is_answered_once_also_from_two_pages(anna: Judge, pair: Assessment) -> None:
    assert vote(anna, 0).status_code == 200
    again = vote(anna, 0, "right")
    assert again.status_code == 409
    assert "answered this pair already" in again.get_json()["error"]
    assert shown(anna, "/assess/pair")["mine"] == 1


def test_undo_brings_ones_own_last_pair_back(anna: Judge, ben: Judge, pair: Assessment) -> None:
    for number in (0, 1):
        vote(anna, number)
    vote(ben, 0)
    told = anna.post("/assess/pair/undo", {}).get_json()
    assert [one["trial"] for one in told["queue"]] == [1]
    assert (told["mine"], told["votes"]) == (1, 2)
    assert vote(anna, 1, "tie").status_code == 200
    anna.post("/assess/pair/undo", {})
    anna.post("/assess/pair/undo", {})
    told = anna.post("/assess/pair/undo", {}).get_json()
    assert (told["message"], told["queue"]) == ("nothing left to take back", [])
    assert shown(ben, "/assess/pair")["mine"] == 1


def test_people_see_pairs_of_their_own(anna: Judge, ben: Judge, pair: Assessment) -> None:
    queues = [shown(judge, "/assess/pair")["queue"] for judge in (anna, ben)]
    assert [one["trial"] for one in queues[0]] == [one["trial"] for one in queues[1]]
    assert [one["images"] for one in queues[0]] != [one["images"] for one in queues[1]]


_NO_VOTES: list[dict[str, Any]] = [
    {"trial": None},
    {"trial": -1},
    {"trial": 1_000_000},
    {"trial": "0"},
    {"trial": True},
    {"choice": "both"},
    {"choice": None},
    {"choice": ["left"]},
    {"ms": -2},
    {"ms": 1.5},
    {"ms": 10**9},
    {"more": 31},
    {"more": "1"},
    {"held": "1"},
    {"held": [1.5]},
    {"held": [-1]},
    {"held": [1] * 101},
    {"kind": "compare"},
    {"who": "ben"},
]


def test_malformed_vote_is_refused_and_counts_nothing(
    anna: Judge, drawn: DrawnCatalogue, pair: Assessment
) -> None:
    for change in _NO_VOTES:
        answer = anna.post("/assess/pair/vote", {"trial": 0, "choice": "left", **change})
        assert answer.status_code == 400, change
    assert Assessments(drawn.data).answers("pair").standing() == []


def test_vote_of_a_foreign_page_is_refused(anna: Judge, pair: Assessment) -> None:
    body = {"trial": 0, "choice": "left"}
    assert anna.client.post("/assess/pair/vote", json=body).status_code == 403


_NOT_THERE = [
    "/assess/none",
    "/assess/none/results",
    "/assess/none/next",
    "/assess/%2e%2e",
    "/assess/..%2fpair",
    "/assess/" + "x" * 300,
    "/assess/pair/picture/" + "0" * 64 + ".png",
    "/assess/pair/picture/..%2f..%2fassessment.png",
    "/assess/pair/picture/x.png",
]


def test_what_is_not_there_is_404(anna: Judge, pair: Assessment) -> None:
    for address in _NOT_THERE:
        assert anna.get(address).status_code == 404, address


def test_pictures_of_another_assessment_are_not_shown(
    anna: Judge, drawn: DrawnCatalogue, runs: Path, pair: Assessment
) -> None:
    draw_folder(runs / "else", first=300)
    other = start(drawn.data, runs, name="other", sets=(BOTH[0], "folder:else"))
    key = next(iter(other.every_key() - pair.every_key()))
    assert anna.get(f"/assess/other/picture/{key}.png").status_code == 200
    assert anna.get(f"/assess/pair/picture/{key}.png").status_code == 404


# ------------------------------------------------------------------------------ counting


def test_settled_assessment_hands_out_no_more(
    anna: Judge, drawn: DrawnCatalogue, pair: Assessment
) -> None:
    store(drawn, answered(pair, "ben", 15))
    page = shown(anna, "/assess/pair")
    assert (page["settled"], len(page["queue"])) == (False, 8)
    store(drawn, answered(pair, "cleo", 12))
    page = shown(anna, "/assess/pair")
    assert (page["settled"], page["queue"]) == (True, [])
    # A page that holds a pair still may say what it has seen.
    assert vote(anna, 0).status_code == 200
    result = shown(anna, "/assess/pair/results")
    [preference] = result["preferences"]
    assert preference["state"] == "first"
    assert preference["settled_after"] == 14
    assert "tiny/samples is preferred to tiny/later" in anna.get("/assess/pair/results").text


def test_votes_of_whoever_fails_the_gold_checks_do_not_count(
    anna: Judge, drawn: DrawnCatalogue, pair: Assessment
) -> None:
    careless = answered(pair, "carl", 60, prefers=1, passes=False)
    counted = counted_votes(careless)
    second_failure = [one.trial for one in careless if one.kind == "gold"][1]
    assert {one.trial for one in counted} == {
        one.trial for one in careless if one.kind == "compare" and one.trial < second_failure
    }
    store(drawn, careless)
    [person] = shown(anna, "/assess/pair/results")["people"]
    assert (person["gold_right"], person["gold"]) == (0, 6)
    assert person["counted"] == len(counted) < person["votes"] == 50


def test_one_slip_is_forgiven_and_what_comes_later_never_takes_a_vote_back(
    pair: Assessment,
) -> None:
    answers = answered(pair, "anna", 36)
    first_check = next(place for place, one in enumerate(answers) if one.kind == "gold")
    failed = answered(pair, "anna", 36, passes=False)[first_check]
    slipped = [*answers[:first_check], failed, *answers[first_check + 1 :]]
    assert counted_votes(slipped) == counted_votes(answers)
    for end in range(len(slipped)):
        before = counted_votes(slipped[:end])
        assert counted_votes(slipped)[: len(before)] == before


def test_repetitions_and_checks_are_no_votes(pair: Assessment) -> None:
    answers = answered(pair, "anna", 48)
    result = result_of(pair, answers)
    assert (result.votes, result.counted) == (40, 40)
    assert (result.gold_right, result.gold) == (5, 5)
    assert (result.alike, result.repeated) == (3, 3)
    assert result.preferences[0].votes == 40
    assert result.preferences[0].wins == 40


def test_contrary_repetition_shows_as_such(pair: Assessment) -> None:
    answers = answered(pair, "anna", 24)
    turned = [
        one if one.kind != "repeat" else answered(pair, "anna", 24, prefers=1)[one.trial]
        for one in answers
    ]
    [person] = result_of(pair, turned).people
    assert (person.alike, person.repeated) == (0, 1)


def test_three_sets_are_put_in_order_with_every_pair_settled(
    drawn: DrawnCatalogue, runs: Path, anna: Judge
) -> None:
    draw_folder(runs / "third", 8, first=200)
    of = start(drawn.data, runs, sets=(*BOTH, "folder:third"))
    answers: list[Answer] = []
    schedule = Schedule(of, "anna")
    for number in range(90):
        trial = schedule.trial(number)
        wanted = 1 if trial.kind == "gold" else max(trial.left, trial.right)
        [answer] = [
            one for one in answered(of, "anna", number + 1, prefers=wanted) if one.trial == number
        ]
        answers.append(answer)
    store(drawn, answers)
    result = shown(anna, "/assess/pair/results")
    assert [one["number"] for one in result["strengths"]] == [2, 1, 0]
    assert [one["state"] for one in result["preferences"]] == ["second"] * 3
    assert result["settled"]
    page = anna.get("/assess/pair/results").text
    assert "third is preferred to tiny/later" in page
    assert "each has 1.7 % of the 5 %" in page


def test_results_by_class_and_of_nobody(
    anna: Judge, drawn: DrawnCatalogue, pair: Assessment
) -> None:
    empty = shown(anna, "/assess/pair/results")
    assert (empty["votes"], empty["people"], empty["settled"]) == (0, [], False)
    assert "no votes yet" in anna.get("/assess/pair/results").text
    store(drawn, answered(pair, "ben", 24))
    classes = shown(anna, "/assess/pair/results")["classes"]
    assert {one["label"] for one in classes} == {"cat", "dog"}
    assert sum(one["votes"] for one in classes) == 20
    assert {one["share"] for one in classes} == {1.0}


def test_hostile_names_of_folders_classes_and_questions_stay_text(
    anna: Judge, drawn: DrawnCatalogue, runs: Path
) -> None:
    name = "<script>document.title=1<" + "\N{DIVISION SLASH}script>"
    draw_folder(runs / name, 8)
    of = start(drawn.data, runs, sets=(BOTH[0], f"folder:{name}"), question=HOSTILE)
    store(drawn, answered(of, "ben", 3))
    for address in ("/assess", "/assess/pair", "/assess/pair/results"):
        page = anna.get(address).text
        assert "<script>document" not in page
        assert "&lt;script&gt;" in page


# ------------------------------------------------------------------------------ the verb


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    code = main(["assess", *arguments, "--progress", "quiet"])
    out, err = capsys.readouterr()
    return code, out, err


def test_verb_begins_lists_and_prints(
    drawn: DrawnCatalogue, runs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    draw_folder(runs / "a")
    draw_folder(runs / "b")
    where = ("--data", str(drawn.data))
    assert "there is no assessment yet" in run(capsys, *where)[1]
    sets = ("--compare", "folder:a", "--compare", "folder:b")
    code, out, _ = run(capsys, "pair", *where, "--runs", str(runs), *sets, "--json")
    assert (code, json.loads(out)["sets"]) == (0, [8, 8])
    of = Assessments(drawn.data).read("pair")
    store(drawn, answered(of, "anna", 36))
    code, out, _ = run(capsys, "pair", *where, "--json")
    result = json.loads(out)
    assert (code, result["schema"], result["counted"]) == (0, "assessment-result/1", 30)
    assert result["preferences"][0]["wilson"] == pytest.approx([0.8865, 1.0], abs=1e-4)
    assert result["preferences"][0]["always"][1] == 1.0
    code, out, _ = run(capsys, "pair", *where)
    assert "a over b: 100 % of 30 votes (0 about equal), 95 % 88.6 to 100.0 %" in out
    assert "a is preferred to b" in out
    assert "gold checks 4 of 4 right" in out
    assert json.loads(run(capsys, *where, "--json")[1])[0]["votes"] == 30
    assert run(capsys, *where)[1].split() == ["pair", "30", "votes", "a", "/", "b"]


def test_verb_says_so_where_nobody_voted_and_lists_damaged_ones_beside_the_others(
    drawn: DrawnCatalogue, runs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    start(drawn.data, runs)
    where = ("--data", str(drawn.data))
    out = run(capsys, "pair", *where)[1]
    assert "no votes yet" in out
    assert "%" not in out
    broken = Assessments(drawn.data).manifest("broken")
    broken.parent.mkdir()
    broken.write_text("{", "utf-8")
    code, out, _ = run(capsys, *where)
    first, second = out.splitlines()
    assert (code, first.split()[0], second.split()[0]) == (0, "broken", "pair")
    assert "is damaged" in first
    assert "0 votes" in second


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("none",), "there is no assessment 'none'; there are: none yet"),
        (("..",), "is no name of an assessment"),
        (("x", "--compare", "folder:a"), "choose 2 to 8 sets"),
        (("x", "--compare", "a", "--compare", "b"), "there is no set 'a'"),
        (("--compare", "a", "--compare", "b"), "give the assessment a name"),
        (("x", "--question", "Which?"), "--question is for a new assessment"),
        (("x", "--tells-class"), "--tells-class is for a new assessment"),
    ],
)
def test_verb_refuses_in_one_line_with_exit_2(
    drawn: DrawnCatalogue,
    runs: Path,
    capsys: pytest.CaptureFixture[str],
    arguments: tuple[str, ...],
    words: str,
) -> None:
    where = ("--data", str(drawn.data), "--runs", str(runs))
    code, out, err = run(capsys, *arguments, *where)
    assert (code, out) == (2, "")
    assert words in err
    assert err.count("\n") == 1
