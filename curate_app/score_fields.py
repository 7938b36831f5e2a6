"""The ranges of scores in a filter, one by one, as three fields of a form write and show them."""

from dataclasses import dataclass

from curate_app.filters import Filter


@dataclass(frozen=True, kw_only=True)
class ScoreField:
    """One range as a person reads it; an open end is ""."""

    name: str
    low: str
    high: str

    @property
    def words(self) -> str:
        if not self.high:
            return f"{self.name} from {self.low}"
        return (
            f"{self.name} {self.low} to {self.high}" if self.low else f"{self.name} to {self.high}"
        )


def with_range(between: str, name: str, low: str, high: str) -> str:
    """The ranges of `between` with that of the score `name` set anew, or left out when both of
    its ends are empty. Nothing is checked: the page that is asked for does so."""
    others = [text for text in _texts(between) if text.partition(":")[0] != name]
    mine = [f"{name}:{low}..{high}"] if low or high else []
    return ",".join([*others, *mine])


def score_fields(where: Filter) -> list[tuple[ScoreField, str]]:
    """Each range of the filter, and the text of all the others."""
    texts = _texts(where.between)
    found = []
    for place, text in enumerate(texts):
        name, _, ends = text.partition(":")
        low, _, high = ends.partition("..")
        rest = ",".join([*texts[:place], *texts[place + 1 :]])
        found.append((ScoreField(name=name, low=low, high=high), rest))
    return found


def _texts(between: str) -> list[str]:
    return [text.strip() for text in between.split(",") if text.strip()]
