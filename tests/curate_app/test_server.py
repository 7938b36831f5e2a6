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
from tests.curate_app.test_jobs import is_alive, until
from tests.curate_app.visitor import Visitor

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


def ask(address: str, path: str, **headers: str) -> tuple[int, http.client.HTTPMessage, str]:
    """One GET on a connection of its own."""
    parts = urlsplit(address)
    assert parts.hostname is not None
    connection = http.client.HTTPConnection(parts.hostname, parts.port or 80, timeout=20)
    connection.request("GET", path, headers=headers)
    answer = connection.getresponse()
    told = answer.status, answer.headers, answer.read().decode()
    connection.close()
    return told


def test_address_with_a_token_opens_the_app_and_nothing_else_does(
    drawn: DrawnCatalogue, serve: Serve
) -> None:
    drawn.add_many(1)
    server = serve(drawn.data, "--token")
    parts = urlsplit(server.address)
    assert re.fullmatch(r"token=[A-Za-z0-9_-]{32}", parts.query)
    status, headers, _ = ask(server.address, "/")
    assert (status, headers["Location"]) == (303, "/login")
    status, headers, page = ask(server.address, f"{parts.path}?{parts.query}")
    assert status == 200
    cookies = [line.partition(";")[0] for line in headers.get_all("Set-Cookie") or []]
    [session] = [cookie for cookie in cookies if cookie.startswith(f"session_{parts.port}=")]
    assert parts.query not in page
    status, _, page = ask(server.address, "/", Cookie=session)
    assert status == 200
    assert "Drawing number 0" in page


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has all of 127.0.0.0/8")
def test_elsewhere_a_password_is_needed_and_plain_http_is_named(
    drawn: DrawnCatalogue, serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(RuntimeError, match="would let other machines judge"):
        serve(drawn.data, "--host", "127.0.0.2")
    monkeypatch.setenv("PEDIGREE_PASSWORD", "correct horse")
    server = serve(drawn.data, "--host", "127.0.0.2", "--allow-host", "cats.example")
    port = urlsplit(server.address).port
    assert server.address == f"http://127.0.0.2:{port}/"
    assert ask(server.address, "/")[0] == 303
    assert ask(server.address, "/login", Host=f"cats.example:{port}")[0] == 200
    assert ask(server.address, "/login", Host=f"evil.test:{port}")[0] == 400
    server.process.send_signal(signal.SIGINT)
    _out, err = server.process.communicate(timeout=20)
    assert "plain HTTP hides nothing" in err
    assert "correct horse" not in err


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="looks for the child in /proc")
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_job_ends_with_the_app_however_that_ends(
    drawn: DrawnCatalogue, serve: Serve, how: signal.Signals
) -> None:
    server = serve(drawn.data)
    # The catalogue is held, so that the job has to wait.
    with Visitor(server.address) as visitor, drawn.open() as catalog, catalog.transaction():
        assert visitor.post("/export/pack", {"name": "late"})[0] == 200
        job = visitor.json("/jobs/1")
        until(lambda: visitor.json("/jobs/1")["state"] == "running")
        assert job["title"] == "Pack late"
        found = Path(f"/proc/{server.process.pid}/task").glob("*/children")
        children = [int(number) for path in found for number in path.read_text().split()]
        assert len(children) == 1
        server.process.send_signal(how)
        until(lambda: not is_alive(children[0]))
    assert server.process.wait(20) == (-how if how == signal.SIGKILL else 0)
    assert not (drawn.data / "packs" / "late.h5").exists()
