"""Stopping a run between two steps: the first Ctrl-C asks for it, the second insists."""

import logging
import signal
from collections.abc import Iterator
from contextlib import contextmanager

log = logging.getLogger(__name__)


class StopRequest:
    """Set by the first Ctrl-C or SIGTERM, obeyed between two steps."""

    requested = False


@contextmanager
def stop_requests() -> Iterator[StopRequest]:
    """Turn the first Ctrl-C (or SIGTERM) into a request, the second into KeyboardInterrupt."""
    stop = StopRequest()

    def note(_number: int, _frame: object) -> None:
        if stop.requested:
            raise KeyboardInterrupt
        stop.requested = True
        log.info("stopping after this step, with a checkpoint; once more to stop at once")

    try:
        before = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM)}
    except ValueError:  # not in the main thread: whoever runs it stops it
        before = {}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
