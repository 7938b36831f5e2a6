"""The icons of one web site: every address where one may lie, asked once, measured and ranked."""

import logging
import re
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from threading import Lock
from typing import Literal

from dataset.containers import is_cut
from dataset.errors import ConfigError, DisallowedError, PictureError
from scrape.addresses import canonical_address, host_of, origin_of
from scrape.client import PoliteClient
from scrape.data_address import data_bytes, is_data_address
from scrape.domain_list import domain_of
from scrape.favicon_page import (
    DeclaredIcon,
    browserconfig_address,
    browserconfig_icons,
    declared_icons,
    manifest_address,
    manifest_icons,
    page_names,
)
from scrape.icon_size import size_of
from scrape.opt_out import page_opt_out
from scrape.page import Page
from scrape.response import FetchError, Response

log = logging.getLogger(__name__)

Scheme = Literal["https", "http", "both"]
Ask = Callable[[str], Response]
WELL_KNOWN = ("/favicon.ico", "/apple-touch-icon.png", "/apple-touch-icon-precomposed.png")
_GUESSED_MANIFEST = "/site.webmanifest"
# A host that fails so over https may still answer over http; one that has a status has answered.
_NO_CONNECTION = frozenset({"connection", "tls", "timeout"})
_STATUS = re.compile(r"HTTP \d{3}$")


@dataclass(frozen=True, kw_only=True)
class IconRules:
    """Where icons are looked for and which is best.

    `scheme` both asks https, and http where that cannot be connected. At most `max_icons` files
    of a site are asked for. The best icon is square and has the largest real side up to `largest`
    pixels (0: no limit); drawings count when `vector`.
    """

    scheme: Scheme = "both"
    well_known: tuple[str, ...] = WELL_KNOWN
    max_icons: int = 8
    largest: int = 0
    vector: bool = False
    manifest: bool = True
    browserconfig: bool = False

    def __post_init__(self) -> None:
        if self.scheme not in ("https", "http", "both"):
            raise ConfigError(f"scheme is {self.scheme!r}; it is https, http or both")
        if self.max_icons < 1 or self.largest < 0:
            raise ConfigError("max_icons is at least 1, largest at least 0")
        if not all(path.startswith("/") for path in self.well_known):
            raise ConfigError(f"well_known paths begin with /: {list(self.well_known)}")

    @property
    def first_scheme(self) -> str:
        return "http" if self.scheme == "http" else "https"


@dataclass(frozen=True, kw_only=True)
class Icon:
    """An icon that was fetched: its real size in pixels; `answer` holds its bytes."""

    address: str
    width: int
    height: int
    format: str
    answer: Response = field(repr=False, compare=False)

    @property
    def side(self) -> int:
        return max(self.width, self.height)

    @property
    def is_square(self) -> bool:
        """Square to 5 %."""
        return 20 * abs(self.width - self.height) <= self.side


@dataclass(frozen=True, kw_only=True)
class HomePage:
    """What a site's home page told: where its icons may lie, most promising first, and what the
    site calls itself as (text, origin). A page that could not be read tells `origin` alone."""

    origin: str
    addresses: tuple[str, ...]
    names: tuple[tuple[str, str], ...] = ()


def icons_of(client: PoliteClient, domain: str, rules: IconRules | None = None) -> list[Icon]:
    """Every icon of a site, largest first, then fewest bytes, then by address.

    `domain` may be an address, whose scheme is then kept to. Raises FetchError when the site
    cannot be reached, DisallowedError when it says no.
    """
    rules = rules or IconRules(max_icons=32)
    scheme, mark, _ = domain.partition("://")
    first = f"{scheme if mark else rules.first_scheme}://{domain_of(domain)}/"
    home = visit(client, first, rules, may_change=not mark)
    found, _ = measured(asker(client, host_of(home.origin)), home.addresses, rules)
    return sorted(
        found, key=lambda icon: (-icon.width, -icon.height, len(icon.answer.body), icon.address)
    )


def visit(
    client: PoliteClient, address: str, rules: IconRules, *, may_change: bool = True
) -> HomePage:
    """Read the home page at `address` and what it refers to.

    A page that is not there or makes no sense leaves the well-known addresses. Raises FetchError
    when the site cannot be reached or wants to be asked later, DisallowedError for an opt-out.
    """
    may_change &= rules.scheme == "both" and address.startswith("https:")
    try:
        page = Page(_opened(client, address))
    except (FetchError, DisallowedError) as error:
        if may_change and _is_unconnected(error):
            return visit(client, f"http{address.removeprefix('https')}", rules)
        if not (error.is_final if isinstance(error, FetchError) else error.reason == "robots"):
            raise
        log.debug("no home page: %s", error)
    else:
        origin = origin_of(page.address)
        addresses = _ordered(_declared(client, page, rules), well_known(origin, rules), rules)
        return HomePage(origin=origin, addresses=addresses, names=tuple(page_names(page)))
    origin = origin_of(address)
    return HomePage(origin=origin, addresses=well_known(origin, rules))


def well_known(origin: str, rules: IconRules) -> tuple[str, ...]:
    """The addresses at which icons lie without being declared."""
    return tuple(canonical_address(f"{origin}{path}") for path in rules.well_known)


def asker(client: PoliteClient, host: str, shared: "SharedIcons | None" = None) -> Ask:
    """Asks for icons of the site `host`; those of other hosts come out of `shared` when there."""

    def ask(address: str) -> Response:
        is_shared = shared is not None and host_of(address) != host
        answer = shared.get(address) if shared is not None and is_shared else None
        if answer is None:
            answer = client.get(address, "picture", tries=2)
            if shared is not None and is_shared:
                shared.put(address, answer)
        return answer

    return ask


def measured(
    ask: Ask, addresses: Iterable[str], rules: IconRules
) -> tuple[list[Icon], list[FetchError | DisallowedError]]:
    """Ask for each address once, up to rules.max_icons and until nothing better can come.

    Returns the icons, whole ones first, and why the others gave no answer. What is no picture, or
    has one pixel, falls. Raises FetchError (stopped) at the end of a crawl.
    """
    whole: list[Icon] = []
    cut: list[Icon] = []
    failures: list[FetchError | DisallowedError] = []
    for address in list(dict.fromkeys(addresses))[: rules.max_icons]:
        try:
            icon = _measured(address, _answer(ask, address))
        except (FetchError, DisallowedError) as error:
            if error.reason == "stopped":
                raise
            failures.append(error)
            continue
        if icon is None or (icon.format == "svg" and not rules.vector):
            continue
        if icon.format != "ico" and is_cut(icon.answer.body):
            cut.append(icon)
            continue
        whole.append(icon)
        if icon.is_square and icon.side == rules.largest:
            break
    return [*whole, *cut], failures


def best_icon(icons: Sequence[Icon], rules: IconRules) -> Icon | None:
    """The best by `rules`; of equals the first. Among icons over the limit the smallest."""

    def rank(icon: Icon) -> tuple[bool, bool, bool, int]:
        is_over = 0 < rules.largest < icon.side
        is_whole = icon.format == "ico" or not is_cut(icon.answer.body)
        return is_whole, icon.is_square, not is_over, -icon.side if is_over else icon.side

    return max(icons, key=rank, default=None)


class SharedIcons:
    """The last icons that sites took from other hosts: thousands of sites declare the same file of
    their platform, which is asked for it once. Used by many threads."""

    def __init__(self, most: int = 512, longest: int = 65_536) -> None:
        self._most, self._longest = most, longest
        self._answers: OrderedDict[str, Response] = OrderedDict()
        self._lock = Lock()

    def get(self, address: str) -> Response | None:
        with self._lock:
            if address in self._answers:
                self._answers.move_to_end(address)
            return self._answers.get(address)

    def put(self, address: str, answer: Response) -> None:
        if len(answer.body) > self._longest:
            return
        with self._lock:
            self._answers[address] = answer
            while len(self._answers) > self._most:
                self._answers.popitem(last=False)


def _is_unconnected(error: FetchError | DisallowedError) -> bool:
    """Whether nobody answered; where robots.txt came first, its message tells."""
    if isinstance(error, FetchError):
        return error.reason in _NO_CONNECTION
    return error.reason == "robots-unreachable" and not _STATUS.search(str(error))


def _opened(client: PoliteClient, address: str) -> Response:
    answer = client.get(address, "page", tries=1)
    directive = page_opt_out(answer.headers.get("x-robots-tag", "").split("\n"))
    if directive:
        raise DisallowedError("opt-out", f"{answer.final_url} says {directive}")
    return answer


def _declared(client: PoliteClient, page: Page, rules: IconRules) -> list[DeclaredIcon]:
    """What the page declares, and the documents that it refers to."""
    found = declared_icons(page)
    manifest = manifest_address(page)
    if not manifest and not found:
        manifest = f"{origin_of(page.address)}{_GUESSED_MANIFEST}"
    if rules.manifest and manifest:
        found += _more(client, manifest, manifest_icons)
    config = browserconfig_address(page) if rules.browserconfig else ""
    if config:
        found += _more(client, config, browserconfig_icons)
    return found


def _more(
    client: PoliteClient, address: str, read: Callable[[Response], list[DeclaredIcon]]
) -> list[DeclaredIcon]:
    try:
        return read(client.get(address, "json", tries=1))
    except (FetchError, DisallowedError) as error:
        if error.reason == "stopped":
            raise
        log.debug("nothing declared at %s: %s", address, error)
        return []


def _ordered(
    declared: Iterable[DeclaredIcon], known: tuple[str, ...], rules: IconRules
) -> tuple[str, ...]:
    """Addresses by promise, with room left for the well-known ones among rules.max_icons."""

    def promise(icon: DeclaredIcon) -> tuple[bool, bool, int]:
        is_over = 0 < rules.largest < icon.side and not icon.is_vector
        return not icon.is_plain, is_over, icon.side if is_over else -icon.side

    usable = [icon for icon in declared if rules.vector or not icon.is_vector]
    ranked = list(dict.fromkeys(icon.address for icon in sorted(usable, key=promise)))
    first = max(rules.max_icons - len(known), 1)
    return tuple(dict.fromkeys([*ranked[:first], *known, *ranked[first:]]))[: rules.max_icons]


def _answer(ask: Ask, address: str) -> Response:
    if not is_data_address(address):
        return ask(address)
    try:
        return Response(status=200, headers={}, body=data_bytes(address), final_url="")
    except PictureError as error:
        raise FetchError(error.reason, str(error), is_final=True) from None


def _measured(address: str, answer: Response) -> Icon | None:
    """The icon in an answer; None for what is no picture, or only a pixel to count visitors."""
    size = size_of(answer.body)
    if size is None or min(size.width, size.height) <= 1:
        return None
    return Icon(
        address=address, width=size.width, height=size.height, format=size.format, answer=answer
    )
