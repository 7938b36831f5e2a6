"""The polite HTTP client: what every request passes on its way to the web and back.

Every hop of every request passes the guard, robots.txt and the host's pace. Proxies of the
environment, cookies and .netrc are ignored: what was checked is what is asked.
"""

import dataclasses
import re
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from types import TracebackType
from urllib.parse import urlsplit

from dataset.errors import DisallowedError
from scrape.addresses import canonical_address, host_of, origin_of
from scrape.clock import Clock, SystemClock
from scrape.config import CrawlSettings
from scrape.connection import Dial, dial
from scrape.guard import Guard, Resolver, is_loopback, system_resolver
from scrape.opt_out import picture_opt_out
from scrape.pace import HostLimit, Pace
from scrape.response import Accept, FetchError, Request, Response, hide
from scrape.robots import Robots
from scrape.transport import REDIRECTS, NetworkTransport, Transport

_LONGEST_BACKOFF_S = 30.0
# A host that does not even give its robots.txt is not waited for as long as for a picture.
_ROBOTS_TRIES = 2
_UNASKED = frozenset({"host-down", "host-asleep", "stopped"})
# What a request to another host than the first must not carry along.
_PRIVATE_HEADERS = frozenset({"authorization", "cookie", "x-api-key"})


class PoliteClient:
    """Gets pages, JSON and pictures; used by many threads. Close it, or use it as a context.

    `transport` is the way to the web; without it, the network itself.
    """

    def __init__(
        self,
        settings: CrawlSettings,
        *,
        clock: Clock | None = None,
        resolver: Resolver = system_resolver,
        dial: Dial = dial,
        transport: Transport | None = None,
    ) -> None:
        self.settings = settings
        self.clock = clock or SystemClock()
        self.guard = Guard(settings.allow_hosts, resolver=resolver)
        self.pace = Pace(
            self.clock,
            connections=settings.connections_per_host,
            longest_wait_s=settings.longest_wait_s,
            gap_s=settings.gap_s,
        )
        self.transport: Transport = transport or NetworkTransport(settings, self.guard, dial=dial)
        self._apis: set[str] = set()
        self._robots = Robots(
            self._get_robots, longest_delay_s=settings.longest_wait_s, clock=self.clock
        )

    def __enter__(self) -> "PoliteClient":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        self.transport.close()

    def stop(self) -> None:
        """Wake every thread that waits, cut every open request; for the end of an interrupted run.
        Whoever was waiting gets a FetchError."""
        self.pace.stop()
        self.transport.stop()

    def wall(self) -> float:
        """The present time in seconds since 1970, as the client's clock has it."""
        return self.clock.wall()

    def use_api(self, address: str) -> None:
        """Ask the API at `address` by its own terms: its operator made it for programs, while
        robots.txt (RFC 9309, 1) speaks to crawlers, and often closes it to them."""
        if not self.settings.robots_for_apis:
            self._apis.add(address)

    def _heeds_robots(self, address: str, accept: Accept) -> bool:
        """Whether robots.txt has a say: not about APIs, nor where the user says so."""
        if (urlsplit(address).hostname or "") in self.settings.robots_off_for:
            return False
        is_api = accept == "json" and any(
            address == api or address.startswith((f"{api}?", f"{api}/")) for api in self._apis
        )
        return not is_api

    def check(self, address: str) -> None:
        """Raise what `get` would raise before asking: for pages that a browser will open."""
        self.admit(address)
        if self._heeds_robots(address, "page"):
            self._robots.check(address)
            self.pace.slow_to(host_of(address), self._robots.delay_s(address))

    def limit(self, host: str, limit: HostLimit) -> None:
        """Hold `host` (with its port, if any) to its own rules, too."""
        self.pace.limit(host, limit)

    def get(
        self,
        address: str,
        accept: Accept = "page",
        *,
        headers: Mapping[str, str] | None = None,
        secrets: tuple[str, ...] = (),
        holds_turn: bool = False,
        tries: int | None = None,
    ) -> Response:
        """GET a canonical address, following redirects, and return the whole answer (status 2xx,
        or 304 when `headers` make the request conditional).

        `secrets` (keys in the address or headers) are left out of messages and recordings;
        `holds_turn` says that the caller took the host's turn for the first request already;
        `tries` is how often to ask instead of settings.tries. Raises DisallowedError (scheme,
        credentials, private-address, no-contact, robots, robots-unreachable, opt-out) and
        FetchError (its `reason`, `is_final`, `status` say why).
        """
        request = Request(
            address=address, accept=accept, headers=headers or {}, secrets=tuple(secrets)
        )
        return self._follow(request, holds_turn=holds_turn, tries=tries)

    def post(
        self, address: str, form: Mapping[str, str], *, secrets: tuple[str, ...] = ()
    ) -> Response:
        """POST a form and return the answer as `get` does; for tokens of an API."""
        return self._follow(Request(address=address, accept="json", form=form, secrets=secrets))

    def _get_robots(self, address: str) -> Response:
        return self._follow(
            Request(address=address, accept="robots"), checked=False, tries=_ROBOTS_TRIES
        )

    def _follow(
        self,
        request: Request,
        *,
        checked: bool = True,
        holds_turn: bool = False,
        tries: int | None = None,
    ) -> Response:
        hops: list[str] = []
        asked = 0
        while len(hops) <= self.settings.max_redirects:
            hops.append(request.shown)
            try:
                answer = self._hop(request, checked=checked, holds_turn=holds_turn, tries=tries)
                holds_turn = False
                asked += answer.tries
                if answer.status not in REDIRECTS:
                    return dataclasses.replace(answer, hops=tuple(hops), tries=asked)
                location = answer.headers.get("location", "").split("\n")[0]
                request = redirected(request, canonical_address(location, request.address))
            except DisallowedError as error:
                told = hide(str(error), request.secrets)
                if request.accept == "robots" and len(hops) > 1:
                    raise FetchError("astray", f"it leads astray: {told}") from None
                raise DisallowedError(error.reason, told) from None
            if request.shown in hops:
                raise FetchError("redirect-loop", f"{hops[0]} leads in a circle", is_final=True)
        raise FetchError("too-many-redirects", f"{hops[0]} leads on and on", is_final=True)

    def _hop(
        self, request: Request, *, checked: bool, holds_turn: bool, tries: int | None
    ) -> Response:
        """One address of the way: checked, then asked until there is an answer."""
        host = host_of(request.address)
        checked = checked and self._heeds_robots(request.address, request.accept)
        if holds_turn and checked and not self._robots.knows(request.address):
            # robots.txt needs a turn itself, perhaps the only one that the host grants.
            self.pace.release(host)
            holds_turn = False
        try:
            self.admit(request.address)
            if checked:
                self._robots.check(request.address)
                self.pace.slow_to(host, self._robots.delay_s(request.address))
        except BaseException:
            if holds_turn:
                self.pace.release(host)
            raise
        return self._persist(request, host, holds_turn=holds_turn, tries=tries)

    def admit(self, address: str) -> None:
        """The guard's checks of an address, and the demand for a contact before going out."""
        self.guard.check(address)
        host = urlsplit(address).hostname or ""
        if not self.settings.contact and not (self.guard.allows(host) and is_loopback(host)):
            raise DisallowedError(
                "no-contact",
                f"{host} is not asked without a contact address; "
                'set crawl.contact = "you@example.org" in the config',
            )

    def _persist(
        self, request: Request, host: str, *, holds_turn: bool, tries: int | None
    ) -> Response:
        """Ask until there is an answer, at most `tries` times."""
        most = tries or self.settings.tries
        for attempt in range(1, most + 1):
            try:
                if holds_turn:
                    holds_turn = False
                    try:
                        answer = self._ask(request)
                    finally:
                        self.pace.release(host)
                else:
                    with self.pace.turn(host):
                        answer = self._ask(request)
                self.pace.answered(host, answer.latency_s)
                return dataclasses.replace(answer, tries=attempt)
            except FetchError as error:
                unasked = error.reason in _UNASKED
                error.tries = attempt - unasked
                self._note_failure(host, error)
                if error.is_final or unasked or attempt == most:
                    # A body that is cut every time is how the site has it, not bad luck.
                    error.is_final |= error.reason == "cut-short" and attempt > 1
                    raise
                if not error.wait_s:
                    self.pace.pause(min(2.0 ** (attempt - 1), _LONGEST_BACKOFF_S))
        raise AssertionError("the last attempt returns or raises")

    def _note_failure(self, host: str, error: FetchError) -> None:
        if error.wait_s and error.reason != "host-asleep":
            self.pace.rest(host, error.wait_s)
        if error.status:
            self.pace.answered(host)
            if error.status in (429, 503):
                self.pace.pushed_back(host)
        elif error.reason in ("dns", "connection", "timeout", "tls", "too-slow"):
            self.pace.failed(host, was_silent=error.reason in ("timeout", "too-slow"))

    def _ask(self, request: Request) -> Response:
        """One request; the host's no is heard before the body is read, or right after it."""

        def check(status: int, headers: Mapping[str, str]) -> None:
            if request.accept == "picture" and 200 <= status < 300:
                tags = headers.get("x-robots-tag", "").split("\n")
                directive = picture_opt_out(tags, headers.get("tdm-reservation", ""))
                if directive:
                    raise DisallowedError("opt-out", f"{request.shown} says {directive}")

        answer = self.transport.ask(request, check)
        status = answer.status
        if 200 <= status < 300 and status != 206:
            return answer
        if status in REDIRECTS and "location" in answer.headers:
            return answer
        if status == 304 and request.headers:
            return answer
        raise self._no_answer(request, answer)

    def _no_answer(self, request: Request, answer: Response) -> FetchError:
        status = answer.status
        may_recover = status in (408, 425, 429) or status >= 500
        wait_s = retry_after_s(answer.headers.get("retry-after", ""), self.clock.wall())
        read_wait = self.pace.limit_of(host_of(request.address)).read_wait
        if may_recover and not wait_s and read_wait is not None:
            wait_s = read_wait(answer.headers, answer.body)
        return FetchError(
            "not-found" if status in (404, 410) else f"http-{status}",
            f"{request.shown}: HTTP {status}",
            is_final=not may_recover,
            status=status,
            wait_s=wait_s if may_recover else 0.0,
            headers=answer.headers,
            body=answer.body,
        )


def retry_after_s(value: str, wall: float) -> float:
    """Seconds to wait by a Retry-After header, a number or an HTTP date (RFC 9110, 10.2.3)."""
    if re.fullmatch(r"\s*[0-9]{1,9}\s*", value):
        return float(value)
    try:
        return max(parsedate_to_datetime(value).timestamp() - wall, 0.0)
    except (ValueError, OverflowError, OSError):
        return 0.0


def redirected(request: Request, address: str) -> Request:
    """The request that follows a redirect: a GET, without keys when it leaves the site or its
    encryption."""
    headers = request.headers
    secure = request.address.replace("http://", "https://", 1)
    if origin_of(address) not in (origin_of(request.address), origin_of(secure)):
        headers = {k: v for k, v in headers.items() if k.lower() not in _PRIVATE_HEADERS}
    return dataclasses.replace(request, address=address, headers=headers, form=None)
