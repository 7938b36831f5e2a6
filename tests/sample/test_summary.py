"""The summary tells what is on the disk, and what is not."""

import json
from pathlib import Path

from PIL import Image

from dataset.catalog import Catalog
from dataset.image_store import ImageStore
from dataset.ingest import TakenImage, ingest
from dataset.pack import pack
from dataset.pack_selection import PackConfig
from dataset.records import AddressRecord, Change, Origin
from dataset.workspace import Workspace
from sample.inspection import inspect_folder
from sample.novelty import NoveltyConfig
from sample.summary import Part, render, summarise, to_json
from tests.sample.drawings import drawing, drawings, save_pictures


def fill(data: Path) -> Workspace:
    """Ten pictures of two sources: two rejected as duplicates, one as blank, one undecided."""
    space = Workspace(data)
    data.mkdir()
    with Catalog(space.catalog) as catalog:
        for number in range(10):
            buffer = data / "picture.png"
            Image.fromarray(drawing(number)).save(buffer)
            source = "logos" if number < 6 else "animals"
            origin = Origin(url=f"https://a.example/{number}", source=source)
            taken = ingest(
                catalog,
                ImageStore(space.images),
                buffer.read_bytes(),
                origin,
                label=("cat", "dog")[number % 2],
            )
            assert isinstance(taken, TakenImage)
        judged = {1: "duplicate of #9", 2: "duplicate of #9", 3: "blank"}
        changes = [
            Change(image_id=i, field="status", value="reject", reason=reason)
            for i, reason in judged.items()
        ]
        changes += [Change(image_id=i, field="status", value="keep") for i in range(4, 10)]
        catalog.judgements.apply(changes, who="test", verb="judge")
        for number, reason in enumerate(["truncated", "truncated", "html"]):
            url = f"https://a.example/bad/{number}"
            catalog.ledger.put(AddressRecord(url=url, state="rejected", reason=reason))
        pack(catalog, ImageStore(space.images), space.packs, PackConfig(cal=0.0, test=0.0))
    return space


def by_name(parts: list[Part]) -> dict[str, Part]:
    return {part.name: part for part in parts}


def test_everything_missing_is_said_and_is_no_error(tmp_path: Path) -> None:
    parts = summarise(tmp_path / "data", tmp_path / "run")
    assert [part.name for part in parts] == ["collected", "packed", "trained", "drawn", "checked"]
    assert all(part.lines[0].startswith("missing: ") for part in parts)
    assert not any(part.found for part in parts)
    assert render(parts).count("missing: ") == 5


def test_what_was_collected_rejected_kept_and_packed(tmp_path: Path) -> None:
    fill(tmp_path / "data")
    parts = by_name(summarise(tmp_path / "data", tmp_path / "run"))
    assert parts["collected"].lines == ["10 distinct pictures: animals 4, logos 6"]
    assert parts["addresses"].lines == ["3 rejected: truncated 2, html 1"]
    assert parts["rejected"].lines == ["3 pictures: duplicate 2, blank 1"]
    assert parts["kept"].lines == ["6 pictures; 1 undecided", "cat 3, dog 3"]
    assert parts["packed"].lines[0] == "6 pictures of 32x32 px: train 6, cal 0, test 0"


def test_what_was_learnt_drawn_and_found(tmp_path: Path) -> None:
    space = fill(tmp_path / "data")
    run = tmp_path / "runs" / "r"
    samples = save_pictures(run / "samples", drawings([5, 9000]))
    pictures = [{"file": f"00{n}.png", "seed": n, "label_name": ""} for n in range(2)]
    drawn = {"sampler": "ddim", "steps": 25, "guidance": 2.0, "pictures": pictures}
    (samples / "manifest.json").write_text(json.dumps(drawn))
    lines = [
        {"images": 100, "loss": 0.5, "images_per_s": 90.0},
        {"images": 200, "loss": None, "images_per_s": 110.0},
        {"images": 300, "loss": 0.125, "images_per_s": 100.0},
    ]
    (run / "stats.jsonl").write_text("\n".join(map(json.dumps, lines)) + '\n{"torn')
    inspect_folder(samples, space.pack("main"), NoveltyConfig(audit=1))
    parts = by_name(summarise(space.root, run))
    assert parts["trained"].lines == [
        "300 images seen, loss 0.5000 -> 0.1250, 100 images/s",
        "no checkpoint",
    ]
    assert parts["drawn"].lines == ["2 pictures (ddim, 25 steps, guidance 2.0)"]
    assert parts["checked"].lines[0].startswith("copy 1, near copy 0, close 0, cannot say 1")
    report = samples.resolve() / "report.html"
    assert parts["report"].lines == [str(report), report.as_uri()]


def test_damaged_parts_are_said_and_the_rest_is_told(tmp_path: Path) -> None:
    space = fill(tmp_path / "data")
    space.pack("main").write_bytes(b"no pack")
    samples = tmp_path / "run" / "samples"
    samples.mkdir(parents=True)
    (samples / "manifest.json").write_text("[")
    (samples / "novelty.json").write_text("[")
    (tmp_path / "run" / "config.json").write_text("{")
    parts = by_name(summarise(space.root, tmp_path / "run"))
    assert not parts["packed"].found
    assert parts["collected"].found
    assert parts["drawn"].lines[0].startswith("missing")
    assert parts["checked"].lines[0].startswith("missing")


def test_a_damaged_catalogue_is_said(tmp_path: Path) -> None:
    (tmp_path / "catalog.sqlite").write_bytes(b"x" * 5000)
    parts = by_name(summarise(tmp_path, tmp_path / "run"))
    assert "damaged" in parts["collected"].lines[0]


def test_many_classes_are_counted_rather_than_listed(tmp_path: Path) -> None:
    space = fill(tmp_path / "data")
    with Catalog(space.catalog) as catalog:
        for i in range(1, 11):
            named = Change(image_id=i, field="label", value=f"class {i:02d}")
            kept = Change(image_id=i, field="status", value="keep")
            catalog.judgements.apply([named, kept], who="test", verb="label")
    lines = by_name(summarise(space.root, tmp_path / "run"))["kept"].lines
    assert lines[0] == "10 pictures"
    assert lines[1].startswith("class 01 1, class 02 1")
    assert lines[1].endswith("class 09 1 and 1 more")


def test_the_text_is_aligned_and_the_json_complete() -> None:
    parts = [Part("one", ["a", "b"]), Part("longer", [], found=False), Part("two", ["c"])]
    assert render(parts) == "one     a\n        b\ntwo     c"
    assert json.loads(to_json(parts))[1] == {"name": "longer", "lines": [], "found": False}
