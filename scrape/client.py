"""The polite HTTP client: the one place where this project speaks to the web.

Every hop of every request passes the guard, robots.txt and the host's pace. Proxies of the
environment, cookies and .netrc are ignored: what was checked is what is asked.
"""

import dataclasses
import re
from email.utils import parsedate_to_datetime
from http.cookiejar import DefaultCookiePolicy
from types import TracebackType
from typing import Literal
from urllib.parse import urlsplit

import requests
import urllib3

from dataset.errors import DisallowedError
from scrape.addresses import canonical_address, host_of
from scrape.clock import Clock, SystemClock
from scrape.config import CrawlSettings
from scrape.connection import Dial, Lines, dial
from scrape.guard import Guard, Resolver, is_loopback, system_resolver
from scrape.opt_out import picture_opt_out
from scrape.pace import Pace
from scrape.response import FetchError, Response
from scrape.robots import Robots

Accept = Literal["page", "json", "picture", "robots"]

_ACCEPT = {
    "page": "text/html, application/xhtml+xml, */*;q=0.1",
    "json": "application/json, */*;q=0.1",
    "picture": "image/avif, image/webp, image/*, */*;q=0.1",
    "robots": "text/plain, */*;q=0.1",
}
_ROBOTS_BYTES = 512_000  # RFC 9309, 2.5 asks for at least 500 KiB; the rest is not read
_CHUNK = 1 << 16
_LONGEST_BACKOFF_S = 30.0
_REDIRECTS = frozenset({301, 302, 303, 307, 308})


class PoliteClient:
    """Gets pages, JSON and pictures; used by many threads. Close it, or use it as a context."""

    def __init__(
        self,
        settings: CrawlSettings,
        *,
        clock: Clock | None = None,
        resolver: Resolver = system_resolver,
        dial: Dial = dial,
    ) -> None:
        self.settings = settings
        self.guard = Guard(settings.allow_hosts, resolver=resolver)
        self._clock = clock or SystemClock()
        self._pace = Pace(
            self._clock,
            connections=settings.connections_per_host,
            longest_wait_s=settings.longest_wait_s,
        )
        self._robots = Robots(self._get_robots, longest_delay_s=settings.longest_wait_s)
        self._lines = Lines(self.guard, connections=settings.workers + 1, dial=dial)
        self._session = requests.Session()
        self._session.trust_env = False
        self._session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        self._session.mount("http://", self._lines)
        self._session.mount("https://", self._lines)
        self._session.headers["User-Agent"] = settings.user_agent

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
        self._session.close()

    def stop(self) -> None:
        """Wake every thread that waits, cut every open request; for the end of an interrupted run.
        Whoever was waiting gets a FetchError."""
        self._pace.stop()
        self._lines.cut_all()

    def wall(self) -> float:
        """The present time in seconds since 1970, as the client's clock has it."""
        return self._clock.wall()

    def get(self, address: str, accept: Accept = "page") -> Response:
        """GET a canonical address, following redirects, and return the whole answer (status 2xx).

        Raises DisallowedError (scheme, credentials, private-address, no-contact, robots,
        robots-unreachable, opt-out) and FetchError (its `reason`, `is_final`, `status` say why).
        """
        return self._follow(address, accept, checked=True)

    def _get_robots(self, address: str) -> Response:
        return self._follow(address, "robots", checked=False)

    def _follow(self, address: str, accept: Accept, *, checked: bool) -> Response:
        hops: list[str] = []
        tries = 0
        while len(hops) <= self.settings.max_redirects:
            hops.append(address)
            self._admit(address)
            gap_s = self.settings.gap_s
            if checked:
                self._robots.check(address)
                gap_s = max(gap_s, self._robots.delay_s(address))
            answer = self._persist(address, accept, gap_s)
            tries += answer.tries
            if answer.status not in _REDIRECTS:
                return dataclasses.replace(answer, hops=tuple(hops), tries=tries)
            address = canonical_address(answer.headers.get("location", ""), address)
            if address in hops:
                raise FetchError("redirect-loop", f"{hops[0]} leads in a circle", is_final=True)
        raise FetchError("too-many-redirects", f"{hops[0]} leads on and on", is_final=True)

    def _admit(self, address: str) -> None:
        """The guard's checks of an address, and the demand for a contact before going out."""
        self.guard.check(address)
        host = urlsplit(address).hostname or ""
        if not self.settings.contact and not (self.guard.allows(host) and is_loopback(host)):
            raise DisallowedError(
                "no-contact",
                f"{host} is not asked without a contact address; "
                'set crawl.contact = "you@example.org" in the config',
            )

    def _persist(self, address: str, accept: Accept, gap_s: float) -> Response:
        """Ask until there is an answer, at most `tries` times."""
        host = host_of(address)
        for attempt in range(1, self.settings.tries + 1):
            try:
                with self._pace.turn(host, gap_s):
                    answer = self._ask(address, accept)
                self._pace.answered(host)
                return dataclasses.replace(answer, tries=attempt)
            except FetchError as error:
                unasked = error.reason in ("host-down", "host-asleep", "stopped")
                error.tries = attempt - unasked
                self._note_failure(host, error)
                if error.is_final or unasked:
                    raise
                if attempt == self.settings.tries:
                    # A body that is cut every time is how the site has it, not bad luck.
                    error.is_final = error.reason == "cut-short"
                    raise
                if not error.wait_s:
                    self._pace.pause(min(2.0 ** (attempt - 1), _LONGEST_BACKOFF_S))
        raise AssertionError("the last attempt returns or raises")

    def _note_failure(self, host: str, error: FetchError) -> None:
        if error.wait_s and error.reason != "host-asleep":
            self._pace.rest(host, error.wait_s)
        if error.status:
            self._pace.answered(host)
        elif error.reason in ("dns", "connection", "timeout", "tls"):
            self._pace.failed(host)

    def _ask(self, address: str, accept: Accept) -> Response:
        """One request and its whole answer, within the deadline."""
        headers = {"Accept": _ACCEPT[accept]}
        if accept == "picture":
            headers["Accept-Encoding"] = "identity"
        timeout = self.settings.timeout_s
        with self._lines.deadline(self.settings.deadline_s) as deadline:
            try:
                with self._session.get(
                    address, headers=headers, stream=True, allow_redirects=False, timeout=timeout
                ) as answer:
                    whole = self._read(address, answer, accept)
                if deadline.passed or self._pace.stopped.is_set():
                    raise ConnectionAbortedError  # a cut connection looks like the body's end
                return whole
            except (requests.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
                if self._pace.stopped.is_set():
                    raise FetchError("stopped", "the crawl was stopped") from error
                if deadline.passed:
                    seconds = self.settings.deadline_s
                    raise FetchError("too-slow", f"{address} took over {seconds:g} s") from error
                raise _explained(address, error) from error

    def _read(self, address: str, answer: requests.Response, accept: Accept) -> Response:
        status = answer.status_code
        headers = {name.lower(): value for name, value in answer.headers.items()}
        body = b""
        if status not in _REDIRECTS or "location" not in headers:
            self._require_ok(address, status, headers)
            if accept == "picture":
                tags = answer.raw.headers.getlist("X-Robots-Tag")
                directive = picture_opt_out(tags, headers.get("tdm-reservation", ""))
                if directive:
                    raise DisallowedError("opt-out", f"{address} says {directive}")
            body = self._body(address, answer, accept)
        return Response(status=status, headers=headers, body=body, final_url=address)

    def _require_ok(self, address: str, status: int, headers: dict[str, str]) -> None:
        if 200 <= status < 300 and status != 206:
            return
        if status in (404, 410):
            raise FetchError("not-found", f"{address}: HTTP {status}", is_final=True, status=status)
        may_recover = status in (408, 425, 429) or status >= 500
        wait_s = _retry_after_s(headers.get("retry-after", ""), self._clock.wall())
        raise FetchError(
            f"http-{status}",
            f"{address}: HTTP {status}",
            is_final=not may_recover,
            status=status,
            wait_s=wait_s if may_recover else 0.0,
        )

    def _body(self, address: str, answer: requests.Response, accept: Accept) -> bytes:
        """The decoded body, never more than a chunk over its limit in memory."""
        limit = {"picture": self.settings.max_bytes, "robots": _ROBOTS_BYTES}.get(
            accept, self.settings.max_page_bytes
        )
        body = bytearray()
        while len(body) <= limit:
            chunk = answer.raw.read(_CHUNK, decode_content=True)
            if not chunk:
                return bytes(body)
            body += chunk
        if accept == "robots":
            return bytes(body[:limit])
        raise FetchError("too-many-bytes", f"{address} is over {limit} bytes", is_final=True)


def _explained(address: str, error: Exception) -> FetchError:
    """The FetchError for what requests, urllib3 or the socket had to say."""
    invalid = (
        requests.exceptions.InvalidURL,
        requests.exceptions.InvalidSchema,
        urllib3.exceptions.LocationParseError,
    )
    timeouts = (requests.Timeout, urllib3.exceptions.TimeoutError, TimeoutError)
    if isinstance(error, invalid):
        return FetchError("bad-address", f"{address} cannot be asked: {error}", is_final=True)
    if isinstance(error, timeouts):
        return FetchError("timeout", f"{address} did not answer in time")
    if isinstance(error, requests.exceptions.SSLError | urllib3.exceptions.SSLError):
        return FetchError("tls", f"{address}: {error}")
    if isinstance(error, urllib3.exceptions.DecodeError):
        return FetchError("bad-encoding", f"{address}: {error}", is_final=True)
    # Only the body is read by urllib3 itself; a head that breaks off comes wrapped by requests.
    is_of_body = isinstance(error, urllib3.exceptions.ProtocolError)
    if is_of_body and not isinstance(error.__cause__, OSError):
        return FetchError("cut-short", f"{address} ended before its declared end")
    return FetchError("connection", f"{address}: {error}")


def _retry_after_s(value: str, wall: float) -> float:
    """Seconds to wait by a Retry-After header, a number or an HTTP date (RFC 9110, 10.2.3)."""
    if re.fullmatch(r"\s*[0-9]{1,9}\s*", value):
        return float(value)
    try:
        return max(parsedate_to_datetime(value).timestamp() - wall, 0.0)
    except (ValueError, OverflowError, OSError):
        return 0.0
