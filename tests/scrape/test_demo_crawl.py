"""The demo crawl: over real HTTP, remembered when it is complete."""

import json
from pathlib import Path

import pytest

from dataset.catalog import Catalog
from dataset.workspace import Workspace
from scrape.cli import main
from scrape.crawl import crawl
from scrape.demo_crawl import DemoCrawl
from scrape.demo_site import DemoSite
from scrape.sources import sources_of
from tests.scrape.drawings import picture


def demo(data: Path, *more: str) -> int:
    return main(["run", "--demo-site", "--port", "0", "--data", str(data), *more])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder of pictures for the site to serve in place of its drawings."""
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    lines = ["file,title,label,licence"]
    for number in range(6):
        (pictures / f"{number}.png").write_bytes(picture(number))
        label = "bird" if number % 2 else ""
        lines.append(f"{number}.png,Picture number {number},{label},CC0-1.0")
    (pictures / "captions.csv").write_text("\n".join(lines) + "\n")
    return pictures


def test_a_limited_demo_collects_from_both_sources_and_is_not_complete(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert demo(tmp_path, "--limit", "5", "--json") == 0
    report = json.loads(capsys.readouterr().out)
    assert {name: source["asked"] for name, source in report["sources"].items()} == {
        "logos": 5,
        "animals": 5,
    }
    assert not (tmp_path / "crawl.json").exists()


def test_served_pictures_are_collected_and_the_second_run_has_nothing_to_do(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["--pictures", str(folder)]
    assert demo(tmp_path / "data", *arguments) == 0
    with Catalog(Workspace(tmp_path / "data").catalog) as catalog:
        assert catalog.images.count() == 6
        assert catalog.images.counts("label")["bird"] == 3
        assert catalog.images.counts("licence") == {"CC0-1.0": 6}
    capsys.readouterr()
    assert demo(tmp_path / "data", *arguments) == 0
    assert "collected before; nothing to do" in capsys.readouterr().out
    assert demo(tmp_path / "data", *arguments, "--again") == 0
    assert "collected before" not in capsys.readouterr().out


def test_what_is_complete_depends_on_what_was_served(folder: Path, tmp_path: Path) -> None:
    workspace = Workspace(tmp_path / "data")
    served = DemoCrawl(seed=7, pictures=folder, port=0)
    served.crawl(workspace, ["logos"])
    assert served.completed(workspace, ["logos"])
    assert not served.completed(workspace, [])
    assert not served.completed(workspace, ["logos"], limit=3)
    assert not DemoCrawl(seed=7, pictures=None, port=0).completed(workspace, ["logos"])
    changed = DemoCrawl(7, folder, 0, ("source.logos.label=mark",))
    assert not changed.completed(workspace, ["logos"])
    workspace.catalog.unlink()
    assert not served.completed(workspace, ["logos"])


def test_the_demo_is_crawled_without_touching_what_is_forbidden(tmp_path: Path) -> None:
    with DemoSite(seed=7) as site:
        config = DemoCrawl(seed=7, pictures=None, port=0).config(site.url)
        report = crawl(sources_of(config, ["logos"]), config.crawl, Workspace(tmp_path))
        requested = [entry[1] for entry in site.requests]
    assert not [path for path in requested if path.startswith("/private/")]
    assert requested.count("/robots.txt") == 1
    assert report.outcomes["refused"]["robots"] >= 1
    assert report.outcomes["rejected"]["html"] >= 1
    assert report.outcomes["rejected"]["truncated"] >= 1
    assert report.outcomes["failed"]["not-found"] >= 1
    assert report.known >= 1
    assert report.added >= 300
    assert not report.warnings
    with Catalog(Workspace(tmp_path).catalog) as catalog:
        assert set(catalog.images.counts("licence")) >= {"CC0-1.0", "CC-BY-4.0"}
        captions = [catalog.images.captions(record.id) for record in catalog.images.page(limit=60)]
    assert not [group for group in captions if not group or group[0].text.endswith("…")]
