"""A browser of our own: a page is opened, scrolled, pressed and read; nothing is left behind.

Selenium is imported only when a browser is started: nobody else needs it.
"""

import base64
import contextlib
import json
import re
import shutil
import subprocess
import tempfile
import time
import weakref
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from urllib3.exceptions import HTTPError

from dataset.errors import ConfigError
from scrape.chromium import arguments, browser_program, driver_program, end, watch
from scrape.response import FetchError

if TYPE_CHECKING:
    from selenium import webdriver

_SCRIPT_S = 15.0
_STEP_S = 0.05
# A page is still when none of these was under way for so long.
_STILL_S = 0.2
_LOADED = frozenset({"Document", "Fetch", "Script", "XHR"})
_ANSWERS = frozenset({"Fetch", "Script", "XHR"})
_MOST_ANSWERS = 50
_NET_ERROR = re.compile(r"net::ERR_([A-Z_]+)")

_FIND = """
const [selectors, texts] = arguments;
const isShown = e => {
  const box = e.getBoundingClientRect(), style = getComputedStyle(e);
  return box.width > 0 && box.height > 0 && style.visibility !== 'hidden';
};
const staysHere = e => !/^(?!#|javascript:)./i.test(e.getAttribute('href') || '');
for (const selector of selectors)
  for (const e of document.querySelectorAll(selector)) if (isShown(e)) return e;
const wanted = new Set(texts.map(text => text.toLowerCase()));
const buttons = 'button, [role=button], input[type=submit], input[type=button], a';
for (const e of document.querySelectorAll(buttons)) {
  const said = [e.innerText, e.value, e.getAttribute('aria-label')];
  const isMeant = said.some(text => text && wanted.has(String(text).trim().toLowerCase()));
  if (isMeant && isShown(e) && staysHere(e)) return e;
}
return null;
"""
_SCROLL = """
const page = document.scrollingElement || document.documentElement;
window.scrollTo(0, page.scrollHeight);
for (const e of document.querySelectorAll('main, [role=main], [data-scroll]'))
  if (e.scrollHeight > e.clientHeight + 50) e.scrollTop = e.scrollHeight;
"""
# Some pages write the address of a picture into its link when a pointer touches it.
_TOUCH = """
const [selector, most] = arguments;
const untouched = [...document.querySelectorAll(selector)].filter(e => !e.dataset.touched);
for (const e of untouched.slice(0, most)) {
  e.dataset.touched = '1';
  for (const kind of ['mouseover', 'mousedown'])
    e.dispatchEvent(new MouseEvent(kind, {bubbles: true, cancelable: true}));
}
"""


@dataclass(frozen=True, kw_only=True)
class BrowserOptions:
    """How a browser is started: `agent` is added to its own User-Agent, `program` and `driver`
    are paths ("" looks on the PATH), `load_s` is the longest wait for a page, `max_bytes` the
    longest page or answer that is read."""

    agent: str
    is_headed: bool = False
    program: str = ""
    driver: str = ""
    load_s: float = 20.0
    max_bytes: int = 10_000_000


class Browser:
    """One window with a fresh profile. Close it, or use it as a context; it also ends with the
    interpreter. Every method raises FetchError (timeout, dns, connection, browser) when the page
    or the browser fails."""

    def __init__(self, options: BrowserOptions) -> None:
        """Raises ConfigError when Selenium, Chromium or its driver is missing or will not start."""
        self._options = options
        self.profile = tempfile.mkdtemp(prefix="pedigree-browser-")
        self._loading: dict[str, float] = {}
        self._answers: list[tuple[str, str, int]] = []
        self._pending: dict[str, str] = {}
        self._frame = ""
        self.status = 0
        try:
            self._driver, process = _start(options, self.profile)
        except BaseException:
            shutil.rmtree(self.profile, ignore_errors=True)
            raise
        watchman = watch(process, self.profile)
        self._end = weakref.finalize(self, end, watchman, process, profile=self.profile)
        try:
            with _speaking(""):
                self._prepare()
        except BaseException:
            self.close()
            raise

    def _prepare(self) -> None:
        driver = self._driver
        driver.set_page_load_timeout(self._options.load_s)
        driver.set_script_timeout(_SCRIPT_S)
        version = driver.execute_cdp_cmd("Browser.getVersion", {})
        agent = f"{version['userAgent']} {self._options.agent}"
        driver.execute_cdp_cmd("Network.setUserAgentOverride", {"userAgent": agent})
        driver.execute_cdp_cmd("Browser.setDownloadBehavior", {"behavior": "deny"})
        self._frame = driver.execute_cdp_cmd("Page.getFrameTree", {})["frameTree"]["frame"]["id"]
        driver.get("about:blank")  # the page of a new window has a life of its own

    def __enter__(self) -> "Browser":
        return self

    def __exit__(self, *failure: object) -> None:
        self.close()

    def close(self) -> None:
        """End the browser, its driver and all their processes; forget the profile."""
        self._end()

    @property
    def process_group(self) -> int:
        """The process group in which the driver, the browser and its children run."""
        return int(self._driver.service.process.pid)

    def open(self, address: str) -> None:
        """Load a page and wait until it is still."""
        self._listen()
        self._loading.clear()
        self._answers.clear()
        self.status = 0
        with _speaking(address):
            self._driver.get(address)
        self.settle()
        if not self.status:
            raise FetchError("connection", f"{address} gave no answer")

    def address(self) -> str:
        with _speaking(""):
            return str(self._driver.current_url)

    def html(self) -> str:
        """The page as it stands now, what its scripts added included."""
        with _speaking(""):
            written = self._driver.execute_script(
                "return document.documentElement ? "
                "document.documentElement.outerHTML.slice(0, arguments[0]) : ''",
                self._options.max_bytes,
            )
        return str(written or "")

    def scroll(self) -> None:
        """Go to the end of the page, and of what scrolls inside it."""
        with _speaking(""):
            self._driver.execute_script(_SCROLL)

    def touch(self, selector: str, most: int = 200) -> None:
        """Let the pointer touch elements that it did not touch yet."""
        with _speaking(""):
            self._driver.execute_script(_TOUCH, selector, most)

    def press(self, selectors: Sequence[str], texts: Sequence[str]) -> bool:
        """Click the first visible element of `selectors`, else a button that says one of `texts`;
        returns whether there was one."""
        from selenium.common.exceptions import WebDriverException

        with _speaking(""):
            found = self._driver.execute_script(_FIND, list(selectors), list(texts))
            if found is None:
                return False
            try:
                found.click()
            except WebDriverException:  # something lies over it, or it has just been replaced
                with contextlib.suppress(WebDriverException):
                    self._driver.execute_script("arguments[0].click()", found)
        return True

    def settle(self, seconds: float | None = None) -> None:
        """Wait until the page asks for nothing more, at most `seconds` (default: load_s)."""
        deadline = time.monotonic() + (self._options.load_s if seconds is None else seconds)
        still_since = time.monotonic()
        while (now := time.monotonic()) < deadline:
            self._listen()
            with _speaking(""):
                is_loaded = self._driver.execute_script("return document.readyState") == "complete"
            if self._loading or not is_loaded:
                still_since = now
            elif now - still_since >= _STILL_S:
                return
            time.sleep(_STEP_S)

    def heard(self, pattern: re.Pattern[str]) -> list[str]:
        """The texts that the page itself was answered since the last call, from addresses in
        which `pattern` is found; the latest 50 at most."""
        from selenium.common.exceptions import WebDriverException

        self._listen()
        wanted = [entry for entry in self._answers if pattern.search(entry[1])][-_MOST_ANSWERS:]
        self._answers.clear()
        texts = []
        for identifier, _, size in wanted:
            if size > self._options.max_bytes:
                continue
            with _speaking(""):
                try:
                    body = self._driver.execute_cdp_cmd(
                        "Network.getResponseBody", {"requestId": identifier}
                    )
                except WebDriverException:  # no longer kept
                    continue
            text = str(body.get("body", ""))
            if body.get("base64Encoded"):  # sent without a type
                text = base64.b64decode(text).decode("utf-8", "replace")
            texts.append(text[: self._options.max_bytes])
        return texts

    def _listen(self) -> None:
        """Take in what the network did since the last time."""
        with _speaking(""):
            entries: list[dict[str, Any]] = self._driver.execute("getLog", {"type": "performance"})[
                "value"
            ]
        for entry in entries:
            message = json.loads(entry["message"])["message"]
            self._note(str(message.get("method", "")), message.get("params", {}))

    def _note(self, method: str, event: dict[str, Any]) -> None:
        identifier = str(event.get("requestId", ""))
        if method == "Network.requestWillBeSent":
            if event.get("type") in _LOADED and _is_web(str(event["request"]["url"])):
                self._loading[identifier] = time.monotonic()
        elif method == "Network.responseReceived":
            response = event["response"]
            if event.get("type") == "Document" and event.get("frameId") == self._frame:
                self.status = int(response.get("status", 0))
            elif event.get("type") in _ANSWERS and _is_web(str(response["url"])):
                self._pending[identifier] = str(response["url"])
        elif method in ("Network.loadingFinished", "Network.loadingFailed"):
            self._loading.pop(identifier, None)
            address = self._pending.pop(identifier, "")
            if address and method == "Network.loadingFinished":
                size = int(event.get("encodedDataLength", 0))
                self._answers.append((identifier, address, size))
                del self._answers[: -4 * _MOST_ANSWERS]


def _start(
    options: BrowserOptions, profile: str
) -> tuple["webdriver.Chrome", "subprocess.Popen[bytes]"]:
    """A started browser and its driver's process, whose group holds all the others."""
    try:
        from selenium import webdriver
        from selenium.common.exceptions import WebDriverException
        from selenium.webdriver.chrome.service import Service
    except ModuleNotFoundError:
        raise ConfigError(
            "selenium is not installed; pip install selenium, then `make browser` for Chromium"
        ) from None
    chosen = webdriver.ChromeOptions()
    chosen.binary_location = browser_program(options.program)
    for argument in arguments(profile, is_headed=options.is_headed):
        chosen.add_argument(argument)
    chosen.set_capability("goog:loggingPrefs", {"performance": "ALL"})
    chosen.add_experimental_option("perfLoggingPrefs", {"enableNetwork": True, "enablePage": False})
    # A session of its own: Ctrl-C in a terminal reaches us alone, and all its processes end at once
    service = Service(driver_program(options.driver), popen_kw={"start_new_session": True})
    try:
        return webdriver.Chrome(options=chosen, service=service), service.process
    except BaseException as error:
        if getattr(service, "process", None) is not None:
            end(service.process, profile=profile)
        if isinstance(error, WebDriverException | HTTPError | OSError):
            told = (str(error).strip().splitlines() or ["no reason given"])[0][:200]
            raise ConfigError(
                f"{chosen.binary_location} does not start: {told}; `make browser` installs one "
                "that does, and headed = true needs a display"
            ) from None
        raise


def _is_web(address: str) -> bool:
    return urlsplit(address).scheme in ("http", "https")


@contextlib.contextmanager
def _speaking(address: str) -> Iterator[None]:
    """Say in our words what Selenium says in its own."""
    from selenium.common.exceptions import TimeoutException, WebDriverException

    where = address or "the page"
    try:
        yield
    except TimeoutException:
        raise FetchError("timeout", f"{where} did not load in time") from None
    except WebDriverException as error:
        net = _NET_ERROR.search(str(error))
        if net is None:
            told = (str(error.msg or "").strip().splitlines() or ["no reason given"])[0][:200]
            raise FetchError("browser", f"the browser failed at {where}: {told}") from None
        reason = "dns" if net[1].startswith("NAME_") else "connection"
        raise FetchError(reason, f"{where}: {net[1].replace('_', ' ').lower()}") from None
    except (HTTPError, OSError) as error:
        raise FetchError("browser", f"the browser is gone: {str(error)[:200]}") from None
