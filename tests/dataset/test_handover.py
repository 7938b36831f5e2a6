"""What duplicates leave to the picture that stays, and who stands in for it when it goes."""

import pytest

from dataset.catalog import Catalog
from dataset.records import Caption, Change, Origin, PairChange
from dataset.star_cover import DEFAULT_RADIUS
from tests.dataset.paired_catalogue import add_named, judge, judged, store_pairs


@pytest.fixture
def family(catalog: Catalog) -> Catalog:
    """1 stands for 2 and 3; 3 stood for 4 before; 5 is of no kin."""
    for number, name in enumerate("abcde", 1):
        add_named(catalog, name, caption=f"text {name}", width=number * 10, licence=f"L{number}")
    judge(catalog, 1, "keep")
    judge(catalog, 4, "reject", "duplicate of #3")
    judge(catalog, 3, "reject", "duplicate of #1")
    judge(catalog, 2, "reject", "duplicate of #1")
    return catalog


def test_a_picture_has_what_its_duplicates_and_theirs_hand_over(family: Catalog) -> None:
    handover = family.handover
    assert handover.losers_of([1, 3, 5]) == {1: [2, 3, 4], 3: [4]}
    assert handover.keeper_of(4) == 3
    assert handover.keeper_of(1) is None
    handed = handover.captions_of([1, 5])
    assert [(giver, c.text) for giver, c in handed[1]] == [
        (2, "text b"),
        (3, "text c"),
        (4, "text d"),
    ]
    assert list(handed) == [1]
    origins = handover.origins_of([1])[1]
    assert [(giver, o.url, o.licence) for giver, o in origins] == [
        (2, "http://example.org/b", "L2"),
        (3, "http://example.org/c", "L3"),
        (4, "http://example.org/d", "L4"),
    ]
    # Its own stay its own: nothing is copied.
    assert [c.text for c in family.images.captions(1)] == ["text a"]
    assert [o.licence for o in family.images.origins(1)] == ["L1"]


def test_the_same_text_and_place_are_handed_over_once(family: Catalog) -> None:
    for image_id in (2, 3):
        family.images.add_caption(image_id, Caption(text="text a", origin="alt"))
        family.images.add_caption(image_id, Caption(text="shared", origin="alt"))
        family.images.add_origin(image_id, Origin(url="http://example.org/a"))
    texts = [c.text for _, c in family.handover.captions_of([1])[1]]
    assert texts == ["text b", "shared", "text c", "text d"]
    assert len(family.handover.origins_of([1])[1]) == 3


def test_an_undo_takes_the_share_back(family: Catalog) -> None:
    family.judgements.undo()
    assert family.handover.losers_of([1]) == {1: [3, 4]}


def test_only_a_rejected_picture_is_a_duplicate_of_another(family: Catalog) -> None:
    judge(family, 2, "keep", "duplicate of #1")
    judge(family, 5, "reject", "duplicate of a logo")
    assert family.handover.keeper_of(2) is None
    assert family.handover.keeper_of(5) is None


def test_a_circle_of_duplicates_ends(family: Catalog) -> None:
    judge(family, 1, "reject", "duplicate of #2")
    assert family.handover.losers_of([1]) == {1: [2, 3, 4]}


def test_when_the_keeper_goes_the_best_of_what_a_person_called_the_same_has_the_others(
    family: Catalog,
) -> None:
    same = PairChange(a=2, b=3, verdict="same")
    family.judgements.apply([same], who="ada", verb="same")
    before = judged(family)
    judge(family, 1, "reject", "blurred")
    # 3 is larger than 2; 4 was a duplicate of 3 all the time.
    assert judged(family) == {
        **before,
        1: ("reject", "blurred"),
        2: ("reject", "duplicate of #3"),
        3: ("undecided", ""),
    }
    events = family.judgements.of_batch(family.judgements.last_batch())
    assert {event.verb for event in events} == {"reject"}
    family.judgements.undo()
    assert judged(family) == before


@pytest.mark.parametrize("bits", [0, DEFAULT_RADIUS, None])
def test_when_the_keeper_goes_what_only_hashes_tie_is_undecided_again_at_any_radius(
    family: Catalog, bits: int | None
) -> None:
    """By which radius they were marked, nobody knows any more."""
    store_pairs(family, [] if bits is None else [(2, 3, bits)])
    judge(family, 1, "reject")
    assert judged(family)[2] == judged(family)[3] == ("undecided", "")
    assert judged(family)[4] == ("reject", "duplicate of #3")


def test_a_broken_rule_stops_no_judgement_and_is_told_once(
    family: Catalog, caplog: pytest.LogCaptureFixture
) -> None:
    (family.path.parent / "keep.toml").write_text('order = ["nonsense"]')
    judge(family, 4, "keep")
    judge(family, 5, "reject", "duplicate of #4")
    changes = [Change(image_id=n, field="status", value="reject") for n in (1, 4)]
    assert family.judgements.apply(changes, who="ada", verb="reject") is not None
    assert judged(family)[3] == judged(family)[5] == ("undecided", "")
    [told] = [record.getMessage() for record in caplog.records]
    assert "keep.toml" in told
    assert "the default rule says who stands in" in told


def test_a_keeper_that_becomes_a_duplicate_itself_takes_its_own_along(family: Catalog) -> None:
    judge(family, 1, "reject", "duplicate of #5")
    assert judged(family)[2] == ("reject", "duplicate of #1")
    assert family.handover.losers_of([5]) == {5: [1, 2, 3, 4]}
    # Rejected for a reason of its own afterwards, it leaves them behind.
    judge(family, 1, "reject", "blurred")
    assert judged(family)[3] == ("undecided", "")
