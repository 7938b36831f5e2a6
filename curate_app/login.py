"""The door: log in by password, stay logged in by a random cookie, log out; say who one is."""

import hashlib
import hmac
import ipaddress
import logging
import math
import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field

from flask import (
    Blueprint,
    Flask,
    Response,
    abort,
    current_app,
    jsonify,
    make_response,
    redirect,
    render_template,
    request,
    url_for,
)
from werkzeug.exceptions import Unauthorized

from curate_app import actions
from curate_app.access import Access
from curate_app.address import check_keys
from curate_app.error_pages import wants_json
from curate_app.safety import cookie_name, set_cookie
from dataset.errors import ConfigError
from dataset.judge_name import judge_name

log = logging.getLogger(__name__)

blueprint = Blueprint("login", __name__)

_OPEN_TO_ALL = ("login.show", "login.enter", "static")
_FREE_GUESSES = 5
_LONGEST_PAUSE_S = 30.0
_MOST_REMEMBERED = 10_000
_IDLE_S = 7 * 86_400.0
_YEAR_S = 365 * 86_400
_LONGEST_ADDRESS = 2000


class NotLoggedIn(Unauthorized):
    """A request without a session: nobody logged in, or the app was started again since then."""

    description = "you are not logged in (the app may have been restarted); reload and log in"


class Sessions:
    """Who is logged in, in memory alone: who restarts the app asks everybody for the password
    again, and no stolen file opens it. Only digests are kept."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._seen: OrderedDict[bytes, float] = OrderedDict()  # oldest use first
        self._lock = threading.Lock()

    def open(self) -> str:
        session = secrets.token_urlsafe(32)
        with self._lock:
            self._seen[_digest(session)] = self._clock()
            while len(self._seen) > _MOST_REMEMBERED:
                self._seen.popitem(last=False)
        return session

    def holds(self, session: str) -> bool:
        """Whether a session is open; one that nobody uses for a week is closed."""
        key = _digest(session)
        with self._lock:
            seen = self._seen.pop(key, None)
            if seen is None or self._clock() - seen > _IDLE_S:
                return False
            self._seen[key] = self._clock()
            return True

    def close(self, session: str) -> None:
        with self._lock:
            self._seen.pop(_digest(session), None)


class Guesses:
    """Slows down guessing: after five wrong words an address waits, twice as long each time, half
    a minute at most. Other addresses, and those logged in, never wait for it."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._wrong: OrderedDict[str, tuple[int, float]] = OrderedDict()  # count, free again at
        self._lock = threading.Lock()

    def pause(self, address: str) -> float:
        """Seconds that the address has to wait, 0 for none."""
        with self._lock:
            _count, free_at = self._wrong.get(address, (0, 0.0))
            return max(0.0, free_at - self._clock())

    def try_one(self, address: str, is_right: Callable[[], bool]) -> bool | None:
        """Whether the word is right, or None when it was not looked at, as the address waits."""
        with self._lock:
            now = self._clock()
            count, free_at = self._wrong.get(address, (0, 0.0))
            if now < free_at:
                return None
            if is_right():
                self._wrong.pop(address, None)
                return True
            count += 1
            over = count - _FREE_GUESSES
            pause = 0.0 if over < 0 else min(2.0 ** min(over, 10), _LONGEST_PAUSE_S)
            self._wrong[address] = (count, now + pause)
            self._wrong.move_to_end(address)
            while len(self._wrong) > _MOST_REMEMBERED:
                self._wrong.popitem(last=False)
        log.warning("wrong password from %s (%d in a row)", address, count)
        return False


@dataclass(frozen=True, kw_only=True)
class Door:
    """What guards one running app."""

    access: Access
    sessions: Sessions = field(default_factory=Sessions)
    guesses: Guesses = field(default_factory=Guesses)


def install(app: Flask, access: Access) -> None:
    """Let nobody in without a session where `access` has a secret; comes after the host check."""
    app.extensions["door"] = Door(access=access)
    app.add_template_global(is_guarded)
    if access.secret:
        app.before_request(_refuse_strangers)


def is_guarded() -> bool:
    """Whether there is a password, and so something to log out from."""
    return bool(_door().access.secret)


@blueprint.get("/login")
def show() -> Response:
    """The form; the address that `serve --token` prints opens the app at once."""
    check_keys("token", "next")
    token = request.args.get("token")
    if not is_guarded() or (token is None and _is_logged_in()):
        return _redirect(_next_page(request.args.get("next", "")))
    if token is None:
        return _form(200)
    # Any page can send any browser here, so nothing in an address counts as a guess of whoever
    # sits there. A token is too long to be guessed; a password is not, and is only typed.
    if not _door().access.is_token:
        return _form(403, "no address opens this app; type its password")
    if not _is_right(token):
        log.debug("an address with a wrong token, from %s", request.remote_addr)
        return _form(403, "that is not the token")
    # The address may have stood on a foreign page, from which no browser sends the new cookie
    # along with a redirect; so the page that says hello goes on by itself.
    goal = _next_page(request.args.get("next", ""))
    return _opened(make_response(render_template("login.html", goal=goal)))


@blueprint.post("/login")
def enter() -> Response:
    """Log in by the form: password, csrf_token, and perhaps who and next."""
    if request.mimetype != "application/x-www-form-urlencoded":
        abort(415, "send the login as a form")
    if not is_guarded():
        return _redirect(url_for("grid.show"))
    return _answer_to(request.form.get("password", ""))


@blueprint.post("/logout")
def leave() -> Response:
    """Close this session; a form with csrf_token, or JSON {}."""
    if request.is_json:
        actions.read_body()
    elif request.mimetype != "application/x-www-form-urlencoded":
        abort(415, "send the action as application/json or as a form")
    _door().sessions.close(_session())
    response = _redirect(url_for("login.show"))
    response.delete_cookie(cookie_name("session"), httponly=True, samesite="Strict")
    return response


@blueprint.post("/who")
def sign() -> Response:
    """Judge from now on, in this browser, in the name {"who": NAME}."""
    typed = actions.read_body("who").get("who")
    if not isinstance(typed, str):
        abort(400, "who must be a name")
    try:
        name = judge_name(typed)
    except ConfigError as error:
        abort(400, str(error).replace("--who ", ""))
    response = jsonify(who=name, message=f"judging as {name}")
    set_cookie(response, "who", name, _YEAR_S)
    return response


def _refuse_strangers() -> Response | None:
    if request.endpoint in _OPEN_TO_ALL or _is_logged_in():
        return None
    is_page = request.method == "GET" and not wants_json() and request.endpoint != "media.show"
    if not is_page:
        raise NotLoggedIn
    wanted = request.full_path.removesuffix("?")
    return _redirect(url_for("login.show", next=None if wanted == "/" else wanted))


def _answer_to(typed: str) -> Response:
    """Open a session for the right word, and slow down whoever types wrong ones."""
    door, address = _door(), _network_of(request.remote_addr or "")
    name, fault = _name_in_form()
    if fault:
        return _form(400, fault)
    outcome = door.guesses.try_one(address, lambda: _is_right(typed))
    if outcome is None:
        seconds = math.ceil(door.guesses.pause(address)) or 1
        response = _form(429, f"too many wrong tries: wait {seconds} seconds, then try again")
        response.headers["Retry-After"] = str(seconds)
        return response
    if not outcome:
        return _form(403, f"that is not the {'token' if door.access.is_token else 'password'}")
    response = _opened(_redirect(_next_page(request.form.get("next", ""))))
    if name:
        set_cookie(response, "who", name, _YEAR_S)
    return response


def _is_right(word: str) -> bool:
    return hmac.compare_digest(_digest(word), _digest(_door().access.secret))


def _opened(response: Response) -> Response:
    """The response with a new session, instead of the one that this browser had."""
    sessions = _door().sessions
    sessions.close(_session())
    set_cookie(response, "session", sessions.open())
    return response


def _name_in_form() -> tuple[str, str]:
    """The name that came with the login, "" for none, and what is wrong with it."""
    typed = request.form.get("who", "")
    try:
        return (judge_name(typed) if typed.strip() else ""), ""
    except ConfigError as error:
        return "", str(error).replace("--who ", "")


def _network_of(address: str) -> str:
    """Whom a guess is counted for: an address, or in IPv6 the network of 64 bits, which is one
    customer's."""
    try:
        number = ipaddress.ip_address(address)
    except ValueError:
        return address
    return (
        str(ipaddress.ip_network(f"{number}/64", strict=False)) if number.version == 6 else address
    )


def _form(status: int, line: str = "") -> Response:
    page = render_template(
        "login.html",
        line=line,
        next=_next_page(request.values.get("next", "")),
        is_token=_door().access.is_token,
        name=_known_name(),
    )
    return make_response(page, status)


def _known_name() -> str:
    """What was just typed as a name, else the name that this browser judged in before."""
    known = request.form.get("who", request.cookies.get(cookie_name("who"), ""))
    try:
        return judge_name(known)
    except ConfigError:
        return ""


def _redirect(address: str) -> Response:
    response = redirect(address, 303)
    assert isinstance(response, Response)
    return response


def _next_page(wanted: str) -> str:
    """The page of this app that was asked for, else the first one; never another site's."""
    own = (
        len(wanted) <= _LONGEST_ADDRESS
        and wanted.isprintable()  # browsers skip control letters: "/\t/evil.test"
        and wanted.startswith("/")
        and not wanted.startswith(("//", "/\\", "/login"))
    )
    return wanted if own else url_for("grid.show")


def _is_logged_in() -> bool:
    return _door().sessions.holds(_session())


def _session() -> str:
    return request.cookies.get(cookie_name("session"), "")


def _door() -> Door:
    found = current_app.extensions["door"]
    assert isinstance(found, Door)
    return found


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()
