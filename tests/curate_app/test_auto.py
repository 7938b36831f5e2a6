"""The headless rule: what it rejects and why, what it leaves alone, how it is taken back."""

import pytest

from curate_app.auto import WHO, AutoOutcome, judge_automatically
from dataset.errors import ConfigError
from dataset.records import Change
from tests.curate_app.drawn_catalogue import DrawnCatalogue, drawing
from tests.curate_app.test_actions import state

UNDECIDED = ("undecided", "", 0)
KEPT = ("keep", "", 0)


def judge(drawn: DrawnCatalogue, *, radius: int | None = None, dry: bool = False) -> AutoOutcome:
    with drawn.open() as catalog:
        return judge_automatically(catalog, radius=radius, dry_run=dry)


def decide(drawn: DrawnCatalogue, number: int, status: str) -> None:
    with drawn.open() as catalog:
        change = Change(image_id=number, field="status", value=status)
        catalog.judgements.apply([change], who="anna", verb=status)


def test_blanks_collages_and_worse_copies_go_with_their_reason_and_the_rest_stays(
    drawn: DrawnCatalogue,
) -> None:
    plain = drawn.add_many(3, side=96)
    small, large = drawn.add_pair(50)
    blank, collage = drawn.add_blank(120), drawn.add_collage(70)
    outcome = judge(drawn)
    assert outcome == AutoOutcome(
        batch=1, kept=4, rejected={"duplicate": 1, "blank": 1, "collage": 1}, decided_before=0
    )
    assert state(drawn, *plain, large) == [KEPT] * 4
    assert state(drawn, small, blank, collage) == [
        ("reject", f"duplicate of #{large}", 0),
        ("reject", "blank", 0),
        ("reject", "collage", 0),
    ]


def test_one_undo_takes_the_whole_run_back(drawn: DrawnCatalogue) -> None:
    ids = [*drawn.add_many(3), *drawn.add_pair(50), drawn.add_blank(120)]
    judge(drawn)
    with drawn.open() as catalog:
        events = catalog.judgements.latest()
        assert {(event.who, event.verb, event.batch) for event in events} == {(WHO, "auto", 1)}
        catalog.judgements.undo()
    assert state(drawn, *ids) == [UNDECIDED] * 6


def test_second_run_changes_nothing(drawn: DrawnCatalogue) -> None:
    drawn.add_pair(50)
    judge(drawn)
    assert judge(drawn) == AutoOutcome(batch=None, kept=0, rejected={}, decided_before=2)
    with drawn.open() as catalog:
        assert catalog.judgements.last_batch() == 1


def test_persons_decision_is_never_overruled(drawn: DrawnCatalogue) -> None:
    small, large = drawn.add_pair(50)
    blank, plain = drawn.add_blank(120), drawn.add_many(1)[0]
    decide(drawn, small, "keep")
    decide(drawn, blank, "keep")
    decide(drawn, plain, "reject")
    outcome = judge(drawn)
    assert outcome.decided_before == 3
    assert state(drawn, small, blank, plain) == [KEPT, KEPT, ("reject", "", 0)]
    # The kept one stands, though the other is larger.
    assert state(drawn, large) == [("reject", f"duplicate of #{small}", 0)]


def test_two_copies_that_a_person_kept_both_stay(drawn: DrawnCatalogue) -> None:
    pair = drawn.add_pair(50)
    for number in pair:
        decide(drawn, number, "keep")
    assert judge(drawn).changed == 0
    assert state(drawn, *pair) == [KEPT, KEPT]


def test_when_the_better_copy_is_rejected_the_next_one_is_kept(drawn: DrawnCatalogue) -> None:
    small, large = drawn.add_pair(50)
    decide(drawn, large, "reject")
    judge(drawn)
    assert state(drawn, small) == [KEPT]


def test_pictures_that_come_later_are_judged_against_those_kept_before(
    drawn: DrawnCatalogue,
) -> None:
    first = drawn.add(drawing(50, 64))
    judge(drawn)
    later = drawn.add(drawing(50, 64).resize((200, 200)))
    outcome = judge(drawn)
    assert (outcome.kept, outcome.rejected, outcome.decided_before) == (0, {"duplicate": 1}, 1)
    assert state(drawn, first, later) == [KEPT, ("reject", f"duplicate of #{first}", 0)]


def test_dry_run_counts_and_changes_nothing(drawn: DrawnCatalogue) -> None:
    pair = drawn.add_pair(50)
    outcome = judge(drawn, dry=True)
    assert (outcome.batch, outcome.kept, outcome.rejected) == (None, 1, {"duplicate": 1})
    assert state(drawn, *pair) == [UNDECIDED] * 2
    with drawn.open() as catalog:
        assert catalog.judgements.last_event_id() == 0


def test_empty_catalogue_is_nothing_to_do(drawn: DrawnCatalogue) -> None:
    assert judge(drawn) == AutoOutcome(batch=None, kept=0, rejected={}, decided_before=0)


@pytest.mark.parametrize("radius", [-1, 13, 64])
def test_radius_that_the_stored_pairs_do_not_reach_is_refused(
    drawn: DrawnCatalogue, radius: int
) -> None:
    with pytest.raises(ConfigError, match=f"radius {radius}"):
        judge(drawn, radius=radius)
