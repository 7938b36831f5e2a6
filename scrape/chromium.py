"""The processes of a Chromium: found, watched over, and ended to the last one."""

import contextlib
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Sequence

from dataset.errors import ConfigError

_PROGRAMS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
_STEP_S = 0.05
_OPTIONS = (
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-dev-shm-usage",
    "--disable-extensions",
    "--disable-gpu",
    "--disable-quic",
    "--disable-sync",
    "--deny-permission-prompts",
    "--mute-audio",
    "--no-default-browser-check",
    "--no-first-run",
    "--window-size=1280,1600",
)


def arguments(profile: str, *, is_headed: bool) -> list[str]:
    """The command line of a browser whose profile is the empty folder `profile`."""
    headless = () if is_headed else ("--headless=new",)
    # Chromium's own cage needs rights that root in a container has not.
    uncaged = ("--no-sandbox",) if os.geteuid() == 0 else ()
    return [*_OPTIONS, *headless, *uncaged, f"--user-data-dir={profile}"]


def browser_program(path: str) -> str:
    """The browser at `path`, or the first on the PATH; raises ConfigError when there is none."""
    return _program(path, _PROGRAMS, "Chromium")


def driver_program(path: str) -> str:
    """chromedriver at `path`, or on the PATH; raises ConfigError when there is none."""
    return _program(path, ("chromedriver",), "chromedriver")


def _program(path: str, names: Sequence[str], what: str) -> str:
    found = shutil.which(path) if path else next(filter(None, map(shutil.which, names)), None)
    if found is None:
        where = path if path else "on the PATH"
        raise ConfigError(f"there is no {what} {where}; install one by `make browser`")
    return found


def watch(process: "subprocess.Popen[bytes]", profile: str) -> "subprocess.Popen[bytes]":
    """A watchman who ends the browser when this process is killed: his pipe then breaks."""
    script = 'read -r _; kill -KILL "-$1"; rm -rf -- "$2"; sleep 1; rm -rf -- "$2"'
    return subprocess.Popen(
        ["/bin/sh", "-c", script, "sh", str(process.pid), profile],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def end(*processes: "subprocess.Popen[bytes]", profile: str) -> None:
    """Kill process groups and forget the profile."""
    for process in processes:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        for stream in (process.stdin, process.stdout, process.stderr):
            if stream is not None:
                stream.close()
    # Processes that are dying may still write into their profile.
    for _ in range(20):
        shutil.rmtree(profile, ignore_errors=True)
        if not os.path.lexists(profile):
            return
        time.sleep(_STEP_S)
