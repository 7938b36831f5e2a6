"""A web page as a source reads it: CSS selectors with an optional attribute, resolved links."""

import re
from email.message import Message

from bs4 import BeautifulSoup, Tag
from bs4.exceptions import ParserRejectedMarkup
from soupsieve import SelectorSyntaxError

from dataset.errors import ConfigError, DisallowedError
from scrape.addresses import canonical_address
from scrape.opt_out import page_opt_out
from scrape.response import FetchError, Response

_PICK = re.compile(r"(.*?)(?:@([A-Za-z][\w:-]*))?", re.DOTALL)


class Page:
    """A parsed answer; raises DisallowedError (opt-out) when its meta tags forbid collecting,
    FetchError (bad-html) when no parser makes sense of it."""

    def __init__(self, response: Response) -> None:
        self.address = response.final_url
        # Pages are HTML as found in the wild; an XML prolog would only make the parser complain.
        body = re.sub(rb"<\?xml\b", b"<?", response.body) if b"<" in response.body else b"<p></p>"
        try:
            self.soup = BeautifulSoup(body, "html.parser", from_encoding=_charset(response))
        except ParserRejectedMarkup as error:
            raise FetchError("bad-html", f"{self.address}: {error}", is_final=True) from error
        base = self.soup.find("base", href=True)
        self._base = self.address
        if isinstance(base, Tag):
            self._base = self.link(str(base["href"])) or self.address
        metas = self.soup.find_all("meta", attrs={"name": re.compile("^(robots|pedigree)$", re.I)})
        directive = page_opt_out(str(meta.get("content") or "") for meta in metas)
        if directive:
            raise DisallowedError("opt-out", f"{self.address} says {directive}")

    def link(self, written: str) -> str:
        """The canonical address of a link of this page, or "" when it leads nowhere on the web."""
        if not written.strip():
            return ""
        try:
            return canonical_address(written, self._base)
        except DisallowedError:
            return ""


def pick(element: Tag, rule: str) -> str:
    """The text at `rule` inside `element`, "" when it is not there.

    `p.caption` is the text of the first match, `a.more@href` an attribute of it, `@title` an
    attribute of the element itself.
    """
    selector, attribute = split_rule(rule)
    found = element.select_one(selector) if selector else element
    if found is None:
        return ""
    if not attribute:
        return found.get_text(" ", strip=True)
    value = found.get(attribute)
    return " ".join(value) if isinstance(value, list) else str(value or "")


def split_rule(rule: str) -> tuple[str, str]:
    """(selector, attribute) of a rule; either may be empty."""
    matched = _PICK.fullmatch(rule)
    assert matched is not None
    return matched[1].strip(), matched[2] or ""


def require_rule(rule: str, key: str) -> None:
    """Raise ConfigError when `rule` is not a usable selector with an optional attribute."""
    selector, attribute = split_rule(rule)
    try:
        if selector:
            BeautifulSoup("", "html.parser").select_one(selector)
    except SelectorSyntaxError as error:
        reason = str(error).splitlines()[0]
        raise ConfigError(f"{key} {rule!r} is no CSS selector: {reason}") from None
    if not selector and not attribute:
        raise ConfigError(f'{key} is empty; write a selector such as "p.caption" or "a@href"')


def _charset(response: Response) -> str | None:
    message = Message()
    message["Content-Type"] = response.headers.get("content-type", "")
    charset = message.get_content_charset()
    try:
        return charset if charset and "".encode(charset) == b"" else None
    except (LookupError, ValueError):
        return None
