"""The app as a process: starts, refuses a taken port, loses nothing when killed."""

import http.client
import json
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.curate_app.conftest import RunningServer
from tests.curate_app.drawn_catalogue import DrawnCatalogue
from tests.curate_app.test_actions import state

Serve = Callable[..., RunningServer]


class Page:
    """A page of a running server, opened over real HTTP."""

    def __init__(self, server: RunningServer) -> None:
        parts = urlsplit(server.address)
        assert parts.hostname is not None
        self._connection = http.client.HTTPConnection(parts.hostname, parts.port or 80, timeout=20)
        answer = self._ask("GET", "/", None, {})
        token = re.search(r'name="csrf-token" content="([^"]+)"', answer[1])
        assert token is not None
        self._headers = {
            "Content-Type": "application/json",
            "X-CSRF-Token": token[1],
            "Cookie": self.cookie,
        }

    def _ask(
        self, method: str, path: str, body: str | None, headers: dict[str, str]
    ) -> tuple[int, str]:
        self._connection.request(method, path, body, headers)
        answer = self._connection.getresponse()
        self.cookie = (answer.getheader("Set-Cookie") or "").partition(";")[0]
        return answer.status, answer.read().decode()

    def judge(self, verb: str, number: int) -> int:
        body = json.dumps({"verb": verb, "ids": [number]})
        return self._ask("POST", "/judge", body, self._headers)[0]

    def close(self) -> None:
        self._connection.close()


def test_serves_on_loopback_and_stops_cleanly(drawn: DrawnCatalogue, serve: Serve) -> None:
    drawn.add_many(2)
    server = serve(drawn.data)
    assert re.fullmatch(r"http://127\.0\.0\.1:\d+/", server.address)
    page = Page(server)
    assert page.judge("keep", 1) == 200
    page.close()
    server.process.send_signal(signal.SIGINT)
    out, err = server.process.communicate(timeout=20)
    assert server.process.returncode == 0
    assert "Traceback" not in out + err
    assert state(drawn, 1) == [("keep", "", 0)]


def test_kill_right_after_the_answer_loses_no_action(drawn: DrawnCatalogue, serve: Serve) -> None:
    ids = drawn.add_many(6)
    for number in ids[:3]:
        server = serve(drawn.data)
        page = Page(server)
        assert page.judge("keep", number) == 200
        server.kill()
        page.close()
        assert state(drawn, number) == [("keep", "", 0)]
    with drawn.open() as catalog:
        assert [event.image_id for event in catalog.judgements.latest()] == ids[2::-1]


def test_port_in_use_is_one_line_and_exit_4(drawn: DrawnCatalogue) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        command = [sys.executable, "-m", "curate_app", "serve", "--data", str(drawn.data)]
        done = subprocess.run(
            [*command, "--port", str(port)], capture_output=True, text=True, timeout=60
        )
    assert done.returncode == 4
    assert done.stdout == ""
    assert done.stderr == (
        f"error: port {port} is in use; stop the other program or choose another --port\n"
    )


@pytest.mark.skipif(not Path("/proc/net/if_inet6").exists(), reason="no IPv6 on this machine")
def test_serves_on_the_other_loopback_address(drawn: DrawnCatalogue, serve: Serve) -> None:
    server = serve(drawn.data, "--host", "::1")
    assert server.address.startswith("http://[::1]:")
    Page(server).close()
