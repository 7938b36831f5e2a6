"""Where a row of a pack came from: its facts, and the columns that keep them in the file."""

from dataclasses import dataclass
from typing import Literal, get_args

Split = Literal["train", "cal", "test"]
SPLITS: tuple[Split, ...] = get_args(Split)

# Under provenance/: text, variable-length UTF-8, one string a row.
TEXT_COLUMNS = (
    "attribution",
    "author",
    "author_url",
    "caption",
    "fetched_at",
    "licence",
    "licence_url",
    "original_format",
    "page_url",
    "query",
    "source",
    "url",
)
# Whole numbers, int64.
NUMBER_COLUMNS = ("group", "image_id", "original_height", "original_width", "stars", "votes")
# Real numbers, float64, NaN for none.
REAL_COLUMNS = ("rating", "rating_deviation")
# Beside these, `sha256` is uint8 (N, 32) and `phash` uint64 (N,); zeros stand for none.


@dataclass(frozen=True, kw_only=True)
class Provenance:
    """Where a row of a pack came from; `label` is -1 for none, `group` joins near-duplicates.

    `sha256` (64 hexadecimal digits) is of the original file, `phash` (16 digits) of its picture,
    "" for none. `rating` is the Bradley-Terry score from `votes` comparisons with its standard
    deviation, None where nobody compared it; `stars` is 0 (none) to 5.
    """

    row: int = -1
    image_id: int = 0
    label: int = -1
    caption: str = ""
    url: str = ""
    page_url: str = ""
    source: str = ""
    query: str = ""
    author: str = ""
    author_url: str = ""
    licence: str = "unknown"
    licence_url: str = ""
    attribution: str = ""
    fetched_at: str = ""
    sha256: str = ""
    phash: str = ""
    original_format: str = ""
    original_width: int = 0
    original_height: int = 0
    stars: int = 0
    rating: float | None = None
    rating_deviation: float | None = None
    votes: int = 0
    group: int = 0
    split: Split = "train"
