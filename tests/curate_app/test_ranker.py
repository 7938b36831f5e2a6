"""The app's ranking over a real catalogue: what it reads, keeps up with, gives out and stores."""

import json
import threading
import time
from collections.abc import Sequence

import numpy as np
import pytest

from curate_app import ranker as ranker_module
from curate_app.cli import main
from curate_app.ranker import Ranker
from curate_app.upkeep import Upkeep
from dataset.likeness import refresh_edges
from dataset.records import Change, Outcome, PairChange, SettingChange, VoteChange
from tests.curate_app.drawn_catalogue import DrawnCatalogue, drawing


@pytest.fixture
def dogs(drawn: DrawnCatalogue) -> list[int]:
    return [drawn.add(drawing(500 + i, 48), label="dog") for i in range(6)]


def cast(
    drawn: DrawnCatalogue,
    pairs: Sequence[tuple[int, int]],
    outcome: Outcome = "left",
    who: str = "me",
    aside: bool = False,
) -> None:
    with drawn.open() as catalog:
        votes = [VoteChange(left=a, right=b, outcome=outcome, aside=aside) for a, b in pairs]
        catalog.judgements.apply(votes, who=who, verb="vote")


def test_votes_put_the_winner_first_and_undo_takes_it_back(
    drawn: DrawnCatalogue, dogs: list[int]
) -> None:
    ranked = Ranker()
    cast(drawn, [(dogs[3], other) for other in dogs if other != dogs[3]])
    with drawn.open() as catalog:
        standing = ranked.standing(catalog, "dog", 1)
        assert standing.ids[0] == dogs[3]
        assert standing.vote_counts[0] == standing.votes == standing.fitted_votes == 5
        assert standing.scores[0] > 0.5 > standing.scores[1]
        catalog.judgements.undo()
        standing = ranked.standing(catalog, "dog", 1)
        assert standing.votes == 0
        assert not standing.scores.any()


def test_other_classes_and_rejected_pictures_are_no_contenders(
    drawn: DrawnCatalogue, dogs: list[int]
) -> None:
    cat = drawn.add(drawing(7), label="cat")
    cast(drawn, [(dogs[0], dogs[1]), (dogs[1], dogs[2])])
    ranked = Ranker()
    with drawn.open() as catalog:
        reject = Change(image_id=dogs[1], field="status", value="reject")
        catalog.judgements.apply([reject], who="me", verb="reject")
        standing = ranked.standing(catalog, "dog")
        assert sorted(standing.ids) == [one for one in dogs if one != dogs[1]]
        # It still tells that the one which beat it is better than the one which it beat.
        assert standing.ids[0] == dogs[0]
        assert standing.ids[-1] == dogs[2]
        given = {i for p in ranked.next_pairs(catalog, "dog", 20) for i in (p.left, p.right)}
        assert not given & {cat, dogs[1]}
        assert cat in ranked.standing(catalog, None).ids


def test_votes_aside_measure_the_fit_and_stay_out_of_it(
    drawn: DrawnCatalogue, dogs: list[int]
) -> None:
    cast(drawn, [(dogs[0], dogs[1])] * 3)
    cast(drawn, [(dogs[0], dogs[1])] * 3 + [(dogs[1], dogs[0])], who="ben", aside=True)
    with drawn.open() as catalog:
        standing = Ranker().standing(catalog, "dog")
    assert (standing.fitted_votes, standing.aside_votes, standing.people) == (3, 4, 2)
    assert standing.heldout.accuracy == 0.75
    assert standing.heldout.votes == 4
    # Wilson's interval of 3 of 4, as in any table.
    assert standing.heldout.low == pytest.approx(0.3006, abs=1e-3)
    assert standing.heldout.high == pytest.approx(0.9544, abs=1e-3)


def test_stars_come_before_votes(drawn: DrawnCatalogue, dogs: list[int]) -> None:
    with drawn.open() as catalog:
        stars = [
            Change(image_id=dogs[4], field="stars", value=5),
            Change(image_id=dogs[2], field="stars", value=1),
        ]
        catalog.judgements.apply(stars, who="me", verb="stars")
        ranked = Ranker()
        standing = ranked.standing(catalog, "dog")
        assert standing.ids[0] == dogs[4]
        assert standing.ids[-1] == dogs[2]
        ids, scores, _deviations = ranked.scored(catalog)
        assert ids.tolist() == sorted([dogs[4], dogs[2]])
        assert np.sign(scores).tolist() == [-1, 1]


def test_target_of_the_class_is_its_k(drawn: DrawnCatalogue, dogs: list[int]) -> None:
    ranked = Ranker()
    with drawn.open() as catalog:
        assert ranked.standing(catalog, "dog").k == 1
        target = SettingChange(name="target:dog", value="4")
        catalog.judgements.apply([target], who="me", verb="target")
        assert ranked.standing(catalog, "dog").k == 4
        assert ranked.standing(catalog, "dog", 2).k == 2
        assert ranked.standing(catalog, "dog", 99).k == len(dogs)
        assert ranked.standing(catalog, "none such").contenders == 0


def test_near_duplicates_never_meet(drawn: DrawnCatalogue) -> None:
    small, large = drawn.add_pair(3)
    other = drawn.add(drawing(60, 96))
    with drawn.open() as catalog:
        assert refresh_edges(catalog) == 1
        given = Ranker().next_pairs(catalog, "", 20)
        met = {frozenset((one.left, one.right)) for one in given}
        assert met == {frozenset((small, other)), frozenset((large, other))}
        told = PairChange(a=small, b=large, verdict="different")
        catalog.judgements.apply([told], who="me", verb="different")
        given = Ranker().next_pairs(catalog, "", 20)
        assert frozenset((small, large)) in {frozenset((one.left, one.right)) for one in given}


def test_pairs_on_screens_are_not_given_out(drawn: DrawnCatalogue, dogs: list[int]) -> None:
    ranked = Ranker()
    held = [(a, b) for a in dogs[:3] for b in dogs[3:]]
    with drawn.open() as catalog:
        given = ranked.next_pairs(catalog, "dog", 50, held)
        assert {frozenset((one.left, one.right)) for one in given} <= {
            frozenset((a, b)) for half in (dogs[:3], dogs[3:]) for a in half for b in half
        }
        assert 3 <= len(given) <= 6
        assert [one.ids for one in ranked.next_fours(catalog, "dog", 1)]
        assert ranked.next_fours(catalog, "dog", 1, held) == []
        again = Ranker().next_pairs(catalog, "dog", 50, held)
        assert again == given, "the same state gives the same pairs"


def test_large_fit_is_made_in_the_background_and_nobody_waits(
    drawn: DrawnCatalogue, dogs: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ranker_module, "_MOST_INLINE", 0)
    ranked = Ranker()
    with drawn.open() as catalog:
        ranked.standing(catalog, "dog")
        cast(drawn, [(dogs[3], other) for other in dogs if other != dogs[3]])
        before = ranked.standing(catalog, "dog")
        assert before.votes == 5
        ranked.wait()
        after = ranked.standing(catalog, "dog")
        assert after.fresh
        assert after.ids[0] == dogs[3]


def test_saved_scores_are_those_of_the_standing(drawn: DrawnCatalogue, dogs: list[int]) -> None:
    cast(drawn, [(dogs[0], dogs[1]), (dogs[0], dogs[2])])
    with drawn.open() as catalog:
        ranked = Ranker()
        assert ranked.save(catalog) == 3
        ids, scores, deviations = catalog.ratings.of("ranked")
        assert ids.tolist() == dogs[:3]
        assert scores.argmax() == 0
        assert (deviations > 0).all()
        stamp = catalog.ratings.stamp("ranked")
        assert stamp
        ranked.save(catalog)
        assert catalog.ratings.stamp("ranked") == stamp


def test_saved_scores_follow_the_votes_and_what_was_undone(
    drawn: DrawnCatalogue, dogs: list[int]
) -> None:
    ranked = Ranker()
    with drawn.open() as catalog:
        cast(drawn, [(dogs[0], dogs[1])])
        assert ranked.save(catalog) == 2
        cast(drawn, [(dogs[2], dogs[3])])
        assert ranked.save(catalog) == 4
        catalog.judgements.undo()
        assert ranked.save(catalog) == 2
        ids, scores, _deviations = catalog.ratings.of("ranked")
        assert ids.tolist() == dogs[:2]
        assert scores[0] > 0 > scores[1]
        # What another process stored meanwhile is taken for what is there.
        nothing = np.zeros(0, np.float32)
        catalog.ratings.put("ranked", np.zeros(0, np.int64), nothing, nothing, "other")
        assert ranked.save(catalog) == 2
        assert catalog.ratings.of("ranked")[0].tolist() == dogs[:2]


def test_judgement_that_changes_no_score_writes_nothing(
    drawn: DrawnCatalogue, dogs: list[int]
) -> None:
    ranked = Ranker()
    with drawn.open() as catalog:
        cast(drawn, [(dogs[0], dogs[1])])
        ranked.save(catalog)
        stamp = catalog.ratings.stamp("ranked")
        keep = Change(image_id=dogs[4], field="status", value="keep")
        catalog.judgements.apply([keep], who="me", verb="keep")
        assert ranked.save(catalog) == 2
        assert catalog.ratings.stamp("ranked") == stamp


def test_outlook_is_that_of_the_last_look(drawn: DrawnCatalogue, dogs: list[int]) -> None:
    ranked = Ranker()
    with drawn.open() as catalog:
        assert ranked.outlook("dog") is None
        cast(drawn, [(dogs[0], dogs[1])])
        ranked.look_around(catalog)
        first = ranked.outlook("dog")
        assert first is not None
        assert first == ranked.standing(catalog, "dog").outlook()
        cast(drawn, [(dogs[2], dogs[1])])
        assert ranked.outlook("dog") == first
        ranked.look_around(catalog)
        assert ranked.outlook("dog") != first


def test_newest_standing_waits_for_the_fit(
    drawn: DrawnCatalogue, dogs: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ranker_module, "_MOST_INLINE", 0)
    ranked = Ranker()
    with drawn.open() as catalog:
        ranked.standing(catalog, "dog")
        cast(drawn, [(dogs[3], other) for other in dogs if other != dogs[3]])
        standing = ranked.standing(catalog, "dog", newest=True)
        assert standing.fresh
        assert standing.ids[0] == dogs[3]
        ranked.wait()


def test_pairs_are_chosen_while_others_look_at_the_standing(
    drawn: DrawnCatalogue, dogs: list[int]
) -> None:
    """Many threads, votes between them: every answer is whole, and nobody waits for ever."""
    ranked, failures = Ranker(), list[BaseException]()

    def ask(kind: int) -> None:
        try:
            with drawn.open() as catalog:
                for turn in range(15):
                    if kind == 0:
                        ranked.standing(catalog, "dog", 1 + turn % 3)
                    elif kind == 1:
                        assert ranked.next_pairs(catalog, "dog", 2)
                    elif kind == 2:
                        ranked.look_around(catalog)
                    else:
                        cast(drawn, [(dogs[turn % 6], dogs[(turn + 1) % 6])])
        except BaseException as error:
            failures.append(error)
            raise

    threads = [threading.Thread(target=ask, args=(kind,), daemon=True) for kind in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not failures
    assert not any(thread.is_alive() for thread in threads)
    with drawn.open() as catalog:
        assert ranked.standing(catalog, "dog").votes == 15


def test_rounds_follow_what_was_done_and_end(drawn: DrawnCatalogue, dogs: list[int]) -> None:
    ranked = Ranker()
    upkeep = Upkeep(ranked, drawn.data / "catalog.sqlite", threading.Lock(), pause_s=0.01)
    cast(drawn, [(dogs[0], dogs[1])])
    upkeep.stir()
    upkeep.stir()
    deadline = time.monotonic() + 30
    while ranked.outlook("dog") is None or upkeep.is_at_work:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    with drawn.open() as catalog:
        assert catalog.ratings.of("ranked")[0].tolist() == dogs[:2]


def test_target_that_is_no_number_of_pictures_is_none(
    drawn: DrawnCatalogue, dogs: list[int]
) -> None:
    for text in ("9" * 5000, "0", "-3", "½", "many"):
        with drawn.open() as catalog:
            wish = SettingChange(name="target:dog", value=text)
            catalog.judgements.apply([wish], who="me", verb="target")
            assert Ranker().standing(catalog, "dog").k == 1


def test_verb_prints_the_top_and_saves(
    drawn: DrawnCatalogue, dogs: list[int], capsys: pytest.CaptureFixture[str]
) -> None:
    cast(drawn, [(dogs[3], other) for other in dogs if other != dogs[3]])
    data = ["--data", str(drawn.data)]
    assert main(["rank", *data, "--label", "dog", "--top", "2", "--save", "--dry-run"]) == 0
    text = capsys.readouterr().out
    assert f"#{dogs[3]}" in text.splitlines()[1]
    assert "a dry run" in text
    with drawn.open() as catalog:
        assert not len(catalog.ratings.of("ranked")[0])
    assert main(["rank", *data, "--label", "dog", "--json", "--save"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["top"][0]["id"] == dogs[3]
    assert found["saved"] == 6
    assert found["settled"] in (True, False)


@pytest.mark.parametrize("options", [["--label", "cow"], ["--top", "0"]])
def test_verb_refuses_what_is_not_there(
    drawn: DrawnCatalogue, dogs: list[int], options: list[str]
) -> None:
    assert dogs
    assert main(["rank", "--data", str(drawn.data), *options]) == 2


def test_verb_on_an_empty_catalogue_says_so(
    drawn: DrawnCatalogue, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["rank", "--data", str(drawn.data)]) == 0
    assert "no pictures to rank" in capsys.readouterr().out
