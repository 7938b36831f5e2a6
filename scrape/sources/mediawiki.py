"""The API of a MediaWiki: questions, answers in parts, and what it says when it is busy.

https://www.mediawiki.org/wiki/API:Continue, https://www.mediawiki.org/wiki/Manual:Maxlag_parameter
"""

from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlencode

from scrape.addresses import canonical_address, host_of
from scrape.captions import clean_text
from scrape.client import PoliteClient, retry_after_s
from scrape.json_answer import look_up, parse_json, text_at
from scrape.response import Response
from scrape.sources.source import Source, SourceError

# A batch that is not whole after so many answers is left as it is.
_MOST_PARTS = 50
_MOST_WAITS = 5
_SHORTEST_WAIT_S = 5.0
_BUSY = frozenset({"maxlag", "ratelimited"})

Page = dict[str, Any]


class MediaWiki:
    """Asks the API at the canonical address `api` on behalf of `source`, which is told what the
    API warns of. `max_lag` is the database lag in seconds above which we wait."""

    def __init__(self, source: Source[Any], api: str, max_lag: int) -> None:
        self._source = source
        self._api = api
        self._max_lag = max_lag
        self._warned: set[str] = set()

    def batches(
        self, client: PoliteClient, asked: Mapping[str, str], pages_left: Iterator[object]
    ) -> Iterator[list[Page]]:
        """The pages of a list, batch by batch, as long as `pages_left` has a next: a batch may
        come in several answers with some of the properties each, the last marked batchcomplete.

        Raises as `answers` does.
        """
        batch: dict[str, Page] = {}
        parts = 0
        for answer in self.answers(client, asked):
            merge_pages(batch, look_up(answer, "query.pages"))
            parts += 1
            is_whole = answer.get("batchcomplete", False) is not False or "continue" not in answer
            if not is_whole and parts < _MOST_PARTS:
                continue
            yield sorted(batch.values(), key=_rank)
            if not is_whole:
                self._source.warn(
                    f"a batch was not whole after {parts} answers; its list ends here"
                )
            if not is_whole or next(pages_left, None) is None:
                return
            batch, parts = {}, 0
        if batch:
            yield sorted(batch.values(), key=_rank)

    def answers(self, client: PoliteClient, asked: Mapping[str, str]) -> Iterator[dict[str, Any]]:
        """Every answer to a question, continued as each asks for, until one does not ask or asks
        for what was given before.

        Raises FetchError, DisallowedError, and SourceError: maxlag, ratelimited, api-error,
        bad-json, no-items.
        """
        fixed = {"action": "query", "format": "json", "maxlag": str(self._max_lag), **asked}
        token: dict[str, str] = {}
        given: set[tuple[tuple[str, str], ...]] = set()
        while tuple(sorted(token.items())) not in given:
            given.add(tuple(sorted(token.items())))
            answer = self._answer(
                client, f"{self._api}?{urlencode({**fixed, **token}, errors='replace')}"
            )
            yield answer
            more = answer.get("continue")
            if not isinstance(more, dict) or not more:
                return
            token = {str(key): text_at(more, key) for key in more if isinstance(key, str)}
        self._source.warn(f"the API continues in a circle at {token}; the list ends here")

    def _answer(self, client: PoliteClient, address: str) -> dict[str, Any]:
        """One answer without an error in it; waits while the database lags behind."""
        for _ in range(_MOST_WAITS):
            response = client.get(canonical_address(address), "json")
            answer = self._parsed(response)
            code = text_at(answer, "error.code")
            if code not in _BUSY:
                break
            stated_s = retry_after_s(response.headers.get("retry-after", ""), client.wall())
            client.pace.rest(host_of(self._api), max(stated_s, _SHORTEST_WAIT_S))
        if "error" in answer:
            told = clean_text(text_at(answer, "error.info") or text_at(answer, "error"), 300)
            raise SourceError(
                code if code in _BUSY else "api-error",
                f"{self._api} answered with the error {code[:50]!r}: {told}",
            )
        return answer

    def _parsed(self, response: Response) -> dict[str, Any]:
        answer = parse_json(response)
        known = ("query", "batchcomplete", "continue", "error")
        pages = look_up(answer, "query.pages")
        if not isinstance(answer, dict) or not any(key in answer for key in known):
            what = f"has none of {', '.join(known)}"
        elif not isinstance(pages, dict | list | None):
            what = "has query.pages that are no list"
        else:
            self._warn_once(answer.get("warnings"))
            return answer
        saved = self._source.save_page("answer.json", response.body)
        kept = f"; kept in {saved}" if saved else ""
        raise SourceError("no-items", f"{response.final_url[:300]} {what}{kept}")

    def _warn_once(self, warnings: Any) -> None:
        for module, told in warnings.items() if isinstance(warnings, dict) else ():
            text = clean_text(f"{module}: {text_at(told, '*') or text_at(told, 'warnings')}", 300)
            if text not in self._warned and len(self._warned) < 100:
                self._warned.add(text)
                self._source.warn(f"the API warns: {text}")


def merge_pages(batch: dict[str, Page], pages: Any) -> None:
    """Add the pages of one answer to those of its batch: lists grow, other properties stay."""
    for page in entries(pages):
        kept = batch.setdefault(key_of(page), {})
        for name, value in page.items():
            if isinstance(value, list) and isinstance(kept.get(name), list):
                kept[name] = [*kept[name], *(entry for entry in value if entry not in kept[name])]
            else:
                kept.setdefault(name, value)


def entries(found: Any) -> list[Page]:
    """The objects of a list, or of an object's values, as the two formats of the API have it."""
    values = found.values() if isinstance(found, dict) else found
    return [v for v in values if isinstance(v, dict)] if isinstance(found, dict | list) else []


def key_of(page: Page) -> str:
    return text_at(page, "pageid") or text_at(page, "title")


def _rank(page: Page) -> int:
    """The place among the results of a search; pages come in any order."""
    index = page.get("index")
    return index if isinstance(index, int) else 0
