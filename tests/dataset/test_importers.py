"""Folders and tars become pictures with labels and captions; hostile tars stay outside."""

import io
import os
import signal
import tarfile
import threading
import time
from pathlib import Path

import pytest

from dataset.catalog import Catalog
from dataset.decoding import DecoderPool
from dataset.errors import ConfigError, DataError
from dataset.image_store import ImageStore
from dataset.imports.folder import count_pictures, folder_items
from dataset.imports.into_catalog import import_folder
from tests.dataset.pictures import encoded, scene, scene_bytes
from tests.dataset.test_decoding import SLOW, wait_for


def write_folder(root: Path) -> None:
    for first, label in enumerate(("cat", "dog")):
        (root / label).mkdir(parents=True)
        for n in range(3):
            (root / label / f"{n}.png").write_bytes(scene_bytes(n + 10 * first))
    (root / "dog" / "broken.jpg").write_bytes(b"<html>no</html>")
    (root / "dog" / "notes.txt").write_text("not a picture")
    (root / "cat" / "same.png").write_bytes((root / "cat" / "0.png").read_bytes())
    (root / "captions.csv").write_text(
        "file,title,label,licence,page_url\n"
        'cat/0.png,"A cat, asleep",,CC0-1.0,http://example.org/cat\n'
        "cat/1.png,Another,kitten,,\n"
    )


def add_member(tar: tarfile.TarFile, name: str, content: bytes, kind: bytes = b"0") -> None:
    info = tarfile.TarInfo(name)
    info.size, info.type, info.linkname = len(content), kind, "/etc/passwd"
    tar.addfile(info, io.BytesIO(content))


@pytest.mark.parametrize("kind", ["folder", "tar"])
def test_labels_come_from_the_csv_else_from_the_folder(
    kind: str, catalog: Catalog, store: ImageStore, tmp_path: Path
) -> None:
    root = tmp_path / "pictures"
    write_folder(root)
    if kind == "tar":
        with tarfile.open(tmp_path / "pictures.tar", "w") as tar:
            tar.add(root, "pictures")
        root = tmp_path / "pictures.tar"
    report = import_folder(catalog, store, root, source="import", workers=1)
    assert (report.added, report.known) == (6, 1)
    assert report.rejected == {"html": 1}
    assert catalog.images.counts("label") == {"cat": 2, "dog": 3, "kitten": 1}


def test_names_of_folders_become_labels_that_can_be_typed(
    catalog: Catalog, store: ImageStore, tmp_path: Path
) -> None:
    names = ["red  panda ", "a\x1b[31mb", "z\u200bz\u200f", "caf\udce9", "e\u0301", "ab " * 80]
    with tarfile.open(tmp_path / "p.tar", "w") as tar:
        for seed, name in enumerate(names):
            add_member(tar, f"{name}/{seed}.png", scene_bytes(seed))
    import_folder(catalog, store, tmp_path / "p.tar", source="import", workers=1)
    wanted = {"red panda", "a[31mb", "zz", "caf?", "e\u0301", ("ab " * 80)[:200].rstrip()}
    assert set(catalog.images.counts("label")) == wanted


def test_captions_and_licences_come_along_and_a_second_import_adds_nothing(
    catalog: Catalog, store: ImageStore, tmp_path: Path
) -> None:
    write_folder(tmp_path / "p")
    import_folder(catalog, store, tmp_path / "p", source="import", workers=1)
    first = catalog.images.page(limit=1)[0]
    assert [caption.text for caption in catalog.images.captions(first.id)] == ["A cat, asleep"]
    origin = catalog.images.origins(first.id)[0]
    assert (origin.licence, origin.page_url) == ("CC0-1.0", "http://example.org/cat")
    count = catalog.images.count()
    again = import_folder(catalog, store, tmp_path / "p", source="import", workers=1)
    assert again.added == 0
    assert catalog.images.count() == count


def test_links_and_paths_outside_are_not_followed(
    catalog: Catalog, store: ImageStore, tmp_path: Path
) -> None:
    with tarfile.open(tmp_path / "evil.tar", "w") as tar:
        add_member(tar, "../../outside.png", scene_bytes(1))
        add_member(tar, "link.png", b"", tarfile.SYMTYPE)
        add_member(tar, "device.png", b"", tarfile.CHRTYPE)
    report = import_folder(catalog, store, tmp_path / "evil.tar", source="import", workers=1)
    assert report.added == 1  # read as bytes, unpacked nowhere
    assert not (tmp_path.parent / "outside.png").exists()
    assert not (tmp_path.parent.parent / "outside.png").exists()


def test_what_cannot_be_read_is_told(catalog: Catalog, store: ImageStore, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no folder or tar at"):
        import_folder(catalog, store, tmp_path / "none", source="import")
    (tmp_path / "no.tar").write_bytes(b"no tar")
    with pytest.raises(DataError, match="no readable tar"):
        import_folder(catalog, store, tmp_path / "no.tar", source="import")
    (tmp_path / "p").mkdir()
    (tmp_path / "p" / "captions.csv").write_text("picture,title\na.png,x\n")
    (tmp_path / "p" / "a.png").write_bytes(scene_bytes(1))
    with pytest.raises(DataError, match="lacks the column file"):
        import_folder(catalog, store, tmp_path / "p", source="import")
    (tmp_path / "p" / "captions.csv").write_bytes(b"file,title\n\xff\xfe,x\n")
    with pytest.raises(DataError, match="no readable CSV"):
        import_folder(catalog, store, tmp_path / "p", source="import")


@pytest.mark.parametrize("mode", ["w:gz", "w:bz2", "w:xz"])
def test_a_compressed_tar_is_taken_in_its_own_order(
    mode: str, catalog: Catalog, store: ImageStore, tmp_path: Path
) -> None:
    names = ["z.png", "b/y.png", "a/x.png", "b/y.png"]
    with tarfile.open(tmp_path / "p.tar.any", mode) as tar:  # type: ignore[call-overload]
        for seed, name in enumerate(names):
            add_member(tar, name, scene_bytes(seed))
        add_member(tar, "captions.csv", b"file,title\nz.png,The last letter\na/x.png,Not it\n")
    path = tmp_path / "p.tar.any"
    items = list(folder_items(path))
    # The same name again replaces what was there, as unpacking would.
    assert [str(item.path) for item in items] == ["z.png", "a/x.png", "b/y.png"]
    assert [item.content for item in items] == [scene_bytes(seed) for seed in (0, 2, 3)]
    assert [item.facts.get("title") for item in items] == ["The last letter", "Not it", None]
    assert count_pictures(path) == 3
    assert import_folder(catalog, store, path, source="import", workers=2).added == 3
    urls = [catalog.images.origins(record.id)[0].url for record in catalog.images.page()]
    assert urls == ["file:z.png", "file:a/x.png", "file:b/y.png"]


def test_a_compressed_tar_that_ends_too_early_is_told(
    catalog: Catalog, store: ImageStore, tmp_path: Path
) -> None:
    with tarfile.open(tmp_path / "p.tar.gz", "w:gz") as tar:
        add_member(tar, "a.png", scene_bytes(1))
    content = (tmp_path / "p.tar.gz").read_bytes()
    (tmp_path / "p.tar.gz").write_bytes(content[: len(content) // 2])
    with pytest.raises(DataError, match="no readable tar"):
        import_folder(catalog, store, tmp_path / "p.tar.gz", source="import")


def test_every_kind_of_picture_file_counts(
    catalog: Catalog, store: ImageStore, tmp_path: Path
) -> None:
    (tmp_path / "p").mkdir()
    kinds = {"a.tif": "TIFF", "b.jfif": "JPEG", "c.TIFF": "TIFF", "d.JPG": "JPEG", "e.ico": "ICO"}
    for seed, (name, format) in enumerate(kinds.items()):
        (tmp_path / "p" / name).write_bytes(scene_bytes(seed, format))
    (tmp_path / "p" / "f.svg").write_text(
        "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 9 9'>"
        "<rect width='5' height='7'/></svg>"
    )
    report = import_folder(catalog, store, tmp_path / "p", source="import", workers=1)
    assert (report.added, report.rejected) == (6, {})
    assert catalog.images.counts("format") == {"ICO": 1, "JPEG": 2, "SVG": 1, "TIFF": 2}


def test_pictures_enter_in_the_order_of_their_paths_however_many_decode_them(
    catalog: Catalog, store: ImageStore, tmp_path: Path
) -> None:
    (tmp_path / "p").mkdir()
    for n in range(40):
        size = (400, 300) if n % 3 else (60, 50)
        (tmp_path / "p" / f"{n:02}.png").write_bytes(encoded(scene(n, size)))
    import_folder(catalog, store, tmp_path / "p", source="import", workers=3)
    urls = [catalog.images.origins(record.id)[0].url for record in catalog.images.page()]
    assert urls == [f"file:{n:02}.png" for n in range(40)]


def test_a_picture_that_kills_its_decoder_is_rejected_and_the_import_goes_on(
    catalog: Catalog, store: ImageStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The killer stands outside: it ends the worker that has the slow drawing in its hands."""
    (tmp_path / "p").mkdir()
    for n in range(4):
        (tmp_path / "p" / f"{n}.png").write_bytes(scene_bytes(n))
    (tmp_path / "p" / "1.svg").write_bytes(SLOW)
    pools: list[DecoderPool] = []
    start = DecoderPool.__enter__

    def seen(pool: DecoderPool) -> DecoderPool:
        pools.append(pool)
        return start(pool)

    monkeypatch.setattr(DecoderPool, "__enter__", seen)

    def kill() -> None:
        wait_for(lambda: bool(pools))
        while True:  # a worker that has been busy for half a second has the slow drawing
            busy = set(pools[0]._busy)
            time.sleep(0.5)
            for worker in busy & set(pools[0]._busy):
                if worker.pid is not None:
                    os.kill(worker.pid, signal.SIGKILL)
                    return

    killer = threading.Thread(target=kill)
    killer.start()
    report = import_folder(catalog, store, tmp_path / "p", source="import", workers=1)
    killer.join()
    assert (report.added, report.rejected) == (4, {"decoder-died": 1})
