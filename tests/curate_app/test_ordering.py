"""Sorted pages: every picture once, ties by id, the unknown last, nothing skipped while people
judge."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curate_app import grid
from curate_app.filters import BadFilter, Filter
from curate_app.ordering import Cursor, Page, Sort, Sorted
from curate_app.overview import Overview
from dataset.catalog import Catalog
from dataset.records import Change
from tests.curate_app.conftest import Judge
from tests.curate_app.drawn_catalogue import DrawnCatalogue
from tests.curate_app.numbered_catalogue import add_numbered, known, ordered, put_ratings

SORTS = ("id", "stars", "pixels", "bytes", "score", "sharpness")
BOTH_WAYS = [sign + name for name in SORTS for sign in ("", "-")]

VALUES = st.one_of(
    st.none(),
    st.sampled_from([0.0, -0.0, 0.1, 0.7132, 1.0, -2.0, 1e-7, 1.2345678e-5, 1e-38, 3e38, -3e38]),
    st.floats(width=32, allow_nan=False, allow_infinity=False),
)
PICTURES = st.lists(
    st.fixed_dictionaries(
        {
            "width": st.sampled_from([1, 32, 50_000]),
            "stars": st.integers(0, 2),
            "kept": st.booleans(),
            "sharpness": VALUES,
            "score": VALUES,
        }
    ),
    max_size=14,
)


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[Catalog]:
    with Catalog(tmp_path / "catalog.sqlite") as opened:
        yield opened


def fill(catalog: Catalog, pictures: list[dict[str, Any]]) -> None:
    changes, scores = [], {}
    with catalog.transaction():
        for facts in pictures:
            quality = {} if facts["sharpness"] is None else {"sharpness": facts["sharpness"]}
            n = add_numbered(catalog, width=facts["width"], quality=quality)
            changes.append(Change(image_id=n, field="stars", value=facts["stars"]))
            if facts["kept"]:
                changes.append(Change(image_id=n, field="status", value="keep"))
            if facts["score"] is not None:
                scores[n] = facts["score"]
        # So that the column is there whatever was drawn.
        n = add_numbered(catalog, quality={"sharpness": 0.5})
        changes.append(Change(image_id=n, field="status", value="reject"))
        catalog.judgements.apply(changes, who="ada", verb="mixed")
        put_ratings(catalog, "ranked", scores, "1")


def sorted_of(view: Overview, text: str, where: Filter | None = None) -> Sorted:
    return Sorted(view, view.mask(where or Filter()), Sort.read(text))


def page_at(found: Sorted, cursor: str, limit: int) -> Page:
    return found.page(found.place_after(Cursor.read(cursor or "0")), limit)


@settings(max_examples=25, deadline=None)
@given(PICTURES, st.integers(1, 5))
def test_pages_by_every_column_are_a_plain_sort_and_lead_both_ways(
    tmp_path_factory: pytest.TempPathFactory, pictures: list[dict[str, Any]], limit: int
) -> None:
    with Catalog(tmp_path_factory.mktemp("order") / "c.sqlite") as catalog:
        fill(catalog, pictures)
        everything = known(catalog)
        with Overview().reading(catalog) as view:
            for text in BOTH_WAYS:
                for where in (Filter(), Filter(status="keep")):
                    found = sorted_of(view, text, where)
                    fitting = [picture for picture in everything if picture.fits(where)]
                    expected = ordered(fitting, text.lstrip("-"), text.startswith("-"))
                    check_pages(found, expected, limit)
                    check_around(found, expected)
                    assert [found.place_of(i) for i in expected] == list(range(len(expected)))


def check_pages(found: Sorted, expected: list[int], limit: int) -> None:
    assert len(found) == len(expected)
    seen: list[int] = []
    page, before = page_at(found, "", limit), None
    while True:
        assert (page.first, page.total) == (len(seen), len(expected))
        seen += page.ids
        if before is None:
            assert page.before == ""
        else:
            assert page_at(found, page.before, limit).ids == before
        if not page.after:
            break
        assert len(page.ids) == limit
        before, page = page.ids, page_at(found, page.after, limit)
    assert seen == expected


def check_around(found: Sorted, expected: list[int]) -> None:
    for place, image_id in enumerate(expected):
        before = expected[place - 1] if place else None
        after = expected[place + 1] if place + 1 < len(expected) else None
        assert found.around(image_id) == (before, after)
    assert found.around(10_000) == (None, None)


@settings(max_examples=20, deadline=None)
@given(PICTURES, st.sampled_from(BOTH_WAYS))
def test_neighbours_of_a_picture_outside_the_filter_are_those_it_would_stand_between(
    tmp_path_factory: pytest.TempPathFactory, pictures: list[dict[str, Any]], text: str
) -> None:
    with Catalog(tmp_path_factory.mktemp("order") / "c.sqlite") as catalog:
        fill(catalog, pictures)
        everything, where = known(catalog), Filter(status="keep")
        whole = ordered(everything, text.lstrip("-"), text.startswith("-"))
        inside = {picture.record.id for picture in everything if picture.fits(where)}
        with Overview().reading(catalog) as view:
            found = sorted_of(view, text, where)
            for place, image_id in enumerate(whole):
                before = [i for i in whole[:place] if i in inside]
                after = [i for i in whole[place + 1 :] if i in inside]
                assert found.around(image_id) == (
                    before[-1] if before else None,
                    after[0] if after else None,
                )


JUDGED = st.lists(
    st.lists(
        st.tuples(st.integers(1, 15), st.sampled_from(["stars", "status"]), st.integers(0, 2)),
        max_size=4,
    ),
    max_size=8,
)


@settings(max_examples=25, deadline=None)
@given(PICTURES, JUDGED, st.sampled_from(BOTH_WAYS), st.booleans(), st.integers(1, 4))
def test_who_pages_while_others_judge_sees_every_untouched_picture_exactly_once(
    tmp_path_factory: pytest.TempPathFactory,
    pictures: list[dict[str, Any]],
    judged: list[list[tuple[int, str, int]]],
    text: str,
    filtered: bool,
    limit: int,
) -> None:
    where = Filter(status="undecided") if filtered else Filter()
    with (
        Catalog(tmp_path_factory.mktemp("order") / "c.sqlite") as catalog,
        Catalog(catalog.path) as other,
    ):
        fill(catalog, pictures)
        kept, cursor, seen, touched = Overview(), "", list[int](), set[int]()
        waiting = iter(judged)
        with kept.reading(catalog) as view:
            there = view.ids[view.mask(where)].tolist()
        while True:
            with kept.reading(catalog) as view:
                page = page_at(sorted_of(view, text, where), cursor, limit)
            seen += page.ids
            cursor = page.after
            if not cursor:
                break
            changes = []
            for image_id, field, value in next(waiting, []):
                if image_id <= len(pictures):
                    status = ("undecided", "keep", "reject")[value]
                    changes.append(
                        Change(image_id=image_id, field="stars", value=value)
                        if field == "stars"
                        else Change(image_id=image_id, field="status", value=status)
                    )
            touched |= {change.image_id for change in changes}
            with other.transaction():
                other.judgements.apply(changes, who="bob", verb="mixed")
        for image_id in there:
            if image_id not in touched:
                assert seen.count(image_id) == 1, image_id
        if not text.endswith("stars"):  # nothing else moves a picture
            assert len(set(seen)) == len(seen)


def test_ties_go_by_ascending_id_and_the_unknown_come_last_either_way(catalog: Catalog) -> None:
    for value in (None, 0.5, 0.25, 0.5, None, 0.25):
        add_numbered(catalog, quality={} if value is None else {"sharpness": value})
    with Overview().reading(catalog) as view:
        ids = {text: view.ids[sorted_of(view, text).rows].tolist() for text in BOTH_WAYS[-2:]}
    assert ids == {"sharpness": [3, 6, 2, 4, 1, 5], "-sharpness": [2, 4, 3, 6, 1, 5]}


def test_a_cursor_of_a_picture_that_is_gone_from_the_filter_keeps_its_place(
    catalog: Catalog,
) -> None:
    for n in range(6):
        add_numbered(catalog, quality={"sharpness": n / 8})
    kept, where = Overview(), Filter(status="undecided")
    with kept.reading(catalog) as view:
        page = page_at(sorted_of(view, "-sharpness", where), "", 2)
        assert page.ids == [6, 5]
    gone = [Change(image_id=i, field="status", value="keep") for i in (6, 5)]
    catalog.judgements.apply(gone, who="ada", verb="keep")
    with kept.reading(catalog) as view:
        page = page_at(sorted_of(view, "-sharpness", where), page.after, 2)
    assert (page.ids, page.first, page.total, page.before) == ([4, 3], 0, 4, "")


@pytest.mark.parametrize(
    "text",
    [
        *("", "x", "-1", "1.5", "none", "none:", ":1", "1:", "nan:1", "inf:1", "1e999:1", "1:2:3"),
        *("1 :1", "1:1\n", "\u0661", "9" * 20, str(2**63), "1:-1", "0x1:1", "--1:1", "1_0:1", "\0"),
        *("1" * 5000, "1." + "1" * 5000 + ":1"),
    ],
)
def test_what_no_page_has_named_is_no_cursor(text: str) -> None:
    with pytest.raises(BadFilter) as told:
        Cursor.read(text)
    assert str(told.value).isprintable()
    assert len(str(told.value)) < 400


@given(VALUES, st.integers(1, 2**63 - 1))
def test_every_value_of_a_column_is_read_back_from_a_cursor(value: float | None, n: int) -> None:
    held = None if value is None else float(np.float32(value))
    text = f"{'none' if held is None else repr(held)}:{n}"
    assert Cursor.read(text) == Cursor(value=held, id=n)


def test_a_cursor_far_beyond_every_value_is_an_end(catalog: Catalog) -> None:
    add_numbered(catalog, quality={"sharpness": 0.5})
    with Overview().reading(catalog) as view:
        for text in ("sharpness", "-sharpness"):
            found = sorted_of(view, text)
            ends = [found.place_after(Cursor.read(f"{sign}1e99:1")) for sign in ("-", "")]
            assert sorted(ends) == [0, 1]


@pytest.mark.parametrize(
    ("text", "expected"),
    [("", "id"), ("id", "id"), ("-id", "-id"), ("-", "-id"), ("stars", "stars"), ("-x", "-x")],
)
def test_sort_is_read_and_written(text: str, expected: str) -> None:
    assert str(Sort.read(text)) == expected


def test_unknown_column_cannot_sort(catalog: Catalog) -> None:
    add_numbered(catalog)
    with Overview().reading(catalog) as view:
        for text in ("sharpnes", "--stars", "label", "stars desc", "\0"):
            with pytest.raises(BadFilter, match="there is no score"):
                sorted_of(view, text)


# ------------------------------------------------------------ jumps, through the page itself


@pytest.mark.parametrize("sort", ["", "&sort=-id", "&sort=sharpness", "&sort=-sharpness"])
def test_a_jump_by_percent_lands_there_and_paging_goes_on_both_ways(
    judge: Judge, drawn: DrawnCatalogue, monkeypatch: pytest.MonkeyPatch, sort: str
) -> None:
    monkeypatch.setattr(grid, "TILES_PER_PAGE", 3)
    drawn.add_many(10)

    def read(address: str) -> dict[str, Any]:
        page: dict[str, Any] = judge.get(address).get_json()
        page["ids"] = [picture["id"] for picture in page["pictures"]]
        return page

    order: list[int] = []
    address = f"/?format=json{sort}"
    while address:
        page = read(address)
        order += page["ids"]
        address = page["next"] and page["next"] + "&format=json"
    assert sorted(order) == list(range(1, 11))
    for percent, place in {0: 0, 9: 0, 10: 1, 50: 5, 69: 6, 70: 7, 99: 7, 100: 7}.items():
        page = read(f"/?at={percent}&format=json{sort}")
        assert (page["first"], page["ids"]) == (place, order[place : place + 3])
        if page["next"]:
            after = read(page["next"] + "&format=json")
            assert after["ids"] == order[place + 3 : place + 6]
        if page["previous"]:
            before = read(page["previous"] + "&format=json")
            assert before["ids"][: min(place, 3)] == order[max(place - 3, 0) : place]


@pytest.mark.parametrize("at", ["-1", "101", "1.5", "x", "", "1e1", "%D9%A1", "0" * 5000, "0101"])
def test_impossible_percent_is_one_line(judge: Judge, at: str) -> None:
    answer = judge.get(f"/?at={at}&format=json")
    assert answer.status_code == 400
    assert "\n" not in answer.get_json()["error"]
    assert len(answer.get_json()["error"]) < 200


def test_two_places_at_once_are_refused(judge: Judge) -> None:
    assert judge.get("/?at=5&after=3&format=json").status_code == 400
