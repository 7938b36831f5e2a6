"""The store: content-addressed, written once, checked when read."""

from pathlib import Path

import pytest

from dataset.errors import DataError
from dataset.image_store import ImageStore


def test_bytes_come_back_under_their_hash(tmp_path: Path) -> None:
    store = ImageStore(tmp_path)
    sha256 = store.put(b"abc")
    assert sha256 == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert store.get(sha256) == b"abc"
    assert store.path(sha256).parent.name == "ba"


def test_the_same_bytes_are_stored_once(tmp_path: Path) -> None:
    store = ImageStore(tmp_path)
    stamp = store.path(store.put(b"abc")).stat().st_mtime_ns
    assert store.path(store.put(b"abc")).stat().st_mtime_ns == stamp
    assert sum(entry.is_file() for entry in tmp_path.rglob("*")) == 1


def test_missing_and_altered_bytes_are_told(tmp_path: Path) -> None:
    store = ImageStore(tmp_path)
    sha256 = store.put(b"abc")
    store.path(sha256).write_bytes(b"abd")
    with pytest.raises(DataError, match="altered"):
        store.get(sha256)
    store.path(sha256).unlink()
    with pytest.raises(DataError, match="not in"):
        store.get(sha256)
