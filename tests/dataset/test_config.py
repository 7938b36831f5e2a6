"""Configuration: precedence, types, and errors that name the key."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataset.config import from_mapping, load_config, parse_assignment, to_mapping
from dataset.errors import ConfigError


@dataclass(frozen=True, kw_only=True)
class Inner:
    depth: int = 2


@dataclass(frozen=True, kw_only=True)
class Sample:
    rate: float = 1.0
    count: int = 3
    mode: Literal["fast", "slow"] = "fast"
    folder: Path = Path("x")
    names: tuple[str, ...] = ()
    limit: int | None = None
    on: bool = False
    inner: Inner = field(default_factory=Inner)

    def __post_init__(self) -> None:
        if self.rate <= 0:
            raise ConfigError(f"rate is {self.rate}; it must be above 0")


def test_assignments_win_over_the_file_and_the_file_over_defaults(tmp_path: Path) -> None:
    file = tmp_path / "c.toml"
    file.write_text("rate = 2\ncount = 5\n[inner]\ndepth = 7\n")
    config = load_config(Sample, file, ["count=6", "inner.depth=8", "mode=slow"])
    assert (config.rate, config.count, config.inner.depth, config.mode) == (2.0, 6, 8, "slow")


def test_a_config_survives_the_way_through_its_mapping() -> None:
    config = Sample(names=("a", "b"), limit=4, folder=Path("p/q"))
    assert from_mapping(Sample, to_mapping(config), "saved") == config


@pytest.mark.parametrize(
    ("table", "told"),
    [
        ({"rat": 2}, "unknown key rat in the configuration; did you mean rate?"),
        ({"zzzzz": 2}, "unknown key zzzzz in the configuration; known keys: count, folder"),
        ({"inner": {"dept": 2}}, "unknown key inner.dept in the configuration; did you mean depth"),
        ({"count": "many"}, "count in the configuration is 'many'; it must be a whole number"),
        ({"count": True}, "count in the configuration is True; it must be a whole number"),
        ({"count": 1.5}, "it must be a whole number"),
        ({"on": 1}, "it must be true or false"),
        ({"mode": "medium"}, "it must be one of: fast, slow"),
        ({"names": "a"}, "it must be a list, such as 'names=[\"a\"]'"),
        ({"names": "[a, b]"}, 'it must be a list, such as \'names=["a", "b"]\''),
        ({"names": 5}, "it must be a list, such as 'names=[\"5\"]'"),
        ({"names": "it's"}, "it must be a list"),
        ({"names": [1]}, "it must be a string"),
        ({"inner": 3}, "it must be a table"),
        ({"rate": -1}, "rate is -1.0; it must be above 0"),
    ],
)
def test_a_wrong_key_or_type_is_told_by_name(table: dict[str, object], told: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_config(Sample, table)
    assert told in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_or_broken_file_is_told_by_name(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"cannot read config .*none\.toml"):
        load_config(Sample, tmp_path / "none.toml")
    (tmp_path / "bad.toml").write_text("rate = = 2")
    with pytest.raises(ConfigError, match=r"bad\.toml is not valid TOML"):
        load_config(Sample, tmp_path / "bad.toml")


def test_an_assignment_without_equals_is_refused() -> None:
    with pytest.raises(ConfigError, match="takes key=value"):
        parse_assignment("rate")


@given(st.integers() | st.booleans() | st.floats(allow_nan=False, allow_infinity=False))
def test_numbers_given_as_assignments_keep_their_value(value: float) -> None:
    text = str(value).lower() if isinstance(value, bool) else repr(value)
    assert parse_assignment(f"key={text}") == ("key", value)
