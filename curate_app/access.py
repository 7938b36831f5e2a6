"""Who may reach the app: the secret that opens it, and the hosts that it answers to."""

import argparse
import getpass
import ipaddress
import logging
import os
import re
import secrets
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from dataset.errors import ConfigError

log = logging.getLogger(__name__)

PASSWORD_VARIABLE = "PEDIGREE_PASSWORD"
_SHORTEST_PASSWORD = 8
_SHORTEST_TOKEN = 32  # an address with it is not slowed down
_LONGEST_PASSWORD = 1000
_LOOPBACK = ("127.0.0.1", "localhost", "[::1]")
_HOST = re.compile(r"(?P<name>[a-z0-9.-]+|\[[0-9a-f:.]+\])(:(?P<port>[0-9]{1,5}))?")


@dataclass(frozen=True, kw_only=True)
class Access:
    """What opens the app, and to whom it answers.

    `secret` is a password or a token, "" for an app that only this machine reaches; `host` is the
    address it listens on; `names` are further hosts (NAME or NAME:PORT) that a browser may call it
    by. Raises ConfigError for what would leave it open to others.
    """

    secret: str = ""
    is_token: bool = False
    host: str = "127.0.0.1"
    names: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not is_loopback(self.host) and not self.secret:
            raise ConfigError(
                f"--host {self.host} would let other machines judge; protect the app with "
                f"--token, --password-file or {PASSWORD_VARIABLE}, or use an SSH tunnel"
            )
        if self.names and not self.secret:
            raise ConfigError(
                "--allow-host lets other machines in; protect the app with --token, "
                f"--password-file or {PASSWORD_VARIABLE}"
            )
        for name in self.names:
            if not _HOST.fullmatch(name.lower()):
                raise ConfigError(f"--allow-host {name!r} is no host; give NAME or NAME:PORT")
        if self.is_token and len(self.secret) < _SHORTEST_TOKEN:
            raise ConfigError(f"a token has at least {_SHORTEST_TOKEN} letters")
        if self.secret and not _SHORTEST_PASSWORD <= len(self.secret) <= _LONGEST_PASSWORD:
            raise ConfigError(
                f"the password has {len(self.secret)} letters; give {_SHORTEST_PASSWORD} to "
                f"{_LONGEST_PASSWORD}, as anybody in the network may guess"
            )

    def answers_to(self, host: str, port: int | None) -> bool:
        """Whether a request with this Host header is meant for the app on `port` (None: any).

        A foreign site can point its own name at this machine (DNS rebinding), but it can neither
        use a name given here nor, as that is no name at all, an address in figures.
        """
        parts = _HOST.fullmatch(host.lower())
        if parts is None:
            return False
        names = [name.lower() for name in self.names]
        is_own_port = port is None or parts["port"] == str(port)
        if parts[0] in names or (parts["name"] in names and (is_own_port or not parts["port"])):
            return True
        return is_own_port and (parts["name"] in _LOOPBACK or self._is_own(parts["name"]))

    def _is_own(self, name: str) -> bool:
        if is_loopback(self.host):
            return False
        bare = name.removeprefix("[").removesuffix("]")
        try:
            wanted, bound = ipaddress.ip_address(bare), ipaddress.ip_address(self.host)
        except ValueError:
            return False
        return wanted == bound or (bound.is_unspecified and str(wanted) == bare)


def is_loopback(host: str) -> bool:
    return host in ("localhost", "127.0.0.1", "::1")


def add_access_options(parser: argparse.ArgumentParser) -> None:
    """Add --host, --allow-host, --password, --password-file and --token."""
    parser.add_argument(
        "--host",
        default="127.0.0.1",
        metavar="ADDRESS",
        help="address to listen on; other machines reach it (0.0.0.0: all of them) only with a "
        "password or a token (127.0.0.1)",
    )
    parser.add_argument(
        "--allow-host",
        action="append",
        default=[],
        metavar="NAME",
        help="name by which browsers call this machine, such as a proxy's; may be repeated",
    )
    only = parser.add_mutually_exclusive_group()
    only.add_argument(
        "--password",
        nargs="?",
        const="",
        metavar="TEXT",
        help="ask for this password; without TEXT it is asked for here. Others on this machine "
        f"can read a command line: {PASSWORD_VARIABLE} in the environment is not seen",
    )
    only.add_argument(
        "--password-file", type=Path, metavar="FILE", help="the password is the file's first line"
    )
    only.add_argument(
        "--token",
        action="store_true",
        help="make a secret for this run; the address that is printed opens the app with it",
    )


def read_access(options: argparse.Namespace) -> Access:
    """What the options and the environment ask for. Raises ConfigError as `Access` does."""
    names = tuple(str(name) for name in options.allow_host)
    if options.token:
        token = secrets.token_urlsafe(24)
        return Access(secret=token, is_token=True, host=options.host, names=names)
    return Access(secret=_password(options), host=options.host, names=names)


def _password(options: argparse.Namespace) -> str:
    if options.password_file is not None:
        return _from_file(options.password_file)
    if options.password == "":
        return _asked_for()
    if options.password is not None:
        log.warning(
            "others on this machine can read --password in the list of processes; %s or "
            "--password-file is safer",
            PASSWORD_VARIABLE,
        )
        return str(options.password)
    return os.environ.get(PASSWORD_VARIABLE, "")


def _from_file(path: Path) -> str:
    try:
        lines: Sequence[str] = path.read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "no UTF-8"
        raise ConfigError(f"cannot read --password-file {path}: {why}; check the path") from error
    if not lines or not lines[0].strip():
        raise ConfigError(f"--password-file {path} has no password in its first line; write one")
    if path.stat().st_mode & 0o077:
        log.warning("others on this machine can read %s; run: chmod 600 %s", path, path)
    return lines[0].strip()


def _asked_for() -> str:
    if not sys.stdin.isatty():
        raise ConfigError(
            "--password without a value asks on a terminal, and there is none; use "
            f"{PASSWORD_VARIABLE} or --password-file"
        )
    try:
        typed = getpass.getpass("password for the app: ")
    except EOFError:
        typed = ""
    if not typed:
        raise ConfigError("no password was given; the app was not started")
    return typed
