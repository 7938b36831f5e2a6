"""Result pages as search engines lay them out, with made-up pictures; and a browser to share."""

import contextlib
import html
import json
import os
import shutil
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import pytest

from scrape.browser import Browser, BrowserOptions
from tests.scrape.loopback import HTML, Answer

OPTIONS = BrowserOptions(agent="Pedigree/test (+owner@example.org)", load_s=10.0)
SPOT = "data:image/gif;base64,R0lGODlhAQABAIAAAAAAAP///ywAAAAAAQABAAACAUwAOw=="


@contextlib.contextmanager
def shared_browser() -> Iterator[Browser]:
    """A real headless browser; skips where none is installed."""
    if shutil.which("chromium") is None or shutil.which("chromedriver") is None:
        reason = "chromium or chromedriver is not installed; run `make browser`"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    with Browser(OPTIONS) as browser:
        yield browser


def original(number: int) -> str:
    return f"https://pictures.example/full/{number}.jpg"


def place(number: int) -> str:
    return f"https://pages.example/panda-{number}?a=1&b=2"


def small(number: int) -> str:
    return f"https://encrypted-tbn0.gstatic.com/images?q=tbn:{number}&usqp=CAU"


def title(number: int) -> str:
    return f"Red panda {number} – “pages”"


def whole(body: str, head: str = "") -> str:
    return f"<!DOCTYPE html><html><head>{head}</head><body>{body}</body></html>"


def shown(text: str, status: int = 200) -> Answer:
    return Answer(text.encode(), status, headers=HTML)


def imgres(number: int) -> str:
    asked = f"imgurl={quote(original(number), safe='')}&imgrefurl={quote(place(number), safe='')}"
    return f"/imgres?q=panda&{asked}&w=800&h=600&tbnid=x{number}"


def google_link(number: int) -> str:
    return (
        f'<a href="{html.escape(imgres(number))}"><img src="{SPOT}" alt="{title(number)}">'
        "<span>pages.example</span></a>"
    )


def google_card(number: int) -> list[Any]:
    """A card as it stands in the scripts: thumbnail, original, and the facts of its page."""
    facts = {
        "2001": [None, None, None, 3],
        "2003": [None, f"ref{number}", place(number), title(number), None, None, "pages.example"],
    }
    thumbnail, full = [small(number), 168, 300], [original(number), 600, 800]
    return [0, f"id{number}", thumbnail, full, None, 0, "rgb(8,8,8)", None, False, facts]


def google_block(numbers: range, *, year: int) -> str:
    """The script block of a result page, as in 2020 or in 2022."""
    data: list[Any]
    if year == 2020:
        cards: list[Any] = [[1, google_card(number)] for number in numbers]
        data = [None] * 31 + [[[None] * 12 + [[None, None, cards]]]]
        opening = "data:function(){return "
        closing = "}});"
    else:
        cards = [[[{"444383007": [1, google_card(number)]}]] for number in numbers]
        data = [None] * 56 + [[None, [[[None, [cards]]]]]]
        opening, closing = "data:", ", sideChannel: {}});"
    head = "AF_initDataCallback({key: 'ds:1', isError: false, hash: '2', "
    # As the engine writes it: what could end the script is escaped the way of JavaScript.
    text = json.dumps(data).replace("=", r"\u003d").replace("&", r"\x26")
    return f'<script nonce="x">{head}{opening}{text}{closing}</script>'


def bing_mark(number: int, **more: Any) -> dict[str, Any]:
    return {
        "sid": "",
        "cid": f"c{number}",
        "purl": place(number),
        "murl": original(number),
        "turl": f"https://ts1.mm.bing.net/th?id=OIP.{number}&pid=15.1",
        "md5": f"{number:032x}",
        "t": title(number),
        "desc": f"A picture of panda {number}",
        **more,
    }


def bing_card(mark: Any, cls: str = "iusc") -> str:
    text = mark if isinstance(mark, str) else json.dumps(mark, ensure_ascii=False)
    tile = '<div class="img_info"><span>1920 x 1080 · jpeg</span></div>'
    return f'<li><div><a class="{cls}" m="{html.escape(text)}" href="/x">{tile}</a></div></li>'


def bing_cards(numbers: range) -> str:
    return "".join(bing_card(bing_mark(number)) for number in numbers)


def duck_result(number: int) -> dict[str, Any]:
    return {
        "height": 600,
        "image": original(number),
        "image_token": "abc",
        "source": "Bing",
        "thumbnail": f"https://tse1.mm.bing.net/th?id=OIP.{number}",
        "title": f"{title(number)} {{sic}}",
        "url": place(number),
        "width": 800,
    }


def duck_answer(numbers: range, following: str = "") -> dict[str, Any]:
    results = [duck_result(number) for number in numbers]
    return {"query": "panda", "results": results, "vqd": {"panda": "4-1"}, "next": following}
