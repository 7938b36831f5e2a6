"""The whole story of one address: who named it, what came of it, what can be done."""

from pathlib import Path

import pytest

from dataset.catalog import Catalog
from dataset.errors import ConfigError, DataError
from dataset.workspace import Workspace
from scrape.client import PoliteClient
from scrape.crawl import crawl
from scrape.explain import explain
from tests.scrape.conftest import SETTINGS
from tests.scrape.drawings import picture
from tests.scrape.loopback import Answer, LoopbackSite, redirect
from tests.scrape.picture_site import grid_source, plant, show


@pytest.fixture
def data(site: LoopbackSite, tmp_path: Path, client: PoliteClient) -> Workspace:
    """The catalogue of a site with something of everything."""
    answers = {
        "/a.png": Answer(picture(1)),
        "/copy.png": Answer(picture(1)),
        "/moved.png": redirect("/b.png"),
        "/gone.png": Answer(b"", 404),
        "/large.png": Answer(bytes(SETTINGS.max_bytes + 1)),
        "/busy.png": Answer(b"", 429, {"Retry-After": "90000"}),
    }
    plant(site, {**answers, "/b.png": Answer(picture(2))})
    show(site, [*answers, "/gone.png"])
    workspace = Workspace(tmp_path / "data")
    crawl([grid_source(site.url)], SETTINGS, workspace, client=client)
    return workspace


def story(data: Workspace, what: str) -> list[str]:
    with Catalog(data.catalog) as catalog:
        return explain(catalog, what)


def test_a_picture_tells_its_size_its_origin_and_its_twin(
    site: LoopbackSite, data: Workspace
) -> None:
    lines = story(data, f"{site.url}/a.png")
    text = "\n".join(lines)
    assert lines[0] == f"{site.url}/a.png"
    assert "PNG 48x48" in text
    assert f"found by grid on {site.url}/; licence CC0-1.0" in text
    assert f"the same picture is at {site.url}/copy.png" in text
    assert lines[-1] == "not in the set: undecided"


def test_an_address_is_found_however_it_is_spelled(site: LoopbackSite, data: Workspace) -> None:
    assert story(data, f"{site.url}/x/../%61.png#top") == story(data, f"{site.url}/a.png")


def test_the_number_of_a_picture_is_enough(site: LoopbackSite, data: Workspace) -> None:
    assert story(data, "#1") == story(data, "1")
    assert story(data, "#1")[0] == "picture #1"


@pytest.mark.parametrize("number", ["#999", f"#{10**23}", str(2**63)])
def test_a_number_that_no_picture_has_is_told_in_a_line(data: Workspace, number: str) -> None:
    with pytest.raises(DataError, match="there is no picture"):
        story(data, number)


def test_where_a_redirect_led_is_told(site: LoopbackSite, data: Workspace) -> None:
    text = "\n".join(story(data, f"{site.url}/moved.png"))
    assert f"it was found at {site.url}/b.png" in text


def test_a_final_no_tells_why_who_named_it_and_how_to_ask_again(
    site: LoopbackSite, data: Workspace
) -> None:
    lines = story(data, f"{site.url}/gone.png")
    text = "\n".join(lines)
    assert f"named by grid on {site.url}/" in text
    assert "failed, not-found: the site says that it is not there" in text
    assert "asked once, HTTP 404" in text
    assert "scrape retry --reason not-found" in text
    assert lines[-1] == "not in the set"


def test_what_can_be_done_is_told(site: LoopbackSite, data: Workspace) -> None:
    text = "\n".join(story(data, f"{site.url}/large.png"))
    assert "to do: raise it, then: scrape retry" in text
    assert "crawl.max_bytes" in text


def test_a_rest_is_told_with_its_time(site: LoopbackSite, data: Workspace) -> None:
    text = "\n".join(story(data, f"{site.url}/busy.png"))
    assert "to be tried again, http-429: the site answered with HTTP status 429" in text
    assert "next try from 20" in text


def test_what_was_never_named_is_a_data_error(site: LoopbackSite, data: Workspace) -> None:
    for what in (f"{site.url}/other.png", "#999", "data:sha256,00"):
        with pytest.raises(DataError, match=r"never named|no picture #999"):
            story(data, what)


def test_what_is_no_address_is_the_users_error(data: Workspace) -> None:
    for what in ("picture", "ftp://example.org/x", "http://[::1", ""):
        with pytest.raises(ConfigError, match="give a web address or the number of a picture"):
            story(data, what)
