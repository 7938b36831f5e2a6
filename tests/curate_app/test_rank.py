"""The rank screen's rules over the real app: votes, tickets, fours, targets, keeping the top."""

import itertools
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curate_app import create_app
from curate_app.ballot import ticket, votes_of_four
from curate_app.upkeep import upkeep
from dataset.records import Change, Vote, VoteChange
from tests.curate_app.conftest import Judge
from tests.curate_app.drawn_catalogue import HOSTILE, DrawnCatalogue, drawing
from tests.curate_app.test_actions import state

LABELLED = 24  # six of each class: bird, cat, dog, fish


def dogs(drawn: DrawnCatalogue, count: int = 6) -> list[int]:
    return [drawn.add(drawing(900 + i, 48), label="dog", caption=f"Dog {i}") for i in range(count)]


def votes(drawn: DrawnCatalogue) -> list[Vote]:
    with drawn.open() as catalog:
        return catalog.votes.latest(1000)[::-1]


def cast(drawn: DrawnCatalogue, *changes: VoteChange, who: str = "me") -> None:
    with drawn.open() as catalog:
        catalog.judgements.apply(changes, who=who, verb="vote")


def page(judge: Judge, address: str = "/rank?label=dog") -> Any:
    answer = judge.get(address + "&format=json")
    assert answer.status_code == 200, answer.get_json()
    return answer.get_json()


def test_vote_is_one_batch_in_the_name_of_the_person(drawn: DrawnCatalogue) -> None:
    a, b, *_ = dogs(drawn)
    anna, ben = (Judge(create_app(drawn.data, who=who, testing=True)) for who in ("anna", "ben"))
    answer = anna.post("/rank/vote", {"left": a, "right": b, "outcome": "left"}).get_json()
    assert answer["message"] == f"#{a} over #{b}"
    assert answer["batch"] == 1
    ben.post("/rank/vote", {"left": b, "right": a, "outcome": "left"})
    ben.post("/rank/vote", {"left": a, "right": b, "outcome": "tie"})
    # Votes that contradict each other are both kept.
    assert [(v.who, v.left, v.right, v.outcome, v.aside) for v in votes(drawn)] == [
        ("anna", a, b, "left", False),
        ("ben", b, a, "left", False),
        ("ben", a, b, "tie", False),
    ]
    assert page(anna)["mine"] == 1
    assert page(ben)["mine"] == 2
    assert page(ben)["votes"] == 3


def test_the_same_vote_again_counts_again(judge: Judge, drawn: DrawnCatalogue) -> None:
    a, b, *_ = dogs(drawn)
    for _ in range(2):
        judge.post("/rank/vote", {"left": a, "right": b, "outcome": "right"})
    assert len(votes(drawn)) == 2


def test_undo_takes_the_last_vote_back_and_says_which_it_was(
    judge: Judge, drawn: DrawnCatalogue
) -> None:
    a, b, c, *_ = dogs(drawn)
    judge.post("/rank/vote", {"left": a, "right": b, "outcome": "left"})
    second = judge.post("/rank/vote", {"left": b, "right": c, "outcome": "tie"}).get_json()
    undone = judge.post("/undo", {}).get_json()
    assert undone["batch"] == second["batch"]
    assert undone["votes"] == [{"left": b, "right": c}]
    assert page(judge)["votes"] == 1
    again = judge.get(f"/rank/next?label=dog&again={b}-{c}").get_json()
    assert [group["ids"] for group in again["queue"]] == [[b, c]]


def test_answer_to_a_vote_brings_further_pairs_that_the_page_does_not_hold(
    judge: Judge, drawn: DrawnCatalogue
) -> None:
    a, b, c, d, *_ = dogs(drawn, 4)
    body = {"left": a, "right": b, "outcome": "left", "label": "dog"}
    assert "queue" not in judge.post("/rank/vote", body).get_json()
    held = [[a, b], [a, c], [a, d], [b, c]]
    queue = judge.post("/rank/vote", {**body, "more": 10, "held": held}).get_json()["queue"]
    assert {frozenset(group["ids"]) for group in queue} <= {frozenset((b, d)), frozenset((c, d))}
    for group in queue:
        assert [picture["id"] for picture in group["pictures"]] == group["ids"]


_MALFORMED_VOTES: list[Any] = [
    {"left": None},
    {"left": "1"},
    {"left": 1.0},
    {"left": True},
    {"left": 0},
    {"left": 2**63},
    {"right": 1},
    {"outcome": "both"},
    {"outcome": 1},
    {"outcome": None},
    {"outcome": ["left"]},
    {"aside": True},
    {"who": "somebody else"},
    {"ticket": 7},
    {"ticket": "é" * 32},
    {"ticket": "0" * 65},
    {"label": 7},
    {"more": -1},
    {"more": 31},
    {"more": "3"},
    {"more": True},
    {"held": "1-2"},
    {"held": [[1]]},
    {"held": [[1, "2"]]},
    {"held": [[1, 2, 3, 4, 5]]},
    {"held": [[1, 2]] * 101},
]


def test_malformed_vote_is_refused_and_counts_nothing(judge: Judge, drawn: DrawnCatalogue) -> None:
    assert dogs(drawn, 2) == [1, 2]
    for change in _MALFORMED_VOTES:
        answer = judge.post("/rank/vote", {"left": 1, "right": 2, "outcome": "left", **change})
        assert answer.status_code == 400, change
        assert answer.get_json()["error"]
        assert votes(drawn) == []


def test_vote_on_what_is_out_of_the_contest_is_refused_with_the_reason(
    judge: Judge, drawn: DrawnCatalogue
) -> None:
    a, b, c, d = dogs(drawn, 4)
    cat = drawn.add(drawing(7), label="cat")
    judge.judge("reject", b)
    judge.post("/judge", {"verb": "label", "ids": [c, d], "label": "wolf"})
    for left, right, status, words in [
        (a, 999, 404, "no picture 999"),
        (a, b, 409, f"#{b} was rejected meanwhile"),
        (b, a, 409, f"#{b} was rejected meanwhile"),
        (a, cat, 409, "of different classes"),
        (c, d, 409, "not of class 'dog' any more"),
    ]:
        body = {"left": left, "right": right, "outcome": "left", "label": "dog"}
        answer = judge.post("/rank/vote", body)
        assert answer.status_code == status, answer.request.url
        assert words in answer.get_json()["error"]
    assert votes(drawn) == []
    assert judge.get(f"/rank/next?label=dog&again={a}-{b}").status_code == 409


def test_only_a_ticket_of_this_app_sets_a_vote_aside(judge: Judge, drawn: DrawnCatalogue) -> None:
    a, b, c, *_ = dogs(drawn)
    with judge.app.app_context():
        aside, plain = ticket([b, a], aside=True), ticket([a, b], aside=False)
    assert len({aside, plain}) == 2
    assert len(aside) == len(plain)
    with create_app(drawn.data, testing=True).app_context():
        of_another_start = ticket([a, b], aside=True)
    for right, shown, expected in [
        (b, aside, True),
        (b, plain, False),
        (b, of_another_start, False),
        (b, "1", False),
        (c, aside, False),  # a ticket is good for its own pair alone
    ]:
        body = {"left": a, "right": right, "outcome": "left", "ticket": shown}
        assert judge.post("/rank/vote", body).status_code == 200
        assert votes(drawn)[-1].aside is expected


@pytest.mark.parametrize("mode", ["two", "four"])
def test_about_a_tenth_of_what_is_handed_out_goes_aside_and_the_page_does_not_say_which(
    judge: Judge, drawn: DrawnCatalogue, mode: str
) -> None:
    dogs(drawn, 40)
    asides, shapes = [], set()
    for _ in range(20):
        for group in judge.get(f"/rank/next?label=dog&count=10&mode={mode}").get_json()["queue"]:
            with judge.app.app_context():
                asides.append(group["ticket"] == ticket(group["ids"], aside=True))
            shapes.add((tuple(sorted(group)), len(group["ticket"])))
    assert len(asides) >= 160
    assert 3 <= sum(asides) <= 45
    assert len(shapes) == 1


def test_queue_holds_the_standing_pictures_of_the_class_alone_on_both_sides(
    judge: Judge, drawn: DrawnCatalogue
) -> None:
    ids = drawn.add_many(LABELLED)
    birds = ids[::4]
    judge.judge("reject", birds[0])
    seen_left, seen_right = set(), set()
    for _ in range(12):
        for group in judge.get("/rank/next?label=bird").get_json()["queue"]:
            seen_left.add(group["ids"][0])
            seen_right.add(group["ids"][1])
    assert seen_left == seen_right == set(birds[1:])


def test_two_pages_get_different_pairs_as_long_as_there_are_enough(
    judge: Judge, drawn: DrawnCatalogue
) -> None:
    dogs(drawn, 20)
    first, second = ({frozenset(g["ids"]) for g in page(judge)["queue"]} for _ in range(2))
    assert len(first) == len(second) == 8
    assert not first & second


@pytest.mark.parametrize("mode", ["two", "four"])
def test_small_class_never_runs_out_of_comparisons(
    judge: Judge, drawn: DrawnCatalogue, mode: str
) -> None:
    ids = dogs(drawn, 5)
    strong_first(drawn, ids, rounds=3)  # every pair was voted on lately
    for _ in range(12):
        queue = judge.get(f"/rank/next?label=dog&count=1&mode={mode}").get_json()["queue"]
        assert len(queue) == 1
        assert set(queue[0]["ids"]) < set(ids)


# ------------------------------------------------------------------------------- best of four


def test_best_and_worst_of_four_are_five_votes_in_one_batch(
    judge: Judge, drawn: DrawnCatalogue
) -> None:
    a, b, c, d, *_ = dogs(drawn)
    answer = judge.post("/rank/four", {"ids": [c, a, b, d], "best": b, "worst": c}).get_json()
    assert answer["message"] == f"#{b} the best of four, #{c} the worst"
    found = [(v.left, v.right, v.outcome) for v in votes(drawn)]
    assert found == [
        (c, a, "right"),
        (c, b, "right"),
        (c, d, "right"),
        (a, b, "right"),
        (b, d, "left"),
    ]
    assert {v.batch for v in votes(drawn)} == {1}
    assert len(judge.post("/undo", {}).get_json()["votes"]) == 5
    assert page(judge)["votes"] == 0


def test_best_alone_is_three_votes(judge: Judge, drawn: DrawnCatalogue) -> None:
    a, b, c, d, *_ = dogs(drawn)
    judge.post("/rank/four", {"ids": [a, b, c, d], "best": a, "worst": None})
    assert [(v.left, v.right, v.outcome) for v in votes(drawn)] == [
        (a, b, "left"),
        (a, c, "left"),
        (a, d, "left"),
    ]


@given(st.permutations([3, 7, 8, 12]), st.integers(0, 3), st.none() | st.integers(1, 3))
def test_best_wins_and_worst_loses_every_comparison_of_four(
    ids: list[int], first: int, other: int | None
) -> None:
    best = ids[first]
    worst = None if other is None else ids[(first + other) % 4]
    found = votes_of_four(ids, best, worst, aside=False)
    assert len(found) == (3 if worst is None else 5)
    for one in found:
        winner, loser = (one.left, one.right) if one.outcome == "left" else (one.right, one.left)
        assert winner == best or loser == worst
        assert ids.index(one.left) < ids.index(one.right)  # as they stood on the screen
    assert len({(one.left, one.right) for one in found}) == len(found)


_MALFORMED_FOURS: list[Any] = [
    {"ids": [1, 2, 3]},
    {"ids": [1, 2, 3, 3]},
    {"ids": [1, 2, 3, 4, 5]},
    {"ids": None},
    {"best": 5},
    {"best": None},
    {"best": True},
    {"worst": 1},
    {"worst": 5},
    {"worst": "2"},
    {"worst": True},
    {"outcome": "left"},
]


def test_malformed_four_is_refused_and_counts_nothing(judge: Judge, drawn: DrawnCatalogue) -> None:
    assert dogs(drawn, 5) == [1, 2, 3, 4, 5]
    for change in _MALFORMED_FOURS:
        body = {"ids": [1, 2, 3, 4], "best": 1, "worst": 2, **change}
        assert judge.post("/rank/four", body).status_code == 400, change
        assert votes(drawn) == []


def test_fours_are_handed_out_as_four_different_pictures(
    judge: Judge, drawn: DrawnCatalogue
) -> None:
    ids = dogs(drawn, 9)
    answer = page(judge, "/rank?label=dog&mode=four")
    assert answer["mode"] == "four"
    assert answer["queue"]
    for group in answer["queue"]:
        assert len(set(group["ids"])) == 4
        assert set(group["ids"]) <= set(ids)


# ------------------------------------------------------------------------------- the page


def test_page_without_a_class_goes_to_one_that_needs_votes(
    judge: Judge, drawn: DrawnCatalogue
) -> None:
    drawn.add(drawing(1), label="ape")  # alone: nothing to compare
    dogs(drawn)
    answer = judge.get("/rank?mode=four")
    assert answer.status_code == 302
    assert answer.headers["Location"].endswith("/rank?mode=four&label=dog")


def test_page_of_an_empty_catalogue_says_so(judge: Judge) -> None:
    answer = judge.client.get("/rank", follow_redirects=True)
    assert answer.status_code == 200
    assert "Nothing to rank" in answer.text


def test_pictures_without_a_class_have_a_contest_of_their_own(
    judge: Judge, drawn: DrawnCatalogue
) -> None:
    ids = [drawn.add(drawing(seed)) for seed in range(3)]
    dogs(drawn)
    answer = page(judge, "/rank?label=")
    assert {one for group in answer["queue"] for one in group["ids"]} == set(ids)
    assert "pictures without a class" in judge.get("/rank?label=").text


_IMPOSSIBLE_ADDRESSES: list[Any] = [
    ("/rank?label=wolf", 404),
    ("/rank?label=dog&mode=three", 400),
    ("/rank?label=dog&top=0", 400),
    ("/rank?label=dog&top=-1", 400),
    ("/rank?label=dog&top=many", 400),
    ("/rank?label=dog&label=cat", 400),
    ("/rank?label=dog&page=2", 400),
    ("/rank/next?label=wolf", 404),
    ("/rank/next?label=wolf&again=1-2", 404),
    ("/rank/next?label=dog&count=0", 400),
    ("/rank/next?label=dog&count=31", 400),
    ("/rank/next?label=dog&held=1", 400),
    ("/rank/next?label=dog&held=1-2-3-4-5", 400),
    ("/rank/next?label=dog&held=1-2;3-4", 400),
    ("/rank/next?label=dog&again=1-1", 400),
    ("/rank/next?label=dog&again=1-999", 404),
]


def test_impossible_address_is_refused(judge: Judge, drawn: DrawnCatalogue) -> None:
    dogs(drawn, 3)
    for address, status in _IMPOSSIBLE_ADDRESSES:
        answer = judge.get(address + "&format=json" if "next" not in address else address)
        assert answer.status_code == status, answer.request.url


def test_hostile_captions_and_classes_stay_text(judge: Judge, drawn: DrawnCatalogue) -> None:
    for seed in (1, 2):
        drawn.add(drawing(seed), label=HOSTILE, caption=f"</script>{HOSTILE}{seed}")
    answer = judge.client.get("/rank", follow_redirects=True)
    assert answer.status_code == 200
    assert "<script>document" not in answer.text
    assert "</script><script>" not in answer.text
    assert "<img src=x" not in answer.text


def test_top_list_shows_scores_probabilities_and_the_cut(
    judge: Judge, drawn: DrawnCatalogue
) -> None:
    ids = dogs(drawn)
    strong_first(drawn, ids, rounds=6)
    answer = page(judge, "/rank?label=dog&top=2")
    assert answer["progress"]["top"] == 2
    assert answer["progress"]["contenders"] == 6
    pictures = answer["pictures"]
    assert [picture["place"] for picture in pictures] == [1, 2, 3, 4, 5, 6]
    assert [picture["id"] for picture in pictures] == ids
    assert sum(picture["probability"] for picture in pictures) == pytest.approx(2, abs=0.1)
    html = judge.get("/rank?label=dog&top=2").text
    assert "the cut: 2 above" in html
    assert "<svg" in html


def strong_first(drawn: DrawnCatalogue, ids: list[int], rounds: int) -> None:
    """Votes of a person for whom each picture is better than all later ones."""
    pairs = list(itertools.combinations(ids, 2)) * rounds
    cast(drawn, *(VoteChange(left=a, right=b, outcome="left") for a, b in pairs[::2]))
    cast(drawn, *(VoteChange(left=b, right=a, outcome="right") for a, b in pairs[1::2]))


def test_stop_sign_stands_when_the_top_is_settled_and_says_how_sure_it_is(
    judge: Judge, drawn: DrawnCatalogue
) -> None:
    ids = dogs(drawn)
    cats = [drawn.add(drawing(seed), label="cat") for seed in range(3)]  # are left to do
    assert cats
    before = page(judge, "/rank?label=dog&top=3")["progress"]
    assert not before["settled"]
    assert before["done"] < 0.1
    assert "Stop:" not in judge.get("/rank?label=dog&top=3").text
    strong_first(drawn, ids, rounds=12)
    after = page(judge, "/rank?label=dog&top=3")["progress"]
    assert after["settled"]
    assert after["done"] == 1
    assert after["expected_wrong"] <= after["limit"] < before["expected_wrong"]
    html = judge.get("/rank?label=dog&top=3").text
    assert "Stop: the top 3 are settled." in html
    assert "of 3 are expected to be wrong" in html
    assert "Go on with" in html


def test_held_out_votes_measure_the_fit_and_are_told_with_their_interval(
    judge: Judge, drawn: DrawnCatalogue
) -> None:
    ids = dogs(drawn)
    strong_first(drawn, ids, rounds=4)
    pairs = list(itertools.combinations(ids, 2))[:10]
    cast(drawn, *(VoteChange(left=a, right=b, outcome="left", aside=True) for a, b in pairs))
    heldout = page(judge)["heldout"]
    assert heldout["votes"] == 10
    assert heldout["accuracy"] == 1
    assert heldout["low"] < 1
    assert (
        "of 10 set aside the scores foretell 100 % (95 % interval"
        in judge.get("/rank?label=dog").text
    )


def test_other_classes_are_listed_as_they_were_looked_at_last(
    judge: Judge, drawn: DrawnCatalogue
) -> None:
    ids = dogs(drawn)
    for seed in (1, 2):
        drawn.add(drawing(seed), label="cat")
    strong_first(drawn, ids, rounds=12)
    rows = {row["label"]: row for row in page(judge, "/rank?label=cat")["classes"]}
    assert rows["dog"]["line"] == f"{len(votes(drawn))} votes"
    assert not rows["dog"]["fresh"]
    with judge.app.app_context():
        upkeep().round()
    rows = {row["label"]: row for row in page(judge, "/rank?label=cat")["classes"]}
    assert rows["dog"]["fresh"]
    assert rows["dog"]["settled"] == page(judge)["progress"]["settled"]
    assert "of the top 1 expected to be wrong" in rows["dog"]["line"] or rows["dog"]["settled"]


def test_classes_are_listed_with_their_progress(judge: Judge, drawn: DrawnCatalogue) -> None:
    drawn.add_many(LABELLED)
    ids = dogs(drawn, 3)
    cast(drawn, VoteChange(left=ids[0], right=ids[1], outcome="left"))
    rows = {row["label"]: row for row in page(judge)["classes"]}
    assert list(rows) == ["bird", "cat", "dog", "fish"]
    assert rows["cat"]["contenders"] == 6
    assert (rows["dog"]["contenders"], rows["dog"]["votes"]) == (9, 1)
    assert rows["cat"]["line"] == "no votes yet; 1 of 6 to find"


# ------------------------------------------------------------------------------- the end of it


def test_target_of_a_class_is_set_seen_and_taken_back(judge: Judge, drawn: DrawnCatalogue) -> None:
    dogs(drawn)
    answer = judge.post("/rank/target", {"label": "dog", "target": 4}).get_json()
    assert answer["message"] == "a target of 4 for dog"
    assert page(judge)["progress"]["top"] == 4
    assert page(judge)["target"] == 4
    assert page(judge, "/rank?label=dog&top=2")["progress"]["top"] == 2
    judge.post("/undo", {})
    assert page(judge)["target"] is None
    judge.post("/rank/target", {"label": "dog", "target": 4})
    judge.post("/rank/target", {"label": "dog", "target": None})
    assert page(judge)["target"] is None


_IMPOSSIBLE_TARGETS: list[Any] = [
    ({"label": "dog", "target": 0}, 400),
    ({"label": "dog", "target": "4"}, 400),
    ({"label": "dog", "target": True}, 400),
    ({"label": "dog", "target": 1_000_001}, 400),
    ({"label": "wolf", "target": 4}, 404),
    ({"label": None, "target": 4}, 400),
    ({"target": 4}, 400),
]


def test_impossible_target_is_refused(judge: Judge, drawn: DrawnCatalogue) -> None:
    dogs(drawn)
    for body, status in _IMPOSSIBLE_TARGETS:
        assert judge.post("/rank/target", body).status_code == status, body
        with drawn.open() as catalog:
            assert catalog.settings.all() == {}


def test_keeping_the_top_is_one_batch_that_one_undo_takes_back(
    judge: Judge, drawn: DrawnCatalogue
) -> None:
    ids = dogs(drawn)
    cats = [drawn.add(drawing(seed), label="cat") for seed in range(2)]
    strong_first(drawn, ids, rounds=6)
    body = {"label": "dog", "top": 2, "keep": 2, "reject": 4}
    answer = judge.post("/rank/keep-top", body).get_json()
    assert answer["message"] == "kept the top 2 of dog, rejected the other 4"
    kept, gone = ("keep", "", 0), ("reject", "not in the top 2", 0)
    assert state(drawn, *ids) == [kept, kept, gone, gone, gone, gone]
    assert state(drawn, *cats) == [("undecided", "", 0)] * 2
    judge.post("/undo", {})
    assert state(drawn, *ids) == [("undecided", "", 0)] * 6
    answer = judge.post("/rank/keep-top", {**body, "reject": 0}).get_json()
    assert answer["message"] == "kept the top 2 of dog"
    assert state(drawn, *ids) == [kept, kept] + [("undecided", "", 0)] * 4


_OTHER_TOPS: list[Any] = [
    ({"keep": 3}, 409),
    ({"reject": 3}, 409),
    ({"top": 5}, 409),
    ({"top": 0}, 400),
    ({"top": None}, 400),
    ({"keep": "2"}, 400),
    ({"reject": True}, 400),
    ({"label": "wolf"}, 404),
    ({"ids": [1]}, 400),
]


def test_top_that_is_not_what_was_seen_is_not_kept(judge: Judge, drawn: DrawnCatalogue) -> None:
    ids = dogs(drawn)
    for change, status in _OTHER_TOPS:
        body = {"label": "dog", "top": 2, "keep": 2, "reject": 4, **change}
        answer = judge.post("/rank/keep-top", body)
        assert answer.status_code == status, answer.request.url
        assert state(drawn, *ids) == [("undecided", "", 0)] * 6


def test_rejected_picture_leaves_the_contest_and_its_votes_stay(
    judge: Judge, drawn: DrawnCatalogue
) -> None:
    ids = dogs(drawn)
    strong_first(drawn, ids, rounds=2)
    judge.judge("reject", ids[0])
    answer = page(judge)
    assert answer["progress"]["contenders"] == 5
    assert ids[0] not in {picture["id"] for picture in answer["pictures"]}
    assert all(ids[0] not in group["ids"] for group in answer["queue"])
    judge.post("/undo", {})
    assert page(judge)["progress"]["contenders"] == 6
    assert len(votes(drawn)) == 30


def test_picture_that_changed_its_class_takes_part_there(drawn: DrawnCatalogue) -> None:
    ids = dogs(drawn)
    with drawn.open() as catalog:
        catalog.judgements.apply(
            [Change(image_id=ids[0], field="label", value="wolf")], who="me", verb="label"
        )
    judge = Judge(create_app(Path(drawn.data), testing=True))
    assert page(judge)["progress"]["contenders"] == 5
    assert page(judge, "/rank?label=wolf")["progress"]["contenders"] == 1
