"""A difference of two packs as lines for a person."""

import json
from typing import Any

from dataset.pack_diff import pictures_of
from dataset.wording import seen

_HEADINGS = {
    "gone": "gone from the new pack",
    "added": "added in the new pack",
    "label": "another label",
    "split": "another split",
    "caption": "another caption",
    "licence": "another licence",
    "stars": "other stars",
    "pixels": "other pixels",
}
_BACKWARDS = {"gone": "in A only, the newer pack", "added": "in B only, the older pack"}
_MOST_TEXT, _MOST_BATCHES = 60, 20


def readable(found: dict[str, Any]) -> str:
    """What `as_mapping` found, readably; of long lists the first entries."""
    old, new, counts = found["old"], found["new"], found["counts"]
    lines = [f"{old['path']} -> {new['path']}, pictures matched by {found['matched_by']}"]
    is_backwards = found["newer"] == "A"
    if is_backwards:
        lines.append(f"A is the newer one (event {old['event_id']}, B: {new['event_id']})")
    lines += [f"warning: {warning}" for warning in found["warnings"]]
    if found["same"]:
        return "\n".join([*lines, "the same pictures, facts and config"])
    lines.append(
        f"pictures   {old['pictures']:,} -> {new['pictures']:,}: {counts['gone']:,} gone, "
        f"{counts['added']:,} added, {found['in_both']:,} in both"
    )
    kinds = [kind for kind in counts if kind not in ("gone", "added")]
    lines.append("of those   " + ", ".join(f"{counts[kind]:,} other {kind}" for kind in kinds))
    if old["shape"] != new["shape"]:
        shapes = ("x".join(str(side) for side in one["shape"]) for one in (old, new))
        lines.append("shape      " + " -> ".join(shapes) + ": all pixels differ")
    for key, values in found["config"].items():
        lines.append(f"config     {seen(key)}: {_json(values['old'])} -> {_json(values['new'])}")
    for kind, pictures in pictures_of(found):
        if pictures:
            more = counts[kind] - len(pictures)
            heading = (_BACKWARDS if is_backwards else {}).get(kind, _HEADINGS[kind])
            lines += ["", heading, *(_line(told, is_backwards) for told in pictures)]
            lines += [f"  and {more:,} more (--limit)"] if more else []
    if found["batches"] is not None:
        lines += ["", *_batch_lines(found)]
    return "\n".join(lines)


def _line(told: dict[str, Any], is_backwards: bool) -> str:
    """One picture: what it is, what changed, and the judgements that did it; of packs that are
    compared backwards those that the second one does not have yet."""
    name = f"#{told['image_id']}" if told["image_id"] else f"row {told['row']}"
    words = [name, _short(told["label"]) or "(no label)", _short(told["caption"] or told["url"])]
    line = "  " + "  ".join(word for word in words if word)
    if "before" in told:
        line += f"  {_json(told['before'])} -> {_json(told['after'])}"
    for event in told.get("events", ()):
        reason = f" ({_short(event['reason'])})" if event["reason"] else ""
        when = "not yet in B: " if is_backwards else ""
        line += (
            f"\n      {when}{_short(event['who'])}, {event['at']}, batch {event['batch']} "
            f"{_short(event['verb'])}: {event['field']} {_json(event['before'])} -> "
            f"{_json(event['after'])}{reason}"
        )
    if "because" in told:
        line += f"\n      {told['because']}"
    elif told.get("events") == []:
        line += "\n      no judgement between the packs: collected, or let in or out by the config"
    return line


def _batch_lines(found: dict[str, Any]) -> list[str]:
    batches = found["batches"]
    is_backwards = found["newer"] == "A"
    first, last = sorted((found["old"]["event_id"], found["new"]["event_id"]))
    span = f"events {first} to {last}"
    if not batches:
        return [f"judgements: none between the packs concerns these pictures ({span})"]
    lines = [
        f"  batch {batch['batch']}  {batch['at']}  {_short(batch['who'])}  "
        f"{_short(batch['verb'])}: {batch['pictures']:,} of these pictures"
        for batch in batches[:_MOST_BATCHES]
    ]
    more = len(batches) - _MOST_BATCHES
    title = "judgements that A has and B not yet" if is_backwards else "judgements that made it so"
    return [f"{title} ({span})", *lines] + (
        [f"  and {more} more batches (--json names all)"] if more > 0 else []
    )


def _short(text: str) -> str:
    shown = seen(text)
    return shown if len(shown) <= _MOST_TEXT else shown[: _MOST_TEXT - 3] + "..."


def _json(value: Any) -> str:
    return _short(json.dumps(value, ensure_ascii=False))
