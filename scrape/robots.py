"""robots.txt (RFC 9309): asked once per site and run, obeyed for every request."""

import threading
from collections.abc import Callable
from dataclasses import dataclass

from protego import Protego

from dataset.errors import DisallowedError
from scrape.addresses import origin_of
from scrape.config import AGENT
from scrape.response import FetchError, Response

_ALLOW_ALL = ""


@dataclass(frozen=True)
class _Rules:
    """One site's rules; `unreachable` says why they could not be read."""

    parsed: Protego
    unreachable: str = ""


class Robots:
    """The rules of every site met in this run. `fetch` gets robots.txt itself, unchecked."""

    def __init__(self, fetch: Callable[[str], Response], *, longest_delay_s: float) -> None:
        self._fetch = fetch
        self._longest_delay_s = longest_delay_s
        self._rules: dict[str, _Rules] = {}
        self._locks: dict[str, threading.Lock] = {}
        self._lock = threading.Lock()

    def check(self, address: str) -> None:
        """Raise DisallowedError: robots when the site forbids `address`, robots-unreachable when
        its rules cannot be read, which forbids everything (RFC 9309, 2.3.1.4)."""
        rules = self._of(address)
        if rules.unreachable:
            raise DisallowedError(
                "robots-unreachable",
                f"robots.txt of {origin_of(address)} cannot be read: {rules.unreachable}",
            )
        if not rules.parsed.can_fetch(address, AGENT):
            raise DisallowedError("robots", f"robots.txt forbids {address}")

    def delay_s(self, address: str) -> float:
        """The site's Crawl-delay in seconds, capped; 0 when it asks for none."""
        delay = self._of(address).parsed.crawl_delay(AGENT)
        return min(float(delay or 0.0), self._longest_delay_s)

    def _of(self, address: str) -> _Rules:
        site = origin_of(address)
        with self._lock:
            lock = self._locks.setdefault(site, threading.Lock())
        with lock:
            if site not in self._rules:
                self._rules[site] = self._read(site)
            return self._rules[site]

    def _read(self, site: str) -> _Rules:
        try:
            answer = self._fetch(f"{site}/robots.txt")
        except FetchError as error:
            if 400 <= error.status < 500 and error.status != 429:
                return _Rules(Protego.parse(_ALLOW_ALL))
            if error.reason == "stopped":
                raise
            return _Rules(Protego.parse(_ALLOW_ALL), unreachable=str(error))
        return _Rules(Protego.parse(answer.body.decode("utf-8-sig", "replace")))
