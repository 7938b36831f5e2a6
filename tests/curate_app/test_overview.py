"""The columns in memory say what a plain loop over the catalogue says, whatever happens to it."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curate_app import overview as overview_module
from curate_app.filters import BadFilter, Filter
from curate_app.overview import Overview
from dataset.catalog import Catalog
from dataset.image_store import ImageStore
from dataset.records import Caption, Change, JudgedField, Origin
from dataset.rehash import rehash
from dataset.workspace import Workspace
from tests.curate_app.conftest import Judge
from tests.curate_app.drawn_catalogue import DrawnCatalogue
from tests.curate_app.numbered_catalogue import (
    KINDS,
    Known,
    add_numbered,
    counted,
    known,
    ordered,
    put_ratings,
    status_codes,
)

FACETS = ("status", "label", "stars", "source", "licence")


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[Catalog]:
    with Catalog(tmp_path / "catalog.sqlite") as opened:
        yield opened


def judge(catalog: Catalog, image_id: int, field: JudgedField, value: str | int) -> None:
    change = Change(image_id=image_id, field=field, value=value)
    catalog.judgements.apply([change], who="ada", verb=field)


def observed(view: Overview) -> dict[str, Any]:
    """Everything that an overview shows; labels and sources may be numbered in any order."""
    everything = np.ones(len(view), dtype=bool)
    return {
        "ids": view.ids.tolist(),
        "status": view.status.tolist(),
        "stars": view.stars.tolist(),
        "label": [view.labels[code] for code in view.label.tolist()],
        "names": view.names(),
        "columns": {name: [repr(v) for v in view.column(name).tolist()] for name in view.names()},
        "orders": {name: view.order(name).tolist() for name in view.names()},
        "counts": {facet: view.counts(facet, everything) for facet in FACETS},
        "red": view.mask(Filter(text="red")).tolist(),
        "site": view.mask(Filter(source="site")).tolist(),
    }


def afresh(catalog: Catalog) -> dict[str, Any]:
    with Overview().reading(catalog) as view:
        return observed(view)


def now(kept: Overview, catalog: Catalog) -> dict[str, Any]:
    with kept.reading(catalog) as view:
        return observed(view)


# ------------------------------------------------------------ against a plain loop

PICTURES = st.lists(
    st.fixed_dictionaries(
        {
            "label": st.sampled_from(["", "cat", "dog"]),
            "source": st.sampled_from(["site", "shop"]),
            "licence": st.sampled_from(["unknown", "CC0-1.0"]),
            "caption": st.sampled_from(["", "A red cat", "reddish", "blue"]),
            "width": st.sampled_from([16, 32]),
            "quality": st.dictionaries(
                st.sampled_from(["sharpness", "contrast"]),
                st.sampled_from([-1.5, 0.0, 0.1, 0.2, 0.7132]),
            ),
        }
    ),
    max_size=6,
)
ID = st.integers(1, 8)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("add"), PICTURES),
        st.tuples(st.just("status"), ID, st.sampled_from(["undecided", "keep", "reject"])),
        st.tuples(st.just("stars"), ID, st.integers(0, 5)),
        st.tuples(st.just("label"), ID, st.sampled_from(["", "cat", "owl"])),
        st.tuples(st.just("caption"), ID, st.sampled_from(["", "Red owl", "green"])),
        st.tuples(st.just("found"), ID, st.sampled_from(["red again", "grey"])),
        st.tuples(st.just("origin"), ID, st.sampled_from(["site", "museum"])),
        st.tuples(st.sampled_from(sorted(KINDS)), ID, st.floats(-2, 2, width=32)),
        st.tuples(st.just("undo")),
        st.tuples(st.just("look")),
    ),
    max_size=12,
)
FILTERS = st.builds(
    Filter,
    status=st.sampled_from([None, None, "undecided", "keep", "reject"]),
    label=st.sampled_from([None, None, "", "cat", "unheard of"]),
    source=st.sampled_from([None, None, "site", "museum", "nobody"]),
    licence=st.sampled_from([None, None, "CC0-1.0"]),
    text=st.sampled_from(["", "", "red", "red cat", "OWL", "!"]),
    stars=st.sampled_from(["", "", "0", "2-5"]),
    between=st.sampled_from(
        ["", "", "sharpness:0.1..0.2", "score:..0.5", "pixels:600..,stars:..3", "contrast:0.1.."]
    ),
)


def carry_out(catalog: Catalog, step: tuple[Any, ...]) -> None:
    kind, *rest = step
    if kind == "add":
        for facts in rest[0]:
            add_numbered(catalog, **facts)
    elif kind == "undo":
        catalog.judgements.undo()
    elif catalog.images.get(rest[0]) is None:
        return
    elif kind == "found":
        catalog.images.add_caption(rest[0], Caption(text=rest[1], origin="captioner"))
    elif kind == "origin":
        catalog.images.add_origin(rest[0], Origin(url="again", source=rest[1]))
    elif kind in KINDS:
        ids, scores, _ = catalog.ratings.of(KINDS[kind])
        values = dict(zip(ids.tolist(), scores.tolist(), strict=True)) | {rest[0]: rest[1]}
        put_ratings(catalog, KINDS[kind], values, f"{catalog.ratings.stamp(KINDS[kind])}+")
    else:
        judge(catalog, rest[0], kind, rest[1])


def check_against_a_loop(view: Overview, pictures: list[Known], where: Filter) -> None:
    fitting = [picture for picture in pictures if picture.fits(where)]
    assert view.ids[view.mask(where)].tolist() == [picture.record.id for picture in fitting]
    assert view.status.tolist() == status_codes(pictures)
    for facet in FACETS:
        assert view.counts(facet, view.mask(where)) == counted(fitting, facet), facet
    for name in view.names():
        expected = [picture.values.get(name, np.nan) for picture in pictures]
        np.testing.assert_array_equal(view.column(name), np.array(expected, dtype=np.float32))
        assert view.ids[view.order(name)].tolist() == ordered(pictures, name, False)


@settings(max_examples=50, deadline=None)
@given(PICTURES, STEPS, st.lists(FILTERS, min_size=1, max_size=3))
def test_after_any_history_the_columns_are_those_of_a_loop_and_of_a_new_overview(
    tmp_path_factory: pytest.TempPathFactory,
    pictures: list[dict[str, Any]],
    steps: list[tuple[Any, ...]],
    filters: list[Filter],
) -> None:
    path = tmp_path_factory.mktemp("overview") / "c.sqlite"
    kept = Overview()
    # The app's requests have a connection each; whoever writes has another.
    with Catalog(path) as catalog, Catalog(path) as writer:
        for step in [("add", pictures), *steps, ("look",)]:
            if step[0] != "look":
                with writer.transaction():
                    carry_out(writer, step)
                continue
            shown = now(kept, catalog)
            assert shown == afresh(catalog)
            with kept.reading(catalog) as view:
                for where in filters:
                    try:
                        check_against_a_loop(view, known(catalog), where)
                    except BadFilter:
                        assert {span.name for span in where.ranges()} - set(view.names())


# ------------------------------------------------------------ keeping up


def change_picture(catalog: Catalog) -> None:
    add_numbered(catalog, label="owl", source="site", caption="red", quality={"new": 0.5})


def change_events(catalog: Catalog) -> None:
    judge(catalog, 1, "status", "keep")
    judge(catalog, 1, "label", "never seen before")
    judge(catalog, 2, "stars", 5)


def change_by_undo(catalog: Catalog) -> None:
    assert catalog.judgements.undo() is not None


def change_origin(catalog: Catalog) -> None:
    catalog.images.add_origin(1, Origin(url="again", source="site", licence="CC0-1.0"))


def change_written(catalog: Catalog) -> None:
    judge(catalog, 2, "caption", "Something red")


def change_found(catalog: Catalog) -> None:
    catalog.images.add_caption(2, Caption(text="red by a machine", origin="captioner"))


def change_ratings(catalog: Catalog) -> None:
    put_ratings(catalog, "ranked", {1: 0.5, 2: -0.5}, "another")


def change_scores(catalog: Catalog) -> None:
    with catalog.transaction():
        catalog.images.set_quality(1, {"sharpness": 0.125, "blot": 0.5})
        catalog.scores.note_measured()


@pytest.mark.parametrize(
    "change",
    [
        *(change_picture, change_events, change_by_undo, change_origin, change_written),
        *(change_found, change_ratings, change_scores),
    ],
)
def test_what_another_connection_changes_is_seen_at_the_next_reading(
    catalog: Catalog, change: Callable[[Catalog], None]
) -> None:
    for n in range(3):
        add_numbered(catalog, label=f"l{n}", quality={"sharpness": n / 8}, caption="blue")
    judge(catalog, 3, "status", "reject")
    kept = Overview()
    before = now(kept, catalog)
    with Catalog(catalog.path, create=False) as other:
        change(other)
    assert now(kept, catalog) == afresh(catalog) != before


def test_scores_measured_anew_by_a_command_are_seen_without_a_restart(
    judge: Judge, drawn: DrawnCatalogue
) -> None:
    ids = drawn.add_many(3)
    columns = "/?sort=sharpness&format=json"
    before = judge.get(columns).get_json()
    store = ImageStore(Workspace(drawn.data).images)
    with drawn.open() as catalog:
        for image_id in ids:
            catalog.images.set_quality(image_id, {"sharpness": 1.0 - image_id / 100})
            catalog.images.set_fingerprint(image_id, "of an older version", b"x")
        catalog.scores.note_measured()
        assert [p["id"] for p in judge.get(columns).get_json()["pictures"]] == ids[::-1]
        rehash(catalog, store)
    assert judge.get(columns).get_json() == before


def test_a_reading_within_a_reading_goes_on_after_it(catalog: Catalog) -> None:
    add_numbered(catalog, quality={"sharpness": 0.5})
    kept = Overview()
    with kept.reading(catalog) as view:
        with kept.reading(catalog) as inner:
            assert inner is view
        assert view.column("sharpness").tolist() == [0.5]
        assert view.mask(Filter(text="red")).tolist() == [False]


def test_a_reader_of_an_older_state_doubles_nothing(catalog: Catalog) -> None:
    add_numbered(catalog, source="site")
    kept = Overview()
    with Catalog(catalog.path, create=False) as older, older.snapshot():
        assert older.images.count() == 1
        add_numbered(catalog, source="site")
        judge(catalog, 1, "status", "keep")
        now(kept, catalog)
        with kept.reading(older):
            pass
        add_numbered(catalog)
    assert now(kept, catalog) == afresh(catalog)


def test_a_reading_that_fails_half_way_is_made_good(
    catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_numbered(catalog, source="site")
    kept = Overview()
    now(kept, catalog)
    add_numbered(catalog, source="site")
    judge(catalog, 1, "stars", 3)

    def broken(event: int) -> list[int]:
        raise MemoryError

    with monkeypatch.context() as patch:
        patch.setattr(catalog.columns, "judged_since", broken)
        with pytest.raises(MemoryError), kept.reading(catalog):
            pass
    assert now(kept, catalog) == afresh(catalog)


def test_an_empty_catalogue_has_columns_and_counts_of_nothing(catalog: Catalog) -> None:
    kept = Overview()
    with kept.reading(catalog) as view:
        assert len(view) == 0
        assert view.order("stars").tolist() == view.column("score").tolist() == []
        assert view.mask(Filter(status="keep", text="a", source="s", stars="1")).shape == (0,)
        assert {facet: view.counts(facet, view.mask(Filter())) for facet in FACETS} == {
            facet: {} for facet in FACETS
        }
    add_numbered(catalog)
    assert now(kept, catalog) == afresh(catalog)


def test_rows_are_found_for_the_ids_that_are_there(catalog: Catalog) -> None:
    for _ in range(4):
        add_numbered(catalog)
    with Overview().reading(catalog) as view:
        assert view.rows_of([4, 99, 1, 0, -5, 2]).tolist() == [3, 0, 1]
        assert view.rows_of([]).tolist() == []


def test_unknown_column_is_told_with_those_that_there_are(catalog: Catalog) -> None:
    add_numbered(catalog, quality={"sharpness": 0.5})
    with Overview().reading(catalog) as view:
        for read in (view.column, view.order):
            with pytest.raises(BadFilter, match=r"no score 'shapness'; known: id, .*sharpness"):
                read("shapness")
        with pytest.raises(BadFilter, match="no score 'blot'"):
            view.mask(Filter(between="blot:1.."))


def test_more_columns_and_texts_than_are_held_stay_right(
    catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(overview_module, "_MOST_COLUMNS", 1)
    monkeypatch.setattr(overview_module, "_MOST_TEXTS", 1)
    for n in range(4):
        quality = {f"m{k}": (n * k) % 5 / 4 for k in range(6)}
        add_numbered(catalog, quality=quality, caption=f"red {n}")
    kept = Overview()
    for _ in range(2):
        assert now(kept, catalog) == afresh(catalog)
        with kept.reading(catalog) as view:
            for n in range(4):
                assert view.ids[view.mask(Filter(text=f"red {n}"))].tolist() == [n + 1]
            where = Filter(between=",".join(f"m{k}:0..1" for k in range(6)))
            check_against_a_loop(view, known(catalog), where)


def test_bounds_beyond_what_columns_hold_are_open(catalog: Catalog) -> None:
    add_numbered(catalog, quality={"sharpness": 0.5})
    add_numbered(catalog)
    with Overview().reading(catalog) as view:
        for between, expected in {
            "sharpness:-1e99..1e99": [True, False],
            "sharpness:1e99..": [False, False],
            "sharpness:..-1e99": [False, False],
        }.items():
            assert view.mask(Filter(between=between)).tolist() == expected


# ------------------------------------------------------------ several people at once


def test_pages_asked_for_by_several_threads_while_others_judge_are_consistent(
    drawn: DrawnCatalogue, judge: Judge
) -> None:
    ids = drawn.add_many(12)
    addresses = [
        *("/?format=json", "/?status=undecided&format=json", "/?sort=-stars&format=json"),
        *("/?sort=sharpness&format=json", "/?text=drawing&format=json", "/?stars=1-5&format=json"),
    ]

    def look(n: int) -> list[str]:
        mine = Judge(judge.app)
        wrong = []
        for k in range(5):
            address = addresses[(n + k) % len(addresses)]
            page = mine.get(address).get_json()
            shown = [picture["id"] for picture in page["pictures"]]
            if len(set(shown)) != len(shown) or len(shown) != page["total"]:
                wrong.append(f"{address}: {shown}")
            counts = {v["value"]: v["count"] for v in page["facets"]["status"]}
            if "status" not in address and sum(counts.values()) != page["total"]:
                wrong.append(f"{address}: {counts}")
        return wrong

    def work(n: int) -> list[str]:
        mine = Judge(judge.app)
        for image_id in ids[n::2]:
            answers = [mine.judge("keep", image_id), mine.judge("stars", image_id, stars=3)]
            # Whoever has been answered sees what was done.
            page = mine.get("/?status=keep&stars=3&format=json").get_json()
            if image_id not in [picture["id"] for picture in page["pictures"]]:
                return [f"{image_id} is not shown: {[a.status_code for a in answers]}"]
        return []

    with ThreadPoolExecutor(6) as pool:
        looking = [pool.submit(look, n) for n in range(4)]
        working = [pool.submit(work, n) for n in range(2)]
        assert [line for future in (*looking, *working) for line in future.result()] == []
    page = judge.get("/?format=json").get_json()
    assert {v["value"]: v["count"] for v in page["facets"]["stars"]} == {"3": 12}
