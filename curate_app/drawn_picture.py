"""A picture that the drawing process made, with its verdict: read strictly from that one's line."""

import base64
import binascii
import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from dataset.wording import seen

# Gravest first; each with the class of its badge and what it means.
VERDICTS = {
    "copy": ("bad", "A training picture, as good as unchanged"),
    "near copy": ("bad", "Nearer to a training picture than chance explains"),
    "close": ("warn", "Near a training picture, as a few new ones are by chance"),
    "cannot say": ("none", "Too few pictures were held back to judge by"),
    "too simple to judge": ("none", "Nothing is drawn that could be compared"),
    "novel": ("good", "No nearer to a training picture than new pictures usually are"),
}
UNCHECKED, AWAITED = "not checked", "being checked"

_WITHOUT = {
    UNCHECKED: "There is no pack to compare it with",
    AWAITED: "The training pictures are still being loaded",
}

_PNG = b"\x89PNG\r\n\x1a\n"
_LARGEST_PICTURE = 8 * 1024 * 1024
_MOST_NEIGHBOURS = 10
_MOST_SETTINGS = 60
_LONGEST_TEXT = 2000
_TEXTS = (
    "view", "label", "caption", "url", "page_url", "source", "author", "licence", "licence_url",
    "fetched_at",
)  # fmt: skip


class BadLine(ValueError):
    """The drawing process said something that it never says."""


@dataclass(frozen=True, kw_only=True)
class Neighbour:
    """A training picture near a drawn one, and where it came from."""

    row: int
    distance: float
    ratio: float | None
    content: bytes  # PNG
    mirrored: bool
    view: str
    label: str
    caption: str
    url: str
    page_url: str
    source: str
    author: str
    licence: str
    licence_url: str
    fetched_at: str

    @property
    def link(self) -> str:
        """The address of its page, or of itself; "" if it has none that may be followed."""
        found = (self.page_url, self.url)
        return next((one for one in found if one.startswith(("http://", "https://"))), "")

    @property
    def licence_link(self) -> str:
        return self.licence_url if self.licence_url.startswith(("http://", "https://")) else ""


@dataclass(frozen=True, kw_only=True)
class DrawnPicture:
    """One drawn picture; `number` counts those of a run, `revision` changes with its verdict."""

    number: int
    request: int
    place: int
    revision: int
    seed: int
    label: str
    share: float | None
    content: bytes  # PNG
    sha256: str
    settings: dict[str, Any]
    origin: Mapping[str, Any]  # checkpoint, images_seen and pack_hash
    verdict: str
    p: float | None
    q: float | None
    ratio: float | None
    neighbours: tuple[Neighbour, ...]

    @property
    def badge(self) -> str:
        return VERDICTS[self.verdict][0] if self.verdict in VERDICTS else "none"

    @property
    def meaning(self) -> str:
        """The verdict in a sentence."""
        return ({name: words for name, (_, words) in VERDICTS.items()} | _WITHOUT)[self.verdict]

    def record(self) -> dict[str, Any]:
        """All that is known of it but its pixels, as a manifest says it."""
        nearest = self.neighbours[0] if self.neighbours else None
        facts = (
            {name: value for name, value in vars(nearest).items() if name != "content"}
            if (nearest)
            else None
        )
        return {
            "seed": self.seed,
            "label_name": self.label,
            **({} if self.share is None else {"share": self.share}),
            "sha256": self.sha256,
            **self.settings,
            "novelty": {
                "verdict": self.verdict,
                "p": self.p,
                "q": self.q,
                "ratio": self.ratio,
                "nearest": facts,
            },
        }

    @property
    def spoken(self) -> str:
        """The picture in the words of a screen reader."""
        of = f", {self.label}" if self.label else ""
        return f"Picture {self.number}: seed {self.seed}{of}, {self.verdict}"

    def found(self, finding: Mapping[str, Any], revision: int) -> "DrawnPicture":
        """With what the check found of it; raises BadLine."""
        return replace(self, **_checked(finding), revision=revision)

    def unchecked(self, revision: int) -> "DrawnPicture":
        """With no finding to come any more."""
        return replace(self, verdict=UNCHECKED, revision=revision)

    def judged(self, told: Mapping[str, Any], revision: int) -> "DrawnPicture":
        """With the verdict that holds among all pictures of its request; raises BadLine."""
        verdict, p, q = _verdict(told.get("verdict")), _share(told, "p"), _share(told, "q")
        if (verdict, p, q) == (self.verdict, self.p, self.q):
            return self
        return replace(self, verdict=verdict, p=p, q=q, revision=revision)


def read_origin(told: Mapping[str, Any]) -> dict[str, Any]:
    """Where pictures come from, of a `ready` line; raises BadLine."""
    return {
        "checkpoint": _text(told, "checkpoint"),
        "images_seen": _whole(told, "images_seen"),
        "pack_hash": _text(told, "pack_hash"),
    }


def read_picture(
    told: Mapping[str, Any], number: int, revision: int, origin: Mapping[str, Any]
) -> DrawnPicture:
    """The picture of a `picture` line; raises BadLine."""
    finding = told.get("finding")
    if finding is not None and not isinstance(finding, dict):
        raise BadLine("the finding is no object")
    content = _png(told.get("png"))
    return DrawnPicture(
        number=number,
        request=_whole(told, "id"),
        place=_whole(told, "place"),
        revision=revision,
        seed=_whole(told, "seed"),
        label=_text(told, "label_name"),
        share=_share(told, "share"),
        content=content,
        sha256=hashlib.sha256(content).hexdigest(),
        settings=_settings(told.get("settings")),
        origin=origin,
        **(_NOTHING if finding is None else _checked(finding)),
    )


_NOTHING: dict[str, Any] = {
    "verdict": AWAITED,
    "p": None,
    "q": None,
    "ratio": None,
    "neighbours": (),
}


def _checked(finding: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "verdict": _verdict(finding.get("verdict")),
        "p": _share(finding, "p"),
        "q": _share(finding, "q"),
        "ratio": _number(finding, "ratio"),
        "neighbours": tuple(map(_neighbour, _listed(finding))),
    }


def _listed(finding: Mapping[str, Any]) -> list[Any]:
    found = finding.get("neighbours")
    if not isinstance(found, list) or len(found) > _MOST_NEIGHBOURS:
        raise BadLine("the neighbours are no short list")
    return found


def _neighbour(told: Any) -> Neighbour:
    if not isinstance(told, dict):
        raise BadLine("a neighbour is no object")
    distance = _number(told, "distance")
    return Neighbour(
        row=_whole(told, "row"),
        distance=0.0 if distance is None else distance,
        ratio=_number(told, "ratio"),
        content=_png(told.get("png")),
        mirrored=told.get("mirrored") is True,
        **{key: _text(told, key) for key in _TEXTS},
    )


def _png(value: Any) -> bytes:
    if not isinstance(value, str) or len(value) > 4 * _LARGEST_PICTURE // 3 + 4:
        raise BadLine("a picture is no text of base64, or too large")
    try:
        content = base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError) as error:
        raise BadLine("a picture is no base64") from error
    if not content.startswith(_PNG):
        raise BadLine("a picture is no PNG")
    return content


def _verdict(value: Any) -> str:
    if not isinstance(value, str) or value not in VERDICTS:
        raise BadLine("the verdict is unknown")
    return value


def _settings(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict) or len(value) > _MOST_SETTINGS:
        raise BadLine("the settings are no short object")
    plain = (str, int, float, bool, type(None))
    if not all(isinstance(one, plain) and len(str(one)) <= _LONGEST_TEXT for one in value.values()):
        raise BadLine("the settings hold more than numbers and texts")
    return {str(key)[:80]: one for key, one in value.items()}


def _whole(told: Mapping[str, Any], key: str) -> int:
    value = told.get(key)
    if type(value) is not int or not 0 <= value < 2**63:
        raise BadLine(f"{key} is no whole number")
    return value


def _number(told: Mapping[str, Any], key: str) -> float | None:
    value = told.get(key)
    if value is None:
        return None
    if type(value) not in (int, float) or not (math.isfinite(value) and value >= 0):
        raise BadLine(f"{key} is no number")
    return float(value)


def _share(told: Mapping[str, Any], key: str) -> float | None:
    value = _number(told, key)
    if value is not None and value > 1:
        raise BadLine(f"{key} is above 1")
    return value


def _text(told: Mapping[str, Any], key: str) -> str:
    """A text of the pack, which came from the web: cut, and strange letters named."""
    value = told.get(key)
    return seen(str(value)[:_LONGEST_TEXT]) if value is not None else ""
