"""Answers kept in a folder: written by --record, given again by --replay without any network.

DIR/answers.jsonl has one line per answer, in the order in which they came:
{"url", "method", "status", "headers", and the body as "text", "json", or "file" (a path in DIR)},
or {"url", "method", "error", "message", "is_final"} where there was none. Lines can be written by
hand.
"""

import hashlib
import json
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from dataset.errors import ConfigError, DataError, DisallowedError
from dataset.image_store import ImageStore
from scrape.addresses import canonical_address
from scrape.response import FetchError, Request, Response, hide, hide_bytes
from scrape.transport import HeadCheck, Transport

ANSWERS = "answers.jsonl"
_BODIES = "bodies"
# What belongs to one connection and one moment, not to the answer.
_PASSING_HEADERS = frozenset({"set-cookie", "connection", "keep-alive", "transfer-encoding"})


class RecordingTransport:
    """Asks `inner` and writes every answer down; safe against kill -9, used by many threads."""

    def __init__(self, inner: Transport, folder: Path) -> None:
        self._inner = inner
        self._lock = threading.Lock()
        folder.mkdir(parents=True, exist_ok=True)
        self._bodies = ImageStore(folder / _BODIES)
        self._lines = (folder / ANSWERS).open("ab")

    def ask(self, request: Request, check: HeadCheck) -> Response:
        seen: dict[str, Any] = {}

        def seeing(status: int, headers: Mapping[str, str]) -> None:
            seen.update(status=status, headers=_kept(headers, request))
            check(status, headers)

        line = {"url": request.shown, "method": _method(request)}
        try:
            answer = self._inner.ask(request, seeing)
        except FetchError as error:
            message = hide(str(error), request.secrets)
            final = {"is_final": True} if error.is_final else {}
            self._write({**line, "error": error.reason, "message": message, **final})
            raise
        except BaseException:  # refused at its head: the body was never read
            if seen:
                self._write({**line, **seen, "text": ""})
            raise
        seen.update(status=answer.status, headers=_kept(answer.headers, request))
        self._write({**line, **seen, **self._body(answer, request)})
        return answer

    def _body(self, answer: Response, request: Request) -> dict[str, Any]:
        if request.form is not None:  # the answer to a login holds a secret itself
            return {"json": _without_tokens(answer.body)}
        if len(answer.body) <= 2000:
            try:
                return {"text": hide(answer.body.decode(), request.secrets)}
            except UnicodeDecodeError:
                pass
        name = self._bodies.put(hide_bytes(answer.body, request.secrets))
        return {"file": f"{_BODIES}/{name[:2]}/{name}"}

    def _write(self, line: Mapping[str, Any]) -> None:
        with self._lock:
            self._lines.write(json.dumps(line, ensure_ascii=False).encode() + b"\n")
            self._lines.flush()

    def stop(self) -> None:
        self._inner.stop()

    def close(self) -> None:
        self._inner.close()
        self._lines.close()


class ReplayTransport:
    """Gives the recorded answers of a folder: those of one address in their order, the last one
    again and again. What was not recorded is a FetchError (not-recorded), except robots.txt, which
    then is a 404. Raises ConfigError when there is no recording, DataError when it is damaged."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = threading.Lock()
        self._lines: dict[str, list[dict[str, Any]]] = {}
        path = folder / ANSWERS
        if not path.is_file():
            raise ConfigError(f"no recording at {path}; record one with --record DIR")
        for number, text in enumerate(path.read_bytes().splitlines(), start=1):
            if text.strip():
                line = _parsed(path, number, text)
                key = f"{line.get('method', 'GET')} {canonical_address(line['url'])}"
                self._lines.setdefault(key, []).append(line)

    def ask(self, request: Request, check: HeadCheck) -> Response:
        method = _method(request)
        lines = self._lines.get(f"{method} {request.shown}")
        if lines is None:
            if request.accept == "robots":
                return Response(status=404, headers={}, body=b"", final_url=request.shown)
            raise FetchError(
                "not-recorded", f"{request.shown} is not in {self._folder}", is_final=True
            )
        with self._lock:
            line = lines.pop(0) if len(lines) > 1 else lines[0]
        if "error" in line:
            message = str(line.get("message", f"{request.shown} failed"))
            raise FetchError(line["error"], message, is_final=bool(line.get("is_final")))
        headers = {str(k).lower(): str(v) for k, v in line.get("headers", {}).items()}
        status = int(line.get("status", 200))
        check(status, headers)
        return Response(
            status=status, headers=headers, body=self._body(line), final_url=request.shown
        )

    def _body(self, line: Mapping[str, Any]) -> bytes:
        if "json" in line:
            return json.dumps(line["json"]).encode()
        if "file" not in line:
            return str(line.get("text", "")).encode()
        path: Path = (self._folder / str(line["file"])).resolve()
        if not path.is_relative_to(self._folder.resolve()):
            raise DataError(f"{self._folder / ANSWERS} names {line['file']}, outside of its folder")
        try:
            return path.read_bytes()
        except OSError as error:
            why = error.strerror
            raise DataError(
                f"{path} of the recording is missing ({why}); record it again"
            ) from None

    def stop(self) -> None:
        """Nothing waits here."""

    def close(self) -> None:
        """Nothing is open."""


def _method(request: Request) -> str:
    """GET, or POST with a digest of its form, so that two forms are two questions."""
    if request.form is None:
        return "GET"
    form = hide(urlencode(sorted(request.form.items())), request.secrets)
    return f"POST:{hashlib.sha256(form.encode()).hexdigest()[:16]}"


def _without_tokens(body: bytes) -> Any:
    try:
        found = json.loads(body)
    except ValueError:
        return {}
    if not isinstance(found, dict):
        return {}
    return {key: "***" if "token" in key else value for key, value in found.items()}


def _kept(headers: Mapping[str, str], request: Request) -> dict[str, str]:
    return {
        name: hide(value, request.secrets)
        for name, value in headers.items()
        if name.lower() not in _PASSING_HEADERS
    }


def _parsed(path: Path, number: int, text: bytes) -> dict[str, Any]:
    try:
        line = dict(json.loads(text))
        canonical_address(line["url"])
        int(line.get("status", 200))
        dict(line.get("headers", {}))
        if not isinstance(line.get("error", ""), str):
            raise ValueError("its error is no text")
        return line
    except (ValueError, TypeError, KeyError, AttributeError, DisallowedError) as error:
        raise DataError(f"{path}, line {number}, is no recorded answer: {error}") from None
