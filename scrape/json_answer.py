"""A JSON answer as a source reads it: parsed, looked into by dotted paths, never trusted."""

import json
import re
from typing import Any

from dataset.errors import DisallowedError
from scrape.addresses import canonical_address
from scrape.response import Response, SourceError


def parse_json(answer: Response) -> Any:
    """The value of a JSON body; raises SourceError (bad-json)."""
    try:
        return json.loads(answer.body)
    except (ValueError, RecursionError) as error:
        raise SourceError("bad-json", f"{answer.final_url} answered no JSON: {error}") from error


def look_up(value: Any, path: str) -> Any:
    """The value at a dotted path such as `info.0.url`, `*` standing for every entry of a list;
    None when there is nothing. An empty path is the value itself."""
    steps = path.split(".") if path else []
    for position, step in enumerate(steps, start=1):
        if step == "*" and isinstance(value, list):
            return [look_up(entry, ".".join(steps[position:])) for entry in value]
        if isinstance(value, dict):
            value = value.get(step)
        elif isinstance(value, list) and re.fullmatch(r"[0-9]{1,6}", step):
            value = value[int(step)] if int(step) < len(value) else None
        else:
            return None
    return value


def text_at(value: Any, path: str) -> str:
    """The text at `path`; numbers are written out, lists are joined, all else is ""."""
    found = look_up(value, path) if path else None
    if isinstance(found, list):
        return ", ".join(part for part in found if isinstance(part, str))
    if isinstance(found, str):
        return found
    return str(found) if isinstance(found, int | float) and not isinstance(found, bool) else ""


def link_of(written: str, address: str = "") -> str:
    """The canonical address that `written` names, seen from `address`; "" when it is none."""
    try:
        return canonical_address(written, address) if written.strip() else ""
    except DisallowedError:
        return ""
