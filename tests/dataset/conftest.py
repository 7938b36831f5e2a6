"""A real catalogue and store in a temporary folder."""

import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from dataset.catalog import Catalog
from dataset.image_store import ImageStore
from dataset.ingest import TakenImage, ingest
from dataset.records import Caption, Origin

AddPicture = Callable[..., int]


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[Catalog]:
    with Catalog(tmp_path / "catalog.sqlite") as opened:
        yield opened


@pytest.fixture
def store(tmp_path: Path) -> ImageStore:
    return ImageStore(tmp_path / "images")


@pytest.fixture
def add_picture(catalog: Catalog, store: ImageStore) -> AddPicture:
    """Put bytes into the catalogue the way scrapers do; returns the picture's id."""

    def add(content: bytes, *, label: str = "", caption: str = "", **origin: str) -> int:
        facts = {"url": f"http://example.org/{hash_of(content)}", **origin}
        captions = [Caption(text=caption, origin="test")] if caption else []
        taken = ingest(catalog, store, content, Origin(**facts), captions, label=label)
        assert isinstance(taken, TakenImage), taken
        return taken.image_id

    return add


def hash_of(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:12]
