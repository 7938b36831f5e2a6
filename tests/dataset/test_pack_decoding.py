"""Rows are the same on any number of processes, and whatever stops one is told in a line."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from dataset.catalog import Catalog
from dataset.errors import DataError, WorldError
from dataset.image_store import ImageStore
from dataset.pack import pack
from dataset.pack_check import verify
from dataset.pack_decoding import SLOTS, Decoders, processors
from dataset.pack_selection import PackConfig
from dataset.packed import PackedDataset
from dataset.preparation import prepared
from dataset.records import Change
from tests.dataset.conftest import AddPicture
from tests.dataset.pictures import encoded, scene

CONFIG = PackConfig(size=16)
SHAPE = (3, 16, 16)


@pytest.fixture
def kept(catalog: Catalog, add_picture: AddPicture) -> Catalog:
    """Thirty kept pictures."""
    with catalog.transaction():
        ids = [add_picture(encoded(scene(n)), label=f"class {n % 3}") for n in range(30)]
    changes = [Change(image_id=n, field="status", value="keep") for n in ids]
    catalog.judgements.apply(changes, who="ada", verb="keep")
    return catalog


def stored(store: ImageStore, count: int) -> tuple[list[bytes], np.ndarray, np.ndarray]:
    """Files in the store, their ids from 101 and their digests (n, 32)."""
    files = [encoded(scene(n, (64, 48))) for n in range(count)]
    digests = b"".join(bytes.fromhex(store.put(file)) for file in files)
    return files, np.arange(101, 101 + count), np.frombuffer(digests, np.uint8).reshape(-1, 32)


def in_blocks(decoders: Decoders, ids: np.ndarray, digests: np.ndarray, rows: int) -> np.ndarray:
    starts = range(0, len(ids), rows)
    found = []
    decoders.order(0, ids[:rows], digests[:rows])
    for number, start in enumerate(starts):
        ahead = slice(start + rows, start + 2 * rows)
        if number + 1 < len(starts):
            decoders.order(number + 1, ids[ahead], digests[ahead])
        found.append(decoders.wait(number).copy())
    return np.concatenate(found)


@pytest.mark.parametrize("workers", [0, 1, 2, 3])
def test_rows_are_those_of_the_recipe_in_order(store: ImageStore, workers: int) -> None:
    files, ids, digests = stored(store, 4 * SLOTS)
    with Decoders(store.root, CONFIG, SHAPE, 3, workers) as decoders:
        found = in_blocks(decoders, ids, digests, 3)
    assert (found == [prepared(file, CONFIG) for file in files]).all()


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize(
    ("content", "told"),
    [(None, "not in"), (b"<html>", "was altered"), (b"", "was altered")],
)
def test_file_that_is_gone_or_altered_is_named(
    store: ImageStore, workers: int, content: bytes | None, told: str
) -> None:
    _files, ids, digests = stored(store, 6)
    path = store.path(digests[4].tobytes().hex())
    path.unlink()
    if content is not None:
        path.write_bytes(content)
    with (
        Decoders(store.root, CONFIG, SHAPE, 6, workers) as decoders,
        pytest.raises(DataError, match=rf"^picture #105 cannot be packed: .*{told}"),
    ):
        in_blocks(decoders, ids, digests, 6)


@pytest.mark.parametrize("workers", [0, 2])
def test_file_that_is_no_picture_is_named(store: ImageStore, workers: int) -> None:
    _files, ids, digests = stored(store, 3)
    page = np.frombuffer(bytes.fromhex(store.put(b"<html>no picture</html>")), np.uint8)
    digests = np.concatenate([digests, page[None]])
    with (
        Decoders(store.root, CONFIG, SHAPE, 4, workers) as decoders,
        pytest.raises(DataError, match=r"^picture #104 cannot be packed: a web page"),
    ):
        in_blocks(decoders, np.append(ids, 104), digests, 4)


@pytest.fixture
def stuck(store: ImageStore) -> Iterator[tuple[Decoders, Path]]:
    """A process that reads the second of two files, which never ends."""
    _files, ids, digests = stored(store, 2)
    path = store.path(digests[1].tobytes().hex())
    path.unlink()
    os.mkfifo(path)
    with Decoders(store.root, CONFIG, SHAPE, 2, 1) as decoders:
        decoders.order(0, ids, digests)
        yield decoders, path


def test_picture_that_a_process_dies_of_is_named(stuck: tuple[Decoders, Path]) -> None:
    decoders, path = stuck
    with path.open("wb"):  # somebody reads it now
        decoders._processes[0].kill()
        with pytest.raises(DataError, match=r"^picture #102 .* the decoder died of it"):
            decoders.wait(0)


def test_process_that_ends_without_work_is_told(store: ImageStore) -> None:
    _files, ids, digests = stored(store, 1)
    with Decoders(store.root, CONFIG, SHAPE, 1, 1) as decoders:
        in_blocks(decoders, ids, digests, 1)
        decoders._processes[0].kill()
        decoders._processes[0].join()
        with pytest.raises((DataError, WorldError), match=r"ended by something else"):
            in_blocks(decoders, ids, digests, 1)


def test_leaving_ends_every_process_at_once(stuck: tuple[Decoders, Path]) -> None:
    decoders, path = stuck
    with path.open("wb"):
        decoders.__exit__(None, None, None)
    assert all(process.exitcode is not None for process in decoders._processes)


def test_there_is_a_processor() -> None:
    assert processors() >= 1


@pytest.mark.parametrize("options", [{}, {"originals": True}, {"channels": "grey"}])
def test_packs_are_the_same_bytes_on_any_number_of_processes(
    kept: Catalog, store: ImageStore, tmp_path: Path, options: dict[str, object]
) -> None:
    config = PackConfig(size=24, **options)  # type: ignore[arg-type]
    found = [
        pack(kept, store, tmp_path / str(workers), config, workers=workers)
        for workers in (None, 1, 2, 3)
    ]
    assert len({result.content_hash for result in found}) == 1
    assert len({result.path.read_bytes() for result in found}) == 1
    manifests = {result.path.with_name("main.manifest.json").read_bytes() for result in found}
    assert len(manifests) == 1


def test_who_judges_while_a_pack_is_made_waits_for_nothing_and_changes_nothing_in_it(
    kept: Catalog, store: ImageStore, tmp_path: Path
) -> None:
    record = kept.images.get(7)
    assert record is not None
    path = store.path(record.sha256)
    content = path.read_bytes()
    path.unlink()
    os.mkfifo(path)
    result = []
    folder = tmp_path / "p"
    before = kept.judgements.last_event_id()
    thread = threading.Thread(
        target=lambda: result.append(pack(kept, store, folder, CONFIG, workers=1))
    )
    thread.start()
    with path.open("wb") as pipe:  # opens when the pack has come to this picture
        with Catalog(kept.path) as other:
            changes = [Change(image_id=n, field="status", value="reject") for n in (7, 8, 9)]
            other.judgements.apply(changes, who="bob", verb="reject")
            assert other.judgements.last_event_id() == before + 3
        pipe.write(content)
    thread.join()
    packed = PackedDataset(result[0].path)
    assert len(packed) == 30
    assert packed.attributes["event_id"] == before


def packing(data: Path, *options: str) -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "dataset", "pack", "--data", str(data), "--workers", "2"]
    return subprocess.Popen(
        [*command, *options], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def test_kill_9_at_any_moment_leaves_the_old_pack_whole_and_a_rerun_completes(
    kept: Catalog, store: ImageStore, tmp_path: Path
) -> None:
    path = tmp_path / "packs" / "main.h5"
    old = pack(kept, store, path.parent, PackConfig(size=8)).content_hash
    wanted = pack(kept, store, tmp_path / "wanted", PackConfig(size=48))
    kept.close()
    start = time.monotonic()
    packing(tmp_path, "--set", "size=48", "--set", "name=first").communicate()
    whole = time.monotonic() - start
    for part in np.linspace(0.35, 1.0, 9):
        process = packing(tmp_path, "--set", "size=48")
        time.sleep(whole * part)
        process.kill()
        process.communicate()
        packed = PackedDataset(path)
        assert packed.content_hash in (old, wanted.content_hash)
        assert verify(packed) == []
    process = packing(tmp_path, "--set", "size=48")
    told, _errors = process.communicate()
    assert process.returncode == 0
    assert told.startswith(("packed: ", "up to date: "))
    assert path.read_bytes() == wanted.path.read_bytes()
    assert list(path.parent.glob(".*.partial")) == []


def test_ctrl_c_stops_at_once_and_leaves_nothing(
    kept: Catalog, store: ImageStore, tmp_path: Path
) -> None:
    record = kept.images.get(7)
    assert record is not None
    kept.close()
    path = store.path(record.sha256)
    path.unlink()
    os.mkfifo(path)
    process = packing(tmp_path)
    with path.open("wb"):  # in the middle of the pack
        process.send_signal(signal.SIGINT)
        _told, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert errors.strip().endswith("error: interrupted; run the same command again to go on")
    assert "Traceback" not in errors
    assert list((tmp_path / "packs").iterdir()) == []
