"""What was judged in another catalogue, as wishes for this one that overrule nobody here."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from dataset.catalog import Catalog
from dataset.records import (
    Change,
    ImageRecord,
    Outcome,
    PairChange,
    PairVerdict,
    VoteChange,
    Wish,
)
from dataset.star_cover import settle
from dataset.wording import LONGEST_CAPTION, clean_label

_LONGEST_REASON = 200
_OUTCOMES: dict[int, Outcome] = {1: "left", 0: "tie", -1: "right"}
_AT_ONCE = 500


def merged_changes(catalog: Catalog, guest: Catalog, ids: Mapping[int, int]) -> list[Wish]:
    """Changes by what `guest` says of its pictures, whose numbers here are `ids`.

    Status, stars, caption and label of pictures that are undecided here, where nothing is set
    yet; verdicts on pairs that contradict none of this catalogue; votes that are not here. Asked
    again after they were applied, nothing is left.
    """
    return [
        *_judged(catalog, guest, ids),
        *_verdicts(catalog, guest, ids),
        *_votes(catalog, guest, ids),
    ]


def _judged(catalog: Catalog, guest: Catalog, ids: Mapping[int, int]) -> Iterator[Change]:
    seen: set[int] = set()
    numbers = list(ids)
    for start in range(0, len(numbers), _AT_ONCE):
        part = numbers[start : start + _AT_ONCE]
        there = guest.images.records(part)
        here = catalog.images.records([ids[number] for number in part])
        for number in part:
            mine = here[ids[number]]
            if mine.id not in seen and mine.status == "undecided":
                seen.add(mine.id)
                yield from _wishes(guest, there[number], mine, ids)


def _wishes(
    guest: Catalog, theirs: ImageRecord, mine: ImageRecord, ids: Mapping[int, int]
) -> Iterator[Change]:
    if theirs.status != "undecided":
        reason = _reason(guest, theirs, mine, ids)
        if reason is not None:
            yield Change(image_id=mine.id, field="status", value=theirs.status, reason=reason)
    if theirs.stars and not mine.stars:
        yield Change(image_id=mine.id, field="stars", value=theirs.stars)
    if theirs.caption and not mine.caption and len(theirs.caption) <= LONGEST_CAPTION:
        yield Change(image_id=mine.id, field="caption", value=theirs.caption)
    label = clean_label(theirs.label)
    if label and not mine.label:
        yield Change(image_id=mine.id, field="label", value=label)


def _reason(
    guest: Catalog, theirs: ImageRecord, mine: ImageRecord, ids: Mapping[int, int]
) -> str | None:
    """Why it was judged so, with numbers of this catalogue; None for a duplicate of a picture that
    is not here, or that is the same one here."""
    keeper = guest.handover.keeper_of(theirs.id)
    if keeper is None:
        return theirs.reason[:_LONGEST_REASON]
    if keeper not in ids or ids[keeper] == mine.id:
        return None
    return f"duplicate of #{ids[keeper]}"


def _verdicts(catalog: Catalog, guest: Catalog, ids: Mapping[int, int]) -> list[PairChange]:
    """Verdicts on pairs that nothing is said of here, both not rejected, and that contradict
    nothing said here, over any chain."""
    own = catalog.judgements.pairs.verdicts()
    decided = {(verdict.a, verdict.b) for verdict in own}
    wanted: dict[tuple[int, int], PairVerdict] = {}
    # Older than everything here, so that in a contradiction they are the ones overruled.
    for verdict in guest.judgements.pairs.verdicts():
        if verdict.a in ids and verdict.b in ids:
            a, b = sorted((ids[verdict.a], ids[verdict.b]))
            if a != b and (a, b) not in decided:
                since = -1 - max(0, 2**62 - verdict.since)
                wanted[a, b] = PairVerdict(a=a, b=b, verdict=verdict.verdict, since=since)
    rejected = _rejected(catalog, sorted({end for pair in wanted for end in pair}))
    asked = [v for v in wanted.values() if v.a not in rejected and v.b not in rejected]
    overruled = set(settle([*own, *asked]).overruled)
    return [PairChange(a=v.a, b=v.b, verdict=v.verdict) for v in asked if v not in overruled]


def _rejected(catalog: Catalog, image_ids: Sequence[int]) -> set[int]:
    records = catalog.images.records(image_ids)
    return {record.id for record in records.values() if record.status == "reject"}


def _votes(catalog: Catalog, guest: Catalog, ids: Mapping[int, int]) -> Iterator[VoteChange]:
    """Votes that were cast there oftener than they are known here."""
    here = _ballots(catalog)
    for (left, right, outcome, aside), count in _ballots(guest).items():
        if left in ids and right in ids and ids[left] != ids[right]:
            ballot = (ids[left], ids[right], outcome, aside)
            for _ in range(count - here[ballot]):
                yield VoteChange(
                    left=ballot[0], right=ballot[1], outcome=_OUTCOMES[outcome], aside=aside
                )


def _ballots(catalog: Catalog) -> Counter[tuple[int, int, int, bool]]:
    votes = catalog.votes.standing()
    return Counter(
        zip(
            votes.left.tolist(),
            votes.right.tolist(),
            votes.outcome.tolist(),
            votes.aside.tolist(),
            strict=True,
        )
    )
