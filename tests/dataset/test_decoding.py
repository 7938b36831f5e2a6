"""Decoding processes: what they give back, and what happens when they die or stall."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from PIL import Image

from dataset.decoding import DecoderPool
from dataset.errors import PictureError, WorldError
from dataset.ingest import measure
from dataset.pixels import PixelLimits
from tests.dataset.pictures import encoded, scene, scene_bytes

# Rendering these takes minutes: noise of many octaves over the whole drawing, over and over.
SLOW = (
    "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 64 64'><filter id='f'>"
    "<feTurbulence baseFrequency='0.7' numOctaves='200'/></filter>"
    + "<rect width='64' height='64' filter='url(#f)'/>" * 500
    + "</svg>"
).encode()


def workers_of(pool: DecoderPool) -> list[int]:
    return [w.pid for w in [*pool._idle, *pool._busy] if w.pid is not None]


def is_alive(pid: int) -> bool:
    """Whether a process is there and no zombie."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    stat = Path(f"/proc/{pid}/stat")
    return not (stat.exists() and stat.read_text().rpartition(")")[2].split()[0] == "Z")


def open_files() -> int:
    """How many files this process has open; 0 where the system does not say."""
    folder = Path("/proc/self/fd")
    return sum(1 for _ in folder.iterdir()) if folder.exists() else 0


def wait_for(condition: Callable[[], bool], seconds: float = 20) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


def reason_of(pool: DecoderPool, content: bytes) -> str:
    with pytest.raises(PictureError) as caught:
        pool.measure(content)
    return caught.value.reason


def test_a_worker_measures_what_this_process_would() -> None:
    with DecoderPool(1) as pool:
        for format in ("JPEG", "PNG", "GIF", "WEBP", "BMP", "ICO", "AVIF", "TIFF"):
            content = scene_bytes(3, format)
            assert pool.measure(content, label="cat") == measure(content, label="cat")
        assert len(workers_of(pool)) == 1


def test_reasons_and_limits_come_through() -> None:
    with DecoderPool(1, PixelLimits(max_pixels=10_000, max_bytes=100_000)) as pool:
        assert reason_of(pool, b"<html></html>") == "html"
        assert reason_of(pool, b"") == "empty"
        assert reason_of(pool, scene_bytes(1)) == "too-many-pixels"
        assert reason_of(pool, b"x" * 100_001) == "too-many-bytes"
        assert len(workers_of(pool)) == 1


def test_a_worker_killed_in_a_picture_costs_that_picture_alone() -> None:
    with DecoderPool(2) as pool, ThreadPoolExecutor(2) as threads:
        doomed = threads.submit(reason_of, pool, SLOW)
        wait_for(lambda: len(pool._busy) == 1)
        (victim,) = (worker.pid for worker in pool._busy)
        assert victim is not None
        others = [threads.submit(pool.measure, scene_bytes(n)).result() for n in range(5)]
        os.kill(victim, signal.SIGKILL)
        assert doomed.result() == "decoder-died"
        assert others == [measure(scene_bytes(n)) for n in range(5)]
        assert not is_alive(victim)
        assert pool.measure(scene_bytes(9)).width == 160


def test_a_worker_that_died_in_between_costs_no_picture() -> None:
    with DecoderPool(1) as pool:
        pool.measure(scene_bytes(1))
        (pid,) = workers_of(pool)
        os.kill(pid, signal.SIGKILL)
        wait_for(lambda: not is_alive(pid))
        assert pool.measure(scene_bytes(2)) == measure(scene_bytes(2))
        assert workers_of(pool) != [pid]


def test_a_picture_that_takes_too_long_is_given_up() -> None:
    with DecoderPool(1, timeout_s=0.3) as pool:
        assert reason_of(pool, SLOW) == "decoder-slow"
        assert pool._busy == set()
        pool._orders = type(pool._orders)(PixelLimits(), 30.0, None)
        assert pool.measure(scene_bytes(1)).width == 160


@pytest.mark.skipif(sys.platform != "linux", reason="the address space is bounded on Linux alone")
def test_a_picture_that_takes_too_much_memory_is_told() -> None:
    big = encoded(Image.new("L", (6000, 6000), 90), compress_level=1)
    with DecoderPool(1, memory_bytes=60 << 20) as pool:
        assert reason_of(pool, big) in {"out-of-memory", "decoder-died"}
        assert pool.measure(scene_bytes(1)).width == 160


def test_many_threads_get_their_own_pictures_back() -> None:
    contents = [scene_bytes(n) for n in range(40)]
    expected = [measure(content) for content in contents]
    with DecoderPool(2) as pool, ThreadPoolExecutor(8) as threads:
        assert list(threads.map(pool.measure, contents)) == expected
        assert len(workers_of(pool)) <= 2


def test_workers_start_only_when_they_are_needed() -> None:
    with DecoderPool(8) as pool:
        assert workers_of(pool) == []
        for n in range(4):
            pool.measure(scene_bytes(n))
        assert len(workers_of(pool)) == 1


def test_nothing_is_left_after_close() -> None:
    with DecoderPool(2) as pool, ThreadPoolExecutor(2) as threads:
        list(threads.map(pool.measure, [scene_bytes(n) for n in range(6)]))
        pids = workers_of(pool)
        files = open_files()
    assert pids
    assert not any(is_alive(pid) for pid in pids)
    assert open_files() < files or files == 0
    with pytest.raises(WorldError, match="stopped"):
        pool.measure(scene_bytes(1))


def test_stop_wakes_whoever_waits() -> None:
    told: list[str] = []

    def wait(pool: DecoderPool) -> None:
        try:
            pool.measure(SLOW)
        except WorldError as error:
            told.append(str(error))

    with DecoderPool(1) as pool:
        threads = [threading.Thread(target=wait, args=(pool,)) for _ in range(3)]
        for thread in threads:
            thread.start()
        wait_for(lambda: len(pool._busy) == 1)
        pids = workers_of(pool)
        pool.stop()
        for thread in threads:
            thread.join(20)
    assert len(told) == 3
    assert all("stopped" in text for text in told)
    assert not any(is_alive(pid) for pid in pids)


ORPHANING = """
import sys, threading
from dataset.decoding import DecoderPool
pool = DecoderPool(2, timeout_s=1)
pool.measure(open(sys.argv[1], "rb").read())
threading.Thread(target=pool.measure, args=(open(sys.argv[2], "rb").read(),), daemon=True).start()
threading.Event().wait(0.2)
print(*[w.pid for w in [*pool._idle, *pool._busy]], flush=True)
threading.Event().wait()
"""


def test_workers_end_when_their_parent_is_killed(tmp_path: Path) -> None:
    (tmp_path / "quick").write_bytes(scene_bytes(1))
    (tmp_path / "slow").write_bytes(SLOW)
    command = [sys.executable, "-c", ORPHANING, str(tmp_path / "quick"), str(tmp_path / "slow")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        pids = [int(word) for word in parent.stdout.readline().split()]
        assert all(is_alive(pid) for pid in pids)
        parent.kill()
    assert pids
    wait_for(lambda: not any(is_alive(pid) for pid in pids))


def test_an_interrupt_from_the_terminal_is_not_the_workers_affair() -> None:
    with DecoderPool(1) as pool:
        pool.measure(scene_bytes(1))
        (pid,) = workers_of(pool)
        os.kill(pid, signal.SIGINT)
        assert pool.measure(scene_bytes(2)).width == 160
        assert workers_of(pool) == [pid]


def test_a_large_picture_goes_through_the_pipe() -> None:
    content = encoded(scene(1, (1200, 1000)), "BMP")
    with DecoderPool(1) as pool:
        assert pool.measure(content) == measure(content)


def test_an_interrupt_while_workers_start_is_one_line(tmp_path: Path) -> None:
    for n in range(40):
        (tmp_path / f"{n}.png").write_bytes(scene_bytes(n))
    command = ["import", "folder", str(tmp_path), "--progress", "quiet"]
    for number, delay in enumerate((0.5, 0.7, 0.9, 1.1)):
        child = subprocess.Popen(
            [sys.executable, "-m", "dataset", *command, "--data", str(tmp_path / f"data{number}")],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,  # Ctrl-C reaches all processes of a terminal's group
        )
        time.sleep(delay)
        os.killpg(child.pid, signal.SIGINT)
        _, said = child.communicate(timeout=60)
        assert "Traceback" not in said
        assert len(said.splitlines()) <= 1
