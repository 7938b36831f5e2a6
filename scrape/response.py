"""What is asked of a site and what comes of it: a Response, or a FetchError that says why not."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import quote, quote_plus

from dataset.errors import WorldError

Accept = Literal["page", "json", "picture", "robots"]


@dataclass(frozen=True, kw_only=True)
class Request:
    """One question. With `form` it is a POST of these fields; `secrets` are texts (API keys) that
    appear in no message, log or recording."""

    address: str
    accept: Accept = "page"
    headers: Mapping[str, str] = field(default_factory=dict)
    form: Mapping[str, str] | None = None
    secrets: tuple[str, ...] = ()

    @property
    def shown(self) -> str:
        """The address as it may be shown and kept: without secrets."""
        return hide(self.address, self.secrets)


@dataclass(frozen=True, kw_only=True)
class Response:
    """A complete answer: `hops` are the addresses on the way to `final_url`, the first asked one
    included; header names are lower case, several headers of one name are joined by line feeds;
    `tries` counts the requests that it took, `latency_s` the seconds until the head came."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    final_url: str
    hops: tuple[str, ...] = ()
    tries: int = 1
    latency_s: float = 0.0


class FetchError(WorldError):
    """An address gave no usable answer. `reason` is a short code; `is_final` means that asking
    again is useless; `wait_s` is how long the site asked to be left alone; `headers` and `body`
    (its first 64 KiB) are the site's, where it said anything."""

    def __init__(
        self,
        reason: str,
        message: str,
        *,
        is_final: bool = False,
        status: int = 0,
        wait_s: float = 0.0,
        headers: Mapping[str, str] | None = None,
        body: bytes = b"",
    ) -> None:
        super().__init__(message)
        self.reason = reason
        self.is_final = is_final
        self.status = status
        self.wait_s = wait_s
        self.headers = headers or {}
        self.body = body
        self.tries = 1


class SourceError(WorldError):
    """A source's answer is not what its declaration expects; `reason` is a short code."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


def hide(text: str, secrets: tuple[str, ...]) -> str:
    """`text` with every secret, plain or percent-encoded, replaced by three asterisks."""
    for secret in secrets:
        for spelled in _spellings(secret):
            text = text.replace(spelled, "***")
    return text


def hide_bytes(content: bytes, secrets: tuple[str, ...]) -> bytes:
    """`content` with every secret replaced by three asterisks."""
    for secret in secrets:
        for spelled in _spellings(secret):
            content = content.replace(spelled.encode(), b"***")
    return content


def _spellings(secret: str) -> tuple[str, ...]:
    """How a secret may stand in an address, a form or an answer; none for an empty one."""
    return (secret, quote(secret, safe=""), quote_plus(secret)) if secret else ()
