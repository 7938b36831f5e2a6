"""Configuration: a frozen dataclass, a TOML file, `--set key=value`; unknown keys are errors.

Precedence: `--set` over file over default. Types are those of the dataclass's annotations:
bool, int, float, str, Path, Literal, X | None, tuple[X, ...] and nested dataclasses.
"""

import dataclasses
import difflib
import json
import sys
import tomllib
import types
import typing
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, TypeVar

from dataset.errors import ConfigError

T = TypeVar("T")


def read_toml(path: Path) -> dict[str, Any]:
    """Read a TOML file; raises ConfigError naming the file and the place of a syntax error."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"cannot read config {path}: {error.strerror}; check the path") from error
    except ValueError as error:  # wrong syntax, no UTF-8, a number of thousands of digits
        raise ConfigError(f"config {path} is not valid TOML: {error}") from error
    except RecursionError as error:
        raise ConfigError(f"config {path} is not valid TOML: too many nested brackets") from error


def parse_assignment(text: str) -> tuple[str, Any]:
    """Split `key=value` as given to --set; the value is read as TOML, else taken as a string."""
    key, equals, value = text.partition("=")
    if not equals or not key.strip():
        raise ConfigError(f"--set takes key=value, not {text!r}")
    try:
        return key.strip(), tomllib.loads(f"value = {value}")["value"]
    except (ValueError, RecursionError):  # wrong syntax, thousands of digits or of brackets
        return key.strip(), value


def load_config(
    kind: type[T],
    source: Path | Mapping[str, Any] | None,
    assignments: Sequence[str] = (),
    *,
    origin: str = "the configuration",
) -> T:
    """Build a `kind` from a TOML file (or mapping) and `--set` assignments (dotted keys allowed).

    `origin` names a mapping in messages. Raises ConfigError for unknown keys (naming the nearest),
    wrong types and out-of-range values.
    """
    if isinstance(source, Path):
        table, origin = read_toml(source), str(source)
    else:
        table = dict(source or {})
    for assignment in assignments:
        key, value = parse_assignment(assignment)
        _assign(table, key.split("."), value)
    try:
        return from_mapping(kind, table, origin)
    except ConfigError as error:
        text = str(error)
        for key in (parse_assignment(assignment)[0] for assignment in assignments):
            text = text.replace(f"{key} in {origin}", f"{key} in --set")
            if text.startswith(f"{origin}: {key} is "):
                text = text.replace(origin, "--set", 1)
        raise ConfigError(text) from error


def from_mapping(kind: type[T], table: Mapping[str, Any], origin: str, prefix: str = "") -> T:
    """Build dataclass `kind` from `table`, checking every key and type; `origin` names the file."""
    fields = {field.name: field for field in dataclasses.fields(kind)}  # type: ignore[arg-type]
    hints = typing.get_type_hints(kind)
    for key in table:
        if key not in fields:
            raise ConfigError(f"unknown key {prefix}{key} in {origin}; {_nearest(key, fields)}")
    values = {
        key: _convert(value, hints[key], f"{prefix}{key}", origin) for key, value in table.items()
    }
    missing = [
        name
        for name, field in fields.items()
        if name not in values
        and field.default is dataclasses.MISSING
        and field.default_factory is dataclasses.MISSING
    ]
    if missing:
        raise ConfigError(f"{origin} lacks the key {prefix}{missing[0]}; add it")
    try:
        return kind(**values)
    except ConfigError as error:
        raise ConfigError(f"{origin}: {error}") from error


def to_mapping(config: Any) -> dict[str, Any]:
    """The resolved config as plain JSON-ready values, for printing and for artefacts."""

    def plain(value: Any) -> Any:
        if dataclasses.is_dataclass(value) and not isinstance(value, type):
            return {f.name: plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
        if isinstance(value, Path):
            return str(value)
        if isinstance(value, (list, tuple)):
            return [plain(item) for item in value]
        if isinstance(value, Mapping):
            return {str(key): plain(item) for key, item in value.items()}
        return value

    result = plain(config)
    assert isinstance(result, dict)
    return result


def _assign(table: dict[str, Any], keys: Sequence[str], value: Any) -> None:
    for key in keys[:-1]:
        inner = table.setdefault(key, {})
        if not isinstance(inner, dict):
            raise ConfigError(f"--set {'.'.join(keys)}: {key} is a value, not a table")
        table[key] = table = dict(inner)
    table[keys[-1]] = value


def _nearest(key: str, known: Iterable[str]) -> str:
    names = sorted(known)
    close = difflib.get_close_matches(key, names, n=1, cutoff=0.5)
    return f"did you mean {close[0]}?" if close else f"known keys: {', '.join(names)}"


def _convert(value: Any, hint: Any, key: str, origin: str) -> Any:
    """Check `value` against the annotation `hint`; ints become floats, strings become paths."""
    kind, arguments = typing.get_origin(hint), typing.get_args(hint)
    if kind is Literal:
        return _one_of(value, arguments, key, origin)
    if kind in (types.UnionType, typing.Union):
        if value is None or (value in ("none", "None") and type(None) in arguments):
            return None
        inner = [argument for argument in arguments if argument is not type(None)]
        return _convert(value, inner[0], key, origin)
    if kind is tuple:
        if not isinstance(value, (list, tuple)):
            example = _list_example(key, value)
            raise ConfigError(f"{key} in {origin} is {value!r}; it must be a list{example}")
        return tuple(_convert(item, arguments[0], f"{key}[]", origin) for item in value)
    if kind is dict:
        if not isinstance(value, Mapping):
            raise ConfigError(f"{key} in {origin} is {value!r}; it must be a table")
        return {str(k): _convert(v, arguments[1], f"{key}.{k}", origin) for k, v in value.items()}
    if dataclasses.is_dataclass(hint) and isinstance(hint, type):
        if not isinstance(value, Mapping):
            raise ConfigError(f"{key} in {origin} is {value!r}; it must be a table")
        return from_mapping(hint, value, origin, f"{key}.")
    return _convert_plain(value, hint, key, origin)


def _list_example(key: str, value: Any) -> str:
    """How the shell takes what was meant: ", such as 'labels=["dog", "cat"]'"."""
    if not isinstance(value, str | int) or isinstance(value, bool) or "'" in str(value):
        return ""
    names = [name.strip(' "') for name in str(value).strip("[] ").split(",")]
    return f", such as '{key}={json.dumps(names, ensure_ascii=False)}'"


def _one_of(value: Any, options: tuple[Any, ...], key: str, origin: str) -> Any:
    if value in options:
        return value
    listed = ", ".join(map(str, options))
    raise ConfigError(f"{key} in {origin} is {value!r}; it must be one of: {listed}")


def _convert_plain(value: Any, hint: Any, key: str, origin: str) -> Any:
    if hint is Any:
        return value
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        if abs(value) > sys.float_info.max:
            raise ConfigError(f"{key} in {origin} is too large; it must be a number")
        return float(value)
    if hint is Path and isinstance(value, str):
        return Path(value)
    if isinstance(value, hint) and not (isinstance(value, bool) and hint is not bool):
        return value
    names = {
        int: "a whole number",
        float: "a number",
        str: "a string",
        bool: "true or false",
        Path: "a path",
    }
    raise ConfigError(f"{key} in {origin} is {value!r}; it must be {names.get(hint, hint)}")
