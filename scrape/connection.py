"""Connections that go to checked numbers only, and that can be cut at a deadline or at the end."""

import contextlib
import socket
import threading
import time
import weakref
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

import certifi
import urllib3.util.connection
from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import ConnectTimeoutError, NewConnectionError
from urllib3.util.ssl_ import create_urllib3_context

from scrape.guard import Guard

Dial = Callable[[str, int, Any], socket.socket]


def dial(number: str, port: int, timeout: Any) -> socket.socket:
    """Connect to a numeric address; `timeout` is urllib3's, in seconds."""
    options = HTTPConnection.default_socket_options
    return urllib3.util.connection.create_connection(
        (number, port), timeout, socket_options=options
    )


class Deadline:
    """The end of one exchange: at `passed`, its connection is shut and every read returns."""

    def __init__(self, at: float = 0.0) -> None:
        self.at = at
        self.is_over = False
        self.passed = False
        self.connection: _Cuttable | None = None

    def pass_(self) -> None:
        self.passed = True
        if self.connection is not None:
            self.connection.cut()


class _Cuttable:
    """What both kinds of connections share: the socket while it is open."""

    opened: socket.socket | None = None

    def cut(self) -> None:
        """Shut the socket under whoever reads from it; a plain close would not wake them."""
        if self.opened is not None:
            with contextlib.suppress(OSError):
                socket.socket.shutdown(self.opened, socket.SHUT_RDWR)


class _Watchdog:
    """One thread that passes deadlines; they are all equally long, so the first in is due first."""

    def __init__(self) -> None:
        self._waiting: deque[Deadline] = deque()
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._is_over = False

    def begin(self, seconds: float) -> Deadline:
        deadline = Deadline(time.monotonic() + seconds)
        with self._changed:
            if self._thread is None:
                self._thread = threading.Thread(target=self._watch, name="watchdog", daemon=True)
                self._thread.start()
            self._waiting.append(deadline)
            if len(self._waiting) == 1:
                self._changed.notify()
        return deadline

    def end(self, deadline: Deadline) -> None:
        with self._changed:
            deadline.is_over = True
            while self._waiting and self._waiting[0].is_over:
                self._waiting.popleft()

    def close(self) -> None:
        with self._changed:
            self._is_over = True
            self._changed.notify()
        if self._thread is not None:
            self._thread.join()

    def _watch(self) -> None:
        with self._changed:
            while not self._is_over:
                while self._waiting and self._waiting[0].is_over:
                    self._waiting.popleft()
                if not self._waiting:
                    self._changed.wait()
                    continue
                left = self._waiting[0].at - time.monotonic()
                if left > 0:
                    self._changed.wait(left)
                else:
                    self._waiting.popleft().pass_()


class Lines(HTTPAdapter):
    """A requests adapter: every connection is resolved, checked and dialled here, once.

    `picture` goes to the same connections without what requests does around each request: for a
    small picture that is most of the work.
    """

    def __init__(self, guard: Guard, *, connections: int, dial: Dial = dial) -> None:
        self._guard = guard
        self._dial = dial
        self._here = threading.local()
        self._open: weakref.WeakSet[_Cuttable] = weakref.WeakSet()
        self._lock = threading.Lock()
        self._is_over = False
        self._watchdog = _Watchdog()
        super().__init__(pool_connections=256, pool_maxsize=connections, max_retries=0)

    def init_poolmanager(self, *args: Any, **options: Any) -> None:
        # One TLS context for the process: to build one costs 40 ms.
        context = create_urllib3_context()
        context.load_verify_locations(certifi.where())
        super().init_poolmanager(*args, **options, ssl_context=context)
        self.poolmanager.pool_classes_by_scheme = _pool_classes(self)

    @contextmanager
    def deadline(self, seconds: float) -> Iterator[Deadline]:
        """Cut the connection that this thread uses inside the block after `seconds`."""
        deadline = self._watchdog.begin(seconds)
        self._here.deadline = deadline
        try:
            yield deadline
        finally:
            self._watchdog.end(deadline)
            self._here.deadline = None

    def picture(
        self, address: str, headers: Mapping[str, str], timeout_s: float
    ) -> urllib3.BaseHTTPResponse:
        """GET `address`; the body is not read yet, redirects are not followed."""
        parts = urlsplit(address)
        pool = self.poolmanager.connection_from_host(parts.hostname, parts.port, parts.scheme)
        answer: urllib3.BaseHTTPResponse = pool.urlopen(
            "GET",
            f"{parts.path}?{parts.query}" if parts.query else parts.path,
            headers=headers,
            timeout=timeout_s,
            redirect=False,
            retries=False,
            preload_content=False,
            assert_same_host=False,
        )
        return answer

    def end(self) -> None:
        self._watchdog.close()

    def cut_all(self) -> None:
        """Cut every open connection, and each that is opened from now on: nobody waits any more."""
        with self._lock:
            self._is_over = True
            connections = list(self._open)
        for connection in connections:
            connection.cut()

    def connected(self, host: str, port: int, timeout: Any) -> socket.socket:
        """A socket to the first number of `host` that answers, all of them checked before."""
        failure: OSError = OSError(f"{host} has no address")
        for number in self._guard.connectable(host, port):
            try:
                return self._dial(number, port, timeout)
            except OSError as error:
                failure = error
        raise failure

    def watch(self, connection: _Cuttable) -> None:
        """Put `connection` under the deadline of the thread that uses it now."""
        with self._lock:
            self._open.add(connection)
            is_over = self._is_over
        deadline = getattr(self._here, "deadline", None)
        if deadline is not None:
            deadline.connection = connection
            is_over = is_over or deadline.passed
        if is_over:
            connection.cut()


def _pool_classes(lines: Lines) -> dict[str, type[HTTPConnectionPool]]:
    """Pools by scheme whose connections are made by `lines`."""

    class Plain(_Cuttable, HTTPConnection):
        def _new_conn(self) -> socket.socket:
            return _new_socket(lines, self, self._dns_host)

        def connect(self) -> None:
            super().connect()
            self.opened = self.sock
            lines.watch(self)

        def request(self, *args: Any, **options: Any) -> None:
            lines.watch(self)
            super().request(*args, **options)

    class Secure(_Cuttable, HTTPSConnection):
        def _new_conn(self) -> socket.socket:
            return _new_socket(lines, self, self._dns_host)

        def connect(self) -> None:
            super().connect()
            self.opened = self.sock
            lines.watch(self)

        def request(self, *args: Any, **options: Any) -> None:
            lines.watch(self)
            super().request(*args, **options)

    class PlainPool(HTTPConnectionPool):
        ConnectionCls = Plain

    class SecurePool(HTTPSConnectionPool):
        ConnectionCls = Secure

    return {"http": PlainPool, "https": SecurePool}


def _new_socket(lines: Lines, connection: HTTPConnection, host: str) -> socket.socket:
    try:
        return lines.connected(host, connection.port, connection.timeout)
    except TimeoutError as error:
        raise ConnectTimeoutError(connection, f"{host} did not answer in time") from error
    except OSError as error:
        raise NewConnectionError(connection, f"cannot connect to {host}: {error}") from error
