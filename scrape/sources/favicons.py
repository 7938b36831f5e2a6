"""Kind favicons: the best icon of every site in a list of domains."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path

from dataset.errors import ConfigError, DisallowedError
from scrape.addresses import canonical_address, host_of, origin_of
from scrape.captions import captions_of, completed
from scrape.client import PoliteClient
from scrape.domain_list import domain_of, name_of, written_domains
from scrape.favicon_search import (
    WELL_KNOWN,
    IconRules,
    Scheme,
    SharedIcons,
    asker,
    best_icon,
    measured,
    visit,
    well_known,
)
from scrape.licences import licence_of
from scrape.response import FetchError, Response
from scrape.sources.source import Kind, ScrapedItem, Source, SourceSpec

EXAMPLE = """
[[source]]
kind = "favicons"
name = "icons"
label = "favicon"
domains = ["python.org", "debian.org"]   # or path = "domains.csv.gz": one a line, or rank,domain
largest = 256                            # the largest real side that is wanted, 0 for any
"""


@dataclass(frozen=True, kw_only=True)
class FaviconsSpec(SourceSpec):
    """Which sites, and which of their icons; `path` and `domains` may both be given, and
    `queries` are domains, too. The other keys are those of IconRules."""

    path: str = ""
    domains: tuple[str, ...] = ()
    scheme: Scheme = "both"
    well_known: tuple[str, ...] = WELL_KNOWN
    max_icons: int = 8
    largest: int = 0
    vector: bool = False
    manifest: bool = True
    browserconfig: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        if not (self.path or self.domains or self.queries):
            raise ConfigError(
                f"source {self.name} has no domains; give path = FILE (or --from FILE) or "
                'domains = ["example.org"]'
            )
        for written in (*self.domains, *self.queries):
            try:
                domain_of(written)
            except DisallowedError as error:
                raise ConfigError(f"source {self.name}: {error}") from None
        try:
            self.rules()
        except ConfigError as error:
            raise ConfigError(f"source {self.name}: {error}") from None

    def rules(self) -> IconRules:
        return IconRules(
            scheme=self.scheme,
            well_known=self.well_known,
            max_icons=self.max_icons,
            largest=self.largest,
            vector=self.vector,
            manifest=self.manifest,
            browserconfig=self.browserconfig,
        )

    def hosts(self) -> tuple[str, ...]:
        """The hosts that are written here, or the first one of the list."""
        written = [domain_of(domain) for domain in (*self.domains, *self.queries)]
        return tuple(written) or tuple(_first_of(Path(self.path)))

    def written(self) -> Iterator[str]:
        """What stands for each domain, unchecked."""
        listed = written_domains(Path(self.path)) if self.path else iter(())
        return chain(self.domains, self.queries, listed)


class Favicons(Source[FaviconsSpec]):
    """Yields the domains without asking anybody; looks for their icons in many threads."""

    takes_own_turns = True

    def __init__(self, spec: FaviconsSpec) -> None:
        super().__init__(spec)
        self._rules = spec.rules()
        self._shared = SharedIcons()

    def items(self, client: PoliteClient) -> Iterator[ScrapedItem]:
        unusable, example = 0, ""
        for written in self.spec.written():
            try:
                domain = domain_of(written)
            except DisallowedError as error:
                unusable, example = unusable + 1, example or str(error)
                continue
            yield self._item(domain)
        if unusable:
            self.warn(f"{self.spec.path} has {unusable} lines without a domain; {example}")

    def complete(self, client: PoliteClient, item: ScrapedItem) -> ScrapedItem:
        """`item` with the site's own names as captions, and where its icons may lie.

        A home page that fails for now leaves `fallback_urls` empty: the well-known addresses are
        asked, but that there is no icon is not the last word.
        """
        try:
            home = visit(client, item.detail_url, self._rules)
        except FetchError as error:
            if error.status < 500:
                raise
            return item
        captions = completed(item.captions, captions_of(home.names))
        return replace(item, captions=captions, fallback_urls=home.addresses)

    def fetch(
        self,
        client: PoliteClient,
        item: ScrapedItem,
        headers: Mapping[str, str],
        *,
        holds_turn: bool = False,
    ) -> Response:
        """The best icon's answer. `headers` are not used: they speak of one file, not of which
        file is best. Raises FetchError (no-icon, or what kept the site from answering) and
        DisallowedError when the site's no is all there is."""
        origin = origin_of(item.picture_url)
        addresses = item.fallback_urls or well_known(origin, self._rules)
        ask = asker(client, host_of(origin), self._shared)
        found, failures = measured(ask, addresses, self._rules)
        best = best_icon(found, self._rules)
        if best is not None:
            return replace(best.answer, final_url=best.answer.final_url or item.page_url)
        is_answered = len(failures) < min(len(addresses), self._rules.max_icons)
        raise _why_none(item, failures, is_answered)

    def _item(self, domain: str) -> ScrapedItem:
        spec = self.spec
        home = canonical_address(f"{self._rules.first_scheme}://{domain}/")
        return ScrapedItem(
            picture_url=f"{home}favicon.ico",
            page_url=home,
            source=spec.name,
            captions=captions_of([(name_of(domain), "domain")]),
            label=spec.label,
            author=spec.author,
            licence=licence_of(spec.licence, spec.licence_url).id,
            licence_url=spec.licence_url,
            detail_url=home,
        )


def _why_none(
    item: ScrapedItem, failures: list[FetchError | DisallowedError], is_answered: bool
) -> FetchError | DisallowedError:
    """Why a site gave no icon: a reason to ask again, its no, or that it has none. Hosts that
    never answered are a reason to ask again only when none did."""
    lost = [error for error in failures if isinstance(error, FetchError)]
    is_answered |= any(error.is_final for error in lost)
    for error in reversed(lost):
        if not error.is_final and (error.status or not is_answered):
            return error
    refused = [error for error in failures if isinstance(error, DisallowedError)]
    if refused and not lost:
        return refused[0]
    return FetchError(
        "no-icon", f"{item.page_url} has no usable icon", is_final=bool(item.fallback_urls)
    )


def _first_of(path: Path) -> Iterator[str]:
    for written in written_domains(path):
        try:
            yield domain_of(written)
            return
        except DisallowedError:
            continue


KIND = Kind(
    "favicons",
    FaviconsSpec,
    Favicons,
    "The best icon of every site in a list of domains, by its real size",
    EXAMPLE,
    needs="a list of domains",
    ask="python -m scrape run favicons --from domains.csv --label favicon --limit 1000",
)
