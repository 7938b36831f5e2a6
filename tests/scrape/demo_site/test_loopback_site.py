"""DemoSite as a whole: ports, hosts, closing, and the config that collects it."""

import socket
import threading
import tomllib
from pathlib import Path

import pytest
import requests

from dataset.errors import ConfigError, WorldError
from scrape.config import crawl_config
from scrape.demo_site import DemoSite, demo_config_text
from scrape.sources import sources_of


def test_a_free_port_is_chosen_and_given_back() -> None:
    with DemoSite() as site:
        port = int(site.url.rsplit(":", 1)[1])
        assert site.url == f"http://127.0.0.1:{port}"
        assert requests.get(f"{site.url}/robots.txt", timeout=10).status_code == 200
    with DemoSite(port=port) as again:
        assert again.url == site.url


def test_a_taken_port_is_named_in_one_line() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(WorldError) as raised:
            DemoSite(port=port)
    assert f"port {port}" in str(raised.value)
    assert "--port" in str(raised.value)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("host", ["0.0.0.0", "", "192.168.0.1", "example.org", "::", "127.0.0.1.x"])
def test_only_loopback_is_served(host: str) -> None:
    with pytest.raises(ConfigError, match="loopback"):
        DemoSite(host=host)


def test_localhost_is_loopback() -> None:
    with DemoSite(host="localhost") as site:
        assert requests.get(site.url, timeout=10).status_code == 200


@pytest.mark.parametrize(("name", "value"), [("seed", -1), ("port", 65536), ("port", -1)])
def test_numbers_out_of_range_are_refused(name: str, value: int) -> None:
    with pytest.raises(ConfigError, match=name):
        DemoSite(**{name: value})  # type: ignore[arg-type]


def test_closing_ends_idle_connections() -> None:
    session, before = requests.Session(), set(threading.enumerate())
    with DemoSite() as site:
        session.get(site.url, timeout=10)
        assert len(set(threading.enumerate()) - before) == 2  # the site, and this connection
    site.close()
    with pytest.raises(requests.ConnectionError):
        session.get(site.url, timeout=10)
    session.close()
    assert set(threading.enumerate()) <= before


def test_serving_for_ever_ends_when_the_site_is_closed() -> None:
    site = DemoSite()
    server = threading.Thread(target=site.serve_forever)
    with site:
        server.start()
        assert requests.get(site.url, timeout=10).status_code == 200
    server.join(timeout=10)
    assert not server.is_alive()


def test_the_config_is_valid_for_a_crawl_and_names_both_sources() -> None:
    config = crawl_config(tomllib.loads(demo_config_text("http://127.0.0.1:8765/")))
    assert config.crawl.allow_hosts == ("127.0.0.1",)
    sources = sources_of(config)
    assert [source.spec.kind for source in sources] == ["card-grid", "json-api"]
    assert sources[0].spec.label == "logo"
    for source in sources:
        for address, _ in source.spec.first_addresses():
            assert address.startswith("http://127.0.0.1:8765/")
    assert "{" not in demo_config_text("http://127.0.0.1:8765")


@pytest.mark.parametrize(
    "base", ["", "ftp://127.0.0.1", 'http://127.0.0.1/"\nx = 1', "127.0.0.1:80"]
)
def test_a_base_that_is_no_site_is_refused(base: str) -> None:
    with pytest.raises(ConfigError, match="not the address"):
        demo_config_text(base)


def test_a_site_without_cards_has_a_config_without_them(tmp_path: Path) -> None:
    (tmp_path / "captions.csv").write_text("file,title,label\na.png,A cat,cat\n")
    with DemoSite(pictures=tmp_path) as site:
        sources = sources_of(crawl_config(tomllib.loads(site.config_text())))
    assert [source.spec.kind for source in sources] == ["json-api"]
    with DemoSite() as drawn:
        assert drawn.config_text() == demo_config_text(drawn.url)
