"""A page that says how to be asked whether it changed is asked just that."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from scrape.page_cache import RevalidatingTransport
from scrape.response import Request, Response

URL = "http://example.org/list"
Answering = Callable[[Request], Response]


def found(body: bytes = b"whole", status: int = 200, **headers: str) -> Response:
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    return Response(status=status, headers=names, body=body, final_url=URL)


class Web:
    """A transport that answers as a test says, and remembers what it was asked."""

    def __init__(self) -> None:
        self.answer = found()
        self.asked: list[Request] = []

    def ask(self, request: Request, check: Callable[[int, Mapping[str, str]], None]) -> Response:
        self.asked.append(request)
        check(self.answer.status, self.answer.headers)
        return self.answer

    def stop(self) -> None: ...

    def close(self) -> None: ...


@pytest.fixture
def web() -> Web:
    return Web()


@pytest.fixture
def cache(web: Web, tmp_path: Path) -> RevalidatingTransport:
    return RevalidatingTransport(web, tmp_path / "pages")


def ask(cache: RevalidatingTransport, request: Request | None = None) -> Response:
    return cache.ask(request or Request(address=URL), lambda status, headers: None)


def test_an_unchanged_page_is_the_one_that_was_kept(web: Web, cache: RevalidatingTransport) -> None:
    web.answer = found(b"whole", etag='"1"', link="<x>; rel=next")
    ask(cache)
    web.answer = found(b"", 304)
    again = ask(cache)
    assert web.asked[1].headers == {"If-None-Match": '"1"'}
    assert (again.status, again.body, again.headers["link"]) == (200, b"whole", "<x>; rel=next")


def test_last_modified_alone_is_a_validator_too(web: Web, cache: RevalidatingTransport) -> None:
    web.answer = Response(
        status=200, headers={"last-modified": "Mon"}, body=b"whole", final_url=URL
    )
    ask(cache)
    ask(cache)
    assert web.asked[1].headers == {"If-Modified-Since": "Mon"}


def test_a_changed_page_takes_the_place_of_the_old(web: Web, cache: RevalidatingTransport) -> None:
    for number in (1, 2):
        web.answer = found(b"%d" % number, etag=f'"{number}"')
        assert ask(cache).body == b"%d" % number
    web.answer = found(b"", 304)
    assert ask(cache).body == b"2"
    assert web.asked[2].headers == {"If-None-Match": '"2"'}


@pytest.mark.parametrize(
    "request_",
    [
        Request(address=URL, accept="picture"),
        Request(address=URL, accept="robots"),
        Request(address=URL, accept="json", form={"a": "1"}),
    ],
    ids=["picture", "robots", "form"],
)
def test_what_is_no_page_is_never_kept(
    web: Web, cache: RevalidatingTransport, tmp_path: Path, request_: Request
) -> None:
    web.answer = found(etag='"1"')
    ask(cache, request_)
    ask(cache, request_)
    assert web.asked[1].headers == {}
    assert not (tmp_path / "pages").exists()


@pytest.mark.parametrize("answer", [found(), found(b"", 404, etag='"1"'), found(b"", 302)])
def test_without_a_validator_or_a_good_answer_nothing_is_kept(
    web: Web, cache: RevalidatingTransport, tmp_path: Path, answer: Response
) -> None:
    web.answer = answer
    ask(cache)
    assert not (tmp_path / "pages").exists()


def test_pages_and_json_of_one_address_are_two_things(
    web: Web, cache: RevalidatingTransport
) -> None:
    web.answer = found(etag='"1"')
    ask(cache, Request(address=URL, accept="page"))
    ask(cache, Request(address=URL, accept="json"))
    assert web.asked[1].headers == {}


@pytest.mark.parametrize("damage", ["no-body", "half-body", "no-head", "head-of-nonsense", "list"])
def test_what_was_damaged_is_asked_for_anew(
    web: Web, cache: RevalidatingTransport, tmp_path: Path, damage: str
) -> None:
    web.answer = found(etag='"1"')
    ask(cache)
    (head,) = (tmp_path / "pages").rglob("*.json")
    body = head.with_suffix(".body")
    damages: dict[str, Callable[[], object]] = {
        "no-body": body.unlink,
        "half-body": lambda: body.write_bytes(b"who"),
        "no-head": head.unlink,
        "head-of-nonsense": lambda: head.write_text("{"),
        "list": lambda: head.write_text("[]"),
    }
    damages[damage]()
    web.answer = found(b"new", etag='"2"')
    assert ask(cache).body == b"new"
    assert web.asked[1].headers == {}


def test_keys_are_in_no_name_and_no_content(
    web: Web, cache: RevalidatingTransport, tmp_path: Path
) -> None:
    web.answer = replace(found(etag='"1"'), final_url=f"{URL}?key=***")
    ask(cache, Request(address=f"{URL}?key=s3cr3t", secrets=("s3cr3t",)))
    for path in (tmp_path / "pages").rglob("*"):
        assert "s3cr3t" not in path.name
        assert path.is_dir() or b"s3cr3t" not in path.read_bytes()


def test_conditions_of_the_caller_come_first(web: Web, cache: RevalidatingTransport) -> None:
    web.answer = found(etag='"1"')
    ask(cache)
    ask(cache, Request(address=URL, headers={"If-None-Match": '"mine"', "X-Api-Key": "k"}))
    assert web.asked[1].headers == {"If-None-Match": '"mine"', "X-Api-Key": "k"}
