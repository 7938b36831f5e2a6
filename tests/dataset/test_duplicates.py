"""When two pictures are the same, and which of them stays."""

from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image, ImageDraw

from dataset.catalog import Catalog
from dataset.duplicates import duplicate_groups, radius_table
from dataset.likeness import LARGEST_RADIUS, refresh_edges
from dataset.records import Change
from tests.dataset.conftest import AddPicture
from tests.dataset.pictures import encoded, scene

Alteration = Callable[[Image.Image], bytes]
SAME: dict[str, Alteration] = {
    "recompressed": lambda image: encoded(image, "JPEG", quality=40),
    "halved": lambda image: encoded(image.resize((image.width // 2, image.height // 2))),
    "enlarged": lambda image: encoded(image.resize((image.width * 2, image.height * 2))),
    "darker": lambda image: encoded(image.point([int(v * 0.97) for v in range(256)] * 3)),
}


@pytest.mark.parametrize("alteration", SAME)
def test_the_same_picture_resaved_is_one_group(
    alteration: str, catalog: Catalog, add_picture: AddPicture
) -> None:
    for seed in range(12):
        add_picture(encoded(scene(seed, (200, 160))))
    altered = [add_picture(SAME[alteration](scene(seed, (200, 160)))) for seed in (3, 8)]
    refresh_edges(catalog)
    groups = {frozenset(group.members) for group in duplicate_groups(catalog)}
    assert groups == {frozenset({4, altered[0]}), frozenset({9, altered[1]})}


def test_recoloured_and_flat_pictures_are_not_the_same(
    catalog: Catalog, add_picture: AddPicture
) -> None:
    for colour in ("#c02020", "#2020c0", "#20a020"):
        logo = Image.new("RGB", (64, 64), "white")
        logo.paste(colour, (16, 16, 48, 48))
        add_picture(encoded(logo))
        add_picture(encoded(Image.new("RGB", (64, 64), colour)))
    refresh_edges(catalog)
    assert duplicate_groups(catalog, LARGEST_RADIUS) == []


def test_black_logos_on_nothing_are_not_one_group(
    catalog: Catalog, add_picture: AddPicture
) -> None:
    for corners in (3, 4, 5, 6):
        logo = Image.new("RGBA", (96, 96), (0, 0, 0, 0))
        angles = np.linspace(0, 2 * np.pi, corners, endpoint=False) + corners
        points = [(48 + 40 * np.cos(a), 48 + 40 * np.sin(a)) for a in angles]
        ImageDraw.Draw(logo).polygon(points, fill=(0, 0, 0, 255))
        add_picture(encoded(logo))
    refresh_edges(catalog)
    assert duplicate_groups(catalog) == []


def test_the_keeper_is_the_judged_then_the_licensed_then_the_larger(
    catalog: Catalog, add_picture: AddPicture
) -> None:
    image = scene(1, (200, 160))
    large = add_picture(encoded(image))
    small = add_picture(encoded(image.resize((100, 80))))
    refresh_edges(catalog)
    (group,) = duplicate_groups(catalog)
    assert group.keeper == large
    assert group.reason.startswith("more true resolution: ")
    licensed = add_picture(encoded(image.resize((150, 120))), licence="CC0-1.0")
    refresh_edges(catalog)
    (group,) = duplicate_groups(catalog)
    assert group.keeper == licensed
    assert group.reason == "better licence: CC0-1.0 against unknown"
    starred = Change(image_id=small, field="stars", value=4)
    catalog.judgements.apply([starred], who="ada", verb="star")
    (group,) = duplicate_groups(catalog)
    assert (group.keeper, group.reason) == (small, "more stars: 4 against 0")
    assert group.members == (small, licensed, large)


def test_rejected_pictures_are_in_no_group(catalog: Catalog, add_picture: AddPicture) -> None:
    image = scene(1, (200, 160))
    for quality in (90, 60, 40):
        add_picture(encoded(image, "JPEG", quality=quality))
    refresh_edges(catalog)
    gone = Change(image_id=1, field="status", value="reject")
    catalog.judgements.apply([gone], who="ada", verb="reject")
    (group,) = duplicate_groups(catalog)
    assert set(group.members) == {2, 3}


def test_the_radius_table_grows_with_the_radius(catalog: Catalog, add_picture: AddPicture) -> None:
    for quality in (95, 50, 20, 8):
        add_picture(encoded(scene(2), "JPEG", quality=quality))
    refresh_edges(catalog)
    table = radius_table(catalog)
    assert [row.radius for row in table] == list(range(LARGEST_RADIUS + 1))
    spare = [row.would_go for row in table]
    assert spare == sorted(spare)
    assert spare[-1] == 3
