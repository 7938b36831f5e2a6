"""Texts of a row in the files of others: lines of JSON, cells of CSV.

Cells are data for programs and stay as they are, so that a caption comes back letter by letter;
one that begins with = + - or @ is a formula to a spreadsheet, so don't open these tables in one.
"""

import csv
import json
from collections.abc import Sequence
from typing import Any

from dataset.packed_rows import PackedRow
from dataset.wording import LONGEST_CAPTION

# Ends of lines to some readers (str.splitlines among them), nothing of the kind to JSON.
_LINE_ENDS = {ord(end): f"\\u{ord(end):04x}" for end in "\x7f\x85\u2028\u2029"}
_ORIGIN = ("url", "page_url", "source", "query", "author", "author_url")
_LICENCE = ("licence", "licence_url", "attribution", "fetched_at")
ORIGIN_FACTS = (*_ORIGIN, *_LICENCE)


def json_line(value: Any) -> str:
    """One line of JSON, UTF-8, the same for equal values; letters and HTML stay as they are."""
    return json.dumps(value, ensure_ascii=False, sort_keys=True).translate(_LINE_ENDS) + "\n"


def texts_of(row: PackedRow, *, every: bool = False) -> list[str]:
    """The captions of a row, the best first, each once: all of them, or one at most."""
    found = (row.fact.caption, *(caption.text for caption in row.captions))
    distinct = list(dict.fromkeys(text for text in found if text.strip()))
    return distinct if every else distinct[:1]


def provenance_of(row: PackedRow, label: str) -> dict[str, Any]:
    """All that is known of a row, JSON-ready; None where nothing is."""
    fact = row.fact
    return {
        **{name: getattr(fact, name) for name in ORIGIN_FACTS},
        "caption": fact.caption,
        "captions": [{"text": c.text, "origin": c.origin} for c in row.captions],
        "label": fact.label,
        "label_name": label or None,
        "row": fact.row,
        "image_id": fact.image_id,
        "group": fact.group,
        "split": fact.split,
        "stars": fact.stars,
        "rating": fact.rating,
        "votes": fact.votes,
        "sha256": fact.sha256 or None,
        "phash": fact.phash or None,
        "original_format": fact.original_format or None,
        "original_size": [fact.original_width, fact.original_height],
    }


def csv_writer(file: Any, columns: Sequence[str]) -> Any:
    """A writer of CSV (RFC 4180, but lines end in LF) that has written its header."""
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(columns)
    return writer


def cell(text: str) -> str:
    """A text as long as the longest that an import takes."""
    return text[:LONGEST_CAPTION]


def one_line(text: str) -> str:
    """A text with each run of spaces and ends of lines as one space."""
    return " ".join(text.split())
