"""Each format is opened again by those for whom it is made, and holds what the pack holds."""

import csv
import hashlib
import io
import json
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from dataset.catalog import Catalog
from dataset.errors import ConfigError
from dataset.exports import ExportOptions, export_pack
from dataset.exports.pictures import numbered
from dataset.exports.webdataset import _header
from dataset.image_store import ImageStore
from dataset.imports.folder import folder_items
from dataset.imports.into_catalog import import_folder
from dataset.pack_writer import write_pack
from dataset.packed import PackedDataset
from dataset.pixels import PixelLimits
from dataset.provenance import Provenance
from dataset.wording import clean_label
from tests.dataset.exports.hostile_pack import TEXTS, hostile_pack

ALL = ("train", "cal", "test")


def pixels_of(content: bytes) -> NDArray[np.uint8]:
    """(C, H, W) uint8 of a picture file."""
    found = np.asarray(Image.open(io.BytesIO(content)))
    return found[None] if found.ndim == 2 else found.transpose(2, 0, 1)


def export(name: str, packed: PackedDataset, target: Path, **options: Any) -> Path:
    export_pack(name, packed, target, ExportOptions(**options))
    return target


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_shards_hold_every_row_once_in_members_that_stand_together(
    channels: int, tmp_path: Path
) -> None:
    packed = hostile_pack(tmp_path / "p.h5", channels=channels)
    out = export("webdataset", packed, tmp_path / "out", splits=ALL, shard_pictures=3)
    shards = sorted(path.name for path in out.glob("*.tar"))
    assert shards == sorted(f"{split}-00000{n}.tar" for split in ALL for n in range(3))
    seen = []
    for shard in shards:
        with tarfile.open(out / shard) as tar:
            members = tar.getmembers()
            assert [m.name for m in members] == sorted(m.name for m in members)
            assert {(m.mtime, m.uid, m.gid, m.uname, m.mode) for m in members} == {
                (0, 0, 0, "pedigree", 0o444)
            }
            files = {m.name: tar.extractfile(m).read() for m in members}  # type: ignore[union-attr]
        for key in sorted({name.partition(".")[0] for name in files}):
            row = int(key)
            fact = packed.provenance(row)
            seen.append(row)
            assert shard.startswith(fact.split)
            assert (pixels_of(files[f"{key}.png"]) == packed.data[row]).all()
            assert int(files[f"{key}.cls"]) == fact.label
            texts = [caption.text for caption in packed.captions(row)]
            assert files[f"{key}.txt"].decode() == (fact.caption or texts[0])
            told = json.loads(files[f"{key}.json"])
            assert (told["author"], told["licence"]) == (fact.author, fact.licence)
            assert [caption["text"] for caption in told["captions"]] == texts
            assert files[f"{key}.json"].decode().splitlines()[1:] == []
    assert sorted(seen) == list(range(24))


def test_shards_stay_below_the_bytes_that_were_asked_for(tmp_path: Path) -> None:
    packed = hostile_pack(tmp_path / "p.h5", 60)
    out = export("webdataset", packed, tmp_path / "out", shard_pictures=0, shard_bytes=30_000)
    sizes = [path.stat().st_size for path in out.glob("train-*.tar")]
    assert len(sizes) > 2
    assert max(sizes) <= 30_000 + tarfile.RECORDSIZE
    tiny = export("webdataset", packed, tmp_path / "tiny", shard_pictures=0, shard_bytes=1)
    assert len(list(tiny.glob("train-*.tar"))) == 20


@pytest.mark.filterwarnings(
    "ignore::pytest.PytestUnraisableExceptionWarning"
)  # it leaves files open
@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_webdataset_itself_opens_the_shards(tmp_path: Path) -> None:
    library = pytest.importorskip("webdataset")
    packed = hostile_pack(tmp_path / "p.h5")
    out = export("webdataset", packed, tmp_path / "out")
    found = library.WebDataset(str(out / "train-000000.tar"), shardshuffle=False).decode("pil")
    rows = [(int(one["__key__"]), one["cls"], one["txt"]) for one in found]
    facts = [packed.provenance(int(row)) for row in packed.rows("train")]
    assert [(row, label) for row, label, _ in rows] == [(fact.row, fact.label) for fact in facts]


def test_original_files_go_out_as_they_came_in(tmp_path: Path) -> None:
    packed = hostile_pack(tmp_path / "p.h5", originals=True)
    out = export(
        "webdataset", packed, tmp_path / "out", splits=("train", "cal", "test"), originals=True
    )
    files: dict[str, bytes] = {}
    for shard in out.glob("*.tar"):
        with tarfile.open(shard) as tar:
            files |= {m.name: tar.extractfile(m).read() for m in tar}  # type: ignore[union-attr]
    assert files["000000000.jpg"] == b"file 0"
    assert files["000000003.svg"] == b"file 3"
    # Of an unknown format, or not there: the packed pixels.
    for row in (2, 5):
        assert (pixels_of(files[f"{row:09d}.png"]) == packed.data[row]).all()


def read_table(path: Path) -> list[list[str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.reader(file, strict=True))


def test_the_caption_table_has_two_columns_and_its_pictures_beside_it(tmp_path: Path) -> None:
    packed = hostile_pack(tmp_path / "p.h5")
    out = export("csv", packed, tmp_path / "out")
    header, *rows = read_table(out / "train.csv")
    assert header == ["filepath", "title"]
    train = packed.rows("train").tolist()
    assert [row[0] for row in rows] == [f"images/{row:08d}.png" for row in train]
    for (file, title), row in zip(rows, train, strict=True):
        assert (pixels_of((out / file).read_bytes()) == packed.data[row]).all()
        assert "\n" not in title
        assert title.casefold() not in ("", "null", "nan")
    assert rows[0][1] == TEXTS[0]  # data for programs: formulas stand as they are
    assert not (out / "cal.csv").exists()


@pytest.mark.parametrize(
    ("background", "ground"), [("", 255), ("white", 255), ("black", 0), ("#102030", None)]
)
def test_the_caption_table_lays_transparent_pictures_on_its_background(
    background: str, ground: int | None, tmp_path: Path
) -> None:
    data = np.zeros((2, 4, 8, 8), np.uint8)
    data[1, :3], data[1, 3] = 200, 128
    write_pack(tmp_path / "p.h5", data, np.zeros(2, np.int64), ["logo"], [], {})
    packed = PackedDataset(tmp_path / "p.h5")
    report = export_pack("csv", packed, tmp_path / "o", ExportOptions(background=background))
    expected = [0x10, 0x20, 0x30] if ground is None else [ground] * 3
    first, second = (
        np.asarray(Image.open(tmp_path / f"o/images/0000000{n}.png").convert("RGB")) for n in (0, 1)
    )
    assert first[3, 3].tolist() == expected
    assert second[3, 3].tolist() == [(200 * 128 + g * 127 + 127) // 255 for g in expected]
    said = f"what is transparent was laid on {background or 'white'} (--background)"
    assert said in report.notes


@pytest.mark.parametrize("name", ["csv", "folder", "huggingface", "webdataset", "npz"])
def test_alpha_stays_where_it_is_asked_to_and_goes_where_not(name: str, tmp_path: Path) -> None:
    packed = hostile_pack(tmp_path / "p.h5", channels=4)
    for background, channels in (("keep", 4), ("black", 3)):
        out = export(name, packed, tmp_path / f"{background}.npz", background=background)
        if name == "npz":
            with np.load(out, allow_pickle=False) as found:
                assert found["images"].shape[-1] == channels
        elif name == "webdataset":
            with tarfile.open(out / "train-000000.tar") as tar:
                content = tar.extractfile("000000000.png").read()  # type: ignore[union-attr]
            assert len(pixels_of(content)) == channels
        else:
            assert {len(pixels_of(path.read_bytes())) for path in out.rglob("*.png")} == {channels}


@pytest.mark.parametrize(
    ("licences", "told"),
    [
        (["CC-BY-4.0"], "cc-by-4.0"),
        (["CC0-1.0"], "cc0-1.0"),
        (["", "unknown"], "unknown"),
        (["CC-BY-4.0", "CC0-1.0"], "other"),
        (["evil\nconfigs: x"], "other"),
    ],
)
def test_the_front_matter_names_the_licence_that_all_have(
    licences: list[str], told: str, tmp_path: Path
) -> None:
    facts = [Provenance(row=n, licence=licences[n % len(licences)]) for n in range(4)]
    labels = np.full(4, -1, np.int64)
    write_pack(tmp_path / "p.h5", np.zeros((4, 3, 8, 8), np.uint8), labels, [], facts, {})
    out = export("huggingface", PackedDataset(tmp_path / "p.h5"), tmp_path / "out")
    lines = (out / "README.md").read_text("utf-8").split("---\n")[1].splitlines()
    assert [line for line in lines if line.startswith("license")] == [f"license: {told}"]


def test_the_caption_table_has_every_caption_when_asked(tmp_path: Path) -> None:
    packed = hostile_pack(tmp_path / "p.h5")
    out = export("csv", packed, tmp_path / "out", all_captions=True)
    rows = read_table(out / "train.csv")[1:]
    assert [title for file, title in rows if file == "images/00000000.png"] == [
        TEXTS[0],
        "second <b>text</b>",
    ]


def test_a_picture_without_words_has_its_label_for_a_title_or_is_left_out(tmp_path: Path) -> None:
    packed = hostile_pack(tmp_path / "p.h5", 24, splits=("train",))
    for row in range(len(packed)):
        assert packed.captions(row)
    out = export("csv", packed, tmp_path / "out")
    titles = dict(read_table(out / "train.csv")[1:])
    assert titles["images/00000006.png"] == "second <b>text</b>"  # the best one is "null"
    report = export_pack("csv", _wordless(tmp_path / "w.h5"), tmp_path / "w", ExportOptions())
    assert dict(read_table(tmp_path / "w/train.csv")[1:]) == {"images/00000001.png": "cat"}
    assert report.notes == [
        "1 pictures without a caption have their label for a title",
        "1 pictures without caption and label were left out",
    ]
    assert not (tmp_path / "w/images/00000000.png").exists()


def _wordless(path: Path) -> PackedDataset:
    data = np.zeros((2, 3, 8, 8), np.uint8)
    write_pack(path, data, np.array([-1, 0], np.int64), ["cat"], [], {})
    return PackedDataset(path)


def test_the_image_folder_has_one_line_of_json_for_every_file(tmp_path: Path) -> None:
    packed = hostile_pack(tmp_path / "p.h5")
    out = export("huggingface", packed, tmp_path / "out", splits=ALL, all_captions=True)
    keys = set()
    for split in ALL:
        lines = (out / split / "metadata.jsonl").read_text("utf-8").splitlines()
        rows = [json.loads(line) for line in lines]
        names = {path.name for path in (out / split).iterdir()} - {"metadata.jsonl"}
        assert {row["file_name"] for row in rows} == names
        for row in rows:
            fact = packed.provenance(row["row"])
            assert row["text"] == (fact.caption or "second <b>text</b>")
            assert row["label"] == ("" if fact.label < 0 else packed.label_names[fact.label])
            assert (row["licence"], row["source_url"]) == (fact.licence, fact.url)
            content = (out / split / row["file_name"]).read_bytes()
            assert (pixels_of(content) == packed.data[fact.row]).all()
            keys.add(tuple(row))
    assert len(keys) == 1
    front = (out / "README.md").read_text("utf-8").split("---\n")[1]
    named = {line.split(": ")[1] for line in front.splitlines() if "- name: " in line}
    assert named - {"image"} == {*keys.pop()} - {"file_name"}


def test_arrays_open_without_pickles(tmp_path: Path) -> None:
    packed = hostile_pack(tmp_path / "p.h5", 30)
    for compressed in (False, True):
        file = export("npz", packed, tmp_path / f"{compressed}.npz", compressed=compressed)
        with np.load(file, allow_pickle=False) as found:
            assert sorted(found) == ["images", "label_names", "labels", "sha256", "splits"]
            rows = np.flatnonzero(packed.splits != 1)
            assert (found["images"] == packed.data[rows].transpose(0, 2, 3, 1)).all()
            assert (found["labels"] == packed.labels[rows]).all()
            assert found["label_names"].tolist() == packed.label_names
            assert found["splits"].tolist() == [packed.provenance(int(r)).split for r in rows]
            assert found["sha256"][1].tobytes().hex() == packed.provenance(int(rows[1])).sha256
    assert (tmp_path / "True.npz").stat().st_size != (tmp_path / "False.npz").stat().st_size


def test_arrays_hold_no_original_files(tmp_path: Path) -> None:
    packed = hostile_pack(tmp_path / "p.h5", originals=True)
    with pytest.raises(ConfigError, match="leave --originals out"):
        export("npz", packed, tmp_path / "o.npz", originals=True)


def test_a_zip_that_is_no_export_is_never_replaced(tmp_path: Path) -> None:
    packed = hostile_pack(tmp_path / "p.h5")
    np.savez(tmp_path / "mine.npz", a=np.zeros(3))
    with pytest.raises(ConfigError, match="is no export"):
        export("npz", packed, tmp_path / "mine.npz", replace=True)
    (tmp_path / "link.npz").symlink_to(tmp_path / "mine.npz")
    with pytest.raises(ConfigError, match="is no export"):
        export("npz", packed, tmp_path / "link.npz", replace=True)


def test_our_own_import_reads_the_folder_back(
    catalog: Catalog, store: ImageStore, tmp_path: Path
) -> None:
    packed = hostile_pack(tmp_path / "p.h5", 30)
    out = export("folder", packed, tmp_path / "out", splits=ALL)
    by_row = {int(item.path.stem): item for item in folder_items(out)}
    assert sorted(by_row) == list(range(30))
    for row, item in by_row.items():
        fact = packed.provenance(row)
        assert (pixels_of(item.content) == packed.data[row]).all()
        assert item.facts["title"] == (fact.caption or "second <b>text</b>")
        assert item.facts["licence"] == fact.licence
        assert item.facts["split"] == item.path.parts[0] == fact.split
        label = "" if fact.label < 0 else packed.label_names[fact.label]
        assert item.facts["label"] == label
        assert item.label == clean_label(label)
    limits = PixelLimits(min_side=8)
    import_folder(catalog, store, out, source="back", limits=limits, workers=1)
    found = {record.sha256: record for record in catalog.images.all()}
    assert len(found) == 30
    record = next(record for record in found.values() if record.label == "CON")
    origin = catalog.images.origins(record.id)[0]
    digests = {hashlib.sha256(item.content).hexdigest(): row for row, item in by_row.items()}
    row = digests[record.sha256]
    assert origin.author == packed.provenance(row).author.strip()
    assert catalog.images.captions(record.id)[0].text == packed.captions(row)[0].text.strip()


def test_every_class_has_a_folder_and_no_two_share_one(tmp_path: Path) -> None:
    packed = hostile_pack(tmp_path / "p.h5", 100, splits=("train",))
    out = export("folder", packed, tmp_path / "out")
    names = sorted(path.name for path in (out / "train").iterdir())
    assert len(names) == len(packed.label_names) + 1
    assert {"images", "images-2", "_CON", "_con-2", "rf"} <= set(names)


def test_many_files_are_spread_over_folders(tmp_path: Path) -> None:
    assert numbered("images", 31_234, "png", 10_000) == "images/00031234.png"
    assert numbered("images", 31_234, "png", 10_001) == "images/0003/00031234.png"


@pytest.mark.parametrize("size", [0, 1, 511, 512, 1 << 20, (1 << 33) - 1])
def test_headers_are_those_that_tarfile_writes(size: int) -> None:
    info = tarfile.TarInfo("000000012.json")
    info.size, info.mode = size, 0o444
    info.uname = info.gname = "pedigree"
    assert _header(info.name, size) == info.tobuf(tarfile.USTAR_FORMAT)
