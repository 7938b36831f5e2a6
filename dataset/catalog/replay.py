"""What holds when a batch is taken back: an append-only history, replayed without it."""

from collections.abc import Iterable
from typing import TypeVar

T = TypeVar("T")


def standing(history: Iterable[tuple[int, int | None, T]], start: T, without: int) -> T:
    """The value that the newest batch gave which stands, not counting the batch `without`.

    `history` is of one thing, oldest first: (batch, the batch that it undoes or None, value
    after). What was undone never comes back with an undo of what came after it. A value that an
    undo set for another reason than to bring an older one back stands like any other.
    """
    stack: list[tuple[int, T]] = []
    for batch, undoes, value in history:
        if undoes is not None:
            stack = [entry for entry in stack if entry[0] != undoes]
            if (stack[-1][1] if stack else start) == value:
                continue
        stack.append((batch, value))
    left = [value for batch, value in stack if batch != without]
    return left[-1] if left else start
