"""What a novelty check says of one picture and of its originals: read strictly, made harmless."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from curate_app.drawn_picture import VERDICTS
from dataset.wording import clean_label

_MOST_NEIGHBOURS = 10


@dataclass(frozen=True, kw_only=True)
class Near:
    """A training picture near a checked one, as the check tells of it."""

    row: int
    distance: float | None
    ratio: float | None
    view: str
    caption: str
    label: str
    address: str
    link: str  # "" if there is none that may be followed
    source: str
    author: str
    licence: str
    licence_link: str
    fetched_at: str
    image_id: int

    @property
    def name(self) -> str:
        return self.caption or f"{self.label or 'picture'} {self.image_id or self.row}"


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One checked picture and its verdict; `place` counts from 0 by suspicion."""

    place: int
    file: str
    sha256: str
    label: str
    seed: int | None
    verdict: str
    was_false_alarm: bool  # when it was checked
    p: float | None
    q: float | None
    ratio: float | None
    complexity: float
    stratum: str
    near: tuple[Near, ...]

    @property
    def badge(self) -> str:
        """The class of its badge: bad, warn, good or none."""
        return VERDICTS.get(self.verdict, ("none", ""))[0]

    @property
    def meaning(self) -> str:
        return VERDICTS.get(self.verdict, ("", ""))[1]


def read_finding(place: int, told: Mapping[str, Any]) -> Finding:
    """One picture of a record; raises ValueError, TypeError or KeyError for what is none."""
    file, sha256 = str(told["file"]), str(told["sha256"])
    if Path(file).name != file or len(sha256) != 64 or not set(sha256) <= set("0123456789abcdef"):
        raise ValueError("a picture without a name of its own")
    seed = told["seed"]
    return Finding(
        place=place,
        file=file,
        sha256=sha256,
        label=clean_label(str(told["label"])),
        seed=None if seed is None else int(seed),
        verdict=clean_label(str(told["verdict"])),
        was_false_alarm=told["false_alarm"] is True,
        p=_maybe(told["p"]),
        q=_maybe(told["q"]),
        ratio=_maybe(told["ratio"]),
        complexity=real(told["complexity"]),
        stratum=clean_label(str(told["stratum"])),
        near=tuple(_read_near(one) for one in told["neighbours"][:_MOST_NEIGHBOURS]),
    )


def _read_near(told: Mapping[str, Any]) -> Near:
    page, own = str(told["page_url"] or ""), str(told["url"] or "")
    return Near(
        row=int(told["row"]),
        distance=_maybe(told["distance"]),
        ratio=_maybe(told["ratio"]),
        view=clean_label(str(told["view"])),
        caption=clean_label(str(told["caption"] or "")),
        label=clean_label(str(told["label"] or "")),
        address=clean_label(page or own),
        link=_followed(page) or _followed(own),
        source=clean_label(str(told["source"] or "")),
        author=clean_label(str(told["author"] or "")),
        licence=clean_label(str(told["licence"] or "")),
        licence_link=_followed(str(told["licence_url"] or "")),
        fetched_at=clean_label(str(told["fetched_at"] or ""))[:10],
        image_id=int(told["image_id"] or 0),
    )


def _followed(address: str) -> str:
    """The address if a person may be sent there, else ""."""
    return address if address.startswith(("http://", "https://")) else ""


def _maybe(value: Any) -> float | None:
    return None if value is None else real(value)


def real(value: Any) -> float:
    """A finite number; raises ValueError or TypeError for anything else."""
    number = float(value)
    if isinstance(value, bool | str) or not math.isfinite(number):
        raise ValueError("no number")
    return number
