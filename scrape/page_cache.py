"""Pages that say how to ask whether they changed are asked just that, and are kept meanwhile.

A second run asks for a list with If-None-Match or If-Modified-Since (RFC 9110, 13.1); a 304 costs
the site next to nothing. DATA/pages holds the last answer of each such page.
"""

import dataclasses
import hashlib
import json
from pathlib import Path
from typing import Any

from dataset import atomic_file
from scrape.response import Request, Response
from scrape.transport import HeadCheck, Transport

_KEPT_HEADERS = ("content-type", "etag", "last-modified", "link", "x-robots-tag", "location")


class RevalidatingTransport:
    """Asks `inner`, conditionally where an answer of `folder` has validators; by many threads."""

    def __init__(self, inner: Transport, folder: Path) -> None:
        self._inner = inner
        self._folder = folder

    def ask(self, request: Request, check: HeadCheck) -> Response:
        if request.accept not in ("page", "json") or request.form is not None:
            return self._inner.ask(request, check)
        path = self._path(request)
        kept = _read(path)
        if kept is not None:
            conditions = _conditions(kept["headers"])
            request = dataclasses.replace(request, headers={**conditions, **request.headers})
        answer = self._inner.ask(request, check)
        if answer.status == 304 and kept is not None:
            body = path.with_suffix(".body").read_bytes()
            return dataclasses.replace(answer, status=200, headers=kept["headers"], body=body)
        if answer.status == 200 and _conditions(answer.headers):
            self._keep(path, answer)
        return answer

    def _path(self, request: Request) -> Path:
        name = hashlib.sha256(f"{request.accept} {request.shown}".encode()).hexdigest()
        return self._folder / name[:2] / f"{name}.json"

    def _keep(self, path: Path, answer: Response) -> None:
        """The body first: a head without its body is never there."""
        path.unlink(missing_ok=True)
        headers = {name: answer.headers[name] for name in _KEPT_HEADERS if name in answer.headers}
        atomic_file.write_bytes(path.with_suffix(".body"), answer.body)
        digest = hashlib.sha256(answer.body).hexdigest()
        content = {"url": answer.final_url, "headers": headers, "sha256": digest}
        atomic_file.write_json(path, content)

    def stop(self) -> None:
        self._inner.stop()

    def close(self) -> None:
        self._inner.close()


def _conditions(headers: Any) -> dict[str, str]:
    found = {}
    if headers.get("etag"):
        found["If-None-Match"] = headers["etag"]
    if headers.get("last-modified"):
        found["If-Modified-Since"] = headers["last-modified"]
    return found


def _read(path: Path) -> dict[str, Any] | None:
    """What is kept of a page, or None when it is not whole."""
    try:
        kept = json.loads(path.read_text("utf-8"))
        body = path.with_suffix(".body").read_bytes()
        is_whole = hashlib.sha256(body).hexdigest() == kept["sha256"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return dict(kept) if is_whole else None
