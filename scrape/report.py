"""What a crawl came to: every picture counted once, every no with its reason."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from dataset.errors import (
    ConfigError,
    DataError,
    DisallowedError,
    PipelineError,
    WorldError,
)
from dataset.records import ADDRESS_STATES
from scrape.reasons import advice

# What it means when nothing but this came of a crawl.
_EXIT_CODES = {"rejected": 3, "retry": 4, "failed": 4, "refused": 5}


@dataclass
class SourceReport:
    """One source's share: items named, addresses asked for, pictures still to be had (`left`), and
    how its lists ended: read to the end, at the limit, or with a reason and an exit code."""

    items: int = 0
    asked: int = 0
    left: int = 0
    is_read: bool = False
    is_limited: bool = False
    reason: str = ""
    message: str = ""
    exit_code: int = 0

    @property
    def is_complete(self) -> bool:
        """Whether a rerun would find nothing that this run did not."""
        return self.is_read and not self.left


@dataclass
class CrawlReport:
    """Counts of pictures: `added` are new, `known` were in the catalogue under another address,
    `seen` under this one (not asked again), `unchanged` by the site's own word, `settled` got a
    final no in an earlier run, `waiting` are not due yet. `outcomes` maps rejected, refused, failed
    and retry to counts by reason; `hosts` says why a host was not asked any more."""

    added: int = 0
    known: int = 0
    seen: int = 0
    unchanged: int = 0
    settled: int = 0
    waiting: int = 0
    outcomes: dict[str, Counter[str]] = field(
        default_factory=lambda: {
            state: Counter() for state in ADDRESS_STATES if state not in ("new", "fetched")
        }
    )
    sources: dict[str, SourceReport] = field(default_factory=dict)
    hosts: dict[str, str] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    seconds: float = 0.0

    def verdict(self) -> PipelineError | None:
        """The error that the crawl as a whole amounts to, or None when it was worth something."""
        unread = [source for source in self.sources.values() if not source.items and source.reason]
        if unread and len(unread) == len(self.sources):
            text = f"no source could be read; the first: {unread[0].message}"
            codes = {source.exit_code for source in unread}
            return _error(codes.pop() if len(codes) == 1 else 4, unread[0].reason, text)
        counts = {state: found for state, found in self.outcomes.items() if found}
        if not counts or self.added or self.known or self.seen or self.unchanged:
            return None
        told = ", ".join(
            f"{n} {reason}" for found in counts.values() for reason, n in found.items()
        )
        code = _EXIT_CODES[next(iter(counts))] if len(counts) == 1 else 4
        usual = max(counts.values(), key=lambda found: found.total()).most_common(1)[0][0]
        todo = f"; {advice(usual)}" if advice(usual) else ""
        return _error(code, "nothing", f"no picture could be had ({told}){todo}")

    def rows(self) -> list[tuple[str, str, int]]:
        """(what, why, count) for every line of the summary that counts something."""
        counted = [
            ("added", "", self.added),
            ("known", "same picture elsewhere", self.known),
            ("seen", "had it already", self.seen),
            ("unchanged", "the site says so", self.unchanged),
            ("settled", "a no from an earlier run (see: scrape retry)", self.settled),
            ("waiting", "the site asked to wait", self.waiting),
        ]
        for state, reasons in self.outcomes.items():
            counted += [(state, reason, n) for reason, n in reasons.most_common()]
        return [row for row in counted if row[2] or row[0] == "added"]

    def to_json(self) -> dict[str, Any]:
        return {
            "added": self.added,
            "known": self.known,
            "seen": self.seen,
            "unchanged": self.unchanged,
            "settled": self.settled,
            "waiting": self.waiting,
            **{state: dict(counts) for state, counts in self.outcomes.items()},
            "sources": {name: vars(source) for name, source in self.sources.items()},
            "hosts": self.hosts,
            "warnings": self.warnings,
            "seconds": round(self.seconds, 2),
        }

    def to_text(self) -> str:
        """The summary for a person: one line per outcome, then what is wrong with sources."""
        lines = [f"{what:<9} {count:>7}  {why}".rstrip() for what, why, count in self.rows()]
        for name, source in self.sources.items():
            if source.reason:
                lines.append(f"source {name} stopped after {source.items} items: {source.message}")
        lines += [f"not asked further: {reason}" for reason in self.hosts.values()]
        lines += [f"warning: {warning}" for warning in self.warnings]
        return "\n".join([*lines, f"{self.seconds:.1f} s"])


def _error(code: int, reason: str, text: str) -> PipelineError:
    if code == DisallowedError.exit_code:
        return DisallowedError(reason, text)
    return {2: ConfigError, 3: DataError}.get(code, WorldError)(text)


def table(title: str, counts: Mapping[str, int]) -> str:
    """A small table of counts, largest first."""
    lines = [f"{title}:"]
    for name, count in sorted(counts.items(), key=lambda pair: (-pair[1], pair[0])):
        lines.append(f"  {count:>7}  {name or '(none)'}")
    return "\n".join(lines)
