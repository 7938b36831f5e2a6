"""A crawl file says what it means or is refused in one line that says what to do."""

from pathlib import Path

import pytest

from dataset.errors import ConfigError
from scrape.config import CrawlSettings, crawl_config, read_crawl_config
from scrape.sources import sources_of
from scrape.sources.card_grid import CardGridSpec
from scrape.sources.json_api import JsonApiSpec

FILE = """
[crawl]
contact = "me@example.org"
gap_s = 2
allow_hosts = ["[::1]", "LOCALHOST"]

[[source]]
kind = "card-grid"
name = "logos"
label = "logo"
start = ["https://example.org/logos/"]
card = ".card"
captions = ["p.caption", "h3"]
detail = "a@href"
detail_captions = [".description"]
detail_licence = ".licence a"
next = "a[rel=next]"

[[source]]
kind = "json-api"
name = "animals"
start = ["https://example.org/api?q={query}"]
queries = ["bird", "sea horse"]
items = "results"
next = "next"
[source.fields]
picture = "url"
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    written = tmp_path / "crawl.toml"
    written.write_text(FILE)
    return written


def edited(path: Path, old: str, new: str) -> Path:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    return path


def test_a_file_becomes_settings_and_sources(path: Path) -> None:
    config = read_crawl_config(path)
    assert (config.crawl.gap_s, config.crawl.contact) == (2.0, "me@example.org")
    assert config.crawl.allow_hosts == ("::1", "localhost")
    logos, animals = sources_of(config)
    assert isinstance(logos.spec, CardGridSpec)
    assert isinstance(animals.spec, JsonApiSpec)
    assert list(animals.spec.first_addresses()) == [
        ("https://example.org/api?q=bird", "bird"),
        ("https://example.org/api?q=sea%20horse", "sea horse"),
    ]


def test_a_card_grid_is_declared_in_fifteen_lines() -> None:
    table = FILE.split("[[source]]")[1].strip().splitlines()
    assert len(table) <= 15


def test_set_reaches_settings_and_each_source(path: Path) -> None:
    config = read_crawl_config(
        path, (), ["crawl.gap_s=0.5", "source.logos.card=li", "crawl.limit=3"]
    )
    assert (config.crawl.gap_s, config.crawl.limit) == (0.5, 3)
    spec = sources_of(config, ["logos"])[0].spec
    assert isinstance(spec, CardGridSpec)
    assert spec.card == "li"


def test_limit_of_the_command_line_wins(path: Path) -> None:
    config = read_crawl_config(path, (), ["crawl.limit=3"])
    assert config.with_limit(None).crawl.limit == 3
    assert config.with_limit(9).crawl.limit == 9


def test_some_sources_are_picked_by_name(path: Path) -> None:
    config = read_crawl_config(path)
    assert [source.spec.name for source in sources_of(config, ["animals"])] == ["animals"]
    with pytest.raises(ConfigError, match=r"no source dogs .* logos, animals"):
        sources_of(config, ["dogs"])


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("gap_s = 2", "gaps = 2", r"unknown key crawl\.gaps in .*crawl\.toml; did you mean gap_s"),
        ("gap_s = 2", 'gap_s = "2"', r"crawl\.gap_s in .* must be a number"),
        ("gap_s = 2", "gap_s = -1", r"crawl\.gap_s is -1.* at least 0"),
        ("gap_s = 2", "gap_s = nan", r"crawl\.gap_s is nan"),
        ("gap_s = 2", "workers = 0", r"crawl\.workers is 0"),
        ('"me@example.org"', '"me"', "neither a mail address nor a web address"),
        ('"me@example.org"', '"a@b.org\\nX-Evil: 1"', "neither a mail address"),
        ("[crawl]", "[crawls]", "unknown key crawls"),
        ("[crawl]", "[crawl", "is not valid TOML"),
        ('name = "logos"', "", "has the name None"),
        ('name = "logos"', 'name = "../x"', "letters, digits"),
        ('name = "logos"', 'name = "animals"', "two sources .* named animals"),
    ],
)
def test_a_fault_of_the_file_is_named(path: Path, old: str, new: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        read_crawl_config(edited(path, old, new))


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('kind = "card-grid"', 'kind = "cards"', "logos is of kind 'cards'; known kinds: "),
        ('kind = "card-grid"', "", "of kind None"),
        ('card = ".card"', 'cards = ".card"', "unknown key cards in source logos"),
        ('card = ".card"', "", "source logos lacks the key card"),
        ('card = ".card"', 'card = "div["', "card 'div\\[' is no CSS selector"),
        ('"p.caption"', '"p..caption"', "captions 'p..caption' is no CSS selector"),
        ('detail = "a@href"', "", "detail_ rules need detail"),
        ('"https://example.org/logos/"', '"example.org"', "logos: start .* neither http nor"),
        ('["https://example.org/logos/"]', "[]", "logos has no start address"),
        ("q={query}", "q=bird", "queries and {query} in start go together"),
        ('next = "next"', 'next = "n"\npage_parameter = "p"', "next or page_parameter, not both"),
        ('picture = "url"', 'picture = ""', r"fields\.picture is empty"),
    ],
)
def test_a_fault_of_a_source_is_named(path: Path, old: str, new: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        sources_of(read_crawl_config(edited(path, old, new)))


@pytest.mark.parametrize("table", [{"source": {"logos": {}}}, {"source": 1}, {"source": [1]}])
def test_sources_are_a_list_of_tables(table: dict[str, object]) -> None:
    with pytest.raises(ConfigError, match=r"must be written as \[\[source\]\] tables"):
        crawl_config(table)


def test_a_crawl_without_sources_is_refused() -> None:
    with pytest.raises(ConfigError, match="names no source"):
        sources_of(crawl_config({}))


def test_the_name_that_we_give_is_honest() -> None:
    assert CrawlSettings().user_agent == "Pedigree/0.1"
    named = CrawlSettings(contact="https://example.org/about")
    assert named.user_agent == "Pedigree/0.1 (+https://example.org/about)"
