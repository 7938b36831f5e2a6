"""The headless rule: what it rejects and why, what it leaves alone, how it is taken back."""

from dataclasses import replace

import pytest

from curate_app.auto import WHO, AutoOutcome, judge_automatically
from dataset.errors import ConfigError
from dataset.likeness import refresh_edges
from dataset.quality import PRESETS, PresetWish
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


def reject(drawn: DrawnCatalogue, *names: str, preset: PresetWish | None = None) -> dict[str, int]:
    """What a dry run would reject when these issues are named."""
    with drawn.open() as catalog:
        outcome = judge_automatically(catalog, dry_run=True, reject=names, preset=preset)
    return outcome.rejected


def score(drawn: DrawnCatalogue, number: int, **scores: float) -> int:
    """Give a picture other scores than it was measured to have."""
    with drawn.open() as catalog:
        catalog.images.set_quality(number, scores)
    return number


def test_an_issue_goes_only_when_it_is_named_and_is_the_reason(drawn: DrawnCatalogue) -> None:
    plain, soft = drawn.add_many(2, side=128)
    score(drawn, plain, sharpness=1.0)
    score(drawn, soft, sharpness=0.1)
    assert reject(drawn) == {}
    assert reject(drawn, "dark", preset="photo") == {}
    with drawn.open() as catalog:
        judge_automatically(catalog, reject=["blank", "blur"], preset="photo")
    assert state(drawn, plain, soft) == [KEPT, ("reject", "blur", 0)]


def test_a_watermark_goes_only_when_it_is_named(drawn: DrawnCatalogue) -> None:
    clean = {"sharpness": 1.0, "dark": 0.0, "bright": 0.0, "flatness": 0.0, "text": 0.0}
    rest = {"border": 0.0, "upscaled": 0.0, "collage": 0.0, "aspect": 1.0, "side": 500.0}
    score(drawn, drawn.add(drawing(1)), watermark=1.0, **clean, **rest)
    others = {rule.issue for rule in PRESETS["photo"]} - {"watermark"}
    assert judge(drawn, dry=True).rejected == {}
    assert reject(drawn, "blank", *sorted(others), preset="photo") == {}
    assert reject(drawn, "watermark", preset="photo") == {"watermark": 1}


def test_what_has_several_issues_goes_for_the_one_named_first(drawn: DrawnCatalogue) -> None:
    score(drawn, drawn.add(drawing(1)), sharpness=0.1, dark=0.9)
    assert reject(drawn, "dark", "blur", "dark", preset="photo") == {"dark": 1}
    assert reject(drawn, "blur", "dark", preset="photo") == {"blur": 1}


def test_nothing_named_leaves_only_duplicates_to_go(drawn: DrawnCatalogue) -> None:
    drawn.add_blank(120)
    drawn.add_collage(70)
    drawn.add_pair(50)
    with drawn.open() as catalog:
        outcome = judge_automatically(catalog, dry_run=True, reject=())
    assert outcome.rejected == {"duplicate": 1}


def test_the_preset_decides_how_blurred_is_blurred(
    drawn: DrawnCatalogue, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    score(drawn, drawn.add(drawing(1)), sharpness=0.4, entropy=7.0)
    assert reject(drawn, "blur", preset="photo") == {"blur": 1}
    assert reject(drawn, "blur", preset="logo") == {}
    assert "preset" not in caplog.text
    assert reject(drawn, "blur") == {"blur": 1}
    assert "preset photo: 0 of 1 pictures looked at" in caplog.text


def test_collages_go_as_ever_when_nothing_else_is_named(drawn: DrawnCatalogue) -> None:
    flat = score(drawn, drawn.add(drawing(1)), collage=0.9, entropy=1.0)
    assert reject(drawn, "blank", "collage") == {"collage": 1}
    assert reject(drawn, "collage", preset="logo") == {}
    assert state(drawn, flat) == [UNDECIDED]


def test_cuts_of_the_data_folder_hold_for_the_rule(drawn: DrawnCatalogue) -> None:
    score(drawn, drawn.add(drawing(1)), sharpness=0.4, collage=0.5)
    (drawn.data / "quality.toml").write_text("cut.blur = 0.3\ncut.collage = 0.4\n")
    assert reject(drawn, "blur", preset="photo") == {}
    assert judge(drawn, dry=True).rejected == {"collage": 1}


@pytest.mark.parametrize("name", ["blurr", "", "duplicate", "watermark"])
def test_an_unknown_issue_is_refused_and_the_choices_are_named(
    drawn: DrawnCatalogue, name: str
) -> None:
    drawn.add_many(1)
    with pytest.raises(ConfigError, match=f"'{name}': .* choose from blank, blur, dark"):
        reject(drawn, "blank", name, preset="logo")


def test_what_is_only_perhaps_a_duplicate_is_left_for_somebody_to_look_at(
    drawn: DrawnCatalogue,
) -> None:
    small, large = drawn.add_pair(50)
    with drawn.open() as catalog:
        refresh_edges(catalog)
        (edge,) = catalog.edges.all()
        catalog.edges.join([replace(edge, score=0.6)], [], "a rule")
    outcome = judge(drawn)
    assert (outcome.kept, outcome.rejected, outcome.unsure) == (1, {}, 1)
    assert state(drawn, small, large) == [UNDECIDED, KEPT]
    assert judge(drawn) == AutoOutcome(batch=None, kept=0, rejected={}, decided_before=1, unsure=1)
