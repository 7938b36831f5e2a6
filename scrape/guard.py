"""Which addresses may be asked at all: public web hosts, and private ones only by allow-list.

The check is bound to the connection: the client connects to the very numbers that were checked.
"""

import ipaddress
import re
import socket
from collections.abc import Callable, Collection
from urllib.parse import urlsplit

from dataset.errors import DisallowedError
from scrape.response import FetchError

IpAddress = ipaddress.IPv4Address | ipaddress.IPv6Address
Resolver = Callable[[str, int], list[str]]

# Not public, though not all versions of the ipaddress module say so: protocol assignments with a
# cloud's metadata service, another one on a public-looking number, retired site-local addresses.
_NOT_PUBLIC = [
    ipaddress.ip_network(network)
    for network in ("192.0.0.0/24", "168.63.129.16/32", "192.88.99.0/24", "fec0::/10")
]
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
_ANY_IPV4_SPELLING = re.compile(r"(0x[0-9a-f]*|[0-9]+)(\.(0x[0-9a-f]*|[0-9]+)){0,3}", re.IGNORECASE)


def system_resolver(host: str, port: int) -> list[str]:
    """The numeric addresses of `host`, in the order of the operating system's preference."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


class Guard:
    """Says no before anything is sent; `allow_hosts` are exempt from the check of numbers."""

    def __init__(
        self, allow_hosts: Collection[str] = (), *, resolver: Resolver = system_resolver
    ) -> None:
        self._allowed = frozenset(host.lower() for host in allow_hosts)
        self._resolver = resolver

    def allows(self, host: str) -> bool:
        return host.lower() in self._allowed

    def check(self, address: str) -> None:
        """Raise DisallowedError for what the text of `address` alone forbids.

        Reasons: scheme, credentials, bad-address, private-address.
        """
        parts = urlsplit(address)
        if parts.scheme not in ("http", "https"):
            raise DisallowedError("scheme", f"{address} is neither http nor https")
        if "@" in parts.netloc:
            raise DisallowedError("credentials", "an address that carries a user name is not asked")
        if not parts.hostname:
            raise DisallowedError("bad-address", f"{address} names no host")
        number = _literal(parts.hostname)
        if number is not None and not self.allows(parts.hostname):
            _require_public(parts.hostname, number)

    def connectable(self, host: str, port: int) -> list[str]:
        """Resolve `host` once and return its numeric addresses, every one of them checked.

        Raises DisallowedError (private-address) when any is not public, FetchError (dns) when
        there is none.
        """
        literal = _literal(host)
        try:
            found = [str(literal)] if literal is not None else self._resolver(host, port)
        except (OSError, UnicodeError) as error:
            raise FetchError("dns", f"host {host} cannot be found: {error}") from error
        if not found:
            raise FetchError("dns", f"host {host} has no address")
        if not self.allows(host):
            for text in found:
                _require_public(host, ipaddress.ip_address(text.partition("%")[0]))
        return found


def is_loopback(host: str) -> bool:
    """Whether `host` names this machine by its own text, without looking it up."""
    number = _literal(host)
    if number is None:
        return host == "localhost" or host.endswith(".localhost")
    return _innermost(number).is_loopback


def is_public(number: IpAddress) -> bool:
    """Whether a number lies on the public internet, seen through IPv4-in-IPv6 wrappings."""
    inner = _innermost(number)
    is_reserved = inner.is_multicast or any(inner in network for network in _NOT_PUBLIC)
    return inner.is_global and not is_reserved


def _require_public(host: str, number: IpAddress) -> None:
    if not is_public(number):
        raise DisallowedError(
            "private-address",
            f"{host} is {number}, not on the public internet; "
            "if that is meant, add it to crawl.allow_hosts",
        )


def _literal(host: str) -> IpAddress | None:
    """The number that `host` spells, in any way that a resolver accepts, or None for a name."""
    bare = host.strip("[]").partition("%")[0]
    try:
        return ipaddress.ip_address(bare)
    except ValueError:
        pass
    if not _ANY_IPV4_SPELLING.fullmatch(bare.rstrip(".")):
        return None
    try:
        return ipaddress.IPv4Address(socket.inet_aton(bare.rstrip(".")))
    except OSError:
        raise DisallowedError("bad-address", f"{host} is no valid number of a host") from None


def _innermost(number: IpAddress) -> IpAddress:
    """The IPv4 address inside a mapped, 6to4, Teredo or NAT64 one (RFC 4291, 3056, 4380, 6052)."""
    if isinstance(number, ipaddress.IPv4Address):
        return number
    if number.ipv4_mapped is not None:
        return number.ipv4_mapped
    if number.sixtofour is not None:
        return number.sixtofour
    if number.teredo is not None:
        return number.teredo[1]
    low = ipaddress.IPv4Address(int(number) & 0xFFFFFFFF)
    if number in _NAT64 or (int(number) >> 32 == 0 and int(number) > 1):
        return low
    return number
