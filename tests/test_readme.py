"""The README is true: its commands parse, its targets exist, its tree is the tree."""

import dataclasses
import re
import shlex
import subprocess
import tomllib
from pathlib import Path

import pytest

from dataset.config import from_mapping
from dataset.keep_rule import KeepRule
from scrape.config import CrawlSettings, crawl_config
from scrape.sources import KINDS, sources_of
from tests.test_cli_help import STAGES

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text("utf-8")
MAKEFILE = (ROOT / "Makefile").read_text("utf-8")
PACKAGES = ("scrape", "curate_app", "dataset", "train", "sample")


def commands() -> list[str]:
    """The command lines of all shell blocks, continuation lines joined, comments cut."""
    blocks = re.findall(r"```sh\n(.*?)```", README, re.DOTALL)
    lines = "\n".join(blocks).replace("\\\n", " ").splitlines()
    return [line.split("  #")[0].strip() for line in lines if line and not line.startswith("#")]


def targets() -> set[str]:
    return set(re.findall(r"^([a-z-]+):.*## ", MAKEFILE, re.MULTILINE))


def listed_modules() -> set[str]:
    """Modules named in the README's tree, as paths from the root."""
    (tree,) = re.findall(r"```tree\n(.*?)```", README, re.DOTALL)
    found: set[str] = set()
    folder = ""
    for line in tree.splitlines():
        entry = line.split("  ")[0].strip() if not line.startswith(" ") else ""
        if entry.endswith("/"):
            folder = entry
        names = line.removeprefix(entry) if entry.endswith("/") else line
        for name in re.findall(r"[\w/]+\.py\b", names):
            found.add(folder + name)
    return found


@pytest.mark.parametrize("command", commands())
def test_every_command_of_the_readme_is_true(command: str) -> None:
    words = shlex.split(command)
    while words and "=" in words[0]:
        words.pop(0)
    if words[0] == "make":
        asked = [word for word in words[1:] if "=" not in word and not word.startswith("-")]
        assert set(asked) <= targets(), command
    elif words[0] == "torchrun":
        at = words.index("-m") + 1
        assert STAGES[words[at]].parser.parse_args(words[at + 1 :]).verb == words[at + 1]
    elif words[:2] == ["python", "-m"]:
        assert STAGES[words[2]].parser.parse_args(words[3:]).verb == words[3]
    else:
        assert words[0] in {"git", "cd"}, f"the README has a command that no test knows: {command}"


@pytest.mark.parametrize("block", re.findall(r"```toml\n(.*?)```", README, re.DOTALL))
def test_every_crawl_file_of_the_readme_declares_usable_sources(block: str) -> None:
    if block.startswith("# data/keep.toml"):
        rule = from_mapping(KeepRule, tomllib.loads(block), "the README")
        assert dataclasses.replace(rule, licences=KeepRule().licences) == KeepRule()
        return
    config = crawl_config(tomllib.loads(block), origin="the README")
    assert [source.spec.name for source in sources_of(config)] == list(config.source)


def test_the_readme_names_every_kind_of_source() -> None:
    assert {name for name in KINDS if f"`{name}`" not in README} == set()


def test_the_readme_names_every_key_of_the_crawl() -> None:
    keys = {field.name for field in dataclasses.fields(CrawlSettings)}
    assert {key for key in keys if f"`{key}`" not in README} == set()


def test_the_readme_names_every_target() -> None:
    named = set(re.findall(r"make ([a-z-]+)", README))
    assert targets() <= named


def test_the_readme_tree_lists_every_module_and_no_other() -> None:
    modules = {
        path.relative_to(ROOT).as_posix()
        for package in PACKAGES
        for path in (ROOT / package).rglob("*.py")
        if path.name not in ("__init__.py", "__main__.py")
    }
    assert listed_modules() == modules


def test_every_picture_and_link_of_the_readme_is_there() -> None:
    for target in re.findall(r"\]\(([^)]+)\)", README) + re.findall(r'src="([^"]+)"', README):
        if not target.startswith(("http", "#")):
            assert (ROOT / target).exists(), target


def test_make_help_lists_every_target() -> None:
    told = subprocess.run(
        ["make", "--no-print-directory", "help"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert all(f"make {target}" in told for target in targets())
