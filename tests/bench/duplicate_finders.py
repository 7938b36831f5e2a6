"""Those who find duplicates, behind one call: files in, pairs of files out.

Ours by the public way (catalogue, edges); plain imagehash and imagededup by their hashes, of which
all pairs within 10 bits are taken here with numpy, which costs them nothing in right answers.
"""

import io
import json
import os
import shutil
import subprocess
import tempfile
from collections import defaultdict
from collections.abc import Sequence
from itertools import combinations, product
from pathlib import Path

import imagehash
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from dataset.catalog import Catalog
from dataset.duplicates import DEFAULT_RADIUS
from dataset.image_store import ImageStore
from dataset.ingest import TakenImage, ingest
from dataset.likeness import refresh_edges
from dataset.pixels import PixelLimits
from dataset.records import Origin
from dataset.workspace import Workspace

Pairs = NDArray[np.int64]  # (N, 2) places in the list of files, the smaller first
Codes = list[int | None]  # one 64-bit hash a file; None where there is none

OURS = "pedigree"
PEER_RADIUS = 10
# Thumbnails of thumbnails and long wordmarks are part of the test.
LIMITS = PixelLimits(min_side=4, max_aspect=64.0)
_PEER = Path(os.environ.get("PEDIGREE_PEERS", ".venv-peers")) / "bin" / "python"
_BLOCK = 1024


def catalogued(workspace: Workspace, files: Sequence[bytes]) -> list[int | None]:
    """Take `files` into the catalogue: the id of each, None where it was refused."""
    ids: list[int | None] = []
    store = ImageStore(workspace.images)
    with Catalog(workspace.catalog) as catalog:
        for place, content in enumerate(files):
            taken = ingest(catalog, store, content, Origin(url=f"file:{place}"), limits=LIMITS)
            ids.append(taken.image_id if isinstance(taken, TakenImage) else None)
    return ids


def extended(workspace: Workspace, into: Path) -> Workspace:
    """A copy of the catalogue in `workspace` (not of its pictures' bytes) to add more to."""
    copy = Workspace(into)
    into.mkdir(parents=True)
    shutil.copyfile(workspace.catalog, copy.catalog)
    return copy


def catalogue_pairs(workspace: Workspace, ids: Sequence[int | None]) -> Pairs:
    """Pairs of files that the catalogue holds for the same: one picture, or an edge between two."""
    places = defaultdict(list)
    for place, image_id in enumerate(ids):
        places[image_id].append(place)
    places.pop(None, None)
    with Catalog(workspace.catalog) as catalog:
        refresh_edges(catalog)
        edges = [e for e in catalog.edges.all() if e.phash_bits <= DEFAULT_RADIUS]
    pairs = [pair for held in places.values() for pair in combinations(held, 2)]
    for edge in edges:
        pairs += product(places[edge.a], places[edge.b])
    return np.sort(np.array(pairs, np.int64).reshape(-1, 2), axis=1)


def our_pairs(files: Sequence[bytes]) -> Pairs:
    """All of it for one list of files: a catalogue of its own, its edges, its pairs."""
    with tempfile.TemporaryDirectory() as scratch:
        workspace = Workspace(Path(scratch))
        return catalogue_pairs(workspace, catalogued(workspace, files))


def code_pairs(codes: Codes, radius: int = PEER_RADIUS) -> Pairs:
    """All pairs of files whose hashes are within `radius` bits."""
    there = np.array([place for place, code in enumerate(codes) if code is not None], np.int64)
    values = np.array([code for code in codes if code is not None], np.uint64)
    found = [np.zeros((0, 2), np.int64)]
    for start in range(0, len(values), _BLOCK):
        block = values[start : start + _BLOCK, None] ^ values[None, start:]
        rows, columns = np.nonzero(np.bitwise_count(block) <= radius)
        later = columns > rows
        pairs = np.stack([rows[later] + start, columns[later] + start], axis=1)
        found.append(there[pairs])
    return np.concatenate(found)


def peer_codes(files: Sequence[bytes]) -> dict[str, Codes]:
    """Hashes of all peers that are there, by the peer's name."""
    codes = _imagehash_codes(files)
    if has_imagededup():
        codes |= _imagededup_codes(files)
    return codes


def has_imagededup() -> bool:
    """Whether `make peers` has made the environment that imagededup runs in."""
    return any(_PEER.parent.parent.glob("lib/python*/site-packages/imagededup"))


def _imagehash_codes(files: Sequence[bytes]) -> dict[str, Codes]:
    phashes: Codes = []
    dhashes: Codes = []
    for content in files:
        image = Image.open(io.BytesIO(content))
        phashes.append(int(str(imagehash.phash(image)), 16))
        dhashes.append(int(str(imagehash.dhash(image)), 16))
    return {"imagehash pHash": phashes, "imagehash dHash": dhashes}


def _imagededup_codes(files: Sequence[bytes]) -> dict[str, Codes]:
    with tempfile.TemporaryDirectory() as scratch:
        for place, content in enumerate(files):
            ending = "png" if content.startswith(b"\x89PNG") else "jpg"
            (Path(scratch) / f"{place:06d}.{ending}").write_bytes(content)
        runner = Path(__file__).with_name("imagededup_codes.py")
        command = [str(_PEER), str(runner), scratch]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
    codes: dict[str, Codes] = {}
    for name, by_file in json.loads(done.stdout).items():
        of: Codes = [None] * len(files)
        for file, code in by_file.items():
            of[int(file[:6])] = int(code, 16)
        codes[f"imagededup {name}"] = of
    return codes
