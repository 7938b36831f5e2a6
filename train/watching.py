"""A run's novelty watched while it trains: `python -m sample watch` as a child process, as training
never imports that stage."""

import logging
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dataset.errors import WorldError
from dataset.progress import Progress
from train.checkpoint import checkpoint_folders
from train.memorising import novelty_lines, novelty_note

log = logging.getLogger(__name__)

_GRACE_S = 10.0
_LOOK_S = 1.0


@contextmanager
def watched(run: Path) -> Iterator[None]:
    """Watch `run` meanwhile; at the end wait until its last checkpoint is judged, too.

    The child hears of the end, even of a kill, from its stdin. Raises WorldError if it cannot be
    started; how it fares does not concern the training.
    """
    command = [sys.executable, "-m", "sample", "watch", str(run)]
    options = ["--until-eof", "--device=cpu", "--progress=quiet"]
    try:
        child = subprocess.Popen(
            [*command, *options],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            start_new_session=True,  # a Ctrl-C in the terminal is the training's
        )
    except OSError as error:
        raise WorldError(f"cannot start {command[0]}: {error.strerror}") from error
    try:
        yield
        _finish(child, run)
    finally:
        _stop(child)


def _finish(child: subprocess.Popen[bytes], run: Path) -> None:
    """Let it judge the checkpoints that are left, and tell how it fared."""
    assert child.stdin is not None
    child.stdin.close()
    left = _unjudged(run)
    with Progress("comparing with the training pictures", left, "checkpoints") as progress:
        while (code := _ended(child)) is None:
            progress.advance(left - progress.done - _unjudged(run))
        progress.advance(left - progress.done - _unjudged(run))
    if code:
        log.warning("the watch over the run ended with %d; its last line says why", code)
    elif note := novelty_note(run):
        log.info("novelty: %s", note)


def _ended(child: subprocess.Popen[bytes]) -> int | None:
    try:
        return child.wait(_LOOK_S)
    except subprocess.TimeoutExpired:
        return None


def _unjudged(run: Path) -> int:
    """How many checkpoints no line tells of."""
    told = {line["images"] for line in novelty_lines(run)}
    return sum(int(folder.name) not in told for folder in checkpoint_folders(run))


def _stop(child: subprocess.Popen[bytes]) -> None:
    """End it at once, if it goes on."""
    if child.stdin is not None:
        child.stdin.close()
    child.terminate()
    try:
        child.wait(_GRACE_S)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()
