"""Pictures that plain hashes hold for one and that are many: how many false merges they cause."""

import io
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from random import Random

import numpy as np
from PIL import Image

from tests.bench.black_shapes import black_shapes
from tests.bench.copies import TRANSFORMATIONS, opened, originals, shows_nothing
from tests.bench.duplicate_finders import OURS, Pairs, code_pairs, our_pairs, peer_codes
from tests.bench.same_pictures import brand_variants, excused

_SIDE = 200
_RECOLOURED = 300
# Levels of 255 that the visible colours of a logo of one colour may spread.
_ONE_COLOUR = 12.0


@dataclass(frozen=True)
class Trap:
    """Files of which none shows what another one does, but for the pairs that `asked` leaves out:
    the pairs that are asked for, as places in `files`."""

    title: str
    names: list[str]
    files: list[bytes]
    asked: frozenset[tuple[int, int]]


def run(with_peers: bool) -> None:
    """Print the table of all traps: pairs asked for, and how many each finder merged."""
    print("\n  traps: pairs that are not the same, and how many of them are held for it")
    logos = [(name, content) for name, content in originals("logos")]
    traps = [_drawn(), _blackened(logos), _flat(), _variants(logos), _recoloured(logos)]
    heads = False
    for trap in traps:
        found = {OURS: our_pairs(trap.files)}
        if with_peers:
            found |= {name: code_pairs(codes) for name, codes in peer_codes(trap.files).items()}
        merged = {name: _merged(trap, pairs) for name, pairs in found.items()}
        if not heads:
            print(f"  {'':<38} {'pairs':>9}  " + " ".join(f"{name:>15}" for name in merged))
            heads = True
        cells = " ".join(f"{len(pairs):>15,}" for pairs in merged.values())
        print(f"  {trap.title:<38} {len(trap.asked):>9,}  {cells}", flush=True)
        _tell(trap, merged[OURS])


def _merged(trap: Trap, pairs: Pairs) -> set[tuple[int, int]]:
    return {(int(a), int(b)) for a, b in pairs} & trap.asked


def _tell(trap: Trap, merged: set[tuple[int, int]]) -> None:
    details = os.environ.get("PEDIGREE_DETAILS")
    if details:
        named = [(trap.names[a], trap.names[b]) for a, b in sorted(merged)]
        with Path(details).open("a") as file:
            file.write(json.dumps({"trap": trap.title, "false": named}) + "\n")


def _trap(title: str, named: Sequence[tuple[str, bytes]]) -> Trap:
    """All pairs are asked for, but those that are truly the same."""
    names = [name for name, _ in named]
    asked = (
        (a, b) for a, b in combinations(range(len(names)), 2) if not excused(names[a], names[b])
    )
    return Trap(title, names, [content for _, content in named], frozenset(asked))


def _drawn() -> Trap:
    """Simple shapes and words."""
    shapes = [(name, _png(image)) for name, image in black_shapes()]
    return _trap(f"{len(shapes)} drawn shapes, black on nothing", shapes)


def _blackened(logos: Sequence[tuple[str, bytes]]) -> Trap:
    """Real logos of one visible colour, all of them made black on nothing.

    No two of them have one shape then: the sixteen nearest pairs were looked at.
    """
    black = []
    for name, content in logos:
        image = opened(content)
        if image.mode != "RGBA" or not _is_one_colour(image):
            continue
        ink = Image.new("RGBA", image.size, (0, 0, 0, 0))
        ink.putalpha(image.getchannel("A"))
        if not shows_nothing(ink):
            black.append((name, _png(ink)))
    return _trap(f"{len(black)} real logos, made black on nothing", black)


def _is_one_colour(image: Image.Image) -> bool:
    pixels = np.asarray(image, np.float32).reshape(-1, 4)
    visible = pixels[pixels[:, 3] > 128, :3]
    return len(visible) > 0 and float(visible.std(axis=0).max()) < _ONE_COLOUR


def _flat() -> Trap:
    """One colour each, opaque and not, of several sizes."""
    rng = Random("flat")
    greys = [(level, level, level, 255) for level in range(0, 256, 15)]
    opaque = [(rng.randrange(256), rng.randrange(256), rng.randrange(256), 255) for _ in range(30)]
    thin = [(rng.randrange(256), rng.randrange(256), 90, alpha) for alpha in (64, 128, 192)]
    flat = []
    for colour in (*greys, *opaque, *thin):
        size = rng.choice(((_SIDE, _SIDE), (300, 200), (120, 180)))
        image = Image.new("RGBA", size, colour)
        flat.append((str(colour), _png(image if colour[3] < 255 else image.convert("RGB"))))
    return _trap(f"{len(flat)} flat pictures", flat)


def _variants(logos: Sequence[tuple[str, bytes]]) -> Trap:
    """Logos of one brand beside each other: icon, wordmark, other colours."""
    content_of = dict(logos)
    pairs = [pair for pair in brand_variants() if pair[0] in content_of and pair[1] in content_of]
    names = sorted({name for pair in pairs for name in pair})
    place = {name: n for n, name in enumerate(names)}
    asked = frozenset((place[a], place[b]) for a, b in pairs)
    return Trap("variants of one brand", names, [content_of[name] for name in names], asked)


def _recoloured(logos: Sequence[tuple[str, bytes]]) -> Trap:
    """Logos, each with a copy in other colours and its negative: the original beside either."""
    named: list[tuple[str, bytes]] = []
    asked = set()
    for n in range(_RECOLOURED):
        name, content = logos[n * len(logos) // _RECOLOURED]
        image = opened(content)
        first = len(named)
        named.append((name, content))
        for kind in ("recolour", "invert"):
            copy = TRANSFORMATIONS[kind](image, Random(f"{name}/{kind}/trap"))
            named.append((f"{name} {kind}", copy))
            asked.add((first, len(named) - 1))
    names = [name for name, _ in named]
    title = f"{_RECOLOURED} real logos, in other colours"
    return Trap(title, names, [content for _, content in named], frozenset(asked))


def _png(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()
