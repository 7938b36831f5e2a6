"""Checked folders as `sample novelty` leaves them: pictures, a pack, and a made-up record."""

import hashlib
import json
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from dataset.packed import PackedDataset
from tests.curate_app.drawn_catalogue import drawing, png
from tests.sample.drawings import write_drawn_pack
from tests.sample.told_record import told_picture, told_record


def write_pack(folder: Path) -> Path:
    """Forty pictures to train on."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "drawn.h5"
    path.write_bytes(_pack())
    return path


@cache
def _pack() -> bytes:
    with TemporaryDirectory() as folder:
        return write_drawn_pack(Path(folder) / "p.h5", train=40, cal=6, test=0).read_bytes()


def write_check(folder: Path, verdicts: list[str], pack: Path, **changes: Any) -> dict[str, Any]:
    """One picture for each verdict, and the record; returns it."""
    folder.mkdir(parents=True)
    pictures = []
    for number, verdict in enumerate(verdicts):
        content = png(drawing(500 + number, 24))
        told = told_picture(number, verdict, sha256=hashlib.sha256(content).hexdigest())
        (folder / told["file"]).write_bytes(content)
        pictures.append(told)
    record = told_record(pictures, **changes)
    record["pack"] |= {"path": str(pack), "content_hash": PackedDataset(pack).content_hash}
    write_record(folder, record)
    return record


def write_record(folder: Path, record: Any) -> None:
    (folder / "novelty.json").write_text(json.dumps(record), "utf-8")
