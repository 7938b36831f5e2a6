"""The traps: each kind is there, counted, over real HTTP, and is what it claims to be."""

import hashlib
from collections.abc import Mapping
from functools import cache

import numpy as np
import pytest
import requests
from numpy.typing import NDArray

from dataset.errors import PictureError
from dataset.fingerprint import read
from dataset.ingest import measure
from dataset.phash import DHASH, PHASH
from dataset.quality import BLANK_CONTRAST, COLLAGE_SCORE
from dataset.records import NewImage
from scrape.demo_site import DemoSite
from scrape.demo_site.drawn_collection import DrawnCollection
from tests.scrape.demo_site.visitor import Visitor

AT_LEAST = {
    "exact-copy": 12,
    "resized-copy": 12,
    "recompressed-copy": 12,
    "collage": 10,
    "blank": 6,
    "truncated": 4,
    "html-as-picture": 3,
    "not-found": 4,
    "too-many-requests": 3,
    "empty": 2,
    "private": 5,
    "opt-out": 2,
}


@cache
def collection() -> DrawnCollection:
    return DrawnCollection(7)


@cache
def measured(address: str) -> NewImage:
    answer = collection().answer(address)
    assert answer is not None
    return measure(answer.body)


def is_whole(address: str) -> bool:
    """Whether the picture at `address` is planted with nothing that keeps it from decoding."""
    broken = ("truncated", "html-as-picture", "empty", "not-found")
    return not any(address in collection().planted[kind] for kind in broken)


def are_near(one: NewImage, other: NewImage) -> bool:
    """Within 6 bits of both hashes and 8 levels of mean difference."""
    return (
        bits(one.hashes, other.hashes, PHASH) <= 6
        and bits(one.hashes, other.hashes, DHASH) <= 6
        and float(np.abs(luma(one) - luma(other)).mean()) <= 8
    )


def bits(one: Mapping[str, str], other: Mapping[str, str], algorithm: str) -> int:
    return (int(one[algorithm], 16) ^ int(other[algorithm], 16)).bit_count()


def luma(image: NewImage) -> NDArray[np.float64]:
    small: NDArray[np.float64] = read(image.fingerprint)["luma"][0].astype(np.float64)
    return small


def test_the_manifest_counts_every_kind(site: DemoSite) -> None:
    assert site.planted.keys() == AT_LEAST.keys()
    for kind, least in AT_LEAST.items():
        assert len(site.planted[kind]) >= least, kind
    every = [address for addresses in site.planted.values() for address in addresses]
    assert len(set(every)) == len(every)


def test_every_planted_address_is_listed_for_visitors(site: DemoSite) -> None:
    listed = {picture.address for picture in (*site.collection.cards, *site.collection.labelled)}
    assert listed >= {address for addresses in site.planted.values() for address in addresses}


def test_traps_stand_in_both_lists(site: DemoSite) -> None:
    cards = {picture.address for picture in site.collection.cards}
    for kind in AT_LEAST.keys() - {"collage"}:
        on_cards = cards & set(site.planted[kind])
        assert 0 < len(on_cards) < len(site.planted[kind]), kind


def test_an_exact_copy_has_the_bytes_of_its_original(site: DemoSite, visitor: Visitor) -> None:
    for address in site.planted["exact-copy"]:
        original = site.copy_of[address]
        assert original != address
        assert visitor.get(address).content == visitor.get(original).content


@pytest.mark.parametrize("kind", ["resized-copy", "recompressed-copy"])
def test_a_changed_copy_is_always_near_its_original(kind: str) -> None:
    for address in collection().planted[kind]:
        copy, original = measured(address), measured(collection().copy_of[address])
        assert copy.pixel_sha256 != original.pixel_sha256
        assert are_near(copy, original), address


def test_a_resized_copy_is_smaller_and_as_tall_for_its_width() -> None:
    for address in collection().planted["resized-copy"]:
        copy, original = measured(address), measured(collection().copy_of[address])
        assert copy.width <= 0.81 * original.width
        assert copy.width / copy.height == pytest.approx(original.width / original.height, rel=0.03)


def test_a_recompressed_copy_is_a_jpeg_of_the_same_size() -> None:
    for address in collection().planted["recompressed-copy"]:
        copy, original = measured(address), measured(collection().copy_of[address])
        assert copy.format == "JPEG"
        assert (copy.width, copy.height) == (original.width, original.height)


def test_drawings_are_rarely_near_each_other() -> None:
    """Every picture of a kind against its siblings: under 1 % have one that looks the same."""
    planted = {address for found in collection().planted.values() for address in found}
    crowd: dict[str, list[NewImage]] = {}
    for picture in (*collection().labelled, *collection().cards):
        siblings = crowd.setdefault(picture.label, [])
        if picture.address not in planted and len(siblings) < (40 if picture.label else 90):
            siblings.append(measured(picture.address))
    near = sum(
        any(are_near(one, other) for other in siblings if other is not one)
        for siblings in crowd.values()
        for one in siblings
    )
    total = sum(map(len, crowd.values()))
    assert total == 8 * 40 + 90
    assert near < 0.01 * total


def test_a_collage_looks_like_one_and_a_drawing_does_not() -> None:
    for address in collection().planted["collage"]:
        assert measured(address).quality["collage"] > COLLAGE_SCORE, address
    for picture in (*collection().labelled[::20], *collection().cards[::20]):
        if picture.address not in collection().planted["collage"] and is_whole(picture.address):
            assert measured(picture.address).quality["collage"] < COLLAGE_SCORE, picture.address


def test_a_blank_picture_has_one_colour() -> None:
    images = [measured(address) for address in collection().planted["blank"]]
    assert all(image.quality["contrast"] < BLANK_CONTRAST for image in images)
    assert len({image.pixel_sha256 for image in images}) == len(images)


def test_a_truncated_file_declares_the_bytes_it_has(site: DemoSite, visitor: Visitor) -> None:
    for address in site.planted["truncated"]:
        answer = visitor.get(address)
        assert answer.status_code == 200
        assert int(answer.headers["Content-Length"]) == len(answer.content)
        with pytest.raises(PictureError) as raised:
            measure(answer.content)
        assert raised.value.reason in ("truncated", "broken")


def test_a_web_page_is_served_as_a_png(site: DemoSite, visitor: Visitor) -> None:
    for address in site.planted["html-as-picture"]:
        answer = visitor.get(address)
        assert address.endswith(".png")
        assert (answer.status_code, answer.headers["Content-Type"]) == (200, "image/png")
        with pytest.raises(PictureError) as raised:
            measure(answer.content)
        assert raised.value.reason == "html"


def test_an_empty_body_comes_with_status_200(site: DemoSite, visitor: Visitor) -> None:
    for address in site.planted["empty"]:
        answer = visitor.get(address)
        assert (answer.status_code, answer.content) == (200, b"")


def test_a_missing_picture_is_a_404(site: DemoSite, visitor: Visitor) -> None:
    for address in site.planted["not-found"]:
        assert visitor.get(address).status_code == 404


def test_an_opt_out_is_in_the_headers(site: DemoSite, visitor: Visitor) -> None:
    for address in site.planted["opt-out"]:
        answer = visitor.get(address)
        assert answer.status_code == 200
        assert "noai" in answer.headers["X-Robots-Tag"]


def test_private_pictures_are_closed_by_robots_and_real(site: DemoSite, visitor: Visitor) -> None:
    rules = visitor.get("/robots.txt")
    assert rules.headers["Content-Type"].startswith("text/plain")
    assert rules.text.splitlines() == ["User-agent: *", "Disallow: /private/"]
    for address in site.planted["private"]:
        assert address.startswith("/private/")
        assert visitor.get(address).headers["Content-Type"].startswith("image/")


def test_too_many_requests_is_answered_once_with_a_wait() -> None:
    with DemoSite(seed=7) as fresh, requests.Session() as session:
        for address in fresh.planted["too-many-requests"]:
            first = session.get(fresh.url + address, timeout=20)
            assert (first.status_code, first.headers["Retry-After"]) == (429, "1")
            second = session.get(fresh.url + address, timeout=20)
            assert second.status_code == 200
            assert second.headers["Content-Type"].startswith("image/")


def test_two_sites_of_one_seed_serve_the_same_bytes() -> None:
    other = DrawnCollection(7)
    assert other.planted == collection().planted
    assert other.labelled == collection().labelled
    assert other.cards == collection().cards
    for picture in (*other.labelled[::40], *other.cards[::20]):
        one, two = collection().answer(picture.address), other.answer(picture.address)
        assert one is not None
        assert two is not None
        assert hashlib.sha256(one.body).digest() == hashlib.sha256(two.body).digest()


def test_another_seed_is_another_site() -> None:
    other = DrawnCollection(8)
    assert {kind: len(found) for kind, found in other.planted.items()} == {
        kind: len(found) for kind, found in collection().planted.items()
    }
    assert [p.title for p in other.labelled] != [p.title for p in collection().labelled]
