"""Kind duckduckgo: DuckDuckGo's image search in a browser, or pages of it that a person saved."""

import re
from dataclasses import dataclass

from scrape.duckduckgo_page import LAYOUTS, parse
from scrape.sources.browser_search import BrowserSearch, BrowserSearchSpec, Engine
from scrape.sources.source import Kind

EXAMPLE = """
[[source]]
kind = "duckduckgo"
name = "duckduckgo"
queries = ["red panda"]
path = "saved/"                # saved result pages or answers of i.js; without it, one is opened
"""


@dataclass(frozen=True, kw_only=True)
class DuckDuckGoSpec(BrowserSearchSpec):
    """DuckDuckGo's image search; add parameters to `search` to narrow it."""

    search: str = "https://duckduckgo.com/?q={query}&iar=images&iax=images&ia=images"


class DuckDuckGo(BrowserSearch):
    """The page asks its own i.js with a token that it got; we read what it is answered."""

    engine = Engine(
        parse=parse,
        layouts=LAYOUTS,
        answers=re.compile(r"/i\.js\?"),
        more=("a.result--more__btn", "button#more-results"),
    )


KIND = Kind(
    "duckduckgo",
    DuckDuckGoSpec,
    DuckDuckGo,
    "DuckDuckGo image search in a real browser: slow and fragile; licences unknown",
    EXAMPLE,
    needs="selenium and Chromium (`make browser`), and leave by duckduckgo.com's robots.txt; "
    "result pages that you saved need neither (--from FOLDER)",
    ask="python -m scrape run duckduckgo --queries breeds.txt --label-from-query --limit 200",
    is_fragile=True,
)
