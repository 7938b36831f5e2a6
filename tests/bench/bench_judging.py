"""From a key press to the event on the disk and the next picture on the screen, in Chromium.

100,000 pictures behind a real server; keys come through the browser's own input, as from a
keyboard. No other program for judging is measured beside it: none of them is installed with us.
"""

import random
import statistics
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from selenium import webdriver

from dataset.catalog import Catalog
from dataset.records import Event
from tests.bench.bench_pages import load, passed, quantile, served
from tests.bench.large_catalogue import copy_of, large_catalogue
from tests.browser import open_browser

SIZE = 100_000
PRESSES = 300
PAUSE_S = 0.45  # the counts beside the grid are fetched anew about when the next key comes
LATENCY_BAR_MS = 50.0
ROBOT_S, ROBOT_PAUSE_S = 60.0, 0.03
ROBOT_BAR = 600
# Pictures without stars, of which some are drawn: nobody has judged these yet.
FRESH = "?status=undecided&stars=0"

# Notes when each key came, when the server's answer was shown, and when the next picture was
# painted: a frame later, in the zoom after the picture is decoded.
WATCH = """
window.pressed = [];
const painted = (entry) => requestAnimationFrame(() => setTimeout(() => {
  entry.painted = performance.now() - entry.down;
}));
addEventListener("keydown", (event) => {
  const entry = {key: event.key, down: event.timeStamp, judges: /^[kx0-5]$/.test(event.key)};
  window.pressed.push(entry);
  setTimeout(() => {
    const zoom = document.querySelector("#zoom");
    if (!zoom.open) return painted(entry);
    const done = () => painted(entry);
    document.querySelector("#zoom-picture").decode().then(done, done);
  });
}, true);
document.addEventListener("acted", () => {
  const entry = window.pressed.find((one) => one.judges && one.answered === undefined);
  if (entry) entry.answered = performance.now() - entry.down;
});
"""
WAITING = "return window.pressed.filter((one) => one.judges && one.answered === undefined).length"
DONE = "const last = window.pressed.at(-1); return !!last && !!last.painted && !!last.answered"


@dataclass
class Keyboard:
    """Presses keys as the browser's input has them: trusted events, without a driver's pauses."""

    browser: webdriver.Chrome

    def press(self, key: str) -> None:
        facts: dict[str, Any] = {"key": key, "windowsVirtualKeyCode": _code(key)}
        if len(key) == 1:
            facts["text"] = key
        self.browser.execute_cdp_cmd("Input.dispatchKeyEvent", {"type": "keyDown", **facts})
        self.browser.execute_cdp_cmd("Input.dispatchKeyEvent", {"type": "keyUp", **facts})

    def settle(self) -> None:
        """Wait until everything is answered."""
        while self.browser.execute_script(WAITING):
            time.sleep(0.02)


def _code(key: str) -> int:
    return {"ArrowRight": 39, " ": 32}.get(key, ord(key.upper()[0]))


def run() -> None:
    data = large_catalogue(SIZE)
    with tempfile.TemporaryDirectory() as folder:
        judged = copy_of(data, Path(folder) / "data")
        browser = open_browser(Path(folder) / "profile")
        try:
            with served(judged) as (address, _process):
                measure(browser, address, judged)
        finally:
            browser.quit()


def measure(browser: webdriver.Chrome, address: str, data: Path) -> None:
    print(f"\n{SIZE:,} pictures; load average {load()}")
    keyboard = Keyboard(browser)
    for name, opening, pause in (
        ("grid, as fast as answers come", "", 0.0),
        (f"grid, a key every {PAUSE_S} s", "", PAUSE_S),
        ("zoom, as fast as pictures come", " ", 0.0),
    ):
        show_page(browser, address)
        if opening:
            keyboard.press(opening)
            time.sleep(1)
        count = PRESSES // 3 if pause else PRESSES
        show(name, press_one_by_one(keyboard, count, pause))
    show_page(browser, address)
    robot(keyboard, data)
    print(f"  load average {load()} after")


def show_page(browser: webdriver.Chrome, address: str) -> None:
    """Open the pictures that nobody judged, and wait until the first thumbnails are there."""
    browser.get(address + FRESH)
    time.sleep(3)
    browser.execute_script(WATCH)


def press_one_by_one(keyboard: Keyboard, count: int, pause: float) -> list[dict[str, float]]:
    """Each key after the one before it was answered and the next picture shown."""
    browser = keyboard.browser
    browser.execute_script("window.pressed.length = 0")
    due = time.perf_counter()
    for number in range(count):
        keyboard.press("kx"[number % 2])
        while not browser.execute_script(DONE):
            time.sleep(0.002)
        due = max(due + pause, time.perf_counter())
        time.sleep(max(0.0, due - time.perf_counter()))
    found: list[dict[str, float]] = browser.execute_script("return window.pressed")
    assert len(found) == count
    return found


def show(name: str, presses: Sequence[dict[str, float]]) -> None:
    print(f"  {name}, {len(presses)} presses {'p50':>12} {'p95':>8} {'p99':>8} ms")
    for title, times in (
        ("durable and answered", [press["answered"] for press in presses]),
        ("next picture painted", [press["painted"] for press in presses]),
        ("both", [max(press["answered"], press["painted"]) for press in presses]),
    ):
        p50, p95, p99 = (quantile(times, part) for part in (0.5, 0.95, 0.99))
        verdict = passed(p95, LATENCY_BAR_MS) if title == "both" else ""
        print(f"    {title:<40} {p50:>8.1f} {p95:>8.1f} {p99:>8.1f}    {verdict}", flush=True)


def robot(keyboard: Keyboard, data: Path) -> None:
    """Stars for every third picture, keep or reject for each, without waiting for answers."""
    browser, dice = keyboard.browser, random.Random(1)
    with Catalog(data / "catalog.sqlite") as catalog:
        seen = catalog.judgements.last_event_id()
    browser.execute_script("window.pressed.length = 0")
    wanted: list[list[str]] = []
    start = time.perf_counter()
    while time.perf_counter() - start < ROBOT_S:
        keys = [str(dice.randint(1, 5))] if dice.random() < 1 / 3 else []
        keys.append(dice.choice("kx"))
        for key in keys:
            keyboard.press(key)
            time.sleep(ROBOT_PAUSE_S)
        wanted.append(keys)
    keyboard.settle()
    seconds = time.perf_counter() - start
    ids = browser.execute_script(
        "return [...document.querySelectorAll('.tile')].map((tile) => Number(tile.dataset.id))"
    )
    expected = list(meant(wanted, ids))
    with Catalog(data / "catalog.sqlite") as catalog:
        events = catalog.judgements.latest(len(expected) + 100)[::-1]
    found = [told(event) for event in events if event.id > seen]
    assert found == expected, first_difference(found, expected)
    times = [press["answered"] for press in browser.execute_script("return window.pressed")]
    rate = 60 * len(found) / seconds
    bar = f"bar {ROBOT_BAR}: {'met' if rate >= ROBOT_BAR else 'MISSED'}"
    print(f"  robot: {len(found):,} judgements in {seconds:.0f} s, {rate:,.0f} a minute {bar}")
    print(f"    {len(ids):,} tiles on the page; all {len(expected):,} events are there, in order")
    print(
        f"    answered after {statistics.median(times):.1f} ms, "
        f"{quantile(times, 0.95):.1f} ms (p95)"
    )


def meant(wanted: Sequence[Sequence[str]], ids: Sequence[int]) -> Iterator[tuple[int, str, Any]]:
    """What the keys mean for the pictures in their order on the page."""
    for image_id, keys in zip(ids, wanted, strict=False):
        for key in keys:
            if key.isdigit():
                yield image_id, "stars", int(key)
            else:
                yield image_id, "status", "keep" if key == "k" else "reject"


def told(event: Event) -> tuple[int, str, str | int]:
    return event.image_id, event.field, event.after


def first_difference(found: Sequence[object], expected: Sequence[object]) -> str:
    for place, (one, other) in enumerate(zip(found, expected, strict=False)):
        if one != other:
            return f"event {place}: {one} instead of {other}"
    return f"{len(found)} events instead of {len(expected)}"
