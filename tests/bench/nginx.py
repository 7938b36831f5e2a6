"""Debian's nginx on loopback, with a config of its own, for the benchmarks of the collector."""

import shutil
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_CONFIG = """
daemon off;
worker_processes 1;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{ worker_connections 4096; }}
http {{
    types {{ image/jpeg jpg; image/png png; text/html html; }}
    log_format timed '$msec $host $server_port $status $request_uri $body_bytes_sent $connection';
    access_log {folder}/access.log timed;
    client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi; uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    keepalive_requests 1000000; sendfile on; tcp_nopush on; open_file_cache max=20000;
    {servers}
}}
"""


@contextmanager
def serve(folder: Path, servers: str, port: int) -> Iterator[Path]:
    """Run nginx with these server blocks until the end of the block; yields its access log.

    Raises SystemExit when nginx is not installed.
    """
    program = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
    if program is None:
        raise SystemExit("error: nginx is not installed; run `make nginx`, then `make bench`")
    folder.mkdir(parents=True, exist_ok=True)
    config = folder / "nginx.conf"
    config.write_text(_CONFIG.format(folder=folder, servers=servers))
    server = subprocess.Popen([program, "-c", str(config), "-e", str(folder / "error.log")])
    try:
        _wait(port)
        yield folder / "access.log"
    finally:
        server.terminate()
        server.wait()


def files(root: Path, port: int, extra: str = "") -> str:
    """A server block that gives the files of `root` at 127.0.0.1."""
    return f"server {{ listen 127.0.0.1:{port}; root {root}; {extra} }}"


def _wait(port: int) -> None:
    for _ in range(100):
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/robots.txt", timeout=1).close()
            return
        except urllib.error.HTTPError:
            return
        except OSError:
            time.sleep(0.05)
    raise SystemExit("error: nginx did not start; look at its error.log")
