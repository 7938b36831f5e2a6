"""Groups in memory: always what a fresh look at the whole catalogue would say."""

import random
import time
from collections.abc import Callable

import pytest

from curate_app import grouping
from curate_app.grouping import Grouping, GroupPage, parts
from dataset.catalog import Catalog
from dataset.duplicates import RADII, Comparison
from dataset.errors import DataError
from dataset.keep_rule import KeepRule
from dataset.likeness import LIKENESS, refresh_edges
from dataset.records import Change, Edge, PairChange
from tests.curate_app.drawn_catalogue import DrawnCatalogue, drawing

RULE = KeepRule()


@pytest.fixture
def in_memory(drawn: DrawnCatalogue) -> Grouping:
    return Grouping(drawn.data / "catalog.sqlite")


def tie(catalog: Catalog, *pairs: tuple[int, int, int]) -> None:
    """Let pairs (a, b, bits) be stored as alike."""
    edges = [
        Edge(a=a, b=b, phash_bits=bits, dhash_bits=bits, colour_levels=1.0) for a, b, bits in pairs
    ]
    catalog.edges.join(edges, [], LIKENESS)


def reject(image_id: int) -> Change:
    return Change(image_id=image_id, field="status", value="reject")


def is_as_if_fresh(held: Grouping, catalog: Catalog, rule: KeepRule = RULE) -> bool:
    """Whether tables and groups, open and all, are those of a new comparison of everything."""
    fresh = Comparison(catalog, rule)
    table = held.page(catalog, rule, 10).table
    assert [(line.groups, line.would_go) for line in table] == [
        (row.groups, row.would_go) for row in fresh.table()
    ]
    for radius in (0, 4, 10, 12):
        groups = sorted(fresh.groups(radius), key=lambda group: group.keeper)
        undecided = [g for g in groups if not fresh.undecided.isdisjoint(g.members)]
        for show_all, expected in ((True, groups), (False, undecided)):
            page = held.page(catalog, rule, radius, show_all=show_all)
            assert [group[0] for group in page.groups] == [group.keeper for group in expected]
            assert [set(group) for group in page.groups] == [set(g.members) for g in expected]
            assert not page.more
        assert table[radius].to_decide == len(undecided)
    return True


def test_after_any_judgement_and_undo_groups_are_as_if_made_anew(
    drawn: DrawnCatalogue, in_memory: Grouping
) -> None:
    ids = drawn.add_many(26, side=24)
    dice = random.Random(7)
    with drawn.open() as catalog:
        refresh_edges(catalog)
        near = {(a, b) for a in ids for b in ids if a < b <= a + 4 and dice.random() < 0.5}
        tie(catalog, *((a, b, dice.randrange(13)) for a, b in sorted(near)))
        is_as_if_fresh(in_memory, catalog)
        cover = in_memory._cover
        for step in range(60):
            a, b = dice.sample(ids, 2)
            wish = dice.choice(["status", "status", "stars", "pair", "undo"])
            if wish == "undo":
                catalog.judgements.undo(who="anna")
            elif wish == "pair":
                a, b = dice.choice(sorted(near))
                verdict = dice.choice(["same", "different"])
                change = PairChange(a=a, b=b, verdict=verdict)  # type: ignore[arg-type]
                catalog.judgements.apply([change], who="anna", verb="said")
            else:
                value = dice.choice(["keep", "reject"]) if wish == "status" else dice.randrange(6)
                judged = [Change(image_id=i, field=wish, value=value) for i in (a, b)]  # type: ignore[arg-type]
                catalog.judgements.apply(judged, who="anna", verb="judged")
            if step % 3 == 0:
                is_as_if_fresh(in_memory, catalog)
        assert is_as_if_fresh(in_memory, catalog)
    assert in_memory._cover is cover, "judgements are followed, nothing was made anew"


def test_decisions_on_pictures_without_a_pair_are_followed_too(
    drawn: DrawnCatalogue, in_memory: Grouping
) -> None:
    a, b, c, d = drawn.add_many(4)
    with drawn.open() as catalog:
        assert is_as_if_fresh(in_memory, catalog)
        said = [PairChange(a=a, b=c, verdict="same"), PairChange(a=b, b=d, verdict="different")]
        catalog.judgements.apply(said, who="anna", verb="said")
        assert is_as_if_fresh(in_memory, catalog)
        assert [set(g) for g in in_memory.page(catalog, RULE, 0).groups] == [{a, c}]
        catalog.judgements.undo(who="anna")
        assert is_as_if_fresh(in_memory, catalog)
        assert in_memory.page(catalog, RULE, 0).groups == []


def test_more_judgements_than_can_be_followed_are_grouped_anew(
    drawn: DrawnCatalogue, in_memory: Grouping, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(grouping, "_MOST_FOLLOWED", 3)
    ids = drawn.add_many(8)
    with drawn.open() as catalog:
        refresh_edges(catalog)
        tie(catalog, (ids[0], ids[1], 2), (ids[2], ids[3], 2))
        is_as_if_fresh(in_memory, catalog)
        cover = in_memory._cover
        catalog.judgements.apply([reject(i) for i in ids[1:6]], who="auto", verb="auto")
        assert is_as_if_fresh(in_memory, catalog)
        assert in_memory._cover is not cover


def test_new_pairs_another_rule_and_new_pictures_are_seen_at_the_next_page(
    drawn: DrawnCatalogue, in_memory: Grouping
) -> None:
    small, large = drawn.add_pair(50)
    with drawn.open() as catalog:
        page = in_memory.page(catalog, RULE, 10)
        assert (page.groups, page.pending, page.busy) == ([(large, small)], 0, False)
        by_age = KeepRule(order=("age", "size"))
        assert is_as_if_fresh(in_memory, catalog, by_age)
        third = drawn.add(drawing(50, 128).resize((100, 100)))
        assert set(in_memory.page(catalog, RULE, 10).groups[0]) == {small, large, third}
        loner = drawn.add(drawing(90))
        assert len(in_memory.page(catalog, RULE, 10).groups[0]) == 3
        tie(catalog, (third, loner, 0))
        assert is_as_if_fresh(in_memory, catalog)


def until(holds: Callable[[], bool]) -> None:
    end = time.monotonic() + 30
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_in_a_large_catalogue_nobody_waits_for_new_pictures(
    drawn: DrawnCatalogue, in_memory: Grouping, monkeypatch: pytest.MonkeyPatch
) -> None:
    small, large = drawn.add_pair(50)
    with drawn.open() as catalog:
        in_memory.page(catalog, RULE, 10)
        monkeypatch.setattr(grouping, "SMALL", 0)
        monkeypatch.setattr(in_memory, "_rest_until", 0.0)
        drawn.add_pair(51)
        pages: list[GroupPage] = []

        def done() -> bool:
            pages.append(in_memory.page(catalog, RULE, 10))
            return not pages[-1].busy and not pages[-1].pending

        until(done)
        # The old groups were there all the while, and what is still to come was told.
        assert pages[0].groups == [(large, small)]
        assert (pages[0].pending, pages[0].busy) == (2, True)
        assert len(pages[-1].groups) == 2
        assert pages[-1].state > pages[0].state
        assert is_as_if_fresh(in_memory, catalog)


def test_comparing_behind_the_page_rests_between_two_times(
    drawn: DrawnCatalogue, in_memory: Grouping, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn.add_pair(50)
    with drawn.open() as catalog:
        in_memory.page(catalog, RULE, 10)
        monkeypatch.setattr(grouping, "SMALL", 0)
        in_memory._rest_until = time.monotonic() + 1000
        drawn.add_pair(51)
        page = in_memory.page(catalog, RULE, 10)
        assert (page.pending, page.busy, len(page.groups)) == (2, False, 1)


def test_why_pictures_were_not_compared_is_told_and_tried_again(
    drawn: DrawnCatalogue, in_memory: Grouping, monkeypatch: pytest.MonkeyPatch
) -> None:
    small, large = drawn.add_pair(50)

    def fails(_catalog: Catalog) -> int:
        raise DataError("the disk\nis full; free some")

    with drawn.open() as catalog:
        with monkeypatch.context() as patched:
            patched.setattr(grouping, "refresh_edges", fails)
            page = in_memory.page(catalog, RULE, 10)
        assert (page.groups, page.failure) == ([], "the disk is full; free some")
        assert page.pending == 2
        page = in_memory.page(catalog, RULE, 10)
        assert (page.groups, page.failure) == ([(large, small)], "")


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_fault_of_the_app_itself_is_told_not_taken_for_no_duplicates(
    drawn: DrawnCatalogue, in_memory: Grouping, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn.add_pair(50)

    def fails(_catalog: Catalog) -> int:
        raise KeyError("a fault")

    with drawn.open() as catalog:
        with monkeypatch.context() as patched:
            patched.setattr(grouping, "refresh_edges", fails)
            page = in_memory.page(catalog, RULE, 10)
        assert "by a fault of the app itself" in page.failure
        assert in_memory.page(catalog, RULE, 10).failure == ""


def test_pages_go_on_after_a_keeper(drawn: DrawnCatalogue, in_memory: Grouping) -> None:
    ids = drawn.add_many(10)
    with drawn.open() as catalog:
        refresh_edges(catalog)
        tie(catalog, *((a, a + 1, 4) for a in ids[::2]))
        first = in_memory.page(catalog, RULE, 10, limit=3)
        second = in_memory.page(catalog, RULE, 10, limit=3, after=first.groups[-1][0])
        assert (len(first.groups), first.more) == (3, True)
        assert (len(second.groups), second.more) == (2, False)
        together = [member for group in first.groups + second.groups for member in group]
        assert sorted(together) == ids


def test_a_chain_falls_into_parts_that_are_all_alike(drawn: DrawnCatalogue) -> None:
    hub, a, b, c = drawn.add_many(4)
    with drawn.open() as catalog:
        refresh_edges(catalog)
        tie(catalog, (hub, a, 4), (hub, b, 4), (a, b, 4), (hub, c, 4))
        comparison = Comparison(catalog)
        assert parts(comparison, [hub, a, b, c], 10) == [[hub, a, b], [c]]
        assert parts(comparison, [a, c], 10) == [[a], [c]]
        assert parts(comparison, [hub, a, b, c], 3) == [[hub], [a], [b], [c]]


def test_every_radius_has_a_line_in_an_empty_catalogue(
    drawn: DrawnCatalogue, in_memory: Grouping
) -> None:
    with drawn.open() as catalog:
        page = in_memory.page(catalog, RULE, 10)
        assert [(line.radius, line.groups, line.would_go) for line in page.table] == [
            (radius, 0, 0) for radius in RADII
        ]
