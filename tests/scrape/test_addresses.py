"""Equal addresses are equal text."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataset.errors import DisallowedError
from scrape.addresses import canonical_address, host_of, origin_of, readable_host


@pytest.mark.parametrize(
    ("written", "canonical"),
    [
        ("http://Example.ORG", "http://example.org/"),
        ("HTTP://example.org:80/a", "http://example.org/a"),
        ("https://example.org:443/a", "https://example.org/a"),
        ("https://example.org:80/a", "https://example.org:80/a"),
        ("http://example.org:/a", "http://example.org/a"),
        ("http://example.org./a", "http://example.org/a"),
        ("http://example.org/a#part", "http://example.org/a"),
        ("http://example.org/a?", "http://example.org/a"),
        ("http://example.org/a?b=1&a=2", "http://example.org/a?b=1&a=2"),
        ("http://example.org/%7euser/%2f", "http://example.org/~user/%2F"),
        ("http://example.org/a b", "http://example.org/a%20b"),
        ("http://example.org/é", "http://example.org/%C3%A9"),
        ("http://example.org/100%", "http://example.org/100%25"),
        ("http://example.org/a/./b/../c", "http://example.org/a/c"),
        ("http://example.org/../../a", "http://example.org/a"),
        ("http://example.org/a/..", "http://example.org/"),
        ("http://example.org/a/b/.", "http://example.org/a/b/"),
        ("http://bücher.example/", "http://xn--bcher-kva.example/"),
        ("http://BÜCHER.example/", "http://xn--bcher-kva.example/"),
        ("http://xn--bcher-kva.example/", "http://xn--bcher-kva.example/"),
        ("http://faß.example/", "http://xn--fa-hia.example/"),
        ("http://ολος.example/", "http://xn--wxahbm.example/"),
        ("http://日本語。example/", "http://xn--wgv71a119e.example/"),
        ("http://é.example。/", "http://xn--9ca.example/"),
        ("http://ex\u00adample.example/", "http://example.example/"),
        ("http://１２７.0.0.1/", "http://127.0.0.1/"),
        ("  http://example.org/a\n", "http://example.org/a"),
        ("http://[2001:DB8::1]:80/", "http://[2001:db8::1]/"),
        ("http://user:word@example.org/", "http://user:word@example.org/"),
        ("http://ü@x@example.org/", "http://%C3%BC%40x@example.org/"),
    ],
)
def test_an_address_has_one_canonical_form(written: str, canonical: str) -> None:
    assert canonical_address(written) == canonical
    assert canonical_address(canonical) == canonical


@pytest.mark.parametrize(
    ("written", "canonical"),
    [
        ("b.png", "http://example.org/a/b.png"),
        ("../b.png", "http://example.org/b.png"),
        ("/b.png", "http://example.org/b.png"),
        ("?page=2", "http://example.org/a/?page=2"),
        ("//cdn.example.org/b.png", "http://cdn.example.org/b.png"),
        ("https://other.example/", "https://other.example/"),
    ],
)
def test_a_link_is_taken_relative_to_its_page(written: str, canonical: str) -> None:
    assert canonical_address(written, "http://example.org/a/") == canonical


@pytest.mark.parametrize(
    ("written", "reason"),
    [
        ("javascript:alert(1)", "scheme"),
        ("data:image/png;base64,AAAA", "scheme"),
        ("file:///etc/passwd", "scheme"),
        ("ftp://example.org/a", "scheme"),
        ("example.org/a", "scheme"),
        ("", "scheme"),
        ("http://", "bad-address"),
        ("http:///path", "bad-address"),
        ("http://exa mple.org/", "bad-address"),
        ("http://example.org:99999/", "bad-address"),
        ("http://example.org:port/", "bad-address"),
        ("http://[::1/", "bad-address"),
        ("http://example.org\\@evil.example/", "bad-address"),
        ("http://" + "a" * 300 + "é.example/", "bad-address"),
        ("http://" + "a" * 63 + "é.example/", "bad-address"),
        ("http://☃.example/", "bad-address"),
        ("http://-é.example/", "bad-address"),
        ("http://é..example/", "bad-address"),
        ("http://xn--zz.é.example/", "bad-address"),
        ("http://é\u202eb.example/", "bad-address"),
        ("http://example.org/" + "a" * 5000, "bad-address"),
    ],
)
def test_what_is_no_web_address_is_refused_with_its_reason(written: str, reason: str) -> None:
    with pytest.raises(DisallowedError) as refusal:
        canonical_address(written)
    assert refusal.value.reason == reason


@given(st.text(max_size=60), st.text(max_size=30))
def test_canonical_is_idempotent_and_ascii(path: str, query: str) -> None:
    once = canonical_address(f"http://example.org/{path}?{query}")
    assert canonical_address(once) == once
    assert once.isascii()
    assert not any(character.isspace() for character in once)


@given(st.text(max_size=80))
def test_any_text_is_an_address_or_is_refused(text: str) -> None:
    with contextlib.suppress(DisallowedError):
        assert canonical_address(text, "http://example.org/").isascii()


def test_host_and_origin_name_the_port() -> None:
    assert host_of("http://127.0.0.1:8765/a") == "127.0.0.1:8765"
    assert origin_of("https://example.org/a?b") == "https://example.org"


@pytest.mark.parametrize(
    ("host", "readable"),
    [
        ("xn--bcher-kva.example", "bücher.example"),
        ("www.xn--fa-hia.example", "www.faß.example"),
        ("example.org", "example.org"),
        ("xn--.example", "xn--.example"),
        ("xn--zzzzzzz9.example", "xn--zzzzzzz9.example"),
    ],
)
def test_a_host_is_readable_where_its_labels_are_valid(host: str, readable: str) -> None:
    assert readable_host(host) == readable


@given(st.text(min_size=1, max_size=30))
def test_a_host_of_any_letters_stays_the_same_when_named_again(name: str) -> None:
    with contextlib.suppress(DisallowedError):
        once = canonical_address(f"http://{name}.example/")
        assert once.isascii()
        assert canonical_address(once) == once
