"""A catalogue of an older version is told so, and measured anew on demand."""

from pathlib import Path

import pytest

from dataset.catalog import Catalog
from dataset.cli import main
from dataset.image_store import ImageStore
from dataset.ingest import ingest
from dataset.likeness import refresh_edges
from dataset.phash import PHASH
from dataset.records import Origin
from dataset.workspace import Workspace
from tests.dataset.pictures import encoded, scene


def test_old_hashes_are_told_and_renewed_to_what_a_new_import_gives(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    workspace = Workspace(tmp_path)
    with Catalog(workspace.catalog) as catalog:
        for seed in range(3):
            content = encoded(scene(seed, (200, 160)))
            store = ImageStore(workspace.images)
            ingest(catalog, store, content, Origin(url=f"http://a/{seed}"))
        hashes = catalog.images.hash_texts(PHASH)
        catalog._connection.execute(
            "UPDATE image_hash SET algorithm = 'phash-64/1' WHERE algorithm = ? AND image_id > 1",
            (PHASH,),
        )
        catalog._connection.execute("UPDATE fingerprint SET version = 'looks/0' WHERE image_id > 1")
        refresh_edges(catalog)
    assert "2 pictures were hashed by an older version" in caplog.text
    assert main(["rehash", "--data", str(tmp_path)]) == 0
    assert capsys.readouterr().out == "2 pictures measured anew\n"
    with Catalog(workspace.catalog) as catalog:
        assert catalog.images.hash_texts(PHASH) == hashes
        assert catalog.images.hash_texts("phash-64/1") == {}
        refresh_edges(catalog)
    assert main(["rehash", "--data", str(tmp_path)]) == 0
    assert capsys.readouterr().out == "0 pictures measured anew\n"
