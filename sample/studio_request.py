"""What the studio is asked for: one line of JSON, read strictly."""

import json
import math
from dataclasses import dataclass
from typing import Any

from dataset.errors import ConfigError
from train.checked import require

LONGEST_LINE = 4096
MOST_PICTURES = 64
MOST_STEPS = 1000
MOST_GUIDANCE = 50.0
MOST_SEED = 2**53 - 1 - MOST_PICTURES  # a number that a browser writes exactly, and those after it


@dataclass(frozen=True, kw_only=True)
class DrawRequest:
    """Pictures to draw, numbered by `id`; those of `like` lie beside the picture of that seed."""

    id: int
    seed: int  # of the first picture, or the first seed that a like picture leans to
    count: int
    sampler: str
    steps: int
    guidance: float
    label: str = ""  # "": all classes in turn
    like: int | None = None
    share: float = 0.25  # of the way from `like` to the other seed

    def __post_init__(self) -> None:
        _whole("id", self.id, 0, MOST_SEED)
        _whole("seed", self.seed, 0, MOST_SEED)
        _whole("count", self.count, 1, MOST_PICTURES)
        _whole("steps", self.steps, 1, MOST_STEPS)
        if self.like is not None:
            _whole("like", self.like, 0, MOST_SEED)
        _number("guidance", self.guidance, 0.0, MOST_GUIDANCE)
        _number("share", self.share, 0.0, 1.0)
        for key in ("label", "sampler"):
            value = getattr(self, key)
            require(isinstance(value, str) and len(value) <= 200, key, value, "a short text")


@dataclass(frozen=True, kw_only=True)
class StopRequest:
    """No more pictures of the request `id`."""

    id: int

    def __post_init__(self) -> None:
        _whole("id", self.id, 0, MOST_SEED)


@dataclass(frozen=True, kw_only=True)
class EndRequest:
    """Nothing more is wanted."""


Request = DrawRequest | StopRequest | EndRequest

_KINDS: dict[str, type[Request]] = {"draw": DrawRequest, "stop": StopRequest, "end": EndRequest}


def read_request(line: str) -> Request:
    """One request; raises ConfigError, in one line, for what is none."""
    try:
        told = json.loads(line) if len(line) <= LONGEST_LINE else None
    except (ValueError, RecursionError):
        told = None
    if not isinstance(told, dict):
        raise ConfigError(
            f"{line[:60]!r} is no request; send a JSON object of at most {LONGEST_LINE} letters"
        )
    verb = told.pop("verb", None)
    kind = _KINDS.get(verb) if isinstance(verb, str) else None
    if kind is None:
        raise ConfigError(f"verb is {verb!r}; it must be one of {', '.join(_KINDS)}")
    return _built(kind, told)


def number_of(line: str) -> int | None:
    """The id that a line which was refused may have had, so that the answer names it."""
    try:
        told = json.loads(line[:LONGEST_LINE])
    except (ValueError, RecursionError):
        return None
    found = told.get("id") if isinstance(told, dict) else None
    return found if type(found) is int and 0 <= found <= MOST_SEED else None


def _built(kind: type[Request], told: dict[str, Any]) -> Request:
    known = kind.__dataclass_fields__
    if unknown := sorted(set(told) - set(known)):
        raise ConfigError(
            f"unknown key {unknown[0][:40]!r} in the request; known: {', '.join(known)}"
        )
    try:
        return kind(**told)
    except TypeError as error:
        missing = [name for name in known if name not in told]
        raise ConfigError(f"the request lacks {', '.join(missing)}") from error


def _whole(key: str, value: object, low: int, high: int) -> None:
    is_one = type(value) is int and low <= value <= high
    require(is_one, key, value, f"a whole number from {low} to {high}")


def _number(key: str, value: object, low: float, high: float) -> None:
    is_one = type(value) in (int, float) and math.isfinite(value) and low <= value <= high  # type: ignore[arg-type, operator]
    require(is_one, key, value, f"a number from {low:g} to {high:g}")
