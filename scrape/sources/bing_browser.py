"""Kind bing-browser: Bing's image search in a browser, or pages of it that a person saved."""

from dataclasses import dataclass

from scrape.bing_page import LAYOUTS, parse
from scrape.sources.browser_search import BrowserSearch, BrowserSearchSpec, Engine
from scrape.sources.source import Kind

EXAMPLE = """
[[source]]
kind = "bing-browser"
name = "bing"
queries = ["red panda"]
path = "saved/"                # result pages saved in your own browser; without it, one is opened
"""


@dataclass(frozen=True, kw_only=True)
class BingBrowserSpec(BrowserSearchSpec):
    """Bing's image search; add `&qft=+filterui:imagesize-large` to `search` to narrow it."""

    search: str = "https://www.bing.com/images/search?q={query}"


class BingBrowser(BrowserSearch):
    """Cards come as one scrolls, and after some hundreds by a button."""

    engine = Engine(
        parse=parse,
        layouts=LAYOUTS,
        more=("a.btn_seemore", "#bop_container .btn_seemore"),
        refuse=("#bnp_btn_reject",),
    )


KIND = Kind(
    "bing-browser",
    BingBrowserSpec,
    BingBrowser,
    "Bing image search in a real browser: slow and fragile; licences unknown",
    EXAMPLE,
    needs="selenium and Chromium (`make browser`), and leave by www.bing.com's robots.txt; "
    "result pages that you saved need neither (--from FOLDER)",
    ask="python -m scrape run bing-browser --queries breeds.txt --label-from-query --limit 200",
    is_fragile=True,
)
