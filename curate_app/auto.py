"""The headless rule: what can be judged without eyes is, as one batch that one undo takes back."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from dataset.catalog import Catalog
from dataset.duplicates import DEFAULT_RADIUS, duplicate_groups
from dataset.errors import ConfigError
from dataset.likeness import LARGEST_RADIUS, refresh_edges
from dataset.quality import BLANK_CONTRAST, COLLAGE_SCORE
from dataset.records import Change, ImageFilter

WHO = "auto"


@dataclass(frozen=True, kw_only=True)
class AutoOutcome:
    """What the rule did or would do; `batch` is None when nothing was written."""

    batch: int | None
    kept: int
    rejected: dict[str, int]  # pictures by reason: blank, collage, duplicate
    decided_before: int

    @property
    def changed(self) -> int:
        return self.kept + sum(self.rejected.values())


def judge_automatically(
    catalog: Catalog, *, radius: int | None = None, dry_run: bool = False
) -> AutoOutcome:
    """Judge the undecided pictures: reject blanks, collages and worse duplicates, keep the rest.

    A picture that was judged before, by anyone, is left alone, so a second run changes nothing.
    Raises ConfigError for a radius (bits of 64) that the stored pairs do not reach.
    """
    radius = DEFAULT_RADIUS if radius is None else radius
    if not 0 <= radius <= LARGEST_RADIUS:
        raise ConfigError(f"--radius {radius} is out of range; choose 0 to {LARGEST_RADIUS}")
    # One transaction: nobody who judges meanwhile is overruled, no picture comes in between.
    with catalog.transaction():
        refresh_edges(catalog)
        changes = automatic_changes(catalog, radius)
        batch = None
        if changes and not dry_run:
            batch = catalog.judgements.apply(changes, who=WHO, verb="auto")
        decided = catalog.images.count() - catalog.images.count(ImageFilter(status="undecided"))
    rejected = Counter(change.reason.split()[0] for change in changes if change.value == "reject")
    kept = sum(change.value == "keep" for change in changes)
    before = decided if batch is None else decided - len(changes)
    return AutoOutcome(batch=batch, kept=kept, rejected=dict(rejected), decided_before=before)


def automatic_changes(catalog: Catalog, radius: int) -> list[Change]:
    """The rule itself, in order of identity; needs `refresh_edges` before."""
    undecided = [record.id for record in catalog.images.all(ImageFilter(status="undecided"))]
    reasons = _useless(catalog, undecided)
    for group in duplicate_groups(catalog, radius):
        # When the suggested keeper is useless itself, the next one of the group stands in.
        staying = [member for member in group.members if member not in reasons]
        for member in staying[1:]:
            reasons[member] = f"duplicate of #{staying[0]}"
    return [
        Change(
            image_id=image_id,
            field="status",
            value="reject" if image_id in reasons else "keep",
            reason=reasons.get(image_id, ""),
        )
        for image_id in undecided
    ]


def _useless(catalog: Catalog, undecided: Sequence[int]) -> dict[int, str]:
    contrast, collage = catalog.images.scores("contrast"), catalog.images.scores("collage")
    reasons = {}
    for image_id in undecided:
        if contrast.get(image_id, BLANK_CONTRAST) < BLANK_CONTRAST:
            reasons[image_id] = "blank"
        elif collage.get(image_id, 0.0) > COLLAGE_SCORE:
            reasons[image_id] = "collage"
    return reasons
