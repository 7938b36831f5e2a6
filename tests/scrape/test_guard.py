"""Only the public internet is asked, however an address is spelled, resolved or redirected to."""

import socket
from typing import Any

import pytest

from dataset.errors import DisallowedError
from scrape.addresses import canonical_address
from scrape.client import PoliteClient
from scrape.clock import StepClock
from scrape.config import CrawlSettings
from scrape.guard import Guard, Resolver, is_loopback
from scrape.response import FetchError
from tests.scrape.loopback import LoopbackSite, redirect

PUBLIC = "93.184.216.34"

PRIVATE_NUMBERS = [
    "0.0.0.0",
    "10.1.2.3",
    "100.64.0.1",
    "100.100.100.200",
    "127.0.0.1",
    "127.8.8.8",
    "168.63.129.16",
    "169.254.169.254",
    "172.16.0.1",
    "192.0.0.192",
    "192.168.1.1",
    "198.18.0.1",
    "224.0.0.1",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::127.0.0.1",
    "::ffff:127.0.0.1",
    "::ffff:10.0.0.1",
    "64:ff9b::169.254.169.254",
    "2002:7f00:1::",
    "fc00::1",
    "fd00:ec2::254",
    "fe80::1",
    "fe80::1%eth0",
    "fec0::1",
    "ff02::1",
    "2001:db8::1",
]

ODD_SPELLINGS = [
    "2130706433",
    "0x7f000001",
    "0x7f.0.0.1",
    "0177.0.0.1",
    "127.1",
    "127.0.1",
    "2852039166",
]


def never(host: str, port: int) -> list[str]:
    raise AssertionError(f"{host} was looked up")


def no_dial(number: str, port: int, timeout: Any) -> socket.socket:
    raise AssertionError(f"{number} was connected to")


def resolving(*numbers: str) -> Resolver:
    return lambda host, port: list(numbers)


def reason_of(call: Any, *arguments: Any) -> str:
    with pytest.raises(DisallowedError) as refusal:
        call(*arguments)
    return refusal.value.reason


@pytest.mark.parametrize("number", PRIVATE_NUMBERS)
def test_a_private_number_is_refused_as_address_and_as_answer_of_dns(number: str) -> None:
    written = f"[{number}]" if ":" in number else number
    guard = Guard(resolver=never)
    assert reason_of(guard.check, f"http://{written}/") == "private-address"
    assert reason_of(guard.connectable, number, 80) == "private-address"
    named = Guard(resolver=resolving(number))
    assert reason_of(named.connectable, "innocent.example", 80) == "private-address"


@pytest.mark.parametrize("host", ODD_SPELLINGS)
def test_a_number_in_disguise_is_refused_without_a_look_up(host: str) -> None:
    guard = Guard(resolver=never)
    assert reason_of(guard.check, canonical_address(f"http://{host}/")) == "private-address"
    assert reason_of(guard.connectable, host, 80) == "private-address"


@pytest.mark.parametrize("number", [PUBLIC, "2606:2800:220:1:248:1893:25c8:1946"])
def test_a_public_number_may_be_connected_to(number: str) -> None:
    assert Guard(resolver=resolving(number)).connectable("example.org", 80) == [number]


def test_one_private_number_among_public_ones_refuses_the_host() -> None:
    guard = Guard(resolver=resolving(PUBLIC, "10.0.0.1"))
    assert reason_of(guard.connectable, "example.org", 80) == "private-address"


def test_localhost_is_refused_unless_allowed_by_name() -> None:
    resolver = resolving("127.0.0.1")
    assert reason_of(Guard(resolver=resolver).connectable, "localhost", 80) == "private-address"
    allowing = Guard(["localhost"], resolver=resolver)
    assert allowing.connectable("LOCALHOST", 80) == ["127.0.0.1"]
    assert reason_of(allowing.connectable, "localhost.example", 80) == "private-address"


@pytest.mark.parametrize(
    ("address", "reason"),
    [
        ("file:///etc/passwd", "scheme"),
        ("gopher://example.org/", "scheme"),
        ("http://user@example.org/", "credentials"),
        ("http://user:word@example.org/", "credentials"),
        ("http:///nowhere", "bad-address"),
        ("http://999.1.1.1/", "bad-address"),
    ],
)
def test_other_unusable_addresses_have_their_own_reason(address: str, reason: str) -> None:
    assert reason_of(Guard(resolver=never).check, address) == reason


def test_a_host_that_is_not_found_is_a_failure_of_the_world() -> None:
    def nowhere(host: str, port: int) -> list[str]:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    for resolver in (nowhere, resolving()):
        with pytest.raises(FetchError) as failure:
            Guard(resolver=resolver).connectable("nowhere.example", 80)
        assert failure.value.reason == "dns"


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("127.0.0.1", True),
        ("::1", True),
        ("localhost", True),
        ("site.localhost", True),
        ("example.org", False),
        ("10.0.0.1", False),
    ],
)
def test_loopback_is_known_by_its_text(host: str, expected: bool) -> None:
    assert is_loopback(host) is expected


def client_with(resolver: Resolver, dial: Any, *allowed: str) -> PoliteClient:
    settings = CrawlSettings(contact="owner@example.org", allow_hosts=allowed, gap_s=0, tries=2)
    return PoliteClient(settings, clock=StepClock(), resolver=resolver, dial=dial)


@pytest.mark.parametrize("host", ["169.254.169.254", "[::1]", "2130706433", "0x7f.1"])
def test_the_client_opens_no_connection_to_a_private_number(host: str) -> None:
    with client_with(never, no_dial) as client:
        assert reason_of(client.get, canonical_address(f"http://{host}/")) == "private-address"


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_the_client_opens_no_connection_to_a_name_of_a_private_number(scheme: str) -> None:
    with client_with(resolving("10.0.0.1"), no_dial) as client:
        assert reason_of(client.get, f"{scheme}://intranet.example/") == "private-address"


def test_dns_that_changes_its_mind_is_connected_to_only_as_checked() -> None:
    """Rebinding: the first look-up is public, every later one is this machine."""
    answers = [[PUBLIC]]
    dialled: list[str] = []

    def rebinding(host: str, port: int) -> list[str]:
        return answers.pop() if answers else ["127.0.0.1"]

    def dial(number: str, port: int, timeout: Any) -> socket.socket:
        dialled.append(number)
        raise ConnectionRefusedError

    with client_with(rebinding, dial) as client:
        assert reason_of(client.get, "http://rebinding.example/") == "private-address"
    assert dialled == [PUBLIC]


@pytest.mark.parametrize(
    "target", ["http://169.254.169.254/latest/", "http://10.0.0.1/", "http://[::ffff:127.0.0.1]/"]
)
def test_a_redirect_to_a_private_number_is_refused(site: LoopbackSite, target: str) -> None:
    site.routes["/away"] = redirect(target)
    settings = CrawlSettings(allow_hosts=("127.0.0.1",), contact="owner@example.org", gap_s=0)
    with PoliteClient(settings, clock=StepClock(), resolver=never) as client:
        assert reason_of(client.get, f"{site.url}/away") == "private-address"
    assert site.paths() == ["/away"]


@pytest.mark.parametrize(
    ("target", "reason"),
    [("file:///etc/passwd", "scheme"), ("http://user:word@127.0.0.1/", "credentials")],
)
def test_a_redirect_is_checked_like_a_first_address(
    site: LoopbackSite, client: PoliteClient, target: str, reason: str
) -> None:
    site.routes["/away"] = redirect(target)
    assert reason_of(client.get, f"{site.url}/away") == reason


def test_a_redirect_to_a_name_of_this_machine_is_refused(site: LoopbackSite) -> None:
    site.routes["/away"] = redirect("http://innocent.example/")
    with client_with(resolving("127.0.0.1"), no_dial_but(site), "127.0.0.1") as client:
        assert reason_of(client.get, f"{site.url}/away") == "private-address"


def no_dial_but(site: LoopbackSite) -> Any:
    """Connects to the site's own port, fails the test for any other."""

    def connect(number: str, port: int, timeout: Any) -> socket.socket:
        assert port == site.port
        return socket.create_connection((number, port), 5)

    return connect


def test_a_robots_file_that_leads_to_a_private_number_refuses_the_site(site: LoopbackSite) -> None:
    site.routes["/robots.txt"] = redirect("http://10.0.0.1/robots.txt")
    with client_with(never, no_dial_but(site), "127.0.0.1") as client:
        assert reason_of(client.get, f"{site.url}/a") == "robots-unreachable"
    assert site.paths() == []


def test_proxies_of_the_environment_are_not_used(
    site: LoopbackSite, client: PoliteClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:9")
    site.routes["/a"] = redirect("/b")
    with pytest.raises(FetchError) as failure:
        client.get(f"{site.url}/a")
    assert failure.value.reason == "not-found"
