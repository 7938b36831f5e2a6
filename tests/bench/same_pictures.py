"""What is truly the same picture among the originals, judged by looking at pairs side by side.

Candidates were all pairs of a set whose pHash is within 10 bits with coarse colours alike, or
whose grey thumbnails correlate (logos: trimmed to what is visible, on white and on black, at 0.77
or more; photographs at 0.75; animals: whole, moved and cut by up to 6 pixels and mirrored, at
0.90), and all pairs of one brand with similar aspect: about 770 pairs on contact sheets. Logos that
differ in colour, in a letter or by added text are different; so are hack.png and hhvm.png, of which
one has a parallelogram more.
"""

import csv
import io
import itertools
import os
import tarfile
from collections import defaultdict

Pair = tuple[str, str]

# Cut or compressed differently, but one photograph. No two logos and no two photos are the same.
SAME: frozenset[Pair] = frozenset(
    {
        ("animals32/bird/0230.jpg", "animals32/bird/1305.jpg"),
        ("animals32/dog/0505.jpg", "animals32/dog/1210.jpg"),
        ("animals32/dog/0850.jpg", "animals32/dog/1115.jpg"),
    }
)
# Too close to call, left out of every count: a bird on one rock, grey and in colour, perhaps of one
# moment; a mark on black and the same mark on nothing, whose oranges differ a little.
UNSURE: frozenset[Pair] = frozenset(
    {
        ("animals32/bird/1330.jpg", "animals32/bird/1340.jpg"),
        ("logos/msw-icon.png", "logos/msw.png"),
    }
)


def excused(a: str, b: str) -> bool:
    """Whether finding these two originals is neither right nor wrong to count."""
    pair = (a, b) if a < b else (b, a)
    return a == b or pair in SAME or pair in UNSURE


def brand_variants() -> list[Pair]:
    """Pairs of different logos of one brand, by the titles in the logos' captions.csv."""
    with tarfile.open(os.environ["PEDIGREE_LOGOS"]) as tar:
        table = next(member for member in tar if member.name.endswith("captions.csv"))
        file = tar.extractfile(table)
        assert file is not None
        folder = table.name.rpartition("/")[0]
        by_brand = defaultdict(list)
        for row in csv.DictReader(io.StringIO(file.read().decode())):
            by_brand[row["title"].casefold()].append(f"{folder}/{row['file']}")
    pairs = (
        pair for names in by_brand.values() for pair in itertools.combinations(sorted(names), 2)
    )
    return [(a, b) for a, b in pairs if not excused(a, b)]
