"""The store: content-addressed, written once, checked when read."""

import threading
from concurrent.futures import ThreadPoolExecutor
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


def test_threads_may_store_the_same_bytes_at_once(tmp_path: Path) -> None:
    store, start = ImageStore(tmp_path), threading.Barrier(4)

    def put(content: bytes) -> str:
        start.wait()
        return store.put(content)

    with ThreadPoolExecutor(4) as pool:
        for n in range(40):
            content = bytes([n]) * 5000
            (sha256,) = set(pool.map(put, [content] * 4))
            assert store.get(sha256) == content
    assert list(tmp_path.rglob("*.partial")) == []


def test_missing_and_altered_bytes_are_told(tmp_path: Path) -> None:
    store = ImageStore(tmp_path)
    sha256 = store.put(b"abc")
    store.path(sha256).write_bytes(b"abd")
    with pytest.raises(DataError, match="altered"):
        store.get(sha256)
    store.path(sha256).unlink()
    with pytest.raises(DataError, match="not in"):
        store.get(sha256)
