"""The novelty index: seconds, memory, and what codes miss; pictures made here.

1,000 samples scored against 10,000 originals under every declared view; 10,000 searched among
486,000, original view only; faiss beside torch's matrix product and top-k; coded beside exact. The
packs lie in PEDIGREE_BENCH_FOLDER or TMPDIR (2 GB); PEDIGREE_SHARE=0.1 takes a tenth of all.
"""

import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np
import torch

from dataset.pack_writer import Block, PackHead, write_blocks
from dataset.packed import PackedDataset
from dataset.pixels import Pixels
from dataset.provenance import Provenance
from sample import faiss_search, torch_search
from sample.embed import LumaChroma
from sample.nearness import measure
from sample.novelty_index import Neighbours, NoveltyIndex, build_index
from sample.views import View, apply_view, declared_views
from tests.bench.fresh_process import Watched, watched
from tests.bench.stopwatch import at_least, at_most, load
from tests.sample.drawings import drawings

SHARE = float(os.environ.get("PEDIGREE_SHARE", "1"))
BAR_S = 60.0
# Nearest groups wanted, as the verdict wants them: five that are aligned, fifty for the scale.
DEPTH = 55
# Memory of the program with its libraries and of what is in hand beside the index.
_BESIDE_MB = 900.0
_BLOCK = 1000
_SHAPES = [(2, 10_000, 128), (32, 10_000, 128), (200, 20_000, 512), (1024, 65_536, 128)]


def run() -> None:
    with tempfile.TemporaryDirectory(dir=os.environ.get("PEDIGREE_BENCH_FOLDER")) as scratch:
        folder = Path(scratch)
        _race_backends()
        views = len(declared_views(32))
        few = _measure(folder / "few.h5", int(10_000 * SHARE), int(1_000 * SHARE), views)
        _agreement(few)
        _codes(few)
        many = _measure(folder / "many.h5", int(486_000 * SHARE), int(10_000 * SHARE), 1)
        many.unlink()


def _measure(path: Path, originals: int, samples: int, views: int) -> Path:
    """Make a pack, index it and search, in processes of their own; says how long each took."""
    write_pictures(path, originals)
    print(f"\n{samples:,} samples, {originals:,} originals x {views} views; {load()}")
    of = f"{str(path)!r}, {views}"
    module = "import tests.bench.bench_novelty_speed as bench; "
    build = watched(f"{module}bench.build({of})")
    _say("build and save", build, originals * views, path)
    search = watched(f"{module}bench.search({of}, {samples})")
    _say("load and search", search, samples, path)
    at_most("seconds of the search", search.seconds, BAR_S, "s")
    at_most("seconds of both", build.seconds + search.seconds, BAR_S, "s")
    # Files that are mapped count while there is room for them: the pack, and the index itself.
    size, mapped = (file.stat().st_size / 1e6 for file in (_index(path), path))
    room = size + mapped + _BESIDE_MB
    at_most(f"memory of building {size:,.0f} MB", build.peak_mb, room, "MB")
    at_most("memory of searching it", search.peak_mb, room, "MB")
    return path


def _say(name: str, found: Watched, items: int, path: Path) -> None:
    spent = float(_spent(path).read_text())
    rate = f"{items / found.seconds:>9,.0f}/s, {spent:.1f} s of one core's time"
    print(
        f"  {name:<16} {found.seconds:>7.1f} s {rate}, {found.peak_mb:,.0f} MB at most", flush=True
    )


def build(path: str, views: int) -> None:
    """Index the pack under its first `views` declared views and save the index beside it."""
    pack = PackedDataset(Path(path))
    build_index(pack, LumaChroma(), views=declared_views(32)[:views]).save(_index(Path(path)))
    _spent(Path(path)).write_text(str(time.process_time()))


def search(path: str, views: int, samples: int) -> None:
    """Load the index and search it for new pictures; with several views, align them as well, which
    is all that their scores take."""
    index, pictures = opened(Path(path), views), made(samples, seed=1)
    if views > 1:
        pack = PackedDataset(Path(path))
        measure(pictures, index, pack, depth=5, reference=DEPTH - 5, least_reference=10)
    else:
        index.search(pictures, DEPTH)
    _spent(Path(path)).write_text(str(time.process_time()))


def _spent(path: Path) -> Path:
    """The file in which a process says how long the processors worked for it."""
    return path.with_suffix(".seconds")


def opened(path: Path, views: int) -> NoveltyIndex:
    return NoveltyIndex.load(
        _index(path),
        embedder=LumaChroma(),
        pack=PackedDataset(path),
        views=declared_views(32)[:views],
    )


def _index(path: Path) -> Path:
    return path.with_suffix(".index")


def _race_backends() -> None:
    """One thread each, at the sizes of one picture, of a few, of many, and of the trap."""
    faiss_search.one_thread()
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    chance = np.random.default_rng(0)
    print(f"\n{DEPTH} nearest, one thread, median of its own seconds; {load()}")
    for queries, rows, dim in _SHAPES:
        asked, there = (
            chance.normal(size=(n, dim)).astype(np.float32) / np.sqrt(np.float32(dim))
            for n in (queries, rows)
        )
        by_torch, by_faiss = _medians(
            partial(torch_search.nearest, asked, there, DEPTH),
            partial(faiss_search.nearest, asked, there, DEPTH),
        )
        print(f"  {queries:,} x {rows:,} x {dim}: torch {1e3 * by_torch:.1f} ms", end=", ")
        print(f"faiss {1e3 * by_faiss:.1f} ms")
        at_most("time of faiss to that of torch", by_faiss / by_torch, 1.2, "x")
    torch.set_num_threads(threads)


def _medians(*contestants: Callable[[], object]) -> list[float]:
    """The seconds that this thread was computing, whatever else the machine did; by turns."""
    seconds: list[list[float]] = [[] for _ in contestants]
    for turn in range(16):
        for times, work in zip(seconds, contestants, strict=True):
            start = time.thread_time()
            work()
            if turn:  # the first one warms up
                times.append(time.thread_time() - start)
    return [statistics.median(times) for times in seconds]


def _agreement(path: Path) -> None:
    """Whether both backends name the same neighbours."""
    pack, queries = PackedDataset(path), _copies_and_new(path, 32)
    views = declared_views(32)
    one, other = (
        NoveltyIndex.load(
            _index(path), embedder=LumaChroma(), pack=pack, views=views, backend=backend
        ).search(queries, DEPTH)
        for backend in ("faiss", "torch")
    )
    at_most("neighbours that differ, faiss to torch", float((one.rows != other.rows).sum()), 0)
    apart = np.abs(one.distances - other.distances).max()
    at_most("distances that differ", float(apart), 1e-5)


def _codes(path: Path) -> None:
    """A tenth of the memory: seconds, and what is missed of copies and of new pictures."""
    pack, queries = PackedDataset(path), _copies_and_new(path, max(50, int(200 * SHARE)))
    exact = opened(path, len(declared_views(32))).search(queries, DEPTH)
    coded = build_index(pack, LumaChroma(), max_bytes=_index(path).stat().st_size // 10)
    found = coded.search(queries, DEPTH)
    half = len(queries) // 2
    print(f"\n{len(pack):,} originals, {coded.backend} of {len(coded.views)} views; {load()}")
    print(f"  its own measure of its recall: {coded.recall:.3f}")
    same = found.rows[:, 0] == exact.rows[:, 0]
    at_least("recall of a copy's original", float(same[:half].mean()), 0.98)
    at_least("recall of a new picture's nearest", float(same[half:].mean()), 0.9)
    wrong = np.abs(_ratios(found) / _ratios(exact) - 1)
    at_most("error of the ratio, median", float(np.median(wrong)), 0.01)
    at_most("error of the ratio, worst", float(wrong.max()), 0.1)


def _ratios(found: Neighbours) -> np.ndarray:
    distances = np.maximum(found.distances, 1e-3)
    return np.asarray(distances[:, 0] / distances[:, 1:].mean(axis=1))


def _copies_and_new(path: Path, each: int) -> Pixels:
    """So many pictures of the pack, a little changed, and as many that it does not hold."""
    chance, copies = np.random.default_rng(2), PackedDataset(path).data[:each].transpose(0, 2, 3, 1)
    seen = []
    for copy in copies:
        right, down = chance.uniform(-0.15, 0.15, 2)
        zoom, degrees = chance.uniform(0.8, 1.0), chance.uniform(-8, 8)
        view = View(name="", zoom=zoom, right=right, down=down, degrees=degrees)
        seen.append(apply_view(copy[None], view)[0])
    return np.concatenate([np.stack(seen), made(each, seed=1)])


def write_pictures(path: Path, count: int) -> None:
    """A pack of `count` made pictures, every one a group of its own."""
    head = PackHead(count=count, shape=(3, 32, 32), label_names=["made"])
    write_blocks(path, head, _blocks(count))


def _blocks(count: int) -> Iterator[Block]:
    for start in range(0, count, _BLOCK):
        size = min(_BLOCK, count - start)
        pictures = np.ascontiguousarray(made(size, seed=10 + start).transpose(0, 3, 1, 2))
        rows = range(start, start + size)
        yield Block.of(pictures, [Provenance(row=row, image_id=row, group=row) for row in rows])


def made(count: int, *, seed: int) -> Pixels:
    """(count, 32, 32, 3): two drawings, of which a third one decides where each is seen."""
    drawn = _drawn()
    chance = np.random.default_rng(seed)
    front, back, stencil = drawn[chance.integers(0, len(drawn), (3, count))]
    here = stencil[..., 1:2] > chance.integers(60, 200, (count, 1, 1, 1))
    pictures = np.where(here, front, back)
    turned = chance.random(count) < 0.5
    pictures[turned] = pictures[turned][:, ::-1]
    return np.ascontiguousarray(pictures)


_known: list[Pixels] = []


def _drawn() -> Pixels:
    if not _known:
        _known.append(drawings(range(1000)))
    return _known[0]
