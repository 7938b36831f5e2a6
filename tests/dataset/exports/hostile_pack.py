"""A small pack whose labels, captions and names were written by an enemy."""

from pathlib import Path
from typing import Any

import h5py
import numpy as np

from dataset.pack_writer import Block, PackHead, write_blocks
from dataset.packed import PackedDataset
from dataset.provenance import SPLITS, Provenance, Split
from dataset.records import Caption

LABELS = ("../../etc", "CON", "con", "images", "a/b\\c", "-rf", "ünï 猫", '<b>"x"|?*', "x" * 180)
TEXTS = (
    '=HYPERLINK("http://evil.example","x")',
    "@SUM(1)\t|calc",
    'two\nlines, and a "quote"',
    "line\u2028separator\x85next",
    "<script>alert(1)</script> [x](javascript:alert(1)) ![y](http://evil.example/p.png)",
    "`code` | cell \\| ``more``",
    "null",
    "",
    "http://evil.example www.evil.example a@evil.example @somebody #1 猫",
    "\u202etxt.exe <!-- &lt; -->",
    "[![x]][y] <http://evil.example> <a href=x>",
    "---\n# heading\n- list\n    code\n```\nfence",
)


def hostile_fact(row: int, split: Split, **more: Any) -> Provenance:
    text = TEXTS[row % len(TEXTS)]
    facts: dict[str, Any] = {
        "label": row % (len(LABELS) + 1) - 1,
        "caption": text,
        "url": f"http://example.org/{row}.jpg",
        "page_url": text if row % 3 else f"https://example.org/page/{row}",
        "source": "flickr",
        "query": text,
        "author": text,
        "licence": ("CC-BY-4.0", "unknown", text or "CC0-1.0")[row % 3],
        "licence_url": text if row % 2 else "https://creativecommons.org/licenses/by/4.0/",
        "attribution": text,
        "fetched_at": f"2026-01-{row % 28 + 1:02d}T00:00:00.000Z",
        "sha256": f"{row + 1:064x}",
        "phash": f"{row + 1:016x}",
        "original_format": ("JPEG", "PNG", "../../x", "SVG")[row % 4],
        "original_width": 10 + row,
        "original_height": 20,
        "group": row // 2 + 1,
    }
    return Provenance(row=row, split=split, **(facts | more))


def set_check_rows(path: Path, rows: int) -> None:
    """Let the pack claim that so many rows share a check."""
    with h5py.File(path, "r+") as file:
        file["checks/data"].attrs["rows"] = rows


def hostile_pack(
    path: Path,
    count: int = 24,
    *,
    channels: int = 3,
    originals: bool = False,
    splits: tuple[Split, ...] = SPLITS,
) -> PackedDataset:
    """`count` rows of random pixels, 12 x 10, whose splits take turns."""
    rng = np.random.default_rng(channels)
    data = rng.integers(0, 256, (count, channels, 12, 10), np.uint8)
    facts = [hostile_fact(row, splits[row % len(splits)]) for row in range(count)]
    captions = [
        [Caption(text=text, origin="page") for text in (fact.caption, "second <b>text</b>") if text]
        for fact in facts
    ]
    block = Block.of(
        data,
        facts,
        captions=captions,
        originals=[b"" if row == 5 else b"file %d" % row for row in range(count)]
        if originals
        else (),
    )
    shape = (channels, 12, 10)
    head = PackHead(count=count, shape=shape, label_names=LABELS, has_originals=originals)
    write_blocks(path, head, [block])
    return PackedDataset(path)
