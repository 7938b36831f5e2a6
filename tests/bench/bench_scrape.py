"""All of collecting against img2dataset: download, decode, hash, store, catalogue; from nginx.

Needs `make nginx` and `make peers`; PEDIGREE_PHOTOS=folder-or-tar for real photographs.
"""

import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from dataset.catalog import Catalog
from dataset.workspace import Workspace
from tests.bench import nginx
from tests.bench.photographs import spread
from tests.bench.stopwatch import race, show

COUNT = int(os.environ.get("PEDIGREE_BENCH_PICTURES", "5000"))
PORT = 8973
_PEER = Path(os.environ.get("PEDIGREE_PEERS", ".venv-peers")) / "bin" / "img2dataset"
_QUIET = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}


def run() -> None:
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        folder.chmod(0o755)  # nginx's workers are somebody else
        kind = spread(folder / "site", COUNT)
        size = sum(file.stat().st_size for file in (folder / "site").iterdir()) / COUNT
        addresses = folder / "addresses.txt"
        addresses.write_text("".join(f"http://127.0.0.1:{PORT}/{n}.jpg\n" for n in range(COUNT)))
        with nginx.serve(folder / "nginx", nginx.files(folder / "site", PORT), PORT):
            contestants = {}
            if _PEER.exists():
                contestants = {
                    "img2dataset 1.47.0: 256 px, webdataset": lambda: _peer(folder, addresses),
                    "img2dataset 1.47.0: bytes only, no decoding": lambda: _peer(
                        folder, addresses, "--disable_all_reencoding", "True"
                    ),
                }
            else:
                print("  img2dataset is not there: make peers")
            contestants["pedigree: verified, hashed, stored, catalogued"] = lambda: _collect(
                folder, addresses
            )
            results = race(contestants, COUNT)
            show(f"{COUNT:,} {kind} of {size / 1000:.0f} kB, 2 cores", "pictures", results)
            mine = results[-1].per_second
            print(
                f"  a core makes {mine / 2:.0f} pictures/s; {_where_time_goes(folder, addresses)}"
            )


def _peer(folder: Path, addresses: Path, *more: str) -> None:
    """img2dataset at its best here: 2 processes, 64 threads, shards small enough for both."""
    output = folder / "peer"
    shutil.rmtree(output, ignore_errors=True)
    command = [str(_PEER), "--url_list", str(addresses), "--output_folder", str(output)]
    command += ["--processes_count", "2", "--thread_count", "64", "--image_size", "256"]
    command += ["--output_format", "webdataset", "--number_sample_per_shard", str(COUNT // 4)]
    environment = {**os.environ, "NO_ALBUMENTATIONS_UPDATE": "1"}
    subprocess.run([*command, *more], check=True, env=environment, **_QUIET)  # type: ignore[call-overload]
    stats = [json.loads(file.read_text()) for file in output.glob("*_stats.json")]
    assert sum(found["successes"] for found in stats) == COUNT


def _collect(folder: Path, addresses: Path) -> None:
    """`python -m scrape run`, pace and contact set for this machine; checks what came of it."""
    data = Path(tempfile.mkdtemp(dir=folder))
    command = [sys.executable, "-m", "scrape", "run", "addresses", "--from", str(addresses)]
    for setting in (
        "contact=bench@example.org",
        'allow_hosts=["127.0.0.1"]',
        "gap_s=0",
        "workers=12",
        "connections_per_host=12",
    ):
        command += ["--set", f"crawl.{setting}"]
    subprocess.run([*command, "--data", str(data)], check=True, **_QUIET)  # type: ignore[call-overload]
    with Catalog(Workspace(data).catalog) as catalog:
        assert catalog.images.count() == COUNT


def _where_time_goes(folder: Path, addresses: Path) -> str:
    """CPU time of one run a picture; the decoders are grandchildren, so only their sum is known."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    _collect(folder, addresses)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    user = (after.ru_utime - before.ru_utime) / COUNT * 1000
    system = (after.ru_stime - before.ru_stime) / COUNT * 1000
    return f"fetching, storing, cataloguing: {user:.2f} ms user + {system:.2f} ms system a picture"
