"""A web site on loopback whose answers a test writes down, with every fault a site can have."""

import socket
import struct
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from urllib.parse import urlsplit

HTML = {"Content-Type": "text/html; charset=utf-8"}


@dataclass(frozen=True)
class Answer:
    """One answer. `missing` bytes are declared but never sent; `drip_s` is the time between two
    bytes of the body; `delay_s` comes before the head; `reset` breaks the connection instead, and
    `reset_after` does so after that many bytes of the body. `declared` is the Content-Length that
    is told, whatever is sent. `raw` is sent in place of everything, then the connection closes.
    A header's value of several lines is that many headers.
    """

    body: bytes = b""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    missing: int = 0
    drip_s: float = 0.0
    delay_s: float = 0.0
    drip_head_s: float = 0.0
    reset: bool = False
    chunked: bool = False
    lengthless: bool = False
    reset_after: int | None = None
    declared: int | None = None
    raw: bytes | None = None


@dataclass(frozen=True)
class Request:
    """What the server saw; `peer` is the client's port: one for each connection; `busy` are the
    requests that waited for their first byte when this one came, itself included."""

    path: str
    headers: dict[str, str]
    at: float
    peer: int
    busy: int = 1


Script = Answer | Callable[[int], Answer]


def page(body: str, head: str = "") -> Answer:
    """An HTML page."""
    text = f"<!doctype html><html><head>{head}</head><body>{body}</body></html>"
    return Answer(text.encode(), headers=HTML)


def redirect(to: str, status: int = 302) -> Answer:
    return Answer(status=status, headers={"Location": to})


class LoopbackSite:
    """Serves `routes` (path with query, or path alone) and writes every request down.

    A route is an Answer, or a function from the number of earlier requests of that path to one.
    Unknown paths answer 404. `host` is any number of this machine: 127.0.0.2 is another site.
    """

    def __init__(
        self, routes: dict[str, Script] | None = None, port: int = 0, host: str = "127.0.0.1"
    ) -> None:
        self.routes = {} if routes is None else routes
        self.requests: list[Request] = []
        self.written: dict[str, int] = {}
        self._lock = threading.Lock()
        self._busy = 0
        self._host = host
        site = self

        class Handler(_Handler):
            def do_GET(self) -> None:
                site.answer(self)

        self._server = _Server((host, port), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))

    def __enter__(self) -> "LoopbackSite":
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.socket.close()

    @property
    def port(self) -> int:
        return int(self._server.server_address[1])

    @property
    def url(self) -> str:
        return f"http://{self._host}:{self.port}"

    def paths(self, start: str = "/") -> list[str]:
        """The paths asked for so far that begin with `start`, robots.txt left out."""
        with self._lock:
            asked = [request.path for request in self.requests]
        return [path for path in asked if path.startswith(start) and path != "/robots.txt"]

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        with self._lock:
            earlier = sum(request.path == handler.path for request in self.requests)
            peer = int(handler.client_address[1])
            headers = {name.lower(): value for name, value in handler.headers.items()}
            self._busy += 1
            seen = Request(handler.path, headers, time.monotonic(), peer, self._busy)
            self.requests.append(seen)
        script = self.routes.get(handler.path) or self.routes.get(urlsplit(handler.path).path)
        found = script(earlier) if callable(script) else script
        try:
            self._send(handler, found or Answer(b"nothing here", 404))
        except OSError:  # the client went away, as some tests want
            handler.close_connection = True

    def _send(self, handler: BaseHTTPRequestHandler, answer: Answer) -> None:
        time.sleep(answer.delay_s)
        with self._lock:  # before the first byte: after the last one the client may be back
            self._busy -= 1
        if answer.reset:
            _break(handler)
            return
        if answer.raw is not None:
            handler.wfile.write(answer.raw)
            handler.close_connection = True
            return
        handler.send_response(answer.status)
        for name, value in answer.headers.items():
            for line in value.split("\n"):
                handler.send_header(name, line)
        if answer.chunked:
            handler.send_header("Transfer-Encoding", "chunked")
        elif answer.lengthless:
            handler.send_header("Connection", "close")
        else:
            length = len(answer.body) + answer.missing
            length = length if answer.declared is None else answer.declared
            handler.send_header("Content-Length", str(length))
        self._send_head(handler, answer)
        self._send_body(handler, answer)

    def _send_head(self, handler: BaseHTTPRequestHandler, answer: Answer) -> None:
        if not answer.drip_head_s:
            handler.end_headers()
            return
        handler.flush_headers()
        for _ in range(1000):
            handler.wfile.write(b"X-Drip: 1\r\n")
            time.sleep(answer.drip_head_s)

    def _send_body(self, handler: BaseHTTPRequestHandler, answer: Answer) -> None:
        size = answer.reset_after or (1 if answer.drip_s else 1 << 16)
        for start in range(0, len(answer.body), size):
            part = answer.body[start : start + size]
            handler.wfile.write(b"%x\r\n%s\r\n" % (len(part), part) if answer.chunked else part)
            with self._lock:
                self.written[handler.path] = self.written.get(handler.path, 0) + len(part)
            time.sleep(answer.drip_s)
            if answer.reset_after is not None:
                _break(handler)
                return
        if answer.chunked and not answer.missing:
            handler.wfile.write(b"0\r\n\r\n")
        is_short = answer.missing or (answer.declared or 0) > len(answer.body)
        handler.close_connection |= bool(is_short or answer.lengthless)


def _break(handler: BaseHTTPRequestHandler) -> None:
    """Reset the connection, as a machine does that lost its power."""
    linger = struct.pack("ii", 1, 0)
    handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    handler.connection.close()
    handler.close_connection = True


class _Server(ThreadingHTTPServer):
    def handle_error(self, request: object, client_address: object) -> None:
        """Quiet: clients that go away in the middle are part of the tests."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 10

    def log_message(self, format: str, *args: object) -> None:
        """Quiet: the site keeps its own log."""
