"""Every reason code that the code can give has its sentence."""

import ast
from pathlib import Path

import pytest

from scrape.reasons import REASONS, advice, sentence

ROOT = Path(__file__).parent.parent.parent
# What a merge leaves out is counted there; it never comes into the ledger.
MERGING = ROOT / "dataset" / "merging.py"
MODULES = sorted({*(ROOT / "scrape").rglob("*.py"), *(ROOT / "dataset").rglob("*.py")} - {MERGING})
REASONED = {"FetchError", "DisallowedError", "PictureError"}
# Given to the ledger by name, not by an error.
NOTED = {"lost", "recheck"}
# Say how a source's list ended; no address ever has them.
OF_WHOLE_RUNS = {"nothing"}


def _texts(node: ast.expr) -> list[str]:
    """The texts that an expression may come to: one, or either side of a condition."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return [node.value]
    if isinstance(node, ast.IfExp):
        return [*_texts(node.body), *_texts(node.orelse)]
    return []


def _assigned(tree: ast.AST, name: str) -> list[str]:
    found: list[str] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign):
            for target in node.targets:
                if isinstance(target, ast.Name) and target.id == name:
                    found += _texts(node.value)
    return found


def given() -> dict[str, str]:
    """Every reason in a raised error, with the file that raises it."""
    found: dict[str, str] = {}
    for path in MODULES:
        tree = ast.parse(path.read_text("utf-8"))
        for node in ast.walk(tree):
            if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Name)):
                continue
            if node.func.id in REASONED and node.args:
                first = node.args[0]
                texts = _texts(first)
                if isinstance(first, ast.Name):
                    texts = _assigned(tree, first.id)
                found |= dict.fromkeys(texts, path.relative_to(ROOT).as_posix())
    return found


GIVEN = given()


def test_the_search_finds_what_is_known_to_be_there() -> None:
    assert {"robots", "too-slow", "truncated", "host-asleep", "opt-out", "not-found"} <= set(GIVEN)


@pytest.mark.parametrize("reason", sorted(set(GIVEN) | NOTED))
def test_a_reason_that_is_given_has_a_sentence(reason: str) -> None:
    if reason not in OF_WHOLE_RUNS:
        assert reason in REASONS, f"{GIVEN.get(reason)} gives it"
        assert sentence(reason) != reason


@pytest.mark.parametrize("reason", sorted(REASONS))
def test_sentences_are_short_and_plain(reason: str) -> None:
    for text in (sentence(reason), advice(reason)):
        assert len(text) <= 90
        assert not text.endswith(".")
        assert text == text.strip()
    assert len(sentence(reason).split()) >= 3


def test_a_status_is_told_as_such_and_the_unknown_as_itself() -> None:
    assert sentence("http-418") == "the site answered with HTTP status 418"
    assert (sentence("http-4180"), advice("http-418")) == ("http-4180", "")
    assert sentence("no-such-reason") == "no-such-reason"
