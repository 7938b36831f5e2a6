"""Cells of tables that people open in a spreadsheet: no text in them is a formula there."""

_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_LONGEST = 1000


def plain_cell(text: str) -> str:
    """A text on one line, at most 1000 letters; what a spreadsheet would take for a formula begins
    with an apostrophe."""
    cell = " ".join(text.split())[:_LONGEST]
    return f"'{cell}" if cell.startswith(_FORMULA) else cell
