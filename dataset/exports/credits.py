"""attribution.csv of an export: title, author, licence and page of every file that it holds.

Made for people: a cell that a spreadsheet would take for a formula begins with an apostrophe.
"""

from typing import Any

from dataset.exports.texts import csv_writer
from dataset.provenance import Provenance
from dataset.spreadsheet import plain_cell

NAME = "attribution.csv"
COLUMNS = ("row", "file", "title", "author", "licence", "licence_url", "page")
_UNKNOWN = ("", "unknown")
# The names of licences that hubs of models and data know; all others are "other" to them.
_KNOWN_TO_HUBS = {
    *("cc", "cc0-1.0", "unknown", "mit", "apache-2.0", "odbl", "pddl", "gfdl"),
    *(f"cc-by-{version}" for version in ("2.0", "2.5", "3.0", "4.0")),
    *(f"cc-by-sa-{version}" for version in ("3.0", "4.0")),
    *(f"cc-by-nc-{version}" for version in ("2.0", "3.0", "4.0")),
    *(f"cc-by-nd-{version}" for version in ("4.0",)),
    *(f"cc-by-nc-sa-{version}" for version in ("2.0", "3.0", "4.0")),
    *(f"cc-by-nc-nd-{version}" for version in ("3.0", "4.0")),
}


class Credits:
    """The table while it is written to an open text file, and the licences that were met."""

    def __init__(self, file: Any) -> None:
        self._writer = csv_writer(file, COLUMNS)
        self._licences: set[str] = set()

    def add(self, fact: Provenance, file: str) -> None:
        """One row of the pack, which `file` holds."""
        self._licences.add("unknown" if fact.licence in _UNKNOWN else fact.licence)
        texts = (fact.caption, fact.author, fact.licence or "unknown", fact.licence_url)
        cells = map(plain_cell, (*texts, fact.page_url or fact.url))
        self._writer.writerow((str(fact.row), plain_cell(file), *cells))

    def hub_licence(self) -> str:
        """The licence of all as hubs name it, "other" where there are several or another one."""
        name = next(iter(self._licences), "unknown").lower()
        return name if len(self._licences) <= 1 and name in _KNOWN_TO_HUBS else "other"
