"""The help lists every key of a config: what it is, what it may be, what it is unless told."""

from dataclasses import dataclass, fields
from typing import Literal

import pytest

from dataset.config import load_config
from dataset.config_keys import key_lines
from dataset.errors import ConfigError
from dataset.pack_selection import PackConfig
from tests.test_cli_help import STAGES


@dataclass(frozen=True, kw_only=True)
class Inner:
    """A table."""

    depth: int = 2  # how deep


@dataclass(frozen=True, kw_only=True)
class Outer:
    """A config of every kind of key."""

    name: str
    kind: Literal["one", "two"] = "one"  # which of them
    shares: tuple[float, ...] = (0.5, 0.25)
    words: tuple[str, ...] = ()
    bare: bool = False
    perhaps: float | None = None
    inner: Inner = Inner()


def test_a_key_has_its_default_its_comment_and_its_values() -> None:
    found = [" ".join(line.split()) for line in key_lines(Outer)]
    assert found == [
        "name=(needed) TEXT",
        "kind=one which of them (one | two)",
        "shares=[0.5, 0.25] [X, ...]",
        "words=[] [TEXT, ...]",
        "bare=false true|false",
        'perhaps="" X | none',
        "inner.depth=2 how deep (N)",
    ]


def test_lines_keep_within_100_columns() -> None:
    assert max(len(line) for one in key_lines(PackConfig) for line in one.splitlines()) <= 100


@pytest.mark.parametrize("verb", ["pack", "preview", "import"])
def test_the_help_of_a_verb_lists_every_key_of_a_pack(
    verb: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        STAGES["dataset"].parser.parse_args([verb, "--help"])
    text = capsys.readouterr().out
    assert [f.name for f in fields(PackConfig) if f"\n  {f.name}=" not in text] == []


def test_a_wrong_value_is_blamed_on_whoever_gave_it() -> None:
    with pytest.raises(ConfigError, match=r"^size in --set is 'abc'; it must be a whole number"):
        load_config(PackConfig, {"seed": 1}, ["size=abc"], origin="pack.toml")
    with pytest.raises(ConfigError, match=r"^seed in pack\.toml is 'x'"):
        load_config(PackConfig, {"seed": "x"}, ["size=64"], origin="pack.toml")
    with pytest.raises(ConfigError, match=r"^--set: size is -1; "):
        load_config(PackConfig, {"seed": 1}, ["size=-1"], origin="pack.toml")
    with pytest.raises(ConfigError, match=r"^pack\.toml: size is -1; "):
        load_config(PackConfig, {"size": -1}, ["seed=1"], origin="pack.toml")
    with pytest.raises(ConfigError, match="unknown key sise in --set; did you mean size"):
        load_config(PackConfig, {}, ["sise=64"], origin="pack.toml")
