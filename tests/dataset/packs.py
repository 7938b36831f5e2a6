"""Small packs for the tests of the format."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dataset.pack_writer import Block, PackHead, write_blocks
from dataset.packed import PackedDataset
from dataset.provenance import SPLITS, Provenance
from dataset.records import Caption

NAMES = ("cat", "dog")


def pictures(count: int, shape: tuple[int, int, int] = (3, 8, 8)) -> NDArray[np.uint8]:
    return np.random.default_rng(0).integers(0, 256, (count, *shape), dtype=np.uint8)


def facts_of(count: int, **more: Any) -> list[Provenance]:
    """Facts that differ from row to row; every third row trains, calibrates, tests."""

    def facts(n: int) -> dict[str, Any]:
        return {
            "row": n,
            "image_id": n + 1,
            "label": n % 2,
            "group": n + 1,
            "sha256": f"{n + 1:064x}"[::-1],
            "phash": f"{n + 1:016x}",
            "split": SPLITS[n % 3],
            "url": f"http://example.org/{n}",
            "caption": f"a picture {n} ünï",
            "licence": "CC-BY-4.0",
            "source": "garden",
            "original_width": 100 + n,
            "original_height": 80,
        }

    return [Provenance(**(facts(n) | more)) for n in range(count)]


def write_small(
    path: Path,
    count: int = 24,
    *,
    data: NDArray[np.uint8] | None = None,
    facts: list[Provenance] | None = None,
    cut: int = 10,
    **head: Any,
) -> PackedDataset:
    """A pack with everything that a pack can have, written `cut` rows at a time."""
    data = pictures(count) if data is None else data
    facts = facts_of(len(data)) if facts is None else facts
    clusters = np.arange(len(data)) % 4
    known: dict[str, Any] = {
        "count": len(data),
        "shape": data.shape[1:],
        "label_names": NAMES,
        "config": {"size": data.shape[2]},
        "event_id": 3,
        "schemes": {"resnet/rc_4": ["0", "1", "2", "3"]},
        "embeddings": {"clip": 5},
        "has_originals": True,
    }
    whole = PackHead(**(known | head))
    blocks = (
        Block.of(
            data[start : start + cut],
            facts[start : start + cut],
            captions=[
                [Caption(text=f.caption, origin="alt"), Caption(text="zwei", origin="page")]
                for f in facts[start : start + cut]
            ],
            originals=[b"file" * (f.row % 3) for f in facts[start : start + cut]],
            schemes={"resnet/rc_4": clusters[start : start + cut]},
            embeddings={
                "clip": np.ones((len(facts[start : start + cut]), 5), np.float32),
            },
        )
        for start in range(0, len(data), cut)
    )
    write_blocks(path, whole, blocks)
    return PackedDataset(path)
