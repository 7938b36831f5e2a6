"""Incoming: duplicates of kept pictures are folded away, the rest fills the short classes."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curate_app import create_app, incoming
from dataset.records import Change, SettingChange
from tests.curate_app.conftest import Judge
from tests.curate_app.drawn_catalogue import DrawnCatalogue, drawing
from tests.curate_app.numbered_catalogue import add_numbered
from tests.curate_app.test_actions import state
from tests.curate_app.test_classes import said


def page(judge: Judge, address: str = "/incoming") -> Any:
    answer = judge.get(address + ("&" if "?" in address else "?") + "format=json")
    assert answer.status_code == 200, answer.text
    return answer.json


def ids(judge: Judge, address: str = "/incoming") -> list[int]:
    return [picture["id"] for picture in page(judge, address)["pictures"]]


def repeats(judge: Judge) -> list[list[int]]:
    found: list[list[int]] = said(judge.get("/incoming/repeats?format=json"))["repeats"]
    return found


def aim(drawn: DrawnCatalogue, **targets: int) -> None:
    with drawn.open() as catalog:
        changes = [SettingChange(name=f"target:{k}", value=str(v)) for k, v in targets.items()]
        catalog.judgements.apply(changes, who="me", verb="target")


def predict(drawn: DrawnCatalogue, scores: dict[int, float]) -> None:
    with drawn.open() as catalog:
        numbers = np.array(sorted(scores), np.int64)
        values = np.array([scores[i] for i in sorted(scores)], np.float32)
        catalog.ratings.put("predicted", numbers, values, values, "test")


def keep(drawn: DrawnCatalogue, *numbers: int) -> None:
    with drawn.open() as catalog:
        changes = [Change(image_id=i, field="status", value="keep") for i in numbers]
        catalog.judgements.apply(changes, who="other", verb="keep")


def unsure(drawn: DrawnCatalogue) -> None:
    """Let no pair be sure enough to act on unseen."""
    (drawn.data / "keep.toml").write_text("sure = 1.0\n")


def test_what_waits_is_shown_and_what_is_judged_is_not(judge: Judge, drawn: DrawnCatalogue) -> None:
    a, b, c = drawn.add_many(3)
    keep(drawn, a)
    assert sorted(ids(judge)) == [b, c]
    assert page(judge)["waiting"] == 2


def test_duplicates_of_kept_pictures_are_folded_and_rejected_as_one_batch(
    judge: Judge, drawn: DrawnCatalogue
) -> None:
    pairs = [drawn.add_pair(seed) for seed in (50, 51)]
    keep(drawn, *(large for _small, large in pairs))
    [other] = drawn.add_many(1)
    assert ids(judge) == [other]
    assert repeats(judge) == [list(pair) for pair in pairs]
    assert "<strong>2</strong> are duplicates of kept pictures" in judge.get("/incoming").text
    answer = judge.post("/incoming/reject-repeats", {"count": 2})
    assert said(answer)["message"] == "rejected 2 pictures, duplicates of kept"
    assert state(drawn, *(small for small, _large in pairs)) == [
        ("reject", f"duplicate of #{large}", 0) for _small, large in pairs
    ]
    assert repeats(judge) == []
    judge.post("/undo", {})
    assert len(repeats(judge)) == 2


@pytest.mark.parametrize("count", [1, 3, "2", None])
def test_more_or_fewer_duplicates_than_were_told_are_not_rejected(
    count: object, judge: Judge, drawn: DrawnCatalogue
) -> None:
    pairs = [drawn.add_pair(seed) for seed in (50, 51)]
    keep(drawn, *(large for _small, large in pairs))
    answer = judge.post("/incoming/reject-repeats", {"count": count})
    assert answer.status_code == 409
    assert "2 duplicates of kept pictures now" in said(answer)["error"]
    assert state(drawn, pairs[0][0]) == [("undecided", "", 0)]


def test_a_duplicate_of_two_kept_pictures_that_are_alike_is_folded_too(
    judge: Judge, drawn: DrawnCatalogue
) -> None:
    small, large = drawn.add_pair(50)
    third = drawn.add(drawing(50, 128).resize((100, 100)))
    keep(drawn, small, large)
    [[new, _kept]] = repeats(judge)
    assert new == third


def test_what_a_person_told_apart_is_no_duplicate(judge: Judge, drawn: DrawnCatalogue) -> None:
    small, large = drawn.add_pair(50)
    keep(drawn, large)
    assert repeats(judge) == [[small, large]]
    judge.post("/duplicates/different", {"members": [small, large]})
    assert repeats(judge) == []
    assert ids(judge) == [small]
    judge.post("/undo", {})
    assert repeats(judge) == [[small, large]]


def test_a_kept_picture_that_goes_leaves_its_duplicate_to_be_looked_at(
    judge: Judge, drawn: DrawnCatalogue
) -> None:
    small, large = drawn.add_pair(50)
    keep(drawn, large)
    judge.judge("reject", large)
    assert repeats(judge) == []
    assert ids(judge) == [small]


def test_duplicates_among_the_new_ones_are_folded_into_the_best(
    judge: Judge, drawn: DrawnCatalogue
) -> None:
    small, large = drawn.add_pair(50)
    [picture] = page(judge)["pictures"]
    assert (picture["id"], picture["copies"]) == (large, [small])
    assert "best of 2 alike" in judge.get("/incoming").text
    judge.judge("stars", small, stars=5)
    assert page(judge)["pictures"][0]["id"] == small, "stars say which one is best"
    judge.judge("keep", small)
    assert repeats(judge) == [[large, small]]


def test_perhaps_duplicates_stand_beside_the_kept_one_and_are_decided_one_by_one(
    judge: Judge, drawn: DrawnCatalogue
) -> None:
    unsure(drawn)
    pairs = [drawn.add_pair(seed) for seed in (50, 51)]
    keep(drawn, *(large for _small, large in pairs))
    [(first, kept), (second, other)] = pairs
    assert page(judge)["perhaps"] == [[first, kept], [second, other]]
    assert (ids(judge), repeats(judge)) == ([], [])
    assert f'data-new="{first}" data-kept="{kept}"' in judge.get("/incoming").text
    answer = judge.post("/incoming/repeat", {"picture": first, "kept": kept})
    assert said(answer)["message"] == f"rejected #{first}, a duplicate of #{kept}"
    judge.post("/duplicates/different", {"members": [second, other]})
    assert page(judge)["perhaps"] == []
    assert ids(judge) == [second]
    gone = judge.post("/incoming/repeat", {"picture": second, "kept": first})
    assert gone.status_code == 409


def test_the_most_useful_come_first_gap_times_predicted_score(
    judge: Judge, drawn: DrawnCatalogue
) -> None:
    bird, cat, dog, fish, bird2 = drawn.add_many(5)
    aim(drawn, bird=10, dog=2)
    keep(drawn, dog)
    dog2 = drawn.add(drawing(77), label="dog")
    predict(drawn, {bird: 1.0, bird2: 3.0, cat: 9.0, dog2: 4.0, fish: 2.0})
    # Standing among the five: bird 0.1, fish 0.3, bird2 0.5, dog2 0.7, cat 0.9; birds lack all,
    # dogs half, nobody asks for more of the others: those follow, the best first.
    assert ids(judge) == [bird2, dog2, bird, cat, fish]
    [first, *_] = page(judge)["pictures"]
    assert (first["label"], first["short"]) == ("bird", 10)
    assert "short by 10" in judge.get("/incoming").text


def test_one_class_is_shown_with_the_best_that_would_fill_it(
    judge: Judge, drawn: DrawnCatalogue
) -> None:
    birds = [drawn.add(drawing(seed), label="bird") for seed in range(4)]
    drawn.add(drawing(9), label="cat")
    aim(drawn, bird=2)
    predict(drawn, {bird: float(score) for bird, score in zip(birds, (3, 1, 4, 2), strict=True)})
    found = page(judge, "/incoming?label=bird")
    assert [picture["id"] for picture in found["pictures"]] == [
        birds[2],
        birds[0],
        birds[3],
        birds[1],
    ]
    assert found["best"] == [birds[2], birds[0]]
    assert "They fill bird to its target of 2" in judge.get("/incoming?label=bird").text


def test_the_best_are_accepted_as_one_batch_until_the_target_is_met(
    judge: Judge, drawn: DrawnCatalogue
) -> None:
    birds = [drawn.add(drawing(seed), label="bird") for seed in range(4)]
    aim(drawn, bird=3)
    keep(drawn, birds[0])
    best = page(judge, "/incoming?label=bird")["best"]
    assert len(best) == 2
    answer = judge.post("/incoming/accept", {"label": "bird", "ids": best})
    assert said(answer)["message"] == "kept 2 pictures of bird; its target is met"
    assert [status for status, _, _ in state(drawn, *best)] == ["keep", "keep"]
    assert page(judge, "/incoming?label=bird")["best"] == []
    assert "has reached its target of 3" in judge.get("/incoming?label=bird").text
    judge.post("/undo", {})
    assert page(judge, "/incoming?label=bird")["best"] == best


def test_what_changed_since_it_was_shown_is_not_accepted(
    judge: Judge, drawn: DrawnCatalogue
) -> None:
    birds = [drawn.add(drawing(seed), label="bird") for seed in range(5)]
    aim(drawn, bird=2)
    cat = drawn.add(drawing(9), label="cat")
    best = page(judge, "/incoming?label=bird")["best"]
    rest = sorted(set(birds) - set(best))
    for wrong, line in (
        ([*best, rest[0]], "short by 2 now"),
        ([best[0], cat], f"#{cat} is not new in the class any more"),
        ([best[0], 999], "#999 is not new in the class any more"),
    ):
        answer = judge.post("/incoming/accept", {"label": "bird", "ids": wrong})
        assert answer.status_code == 409
        assert line in said(answer)["error"]
    keep(drawn, rest[0])  # somebody else, meanwhile
    answer = judge.post("/incoming/accept", {"label": "bird", "ids": best})
    assert "the class is short by 1 now; look again" in said(answer)["error"]
    assert judge.post("/incoming/accept", {"label": "fox", "ids": best}).status_code == 409
    judge.judge("reject", best[0])
    answer = judge.post("/incoming/accept", {"label": "bird", "ids": best[:1]})
    assert f"#{best[0]} is not new in the class any more" in said(answer)["error"]
    judge.post("/undo", {})
    assert [status for status, _, _ in state(drawn, *best)] == ["undecided", "undecided"]


def test_pages_follow_each_other_even_where_the_last_picture_was_judged(
    judge: Judge, drawn: DrawnCatalogue
) -> None:
    everything = set(drawn.add_many(130, side=24))
    first = page(judge)
    shown = [picture["id"] for picture in first["pictures"]]
    assert len(shown) == 100
    judge.judge("keep", shown[-1])
    rest = ids(judge, first["next"])
    assert len(rest) == 30
    assert {*shown, *rest} == everything


def test_what_was_seen_is_accepted_though_better_ones_came_since(
    judge: Judge, drawn: DrawnCatalogue
) -> None:
    birds = [drawn.add(drawing(seed), label="bird") for seed in range(4)]
    aim(drawn, bird=2)
    best = page(judge, "/incoming?label=bird")["best"]
    predict(drawn, {bird: 0.0 if bird in best else 1.0 for bird in birds})
    assert set(page(judge, "/incoming?label=bird")["best"]) == set(birds) - set(best)
    answer = judge.post("/incoming/accept", {"label": "bird", "ids": best})
    assert said(answer)["message"] == "kept 2 pictures of bird; its target is met"


DEEDS = st.lists(
    st.lists(
        st.tuples(
            st.sampled_from(["keep", "reject", "cat", "dog", "target", "undo", "new"]),
            st.integers(1, 40),
            st.integers(1, 12),
        ),
        max_size=3,
    ),
    min_size=1,
    max_size=6,
)


@settings(max_examples=25, deadline=None)
@given(DEEDS, st.sampled_from(["", "?label=dog"]))
def test_whoever_reads_on_while_judging_sees_each_picture_that_stays_undecided_once(
    tmp_path_factory: pytest.TempPathFactory, deeds: list[list[tuple[str, int, int]]], where: str
) -> None:
    numbered = DrawnCatalogue(tmp_path_factory.mktemp("line") / "data")
    with numbered.open() as catalog, catalog.transaction():
        for n in range(40):
            quality = {"sharpness": float(n * 7 % 11)}
            add_numbered(catalog, label="dog" if n % 3 else "cat", quality=quality)
    aim(numbered, dog=20, cat=9)
    person = Judge(create_app(numbered.data, testing=True))
    incoming_ = "/incoming" + where
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(incoming, "TILES_PER_PAGE", 6)
        found = page(person, incoming_)
        waiting, seen = set(range(1, 41)), [picture["id"] for picture in found["pictures"]]
        for turn in range(100):
            for verb, first, count in deeds[turn] if turn < len(deeds) else ():
                some = [1 + (first + k) % 40 for k in range(count)]
                touch(person, numbered, verb, some)
                # What was judged and judged back may have been passed by.
                waiting -= {*some} if verb in ("keep", "reject", "cat", "dog") else set()
            if found["next"] is None:
                break
            found = page(person, found["next"])
            seen += [picture["id"] for picture in found["pictures"]]
    wanted = {n for n in waiting if not where or (n - 1) % 3}
    assert sorted(n for n in seen if n in wanted) == sorted(wanted)
    assert len(seen) == len(set(seen))


def touch(person: Judge, numbered: DrawnCatalogue, verb: str, some: list[int]) -> None:
    if verb == "undo":
        person.post("/undo", {})
    elif verb == "target":
        aim(numbered, cat=some[0] * 3)
    elif verb == "new":
        with numbered.open() as catalog:
            add_numbered(catalog, label="dog")
    elif verb in ("cat", "dog"):
        person.post("/judge", {"verb": "label", "ids": some, "label": verb})
    else:
        person.judge(verb, *some)


def test_a_list_that_is_not_held_any_more_is_told(judge: Judge, drawn: DrawnCatalogue) -> None:
    drawn.add_many(2)
    answer = judge.get("/incoming?line=0123456789abcdef&after=100&format=json")
    assert answer.status_code == 409
    assert "open Incoming anew" in said(answer)["error"]


def test_counts_alone_come_without_pictures(judge: Judge, drawn: DrawnCatalogue) -> None:
    drawn.add_many(3)
    text = judge.client.get("/incoming", headers={"X-Refresh": "1"}).text
    assert "<strong>3</strong> new pictures" in text
    assert 'data-id="' not in text


def test_a_better_copy_that_was_rejected_and_undone_is_the_best_again(
    drawn: DrawnCatalogue,
) -> None:
    drawn.add_many(3)
    small, large = drawn.add_pair(77)
    person = Judge(create_app(drawn.data, testing=True))
    person.judge("reject", large)
    assert small in ids(person)
    person.post("/undo", {})
    copies = {picture["id"]: picture["copies"] for picture in page(person)["pictures"]}
    assert copies[large] == [small]
    person.judge("keep", small)
    assert repeats(person) == [[large, small]]
    person.post("/undo", {})
    assert {p["id"]: p["copies"] for p in page(person)["pictures"]} == copies


def test_commands_for_pictures_from_elsewhere_are_shown(
    judge: Judge, drawn: DrawnCatalogue
) -> None:
    text = judge.get("/incoming").text
    assert f"python -m dataset merge OTHER-DATA-FOLDER --data {drawn.data}" in text
    assert f"python -m dataset import folder PICTURES --data {drawn.data}" in text


def test_an_empty_catalogue_says_so(judge: Judge) -> None:
    assert "Nothing new waits" in judge.get("/incoming").text
    assert judge.get("/incoming?label=nowhere").status_code == 200


@pytest.mark.parametrize(
    "address",
    [
        "?x=1",
        "?after=-1",
        "?after=5",
        "?line=0123456789abcdef",
        "?after=5&line=../../etc",
        "?label=a&label=b",
        "?label=" + "a" * 2001,
    ],
)
def test_addresses_are_read_strictly(address: str, judge: Judge) -> None:
    assert judge.get("/incoming" + address).status_code == 400
