"""One request and its whole answer, over the network: the seam behind which the web lies.

Everything here speaks to numbers that the guard has checked, within limits of bytes and time.
Other transports answer from a folder (recorded.py) or ask whether a page has changed (page_cache).
"""

import http.client
import re
import time
from collections.abc import Callable, Mapping
from http.cookiejar import DefaultCookiePolicy
from typing import Protocol

import requests
import urllib3

from scrape.config import CrawlSettings
from scrape.connection import Dial, Lines, dial
from scrape.guard import Guard
from scrape.response import FetchError, Request, Response, hide

# Looks at status and headers before any of the body is read; raises to leave the body unread.
HeadCheck = Callable[[int, Mapping[str, str]], None]

REDIRECTS = frozenset({301, 302, 303, 307, 308})
_ACCEPT = {
    "page": "text/html, application/xhtml+xml, */*;q=0.1",
    "json": "application/json, */*;q=0.1",
    "picture": "image/avif, image/webp, image/*, */*;q=0.1",
    "robots": "text/plain, */*;q=0.1",
}
_ROBOTS_BYTES = 512_000  # RFC 9309, 2.5 asks for at least 500 KiB; the rest is not read
_ERROR_BYTES = 65_536
_CHUNK = 1 << 16
# What the operating system says, inside what the libraries make of it.
_SYSTEM_ERROR = re.compile(r"\[Errno -?\d+\] ([^'\")]+)")
_ENCODINGS = frozenset({"", "identity", "gzip", "x-gzip", "deflate"})


class Transport(Protocol):
    """Answers one request, whatever the status; used by many threads."""

    def ask(self, request: Request, check: HeadCheck) -> Response:
        """The answer, redirects and errors of the site included; `check` sees its head first.

        Raises FetchError when there is no whole answer, and whatever `check` raises.
        """

    def stop(self) -> None:
        """Cut every open request; whoever waits for one gets a FetchError (stopped)."""

    def close(self) -> None: ...


class NetworkTransport:
    """The real web, through connections that the guard has checked."""

    def __init__(self, settings: CrawlSettings, guard: Guard, *, dial: Dial = dial) -> None:
        self._settings = settings
        self._is_over = False
        self._lines = Lines(guard, connections=settings.workers + 1, dial=dial)
        self._session = requests.Session()
        self._session.trust_env = False
        self._session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        self._session.mount("http://", self._lines)
        self._session.mount("https://", self._lines)
        self._session.headers["User-Agent"] = settings.user_agent

    def close(self) -> None:
        self._session.close()
        self._lines.end()

    def stop(self) -> None:
        self._is_over = True
        self._lines.cut_all()

    def ask(self, request: Request, check: HeadCheck) -> Response:
        with self._lines.deadline(self._settings.deadline_s) as deadline:
            try:
                whole = self._exchange(request, check)
                if deadline.passed or self._is_over:
                    raise ConnectionAbortedError  # a cut connection looks like the body's end
                return whole
            except (requests.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
                if self._is_over:
                    raise FetchError("stopped", "the crawl was stopped") from error
                if deadline.passed:
                    seconds = self._settings.deadline_s
                    raise FetchError(
                        "too-slow", f"{request.shown} took over {seconds:g} s"
                    ) from None
                raise _explained(request, error) from None

    def _exchange(self, request: Request, check: HeadCheck) -> Response:
        headers = {"Accept": _ACCEPT[request.accept], **request.headers}
        if request.accept == "picture":
            headers["Accept-Encoding"] = "identity"
        started = time.perf_counter()
        if request.accept == "picture" and request.form is None:
            headers["User-Agent"] = self._settings.user_agent
            answer = self._lines.picture(request.address, headers, self._settings.timeout_s)
            return self._whole(request, answer, time.perf_counter() - started, check)
        with self._session.request(
            "GET" if request.form is None else "POST",
            request.address,
            data=request.form,
            headers=headers,
            stream=True,
            allow_redirects=False,
            timeout=self._settings.timeout_s,
        ) as found:
            return self._whole(request, found.raw, time.perf_counter() - started, check)

    def _whole(
        self,
        request: Request,
        answer: urllib3.BaseHTTPResponse,
        latency_s: float,
        check: HeadCheck,
    ) -> Response:
        """Read the answer to its end, or leave its connection when `check` raises."""
        try:
            headers = _joined(answer.headers)
            check(answer.status, headers)
            encoding = headers.get("content-encoding", "").strip().lower()
            if encoding not in _ENCODINGS and answer.status == 200:
                raise FetchError(
                    "bad-encoding", f"{request.shown} comes as {encoding[:40]!r}", is_final=True
                )
            body = self._body(request, answer)
        except BaseException:
            answer.close()
            raise
        answer.release_conn()
        return Response(
            status=answer.status,
            headers=headers,
            body=body,
            final_url=request.shown,
            latency_s=latency_s,
        )

    def _body(self, request: Request, answer: urllib3.BaseHTTPResponse) -> bytes:
        """The decoded body, never more than a chunk over its limit in memory."""
        is_good = 200 <= answer.status < 300
        if not is_good:
            limit = _ERROR_BYTES
        elif request.accept == "picture":
            limit = self._settings.max_bytes
        else:
            limit = _ROBOTS_BYTES if request.accept == "robots" else self._settings.max_page_bytes
        body = bytearray()
        while len(body) <= limit:
            chunk = answer.read(_CHUNK, decode_content=True)
            if not chunk:
                return bytes(body)
            body += chunk
        answer.close()
        if request.accept == "robots" or not is_good:
            return bytes(body[:limit])
        raise FetchError("too-many-bytes", f"{request.shown} is over {limit} bytes", is_final=True)


def _joined(headers: urllib3.HTTPHeaderDict) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, value in headers.iteritems():
        key = name.lower()
        found[key] = f"{found[key]}\n{value}" if key in found else value
    return found


def _explained(request: Request, error: Exception) -> FetchError:
    """The FetchError for what requests, urllib3 or the socket had to say."""
    address, why = request.shown, hide(str(error), request.secrets)
    invalid = (
        requests.exceptions.InvalidURL,
        requests.exceptions.InvalidSchema,
        requests.exceptions.InvalidHeader,
        urllib3.exceptions.LocationParseError,
    )
    timeouts = (requests.Timeout, urllib3.exceptions.TimeoutError, TimeoutError)
    if isinstance(error, invalid):
        return FetchError("bad-address", f"{address} cannot be asked: {why}", is_final=True)
    if isinstance(error, timeouts):
        return FetchError("timeout", f"{address} did not answer in time")
    if isinstance(error, requests.exceptions.SSLError | urllib3.exceptions.SSLError):
        return FetchError("tls", f"{address}: {why}")
    if isinstance(error, urllib3.exceptions.DecodeError):
        return FetchError("bad-encoding", f"{address}: {why}", is_final=True)
    unfinished = (urllib3.exceptions.HTTPError, http.client.HTTPException)
    if isinstance(error.__cause__, unfinished) and isinstance(
        error, urllib3.exceptions.ProtocolError
    ):
        return FetchError("cut-short", f"{address} ended before its declared end")
    system = _SYSTEM_ERROR.search(why)
    return FetchError("connection", f"{address}: {system[1] if system else why}")
