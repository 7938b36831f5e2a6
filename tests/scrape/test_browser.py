"""The browser is honest about its name, waits for what a page loads, and leaves nothing behind."""

import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from dataset.errors import ConfigError
from scrape.browser import Browser
from scrape.response import FetchError
from tests.scrape.loopback import Answer, LoopbackSite, page
from tests.scrape.search_site import OPTIONS, shared_browser

pytestmark = pytest.mark.browser

_STARTS_AND_WAITS = """
import sys, time
from scrape.browser import Browser
from tests.scrape.search_site import OPTIONS
browser = Browser(OPTIONS)
print(browser.process_group, browser.profile, flush=True)
if sys.argv[1] == "waits":
    time.sleep(60)
"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with shared_browser() as shared:
        yield shared


def alive(group: int) -> list[int]:
    """The processes of a group that are neither gone nor only waiting to be forgotten."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[2]) == group and fields[0] != "Z":
            found.append(int(stat.parent.name))
    return found


def wait_until_gone(group: int, profile: str) -> bool:
    deadline = time.monotonic() + 20
    while alive(group) or Path(profile).exists():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def test_the_name_is_its_own_with_ours_and_the_contact(
    browser: Browser, site: LoopbackSite
) -> None:
    site.routes["/"] = page("hello")
    browser.open(f"{site.url}/")
    agent = next(r.headers["user-agent"] for r in site.requests if r.path == "/")
    assert "Chrome/" in agent
    assert agent.endswith("Pedigree/test (+owner@example.org)")
    assert (browser.status, browser.address()) == (200, f"{site.url}/")


def test_a_page_is_read_as_its_scripts_made_it(browser: Browser, site: LoopbackSite) -> None:
    site.routes["/late"] = Answer(b"late words", delay_s=0.5)
    site.routes["/"] = page(
        "<script>fetch('/late').then(a => a.text()).then(t => document.body.append(t))</script>"
    )
    browser.open(f"{site.url}/")
    assert "late words" in browser.html()
    assert browser.heard(re.compile("/late")) == ["late words"]
    assert browser.heard(re.compile("/late")) == []


def test_only_what_is_visible_and_stays_on_the_page_is_pressed(
    browser: Browser, site: LoopbackSite
) -> None:
    site.routes["/"] = page(
        '<button style="display:none" onclick="document.title=1">More</button>'
        '<a href="/away">More</a>'
        '<div style="visibility:hidden"><button id="x">More</button></div>'
        '<div role="button" onclick="document.title=\'pressed\'"> more </div>'
    )
    browser.open(f"{site.url}/")
    assert browser.press(["#x"], ["More"])
    assert "<title>pressed</title>" in browser.html()
    assert not browser.press(["#y"], ["Less"])


def test_what_lies_under_an_overlay_is_pressed_all_the_same(
    browser: Browser, site: LoopbackSite
) -> None:
    site.routes["/"] = page(
        '<button id="b" onclick="document.title=\'pressed\'">x</button>'
        '<div style="position:fixed;inset:0;background:#fff"></div>'
    )
    browser.open(f"{site.url}/")
    assert browser.press(["#b"], [])
    assert "<title>pressed</title>" in browser.html()


def test_scrolling_reaches_the_end_of_the_page_and_of_what_scrolls_in_it(
    browser: Browser, site: LoopbackSite
) -> None:
    site.routes["/"] = page(
        '<main style="height:300px;overflow:auto"><p style="height:2000px">x</p></main>'
        '<p style="height:5000px">y</p>'
    )
    browser.open(f"{site.url}/")
    browser.scroll()
    where = "return [scrollY > 3000, document.querySelector('main').scrollTop > 1000]"
    assert browser._driver.execute_script(where) == [True, True]


def test_the_status_is_that_of_the_page_not_of_what_it_frames(
    browser: Browser, site: LoopbackSite
) -> None:
    site.routes["/"] = Answer(b"<iframe src=/gone></iframe>", 429, {"Content-Type": "text/html"})
    browser.open(f"{site.url}/")
    assert browser.status == 429


def test_a_download_is_refused(browser: Browser, site: LoopbackSite, tmp_path: Path) -> None:
    file = {"Content-Type": "application/zip", "Content-Disposition": "attachment; filename=x.zip"}
    site.routes["/x.zip"] = Answer(b"PK", headers=file)
    site.routes["/"] = page('<a id="x" href="/x.zip" download>get</a>')
    browser.open(f"{site.url}/")
    browser.press(["#x"], [])
    browser.settle()
    written = [*Path(browser.profile).rglob("*.zip*"), *Path.cwd().glob("*.zip*")]
    assert written == []


def test_a_page_never_leads_to_the_files_of_this_machine(
    browser: Browser, site: LoopbackSite
) -> None:
    site.routes["/"] = page("<script>location = 'file:///etc/passwd'</script>still here")
    browser.open(f"{site.url}/")
    assert "still here" in browser.html()


def test_long_pages_are_cut(site: LoopbackSite, browser: Browser) -> None:
    site.routes["/"] = page("x" * 5000)
    browser.open(f"{site.url}/")
    options = browser._options
    browser._options = replace(options, max_bytes=1000)
    try:
        assert len(browser.html()) == 1000
    finally:
        browser._options = options


@pytest.mark.parametrize(
    ("address", "reason"),
    [
        ("http://127.0.0.1:1/", "connection"),  # a port that no browser asks
        ("http://127.0.0.1:{closed}/", "connection"),
        ("http://nowhere.invalid/", "dns"),
    ],
)
def test_a_page_that_cannot_be_had_is_a_fetch_error(
    browser: Browser, address: str, reason: str
) -> None:
    with LoopbackSite() as gone:
        closed = gone.port
    with pytest.raises(FetchError) as failure:
        browser.open(address.format(closed=closed))
    assert failure.value.reason == reason


def test_a_closed_browser_leaves_neither_process_nor_profile(site: LoopbackSite) -> None:
    site.routes["/"] = page("hello")
    with shared_browser() as own:
        own.open(f"{site.url}/")
        group, profile = own.process_group, own.profile
        assert len(alive(group)) > 2
    assert wait_until_gone(group, profile)


def test_a_browser_that_crashed_is_a_fetch_error_and_is_cleared_away() -> None:
    with shared_browser() as own:
        group, profile = own.process_group, own.profile
        os.killpg(group, signal.SIGKILL)
        with pytest.raises(FetchError) as failure:
            own.html()
        assert failure.value.reason == "browser"
    assert wait_until_gone(group, profile)


@pytest.mark.parametrize("ends_by", ["itself", "SIGKILL", "SIGINT"])
def test_a_browser_ends_with_its_owner_however_he_ends(ends_by: str) -> None:
    waits = "ends" if ends_by == "itself" else "waits"
    command = [sys.executable, "-c", _STARTS_AND_WAITS, waits]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as owner:
        assert owner.stdout is not None
        group, profile = owner.stdout.readline().split()
        if waits == "waits":
            owner.send_signal(getattr(signal, ends_by))
        owner.wait(30)
    assert wait_until_gone(int(group), profile)


@pytest.mark.parametrize("key", ["program", "driver"])
def test_a_missing_program_is_named_with_its_remedy(key: str) -> None:
    keys = {key: "/nowhere/chromium"}
    with pytest.raises(ConfigError, match=r"/nowhere/chromium; install one by `make browser`"):
        Browser(replace(OPTIONS, **keys))  # type: ignore[arg-type]


def test_a_program_that_is_no_browser_is_one_line_and_no_leftover() -> None:
    before = {*Path(tempfile.gettempdir()).glob("pedigree-browser-*")}
    with pytest.raises(ConfigError, match=r"^/bin/true does not start: .*$"):
        Browser(replace(OPTIONS, program="/bin/true"))
    assert {*Path(tempfile.gettempdir()).glob("pedigree-browser-*")} <= before


def test_nothing_but_an_open_browser_needs_selenium() -> None:
    code = "import sys, scrape.sources, scrape.browser; sys.exit('selenium' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_missing_selenium_is_said_with_its_remedy() -> None:
    code = (
        "import sys; sys.modules['selenium'] = None\n"
        "from scrape.browser import Browser, BrowserOptions\n"
        "Browser(BrowserOptions(agent='x'))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "ConfigError: selenium is not installed; " in done.stderr.splitlines()[-1]
