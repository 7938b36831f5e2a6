"""Kind google: Google's image search in a browser, or pages of it that a person saved."""

import re
from dataclasses import dataclass

from scrape.google_page import LAYOUTS, parse
from scrape.sources.browser_search import BrowserSearch, BrowserSearchSpec, Engine
from scrape.sources.source import Kind

EXAMPLE = """
[[source]]
kind = "google"
name = "google"
queries = ["red panda"]
path = "saved/"                # result pages saved in your own browser; without it, one is opened
"""


@dataclass(frozen=True, kw_only=True)
class GoogleSpec(BrowserSearchSpec):
    """Google's image search; add parameters to `search` to narrow it."""

    search: str = "https://www.google.com/search?udm=2&q={query}"


class Google(BrowserSearch):
    """Originals stand in links once a pointer touched their cards, and in scripts."""

    engine = Engine(
        parse=parse,
        layouts=LAYOUTS,
        answers=re.compile(r"/search\?|/_/.*batchexecute|[?&]async="),
        more=("input[type=button].mye4qd", "a[aria-label='More results']"),
        refuse=("#W0wltc", "form[action*=consent] button[jsname=tWT92d]"),
        touched="[data-docid] a:not([href]), [data-lpage] a:not([href]), a[jsaction]:not([href])",
    )


KIND = Kind(
    "google",
    GoogleSpec,
    Google,
    "Google image search in a real browser: slow and fragile; licences unknown",
    EXAMPLE,
    needs="selenium and Chromium (`make browser`), and leave by www.google.com's robots.txt, "
    "which keeps robots out of /search as a rule; result pages that you saved need neither "
    "(--from FOLDER)",
    ask="python -m scrape run google --queries breeds.txt --label-from-query --limit 200",
    is_fragile=True,
)
