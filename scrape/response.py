"""What comes of asking a site: a Response, or a FetchError that says why there is none."""

from collections.abc import Mapping
from dataclasses import dataclass

from dataset.errors import WorldError


@dataclass(frozen=True, kw_only=True)
class Response:
    """A complete answer: `hops` are the addresses on the way to `final_url`, the first asked one
    included; header names are lower case; `tries` counts the requests that it took."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    final_url: str
    hops: tuple[str, ...] = ()
    tries: int = 1


class FetchError(WorldError):
    """An address gave no usable answer. `reason` is a short code; `is_final` means that asking
    again is useless; `wait_s` is how long the site asked to be left alone."""

    def __init__(
        self,
        reason: str,
        message: str,
        *,
        is_final: bool = False,
        status: int = 0,
        wait_s: float = 0.0,
    ) -> None:
        super().__init__(message)
        self.reason = reason
        self.is_final = is_final
        self.status = status
        self.wait_s = wait_s
        self.tries = 1
