"""The registry of kinds: each one has an example that is itself a valid config."""

import tomllib

import pytest

from scrape.config import crawl_config
from scrape.sources import KINDS, sources_of


@pytest.mark.parametrize("name", sorted(KINDS))
def test_the_example_of_a_kind_is_a_valid_source_of_it(name: str) -> None:
    (source,) = sources_of(crawl_config(tomllib.loads(KINDS[name].example)))
    assert isinstance(source, KINDS[name].reader)
    assert source.spec.kind == name


@pytest.mark.parametrize("name", sorted(KINDS))
def test_a_kind_says_in_one_line_what_it_is_for(name: str) -> None:
    assert 10 < len(KINDS[name].summary) < 90
    assert "\n" not in KINDS[name].summary
