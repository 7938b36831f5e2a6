"""Which pictures: the filter that addresses, whole-filter actions and overviews share."""

import re
from dataclasses import dataclass
from typing import Any

from dataset.records import STATUSES

# What a picture can be sorted by and cut at besides the quality measures.
OWN_COLUMNS = ("stars", "pixels", "bytes", "score", "predicted", "worth")
KEYS = ("status", "label", "source", "licence", "text", "stars", "between")

_LONGEST = {"label": 2000, "source": 2000, "licence": 2000}  # as they were found on the web
_LONGEST_OTHER = 200
_MOST_RANGES = 8
_RANGE = re.compile(
    r"(?P<name>[a-z][a-z0-9_ ]{0,39}):(?P<low>[^.,]*(?:\.[^.,]+)?)\.\.(?P<high>[^,]*)"
)
_NUMBER = re.compile(r"[+-]?\d{1,21}(\.\d{1,25})?(e[+-]?\d{1,2})?", re.IGNORECASE | re.ASCII)
_IN_NO_TEXT = re.compile("[\0\ud800-\udfff]")
_STARS = re.compile(r"([0-5])(?:-([0-5]))?")


class BadFilter(ValueError):
    """A filter that makes no sense; the text is one line for the person who wrote it."""


@dataclass(frozen=True, kw_only=True)
class Range:
    """Pictures whose column `name` is `low` to `high`, both included; None is open."""

    name: str
    low: float | None
    high: float | None


@dataclass(frozen=True, kw_only=True)
class Filter:
    """Every field that is set must hold. An empty label is "no label"; `text` are words that the
    captions must have; `stars` is one number or a span as in "3-5"; `between` are ranges of
    columns as in "sharpness:0.2..0.8,pixels:4096.."."""

    status: str | None = None
    label: str | None = None
    source: str | None = None
    licence: str | None = None
    text: str = ""
    stars: str = ""
    between: str = ""

    def __post_init__(self) -> None:
        for key in KEYS:
            value = getattr(self, key)
            if value is not None and not fits(key, value):
                raise BadFilter(f"{key} must be text of at most {_longest(key)} letters")
        if self.text and _IN_NO_TEXT.search(self.text):
            raise BadFilter("text holds letters that no caption has")
        if self.status not in (None, *STATUSES):
            raise BadFilter(f"status {self.status!r} is none of: {', '.join(STATUSES)}")
        self.star_span()
        self.ranges()

    def star_span(self) -> tuple[int, int]:
        """The fewest and the most stars; 0 to 5 when any will do."""
        if not self.stars:
            return 0, 5
        parts = _STARS.fullmatch(self.stars)
        low, high = (int(parts[1]), int(parts[2] or parts[1])) if parts else (1, 0)
        if low > high:
            raise BadFilter(f"stars {self.stars!r} must be one number of 0 to 5 or a span like 3-5")
        return low, high

    def ranges(self) -> list[Range]:
        texts = self.between.split(",") if self.between else []
        if len(texts) > _MOST_RANGES:
            raise BadFilter(f"between holds more than {_MOST_RANGES} ranges")
        return [_range(text.strip()) for text in texts]


def fits(key: str, value: object) -> bool:
    """Whether a filter takes the value by its kind and length."""
    return isinstance(value, str) and len(value) <= _longest(key)


def _longest(key: str) -> int:
    return _LONGEST.get(key, _LONGEST_OTHER)


def arguments(where: Filter) -> dict[str, Any]:
    """The filter as it stands in addresses: only what is set."""
    values = {key: getattr(where, key) for key in KEYS}
    # An empty label means "no label"; an empty text, span or range means any.
    return {
        key: value
        for key, value in values.items()
        if value is not None and (value or key in ("label", "source", "licence"))
    }


def _range(text: str) -> Range:
    parts = _RANGE.fullmatch(text)
    if parts is None:
        raise BadFilter(f"between {text!r} must read like sharpness:0.2..0.8 or pixels:4096..")
    low, high = (_bound(parts[side], text) for side in ("low", "high"))
    if low is None and high is None:
        raise BadFilter(f"between {text!r} has neither a lower nor an upper bound")
    return Range(name=parts["name"], low=low, high=high)


def _bound(text: str, whole: str) -> float | None:
    if not text:
        return None
    if _NUMBER.fullmatch(text) is None:
        raise BadFilter(f"between {whole!r}: {text!r} is no number")
    return float(text)
