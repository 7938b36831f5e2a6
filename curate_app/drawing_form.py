"""What is to be drawn, as a person chose it: read strictly from an address or a body."""

import math
import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

from curate_app.runs import Run
from dataset.errors import ConfigError
from dataset.wording import NO_TEXT

# What `python -m sample draw` knows, with what is said of each; this stage never imports that one.
SAMPLERS = {
    "dpm++2m": "quick, the usual one",
    "unipc": "good in very few steps",
    "heun": "careful, twice the work",
    "euler": "plain",
    "ddim": "as in the papers",
    "dpm++2m-sde": "fresh noise",
    "ddpm": "the long way",
}
MOST_PICTURES = 64
MOST_STEPS = 1000
MOST_GUIDANCE = 50.0
MOST_SEED = 2**53 - 1 - MOST_PICTURES  # a browser's numbers are exact up to there
SHARES = {0.1: "very near", 0.25: "near", 0.45: "farther off"}

_WHOLE, _NUMBER = re.compile("[0-9]{1,16}"), re.compile(r"[0-9]{1,4}(\.[0-9]{1,4})?")
_LONGEST = 200
_WHOLE_KEYS = ("steps", "seed", "count", "like")


@dataclass(frozen=True, kw_only=True)
class DrawForm:
    """The settings of one drawing; `like` asks for pictures beside the one of that seed.

    Raises ConfigError, naming the key, for what is out of range.
    """

    label: str = ""  # "": all classes in turn
    sampler: str = "dpm++2m"
    steps: int = 20
    guidance: float = 2.0
    seed: int = 0
    count: int = 8
    checkpoint: str = ""  # "": the newest
    like: int | None = None
    share: float = 0.25  # how far from it, on the way to another seed

    def __post_init__(self) -> None:
        for key in ("label", "sampler", "checkpoint"):
            value = getattr(self, key)
            sure = isinstance(value, str) and len(value) <= _LONGEST and not NO_TEXT.search(value)
            _require(sure, key, value, "a short text")
        _require(self.sampler in SAMPLERS, "sampler", self.sampler, f"one of {', '.join(SAMPLERS)}")
        _in_range("steps", self.steps, 1, MOST_STEPS)
        _in_range("seed", self.seed, 0, MOST_SEED)
        _in_range("count", self.count, 1, MOST_PICTURES)
        if self.like is not None:
            _in_range("like", self.like, 0, MOST_SEED)
        number = type(self.guidance) in (int, float) and math.isfinite(self.guidance)
        sure = number and 0 <= self.guidance <= MOST_GUIDANCE
        _require(sure, "guidance", self.guidance, f"a number from 0 to {MOST_GUIDANCE:g}")
        known = ", ".join(f"{share:g}" for share in SHARES)
        sure = type(self.share) is float and self.share in SHARES
        _require(sure, "share", self.share, f"one of {known}")

    def fitted(self, run: Run) -> "DrawForm":
        """The same, where `run` knows its class and checkpoint and has so many steps; raises
        ConfigError where it does not."""
        known = ", ".join(run.labels) or "none"
        sure = self.label == "" or self.label in run.labels
        _require(sure, "label", self.label, f"one of the classes of {run.name}: {known}")
        sure = self.checkpoint == "" or self.checkpoint in run.checkpoints
        _require(sure, "checkpoint", self.checkpoint, f"one of {', '.join(run.checkpoints)}")
        most = min(MOST_STEPS, run.most_steps)
        _require(self.steps <= most, "steps", self.steps, f"a whole number from 1 to {most}")
        sure = self.like is None or run.kind == "diffusion"
        _require(sure, "like", self.like, "left out: an autoencoder knows nothing alike")
        return self

    def request(self, number: int) -> dict[str, Any]:
        """The line for the drawing process."""
        told = asdict(self)
        told.pop("checkpoint")
        if self.like is None:
            del told["like"], told["share"]
        return {"verb": "draw", "id": number, **told}

    def address(self) -> dict[str, Any]:
        """What of it is not as usual, as the keys of an address."""
        usual = DrawForm()
        changed = {f.name: getattr(self, f.name) for f in fields(self)}
        return {key: value for key, value in changed.items() if value != getattr(usual, key)}

    def shell_line(self, run: Run) -> str:
        """The command that draws the same in a terminal."""
        path = run.path if not self.checkpoint else run.checkpoint(self.checkpoint)
        words: list[object] = ["python", "-m", "sample", "draw", path]
        words += ["--label", self.label] if self.label else []
        if run.kind == "diffusion":
            words += ["--sampler", self.sampler, "--steps", self.steps]
            words += ["--guidance", f"{self.guidance:g}"]
        words += ["--seed", self.seed, "--count", self.count, "--out", "drawn"]
        return shlex.join(map(str, words))


def read_form(given: Mapping[str, Any]) -> DrawForm:
    """The form of a body or of an address, whose values are texts; what is absent is as usual.

    Raises ConfigError for an unknown key or a value that does not fit.
    """
    known = {field.name for field in fields(DrawForm)}
    if unknown := sorted(set(given) - known):
        raise ConfigError(
            f"unknown key {str(unknown[0])[:40]!r}; known: {', '.join(sorted(known))}"
        )
    return DrawForm(**{key: _typed(key, value) for key, value in given.items()})


def _typed(key: str, value: Any) -> Any:
    """A text that reads as the number that the key means, as such."""
    if isinstance(value, str):
        if key in _WHOLE_KEYS and _WHOLE.fullmatch(value):
            return int(value)
        if key in ("guidance", "share") and _NUMBER.fullmatch(value):
            return float(value)
    return float(value) if key in ("guidance", "share") and type(value) is int else value


def _in_range(key: str, value: Any, low: int, high: int) -> None:
    sure = type(value) is int and low <= value <= high
    _require(sure, key, value, f"a whole number from {low} to {high}")


def _require(holds: bool, key: str, value: Any, must: str) -> None:
    if not holds:
        shown = repr(value)
        raise ConfigError(f"{key} is {shown[:60]}; it must be {must}")


def allowed_keys() -> Sequence[str]:
    """Of an address or a body, beside the run."""
    return [field.name for field in fields(DrawForm)]
