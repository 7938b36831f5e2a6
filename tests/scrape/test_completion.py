"""What was crawled to its end is remembered by name and declaration."""

from dataclasses import replace
from pathlib import Path

import pytest

from dataset.workspace import Workspace
from scrape.completion import Completions, spec_hash
from tests.scrape.picture_site import grid_source


@pytest.fixture
def memory(tmp_path: Path) -> Completions:
    return Completions(Workspace(tmp_path))


def test_only_the_same_name_and_declaration_are_complete(memory: Completions) -> None:
    spec = grid_source("https://example.org").spec
    memory.add("grid", spec_hash(spec))
    memory.add("other", "1")
    assert memory.has("grid", spec_hash(spec))
    assert not memory.has("gird", spec_hash(spec))
    assert not memory.has("grid", spec_hash(replace(spec, label="x")))
    assert not memory.has("grid", spec_hash(spec, "seed 8"))


@pytest.mark.parametrize("content", ["", "{", "[]", "null", '{"grid": 1}', "\udcff"])
def test_a_damaged_memory_is_an_empty_one(memory: Completions, content: str) -> None:
    memory.path.write_bytes(content.encode("utf-8", "surrogateescape"))
    assert not memory.has("grid", "1")
    memory.add("grid", "1")
    assert memory.has("grid", "1")
