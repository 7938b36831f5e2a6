"""A person's browser as the server sees it: one connection kept open, a token, cookies."""

import http.client
import json
import re
from http.cookies import SimpleCookie
from types import TracebackType
from typing import Any
from urllib.parse import urlsplit


class Visitor:
    """Asks a running server for pages and posts actions; a context manager, one thread at a time.

    What the connection raises when the server dies is left to the caller: OSError or HTTPException.
    """

    def __init__(self, address: str, **cookies: str) -> None:
        parts = urlsplit(address)
        assert parts.hostname is not None
        self._connection = http.client.HTTPConnection(parts.hostname, parts.port or 80, timeout=60)
        self._cookies = dict(cookies)
        self.headers: dict[str, str] = {}
        self._token = ""
        text = self.text("/")
        token = re.search(r'name="csrf-token" content="([^"]+)"', text)
        assert token is not None, text[:500]
        self._token = token[1]

    def get(self, path: str) -> tuple[int, bytes]:
        return self._ask("GET", path, None)

    def text(self, path: str) -> str:
        status, body = self.get(path)
        assert status == 200, f"{path}: {status} {body[:300]!r}"
        return body.decode()

    def json(self, path: str) -> Any:
        return json.loads(self.text(path + ("&" if "?" in path else "?") + "format=json"))

    def post(self, path: str, body: object) -> tuple[int, Any]:
        """Post an action; (status, the answer's JSON), once the server has answered in full."""
        status, answer = self._ask("POST", path, json.dumps(body))
        return status, json.loads(answer)

    def act(self, path: str, body: object) -> Any:
        """The answer to an action that must be taken."""
        status, answer = self.post(path, body)
        assert status == 200, f"{path} {body}: {status} {answer}"
        return answer

    def _ask(self, method: str, path: str, body: str | None) -> tuple[int, bytes]:
        headers = {"Cookie": "; ".join(f"{k}={v}" for k, v in self._cookies.items())}
        if body is not None:
            headers |= {"Content-Type": "application/json", "X-CSRF-Token": self._token}
        self._connection.request(method, path, body, headers)
        answer = self._connection.getresponse()
        content = answer.read()
        for line in answer.headers.get_all("Set-Cookie") or []:
            self._cookies |= {
                name: morsel.coded_value for name, morsel in SimpleCookie(line).items()
            }
        self.headers = {name.lower(): value for name, value in answer.headers.items()}
        return answer.status, content

    def close(self) -> None:
        self._connection.close()

    def __enter__(self) -> "Visitor":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
