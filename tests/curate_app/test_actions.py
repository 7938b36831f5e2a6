"""Every action is an event that is on disk before the answer, and can be taken back."""

import threading

import pytest
from werkzeug.test import TestResponse

from curate_app import create_app
from dataset.records import ImageRecord, PairChange, SettingChange, VoteChange, Wish
from tests.curate_app.conftest import Judge
from tests.curate_app.drawn_catalogue import DrawnCatalogue
from tests.curate_app.numbered_catalogue import add_numbered


def state(drawn: DrawnCatalogue, *ids: int) -> list[tuple[str, str, int]]:
    def values(record: ImageRecord | None) -> tuple[str, str, int]:
        assert record is not None
        return record.status, record.reason, record.stars

    with drawn.open() as catalog:
        return [values(catalog.images.get(i)) for i in ids]


def test_keep_reject_and_stars_are_events_in_the_name_of_the_judge(drawn: DrawnCatalogue) -> None:
    a, b = drawn.add_many(2)
    judge = Judge(create_app(drawn.data, who="anna", testing=True))
    answer = judge.judge("keep", a).get_json()
    assert answer == {
        "batch": 1,
        "verb": "keep",
        "message": f"kept #{a}",
        "pictures": [
            {
                "id": a,
                "status": "keep",
                "reason": "",
                "stars": 0,
                "label": "bird",
                "caption": "Drawing number 0",
            },
        ],
    }
    judge.judge("reject", b)
    judge.judge("stars", b, stars=5)
    assert state(drawn, a, b) == [("keep", "", 0), ("reject", "", 5)]
    with drawn.open() as catalog:
        events = catalog.judgements.latest()
    assert [(e.who, e.verb, e.image_id, e.field, e.after) for e in events] == [
        ("anna", "stars", b, "stars", 5),
        ("anna", "reject", b, "status", "reject"),
        ("anna", "keep", a, "status", "keep"),
    ]


def test_selection_is_one_batch_that_one_undo_takes_back(
    judge: Judge, drawn: DrawnCatalogue
) -> None:
    ids = drawn.add_many(4)
    answer = judge.judge("reject", *ids).get_json()
    assert answer["message"] == "rejected 4 pictures"
    undone = judge.post("/undo", {}).get_json()
    assert undone["message"] == "undid reject of 4 pictures"
    assert {picture["id"] for picture in undone["pictures"]} == set(ids)
    assert state(drawn, *ids) == [("undecided", "", 0)] * 4


def test_same_judgement_again_changes_nothing_and_makes_no_event(
    judge: Judge, drawn: DrawnCatalogue
) -> None:
    [a] = drawn.add_many(1)
    judge.judge("keep", a)
    answer = judge.judge("keep", a).get_json()
    assert answer["batch"] is None
    assert answer["pictures"] == []
    with drawn.open() as catalog:
        assert catalog.judgements.last_event_id() == 1


def test_undo_goes_back_without_limit_across_restarts(drawn: DrawnCatalogue) -> None:
    ids = drawn.add_many(3)
    first = Judge(create_app(drawn.data, testing=True))
    for number in ids:
        first.judge("keep", number)
        first.judge("stars", number, stars=3)
        first.judge("reject", number)
    later = Judge(create_app(drawn.data, testing=True))
    messages = []
    while (answer := later.post("/undo", {}).get_json())["batch"] is not None:
        messages.append(answer["message"])
    assert messages == [
        f"undid {deed} of #{number}"
        for number in reversed(ids)
        for deed in ("reject", "the stars", "keep")
    ]
    assert answer["message"] == "nothing left to undo"
    assert state(drawn, *ids) == [("undecided", "", 0)] * 3


def test_undo_takes_back_only_what_this_person_did(drawn: DrawnCatalogue) -> None:
    a, b = drawn.add_many(2)
    anna, ben = (Judge(create_app(drawn.data, who=who, testing=True)) for who in ("anna", "ben"))
    anna.judge("keep", a)
    ben.judge("keep", b)
    anna.post("/undo", {})
    assert state(drawn, a, b) == [("undecided", "", 0), ("keep", "", 0)]
    assert anna.post("/undo", {}).get_json()["batch"] is None


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"verb": "keep"},
        {"verb": "keep", "ids": []},
        {"verb": "keep", "ids": "1"},
        {"verb": "keep", "ids": ["1"]},
        {"verb": "keep", "ids": [True]},
        {"verb": "keep", "ids": [1.0]},
        {"verb": "keep", "ids": [0]},
        {"verb": "keep", "ids": [-1]},
        {"verb": "keep", "ids": [2**63]},
        {"verb": "keep", "ids": [1] * 10_001},
        {"verb": "delete", "ids": [1]},
        {"verb": ["keep"], "ids": [1]},
        {"verb": None, "ids": [1]},
        {"verb": "stars", "ids": [1]},
        {"verb": "stars", "ids": [1], "stars": 6},
        {"verb": "stars", "ids": [1], "stars": -1},
        {"verb": "stars", "ids": [1], "stars": "3"},
        {"verb": "stars", "ids": [1], "stars": True},
        {"verb": "keep", "ids": [1], "who": "somebody else"},
        [],
        "keep",
        None,
    ],
)
def test_malformed_action_is_refused_and_changes_nothing(
    judge: Judge, drawn: DrawnCatalogue, body: object
) -> None:
    drawn.add_many(1)
    answer = judge.post("/judge", body)
    assert answer.status_code == 400
    assert answer.get_json()["error"]
    with drawn.open() as catalog:
        assert catalog.judgements.last_event_id() == 0


def test_unknown_picture_among_known_ones_changes_none_of_them(
    judge: Judge, drawn: DrawnCatalogue
) -> None:
    a, b = drawn.add_many(2)
    answer = judge.judge("keep", a, 999, b)
    assert answer.status_code == 404
    assert "999" in answer.get_json()["error"]
    assert state(drawn, a, b) == [("undecided", "", 0)] * 2


def test_two_people_judging_at_once_lose_nothing(drawn: DrawnCatalogue) -> None:
    ids = drawn.add_many(24)
    codes: list[int] = []

    def work(who: str, mine: list[int]) -> None:
        judge = Judge(create_app(drawn.data, who=who, testing=True))
        for number in mine:
            codes.append(judge.judge("keep", number).status_code)
            codes.append(judge.judge("stars", number, stars=2).status_code)

    people = [
        threading.Thread(target=work, args=("anna", ids[::2])),
        threading.Thread(target=work, args=("ben", ids[1::2])),
    ]
    for person in people:
        person.start()
    for person in people:
        person.join()
    assert codes == [200] * 48
    assert state(drawn, *ids) == [("keep", "", 2)] * 24
    with drawn.open() as catalog:
        events = catalog.judgements.latest(100)
    assert len(events) == 48
    assert len({event.batch for event in events}) == 48


# ------------------------------------------------------------ classes and captions


def records(drawn: DrawnCatalogue, *ids: int) -> list[ImageRecord]:
    with drawn.open() as catalog:
        found = catalog.images.records(ids)
    return [found[i] for i in ids]


def test_label_puts_a_selection_into_a_class_and_takes_it_out(
    judge: Judge, drawn: DrawnCatalogue
) -> None:
    a, b, c = drawn.add_many(3)
    answer = judge.post("/judge", {"verb": "label", "ids": [a, b], "label": "  my \n owls "})
    assert answer.get_json()["message"] == "2 pictures put into class my owls"
    assert [p["label"] for p in answer.get_json()["pictures"]] == ["my owls"] * 2
    assert [r.label for r in records(drawn, a, b, c)] == ["my owls", "my owls", "dog"]
    answer = judge.post("/judge", {"verb": "label", "ids": [b], "label": ""})
    assert answer.get_json()["message"] == f"#{b} taken out of their class"
    assert records(drawn, b)[0].label == ""
    for _ in range(2):
        judge.post("/undo", {})
    assert [r.label for r in records(drawn, a, b, c)] == ["bird", "cat", "dog"]


def test_a_written_caption_is_shown_everywhere_until_it_is_as_found_again(
    judge: Judge, drawn: DrawnCatalogue
) -> None:
    [a] = drawn.add_many(1)
    text = "An owl — Uhu, 梟; <b>not bold</b>"
    answer = judge.post("/judge", {"verb": "caption", "ids": [a], "caption": f" {text}\n"})
    assert answer.get_json()["message"] == f"caption of #{a} written"
    assert answer.get_json()["pictures"][0]["caption"] == text
    [tile] = judge.get("/?format=json").get_json()["pictures"]
    picture = judge.get(f"/picture/{a}?format=json").get_json()
    assert tile["caption"] == picture["caption"] == text
    assert [c["text"] for c in picture["captions"]] == [text, "Drawing number 0"]
    for address in ("/", f"/picture/{a}"):
        html = judge.get(address).text
        assert "An owl — Uhu, 梟; &lt;b&gt;not bold&lt;/b&gt;" in html
        assert "<b>not" not in html
    assert len(judge.get("/?text=uhu&format=json").get_json()["pictures"]) == 1
    answer = judge.post("/judge", {"verb": "caption", "ids": [a], "caption": "  "})
    assert answer.get_json()["message"] == f"caption of #{a} as found"
    assert answer.get_json()["pictures"][0]["caption"] == "Drawing number 0"
    [tile] = judge.get("/?format=json").get_json()["pictures"]
    assert tile["caption"] == "Drawing number 0"
    judge.post("/undo", {})
    [tile] = judge.get("/?format=json").get_json()["pictures"]
    assert tile["caption"] == text


@pytest.mark.parametrize("verb", ["label", "caption"])
@pytest.mark.parametrize(
    "value",
    [
        *("a\0b", "a\x1b[31m", "a\x07", "a\x7f", "a\u202eb", "a\u2066b", "\ufeffa", "a\ud800"),
        *("a\ue000", "x" * 4001, None, 5, True, ["a"], {"a": 1}),
    ],
    ids=ascii,
)
def test_text_that_cannot_be_shown_is_refused(
    judge: Judge, drawn: DrawnCatalogue, verb: str, value: object
) -> None:
    [a] = drawn.add_many(1)
    before = records(drawn, a)
    answer = judge.post("/judge", {"verb": verb, "ids": [a], verb: value})
    assert answer.status_code == 400
    assert verb in answer.get_json()["error"]
    assert "\n" not in answer.get_json()["error"]
    assert records(drawn, a) == before


@pytest.mark.parametrize(
    "text",
    [
        *("می\u200cخواهم", "👩\u200d👩\u200d👧 family", "क्\u200dष", "naïve œuvre ½", "猫と犬"),
        *(
            "\u200fשלום, C++\u200e!",
            "\u061cمرحبا",
            "🏴\U000e0067\U000e0062\U000e007f",
            "\U0001fae9 new",
        ),
    ],
)
def test_text_of_every_script_is_kept_as_it_was_written(
    judge: Judge, drawn: DrawnCatalogue, text: str
) -> None:
    [a] = drawn.add_many(1)
    assert judge.post("/judge", {"verb": "caption", "ids": [a], "caption": text}).status_code == 200
    assert records(drawn, a)[0].caption == text


@pytest.mark.parametrize(("verb", "longest"), [("label", 200), ("caption", 4000)])
def test_the_longest_text_is_taken_and_one_letter_more_is_not(
    judge: Judge, drawn: DrawnCatalogue, verb: str, longest: int
) -> None:
    [a] = drawn.add_many(1)
    for length, status in ((longest, 200), (longest + 1, 400)):
        answer = judge.post("/judge", {"verb": verb, "ids": [a], verb: "é" * length})
        assert answer.status_code == status


def test_a_body_nested_without_end_is_refused(judge: Judge) -> None:
    judge.app.testing = False
    headers = {"X-CSRF-Token": judge.app.config["CSRF_TOKEN"]}
    for content in ("[" * 100_000, '{"ids":' * 20_000, '{"ids": [' + "1" * 5000 + "]}"):
        answer = judge.client.post(
            "/judge", data=content, content_type="application/json", headers=headers
        )
        assert answer.status_code == 400
        assert answer.get_json()["error"] == "the body is no JSON object"


# ------------------------------------------------------------ whole filters


def act_on_filter(judge: Judge, count: int, verb: str = "keep", **where: object) -> TestResponse:
    return judge.post("/judge", {"verb": verb, "filter": where, "count": count})


def test_a_whole_filter_is_judged_as_one_batch(judge: Judge, drawn: DrawnCatalogue) -> None:
    ids = drawn.add_many(8)
    answer = act_on_filter(judge, 2, label="cat").get_json()
    assert answer["message"] == "kept 2 pictures"
    assert {p["id"] for p in answer["pictures"]} == {ids[1], ids[5]}
    assert state(drawn, ids[1], ids[5], ids[0]) == [("keep", "", 0)] * 2 + [("undecided", "", 0)]
    answer = act_on_filter(judge, 3, "reject", status="undecided", text="number", licence="CC0-1.0")
    assert answer.get_json()["message"] == "rejected 3 pictures"
    stars = {"verb": "stars", "stars": 4, "filter": {"status": "reject"}, "count": 3}
    assert judge.post("/judge", stars).get_json()["message"] == "★★★★ for 3 pictures"
    label = {"verb": "label", "label": "owl", "filter": {"stars": "4"}, "count": 3}
    assert judge.post("/judge", label).get_json()["message"] == "3 pictures put into class owl"
    for _ in range(4):
        judge.post("/undo", {})
    assert state(drawn, *ids) == [("undecided", "", 0)] * 8
    assert act_on_filter(judge, 8).get_json()["message"] == "kept 8 pictures"


@pytest.mark.parametrize("count", [1, 3, 5, 10_001])
def test_a_filter_that_holds_another_number_by_now_is_left_alone(
    judge: Judge, drawn: DrawnCatalogue, count: int
) -> None:
    ids = drawn.add_many(4)
    answer = act_on_filter(judge, count, "reject", status="undecided")
    assert answer.status_code == 409
    assert "holds 4 pictures now" in answer.get_json()["error"]
    assert state(drawn, *ids) == [("undecided", "", 0)] * 4
    with drawn.open() as catalog:
        assert catalog.judgements.last_batch() == 0


def test_pictures_that_came_in_since_the_page_are_not_judged_unseen(
    judge: Judge, drawn: DrawnCatalogue
) -> None:
    drawn.add_many(2)
    seen = judge.get("/?status=undecided&format=json").get_json()["total"]
    [late] = drawn.add_many(1)
    assert act_on_filter(judge, seen, "keep", status="undecided").status_code == 409
    assert state(drawn, late) == [("undecided", "", 0)]


@pytest.mark.parametrize(
    "body",
    [
        {"filter": {}, "count": 0},
        {"filter": {}, "count": -1},
        {"filter": {}, "count": True},
        {"filter": {}, "count": "2"},
        {"filter": {}, "count": 2.0},
        {"filter": {}},
        {"filter": {}, "count": None},
        {"filter": None, "count": 2},
        {"filter": [], "count": 2},
        {"filter": "status=keep", "count": 2},
        {"filter": {"colour": "red"}, "count": 2},
        {"filter": {"sort": "stars"}, "count": 2},
        {"filter": {"status": "maybe"}, "count": 2},
        {"filter": {"status": ["keep"]}, "count": 2},
        {"filter": {"label": 5}, "count": 2},
        {"filter": {"between": "blot:1.."}, "count": 2},
        {"filter": {"between": "sharpness"}, "count": 2},
        {"filter": {"stars": "9"}, "count": 2},
        {"filter": {"text": "\ud800"}, "count": 2},
        {"filter": {"text": "\0"}, "count": 2},
        {"filter": {}, "count": 2, "ids": [1]},
    ],
)
def test_malformed_action_on_a_filter_is_refused_and_changes_nothing(
    judge: Judge, drawn: DrawnCatalogue, body: dict[str, object]
) -> None:
    drawn.add_many(2)
    answer = judge.post("/judge", {"verb": "keep", **body})
    assert answer.status_code == 400
    assert answer.get_json()["error"]
    assert "\n" not in answer.get_json()["error"]
    with drawn.open() as catalog:
        assert catalog.judgements.last_batch() == 0


@pytest.mark.parametrize("count", [2100, pytest.param(10_500, marks=pytest.mark.slow)])
def test_a_batch_larger_than_any_page_is_one_action_and_one_undo(
    judge: Judge, drawn: DrawnCatalogue, count: int
) -> None:
    with drawn.open() as catalog, catalog.transaction():
        for _ in range(count):
            add_numbered(catalog, label="owl")
    answer = act_on_filter(judge, count, "reject", label="owl").get_json()
    assert answer["message"] == f"rejected {count:,} pictures"
    assert answer["reload"] is True
    assert len(answer["pictures"]) == 2000
    assert judge.get("/?status=reject&format=json").get_json()["total"] == count
    most = min(count, 10_000)  # as many as one action can name
    answer = judge.judge("keep", *range(1, most + 1)).get_json()
    assert answer["message"] == f"kept {most:,} pictures"
    for expected in (f"undid keep of {most:,} pictures", f"undid reject of {count:,} pictures"):
        answer = judge.post("/undo", {}).get_json()
        assert (answer["message"], answer["reload"]) == (expected, True)
    page = judge.get("/?format=json").get_json()
    assert {v["value"]: v["count"] for v in page["facets"]["status"]} == {
        "undecided": count, "keep": 0, "reject": 0,
    }  # fmt: skip


def test_undo_names_what_it_took_back_of_every_kind(drawn: DrawnCatalogue) -> None:
    a, b = drawn.add_many(2)
    judge = Judge(create_app(drawn.data, who="anna", testing=True))
    wishes: list[Wish] = [
        VoteChange(left=a, right=b, outcome="tie"),
        SettingChange(name="target:owl", value="12"),
        PairChange(a=a, b=b, verdict="same"),
    ]
    with drawn.open() as catalog:
        for wish in wishes:
            catalog.judgements.apply([wish], who="anna", verb=type(wish).__name__)
    answers = [judge.post("/undo", {}).get_json() for _ in wishes]
    assert [answer["message"] for answer in answers] == [
        "undid PairChange of 2 pictures",
        "undid SettingChange of owl",
        "undid VoteChange of 2 pictures",
    ]
    assert answers[0]["pairs"] == [{"a": a, "b": b, "verdict": ""}]
    assert answers[1]["settings"] == [{"name": "target:owl", "value": ""}]
    assert answers[2]["votes"] == [{"left": a, "right": b}]
    assert judge.post("/undo", {}).get_json()["batch"] is None


def test_who_overrules_somebody_else_is_told(drawn: DrawnCatalogue) -> None:
    [number] = drawn.add_many(1)
    app = create_app(drawn.data, testing=True)
    anna, ben = Judge(app), Judge(app)
    anna.post("/who", {"who": "anna"})
    ben.post("/who", {"who": "ben"})
    assert anna.judge("keep", number).get_json()["message"] == f"kept #{number}"
    said = ben.judge("reject", number).get_json()["message"]
    assert said == f"rejected #{number}, which anna kept before"
    assert ben.judge("keep", number).get_json()["message"] == f"kept #{number}"
    with drawn.open() as catalog:
        assert [event.who for event in catalog.judgements.of_image(number)] == [
            "anna",
            "ben",
            "ben",
        ]
