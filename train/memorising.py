"""What was found out about a run's pictures while it trains: RUN/novelty.jsonl, newest line last.

`python -m sample watch RUN` writes it, a line a checkpoint; training only tells of it.
"""

import json
from pathlib import Path
from typing import Any

LINES = "novelty.jsonl"


def novelty_lines(run: Path) -> list[dict[str, Any]]:
    """All whole lines, oldest first; what is none, such as a torn one, is left out."""
    try:
        text = (run / LINES).read_text("utf-8", "replace")
    except FileNotFoundError:
        return []
    lines = []
    for part in text.splitlines():
        try:
            line = json.loads(part)
        except (ValueError, RecursionError):
            continue
        if isinstance(line, dict) and type(line.get("images")) is int:
            lines.append(line)
    return lines


def novelty_note(run: Path) -> str:
    """The newest line in a few words, such as `2 copies among 64 at image 48,000`; "" if none."""
    lines = novelty_lines(run)
    if not lines:
        return ""
    newest = lines[-1]
    judged, flagged, copies = (
        value if type(value := newest.get(key)) is int else 0
        for key in ("judged", "flagged", "copies")
    )
    at = f"among {judged} at image {newest['images']:,}"
    if copies:
        return f"{copies} {'copy' if copies == 1 else 'copies'} {at}"
    return f"{flagged} flagged {at}" if judged else ""
