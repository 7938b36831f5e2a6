"""What keeps other web sites out: host check, CSRF token, content policy, size limits.

Host names are checked against DNS rebinding; tokens follow the double-submit pattern of OWASP.
"""

import hmac
import re
import secrets

from flask import Flask, Response, abort, current_app, request
from werkzeug.exceptions import Forbidden

MAX_POST_BYTES = 256 * 1024
TOKEN_HEADER = "X-CSRF-Token"

_LOOPBACK_HOST = re.compile(r"(127\.0\.0\.1|localhost|\[::1\])(:(?P<port>[0-9]{1,5}))?")
_READING = {"GET", "HEAD", "OPTIONS"}
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; img-src 'self'; style-src 'self'; "
    "script-src 'self'; connect-src 'self'; form-action 'self'; frame-ancestors 'none'; "
    "base-uri 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}


class MissingToken(Forbidden):
    """A POST without this process's token: a foreign page, or one from before a restart."""

    description = "the page is older than the app's last start; reload it"


def install(app: Flask, port: int | None) -> None:
    """Guard every request of `app`, which is served on `port` of the loopback (None: any)."""
    token = secrets.token_urlsafe(32)
    app.config["MAX_CONTENT_LENGTH"] = MAX_POST_BYTES
    app.config["CSRF_TOKEN"] = token

    @app.before_request
    def refuse_foreign_requests() -> None:
        if not _is_loopback_host(request.headers.get("Host", ""), port):
            abort(400, "this app answers only to http://127.0.0.1 and http://localhost")
        if request.method not in _READING:
            _check_token(token)

    @app.after_request
    def add_headers(response: Response) -> Response:
        for name, value in _HEADERS.items():
            response.headers[name] = value
        response.headers.setdefault("Cache-Control", "no-store")
        if response.mimetype == "text/html":
            response.set_cookie(_cookie_name(), token, httponly=True, samesite="Strict")
        return response

    app.add_template_global(csrf_token)


def csrf_token() -> str:
    """The token that a page carries in its meta tag and sends back in a header."""
    return str(current_app.config["CSRF_TOKEN"])


def _is_loopback_host(host: str, port: int | None) -> bool:
    parts = _LOOPBACK_HOST.fullmatch(host.lower())
    return parts is not None and (port is None or parts["port"] == str(port))


def _check_token(token: str) -> None:
    origin = request.headers.get("Origin")
    if origin is not None and origin != f"http://{request.headers.get('Host', '')}":
        raise Forbidden("the request comes from a page of another site")
    sent = (request.headers.get(TOKEN_HEADER, ""), request.cookies.get(_cookie_name(), ""))
    if not all(hmac.compare_digest(value.encode(), token.encode()) for value in sent):
        raise MissingToken


def _cookie_name() -> str:
    # Cookies are shared between the ports of a host: two apps must not overwrite each other's.
    return "csrf_" + re.sub(r"[^0-9]", "", request.headers.get("Host", "").rpartition(":")[2])
