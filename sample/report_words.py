"""What the novelty report says in sentences: the answer on top, and one line a picture."""

from collections.abc import Mapping
from typing import Any

from sample.difference import Difference

_SHORT = 60


def headline(record: Mapping[str, Any]) -> str:
    """The answer to "is it new?" in one line."""
    counts, total = record["verdicts"], len(record["pictures"])
    copies, near = counts.get("copy", 0), counts.get("near copy", 0)
    if total == 1 and copies + near:
        return "No: it is a copy." if copies else "Hardly: it is nearly a copy."
    if copies:
        those = f"all {total:,}" if copies == total else f"{copies:,} of {total:,}"
        return f"No: {those} pictures {'is a copy' if copies == 1 else 'are copies'}."
    if near:
        return (
            f"Not all: {near:,} of {total:,} pictures {'is' if near == 1 else 'are'} near copies."
        )
    if not record["calibration"]["enough"]:
        return "That cannot be said with so few held-out pictures."
    if counts.get("novel", 0) + counts.get("close", 0) == 0:
        return "That cannot be said of these pictures."
    if total == 1:
        return "Yes, as far as can be measured." if counts.get("novel") else "Perhaps: look at it."
    return f"Yes: none of {total:,} pictures is a copy."


def original_name(neighbour: Mapping[str, Any]) -> str:
    """The caption of an original, shortened, or else its class and number."""
    caption = " ".join(str(neighbour.get("caption") or "").split())
    if caption:
        return caption if len(caption) <= _SHORT else caption[: _SHORT - 1] + "…"
    number = neighbour.get("image_id") or neighbour.get("row")
    return f"{neighbour.get('label') or 'picture'} {number}"


def sentence(
    picture: Mapping[str, Any], record: Mapping[str, Any], shown: Difference | None, how: str
) -> str:
    """Why this picture has this verdict; `how` its nearest original matches, in words."""
    verdict = picture["verdict"]
    if verdict == "too simple to judge":
        told = f"contrast {picture.get('contrast', 0.0):.1f} of 255 levels"
        return f"Almost nothing is drawn ({told}): anything blank resembles anything blank."
    if verdict == "cannot say":
        return "There are too few held-out or training pictures to measure nearness by."
    seen = "" if how == "as it is" else f", {how}"
    if verdict == "copy" and shown and shown.levels <= record["config"]["identical_levels"]:
        return f"The very same picture{seen}: {shown.levels:.1f} of 255 levels apart."
    if picture["p"] is None:
        return ""
    opening = {
        "copy": f"The training picture shows through{seen}",
        "near copy": f"Nearer than chance allows{seen}",
        "close": "A reason to look, no finding",
        "novel": "No nearer to a training picture than new pictures are",
    }.get(verdict, "As near as this")
    return f"{opening}: {_rarity(picture, record)}."


def _rarity(picture: Mapping[str, Any], record: Mapping[str, Any]) -> str:
    """How many pictures that were never trained on come as near."""
    calibration = record["calibration"]
    of_stratum = [
        stratum
        for stratum in calibration.get("strata") or []
        if stratum["name"] == picture.get("stratum")
    ]
    basis = of_stratum[0] if of_stratum else calibration
    number, p = basis["pictures"], picture["p"]
    as_near = max(0, round(p * (number + 1)) - 1)  # what a conformal p-value counts
    like_it = " as complex as it" if of_stratum and len(calibration["strata"]) > 1 else ""
    if as_near == 0:
        return f"none of {number:,} held-out pictures{like_it} comes this near"
    verb = "comes" if as_near == 1 else "come"
    return f"{as_near:,} of {number:,} held-out pictures{like_it} {verb} this near"


def percent(value: float, digits: int = 0) -> str:
    """A share in per cent, with a decimal where it would else read 0 or 100 and is not."""
    text = f"{100 * value:.{digits}f}"
    if not digits and text in ("0", "100") and value not in (0.0, 1.0):
        return percent(value, 1)
    return f"{text}\N{NO-BREAK SPACE}%"
