"""A drawn catalogue, the app over it, and the app served by its own command."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from curate_app import create_app
from curate_app.safety import TOKEN_HEADER
from tests.curate_app.drawn_catalogue import DrawnCatalogue


class Judge:
    """A person with a page open: has the token, posts actions."""

    def __init__(self, app: Flask) -> None:
        self.app = app
        self.client: FlaskClient = app.test_client()
        self.client.get("/")  # sets the cookie, as opening a page does

    def get(self, address: str) -> TestResponse:
        return self.client.get(address, buffered=True)

    def post(self, address: str, body: object) -> TestResponse:
        headers = {TOKEN_HEADER: self.app.config["CSRF_TOKEN"]}
        content = json.dumps(body)
        return self.client.post(
            address, data=content, content_type="application/json", headers=headers
        )

    def judge(self, verb: str, *ids: int, **more: int) -> TestResponse:
        return self.post("/judge", {"verb": verb, "ids": list(ids), **more})


@dataclass
class RunningServer:
    """`python -m curate_app serve` as a process of its own."""

    address: str
    process: subprocess.Popen[str]

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()


@pytest.fixture(autouse=True)
def _no_password_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever runs the tests may have a password for an app of their own."""
    monkeypatch.delenv("PEDIGREE_PASSWORD", raising=False)


@pytest.fixture
def drawn(tmp_path: Path) -> DrawnCatalogue:
    """An empty catalogue to add drawn pictures to."""
    return DrawnCatalogue(tmp_path / "data")


@pytest.fixture
def judge(drawn: DrawnCatalogue) -> Judge:
    """The app over `drawn`, with a page open; pictures may be added before and after."""
    return Judge(create_app(drawn.data, testing=True))


@pytest.fixture
def serve() -> Iterator[Callable[..., RunningServer]]:
    """Start the real command over a data folder on a free port; stopped after the test."""
    started: list[RunningServer] = []

    def start(data: Path, *options: str) -> RunningServer:
        command = [sys.executable, "-m", "curate_app", "serve", "--data", str(data)]
        process = subprocess.Popen(
            [*command, "--port", "0", *options],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert process.stdout is not None
        address = process.stdout.readline().strip()
        if not address:
            raise RuntimeError(f"the app did not start: {process.communicate()[1]}")
        started.append(RunningServer(address, process))
        return started[-1]

    yield start
    for server in started:
        server.process.terminate()
        server.process.communicate(timeout=20)
