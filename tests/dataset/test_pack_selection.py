"""What a pack would take is told before it is made, and is what it takes."""

import json
import random
from pathlib import Path

import numpy as np
import pytest

from dataset.catalog import Catalog
from dataset.image_store import ImageStore
from dataset.pack import forecast, pack
from dataset.pack_selection import NO_LABEL, PackConfig, Selection, in_order, select
from dataset.provenance import SPLITS
from dataset.records import Caption, Change, Origin, PairChange
from dataset.split_keys import brand_of, brand_of_file, site_of, split_keys
from dataset.workspace import Workspace
from tests.curate_app.drawn_catalogue import DrawnCatalogue
from tests.dataset.paired_catalogue import add_named, store_pairs

CONFIGS = (
    PackConfig(),
    PackConfig(labels=("cat", "dog")),
    PackConfig(licences=("CC0-1.0",)),
    PackConfig(per_class=3),
    PackConfig(statuses=("keep", "undecided"), cal=0.3, test=0.3, seed=7),
    PackConfig(min_per_class=9),
    PackConfig(balance="smallest", per_class=7),
)


@pytest.fixture
def kept(tmp_path: Path) -> DrawnCatalogue:
    """Forty drawn pictures, most of them kept, some starred, two of them the same by word."""
    drawn = DrawnCatalogue(tmp_path)
    ids = drawn.add_many(40)
    with drawn.open() as catalog:
        changes = [Change(image_id=i, field="status", value="keep") for i in ids[6:]]
        changes += [Change(image_id=i, field="stars", value=i % 6) for i in ids]
        same = PairChange(a=ids[10], b=ids[14], verdict="same")
        catalog.judgements.apply([*changes, same], who="me", verb="keep")
    return drawn


def split_of(selection: Selection) -> dict[int, str]:
    names = [SPLITS[code] for code in selection.split.tolist()]
    return dict(zip(selection.id.tolist(), names, strict=True))


@pytest.mark.parametrize("config", CONFIGS)
def test_pack_holds_what_was_selected(kept: DrawnCatalogue, config: PackConfig) -> None:
    place = Workspace(kept.data)
    with kept.open() as catalog:
        selection, told = select(catalog, config), forecast(catalog, config)
        result = pack(catalog, ImageStore(place.images), place.packs, config)
    manifest = json.loads((place.packs / "main.manifest.json").read_text())
    classes = {name: sum(splits.values()) for name, splits in selection.classes().items()}
    assert manifest["rows"] == len(selection)
    assert selection.splits == result.counts == told.splits
    assert classes == result.classes == manifest["classes"]
    assert told.classes == selection.classes()
    assert told.licences == result.licences == manifest["licences"]
    assert told.problem == ""


def test_classes_of_few_pictures_are_left_out_whole_and_others_are_levelled(
    kept: DrawnCatalogue,
) -> None:
    with kept.open() as catalog:
        assert sizes(select(catalog, PackConfig())) == {"bird": 8, "cat": 8, "dog": 9, "fish": 9}
        assert sizes(select(catalog, PackConfig(min_per_class=9))) == {"dog": 9, "fish": 9}
        level = select(catalog, PackConfig(balance="smallest"))
        assert sizes(level) == dict.fromkeys(["bird", "cat", "dog", "fish"], 8)
        assert level.label_names == ["bird", "cat", "dog", "fish"]
        left = sizes(select(catalog, PackConfig(min_per_class=9, balance="smallest", per_class=4)))
        assert left == {"dog": 4, "fish": 4}
        assert len(select(catalog, PackConfig(min_per_class=10))) == 0


def sizes(selection: Selection) -> dict[str, int]:
    return {name: sum(splits.values()) for name, splits in selection.classes().items()}


def test_pictures_come_by_their_content_and_likes_share_a_split(kept: DrawnCatalogue) -> None:
    with kept.open() as catalog:
        selection = select(catalog, PackConfig(cal=0.4, test=0.4))
    contents = [digest.tobytes() for digest in selection.sha256]
    assert contents == sorted(contents)
    assert len(set(selection.group.tolist())) == len(contents) - 1
    joined = selection.id[(selection.group != selection.id) | (selection.id == 11)]
    assert set(joined.tolist()) == {11, 15}
    assert split_of(selection)[11] == split_of(selection)[15]


def test_no_order_of_intake_changes_a_split(tmp_path: Path) -> None:
    found: list[dict[bytes, int]] = []
    names = [f"n{n}" for n in range(60)]
    for seed in (1, 2):
        with Catalog(tmp_path / f"{seed}.sqlite") as catalog:
            mixed = random.Random(seed).sample(names, len(names))
            with catalog.transaction():
                ids = {name: add_named(catalog, name, label=f"c{name[-1]}") for name in mixed}
            pairs = zip(names[::2], names[1::2], strict=True)
            store_pairs(catalog, [(ids[a], ids[b], 2) for a, b in pairs])
            changes = [Change(image_id=i, field="status", value="keep") for i in ids.values()]
            catalog.judgements.apply(changes, who="ada", verb="keep")
            selection = select(catalog, PackConfig(cal=0.3, test=0.3))
            digests = [digest.tobytes() for digest in selection.sha256]
            found.append(dict(zip(digests, selection.split.tolist(), strict=True)))
    assert found[0] == found[1]
    assert set(found[0].values()) == {0, 1, 2}


def test_digests_that_begin_alike_are_in_order_too() -> None:
    digests = np.random.default_rng(0).integers(0, 256, (60, 32), dtype=np.uint8)
    digests[::3, :8] = 7
    digests[::6, :24] = 7
    found = [digest.tobytes() for digest in digests[in_order(digests)]]
    assert found == sorted(found)


def test_nothing_is_a_selection_too(tmp_path: Path) -> None:
    with Catalog(tmp_path / "catalog.sqlite") as catalog:
        for split_by in ("group", "brand"):
            selection = select(catalog, PackConfig(split_by=split_by))
            assert (len(selection), selection.classes(), selection.empty) == (0, {}, ())


@pytest.mark.parametrize(
    ("name", "brand"),
    [
        ("airbnb", "airbnb"),
        ("airbnb-icon", "airbnb"),
        ("Airbnb_Logo (dark)", "airbnb"),
        ("airbnb-horizontal-2", "airbnb"),
        ("logo-airbnb-512x512", "airbnb"),
        ("adobe-photoshop", "adobe photoshop"),
        ("500px", "500px"),
        ("square-icon", "square"),
        ("logo", ""),
        ("image (3)", ""),
        ("0123456789abcdef0123456789abcdef", ""),
        ("", ""),
    ],
)
def test_brand_is_the_name_without_what_tells_variants_apart(name: str, brand: str) -> None:
    assert brand_of(name) == brand


@pytest.mark.parametrize(
    ("address", "brand", "site"),
    [
        ("https://www.Logos.test:8080/a/airbnb-icon.svg?v=2", "airbnb", "logos.test"),
        ("file:///logos/caf%C3%A9.png", "café", ""),
        ("logos/airbnb.png", "airbnb", ""),
        ("http://[::1", "", ""),
        ("", "", ""),
    ],
)
def test_brand_and_site_are_read_from_addresses(address: str, brand: str, site: str) -> None:
    assert (brand_of_file(address), site_of(address)) == (brand, site)


def brands(catalog: Catalog, count: int) -> list[int]:
    """So many brands of three variants each, kept; the last one told by its caption alone."""
    ids = []
    with catalog.transaction():
        for n in range(count):
            for variant in ("", "-icon", "-dark"):
                ids.append(add_named(catalog, f"b{n}{variant}", label=f"class {n % 2}"))
                url = f"http://cdn.test/brand{chr(97 + n)}{variant}.png"
                origin = Origin(
                    url=url, page_url=f"http://www.site{n}.test/x", author=f"Author {n}",
                    source=f"source {n}", licence="CC0-1.0",
                )  # fmt: skip
                catalog.images.add_origin(ids[-1], origin)
    changes = [Change(image_id=i, field="status", value="keep") for i in ids]
    catalog.judgements.apply(changes, who="ada", verb="keep")
    return ids


@pytest.mark.parametrize("split_by", ["source", "author", "site", "brand"])
def test_no_split_parts_what_it_is_told_to_keep_together(tmp_path: Path, split_by: str) -> None:
    with Catalog(tmp_path / "catalog.sqlite") as catalog:
        ids = brands(catalog, 20)
        store_pairs(catalog, [(ids[0], ids[3], 2)])  # two brands that look alike are one
        config = PackConfig(split_by=split_by, cal=0.2, test=0.2)  # type: ignore[arg-type]
        for seed in range(4):
            selection = select(catalog, PackConfig(**{**vars(config), "seed": seed}))
            split = split_of(selection)
            for start in range(0, 60, 3):
                assert len({split[one] for one in ids[start : start + 3]}) == 1
            assert split[ids[0]] == split[ids[3]]
            assert selection.splits["cal"] == selection.splits["test"] == 12
        parted = select(catalog, PackConfig(cal=0.2, test=0.2))
        assert any(len({split_of(parted)[i] for i in ids[s : s + 3]}) > 1 for s in range(0, 60, 3))


def test_key_is_that_of_the_first_origin_with_a_known_licence(tmp_path: Path) -> None:
    with Catalog(tmp_path / "catalog.sqlite") as catalog:
        first, second, third = (add_named(catalog, name) for name in "xyz")
        for image_id in (first, second):
            for n, licence in enumerate(("unknown", "CC0-1.0", "CC-BY-4.0")):
                catalog.images.add_origin(
                    image_id, Origin(url=f"http://{n}.test", author=f"a{n}", licence=licence)
                )
        catalog.images.add_origin(third, Origin(url="http://x.test", author="A1 "))
        ids = np.array([first, second, third], np.int64)
        keys = split_keys(catalog, "author", ids)
        assert keys[0] == keys[1] != 0
        assert keys[2] == 0  # its first origin names nobody, and none has a known licence
        assert not split_keys(catalog, "group", ids).any()


def test_a_class_that_is_called_as_none_is_counts_with_what_has_none(tmp_path: Path) -> None:
    with Catalog(tmp_path / "catalog.sqlite") as catalog:
        ids = [add_named(catalog, name) for name in "abcde"]
        changes = [Change(image_id=one, field="status", value="keep") for one in ids]
        changes += [Change(image_id=one, field="label", value=NO_LABEL) for one in ids[:2]]
        catalog.judgements.apply(changes, who="ada", verb="label")
        selection = select(catalog, PackConfig(cal=0, test=0))
        assert selection.label_names == [NO_LABEL]
        assert selection.classes() == {NO_LABEL: {"train": 5, "cal": 0, "test": 0}}


def test_brand_that_no_file_tells_is_that_of_the_caption(tmp_path: Path) -> None:
    with Catalog(tmp_path / "catalog.sqlite") as catalog:
        ids = [add_named(catalog, name) for name in ("logo-1", "icon-2", "logo-3")]
        for image_id, text in zip(ids, ("Acme logo", "The Acme", "Acme icon"), strict=True):
            catalog.images.add_caption(image_id, Caption(text=text, origin="alt"))
        keys = split_keys(catalog, "brand", np.array(ids, np.int64))
        assert keys[0] == keys[2] != keys[1]


@pytest.mark.parametrize(
    ("licences", "known"),
    [
        ([], None),
        (["unknown"], None),
        ([""], None),
        (["unknown", "CC0-1.0", "CC-BY-4.0"], "CC0-1.0"),
        (["", "CC-BY-4.0", "unknown"], "CC-BY-4.0"),
    ],
)
def test_licence_is_that_of_the_first_origin_that_has_one(
    kept: DrawnCatalogue, licences: list[str], known: str | None
) -> None:
    with kept.open() as catalog:
        number = 3  # drawn under an unknown licence
        for place, licence in enumerate(licences):
            origin = Origin(url=f"http://pictures.test/again/{place}", licence=licence)
            catalog.images.add_origin(number, origin)
        assert catalog.packables.licences().get(number) == known
        [facts] = catalog.packables.facts_of([number])
        assert facts.origin is not None
        assert facts.origin.licence == (known or "unknown")


def test_pictures_of_one_page_are_of_one_brand_by_whichever_chain(tmp_path: Path) -> None:
    with Catalog(tmp_path / "catalog.sqlite") as catalog:
        named = [
            ("go", "https://golang.org"),
            ("gopher", "https://golang.org#top"),
            ("gopher-icon", "https://other.test"),
            ("visa", ""),
            ("visaelectron", " "),
            ("mouse", "https://other.test"),
            ("-", ""),
        ]
        ids = []
        for name, page in named:
            image_id = add_named(catalog, name)
            url = f"http://logos.test/{name}.png"
            origin = Origin(url=url, page_url=page, licence="CC0-1.0")
            catalog.images.add_origin(image_id, origin)
            ids.append(image_id)
        keys = split_keys(catalog, "brand", np.array(ids, np.int64)).tolist()
        assert keys[0] == keys[1] == keys[2] == keys[5] != 0
        assert len({keys[0], keys[3], keys[4]}) == 3
        assert keys[6] == 0
