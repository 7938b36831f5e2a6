"""HTTP: keep-alive, HEAD, conditional requests, odd requests, and the log."""

import http.client
import re
import socket
from urllib.parse import urlsplit

import pytest
import requests

from scrape.demo_site import DemoSite
from tests.scrape.demo_site.visitor import Visitor

PICTURE = "/media/animals/cat/cat-0000"


@pytest.fixture(scope="module")
def picture(site: DemoSite) -> str:
    return next(p.address for p in site.collection.labelled if p.address.startswith(PICTURE))


def raw(site: DemoSite, request: bytes) -> bytes:
    """Send bytes as they are, and read until the server closes."""
    host, port = urlsplit(site.url).hostname or "", urlsplit(site.url).port
    with socket.create_connection((host, port), timeout=10) as connection:
        connection.sendall(request)
        connection.shutdown(socket.SHUT_WR)
        parts = []
        while part := connection.recv(65536):
            parts.append(part)
    return b"".join(parts)


def test_one_connection_serves_many_requests(site: DemoSite, picture: str) -> None:
    connection = http.client.HTTPConnection(urlsplit(site.url).netloc, timeout=10)
    connection.connect()
    port = connection.sock.getsockname()[1]
    for path in ("/", picture, "/nothing", "/api/pictures?page=0", picture):
        connection.request("GET", path)
        answer = connection.getresponse()
        assert answer.version == 11
        assert len(answer.read()) == int(answer.headers["Content-Length"])
        assert connection.sock.getsockname()[1] == port
    connection.close()


def test_a_picture_has_its_type_length_and_tag(visitor: Visitor, site: DemoSite) -> None:
    types = {"jpg": "image/jpeg", "png": "image/png", "webp": "image/webp"}
    seen = set()
    for entry in site.collection.labelled[:40]:
        if entry.address.startswith("/media/animals"):
            answer = visitor.get(entry.address)
            extension = entry.address.rsplit(".", 1)[1]
            seen.add(extension)
            assert answer.headers["Content-Type"] == types[extension]
            assert int(answer.headers["Content-Length"]) == len(answer.content)
            assert re.fullmatch(r'"[0-9a-f]{32}"', answer.headers["ETag"])
    assert seen == set(types)


@pytest.mark.parametrize("form", ["{}", "W/{}", '"other", {}', "*"])
def test_a_known_tag_is_answered_with_304_and_no_body(
    visitor: Visitor, picture: str, form: str
) -> None:
    tag = visitor.get(picture).headers["ETag"]
    again = visitor.get(picture, headers={"If-None-Match": form.format(tag)})
    assert (again.status_code, again.content, again.headers["ETag"]) == (304, b"", tag)
    other = visitor.get(picture, headers={"If-None-Match": '"other"'})
    assert other.status_code == 200


@pytest.mark.parametrize("path", ["/", "/logos/", "/api/pictures", "/robots.txt", "/nothing"])
def test_head_has_the_headers_of_get_and_no_body(visitor: Visitor, path: str) -> None:
    got, head = visitor.get(path), visitor.session.head(visitor.base + path, timeout=10)
    assert head.status_code == got.status_code
    assert head.content == b""
    for name in ("Content-Type", "Content-Length", "ETag"):
        assert head.headers.get(name) == got.headers.get(name)


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
def test_other_methods_are_refused(visitor: Visitor, method: str) -> None:
    answer = visitor.session.request(method, visitor.base + "/", data=b"x" * 100, timeout=10)
    assert answer.status_code == 405
    assert answer.headers["Allow"] == "GET, HEAD"


@pytest.mark.parametrize(
    "target",
    [
        b"/media/../../etc/passwd",
        b"/media/%2e%2e/%2e%2e/etc/passwd",
        b"/media/..%2f..%2fetc%2fpasswd",
        b"//etc/passwd",
        b"/media/logos/%00.png",
        b"/../scrape/__init__.py",
        b"/static/%2e%2e/server.py",
    ],
)
def test_no_path_leads_out(site: DemoSite, target: bytes) -> None:
    answer = raw(site, b"GET " + target + b" HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 404 ")
    assert b"root:" not in answer


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"GET /%ff HTTP/1.1\r\nHost: localhost\r\n\r\n", b"400"),
        (b"GET /?" + b"a=1&" * 30 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n", b"400"),
        (b"GET http://[bad/ HTTP/1.1\r\nHost: localhost\r\n\r\n", b"400"),
        (b"GET / HTTP/9.9\r\n\r\n", b"505"),
        (b"nonsense\r\n\r\n", b"400"),
        (b"BREW / HTTP/1.1\r\nHost: localhost\r\n\r\n", b"501"),
        (b"GET /" + b"a" * 70000 + b" HTTP/1.1\r\n\r\n", b"414"),
        (b"GET / HTTP/1.1\r\nHost: pedigree.example.org\r\n\r\n", b"421"),
        (b"GET / HTTP/1.1\r\nHost: [bad\r\n\r\n", b"421"),
        (b"GET / HTTP/1.1\r\nHost: 127.0.0.1:80\r\n\r\n", b"200"),
        (b"GET / HTTP/1.0\r\n\r\n", b"200"),
    ],
)
def test_odd_requests_are_answered_in_order(site: DemoSite, request_: bytes, status: bytes) -> None:
    answer = raw(site, request_)
    assert answer.startswith(b"HTTP/1.1 " + status) or b"Error code: " + status in answer


def test_the_site_lives_on_after_clients_that_leave(site: DemoSite, visitor: Visitor) -> None:
    port = urlsplit(site.url).port
    for _ in range(5):
        with socket.create_connection(("127.0.0.1", port)) as connection:
            connection.sendall(b"GET /api/pictures HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert visitor.get("/").status_code == 200


def test_every_request_is_logged_with_its_time() -> None:
    with DemoSite(seed=1) as fresh, requests.Session() as session:
        session.get(f"{fresh.url}/logos/?page=2", timeout=10)
        session.head(f"{fresh.url}/nothing", timeout=10)
        session.post(f"{fresh.url}/", timeout=10)
        rows = fresh.requests
    assert [row[:3] for row in rows] == [
        ("GET", "/logos/?page=2", 200),
        ("HEAD", "/nothing", 404),
        ("POST", "/", 405),
    ]
    times = [row[3] for row in rows]
    assert times == sorted(times)


def test_markup_and_strangers_are_kept_out_by_headers(visitor: Visitor) -> None:
    headers = visitor.get("/").headers
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Content-Security-Policy"] == "default-src 'self'"
    assert "Python" not in headers["Server"]
