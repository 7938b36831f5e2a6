"""HTTP/1.1 on loopback: keep-alive, HEAD, conditional requests, and a log of what was asked."""

import ipaddress
import logging
import socket
import sys
import threading
import time
from collections import deque
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import TCPServer
from typing import Any
from urllib.parse import urlsplit

from scrape.demo_site.collection import Answer
from scrape.demo_site.router import Router

log = logging.getLogger(__name__)

# One request: method, path with query, status, monotonic seconds.
Request = tuple[str, str, int, float]
_MOST_REQUESTS = 200_000


class SiteServer(ThreadingHTTPServer):
    """Serves `router`; `requests` keeps the newest requests in the order of their answers."""

    daemon_threads = False  # joined on close, so that no socket outlives the site
    request_queue_size = 64

    def __init__(self, address: tuple[str, int], router: Router) -> None:
        self.router = router
        self.requests: deque[Request] = deque(maxlen=_MOST_REQUESTS)
        self._open: set[socket.socket] = set()
        self._open_lock = threading.Lock()
        super().__init__(address, SiteHandler)

    def server_bind(self) -> None:
        """Bind without asking the name service what this machine is called."""
        TCPServer.server_bind(self)
        self.server_name, self.server_port = str(self.server_address[0]), self.server_address[1]

    def process_request(self, request: Any, client_address: Any) -> None:
        with self._open_lock:
            self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        with self._open_lock:
            self._open.discard(request)
        super().shutdown_request(request)

    def server_close(self) -> None:
        """Stop listening and end the connections that are kept alive."""
        with self._open_lock:
            for connection in self._open:
                try:
                    connection.shutdown(socket.SHUT_RDWR)
                except OSError:  # the client was faster
                    continue
        super().server_close()

    def handle_error(self, request: Any, client_address: Any) -> None:
        error = sys.exc_info()[1]
        if isinstance(error, ConnectionError | TimeoutError):
            log.debug("a client left early: %s", error)
        else:
            log.error("a request failed", exc_info=error)


class SiteHandler(BaseHTTPRequestHandler):
    """One connection; the answers come from the server's router."""

    protocol_version = "HTTP/1.1"
    server_version = "DemoSite"
    sys_version = ""
    timeout = 60  # an idle connection is closed, seconds
    wbufsize = 1 << 16  # head and body leave together
    disable_nagle_algorithm = True
    server: SiteServer

    def do_GET(self) -> None:
        if not self._is_for_loopback():
            self._send(Answer(b"This site answers on loopback only.\n", "text/plain", 421))
            return
        answer = self.server.router.answer(self.path)
        if answer.status == 200 and self._client_has(answer.etag):
            answer = Answer(b"", answer.content_type, 304, {"ETag": answer.etag})
        self._send(answer)

    do_HEAD = do_GET

    def _refuse(self) -> None:
        self.close_connection = True  # its body, if there is one, is not read
        answer = Answer(b"Only GET and HEAD.\n", "text/plain", 405, {"Allow": "GET, HEAD"})
        self._send(answer)

    do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = _refuse

    def log_message(self, format: str, *args: Any) -> None:
        log.debug(format, *args)

    def _send(self, answer: Answer) -> None:
        row = (self.command, self.path, answer.status, time.monotonic())
        self.server.requests.append(row)
        self.send_response(answer.status, HTTPStatus(answer.status).phrase)
        if answer.status != 304:
            self.send_header("Content-Type", answer.content_type)
            self.send_header("Content-Length", str(len(answer.body)))
        if answer.status == 200:
            self.send_header("ETag", answer.etag)
            self.send_header("Cache-Control", "no-cache")
        self.send_header("X-Content-Type-Options", "nosniff")
        self.send_header("Content-Security-Policy", "default-src 'self'")
        for name, value in answer.headers.items():
            self.send_header(name, value)
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(answer.body)

    def _client_has(self, etag: str) -> bool:
        """Whether If-None-Match names `etag` (RFC 9110, 13.1.2: weak comparison)."""
        given = self.headers.get("If-None-Match", "")
        tags = {tag.strip().removeprefix("W/") for tag in given.split(",")}
        return etag in tags or given.strip() == "*"

    def _is_for_loopback(self) -> bool:
        """Whether the Host header names this machine: a page elsewhere must not reach in."""
        try:
            host = urlsplit(f"//{self.headers.get('Host', 'localhost')}").hostname
        except ValueError:
            return False
        return is_loopback(host or "")


def is_loopback(host: str) -> bool:
    """Whether `host` is localhost or an IPv4 address of the loopback network."""
    try:
        return ipaddress.IPv4Address(host).is_loopback
    except ValueError:
        return host == "localhost"
