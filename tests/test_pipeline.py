"""The whole way, from an address on the web to a novelty verdict, with the real commands."""

import json
from pathlib import Path

import pytest
import torch
from PIL import Image, ImageDraw

import curate_app.cli
import dataset.cli
import sample.cli
import scrape.cli
import train.cli
from dataset.catalog import Catalog
from dataset.packed import PackedDataset
from dataset.records import ImageFilter


def draw_site(folder: Path) -> None:
    """Two classes of 24 pictures, six unlabelled logos, a copy and a blank, with captions."""
    folder.mkdir()
    lines = ["file,title,label,page_url,licence"]

    def save(image: Image.Image, name: str, title: str, label: str) -> None:
        image.save(folder / name)
        lines.append(f"{name},{title},{label},http://example.org/{name},CC0-1.0")

    for n in range(24):
        for label, colour in (("sun", (250, 200, 40)), ("box", (40, 60, 200))):
            image = Image.new("RGB", (96, 96), (200 - 5 * n, 220, 160 + 4 * n))
            draw = ImageDraw.Draw(image)
            x, y, size = 4 + (n * 7) % 40, 4 + (n * 11) % 40, 30 + n
            shape = draw.ellipse if label == "sun" else draw.rectangle
            shape((x, y, x + size, y + size), colour)
            draw.line((0, 4 * n, 95, 95 - 3 * n), (20, 20, 20), 3)
            save(image, f"{label}{n}.png", f"A {label} number {n}", label)
    for n in range(6):
        image = Image.new("RGBA", (80, 80), (0, 0, 0, 0))
        points = [(40, 4 + 5 * n), (76, 70), (6 + 9 * n, 60)]
        ImageDraw.Draw(image).polygon(points, (30 * n, 10, 90, 255))
        save(image, f"logo{n}.png", f"The mark of house {n}", "")
    save(Image.open(folder / "sun3.png"), "copy.jpg", "A copy", "sun")
    save(Image.new("RGB", (96, 96), (9, 99, 199)), "blank.png", "Nothing", "box")
    (folder / "captions.csv").write_text("\n".join(lines))


def test_the_whole_way(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    torch.set_num_threads(1)
    draw_site(tmp_path / "site")
    data, runs = str(tmp_path / "data"), str(tmp_path / "runs")
    crawl = ["run", "--demo-site", "--pictures", str(tmp_path / "site"), "--port", "0"]
    assert scrape.cli.main([*crawl, "--data", data]) == 0
    assert curate_app.cli.main(["auto", "--data", data]) == 0
    with Catalog(tmp_path / "data" / "catalog.sqlite") as catalog:
        assert catalog.images.count() == 56
        reasons = catalog.images.counts("reason", ImageFilter(status="reject"))
        assert sum(reasons.values()) == 2
        assert "blank" in reasons
    choice = ["--set", "size=16", "--set", "cal=0.2", "--set", "name=small"]
    assert dataset.cli.main(["pack", "--data", data, *choice]) == 0
    pack = tmp_path / "data" / "packs" / "small.h5"
    packed = PackedDataset(pack)
    assert len(packed) == 54
    assert {"sun", "box"} <= set(packed.label_names)

    budget = ["--set", "images=256", "--set", "batch=16", "--device", "cpu"]
    run = ["run", "--config", "tiny", "--packed", str(pack), "--runs", runs, "--name", "t"]
    assert train.cli.main([*run, *budget]) == 0
    folder = tmp_path / "runs" / "t"
    draw = ["draw", str(folder), "--per-class", "2", "--steps", "4", "--device", "cpu"]
    assert sample.cli.main(draw) == 0
    assert sample.cli.main(["novelty", str(folder / "samples"), "--packed", str(pack)]) == 0
    verdicts = json.loads((folder / "samples" / "novelty.json").read_text())
    assert len(verdicts["pictures"]) == 2 * len(packed.label_names)
    report = (folder / "samples" / "report.html").read_text()
    assert "CC0-1.0" in report
    capsys.readouterr()
    assert sample.cli.main(["summary", "--data", data, "--run", str(folder)]) == 0
    told = capsys.readouterr().out
    assert "blank" in told
    assert str(folder / "samples" / "report.html") in told
