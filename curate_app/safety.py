"""What keeps other web sites out: host check, CSRF token, content policy, size limits.

Host names are checked against DNS rebinding; tokens follow the double-submit pattern of OWASP.
"""

import hmac
import re
import secrets
from typing import Any

from flask import Flask, Response, abort, current_app, request
from flask.json.provider import DefaultJSONProvider
from werkzeug.exceptions import Forbidden

from curate_app.access import Access

MAX_POST_BYTES = 256 * 1024
TOKEN_HEADER = "X-CSRF-Token"
# The same token in a form that works without script.
TOKEN_FIELD = "csrf_token"

_READING = {"GET", "HEAD", "OPTIONS"}
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; img-src 'self'; style-src 'self'; "
    "script-src 'self'; connect-src 'self'; form-action 'self'; frame-ancestors 'none'; "
    "base-uri 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    # Nothing to others; with no-referrer a browser would send even our own forms without origin.
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}


class MissingToken(Forbidden):
    """A POST without this process's token: a foreign page, or one from before a restart."""

    description = "the page is older than the app's last start; reload it"


class CarefulJson(DefaultJSONProvider):
    """JSON as ever, but thousands of brackets inside each other are no JSON instead of a bug."""

    def loads(self, s: str | bytes, **options: Any) -> Any:
        try:
            return super().loads(s, **options)
        except RecursionError as error:
            raise ValueError("too many brackets inside each other") from error


def install(app: Flask, port: int | None, access: Access) -> None:
    """Guard every request of `app`, which is served on `port` (None: any) to whom `access` says."""
    app.json = CarefulJson(app)
    app.config["MAX_CONTENT_LENGTH"] = MAX_POST_BYTES
    app.config["CSRF_TOKEN"] = secrets.token_urlsafe(32)

    @app.before_request
    def refuse_foreign_requests() -> None:
        if not access.answers_to(request.headers.get("Host", ""), port):
            abort(400, _wrong_host(access))
        if request.method not in _READING:
            _check_token(access)

    @app.after_request
    def add_headers(response: Response) -> Response:
        for name, value in _HEADERS.items():
            response.headers[name] = value
        response.headers.setdefault("Cache-Control", "no-store")
        if response.mimetype == "text/html":
            set_cookie(response, "csrf", csrf_token())
        return response

    app.add_template_global(csrf_token)


def csrf_token() -> str:
    """The token that a page carries in its meta tag and sends back in a header.

    Where people log in, each session has another one, so that nobody else can read it off a page.
    """
    token = str(current_app.config["CSRF_TOKEN"])
    session = request.cookies.get(cookie_name("session"), "")
    return hmac.digest(token.encode(), session.encode(), "sha256").hex() if session else token


def cookie_name(purpose: str) -> str:
    """The name of a cookie of this app; the ports of a host share their cookies, and two apps
    must not overwrite each other's."""
    digits = re.sub(r"[^0-9]", "", request.headers.get("Host", "").rpartition(":")[2])
    return f"{purpose}_{digits}"


def set_cookie(response: Response, purpose: str, value: str, max_age: int | None = None) -> None:
    """Set a cookie that no script reads and that no other site's page sends; `max_age` in
    seconds, None: until the browser ends."""
    name = cookie_name(purpose)
    response.set_cookie(name, value, max_age=max_age, httponly=True, samesite="Strict")


def _wrong_host(access: Access) -> str:
    if not access.secret:
        return "this app answers only to http://127.0.0.1 and http://localhost"
    return (
        "this app does not answer to that name; use the address that it printed, or start it "
        "with --allow-host and the name"
    )


def _check_token(access: Access) -> None:
    origin, host = request.headers.get("Origin"), request.headers.get("Host", "")
    own = {f"http://{host}"}
    if access.names:
        own.add(f"https://{host}")  # a proxy of that name, which speaks TLS
    if origin is not None and origin not in own:
        raise Forbidden("the request comes from a page of another site")
    token = csrf_token().encode()
    sent = request.headers.get(TOKEN_HEADER, "")
    if not sent and request.mimetype == "application/x-www-form-urlencoded":
        sent = request.form.get(TOKEN_FIELD, "")
    if not all(
        hmac.compare_digest(value.encode(), token)
        for value in (sent, request.cookies.get(cookie_name("csrf"), ""))
    ):
        raise MissingToken
