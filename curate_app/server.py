"""Serves the app to this machine: one process, a few threads, loopback only."""

import errno
import ipaddress
import socket
from pathlib import Path

import waitress

from curate_app import create_app
from curate_app.safety import MAX_POST_BYTES
from dataset.errors import ConfigError, WorldError

_THREADS = 8


class Server:
    """The app bound to its port; `address` is where a browser finds it. Port 0 takes a free one.

    Raises ConfigError for a host that is not loopback, WorldError for a port in use.
    """

    def __init__(self, data: Path, *, host: str, port: int, who: str) -> None:
        family = _loopback_family(host)
        bound = _bind(family, host, port)
        try:
            port = int(bound.getsockname()[1])
            app = create_app(data, who=who, port=port)
        except BaseException:
            bound.close()
            raise
        name = f"[{host}]" if family == socket.AF_INET6 else host
        self.address = f"http://{name}:{port}/"
        self._server = waitress.create_server(
            app,
            sockets=[bound],
            threads=_THREADS,
            ident=None,
            max_request_body_size=2 * MAX_POST_BYTES,
            clear_untrusted_proxy_headers=True,
        )

    def run(self) -> None:
        """Answer until interrupted; requests under way are finished."""
        try:
            self._server.run()
        finally:
            self._server.close()


def _loopback_family(host: str) -> socket.AddressFamily:
    if host == "localhost":
        return socket.AF_INET
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        raise ConfigError(f"--host {host!r} is no address; use 127.0.0.1") from None
    if str(address) not in ("127.0.0.1", "::1"):
        raise ConfigError(
            f"--host {host} would let other machines judge; the app has no password yet and "
            "serves 127.0.0.1 or ::1 only (use an SSH tunnel)"
        )
    return socket.AF_INET6 if address.version == 6 else socket.AF_INET


def _bind(family: socket.AddressFamily, host: str, port: int) -> socket.socket:
    if not 0 <= port <= 65535:
        raise ConfigError(f"--port {port} is no port; choose 1024 to 65535, or 0 for a free one")
    try:
        return socket.create_server((host, port), family=family)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise WorldError(
                f"port {port} is in use; stop the other program or choose another --port"
            ) from error
        raise WorldError(f"cannot listen on {host} port {port}: {error.strerror}") from error
