"""The door: the right word opens it, guessing is slow, nothing survives a restart, names hold."""

import argparse
import io
import os
import re
import sys
from functools import partial
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient
from hypothesis import given
from hypothesis import strategies as st
from werkzeug.test import TestResponse

from curate_app import create_app, login
from curate_app.access import Access, add_access_options, read_access
from curate_app.login import Guesses, Sessions
from curate_app.safety import TOKEN_HEADER
from dataset.errors import ConfigError
from tests.curate_app.conftest import Judge
from tests.curate_app.drawn_catalogue import DrawnCatalogue

SECRET = "correct horse"


class Clock:
    """A time that passes when the test says so."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def guarded(drawn: DrawnCatalogue) -> Flask:
    drawn.add_many(3)
    return create_app(drawn.data, access=Access(secret=SECRET), testing=True)


def token_of(page: str) -> str:
    found = re.search(r'name="csrf_token" value="([^"]+)"', page)
    assert found is not None
    return found[1]


def enter(client: FlaskClient, password: str, **more: str) -> TestResponse:
    """Open the login page, fill in the form and send it, as a browser without script does."""
    token = token_of(client.get("/login").text)
    return client.post("/login", data={"csrf_token": token, "password": password, **more})


def test_right_password_opens_every_page_and_the_actions(guarded: Flask) -> None:
    client = guarded.test_client()
    first = client.get("/?label=cat")
    assert first.headers["Location"] == "/login?next=/?label%3Dcat"
    token = token_of(client.get(first.headers["Location"]).text)
    form = {"csrf_token": token, "password": SECRET, "next": "/?label=cat"}
    answer = client.post("/login", data=form)
    assert (answer.status_code, answer.headers["Location"]) == (303, "/?label=cat")
    page = client.get("/")
    assert "Drawing number" in page.text
    found = re.search(r'name="csrf-token" content="([^"]+)"', page.text)
    assert found is not None
    done = client.post(
        "/judge", json={"verb": "keep", "ids": [1]}, headers={TOKEN_HEADER: found[1]}
    )
    assert done.status_code == 200


def test_cookie_of_a_session_is_random_and_kept_from_scripts_and_other_sites(
    guarded: Flask,
) -> None:
    cookies = set()
    for _ in range(3):
        answer = enter(guarded.test_client(), SECRET)
        [cookie] = [c for c in answer.headers.getlist("Set-Cookie") if c.startswith("session_")]
        assert "HttpOnly" in cookie
        assert "SameSite=Strict" in cookie
        assert "Max-Age" not in cookie
        cookies.add(cookie.split(";")[0])
    assert len(cookies) == 3
    assert all(len(cookie) >= len("session_=") + 43 for cookie in cookies)


def test_names_of_cookies_are_bound_to_the_port(drawn: DrawnCatalogue) -> None:
    app = create_app(drawn.data, port=8700, access=Access(secret=SECRET), testing=True)
    client = app.test_client()
    base = "http://localhost:8700"
    token = token_of(client.get("/login", base_url=base).text)
    data = {"csrf_token": token, "password": SECRET}
    answer = client.post("/login", data=data, base_url=base)
    assert any(c.startswith("session_8700=") for c in answer.headers.getlist("Set-Cookie"))


@pytest.mark.parametrize(
    "word", ["", "x", SECRET[:-1], SECRET + " ", SECRET.upper(), "ü" * 13, "\ud800", "x" * 1001]
)
def test_wrong_password_opens_nothing(guarded: Flask, word: str) -> None:
    client = guarded.test_client()
    answer = enter(client, word.encode("utf-8", "replace").decode())
    assert answer.status_code == 403
    assert "that is not the password" in answer.text
    assert client.get("/").status_code == 303
    assert not [c for c in answer.headers.getlist("Set-Cookie") if c.startswith("session_")]


def test_login_needs_the_token_of_its_form(guarded: Flask) -> None:
    client = guarded.test_client()
    client.get("/login")
    for form in ({}, {"csrf_token": ""}, {"csrf_token": "x" * 43}):
        assert client.post("/login", data={"password": SECRET, **form}).status_code == 403
    assert client.get("/").status_code == 303


def test_guessing_is_slowed_down_and_the_right_word_waits_at_most_half_a_minute(
    guarded: Flask,
) -> None:
    clock = Clock()
    guarded.extensions["door"] = login.Door(
        access=Access(secret=SECRET), guesses=Guesses(clock), sessions=Sessions(clock)
    )
    client = guarded.test_client()
    for _ in range(5):
        assert enter(client, "wrong guess").status_code == 403
    refused = enter(client, SECRET)  # not even looked at
    assert refused.status_code == 429
    assert 1 <= int(refused.headers["Retry-After"]) <= 2
    assert "wait" in refused.text
    for _ in range(40):
        clock.now += 30
        assert enter(client, "wrong guess").status_code == 403
        assert int(enter(client, SECRET).headers["Retry-After"]) <= 30
    clock.now += 30
    assert enter(client, SECRET).status_code == 303
    assert enter(guarded.test_client(), "wrong guess").status_code == 403  # it starts anew


def test_guesses_of_others_keep_nobody_out(guarded: Flask) -> None:
    stranger, owner = guarded.test_client(), guarded.test_client()
    logged_in = guarded.test_client()
    enter(logged_in, SECRET)
    stranger.environ_base["REMOTE_ADDR"] = "203.0.113.5"
    for _ in range(20):
        enter(stranger, "wrong guess")
    assert enter(stranger, SECRET).status_code == 429
    assert logged_in.get("/").status_code == 200
    assert enter(owner, SECRET).status_code == 303


def test_one_network_of_ipv6_counts_as_one(guarded: Flask) -> None:
    client = guarded.test_client()
    for number in range(6):
        client.environ_base["REMOTE_ADDR"] = f"2001:db8::{number:x}"
        status = enter(client, "wrong guess").status_code
    assert status == 429
    client.environ_base["REMOTE_ADDR"] = "2001:db8:0:1::1"
    assert enter(client, "wrong guess").status_code == 403


def test_log_out_closes_the_session_for_good(guarded: Flask) -> None:
    client = guarded.test_client()
    enter(client, SECRET)
    session = client.get_cookie("session_")
    assert session is not None
    token = re.search(r'csrf-token" content="([^"]+)"', client.get("/").text)
    assert token is not None
    answer = client.post("/logout", data={"csrf_token": token[1]})
    assert (answer.status_code, answer.headers["Location"]) == (303, "/login")
    assert client.get_cookie("session_") is None
    client.set_cookie("session_", session.value)  # somebody wrote it down
    assert client.get("/").status_code == 303


def test_restart_asks_everybody_again_and_says_so(drawn: DrawnCatalogue) -> None:
    access = Access(secret=SECRET)
    before, after = (create_app(drawn.data, access=access, testing=True) for _ in range(2))
    client = before.test_client()
    enter(client, SECRET)
    session = client.get_cookie("session_")
    assert session is not None
    later = after.test_client()
    later.set_cookie("session_", session.value)
    assert later.get("/").status_code == 303
    answer = later.post("/undo", json={})
    assert answer.status_code in (401, 403)
    assert "reload" in answer.get_json()["error"]


def test_token_of_one_session_serves_no_other(guarded: Flask) -> None:
    tokens = set()
    for _ in range(2):
        client = guarded.test_client()
        enter(client, SECRET)
        found = re.search(r'csrf-token" content="([^"]+)"', client.get("/").text)
        assert found is not None
        tokens.add(found[1])
    stranger = token_of(guarded.test_client().get("/login").text)
    assert len(tokens | {stranger}) == 3
    headers = {TOKEN_HEADER: stranger}
    assert client.post("/undo", json={}, headers=headers).status_code == 403


@pytest.mark.parametrize(
    "goal",
    [
        "//evil.test",
        "/\\evil.test",
        "http://evil.test/",
        "https:evil.test",
        "javascript:alert(1)",
        "evil",
        "/x\r\nSet-Cookie: a=b",
        "/login",
        "/" + "x" * 3000,
        "///evil.test",
        "http://[",
        "/\t/evil.test",
    ],
)
def test_door_leads_to_no_other_site(guarded: Flask, goal: str) -> None:
    answer = enter(guarded.test_client(), SECRET, next=goal)
    assert (answer.status_code, answer.headers["Location"]) == (303, "/")


def test_address_with_the_token_opens_the_app(drawn: DrawnCatalogue) -> None:
    drawn.add_many(1)
    access = Access(secret="t" * 32, is_token=True)
    client = create_app(drawn.data, access=access, testing=True).test_client()
    assert client.get("/login?token=wrong").status_code == 403
    answer = client.get(f"/login?token={'t' * 32}&next=/export")
    # No redirect: a browser that followed a foreign link sends the new cookie only from here.
    assert answer.status_code == 200
    assert 'http-equiv="refresh" content="0; url=/export"' in answer.text
    assert "t" * 32 not in answer.text
    assert client.get("/").status_code == 200


def test_guessing_tokens_in_the_form_is_slowed_down_as_well(drawn: DrawnCatalogue) -> None:
    access = Access(secret="t" * 32, is_token=True)
    client = create_app(drawn.data, access=access, testing=True).test_client()
    statuses = [enter(client, f"guess {number}").status_code for number in range(7)]
    assert statuses == [403] * 5 + [429] * 2
    assert client.get(f"/login?token={'t' * 32}").status_code == 200, "an address never waits"


@pytest.mark.parametrize("access", [Access(secret=SECRET), Access(secret="t" * 32, is_token=True)])
def test_foreign_page_that_asks_for_wrong_tokens_locks_nobody_out(
    access: Access, drawn: DrawnCatalogue
) -> None:
    drawn.add_many(1)
    client = create_app(drawn.data, access=access, testing=True).test_client()
    for number in range(7):  # as its <img> tags would
        assert client.get(f"/login?token=guess{number}").status_code == 403
    assert enter(client, access.secret).status_code == 303


def test_password_is_only_typed_so_that_no_address_can_guess_it(guarded: Flask) -> None:
    client = guarded.test_client()
    answer = client.get("/login", query_string={"token": SECRET})
    assert answer.status_code == 403
    assert "no address opens this app; type its password" in answer.text
    assert client.get("/").status_code == 303


def test_token_is_too_long_to_be_guessed() -> None:
    with pytest.raises(ConfigError, match="a token has at least 32 letters"):
        Access(secret="t" * 31, is_token=True)


def test_app_without_a_password_has_an_open_door(judge: Judge) -> None:
    assert judge.get("/login").headers["Location"] == "/"
    assert judge.get("/login?next=/duplicates").headers["Location"] == "/duplicates"


def test_everybody_in_a_browser_has_an_own_name(judge: Judge, drawn: DrawnCatalogue) -> None:
    first, second = drawn.add_many(2)
    other = Judge(judge.app)
    told = judge.post("/who", {"who": "  Änna  B. "})
    assert told.get_json() == {"who": "Änna B.", "message": "judging as Änna B."}
    cookie = told.headers["Set-Cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Strict" in cookie
    judge.judge("keep", first)
    other.judge("keep", second)
    with drawn.open() as catalog:
        whose = {event.image_id: event.who for event in catalog.judgements.latest()}
    assert whose == {first: "Änna B.", second: "me"}
    assert "Änna B." in judge.get("/").text


@pytest.mark.parametrize("name", ["", "  ", "auto", "x" * 41, "a\x1b[31m", None, 7, ["x"], {}])
def test_name_that_would_mislead_is_refused(judge: Judge, name: object) -> None:
    answer = judge.post("/who", {"who": name})
    assert answer.status_code == 400
    assert "--who" not in answer.get_json()["error"]
    assert "Set-Cookie" not in answer.headers


def test_cookie_with_a_name_that_would_mislead_counts_for_nothing(
    judge: Judge, drawn: DrawnCatalogue
) -> None:
    [number] = drawn.add_many(1)
    judge.client.set_cookie("who_", "auto")
    judge.judge("keep", number)
    with drawn.open() as catalog:
        assert catalog.judgements.latest()[0].who == "me"


def test_name_is_given_at_the_door_too(guarded: Flask, drawn: DrawnCatalogue) -> None:
    client = guarded.test_client()
    assert enter(client, SECRET, who="auto").status_code == 400
    assert client.get("/").status_code == 303
    assert enter(client, SECRET, who="Ben").status_code == 303
    assert "Ben" in client.get("/").text


def test_session_that_nobody_uses_for_a_week_is_closed() -> None:
    clock = Clock()
    sessions = Sessions(clock)
    used, idle = sessions.open(), sessions.open()
    for _ in range(8):
        clock.now += 86_400
        assert sessions.holds(used)
    assert not sessions.holds(idle)
    assert not sessions.holds("")


@given(st.lists(st.tuples(st.booleans(), st.floats(0, 60)), max_size=60))
def test_no_pause_is_ever_longer_than_half_a_minute(tries: list[tuple[bool, float]]) -> None:
    clock = Clock()
    guesses = Guesses(clock)
    for is_right, seconds in tries:
        clock.now += seconds
        paused = guesses.pause("here")
        assert 0 <= paused <= 30
        outcome = guesses.try_one("here", partial(bool, is_right))
        assert outcome is (None if paused > 0 else is_right)


def test_what_is_remembered_of_guessing_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(login, "_MOST_REMEMBERED", 10)
    guesses, sessions = Guesses(), Sessions()
    first = sessions.open()
    for number in range(50):
        guesses.try_one(f"10.0.0.{number}", lambda: False)
        sessions.open()
    assert len(guesses._wrong) == len(sessions._seen) == 10
    assert not sessions.holds(first)


def options(*words: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    add_access_options(parser)
    return parser.parse_args(words)


def test_password_comes_from_the_environment_a_file_or_the_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("PEDIGREE_PASSWORD", "from environment")
    assert read_access(options("--host", "0.0.0.0")).secret == "from environment"
    path = tmp_path / "password"
    path.write_text("from a file\nsecond line\n")
    path.chmod(0o600)
    assert read_access(options("--password-file", str(path))).secret == "from a file"
    assert caplog.text == ""
    path.chmod(0o644)
    read_access(options("--password-file", str(path)))
    assert f"chmod 600 {path}" in caplog.text
    caplog.clear()
    assert read_access(options("--password", "from command")).secret == "from command"
    assert "others on this machine can read --password" in caplog.text
    first, second = (read_access(options("--token")) for _ in range(2))
    assert first.is_token
    assert len(first.secret) >= 32
    assert first.secret != second.secret


@pytest.mark.parametrize(
    "words",
    [
        ["--host", "0.0.0.0"],
        ["--host", "192.168.1.7"],
        ["--allow-host", "cats.example"],
        ["--password", "short"],
        ["--password", "x" * 1001],
        ["--password-file", "/nowhere/at/all"],
        ["--password"],
    ],
)
def test_access_that_would_leave_the_app_open_is_refused(
    words: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PEDIGREE_PASSWORD", raising=False)
    monkeypatch.setattr(sys, "stdin", io.StringIO())
    with pytest.raises(ConfigError, match="password"):
        read_access(options(*words))


@pytest.mark.parametrize("name", ["a/b", "http://cats.example", "", "a b", "cats.example:x"])
def test_name_that_is_no_host_is_refused(name: str) -> None:
    with pytest.raises(ConfigError, match="--allow-host"):
        read_access(options("--token", "--allow-host", name))


def test_file_without_a_password_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "password"
    for content in (b"", b"\n", b"  \nx", b"\xff\xfe"):
        path.write_bytes(content)
        with pytest.raises(ConfigError, match="password-file"):
            read_access(options("--password-file", str(path)))


def test_password_is_asked_for_on_the_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    main, other = os.openpty()
    monkeypatch.setattr(sys, "stdin", os.fdopen(other))
    monkeypatch.setattr("getpass.getpass", lambda _prompt: "typed by hand")
    assert read_access(options("--password")).secret == "typed by hand"
    monkeypatch.setattr("getpass.getpass", lambda _prompt: "")
    with pytest.raises(ConfigError, match="no password was given"):
        read_access(options("--password"))
    sys.stdin.close()
    os.close(main)


def test_form_knows_the_name_of_this_browser_and_what_was_just_typed(guarded: Flask) -> None:
    client = guarded.test_client()
    assert 'name="who" maxlength="40" value=""' in client.get("/login").text
    assert enter(client, SECRET, who="anna").status_code == 303
    client.delete_cookie("session_")
    assert 'value="anna"' in client.get("/login").text
    assert 'value="ben"' in enter(client, "a wrong word", who="ben").text
