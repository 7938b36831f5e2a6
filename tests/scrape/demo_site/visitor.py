"""What a test asks of a demo site, over one kept-alive connection."""

from dataclasses import dataclass
from typing import Any
from urllib.parse import urljoin

import requests
from bs4 import BeautifulSoup


@dataclass(frozen=True)
class Visitor:
    """Asks for paths of the site at `base`."""

    session: requests.Session
    base: str

    def get(self, path: str, **options: Any) -> requests.Response:
        return self.session.get(self.base + path, timeout=20, **options)

    def soup(self, path: str) -> BeautifulSoup:
        answer = self.get(path)
        assert answer.status_code == 200, path
        assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
        return BeautifulSoup(answer.text, "html.parser")

    def entries(self, path: str = "/api/pictures?per_page=100") -> list[dict[str, Any]]:
        """All results of the API from `path` on, page after page."""
        found: list[dict[str, Any]] = []
        following: str | None = path
        while following:
            answer = self.get(following).json()
            found += answer["results"]
            following = answer["next"]
        return found

    def cards(self, path: str = "/logos/") -> list[dict[str, str]]:
        """All cards of the grid from `path` on, page after page."""
        found: list[dict[str, str]] = []
        following: str | None = path
        while following:
            soup = self.soup(following)
            for card in soup.select("div.card"):
                found.append(
                    {
                        "page": str(card.select("a")[0]["href"]),
                        "picture": str(card.select("img")[0]["data-src"]),
                        "plain": str(card.select("noscript img")[0]["src"]),
                        "alt": str(card.select("img")[0]["alt"]),
                        "name": card.select("h3")[0].text,
                        "caption": card.select("p.caption")[0].text,
                    }
                )
            link = soup.select_one("a[rel=next]")
            following = None if link is None else urljoin(following, str(link["href"]))
        return found
