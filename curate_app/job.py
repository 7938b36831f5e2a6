"""One command at work for the app: what it is at, what it said, how it ended."""

import json
import math
import shlex
import subprocess
import time
from collections import deque
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal

State = Literal["queued", "running", "done", "failed", "stopped"]
Kind = Literal["pack", "scrape", "predict", "draw", "assess", "novelty"]
_LINES = 100


@dataclass(kw_only=True)
class Job:
    """One command at work, waiting or finished. `rate` is units a second, `eta_s` seconds left.

    `result` is what it printed, `log` its last lines beside the progress, `step` what it is at.
    """

    id: int
    kind: Kind
    title: str
    command: list[str]
    state: State = "queued"
    step: str = ""
    done: int = 0
    total: int | None = None
    unit: str = ""
    rate: float = 0.0
    eta_s: float | None = None
    note: str = ""
    log: deque[str] = field(default_factory=lambda: deque(maxlen=_LINES))
    result: str = ""
    exit_code: int | None = None
    queued_at: str = field(default_factory=lambda: datetime.now(UTC).isoformat(timespec="seconds"))
    started: float | None = None  # by the monotonic clock, as is `ended`
    ended: float | None = None
    stop_wanted: bool = False
    process: subprocess.Popen[str] | None = None

    @property
    def is_over(self) -> bool:
        return self.state in ("done", "failed", "stopped")

    @property
    def error(self) -> str:
        """The line that says why it failed, "" unless it did."""
        if self.state != "failed":
            return ""
        lines = [line for line in self.log if line.startswith("error: ")]
        last = [*lines, *([] if lines else list(self.log)[-1:])][-1:]
        if not last and self.exit_code is not None and self.exit_code < 0:
            return f"signal {-self.exit_code} ended it, as when memory runs short; try again"
        return last[0].removeprefix("error: ") if last else f"it ended with {self.exit_code}"

    @property
    def summary(self) -> str:
        """How far it has come, in words: the step, done of total, rate, time left."""
        if self.state == "queued":
            return "waits for another one of its kind"
        if not self.step:
            return "" if self.is_over else "starting"
        of_total = "" if self.total is None else f" of {self.total:,}"
        parts = [f"{self.step}: {self.done:,}{of_total} {self.unit}"]
        if self.rate:
            parts.append(f"{self.rate:,.0f}/s" if self.rate >= 10 else f"{self.rate:.1f}/s")
        if not self.is_over and self.eta_s is not None:
            parts.append(f"{_clock(self.eta_s)} left")
        if self.is_over and self.started is not None and self.ended is not None:
            seconds = self.ended - self.started
            parts.append(f"took {seconds:.1f} s" if seconds < 60 else f"took {_clock(seconds)}")
        return ", ".join([*parts, *([self.note] if self.note else [])])

    @property
    def shell_line(self) -> str:
        """The command as one types it in a terminal."""
        return shlex.join(["python", *self.command[1:]])

    def as_json(self) -> dict[str, Any]:
        names = ("id", "kind", "title", "state", "step", "done", "total", "unit", "rate", "eta_s")
        more = ("note", "result", "exit_code", "queued_at", "error", "summary")
        until = self.ended or time.monotonic()
        return {
            **{name: getattr(self, name) for name in (*names, *more)},
            "log": list(self.log),
            "command": self.shell_line,
            "seconds": 0.0 if self.started is None else round(until - self.started, 1),
        }

    def take_progress(self, line: str) -> bool:
        """Read one line of `dataset.progress`; False when it is none."""
        try:
            told = json.loads(line) if line.startswith("{") else None
        except (ValueError, RecursionError):
            return False
        if not isinstance(told, dict) or not {"title", "done", "total"} <= set(told):
            return False
        self.step, self.unit = str(told["title"])[:80], str(told.get("unit", ""))[:20]
        self.note = str(told.get("note") or "")[:200]
        self.done = int(_number(told["done"]) or 0)
        total = _number(told["total"])
        self.total = None if total is None else int(total)
        self.rate = _number(told.get("rate")) or 0.0
        self.eta_s = _number(told.get("eta_s"))
        return True


def _number(value: Any) -> float | None:
    """A finite number that is not negative, or None."""
    fits = type(value) in (int, float) and 0 <= value < math.inf
    return value if fits else None


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
