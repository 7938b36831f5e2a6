"""Serves the app: one process, a few threads; to this machine, or behind a password to others."""

import errno
import ipaddress
import socket
from pathlib import Path

import waitress

from curate_app import DEFAULT_RUNS, create_app
from curate_app.access import Access
from curate_app.jobs import jobs_of
from curate_app.memory import keep_memory_small
from curate_app.overview import warm_up
from curate_app.safety import MAX_POST_BYTES
from curate_app.studios import studios_of
from dataset.errors import ConfigError, WorldError

_THREADS = 8


class Server:
    """The app bound to its port; `address` is where a browser finds it. Port 0 takes a free one.

    Raises ConfigError for what is no address, WorldError for a port in use.
    """

    def __init__(
        self,
        data: Path,
        *,
        port: int,
        who: str,
        access: Access | None = None,
        runs: Path = DEFAULT_RUNS,
    ) -> None:
        keep_memory_small()
        access = access or Access()
        family = _family(access.host)
        bound = _bind(family, access.host, port)
        try:
            port = int(bound.getsockname()[1])
            app = create_app(data, who=who, port=port, access=access, runs=runs)
            warm_up(app)
        except BaseException:
            bound.close()
            raise
        secret = f"login?token={access.secret}" if access.is_token else ""
        self.address = f"http://{_reachable(access.host, family)}:{port}/{secret}"
        self._jobs, self._studios = jobs_of(app), studios_of(app)
        self._server = waitress.create_server(
            app,
            sockets=[bound],
            threads=_THREADS,
            ident=None,
            max_request_body_size=2 * MAX_POST_BYTES,
            clear_untrusted_proxy_headers=True,
        )

    def run(self) -> None:
        """Answer until interrupted; requests under way are finished, jobs are stopped."""
        try:
            self._server.run()
        finally:
            self._studios.close()
            self._jobs.close()
            self._server.close()


def _family(host: str) -> socket.AddressFamily:
    if host == "localhost":
        return socket.AF_INET
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        raise ConfigError(
            f"--host {host!r} is no address; use 127.0.0.1, one of this machine's, or 0.0.0.0"
        ) from None
    return socket.AF_INET6 if address.version == 6 else socket.AF_INET


def _reachable(host: str, family: socket.AddressFamily) -> str:
    """The host as it stands in an address; of "any address" the one that others reach, if any."""
    v6 = family == socket.AF_INET6
    if host in ("0.0.0.0", "::"):
        with socket.socket(family, socket.SOCK_DGRAM) as asking:
            try:  # sends nothing: the system only chooses the way it would go
                asking.connect(("2001:db8::1" if v6 else "192.0.2.1", 9))
                host = str(asking.getsockname()[0])
            except OSError:
                host = "::1" if v6 else "127.0.0.1"
    return f"[{host}]" if v6 else host


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
