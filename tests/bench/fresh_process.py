"""Work in a process of its own, watched: how long it took and how much memory it ever had."""

import contextlib
import json
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

_EVERY_S = 0.1
# The highest resident size of this program alone: ru_maxrss begins with that of its parent.
_WATCH = """
import json, resource, sys, time
sys.argv[0] = "bench"
start = time.perf_counter()
{work}
seconds = time.perf_counter() - start
try:
    status = open("/proc/self/status").read()
    peak = int(status.split("VmHWM:")[1].split()[0]) * 1024
except (OSError, IndexError):
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
print()
print(json.dumps([seconds, peak / 1e6]))
"""


@dataclass(frozen=True)
class Watched:
    """Seconds of the work itself; the most memory (MB) of its process, and of that together with
    the processes that it started, what they share counted once (0 where the system cannot tell).
    """

    seconds: float
    peak_mb: float
    together_mb: float


def watched(work: str) -> Watched:
    """Run Python source in a fresh interpreter; raises CalledProcessError when it fails."""
    command = [sys.executable, "-c", _WATCH.format(work=work)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        most = 0.0
        while process.poll() is None:
            most = max(most, sum(map(_proportional_mb, _family(process.pid))))
            time.sleep(_EVERY_S)
        assert process.stdout is not None
        said = process.stdout.read()
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command, said)
    seconds, peak = json.loads(said.splitlines()[-1])
    return Watched(seconds, peak, max(most, peak) if most else 0.0)


def _family(pid: int) -> list[int]:
    """The process and all that descend from it; empty where nobody tells."""
    children: dict[int, list[int]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            after_name = stat.read_text("utf-8", "replace").rpartition(")")[2].split()
            children.setdefault(int(after_name[1]), []).append(int(stat.parent.name))
    found = [pid] if children else []
    for one in found:
        found += children.get(one, [])
    return found


def _proportional_mb(pid: int) -> float:
    """Memory of a process, of what it shares with n others the n-th part."""
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text("ascii").splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) / 1000
    return 0.0
