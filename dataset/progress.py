"""One progress display for every stage: a bar on a terminal, lines in a log, JSON for a program.

`--progress auto|json|quiet` chooses; everything goes to stderr, results go to stdout.
"""

import json
import sys
import time
from collections.abc import Iterable, Iterator
from types import TracebackType
from typing import Any, Literal, TypeVar

from tqdm import tqdm

T = TypeVar("T")
ProgressMode = Literal["auto", "json", "quiet"]

_LOG_EVERY_S = 5.0
_JSON_EVERY_S = 0.5
_mode: ProgressMode = "auto"


def set_progress_mode(mode: ProgressMode) -> None:
    """Choose the display for this process; called once by the command line."""
    global _mode
    _mode = mode


class Progress:
    """Counts `done` of `total` (None: unknown) in `unit`s, with rate and time left."""

    def __init__(self, title: str, total: int | None, unit: str = "it", done: int = 0) -> None:
        self.title, self.total, self.unit = title, total, unit
        self.start, self.done, self.note = done, done, ""
        self._started_at = self._shown_at = time.monotonic()
        self._bar: tqdm[Any] | None = None
        if _mode == "auto" and sys.stderr.isatty():
            self._bar = tqdm(
                total=total,
                initial=done,
                desc=title,
                unit=f" {unit}",  # tqdm has no space between the rate and this
                dynamic_ncols=True,
                smoothing=0.1,
            )

    def __enter__(self) -> "Progress":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._bar is not None:
            self._bar.close()
        else:
            self._show(final=True)

    def advance(self, count: int = 1, note: str | None = None) -> None:
        """Add `count` finished units; `note` is shown beside them (such as the loss)."""
        self.done += count
        self.note = self.note if note is None else note
        if self._bar is not None:
            if note is not None:
                self._bar.set_postfix_str(note, refresh=False)
            self._bar.update(count)
            return
        every = _JSON_EVERY_S if _mode == "json" else _LOG_EVERY_S
        if time.monotonic() - self._shown_at >= every:
            self._show(final=False)

    @property
    def rate(self) -> float:
        """Units a second since the start of this process's share."""
        return (self.done - self.start) / max(time.monotonic() - self._started_at, 1e-9)

    def _show(self, final: bool) -> None:
        self._shown_at = time.monotonic()
        seconds = self._shown_at - self._started_at
        left = None
        if self.total is not None and self.rate > 0:
            left = max(self.total - self.done, 0) / self.rate
        if _mode == "json":
            line = {
                "title": self.title,
                "done": self.done,
                "total": self.total,
                "unit": self.unit,
                "rate": round(self.rate, 3),
                "eta_s": None if left is None else round(left, 1),
                "note": self.note,
                "final": final,
            }
            print(json.dumps(line), file=sys.stderr, flush=True)
        elif _mode == "auto" and (seconds >= 2 or not final):
            total = "" if self.total is None else f"/{self.total}"
            eta = "" if left is None or final else f", {clock(left)} left"
            note = f", {self.note}" if self.note else ""
            text = f"{self.title}: {self.done}{total} {self.unit}, {self.rate:.1f}/s{eta}{note}"
            print(f"{text} ({clock(seconds)})", file=sys.stderr, flush=True)


def track(items: Iterable[T], title: str, total: int | None, unit: str = "it") -> Iterator[T]:
    """Yield `items` unchanged while a Progress counts them."""
    with Progress(title, total, unit) as progress:
        for item in items:
            yield item
            progress.advance()


def clock(seconds: float) -> str:
    """Such as 12:34 or 1:02:03."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
