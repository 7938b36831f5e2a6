"""Answers that were made already, the least recently used forgotten first; bounded in bytes."""

import threading
from collections import OrderedDict
from collections.abc import Callable

from scrape.demo_site.collection import Answer


class ByteCache:
    """Answers by address; all bodies together stay within `capacity` bytes. Thread-safe."""

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self.size = 0
        self._answers: OrderedDict[str, Answer] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, address: str, make: Callable[[str], Answer | None]) -> Answer | None:
        """The answer at `address`, made by `make` when it is not here; None is not remembered."""
        with self._lock:
            if address in self._answers:
                self._answers.move_to_end(address)
                return self._answers[address]
        answer = make(address)
        if answer is not None and len(answer.body) <= self.capacity:
            self._put(address, answer)
        return answer

    def __len__(self) -> int:
        return len(self._answers)

    def _put(self, address: str, answer: Answer) -> None:
        with self._lock:
            replaced = self._answers.pop(address, None)
            self.size += len(answer.body) - (len(replaced.body) if replaced else 0)
            self._answers[address] = answer
            while self.size > self.capacity:
                _, oldest = self._answers.popitem(last=False)
                self.size -= len(oldest.body)
