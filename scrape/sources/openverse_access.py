"""Access to Openverse: tokens from the environment, and how long a refusal asks to wait.

https://api.openverse.org/v1/#tag/auth
"""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass

from dataset.errors import ConfigError
from scrape.client import PoliteClient
from scrape.json_answer import look_up, parse_json
from scrape.response import FetchError
from scrape.sources.source import SourceError

_TOKEN = "OPENVERSE_TOKEN"
_CLIENT = ("OPENVERSE_CLIENT_ID", "OPENVERSE_CLIENT_SECRET")
_LONGEST_WAIT_S = 86_400.0  # the longest span that Openverse counts requests in
_PERIODS_S = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}
_EXPECTED = re.compile(rb"available in (\d{1,9}) second", re.IGNORECASE)
_RATE = re.compile(r"\s*\d+\s*/\s*([smhd])[a-z]*\s*", re.IGNORECASE)
_USABLE = re.compile(r"[\x21-\x7e]{1,4000}")


@dataclass(frozen=True)
class Access:
    """A bearer token, "" for none; `secrets` are all texts that must not be shown."""

    token: str = ""
    secrets: tuple[str, ...] = ()

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"} if self.token else {}


def has_access() -> bool:
    """Whether the environment holds a token or what one can be had for."""
    return bool(_variable(_TOKEN) or all(_variable(name) for name in _CLIENT))


def access_of(client: PoliteClient, token_address: str, source: str) -> Access:
    """The access that the environment grants: OPENVERSE_TOKEN, else a token that
    OPENVERSE_CLIENT_ID and OPENVERSE_CLIENT_SECRET are exchanged for at `token_address`.

    Raises ConfigError for half a pair or an unusable token, SourceError (bad-key, no-token) when
    the exchange fails, FetchError and DisallowedError when nobody answers.
    """
    token = _variable(_TOKEN)
    if token:
        if not _USABLE.fullmatch(token):
            raise ConfigError(f"{_TOKEN} holds no token: it must be printable, without spaces")
        return Access(token, (token,))
    id, secret = (_variable(name) for name in _CLIENT)
    if not id and not secret:
        return Access()
    if not id or not secret:
        raise ConfigError(f"source {source}: {' and '.join(_CLIENT)} go together; one is not set")
    form = {"grant_type": "client_credentials", "client_id": id, "client_secret": secret}
    try:
        answer = client.post(token_address, form, secrets=(secret,))
    except FetchError as error:
        if error.status in (400, 401, 403):
            raise SourceError(
                "bad-key", f"Openverse refuses {' and '.join(_CLIENT)} (HTTP {error.status})"
            ) from error
        raise
    granted = look_up(parse_json(answer), "access_token")
    if not isinstance(granted, str) or not _USABLE.fullmatch(granted):
        raise SourceError("no-token", f"{token_address} answered without a usable access_token")
    return Access(granted, (granted, secret))


def throttled_for_s(headers: Mapping[str, str], body: bytes) -> float:
    """Seconds to wait by a refusal for too many requests, at most a day; 0 when it tells none.

    The body names them ("Expected available in 3600 seconds."); else the spans of the limits that
    are used up: `x-ratelimit-limit-NAME: 20/min` with `x-ratelimit-available-NAME: 0`.
    """
    told = _EXPECTED.search(body[:10_000])
    if told:
        return min(float(told[1]), _LONGEST_WAIT_S)
    waits = [0.0]
    for name, rate in headers.items():
        limit = name.lower().partition("x-ratelimit-limit-")[2]
        period = _RATE.fullmatch(rate)
        left = headers.get(f"x-ratelimit-available-{limit}", "").strip()
        if limit and period and re.fullmatch(r"-?\d{1,9}", left) and int(left) <= 0:
            waits.append(_PERIODS_S[period[1].lower()])
    return max(waits)


def _variable(name: str) -> str:
    return os.environ.get(name, "").strip()
