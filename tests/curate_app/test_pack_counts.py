"""Counts over columns are those of the selection that a pack is made from."""

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curate_app.overview import Overview
from curate_app.pack_counts import PackColumns
from dataset.catalog import Catalog
from dataset.errors import ConfigError
from dataset.pack_selection import PackConfig, select
from dataset.records import Change, Origin, PairChange
from tests.curate_app.drawn_catalogue import DrawnCatalogue
from tests.dataset.paired_catalogue import add_named, store_pairs

LICENCES = ["CC0-1.0", "CC-BY-4.0", "unknown", ""]
PICTURES = st.lists(
    st.fixed_dictionaries(
        {
            "label": st.sampled_from(["cat", "dog", "owl", ""]),
            "status": st.sampled_from(["keep", "keep", "keep", "reject", "undecided"]),
            "stars": st.integers(0, 2),
            "licences": st.lists(st.sampled_from(LICENCES), max_size=3),
            "author": st.sampled_from(["", "ada", "Ada ", "bob"]),
        }
    ),
    max_size=24,
)
PAIRS = st.lists(st.tuples(st.integers(1, 24), st.integers(1, 24), st.integers(0, 12)), max_size=12)
SAID = st.lists(
    st.tuples(st.integers(1, 24), st.integers(1, 24), st.sampled_from(["same", "different"])),
    max_size=5,
)
CONFIGS = [
    PackConfig(),
    PackConfig(cal=0.3, test=0.3, seed=7),
    PackConfig(statuses=("keep", "undecided"), radius=3, test=0.2),
    PackConfig(per_class=2, test=0.4),
    PackConfig(licences=("CC0-1.0", "unknown"), cal=0.5),
    PackConfig(min_per_class=3, cal=0.3),
    PackConfig(balance="smallest", test=0.3),
    PackConfig(balance="smallest", per_class=3, min_per_class=2, seed=3),
    PackConfig(split_by="source", cal=0.3, test=0.3),
    PackConfig(split_by="author", cal=0.3, test=0.2, seed=1),
    PackConfig(split_by="site", cal=0.4),
    PackConfig(split_by="brand", cal=0.2, test=0.2),
    PackConfig(split_by="site", licences=("CC-BY-4.0",), cal=0.3),
]


def is_same(columns: PackColumns, view: Overview, catalog: Catalog, config: PackConfig) -> bool:
    with view.reading(catalog):
        counts = columns.counts(view, catalog, config)
    selection = select(catalog, config)
    expected = {(n, split): k for n, by in selection.classes().items() for split, k in by.items()}
    told = {
        (label or "(no label)", split): n
        for label, by in counts.classes.items()
        for split, n in by.items()
    }
    assert +Counter(told) == +Counter(expected)
    assert counts.pictures == len(selection)
    assert counts.empty == selection.empty
    facts = catalog.packables.facts_of(selection.id.tolist(), config.licences)
    packed = [one.origin.licence if one.origin else "" for one in facts]
    assert counts.licences == Counter(licence or "unknown" for licence in packed)
    if config.licences:
        assert set(counts.licences) <= set(config.licences)
    assert counts.alike == len(selection) - len(set(selection.group.tolist()))
    return True


@settings(max_examples=20, deadline=None)
@given(PICTURES, PAIRS, SAID, st.integers(0, 24))
def test_counts_are_those_of_the_selection_before_and_after_more_came(
    tmp_path_factory: pytest.TempPathFactory,
    pictures: list[dict[str, object]],
    pairs: list[tuple[int, int, int]],
    said: list[tuple[int, int, str]],
    first: int,
) -> None:
    columns, view = PackColumns(), Overview()
    with Catalog(tmp_path_factory.mktemp("counts") / "c.sqlite") as catalog:
        for some in (pictures[:first], pictures[first:]):
            for facts in some:
                add(catalog, facts)
            there = catalog.images.count()
            ties = {(min(a, b), max(a, b)): bits for a, b, bits in pairs if a != b}
            ties = {pair: bits for pair, bits in ties.items() if pair[1] <= there}
            catalog_pairs = {(edge.a, edge.b) for edge in catalog.edges.all()}
            store_pairs(catalog, [(*p, bits) for p, bits in ties.items() if p not in catalog_pairs])
            wishes = [
                PairChange(a=a, b=b, verdict="same" if verdict == "same" else "different")
                for a, b, verdict in said
                if a != b and max(a, b) <= there
            ]
            catalog.judgements.apply(wishes, who="ada", verb="told")
            assert all(is_same(columns, view, catalog, config) for config in CONFIGS)
        if pictures:  # a licence that comes to be known
            origin = Origin(url="http://example.org/again", licence="CC-BY-SA-4.0")
            catalog.images.add_origin(1, origin)
        assert is_same(columns, view, catalog, CONFIGS[0])


def add(catalog: Catalog, facts: dict[str, object]) -> None:
    name = f"p{catalog.images.count()}"
    image_id = add_named(catalog, name, label=facts["label"])
    licences = facts["licences"]
    assert isinstance(licences, list)
    for n, licence in enumerate(licences):
        page = f"http://www.site{n}.test/{name}" if n else ""
        catalog.images.add_origin(
            image_id,
            Origin(
                url=f"http://{name}/mark-{len(licences)}-{n}.png",
                page_url=page,
                source=f"source {len(licences)}",
                author=str(facts["author"]),
                licence=licence,
            ),
        )
    changes = [
        Change(image_id=image_id, field="status", value=str(facts["status"])),
        Change(image_id=image_id, field="stars", value=int(str(facts["stars"]))),
    ]
    catalog.judgements.apply(changes, who="ada", verb="x")


def test_a_label_that_no_picture_has_is_refused_as_by_the_selection(
    drawn: DrawnCatalogue,
) -> None:
    config = PackConfig(labels=("cat", "zebra"))
    with drawn.open() as catalog:
        add_named(catalog, "one", label="cat")
        with pytest.raises(ConfigError, match="no picture is labelled zebra"):
            select(catalog, config)
        view = Overview()
        with view.reading(catalog), pytest.raises(ConfigError, match="labelled zebra"):
            PackColumns().counts(view, catalog, config)
