"""robots.txt (RFC 9309): asked once per site and run, obeyed for every request."""

import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from protego import Protego

from dataset.errors import DisallowedError
from scrape.addresses import origin_of
from scrape.clock import Clock
from scrape.config import AGENT
from scrape.response import FetchError, Response

_ALLOW_ALL = ""
_KEPT_S = 24 * 3600.0  # RFC 9309, 2.4: no longer than a day
# Rules that are about to expire count as not known: they may be read again at any moment.
_SOON_S = 600.0
# Sites whose rules are kept in memory; those not asked for longest are forgotten.
_SITES = 1000


@dataclass(frozen=True)
class _Rules:
    """One site's rules; `unreachable` says why they could not be read."""

    parsed: Protego
    unreachable: str = ""
    read_at: float = 0.0


class Robots:
    """The rules of every site met in this run. `fetch` gets robots.txt itself, unchecked."""

    def __init__(
        self, fetch: Callable[[str], Response], *, longest_delay_s: float, clock: Clock
    ) -> None:
        self._fetch = fetch
        self._clock = clock
        self._longest_delay_s = longest_delay_s
        self._rules: OrderedDict[str, _Rules] = OrderedDict()
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

    def knows(self, address: str) -> bool:
        """Whether the rules for `address` are at hand, so that `check` will ask for nothing."""
        with self._lock:
            rules = self._rules.get(origin_of(address))
            age_s = self._clock.now() - rules.read_at if rules else _KEPT_S
            return age_s < _KEPT_S - _SOON_S

    def delay_s(self, address: str) -> float:
        """The site's Crawl-delay in seconds, capped; 0 when it asks for none."""
        delay = self._of(address).parsed.crawl_delay(AGENT)
        return min(float(delay or 0.0), self._longest_delay_s)

    def _of(self, address: str) -> _Rules:
        site = origin_of(address)
        with self._lock:
            lock = self._locks.setdefault(site, threading.Lock())
        with lock:
            with self._lock:
                rules = self._rules.get(site)
                if rules is not None:
                    self._rules.move_to_end(site)
            if rules is None or self._clock.now() - rules.read_at > _KEPT_S:
                rules = self._read(site)
                self._keep(site, rules)
            return rules

    def _keep(self, site: str, rules: _Rules) -> None:
        with self._lock:
            self._rules[site] = rules
            self._rules.move_to_end(site)
            while len(self._rules) > _SITES:
                forgotten, _ = self._rules.popitem(last=False)
                self._locks.pop(forgotten, None)

    def _read(self, site: str) -> _Rules:
        try:
            answer = self._fetch(f"{site}/robots.txt")
        except FetchError as error:
            if 400 <= error.status < 500 and error.status != 429:
                return _Rules(Protego.parse(_ALLOW_ALL), read_at=self._clock.now())
            if error.reason in ("stopped", "host-asleep", "host-down"):
                raise
            return self._unreachable(str(error))
        text = answer.body.decode("utf-8-sig", "replace")
        return _Rules(Protego.parse(text), read_at=self._clock.now())

    def _unreachable(self, why: str) -> _Rules:
        return _Rules(Protego.parse(_ALLOW_ALL), unreachable=why, read_at=self._clock.now())
