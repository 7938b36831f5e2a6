"""Domains as people and ranking services write them, and what they are called."""

import gzip
from pathlib import Path

import pytest

from dataset.errors import ConfigError, DataError, DisallowedError
from scrape.domain_list import domain_of, name_of, written_domains


@pytest.mark.parametrize(
    ("written", "domain"),
    [
        ("example.org", "example.org"),
        (" Example.ORG. ", "example.org"),
        ("https://example.org/page?x=1", "example.org"),
        ("http://example.org:8080/", "example.org:8080"),
        ("example.org:443", "example.org:443"),
        ("//example.org/a", "example.org"),
        ("bücher.example", "xn--bcher-kva.example"),
        ("127.0.0.1:8000", "127.0.0.1:8000"),
        ("[2001:db8::1]", "[2001:db8::1]"),
        ("localhost", "localhost"),
        ("my_site.example.org", "my_site.example.org"),
    ],
)
def test_a_domain_is_recognised_as_it_is_written(written: str, domain: str) -> None:
    assert domain_of(written) == domain
    assert domain_of(domain) == domain


@pytest.mark.parametrize(
    "written",
    [
        "",
        "domain",
        "17",
        "*.example.org",
        "a b.example",
        "ftp://example.org",
        "me@example.org",
        "javascript:alert(1)",
        "http://",
        "ex..ample.org",
        "example.org:port",
        "\0.example",
    ],
)
def test_what_names_no_host_is_refused(written: str) -> None:
    with pytest.raises(DisallowedError):
        domain_of(written)


@pytest.mark.parametrize(
    ("text", "domains"),
    [
        ("a.example\n\n# no\nb.example\n", ["a.example", "b.example"]),
        ("1,a.example\r\n2,b.example\r\n", ["a.example", "b.example"]),
        ("rank,domain\n1,a.example\n2\n", ["a.example", ""]),
        ('GlobalRank,TldRank,"Domain",TLD\n1,1,"a.example",example\n', ["a.example"]),
        ("1\ta.example\n2\tb.example", ["a.example", "b.example"]),
        ("\ufeffhost;n\na.example;3", ["a.example"]),
        ("", []),
    ],
)
@pytest.mark.parametrize("is_packed", [False, True])
def test_a_file_of_any_layout_is_read(
    tmp_path: Path, text: str, domains: list[str], is_packed: bool
) -> None:
    path = tmp_path / "list"
    content = text.encode()
    path.write_bytes(gzip.compress(content) if is_packed else content)
    assert list(written_domains(path)) == domains


def test_a_long_list_is_read_as_it_streams(tmp_path: Path) -> None:
    path = tmp_path / "top.csv.gz"
    whole = gzip.compress(b"".join(b"%d,site%d.example\n" % (n, n) for n in range(100_000)))
    path.write_bytes(whole[: len(whole) // 2])  # the second half is not there yet
    lines = written_domains(path)
    assert [next(lines) for _ in range(3)] == ["site0.example", "site1.example", "site2.example"]
    with pytest.raises(DataError, match=r"damaged gzip file"):
        list(lines)


def test_a_list_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"cannot read the domains in .*nowhere"):
        list(written_domains(tmp_path / "nowhere"))
    with pytest.raises(ConfigError, match="cannot read"):
        list(written_domains(tmp_path))


@pytest.mark.parametrize(
    ("domain", "name"),
    [
        ("example.org", "example"),
        ("www.example.org", "example"),
        ("maps.example.co.uk", "maps.example"),
        ("co.uk", "co"),
        ("www.xn--bcher-kva.example:8080", "bücher"),
        ("localhost:80", "localhost"),
        ("127.0.0.1:8000", ""),
        ("127.0.0.1", ""),
        ("[2001:db8::1]", ""),
    ],
)
def test_a_domain_is_called_by_its_name_without_suffix(domain: str, name: str) -> None:
    assert name_of(domain) == name
