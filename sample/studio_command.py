"""`python -m sample serve RUN`: the studio behind a pipe, for the app's Generate page.

echo '{"verb": "draw", "id": 1, "seed": 0, "count": 4, "sampler": "dpm++2m", "steps": 20,
"guidance": 2}' | python -m sample serve runs/tiny   (on one line)
"""

import argparse
import json
import os
import select
import sys
import time
from collections import deque
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import IO, Any

from dataset.command_line import CommandLine, add_config_options
from dataset.config import load_config, to_mapping
from dataset.errors import ConfigError
from sample.novelty import NoveltyConfig
from sample.studio import Say, Studio
from sample.studio_check import PendingCheck, checker_of_run
from sample.studio_request import (
    LONGEST_LINE,
    DrawRequest,
    EndRequest,
    Request,
    StopRequest,
    number_of,
    read_request,
)
from train.checkpoint import Checkpoint, load_checkpoint

_BLOCK = 65536
_LOOK_EVERY_S = 0.2  # whether the check is there


def add_verb(command: CommandLine) -> None:
    verb = command.verb(
        "serve",
        _serve,
        "draw as lines of JSON on stdin ask, each picture with its novelty verdict",
        """python -m sample serve runs/tiny
        python -m sample serve runs/tiny --packed data/packs/main.h5 --idle-minutes 10
        python -m sample serve runs/tiny/checkpoints/000096000 --unchecked""",
    )
    verb.add_argument(
        "checkpoint", type=Path, help="a checkpoint's folder, or a run's (its latest)"
    )
    only = verb.add_mutually_exclusive_group()
    only.add_argument(
        "--packed", type=Path, metavar="FILE", help="the pack that was trained on (as the run says)"
    )
    only.add_argument("--unchecked", action="store_true", help="draw without a novelty verdict")
    verb.add_argument(
        "--idle-minutes",
        type=float,
        default=0.0,
        help="end after so many without a request (0: no)",
    )
    devices = ["auto", "cpu", "cuda"]
    verb.add_argument("--device", choices=devices, default="auto", help="auto: the GPU if any")
    add_config_options(verb, "the verdicts", keys=NoveltyConfig)


def _serve(options: argparse.Namespace) -> int:
    config = load_config(NoveltyConfig, options.config, options.assignments)
    if not 0.0 <= options.idle_minutes <= 10_000:
        raise ConfigError(f"idle-minutes is {options.idle_minutes}; it must be from 0 to 10000")
    checkpoint = load_checkpoint(options.checkpoint)
    if options.dry_run:
        print(json.dumps(to_mapping(config), indent=2))
        return 0
    check = _pending_check(checkpoint, options, config)
    studio = Studio(checkpoint, check, _say_on(sys.stdout), options.device)
    studio.say({"event": "ready", **studio.about()})
    answer_requests(studio, Inbox(sys.stdin.fileno()), idle_s=60.0 * options.idle_minutes or None)
    return 0


def _pending_check(
    checkpoint: Checkpoint, options: argparse.Namespace, config: NoveltyConfig
) -> PendingCheck:
    """Loading now, beside the model; a pack that was asked for by name must do."""
    if options.unchecked:
        return PendingCheck(lambda: None)
    packed: Path | None = options.packed
    return PendingCheck(lambda: checker_of_run(checkpoint, packed, config), must=packed is not None)


class Inbox:
    """Requests in the order they came; a stop takes effect at once, also on what is being drawn.

    Read by the one thread that draws, whenever it asks: a thread that waits on stdin could not be
    ended with the process.
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._waiting: deque[Request | str] = deque()
        self._stopped: set[int] = set()
        self._begun = b""  # of a line
        self._is_over = self.is_ended = False

    def next(self, timeout_s: float | None) -> Request | str | None:
        """The next request, or a line that is none, or the end; None when nothing came in time."""
        while not self._waiting and not self._is_over:
            if not self._read(timeout_s):
                return None
        return self._waiting.popleft() if self._waiting and not self.is_ended else EndRequest()

    def is_stopped(self, request_id: int) -> bool:
        """Whether nobody waits for the pictures of this request any more."""
        while not self._is_over and self._read(0.0):
            pass
        return self.is_ended or request_id in self._stopped

    def _read(self, timeout_s: float | None) -> bool:
        """Take in what came within `timeout_s`; False when nothing did.

        When the stream ends, what was asked for before is still drawn; an end asked for ends all.
        """
        if not select.select([self._descriptor], [], [], timeout_s)[0]:
            return False
        content = os.read(self._descriptor, _BLOCK)
        *lines, self._begun = (self._begun + (content or b"\n")).split(b"\n")
        for line in lines:
            self._take(line.decode("utf-8", "replace"))
        if len(self._begun) > LONGEST_LINE:
            self._begun = self._begun[: LONGEST_LINE + 1]  # refused when its end comes
        self._is_over = self._is_over or not content
        return True

    def _take(self, line: str) -> None:
        if not line.strip():
            return
        try:
            request = read_request(line)
        except ConfigError:
            self._waiting.append(line)
            return
        if isinstance(request, StopRequest):
            self._stopped.add(request.id)
        elif isinstance(request, EndRequest):
            self._is_over = self.is_ended = True
        else:
            self._waiting.append(request)


def answer_requests(studio: Studio, inbox: Inbox, idle_s: float | None = None) -> None:
    """Draw what is asked for until the end; what cannot be drawn is answered with an error."""
    while not isinstance(request := _next(studio, inbox, idle_s), EndRequest):
        number = number_of(request) if isinstance(request, str) else request.id
        try:
            asked = read_request(request) if isinstance(request, str) else request
            assert isinstance(asked, DrawRequest)
            studio.draw(asked, partial(inbox.is_stopped, asked.id))
        except ConfigError as error:
            studio.say({"event": "error", "id": number, "error": " ".join(str(error).split())})
    studio.settle(wait=not inbox.is_ended)


def _next(studio: Studio, inbox: Inbox, idle_s: float | None) -> Request | str:
    """What is to be done next; meanwhile the check is taken over when it is there."""
    until = None if idle_s is None else time.monotonic() + idle_s
    while studio.is_waiting:
        studio.settle()
        if (found := inbox.next(_LOOK_EVERY_S)) is not None:
            return found
        if until is not None and time.monotonic() > until:
            return EndRequest()
    return inbox.next(idle_s) or EndRequest()


def _say_on(stream: IO[str]) -> Say:
    def say(told: Mapping[str, Any]) -> None:
        print(json.dumps(told), file=stream, flush=True)

    return say
