"""Files become rows of a pack in several processes: they share memory, so nothing is sent twice."""

import contextlib
import ctypes
import gc
import multiprocessing
import os
import signal
import struct
import threading
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from multiprocessing import connection, forkserver, resource_tracker
from multiprocessing.connection import Connection
from pathlib import Path
from types import TracebackType
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from dataset.errors import DataError, PipelineError, WorldError
from dataset.image_store import ImageStore
from dataset.pack_selection import PackConfig
from dataset.preparation import prepared

# The block that is written, the one that is waited for and the one that is ahead of it.
SLOTS = 3
_TASK = struct.Struct("<qqq")  # slot, first row, end
_MOST_AT_ONCE = 256
_END_S = 2.0


def processors() -> int:
    """How many processes this machine runs at once."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


class Decoders:
    """Makes blocks of rows (n, C, H, W) from files, in `workers` processes, or here when that is 0.

    `order` a block under a number, at most SLOTS - 1 ahead of the one that is in use, and `wait`
    for it; what that returns is overwritten SLOTS blocks later. The rows do not depend on the
    number of processes. Raises DataError, naming the picture, when one cannot be decoded.
    """

    def __init__(
        self, root: Path, config: PackConfig, shape: tuple[int, int, int], rows: int, workers: int
    ) -> None:
        self._root, self._config, self._shape = root, config, shape
        self._rows, self._workers = rows, workers
        self._processes: list[Any] = []
        self._asked: dict[int, tuple[NDArray[np.int64], int]] = {}  # ids, rows not done yet
        self._local: dict[int, NDArray[np.uint8]] = {}
        self._answers: list[Connection] = []
        self._started: Future[None] | None = None
        self._turn_to_give, self._is_up = threading.Lock(), False
        self._early: list[tuple[int, NDArray[np.uint8]]] = []

    def __enter__(self) -> "Decoders":
        """Let the processes start; when they have been, that is all."""
        if self._workers and self._started is None:
            self._starter = ThreadPoolExecutor(1, "start")
            self._started = self._starter.submit(self._start)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._started is None:
            return
        self._starter.shutdown(wait=True)
        if self._started.exception() is None:
            self._orders.close()  # workers that wait see the end of it
        for process in self._processes:
            process.kill()
        for process in self._processes:
            process.join(_END_S)

    def order(self, block: int, ids: NDArray[np.int64], digests: NDArray[np.uint8]) -> None:
        """Let block number `block` be made of these files: ids (n,), SHA-256 (n, 32)."""
        if self._started is None:
            self._local[block] = self._decoded_here(ids, digests)
            return
        self._asked[block] = (ids, len(ids))
        with self._turn_to_give:
            if not self._is_up:  # nobody waits for that: the orders are given when it comes
                self._early.append((block, digests))
                return
        self._started.result()
        self._hand_out(block, digests)

    def _hand_out(self, block: int, digests: NDArray[np.uint8]) -> None:
        count = len(digests)
        self._digests[block % SLOTS, :count] = digests
        step = max(1, min(_MOST_AT_ONCE, -(-count // (8 * self._workers))))
        for start in range(0, count, step):
            self._give(_TASK.pack(block, start, min(start + step, count)))

    def wait(self, block: int) -> NDArray[np.uint8]:
        """The rows of a block that was ordered."""
        if self._started is None:
            return self._local.pop(block)
        self._started.result()
        while self._asked[block][1]:
            self._hear()
        ids, _left = self._asked.pop(block)
        return self._pixels[block % SLOTS, : len(ids)]

    def _decoded_here(
        self, ids: NDArray[np.int64], digests: NDArray[np.uint8]
    ) -> NDArray[np.uint8]:
        store, found = ImageStore(self._root), np.empty((len(ids), *self._shape), np.uint8)
        for row, digest in enumerate(digests):
            try:
                found[row] = prepared(store.get(digest.tobytes().hex()), self._config)
            except PipelineError as error:
                raise _unpackable(int(ids[row]), error) from error
        return found

    def _start(self) -> None:
        context = _context()
        self._shared = context.RawArray(
            ctypes.c_uint8, SLOTS * self._rows * (int(np.prod(self._shape)) + 32)
        )
        self._pixels, self._digests = _views(self._shared, self._rows, self._shape)
        orders, self._orders = context.Pipe(duplex=False)
        self._turn = context.Lock()  # gone for the workers, too, as soon as nobody holds it here
        self._current = [context.RawArray(ctypes.c_int64, [-1, -1]) for _ in range(self._workers)]
        for number in range(self._workers):
            answer, far_end = context.Pipe(duplex=False)
            layout = (self._shared, self._rows, self._shape, self._current[number])
            process = context.Process(
                target=serve,
                args=(orders, self._turn, far_end, layout, str(self._root), self._config),
                name=f"decoder-{number}",
                daemon=True,
            )
            try:
                process.start()
            except OSError as error:
                raise WorldError(
                    "no decoding process could be started; check the memory, or pack with "
                    "--workers 1"
                ) from error
            far_end.close()
            self._answers.append(answer)
            self._processes.append(process)
        orders.close()
        with self._turn_to_give:
            self._is_up = True
            for block, digests in self._early:
                self._hand_out(block, digests)

    def _give(self, task: bytes) -> None:
        try:
            self._orders.send_bytes(task)
        except OSError:
            self._hear()  # says which picture ended the processes
            raise

    def _hear(self) -> None:
        """Take in what the workers have done, waiting for the first word."""
        ends = [process.sentinel for process in self._processes]
        ready = connection.wait([*self._answers, *ends])
        for number, answer in enumerate(self._answers):
            while answer in ready and answer.poll():
                try:
                    block, start, end, problem = answer.recv()
                except (EOFError, OSError):
                    self._mourn(number)  # its end of the pipe is closed before it is known as dead
                ids, left = self._asked[block]
                if problem:
                    raise _unpackable(int(ids[start]), problem)
                self._asked[block] = (ids, left - (end - start))
            if ends[number] in ready:
                self._mourn(number)

    def _mourn(self, number: int) -> NoReturn:
        block, row = self._current[number]
        if block in self._asked and row >= 0:
            died = "the decoder died of it, perhaps for want of memory; reject it and pack again"
            raise _unpackable(int(self._asked[block][0][row]), died)
        raise WorldError("a decoding process was ended by something else; run the command again")


def serve(
    orders: Connection,
    turn: Any,
    answer: Connection,
    layout: Sequence[Any],
    root: str,
    config: PackConfig,
) -> None:
    """What a worker does: tasks in, rows into the shared memory, until the other end is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to answer
    gc.freeze()  # the modules are no garbage: nothing looks through them again and again
    shared, rows, shape, current = layout
    pixels, digests = _views(shared, rows, shape)
    store = ImageStore(Path(root))
    with contextlib.suppress(EOFError, OSError):
        while True:
            with turn:
                task = orders.recv_bytes(_TASK.size)
            block, start, end = _TASK.unpack(task)
            slot, row, problem = block % SLOTS, start, ""
            current[0] = block
            try:
                for row in range(start, end):
                    current[1] = row
                    content = store.get(digests[slot, row].tobytes().hex())
                    pixels[slot, row] = prepared(content, config)
            except PipelineError as error:
                problem = str(error)
            except MemoryError:
                problem = "decoding it takes more memory than there is"
            except OSError as error:
                problem = f"it cannot be read ({error.strerror})"
            current[1] = -1
            answer.send((block, row if problem else start, end, problem))


def _views(
    shared: Any, rows: int, shape: tuple[int, int, int]
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """The rows (SLOTS, rows, C, H, W) and the digests (SLOTS, rows, 32) in the shared memory."""
    flat = np.frombuffer(shared, np.uint8)
    end = SLOTS * rows * int(np.prod(shape))
    return flat[:end].reshape(SLOTS, rows, *shape), flat[end:].reshape(SLOTS, rows, 32)


def _unpackable(image_id: int, why: object) -> DataError:
    return DataError(f"picture #{image_id} cannot be packed: {why}")


def _context() -> Any:
    """A server that has the decoders loaded and forks workers in milliseconds, where there is one.

    Workers never fork from this process: it has threads, and the catalogue open.
    """
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__, "PIL.ImageCms"])
    resource_tracker.ensure_running()  # which the server would do, and unblock the signal by that
    # Ctrl-C is for this process to answer: the server would die of it in the midst of its imports.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        forkserver.ensure_running()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    return context
