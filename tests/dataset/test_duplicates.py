"""When two pictures are the same, and which of them stays."""

import random
from collections.abc import Callable

import imagehash
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw

from dataset.catalog import Catalog
from dataset.duplicates import connected, duplicate_groups, radius_table, star_cover
from dataset.likeness import LARGEST_RADIUS, near_pairs, refresh_edges
from dataset.phash import DHASH, PHASH, THUMB, perceptual_hashes
from dataset.records import Change, Edge
from tests.dataset.conftest import AddPicture
from tests.dataset.pictures import array, encoded, scene

Alteration = Callable[[Image.Image], bytes]
SAME: dict[str, Alteration] = {
    "recompressed": lambda image: encoded(image, "JPEG", quality=40),
    "halved": lambda image: encoded(image.resize((image.width // 2, image.height // 2))),
    "enlarged": lambda image: encoded(image.resize((image.width * 2, image.height * 2))),
    "darker": lambda image: encoded(image.point([int(v * 0.97) for v in range(256)] * 3)),
}


def edge(a: int, b: int, bits: int) -> Edge:
    return Edge(a=a, b=b, phash_bits=bits, dhash_bits=bits, colour_levels=0.0)


def test_hashes_are_those_of_imagehash_and_carry_their_version() -> None:
    image = scene(4)
    hashes = perceptual_hashes(array(image))
    assert hashes[PHASH] == str(imagehash.phash(image))
    assert hashes[DHASH] == str(imagehash.dhash(image))
    assert len(bytes.fromhex(hashes[THUMB])) == 8 * 8 * 3
    assert (PHASH, DHASH) == ("phash-64/2", "dhash-64/2")


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
    assert (group.keeper, group.reason) == (large, "more pixels")
    licensed = add_picture(encoded(image.resize((150, 120))), licence="CC0-1.0")
    refresh_edges(catalog)
    (group,) = duplicate_groups(catalog)
    assert (group.keeper, group.reason) == (licensed, "known licence")
    starred = Change(image_id=small, field="stars", value=4)
    catalog.judgements.apply([starred], who="ada", verb="star")
    (group,) = duplicate_groups(catalog)
    assert (group.keeper, group.reason) == (small, "more stars")
    assert group.members == (small, large, licensed)


def test_rejected_pictures_are_in_no_group(catalog: Catalog, add_picture: AddPicture) -> None:
    image = scene(1, (200, 160))
    for quality in (90, 60, 40):
        add_picture(encoded(image, "JPEG", quality=quality))
    refresh_edges(catalog)
    gone = Change(image_id=1, field="status", value="reject")
    catalog.judgements.apply([gone], who="ada", verb="reject")
    (group,) = duplicate_groups(catalog)
    assert set(group.members) == {2, 3}


def test_edges_are_recomputed_only_when_pictures_came(
    catalog: Catalog, add_picture: AddPicture
) -> None:
    add_picture(encoded(scene(1)))
    refresh_edges(catalog)
    before = catalog.edges.computed_from()
    refresh_edges(catalog)
    assert catalog.edges.computed_from() == before
    add_picture(encoded(scene(1), "JPEG"))
    assert refresh_edges(catalog) == 1
    assert catalog.edges.computed_from() != before


def test_the_radius_table_grows_with_the_radius(catalog: Catalog, add_picture: AddPicture) -> None:
    for quality in (95, 50, 20, 8):
        add_picture(encoded(scene(2), "JPEG", quality=quality))
    refresh_edges(catalog)
    table = radius_table(catalog)
    assert [row[0] for row in table] == [0, 2, 4, 6, 8, 10, 12]
    spare = [row[3] for row in table]
    assert spare == sorted(spare)
    assert spare[-1] == 3


def test_a_chain_is_not_one_group() -> None:
    cover = star_cover([2, 1, 3], [edge(1, 2, 4), edge(2, 3, 4)])
    assert cover == {2: {1: 4, 3: 4}}
    cover = star_cover([1, 2, 3], [edge(1, 2, 4), edge(2, 3, 4)])
    assert cover == {1: {2: 4}, 3: {}}


@settings(max_examples=60)
@given(st.integers(2, 12), st.randoms(use_true_random=False))
def test_everything_that_goes_is_near_a_better_one_that_stays(n: int, rng: random.Random) -> None:
    pairs = [(a, b) for a in range(n) for b in range(a + 1, n) if rng.random() < 0.3]
    edges = [edge(a, b, rng.randint(0, 6)) for a, b in pairs]
    order = rng.sample(range(n), n)
    cover = star_cover(order, edges)
    linked = {frozenset((e.a, e.b)) for e in edges}
    for keeper, others in cover.items():
        for other in others:
            assert frozenset((keeper, other)) in linked
            assert order.index(keeper) < order.index(other)
    keepers = list(cover)
    assert not any(frozenset((a, b)) in linked for a in keepers for b in keepers if a != b)
    assert star_cover(order, rng.sample(edges, len(edges))) == cover


@settings(max_examples=40)
@given(
    st.lists(st.integers(0, 2**64 - 1), max_size=40),
    st.lists(st.integers(0, 63), max_size=6),
    st.integers(0, 12),
)
def test_pairs_are_those_of_counting_every_bit(
    codes: list[int], flips: list[int], radius: int
) -> None:
    codes = codes + [code ^ (1 << flip) for code in codes[:5] for flip in flips]
    i, j, bits = near_pairs(np.array(codes, np.uint64), radius)
    expected = {
        (a, b, (codes[a] ^ codes[b]).bit_count())
        for a in range(len(codes))
        for b in range(a + 1, len(codes))
        if (codes[a] ^ codes[b]).bit_count() <= radius
    }
    assert set(zip(i.tolist(), j.tolist(), bits.tolist(), strict=True)) == expected


def test_connection_goes_over_any_chain() -> None:
    assert connected([(3, 2), (5, 3), (8, 9)], [2, 3, 5, 7]) == {2: 2, 3: 2, 5: 2, 7: 7}
