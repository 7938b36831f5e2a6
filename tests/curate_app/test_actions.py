"""Every action is an event that is on disk before the answer, and can be taken back."""

import threading

import pytest

from curate_app import create_app
from dataset.records import ImageRecord
from tests.curate_app.conftest import Judge
from tests.curate_app.drawn_catalogue import DrawnCatalogue


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
                "caption": "",
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
        f"undid {verb} of #{number}"
        for number in reversed(ids)
        for verb in ("reject", "stars", "keep")
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
