"""What can be set: the keys of a config with their values, defaults and comments, for --help."""

import ast
import dataclasses
import inspect
import io
import textwrap
import tokenize
import types
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

_COLUMN, _WIDTH = 32, 98
_NAMES = {bool: "true|false", int: "N", float: "X", str: "TEXT", Path: "PATH"}


def key_lines(kind: type, prefix: str = "") -> list[str]:
    """One or more lines a key, `key=default  comment (values)`; nested tables by dotted keys.

    The comments are those that stand behind the fields in the source.
    """
    lines = []
    for name, default, values, comment in _keys(kind, prefix):
        said = f"{comment} ({values})" if comment else values
        head = f"{name}={default}"
        first = f"{head:<{_COLUMN}}" if len(head) < _COLUMN else f"{head}\n{'':<{_COLUMN}}"
        wrapped = textwrap.wrap(said, _WIDTH - _COLUMN) or [""]
        lines.append(f"\n{'':<{_COLUMN}}".join([f"{first}{wrapped[0]}", *wrapped[1:]]))
    return lines


def _keys(kind: type, prefix: str) -> Iterator[tuple[str, str, str, str]]:
    hints, comments = typing.get_type_hints(kind), _comments(kind)
    for field in dataclasses.fields(kind):
        hint = hints[field.name]
        inner = [one for one in (hint, *typing.get_args(hint)) if dataclasses.is_dataclass(one)]
        if inner and typing.get_origin(hint) in (None, types.UnionType):
            assert isinstance(inner[0], type)
            yield from _keys(inner[0], f"{prefix}{field.name}.")
            continue
        yield f"{prefix}{field.name}", _default(field), _values(hint), comments.get(field.name, "")


def _default(field: "dataclasses.Field[Any]") -> str:
    value = field.default
    if value is dataclasses.MISSING and field.default_factory is not dataclasses.MISSING:
        value = field.default_factory()
    if value is dataclasses.MISSING:
        return "(needed)"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple | list):
        return "[" + ", ".join(f'"{x}"' if isinstance(x, str) else str(x) for x in value) + "]"
    return str(value) if isinstance(value, str | int | float | Path) and value != "" else '""'


def _values(hint: Any) -> str:
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is Literal:
        return " | ".join(map(str, arguments))
    if origin in (types.UnionType, typing.Union):
        return " | ".join("none" if one is type(None) else _values(one) for one in arguments)
    if origin is tuple:
        return f"[{_values(arguments[0])}, ...]"
    return _NAMES.get(hint, "table" if origin is dict else "value")


def _comments(kind: type) -> dict[str, str]:
    """The comment at the end of each field's line."""
    try:
        source = textwrap.dedent(inspect.getsource(kind))
    except (OSError, TypeError):  # installed without its source
        return {}
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    by_line = {
        token.start[0]: token.string.lstrip("# ")
        for token in tokens
        if token.type == tokenize.COMMENT
    }
    (definition,) = ast.parse(source).body
    assert isinstance(definition, ast.ClassDef)
    return {
        node.target.id: by_line[node.end_lineno]
        for node in definition.body
        if isinstance(node, ast.AnnAssign)
        and isinstance(node.target, ast.Name)
        and node.end_lineno in by_line
    }
