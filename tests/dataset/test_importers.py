"""Folders and tars become pictures with labels and captions; hostile tars stay outside."""

import io
import tarfile
from pathlib import Path

import pytest

from dataset.catalog import Catalog
from dataset.errors import ConfigError, DataError
from dataset.image_store import ImageStore
from dataset.importers import import_folder
from tests.dataset.pictures import scene_bytes


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
