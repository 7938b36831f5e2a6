"""The headless rule: what can be judged without eyes is, as one batch that one undo takes back."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from dataset.catalog import Catalog
from dataset.duplicates import DEFAULT_RADIUS, Comparison, require_radius
from dataset.keep_rule import KeepRule, read_rule
from dataset.likeness import refresh_edges
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

    A picture that was judged before, by anyone, is left alone, so a second run changes nothing
    (but for duplicates of what is rejected now: undecided again, they wait for the second run).
    Which of several duplicates stays says keep.toml in the data folder, if there is one.
    Raises ConfigError for a radius (bits of 64) that the stored pairs do not reach.
    """
    radius = DEFAULT_RADIUS if radius is None else radius
    require_radius(radius)
    rule = read_rule(catalog.path.parent)
    # One transaction: nobody who judges meanwhile is overruled, no picture comes in between.
    with catalog.transaction():
        refresh_edges(catalog)
        changes = automatic_changes(catalog, radius, rule)
        before = catalog.images.count() - len(changes)
        batch = None
        if changes and not dry_run:
            batch = catalog.judgements.apply(changes, who=WHO, verb="auto")
    rejected = Counter(change.reason.split()[0] for change in changes if change.value == "reject")
    kept = sum(change.value == "keep" for change in changes)
    return AutoOutcome(batch=batch, kept=kept, rejected=dict(rejected), decided_before=before)


def automatic_changes(catalog: Catalog, radius: int, rule: KeepRule | None = None) -> list[Change]:
    """The rule itself, in order of identity; needs `refresh_edges` before.

    Groups are made without the blanks and collages: what only they were near to is kept.
    """
    undecided = [record.id for record in catalog.images.all(ImageFilter(status="undecided"))]
    useless = _useless(catalog, undecided)
    comparison = Comparison(catalog, rule, without=useless)
    marks = {change.image_id: change for change in comparison.marks(comparison.groups(radius))}
    return [
        marks.get(image_id)
        or Change(
            image_id=image_id,
            field="status",
            value="reject" if image_id in useless else "keep",
            reason=useless.get(image_id, ""),
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
