"""What a pack would take is told before it is made, and is what it takes."""

import json
from pathlib import Path

import numpy as np
import pytest

from dataset.catalog import Catalog
from dataset.image_store import ImageStore
from dataset.pack import pack
from dataset.pack_selection import PackConfig, best_origin, select
from dataset.records import Change, Origin, PairChange
from dataset.workspace import Workspace
from tests.curate_app.drawn_catalogue import DrawnCatalogue

CONFIGS = (
    PackConfig(),
    PackConfig(labels=("cat", "dog")),
    PackConfig(licences=("CC0-1.0",)),
    PackConfig(per_class=3),
    PackConfig(statuses=("keep", "undecided"), cal=0.3, test=0.3, seed=7),
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


@pytest.mark.parametrize("config", CONFIGS)
def test_pack_holds_what_was_selected(kept: DrawnCatalogue, config: PackConfig) -> None:
    place = Workspace(kept.data)
    with kept.open() as catalog:
        selection = select(catalog, config)
        known = catalog.packables.licences()
        result = pack(catalog, ImageStore(place.images), place.packs, config)
    manifest = json.loads((place.packs / "main.manifest.json").read_text())
    assert manifest["rows"] == len(selection.pictures)
    splits = np.unique(list(selection.split_of.values()), return_counts=True)
    assert dict(zip(*splits, strict=True)) == result.counts
    labels = np.unique([one.label for one in selection.pictures], return_counts=True)
    assert dict(zip(*labels, strict=True)) == result.classes
    names = [known.get(one.id, "unknown") for one in selection.pictures]
    licences = np.unique(names, return_counts=True)
    assert dict(zip(*licences, strict=True)) == manifest["licences"]


def test_pictures_come_by_their_content_and_likes_share_a_split(kept: DrawnCatalogue) -> None:
    with kept.open() as catalog:
        selection = select(catalog, PackConfig(cal=0.4, test=0.4))
    contents = [one.sha256 for one in selection.pictures]
    assert contents == sorted(contents)
    assert len(set(selection.group_of.values())) == len(contents) - 1
    joined = [i for i, group in selection.group_of.items() if group != i or i == 11]
    assert set(joined) == {11, 15}
    assert selection.split_of[11] == selection.split_of[15]


def test_nothing_is_a_selection_too(tmp_path: Path) -> None:
    with Catalog(tmp_path / "catalog.sqlite") as catalog:
        assert select(catalog, PackConfig()).pictures == []


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
        found = best_origin(catalog.images.origins(number)).licence
        assert found == (known or "unknown")
