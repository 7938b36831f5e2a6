"""What `bench_pack_million` has done in processes of its own: packs of any number of pictures."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dataset.pack_writer import Block, PackHead, rows_at_once, write_blocks, write_pack
from dataset.provenance import Provenance

SHAPE = (3, 32, 32)
CLASSES = [f"class {n}" for n in range(40)]


def from_arrays(path: str, count: int) -> None:
    """Pictures that come in parts, never all in memory; nothing else is known of them."""
    labels = np.arange(count, dtype=np.int64) % len(CLASSES)
    write_pack(Path(path), _parts(count), labels, CLASSES, [], {})


def with_facts(path: str, count: int) -> None:
    """The same with facts of every row, made as they are wanted."""
    head = PackHead(count=count, shape=SHAPE, label_names=CLASSES)
    write_blocks(Path(path), head, _blocks(count))


def _parts(count: int) -> Iterator[NDArray[np.uint8]]:
    rng, step = np.random.default_rng(0), rows_at_once(SHAPE)
    for start in range(0, count, step):
        yield rng.integers(0, 256, (min(step, count - start), *SHAPE), dtype=np.uint8)


def _blocks(count: int) -> Iterator[Block]:
    row = 0
    for part in _parts(count):
        facts = [
            Provenance(
                row=n,
                image_id=n + 1,
                label=n % len(CLASSES),
                caption=f"a heron at the edge of pond {n}",
                url=f"https://pictures.example/originals/{n:07d}/picture.jpg",
                page_url=f"https://pictures.example/page/{n}",
                source="commons",
                author=f"author {n % 5000}",
                licence="CC-BY-4.0",
                sha256=f"{n + 1:064x}",
                group=n + 1,
            )
            for n in range(row, row + len(part))
        ]
        yield Block.of(part, facts)
        row += len(part)
