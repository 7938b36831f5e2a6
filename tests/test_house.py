"""The rules of the house that no linter knows: doors, names, sizes, docstrings."""

import ast
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = ("scrape", "curate_app", "dataset", "train", "sample")
MODULES = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))
BANNED = {"utils", "helpers", "common", "misc", "core", "base", "manager"}

# Each outside library has one door: the files whose path starts so may import it.
DOORS = {
    "requests": ("scrape/",),
    "urllib3": ("scrape/",),
    "bs4": ("scrape/",),
    "protego": ("scrape/",),
    "selenium": ("scrape/browser.py",),
    "pyarrow": ("scrape/",),
    "resvg_py": ("dataset/drawings.py",),
    "flask": ("curate_app/",),
    "waitress": ("curate_app/",),
    "sqlite3": ("dataset/catalog/",),
    "h5py": ("dataset/pack", "dataset/imports/lld.py"),
    "imagehash": ("dataset/phash.py",),
    "numba": ("dataset/compiled.py", "dataset/hamming_join.py"),
    "torch": ("train/", "sample/"),
    "safetensors": ("train/", "sample/"),
    # It brings torch along; the folder of the catalogue never imports torch itself.
    "transformers": ("dataset/captioner.py", "sample/encoders"),
    "faiss": ("sample/faiss_search.py", "sample/novelty_index.py"),
    "vtracer": ("sample/tracing.py",),
    "torchmetrics": (),
    "matplotlib": ("train/plotting.py", "sample/plotting.py"),
    "tensorboardX": ("train/metrics.py",),
    "pickle": (),
    "torchvision": (),
}


def name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@cache
def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text("utf-8"))


@cache
def imported(path: Path) -> frozenset[str]:
    """The first names of everything that a module imports."""
    found: set[str] = set()
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            found.add((node.module or "").split(".")[0])
    return frozenset(found)


@pytest.mark.parametrize("library", DOORS)
def test_a_library_is_used_behind_its_door_alone(library: str) -> None:
    users = [name(path) for path in MODULES if library in imported(path)]
    assert [user for user in users if not user.startswith(DOORS[library] or ("-",))] == []


def test_no_module_is_a_drawer() -> None:
    assert [name(path) for path in MODULES if path.stem in BANNED] == []


def test_modules_stay_under_350_lines_and_say_what_they_own() -> None:
    for path in MODULES:
        text = path.read_text("utf-8")
        assert text.count("\n") < 350, name(path)
        assert ast.get_docstring(parsed(path)), name(path)


def test_functions_stay_under_60_lines() -> None:
    for path in MODULES:
        for node in ast.walk(parsed(path)):
            if isinstance(node, ast.FunctionDef) and node.end_lineno is not None:
                lines = node.end_lineno - node.lineno + 1
                assert lines <= 62, f"{name(path)}:{node.name} has {lines} lines"
