"""Packing from files beside the bare decoding of the same files by as many processes.

PEDIGREE_ANIMALS (32-px JPEGs) and PEDIGREE_PHOTOS name tars of real pictures; drawn ones else.
"""

import multiprocessing
import os
import tarfile
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from PIL import Image

from dataset.catalog import Catalog
from dataset.image_store import ImageStore
from dataset.ingest import TakenImage, ingest
from dataset.likeness import refresh_edges
from dataset.pack import pack
from dataset.pack_decoding import processors
from dataset.pack_selection import PackConfig
from dataset.preparation import decoded, prepared
from dataset.records import Origin
from dataset.workspace import Workspace
from tests.bench.batch_readers import drawn
from tests.bench.photographs import spread
from tests.bench.stopwatch import at_least, load, race, show
from tests.dataset.pictures import encoded

SMALL, PHOTOS = 10_000, 1_000
BAR = 0.9
PACK, BARE, CHECKED = "dataset.pack.pack", "read, decode", "read, check SHA-256, decode, prepare"
CONFIG = PackConfig(statuses=("undecided",))
_AT_ONCE = 64
_CONTEXT = "forkserver" if "forkserver" in multiprocessing.get_all_start_methods() else "spawn"


def run() -> None:
    animals = os.environ.get("PEDIGREE_ANIMALS", "")
    name = "animals" if animals else "drawn JPEGs (set PEDIGREE_ANIMALS to a tar)"
    measure(f"{name} of 32 px", members(Path(animals)) if animals else small_jpegs())
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "photographs"
        name = spread(folder, PHOTOS)
        measure(name, (file.read_bytes() for file in sorted(folder.iterdir())))


def measure(name: str, contents: Iterator[bytes]) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        workspace = Workspace(Path(scratch))
        paths = catalogued(workspace, contents)
        workers = processors()
        with Catalog(workspace.catalog) as catalog:
            store = ImageStore(workspace.images)
            contestants: dict[str, Callable[[], object]] = {
                BARE: lambda: in_processes(decode_alone, paths, workers),
                CHECKED: lambda: in_processes(made_row, paths, workers),
                PACK: lambda: packed(catalog, store, Path(scratch) / "packs", workers, len(paths)),
            }
            results = race(contestants, len(paths))
        title = f"{len(paths):,} {name} to 32 px, {workers} processes, {load()}"
        show(title, "pictures", results)
        rates = {result.name: result.per_second for result in results}
        at_least(f"{PACK} against {BARE}", rates[PACK] / rates[BARE], BAR, "x")


def catalogued(workspace: Workspace, contents: Iterator[bytes]) -> list[str]:
    """Take all into a catalogue and compare them, so that only packing is left to do; returns the
    files."""
    store = ImageStore(workspace.images)
    paths = []
    with Catalog(workspace.catalog) as catalog:
        for content in contents:
            taken = ingest(catalog, store, content, Origin(url="https://pictures.example/"))
            if isinstance(taken, TakenImage) and taken.is_new:
                paths.append(str(store.path(taken.sha256)))
        refresh_edges(catalog)
    return paths


def packed(catalog: Catalog, store: ImageStore, folder: Path, workers: int, count: int) -> None:
    for file in folder.glob("*"):
        file.unlink()
    result = pack(catalog, store, folder, CONFIG, workers=workers)
    assert result.fresh
    assert sum(result.counts.values()) == count


def in_processes(work: Callable[[str], int], paths: list[str], workers: int) -> None:
    """Do it for all files in processes that are started for it, as those of a pack are."""
    context = multiprocessing.get_context(_CONTEXT)
    if _CONTEXT == "forkserver":
        context.set_forkserver_preload([__name__, "PIL.ImageCms"])
    with context.Pool(workers) as pool:
        assert sum(pool.imap_unordered(work, paths, chunksize=_AT_ONCE)) == len(paths)


def decode_alone(path: str) -> int:
    """The decoding that a pack does, with nothing before and nothing after."""
    image, _size = decoded(Path(path).read_bytes(), CONFIG)
    image.load()
    return 1


def made_row(path: str) -> int:
    content = ImageStore(Path(path).parents[1]).get(Path(path).name)
    return int(prepared(content, CONFIG).ndim == 3)


def members(path: Path) -> Iterator[bytes]:
    with tarfile.open(path) as tar:
        for member in tar:
            file = tar.extractfile(member)
            if file is not None:
                yield file.read()


def small_jpegs() -> Iterator[bytes]:
    for picture in drawn(SMALL):
        yield encoded(Image.fromarray(picture.transpose(1, 2, 0)), "JPEG", quality=90)
