"""A process that draws: `python -m sample serve`, lines of JSON in and out."""

import contextlib
import json
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO, Any

from curate_app import child_process

IDLE_MINUTES = 10  # without a request; then it ends by itself
_LONGEST_LINE = 64 * 1024 * 1024
_GRACE_S = _EXIT_GRACE_S = 5.0


class DrawingChild:
    """One process from its launch to its end; what it says is handed on by threads of its own.

    `hear` gets each line of its stdout, `hear_log` of its stderr, `hear_end` its exit code once
    all was heard. Raises OSError or ValueError if it cannot be started.
    """

    def __init__(
        self,
        command: Sequence[str],
        hear: Callable[["DrawingChild", str], None],
        hear_log: Callable[["DrawingChild", str], None],
        hear_end: Callable[["DrawingChild", int], None],
    ) -> None:
        self._hear, self._hear_log, self._hear_end = hear, hear_log, hear_end
        self._process: subprocess.Popen[str] | None = None
        self._failure: Exception | None = None
        started = threading.Event()
        # On Linux a child ends with the thread that launched it: so that is one that waits for it.
        work = threading.Thread(target=self._work, args=(list(command), started), daemon=True)
        self._worker = work
        work.start()
        started.wait()
        if self._failure is not None:
            raise self._failure

    @property
    def is_over(self) -> bool:
        return not self._worker.is_alive()

    def send(self, told: Mapping[str, Any]) -> None:
        """Write one line; lost on one that has just ended, whose last words say why."""
        assert self._process is not None
        assert self._process.stdin is not None
        with contextlib.suppress(OSError, ValueError):
            self._process.stdin.write(json.dumps(told) + "\n")
            self._process.stdin.flush()

    def stop(self) -> None:
        """Ask it to end, and kill it if it does not; returns at once."""
        assert self._process is not None
        child_process.stop(self._process, _GRACE_S)

    def join(self) -> None:
        """Wait until it is gone, and kill it rather than wait for long."""
        assert self._process is not None
        self._worker.join(_EXIT_GRACE_S)
        if self._worker.is_alive():
            child_process.kill(self._process)
            self._worker.join(_EXIT_GRACE_S)

    def _work(self, command: list[str], started: threading.Event) -> None:
        try:
            process = self._process = child_process.launch(command, talking=True)
        except (OSError, ValueError, subprocess.SubprocessError) as error:
            self._failure = error
            return
        finally:
            started.set()
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        listening = (process.stderr, self._hear_log)
        log = threading.Thread(target=self._listen, args=listening, daemon=True)
        log.start()
        self._listen(process.stdout, self._hear)
        code = child_process.wait(process)
        log.join(_EXIT_GRACE_S)
        self._hear_end(self, code)
        with contextlib.suppress(OSError):
            process.stdin.close()

    def _listen(self, stream: IO[str], hear: Callable[["DrawingChild", str], None]) -> None:
        with stream:
            while line := stream.readline(_LONGEST_LINE):
                hear(self, line)


def command_of(checkpoint: Path) -> list[str]:
    """What draws from a checkpoint."""
    options = ["--progress=json", f"--idle-minutes={IDLE_MINUTES}"]
    return [sys.executable, "-m", "sample", "serve", *options, "--", str(checkpoint)]
