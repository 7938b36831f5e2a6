"""Default icons are the pictures that many hosts share, however many addresses they have."""

from pathlib import Path

from dataset.catalog import Catalog
from dataset.ingest import measure
from dataset.records import Origin
from scrape.default_icons import repeated
from tests.scrape.drawings import picture


def add(catalog: Catalog, content: bytes, page: str, url: str = "") -> int:
    origin = Origin(url=url or f"{page}favicon.ico", page_url=page, source="icons")
    return catalog.images.add(measure(content), origin)[0]


def test_pictures_of_many_hosts_are_listed_most_hosts_first(tmp_path: Path) -> None:
    with Catalog(tmp_path / "catalog.sqlite") as catalog:
        (stock,) = {add(catalog, picture(1), f"https://site{n}.example/") for n in range(6)}
        (other,) = {add(catalog, picture(2), f"https://shop{n}.example:8080/") for n in range(8)}
        for number in range(9):  # one host, many addresses
            add(catalog, picture(3), f"https://one.example/page{number}")
        add(catalog, picture(4), "https://lonely.example/")
        found = repeated(catalog)
    assert [(row.image_id, row.hosts) for row in found] == [(other, 8), (stock, 6)]
    assert found[0].examples == (
        "shop0.example:8080",
        "shop1.example:8080",
        "shop2.example:8080",
    )


def test_equal_pixels_in_other_bytes_are_the_same_default(tmp_path: Path) -> None:
    with Catalog(tmp_path / "catalog.sqlite") as catalog:
        add(catalog, picture(1), "https://a.example/")
        add(catalog, picture(1, format="BMP"), "https://b.example/")
        assert [row.hosts for row in repeated(catalog, 2)] == [2]
        assert repeated(catalog, 3) == []


def test_a_picture_without_a_page_counts_by_its_own_host(tmp_path: Path) -> None:
    with Catalog(tmp_path / "catalog.sqlite") as catalog:
        for number in range(3):
            add(catalog, picture(1), "", url=f"https://h{number}.example")
        add(catalog, picture(2), "", url="file:///tmp/a.png")
        found = repeated(catalog, 1, most=1)
    assert [(row.hosts, row.examples[0]) for row in found] == [(3, "h0.example")]
