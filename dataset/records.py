"""The nouns that every stage speaks of: a picture, where it came from, what was said of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, TypeVar, get_args

T = TypeVar("T")

Status = Literal["undecided", "keep", "reject"]
STATUSES: tuple[Status, ...] = get_args(Status)

AddressState = Literal["new", "fetched", "rejected", "retry", "failed", "refused"]
ADDRESS_STATES: tuple[AddressState, ...] = get_args(AddressState)

JudgedField = Literal["status", "label", "stars", "caption"]
JUDGED_FIELDS: tuple[JudgedField, ...] = get_args(JudgedField)

# What a person said of two pictures; "" is nothing, or no longer anything.
Verdict = Literal["", "same", "different"]
VERDICTS: tuple[Verdict, ...] = get_args(Verdict)

# Which of two pictures is the better one, by the side on which it stood.
Outcome = Literal["left", "right", "tie"]
OUTCOMES: tuple[Outcome, ...] = get_args(Outcome)

# The origin of a caption that a person wrote here, and what it is of any other that says the same.
JUDGED_CAPTION, CLAIMED_CAPTION = "judged", "merged"


def filled(kind: type[T], fields: Mapping[str, Any]) -> T:
    """A frozen record with all of its fields, made four times as fast as by calling its class:
    for the many of a pack."""
    record = object.__new__(kind)
    vars(record).update(fields)
    return record


@dataclass(frozen=True, kw_only=True)
class Caption:
    """One version of a picture's text and where that text stood (card, detail page, alt, ...)."""

    text: str
    origin: str
    added_at: str = ""


def found_caption(caption: Caption) -> Caption:
    """A caption as it is stored beside others: none that was found passes for one written here."""
    is_claimed = caption.origin == JUDGED_CAPTION
    return replace(caption, origin=CLAIMED_CAPTION) if is_claimed else caption


def best_caption(captions: Sequence[Caption]) -> str:
    """What a person wrote here, else the longest text: cards cut theirs, detail pages have them
    whole; "" without any."""
    judged = [caption.text for caption in captions if caption.origin == JUDGED_CAPTION]
    return judged[0] if judged else max((caption.text for caption in captions), key=len, default="")


@dataclass(frozen=True, kw_only=True)
class Origin:
    """One place where a picture was found. Times are ISO 8601 in UTC; empty means unknown.

    `attribution` is the line that the site itself wants to be credited with.
    """

    url: str
    page_url: str = ""
    source: str = ""
    query: str = ""
    author: str = ""
    author_url: str = ""
    licence: str = "unknown"
    licence_url: str = ""
    attribution: str = ""
    fetched_at: str = ""


@dataclass(frozen=True, kw_only=True)
class NewImage:
    """A decoded, stored picture on its way into the catalogue.

    sha256 is of the stored bytes, pixel_sha256 of the upright pixels and their shape (of a large
    JPEG: of the pixels that hashing needs); `hashes`
    maps algorithm/version to hexadecimal text, `quality` a measure's name to its score;
    `fingerprint` is what `dataset.fingerprint` writes: what pictures are compared by.
    """

    sha256: str
    pixel_sha256: str
    format: str
    width: int
    height: int
    byte_count: int
    has_alpha: bool = False
    label: str = ""
    hashes: dict[str, str] = field(default_factory=dict)
    quality: dict[str, float] = field(default_factory=dict)
    fingerprint: bytes = b""


@dataclass(frozen=True, kw_only=True)
class ImageRecord:
    """One distinct picture with its present judgement; `stars` is 0 (none) to 5.

    `caption` is the text that a person gave it, "" while the texts stand as they were found.
    """

    id: int
    sha256: str
    pixel_sha256: str
    format: str
    width: int
    height: int
    byte_count: int
    has_alpha: bool
    label: str
    status: Status
    reason: str
    stars: int
    caption: str
    added_at: str


@dataclass(frozen=True, kw_only=True)
class ImageFilter:
    """Which pictures: every field that is set must hold; `text` is looked for in captions."""

    status: Status | None = None
    label: str | None = None
    source: str | None = None
    licence: str | None = None
    text: str = ""


@dataclass(frozen=True, kw_only=True)
class Change:
    """One wish: set `field` of a picture to `value`; `reason` says why (kept for status only)."""

    image_id: int
    field: JudgedField
    value: str | int
    reason: str = ""


@dataclass(frozen=True, kw_only=True)
class Event:
    """One change that happened; never altered. `undoes` is the batch that this one takes back."""

    id: int
    batch: int
    at: str
    who: str
    verb: str
    image_id: int
    field: JudgedField
    before: str | int
    after: str | int
    reason_before: str
    reason_after: str
    undoes: int | None


@dataclass(frozen=True, kw_only=True)
class PairChange:
    """One wish: let two pictures count as the same or as different, whatever the hashes say."""

    a: int
    b: int
    verdict: Verdict


@dataclass(frozen=True, kw_only=True)
class PairDecision:
    """One decision on a pair (a < b) that was made; never altered.

    `since_before` and `since_after` are the batches that set those verdicts, 0 for none.
    """

    id: int
    batch: int
    at: str
    who: str
    verb: str
    a: int
    b: int
    before: Verdict
    after: Verdict
    since_before: int
    since_after: int
    undoes: int | None


@dataclass(frozen=True, kw_only=True)
class PairVerdict:
    """What holds for a pair (a < b) at present, and the batch `since` which it holds."""

    a: int
    b: int
    verdict: Verdict
    since: int


@dataclass(frozen=True, kw_only=True)
class VoteChange:
    """One wish: count a comparison of two pictures, `left` and `right` as they were shown.

    `aside` marks a random pair that no fit may see: it measures the fit.
    """

    left: int
    right: int
    outcome: Outcome
    aside: bool = False


@dataclass(frozen=True, kw_only=True)
class Vote:
    """One comparison that was made; never altered, counted as long as its batch stands."""

    id: int
    batch: int
    at: str
    who: str
    verb: str
    left: int
    right: int
    outcome: Outcome
    aside: bool


@dataclass(frozen=True, kw_only=True)
class SettingChange:
    """One wish: set the small fact `name`, such as "target:dog", to `value`; "" forgets it."""

    name: str
    value: str


@dataclass(frozen=True, kw_only=True)
class SettingEvent:
    """One change of a setting that happened; never altered."""

    id: int
    batch: int
    at: str
    who: str
    verb: str
    name: str
    before: str
    after: str
    undoes: int | None


# Whatever one batch can hold.
Wish = Change | PairChange | VoteChange | SettingChange


@dataclass(frozen=True, kw_only=True)
class UndoneBatch:
    """A batch that was taken back: its number, name and author, and what the undo did; `votes`
    are those that no longer count. `pictures` is of how many pictures there were events, of which
    `events` may hold only the first."""

    batch: int
    verb: str
    who: str
    events: tuple[Event, ...]
    pairs: tuple[PairDecision, ...]
    votes: tuple[Vote, ...] = ()
    settings: tuple[SettingEvent, ...] = ()
    pictures: int = 0


@dataclass(frozen=True, kw_only=True)
class Edge:
    """Two pictures (a < b) that show the same, and the witnesses for it.

    phash_bits and dhash_bits are of 64, fine_bits of 256, colour_levels 0..255; `score` is how
    surely they show the same, 0..1; `reason` how one became the other (same, mirrored, cropped...).
    """

    a: int
    b: int
    phash_bits: int
    dhash_bits: int
    colour_levels: float
    fine_bits: int = 0
    score: float = 1.0
    reason: str = "same"


@dataclass(frozen=True, kw_only=True)
class AddressRecord:
    """The ledger's row of one canonical address: what came of asking for it, and why.

    `host` has its port, "-" for what lies on this machine; `id` is 0 before it is stored.
    """

    url: str
    state: AddressState
    reason: str
    host: str = ""
    message: str = ""
    attempts: int = 1
    http_status: int = 0
    sha256: str = ""
    final_url: str = ""
    etag: str = ""
    last_modified: str = ""
    next_try_at: str = ""
    updated_at: str = ""
    id: int = 0


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """That a source named an address, and on which page; `facts` is all else it said, as JSON."""

    source: str
    page_url: str
    query: str
    facts: str = "{}"


@dataclass(frozen=True, kw_only=True)
class CrawlRun:
    """One run of the collector: its resolved config and its report as JSON, "" while it runs or
    when it was killed."""

    id: int
    started_at: str
    ended_at: str
    config: str
    report: str
