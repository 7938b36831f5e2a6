"""A child process that ends with its parent: launched in a group of its own, stopped as a group."""

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence

# The command's child must not hold what opens the app to others.
_SECRETS = ("PEDIGREE_PASSWORD",)
# Threads of linear algebra wait for each other by spinning: beside an app and other jobs that takes
# several times as long as one thread alone. What the environment says instead holds.
_USUAL = {"OPENBLAS_NUM_THREADS": "1"}
_PR_SET_PDEATHSIG = 1  # prctl(2)
_C = ctypes.CDLL(None) if sys.platform == "linux" else None


def launch(command: Sequence[str], *, talking: bool = False) -> subprocess.Popen[str]:
    """Start a command without a shell; on Linux it is stopped when the calling thread ends, so
    that not even kill -9 of this process leaves it behind. A `talking` one is written to through
    its `stdin`. Raises OSError."""
    return subprocess.Popen(
        list(command),
        stdin=subprocess.PIPE if talking else subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        errors="replace",
        env=_environment(),
        start_new_session=True,  # a Ctrl-C in the terminal is the app's, which stops it itself
        preexec_fn=_end_with_parent if _C is not None else None,
    )


def _environment() -> dict[str, str]:
    found = {name: value for name, value in os.environ.items() if name not in _SECRETS}
    return {**_USUAL, **found}


def _end_with_parent() -> None:
    if _C is not None:
        _C.prctl(_PR_SET_PDEATHSIG, int(signal.SIGTERM), 0, 0, 0)


def wait(process: subprocess.Popen[str]) -> int:
    """Wait for the end of a child, end whatever it left behind, and return its exit code."""
    if hasattr(os, "waitid"):
        # Not reaped yet, it keeps the number of its group from being given to others.
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        _signal_group(process, signal.SIGKILL)
    return process.wait()


def stop(process: subprocess.Popen[str], grace_s: float) -> None:
    """Ask a child and its own children to end; kill them after `grace_s`. Returns at once."""
    _signal_group(process, signal.SIGTERM)
    timer = threading.Timer(grace_s, kill, (process,))
    timer.daemon = True
    timer.start()


def kill(process: subprocess.Popen[str]) -> None:
    _signal_group(process, signal.SIGKILL)


def _signal_group(process: subprocess.Popen[str], number: signal.Signals) -> None:
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, number)
