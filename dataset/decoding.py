"""Decoding in processes of its own: a picture that crashes or stalls a decoder harms only itself.

`with DecoderPool(2) as pool: image = pool.measure(content)`, from as many threads as wanted.
"""

import contextlib
import json
import math
import multiprocessing
import select
import signal
import threading
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection
from multiprocessing.context import BaseContext
from multiprocessing.process import BaseProcess
from pathlib import Path
from types import TracebackType
from typing import Any

from dataset.errors import PictureError, WorldError
from dataset.ingest import measure
from dataset.pixels import PixelLimits
from dataset.records import NewImage

# How long a worker may take to start and to end (seconds).
_START_S = 60.0
_END_S = 2.0
# A reply is at most some 15 kB; more than this is no reply.
_MOST_REPLY_BYTES = 1 << 20
# How often bytes that a worker did not take whole are sent to another one.
_DELIVERIES = 3


class DecoderPool:
    """Up to `workers` decoding processes, started when they are needed.

    A worker may take `timeout_s` for a picture and `memory_bytes` beyond what it has when it
    starts (None: no limit; only where the platform can limit address space). One that exceeds
    them, or crashes, is replaced.
    """

    def __init__(
        self,
        workers: int,
        limits: PixelLimits | None = None,
        *,
        timeout_s: float = 60.0,
        memory_bytes: int | None = 2 << 30,
    ) -> None:
        self._orders = _Orders(limits or PixelLimits(), timeout_s, memory_bytes)
        self._context = _context()
        self._changed = threading.Condition()
        self._free = max(1, workers)  # how many more workers may be taken or started
        self._idle: list[_Worker] = []
        self._busy: set[_Worker] = set()
        self._stopped = False

    def __enter__(self) -> "DecoderPool":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def prepare(self) -> None:
        """Start a worker ahead of the first picture: to load the decoders takes a second."""
        with contextlib.suppress(WorldError):  # measure will say so
            self._return(self._taken(), healthy=True)

    def measure(self, content: bytes, *, label: str = "") -> NewImage:
        """What `dataset.ingest.measure` takes from a picture; blocks until a worker has done it.

        Raises PictureError with the decoder's reason; out-of-memory, decoder-died or decoder-slow
        when the picture was too much for its worker. Raises WorldError once the pool is stopped,
        or when no worker can be started.
        """
        limits = self._orders.limits
        if len(content) > limits.max_bytes:  # not worth the way to a worker
            raise PictureError("too-many-bytes", f"{len(content)} bytes, over {limits.max_bytes}")
        for _ in range(_DELIVERIES):
            worker = self._taken()
            healthy = False
            try:
                if not worker.deliver(content):
                    continue  # it had died before; this picture is not to blame
                reply = worker.reply(self._orders.timeout_s)
                healthy = True
            except PictureError:
                self._raise_if_stopped()
                raise
            finally:
                self._return(worker, healthy)
            return _image(reply, label)
        self._raise_if_stopped()
        raise WorldError("decoding processes die before they are given a picture; check the memory")

    def stop(self) -> None:
        """End all work at once: whoever waits in `measure` gets a WorldError."""
        with self._changed:
            self._stopped = True
            idle, self._idle = self._idle, []
            for worker in self._busy:
                worker.kill()  # its caller wakes, and clears it away
            self._changed.notify_all()
        for worker in idle:
            worker.end()

    def close(self) -> None:
        """Stop, and wait until every worker is gone."""
        self.stop()
        with self._changed:
            self._changed.wait_for(lambda: not self._busy, timeout=_END_S)

    def _taken(self) -> "_Worker":
        """An idle worker, or a new one; waits while all are busy."""
        with self._changed:
            self._changed.wait_for(lambda: self._free > 0 or self._stopped)
            self._raise_if_stopped()
            self._free -= 1
            worker = self._idle.pop() if self._idle else None
            if worker is not None:
                self._busy.add(worker)
                return worker
        try:
            worker = _Worker(self._context, self._orders)
        except BaseException:
            with self._changed:
                self._free += 1
                self._changed.notify()
            raise
        with self._changed:
            self._busy.add(worker)
            if self._stopped:
                worker.kill()
        return worker

    def _return(self, worker: "_Worker", healthy: bool) -> None:
        keep = healthy and not self._stopped
        if not keep:
            worker.end()
        with self._changed:
            self._busy.discard(worker)
            if keep and not self._stopped:
                self._idle.append(worker)
                keep = False
            self._free += 1
            self._changed.notify_all() if self._stopped else self._changed.notify()
        if keep:  # stopped between the two looks
            worker.end()

    def _raise_if_stopped(self) -> None:
        if self._stopped:
            raise WorldError("decoding was stopped before this picture was done")


@dataclass(frozen=True)
class _Orders:
    """What every worker of a pool is told when it starts."""

    limits: PixelLimits
    timeout_s: float
    memory_bytes: int | None


class _Worker:
    """One decoding process and the parent's end of the pipe to it."""

    _starting = threading.Lock()  # the bookkeeping of multiprocessing is not made for threads

    def __init__(self, context: BaseContext, orders: _Orders) -> None:
        self._pipe, far_end = context.Pipe()
        self._answered = select.poll()
        self._answered.register(self._pipe.fileno(), select.POLLIN)
        self._process: BaseProcess = context.Process(  # type: ignore[attr-defined]
            target=serve, args=(far_end, asdict(orders)), name="decoder", daemon=True
        )
        try:
            with self._starting, _uninterrupted():
                self._process.start()
            far_end.close()
            if not self._pipe.poll(_START_S) or self._pipe.recv_bytes(16) != b"ready":
                raise EOFError
        except (OSError, EOFError) as error:
            far_end.close()
            self.end()
            raise WorldError("no decoding process could be started; check the memory") from error

    @property
    def pid(self) -> int | None:
        return self._process.pid

    def deliver(self, content: bytes) -> bool:
        """Hand over the bytes of a picture; False when the worker did not take them all."""
        try:
            self._pipe.send_bytes(content)
        except OSError:
            return False
        return True

    def reply(self, timeout_s: float) -> dict[str, Any]:
        """The worker's word on what it was given; raises PictureError when there will be none."""
        try:
            if not self._answered.poll(timeout_s * 1000):  # the pipe's own poll costs far more
                raise PictureError("decoder-slow", f"not decoded within {timeout_s:g} s")
            reply = json.loads(self._pipe.recv_bytes(_MOST_REPLY_BYTES))
        except (OSError, EOFError, ValueError) as error:
            raise PictureError("decoder-died", "the decoder died of this picture") from error
        return dict(reply)

    def kill(self) -> None:
        with contextlib.suppress(ValueError):  # ended meanwhile
            if self._process.pid is not None:
                self._process.kill()

    def end(self) -> None:
        """Kill the process and wait until it is gone, so that no zombie stays."""
        self._pipe.close()
        if self._process.pid is None:
            return
        with self._starting:
            self._process.kill()
            self._process.join(_END_S)
            with contextlib.suppress(ValueError):  # stuck in the kernel: left to it
                self._process.close()


@contextlib.contextmanager
def _uninterrupted() -> Iterator[None]:
    """What starts meanwhile never hears Ctrl-C, which is the parent's to answer: it would die of it
    in the midst of its imports, and say so at length."""
    resource_tracker.ensure_running()  # which the start would do, and unblock the signal by that
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _context() -> BaseContext:
    """A server that has the decoders loaded and forks workers in milliseconds, where there is one.

    Workers never fork from this process: it has threads, and the catalogue open.
    """
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__, "PIL.ImageCms"])
    return context


def _image(reply: dict[str, Any], label: str) -> NewImage:
    if "reason" in reply:
        raise PictureError(str(reply["reason"]), str(reply["message"]))
    try:
        fingerprint = bytes.fromhex(reply.pop("fingerprint"))
        return replace(NewImage(**reply), label=label, fingerprint=fingerprint)
    except (KeyError, TypeError, ValueError) as error:
        raise PictureError("decoder-died", "the decoder answered nonsense") from error


def serve(pipe: Connection, orders: dict[str, Any]) -> None:
    """What a worker does: bytes in, JSON out, until the other end is closed or gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to answer
    limits = PixelLimits(**orders["limits"])
    measure(_WARMING, limits=PixelLimits(min_side=1))
    if orders["memory_bytes"] is not None:
        _limit_memory(orders["memory_bytes"])
    # Outlives the parent by no more than this when it is stuck in a picture.
    alarm_s = math.ceil(orders["timeout_s"]) + 1 if hasattr(signal, "setitimer") else 0
    with contextlib.suppress(EOFError, OSError):
        pipe.send_bytes(b"ready")
        while True:
            content = pipe.recv_bytes()
            if alarm_s:
                signal.setitimer(signal.ITIMER_REAL, alarm_s)
            pipe.send_bytes(json.dumps(_word_on(content, limits)).encode())
            if alarm_s:
                signal.setitimer(signal.ITIMER_REAL, 0)


def _word_on(content: bytes, limits: PixelLimits) -> dict[str, Any]:
    try:
        image = measure(content, limits=limits)
        return {**vars(image), "fingerprint": image.fingerprint.hex()}
    except PictureError as error:
        return {"reason": error.reason, "message": str(error)}
    except MemoryError:
        return {"reason": "out-of-memory", "message": "decoding takes more memory than allowed"}


def _limit_memory(allowance: int) -> None:
    """Bound the address space to what is taken now and `allowance` bytes more."""
    try:
        import resource

        pages = int(Path("/proc/self/statm").read_text().split()[0])
        limit = pages * resource.getpagesize() + allowance
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    except (ImportError, OSError, ValueError):
        pass  # no such limit here (macOS, Windows): the time limit still holds


# A picture of one white pixel (BMP): decoded once so that everything lazy is loaded.
_WARMING = (
    b"BM:\0\0\0\0\0\0\0006\0\0\0(\0\0\0\x01\0\0\0\x01\0\0\0\x01\0\x18\0"
    b"\0\0\0\0\x04\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\xff\xff\xff\0"
)
