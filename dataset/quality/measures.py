"""What each score means: one table, for whoever shows or compares them."""

from dataclasses import dataclass
from typing import Literal

Bad = Literal["low", "high", "neither"]


@dataclass(frozen=True)
class Measure:
    """A score: its unit, the range of its values, and which end of it is the bad one."""

    name: str
    meaning: str
    unit: str
    low: float
    high: float
    bad: Bad


_INFINITE = float("inf")

MEASURES: dict[str, Measure] = {
    measure.name: measure
    for measure in (
        Measure("contrast", "largest deviation of a channel; 0 is blank", "levels", 0, 128, "low"),
        Measure("brightness", "mean luma", "levels", 0, 255, "neither"),
        Measure("dark", "how far the lightest 5 % are from white", "share", 0, 1, "high"),
        Measure("bright", "area that is burnt out, or white", "share", 0, 1, "high"),
        Measure("entropy", "information of the luma histogram", "bits", 0, 8, "low"),
        Measure("flatness", "area without any change", "share", 0, 1, "high"),
        Measure("detail", "part of its spectrum that is in use", "share", 0, 1, "low"),
        Measure("upscaled", "part of its spectrum that is empty", "share", 0, 1, "high"),
        Measure("sharpness", "detail as if the shortest side had 256 px", "share", 0, 1, "low"),
        Measure("text", "how much of it reads as text", "evidence", 0, 1, "high"),
        Measure(
            "watermark", "letters laid over it, where the ground is calm", "evidence", 0, 1, "high"
        ),
        Measure("border", "bars of one colour along its sides", "evidence", 0, 1, "high"),
        Measure("collage", "several pictures in one", "evidence", 0, 1, "high"),
        Measure("compression", "quality that its JPEG tables stand for", "IJG", 1, 100, "low"),
        Measure("aspect", "longest side against the shortest", "ratio", 1, _INFINITE, "high"),
        Measure("side", "shortest side", "pixels", 1, _INFINITE, "low"),
        Measure("content", "shortest side without borders", "pixels", 1, _INFINITE, "low"),
    )
}
