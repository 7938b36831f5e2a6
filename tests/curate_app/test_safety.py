"""What every route refuses: foreign hosts, posts without a token, too much data."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask
from werkzeug.routing import Rule

from curate_app import create_app
from curate_app.safety import MAX_POST_BYTES, TOKEN_HEADER
from dataset.errors import ConfigError, DataError
from dataset.workspace import Workspace
from tests.curate_app.conftest import Judge
from tests.curate_app.drawn_catalogue import DrawnCatalogue

VALUES = {"image_id": 1, "kind": "tile", "version": 1, "sha256": "0" * 64, "filename": "app.js"}
ROUTES = [
    ("GET", "/"),
    ("GET", "/duplicates"),
    ("GET", "/picture/1"),
    ("GET", f"/media/tile-v1/{'0' * 64}.webp"),
    ("GET", "/static/app.js"),
    ("POST", "/judge"),
    ("POST", "/duplicates/keep-best"),
    ("POST", "/duplicates/keep-all"),
    ("POST", "/duplicates/different"),
    ("POST", "/undo"),
]
POSTS = [path for method, path in ROUTES if method == "POST"]
HOSTILE_HOSTS = [
    "evil.test",
    "evil.test:8700",
    "127.0.0.1.evil.test",
    "localhost.evil.test",
    "192.168.1.7",
    "0.0.0.0",
    "[::2]",
    "[::1",
    "localhost:80:80",
    "localhost:x",
    "127.0.0.1@evil.test",
    "",
]


@pytest.fixture
def filled(judge: Judge, drawn: DrawnCatalogue) -> Iterator[Judge]:
    """A judge over three undecided pictures, which must be undecided in the end, too."""
    drawn.add_many(3)
    yield judge
    with drawn.open() as catalog:
        assert catalog.judgements.last_event_id() == 0


def test_the_list_of_routes_above_is_whole(judge: Judge) -> None:
    def built(app: Flask, rule: Rule) -> tuple[str, str]:
        [method] = (rule.methods or set()) - {"HEAD", "OPTIONS"}
        address = rule.build(VALUES, append_unknown=False)
        assert address is not None
        return method, address[1]

    rules = judge.app.url_map.iter_rules()
    assert sorted(built(judge.app, rule) for rule in rules) == sorted(ROUTES)


@pytest.mark.parametrize(("method", "path"), ROUTES)
def test_foreign_host_is_refused_on_every_route(filled: Judge, method: str, path: str) -> None:
    body = {"verb": "keep", "ids": [1]} if method == "POST" else None
    for host in HOSTILE_HOSTS:
        headers = {"Host": host, TOKEN_HEADER: filled.app.config["CSRF_TOKEN"]}
        answer = filled.client.open(path, method=method, headers=headers, json=body, buffered=True)
        assert answer.status_code == 400, host
        assert b"Drawing" not in answer.data


@pytest.mark.parametrize(
    "host", ["127.0.0.1:8700", "localhost:8700", "[::1]:8700", "LOCALHOST:8700"]
)
def test_loopback_names_are_served_on_the_own_port_only(drawn: DrawnCatalogue, host: str) -> None:
    client = create_app(drawn.data, port=8700, testing=True).test_client()
    assert client.get("/", headers={"Host": host}).status_code == 200
    for foreign in (host.replace("8700", "8701"), host.removesuffix(":8700")):
        assert client.get("/", headers={"Host": foreign}).status_code == 400


@pytest.mark.parametrize("path", POSTS)
def test_post_needs_both_the_header_and_the_cookie(filled: Judge, path: str) -> None:
    token = filled.app.config["CSRF_TOKEN"]
    body = {"verb": "keep", "ids": [1]}
    with_cookie, bare = filled.client, filled.app.test_client()
    for client, headers in [
        (bare, {}),
        (bare, {TOKEN_HEADER: token}),
        (with_cookie, {}),
        (with_cookie, {TOKEN_HEADER: ""}),
        (with_cookie, {TOKEN_HEADER: token[:-1]}),
        (with_cookie, {TOKEN_HEADER: "ü"}),
    ]:
        answer = client.post(path, json=body, headers=headers)
        assert answer.status_code == 403
        assert answer.get_json()["code"] == "token"


@pytest.mark.parametrize("path", POSTS)
def test_post_from_a_page_of_another_origin_is_refused(filled: Judge, path: str) -> None:
    for origin in ("http://evil.test", "null", "https://localhost", "http://localhost:1"):
        headers = {TOKEN_HEADER: filled.app.config["CSRF_TOKEN"], "Origin": origin}
        answer = filled.client.post(path, json={"verb": "keep", "ids": [1]}, headers=headers)
        assert answer.status_code == 403, origin


@pytest.mark.parametrize("path", POSTS)
def test_post_that_is_no_json_is_refused(filled: Judge, path: str) -> None:
    # What a foreign page can send without asking first: forms and plain text.
    headers = {TOKEN_HEADER: filled.app.config["CSRF_TOKEN"]}
    for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data"):
        content = b'{"verb": "keep", "ids": [1]}'
        answer = filled.client.post(path, data=content, content_type=kind, headers=headers)
        assert answer.status_code == 415
    broken = {"data": b"{", "content_type": "application/json"}
    assert filled.client.post(path, headers=headers, **broken).status_code == 400


@pytest.mark.parametrize("path", POSTS)
def test_oversized_post_is_refused(filled: Judge, path: str) -> None:
    answer = filled.post(path, {"verb": "keep", "ids": [1], "x": "y" * MAX_POST_BYTES})
    assert answer.status_code == 413
    assert answer.get_json()["error"] == "the request is too large"


@pytest.mark.parametrize(("method", "path"), ROUTES)
def test_every_answer_carries_the_policy_that_bars_foreign_and_inline_code(
    filled: Judge, method: str, path: str
) -> None:
    answer = filled.client.open(path, method=method, buffered=True)
    policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "script-src 'self'" in policy
    assert "unsafe" not in policy
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["X-Frame-Options"] == "DENY"
    assert answer.headers["Referrer-Policy"] == "no-referrer"


@pytest.mark.parametrize("path", ["/", "/duplicates", "/picture/1", "/nowhere"])
def test_pages_hold_no_inline_code_or_style(filled: Judge, path: str) -> None:
    html = filled.get(path).text
    assert html.count("<script") == html.count("<script src=") == 1
    assert "<style" not in html
    assert "style=" not in html
    assert " onclick" not in html
    assert "http://" not in html.replace("http://pictures.test", "")  # nothing from elsewhere


@pytest.mark.parametrize("path", [path for method, path in ROUTES if method == "GET"])
def test_reading_routes_take_no_post_and_posts_are_not_read(filled: Judge, path: str) -> None:
    assert filled.post(path, {}).status_code == 405
    for post in POSTS:
        assert filled.get(post).status_code == 405


def test_cookie_is_kept_from_scripts_and_other_sites(judge: Judge) -> None:
    cookie = judge.client.get("/").headers["Set-Cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Strict" in cookie


def test_token_is_new_at_every_start(drawn: DrawnCatalogue) -> None:
    tokens = {create_app(drawn.data).config["CSRF_TOKEN"] for _ in range(3)}
    assert len(tokens) == 3


def test_unknown_page_is_one_line_as_page_and_as_json(judge: Judge) -> None:
    page = judge.get("/nowhere")
    assert page.status_code == 404
    assert "there is no such page or picture" in page.text
    told = judge.get("/nowhere?format=json")
    assert told.get_json() == {"code": "not found", "error": "there is no such page or picture"}


@pytest.mark.parametrize("who", ["", "  ", "auto", "x" * 41, "a\x1b[31m"])
def test_name_that_would_mislead_is_refused(drawn: DrawnCatalogue, who: str) -> None:
    with pytest.raises(ConfigError, match="--who"):
        create_app(drawn.data, who=who)


def test_app_is_not_built_without_a_sound_catalogue(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no catalogue"):
        create_app(tmp_path)
    assert not Workspace(tmp_path).catalog.exists()
    Workspace(tmp_path).catalog.write_bytes(b"no database at all" * 100)
    with pytest.raises(DataError, match="damaged"):
        create_app(tmp_path)


def test_catalogue_that_breaks_while_serving_is_told_in_one_line(
    judge: Judge, drawn: DrawnCatalogue
) -> None:
    path = Workspace(drawn.data).catalog
    path.rename(path.with_suffix(".away"))
    answer = judge.get("/?format=json")
    assert answer.status_code == 500
    assert "no catalogue at" in answer.get_json()["error"]
