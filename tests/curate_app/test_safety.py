"""What every route refuses: foreign hosts, posts without a token, too much data, strangers.

The routes are those that the app has, so that a new screen is tested as soon as it is registered.
"""

import re
import subprocess
import sys
import tempfile
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask
from werkzeug.routing import Rule

from curate_app import create_app
from curate_app.access import Access
from curate_app.safety import MAX_POST_BYTES, TOKEN_HEADER
from dataset.catalog import Catalog
from dataset.errors import ConfigError, DataError
from dataset.workspace import Workspace
from tests.curate_app.conftest import Judge
from tests.curate_app.drawn_catalogue import DrawnCatalogue

SECRET = "correct horse"
VALUES = {"kind": "tile", "sha256": "0" * 64, "filename": "app.js", "name": "main"}


def _routes() -> list[tuple[str, str]]:
    """(method, address) of every route, with 1 wherever an address has a place to fill."""

    def filled_in(rule: Rule) -> str:
        values = {name: VALUES.get(name, 1) for name in rule.arguments}
        built = rule.build(values, append_unknown=False)
        assert built is not None
        return built[1]

    with tempfile.TemporaryDirectory() as folder:
        data = DrawnCatalogue(Path(folder)).data
        rules = list(create_app(data, testing=True).url_map.iter_rules())
    methods = [(rule, (rule.methods or set()) - {"HEAD", "OPTIONS"}) for rule in rules]
    return sorted((method, filled_in(rule)) for rule, those in methods for method in those)


ROUTES = _routes()
POSTS = [path for method, path in ROUTES if method == "POST"]
GETS = [path for method, path in ROUTES if method == "GET"]
# What works without script is sent by a form, which carries the token in a field.
FORMS = ("/login", "/logout")
OPEN_TO_STRANGERS = ("/login", "/static/app.js")
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


@pytest.fixture(scope="module")
def three(tmp_path_factory: pytest.TempPathFactory) -> DrawnCatalogue:
    """Three undecided pictures, which nothing in this module changes."""
    drawn = DrawnCatalogue(tmp_path_factory.mktemp("three"))
    drawn.add_many(3)
    return drawn


@pytest.fixture(scope="module")
def open_app(three: DrawnCatalogue) -> Flask:
    return create_app(three.data, testing=True)


@pytest.fixture(scope="module")
def guarded(three: DrawnCatalogue) -> Flask:
    """An app with a password over three pictures."""
    return create_app(three.data, access=Access(secret=SECRET, host="0.0.0.0"), testing=True)


@pytest.fixture
def filled(open_app: Flask, three: DrawnCatalogue) -> Iterator[Judge]:
    """A judge over three undecided pictures, which must be undecided in the end, too."""
    yield Judge(open_app)
    with three.open() as catalog:
        assert catalog.judgements.last_batch() == 0


def test_the_routes_are_read_and_written_by_those_two_methods_alone() -> None:
    assert {method for method, _path in ROUTES} == {"GET", "POST"}
    for expected in (("GET", "/"), ("POST", "/judge"), ("POST", "/undo"), ("GET", "/export")):
        assert expected in ROUTES


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
        if path in FORMS and kind == "application/x-www-form-urlencoded":
            assert answer.status_code == 303
        else:
            assert answer.status_code == 415
    for broken in (b"{", b"[]", b"7", b"null", b"\xff", b'{"x": ' * 20_000):
        content_type = "application/json"
        answer = filled.client.post(path, headers=headers, data=broken, content_type=content_type)
        assert answer.status_code in (400, 415)


@pytest.mark.parametrize("path", POSTS)
def test_post_with_a_key_that_nobody_knows_is_refused(filled: Judge, path: str) -> None:
    answer = filled.post(path, {"no-such-key": 1})
    assert answer.status_code in (400, 415)
    assert "error" in answer.get_json()


@pytest.mark.parametrize("path", POSTS)
def test_token_of_a_form_serves_forms_alone(filled: Judge, path: str) -> None:
    token = filled.app.config["CSRF_TOKEN"]
    for answer in (
        filled.client.post(path, json={"csrf_token": token}),
        filled.client.post(f"{path}?csrf_token={token}", json={}),
        filled.client.post(path, data={"csrf_token": token}, content_type="multipart/form-data"),
    ):
        assert answer.status_code == 403
    answer = filled.client.post(path, data={"csrf_token": token})
    assert answer.status_code == (303 if path in FORMS else 415)


@pytest.mark.parametrize("path", GETS)
def test_page_refuses_keys_that_it_does_not_know(filled: Judge, path: str) -> None:
    answer = filled.get(f"{path}?no-such-key=1")
    static = path.startswith(("/static/", "/media/"))
    assert answer.status_code in ((200, 404) if static else (400, 404))
    assert answer.status_code != 200 or static


@pytest.mark.parametrize("path", GETS)
@pytest.mark.parametrize("value", ["-1", "1e400", "\x00", "x" * 5000, "../../etc/passwd", "'\""])
def test_no_value_in_an_address_is_a_bug(filled: Judge, path: str, value: str) -> None:
    keys = ("after", "radius", "status", "label", "sort", "size", "id", "page", "cut", "between")
    for key in (*keys, "name", "next", "token", "stars", "text", "format", "measure", "k"):
        answer = filled.client.get(path, query_string={key: value}, buffered=True)
        assert answer.status_code < 500, key


@pytest.mark.parametrize("path", POSTS)
def test_oversized_post_is_refused(filled: Judge, path: str) -> None:
    answer = filled.post(path, {"verb": "keep", "ids": [1], "x": "y" * MAX_POST_BYTES})
    # A login is a form: what else comes is not even read.
    assert answer.status_code == (415 if path == "/login" else 413)
    if path in FORMS:
        headers = {TOKEN_HEADER: filled.app.config["CSRF_TOKEN"]}
        form = {"password": "x" * MAX_POST_BYTES}
        answer = filled.client.post(path, data=form, headers=headers)
        without = filled.client.post(path, data=form)
        assert {answer.status_code, without.status_code} <= {303, 413}
        assert without.status_code == 413
    else:
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
    assert answer.headers["Referrer-Policy"] == "same-origin"


@pytest.mark.parametrize("path", [*GETS, "/nowhere"])
def test_pages_hold_no_inline_code_or_style(filled: Judge, path: str) -> None:
    answer = filled.get(path)
    if answer.mimetype != "text/html":
        return
    html = answer.text
    scripts = re.findall(r"<script[^>]*>[^<]*</script>", html)
    assert html.count("<script") == len(scripts)
    assert all(
        re.fullmatch(r'<script type="module" src="/static/[a-z_.]+"></script>', s) for s in scripts
    )
    assert "<style" not in html
    assert "style=" not in html
    assert not re.search(r"<[^>]* on[a-z]+=", html)
    assert "http://" not in html.replace("http://pictures.test", "")  # nothing from elsewhere


@pytest.mark.parametrize("path", sorted(set(GETS) - set(POSTS)))
def test_reading_routes_take_no_post(filled: Judge, path: str) -> None:
    assert filled.post(path, {}).status_code == 405


@pytest.mark.parametrize("path", sorted(set(POSTS) - set(GETS)))
def test_posts_are_not_read(filled: Judge, path: str) -> None:
    assert filled.get(path).status_code in (404, 405)


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


@pytest.mark.parametrize(("method", "path"), ROUTES)
def test_stranger_gets_nothing_but_the_door(guarded: Flask, method: str, path: str) -> None:
    client = guarded.test_client()
    client.get("/login")
    headers = {TOKEN_HEADER: guarded.config["CSRF_TOKEN"]}
    for cookie in ("", "x", "session", "0" * 43):
        client.set_cookie("session_", cookie)
        answer = client.open(path, method=method, headers=headers, buffered=True)
        assert b"Drawing" not in answer.data
        if path in OPEN_TO_STRANGERS:
            assert answer.status_code in (200, 415, 403)
        elif method == "GET" and not path.startswith("/media/"):
            assert answer.status_code in (303, 401)
            assert answer.headers.get("Location", "/login").startswith("/login")
        else:
            assert answer.status_code in (401, 403)
        assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
    if path not in OPEN_TO_STRANGERS:
        told = client.get(path, query_string={"format": "json"}, buffered=True)
        assert told.status_code == 401


def test_stranger_does_not_learn_which_pages_there_are(guarded: Flask) -> None:
    client = guarded.test_client()
    assert client.get("/nowhere").status_code == client.get("/picture/1").status_code == 303
    assert client.post("/nowhere", json={}).status_code in (401, 403)


@pytest.mark.parametrize(
    ("host", "bound", "names", "answers"),
    [
        ("192.168.1.7:8700", "0.0.0.0", (), True),
        ("10.0.0.1:8700", "0.0.0.0", (), True),
        ("[fe80::1]:8700", "::", (), True),
        ("localhost:8700", "0.0.0.0", (), True),
        ("192.168.1.7:8701", "0.0.0.0", (), False),
        ("192.168.1.7", "0.0.0.0", (), False),
        ("evil.test:8700", "0.0.0.0", (), False),
        ("192.168.1.7.evil.test:8700", "0.0.0.0", (), False),
        ("192.168.1.300:8700", "0.0.0.0", (), False),
        ("3232235783:8700", "0.0.0.0", (), False),
        ("0x7f.1:8700", "0.0.0.0", (), False),
        ("192.168.1.7:8700", "192.168.1.7", (), True),
        ("192.168.1.8:8700", "192.168.1.7", (), False),
        ("evil.test:8700", "192.168.1.7", (), False),
        ("cats.example:8700", "0.0.0.0", ("cats.example",), True),
        ("CATS.example", "127.0.0.1", ("cats.example",), True),
        ("cats.example:9", "0.0.0.0", ("cats.example",), False),
        ("cats.example:9", "0.0.0.0", ("cats.example:9",), True),
        ("cats.example:8700", "0.0.0.0", ("cats.example:9",), False),
        ("dogs.cats.example:8700", "0.0.0.0", ("cats.example",), False),
        ("cats.example@evil.test:8700", "0.0.0.0", ("cats.example",), False),
        ("[::1:8700", "::", (), False),
        ("", "0.0.0.0", ("cats.example",), False),
    ],
)
def test_with_a_password_the_bound_address_and_given_names_are_served(
    drawn: DrawnCatalogue, host: str, bound: str, names: tuple[str, ...], answers: bool
) -> None:
    access = Access(secret=SECRET, host=bound, names=names)
    app = create_app(drawn.data, port=8700, access=access, testing=True)
    answer = app.test_client().get("/login", headers={"Host": host})
    assert answer.status_code == (200 if answers else 400)


def test_names_given_are_known_to_a_proxy_with_tls_as_well(drawn: DrawnCatalogue) -> None:
    access = Access(secret=SECRET, names=("cats.example",))
    app = create_app(drawn.data, port=8700, access=access, testing=True)
    for origin, status in [
        ("https://cats.example", 415),
        ("http://cats.example", 415),
        ("https://evil.test", 403),
        ("https://cats.example.evil.test", 403),
    ]:
        client = app.test_client()
        headers = {"Host": "cats.example"}
        client.get("/login", headers=headers, base_url="http://cats.example")
        headers |= {"Origin": origin, TOKEN_HEADER: app.config["CSRF_TOKEN"]}
        answer = client.post("/login", headers=headers, json={}, base_url="http://cats.example")
        assert answer.status_code == status, origin


_SECOND_PROCESS = """
import sys
from pathlib import Path
from dataset.catalog import Catalog
from dataset.records import Change
with Catalog(Path(sys.argv[1]), create=False) as catalog:
    for number in range(150):
        change = Change(image_id=13, field="stars", value=number % 5 + 1)
        assert catalog.judgements.apply([change], who="other", verb="stars")
"""


def test_one_writer_many_threads_and_another_program_lose_nothing(
    judge: Judge, drawn: DrawnCatalogue
) -> None:
    ids = drawn.add_many(13)[:12]
    path = Workspace(drawn.data).catalog
    answers: Counter[int] = Counter()

    def person(image_id: int) -> None:
        mine = Judge(judge.app)
        for number in range(25):
            answers[mine.judge("stars", image_id, stars=number % 5 + 1).status_code] += 1
            answers[mine.get("/?format=json").status_code] += 1

    command = [sys.executable, "-c", _SECOND_PROCESS, str(path)]
    other = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    people = [threading.Thread(target=person, args=(image_id,)) for image_id in ids]
    for thread in people:
        thread.start()
    for thread in people:
        thread.join()
    assert (other.wait(60), other.communicate()[1]) == (0, "")
    assert answers == {200: 12 * 25 * 2}
    with Catalog(path, create=False) as catalog:
        events = catalog.judgements.latest(10_000)
    assert Counter(event.who for event in events) == {"me": 12 * 25, "other": 150}
    assert len({event.batch for event in events}) == len(events)
    assert Counter(event.image_id for event in events) == {**dict.fromkeys(ids, 25), 13: 150}
