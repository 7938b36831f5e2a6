"""The headless rule: what can be judged without eyes is, as one batch that one undo takes back."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from dataset.catalog import Catalog
from dataset.duplicates import DEFAULT_RADIUS, Comparison, require_radius
from dataset.errors import ConfigError
from dataset.issues import standard_of, tell_choice
from dataset.keep_rule import KeepRule, read_rule
from dataset.likeness import refresh_edges
from dataset.quality import BLANK_CONTRAST, PresetWish, Rule, read_cuts
from dataset.records import Change, ImageFilter

WHO = "auto"
# What is rejected unless something else is asked for; nothing else ever goes unasked.
DEFAULT_REJECT = ("blank", "collage")
_BLANK = Rule("blank", "contrast", "low", BLANK_CONTRAST)


@dataclass(frozen=True, kw_only=True)
class AutoOutcome:
    """What the rule did or would do; `batch` is None when nothing was written."""

    batch: int | None
    kept: int
    rejected: dict[str, int]  # pictures by reason: blank, an issue, duplicate
    decided_before: int
    unsure: int = 0  # perhaps duplicates: left for somebody to look at

    @property
    def changed(self) -> int:
        return self.kept + sum(self.rejected.values())


def judge_automatically(
    catalog: Catalog,
    *,
    radius: int | None = None,
    dry_run: bool = False,
    reject: Sequence[str] = DEFAULT_REJECT,
    preset: PresetWish | None = None,
) -> AutoOutcome:
    """Judge the undecided pictures: reject blanks, collages and worse duplicates, keep the rest.

    `reject` names the issues that go, "blank" or any of the preset; what has several is rejected
    for the first. The cuts are those of `preset` and of quality.toml in the data folder.

    A picture that was judged before, by anyone, is left alone, so a second run changes nothing
    (but for duplicates of what is rejected now: undecided again, they wait for the second run).
    Which of several duplicates stays says keep.toml in the data folder, if there is one.
    Raises ConfigError for a radius (bits of 64) that the stored pairs do not reach, and for an
    issue that there is none of.
    """
    radius = DEFAULT_RADIUS if radius is None else radius
    require_radius(radius)
    rule = read_rule(catalog.path.parent)
    refresh_edges(catalog)  # which may take minutes, and keeps nobody waiting here
    # One state: nobody who judges meanwhile is overruled, no picture comes in between.
    with catalog.snapshot() if dry_run else catalog.transaction():
        if not dry_run:
            refresh_edges(catalog)
        rules = _rejecting(catalog, reject, preset)
        changes, unsure = automatic_changes(catalog, radius, rule, rules)
        before = catalog.images.count() - len(changes) - len(unsure)
        batch = None
        if changes and not dry_run:
            batch = catalog.judgements.apply(changes, who=WHO, verb="auto")
    rejected = Counter(change.reason.split()[0] for change in changes if change.value == "reject")
    kept = sum(change.value == "keep" for change in changes)
    return AutoOutcome(
        batch=batch,
        kept=kept,
        rejected=dict(rejected),
        decided_before=before,
        unsure=len(unsure),
    )


def automatic_changes(
    catalog: Catalog, radius: int, keep_rule: KeepRule, issue_rules: Sequence[Rule]
) -> tuple[list[Change], set[int]]:
    """The rule itself, in order of identity, and the pictures that it leaves alone; needs
    `refresh_edges` before.

    Groups are made without the pictures with an issue: what only they were near to is kept.
    Pictures that are less surely duplicates than keep.toml asks for stay undecided.
    """
    undecided = [record.id for record in catalog.images.all(ImageFilter(status="undecided"))]
    useless = _useless(catalog, undecided, issue_rules)
    comparison = Comparison(catalog, keep_rule, without=useless, sure_only=True)
    marks = {change.image_id: change for change in comparison.marks(comparison.groups(radius))}
    perhaps = Comparison(catalog, keep_rule, without=[*useless, *marks])
    groups = perhaps.groups(radius)
    unsure = {image_id for group in groups for image_id in group.members[1:]} & set(undecided)
    changes = [
        marks.get(image_id)
        or Change(
            image_id=image_id,
            field="status",
            value="reject" if image_id in useless else "keep",
            reason=useless.get(image_id, ""),
        )
        for image_id in undecided
        if image_id not in unsure
    ]
    return changes, unsure


def _rejecting(catalog: Catalog, names: Sequence[str], preset: PresetWish | None) -> list[Rule]:
    """The rules of the named issues, in their order."""
    cuts = read_cuts(catalog.path.parent, preset=preset)
    if cuts.preset == "auto" and set(names) <= set(DEFAULT_REJECT):
        cuts = replace(cuts, preset="photo")  # drawn pictures make collages, too
    standard = standard_of(catalog, cuts)
    known = {rule.issue: rule for rule in (_BLANK, *standard.rules)}
    for name in names:
        if name not in known:
            raise ConfigError(
                f"--reject {name!r}: preset {standard.preset} has no such issue; "
                f"choose from {', '.join(known)}"
            )
    if cuts.preset == "auto":
        tell_choice(standard)
    return [known[name] for name in dict.fromkeys(names)]


def _useless(
    catalog: Catalog, undecided: Sequence[int], rules: Sequence[Rule]
) -> Mapping[int, str]:
    """The first issue of each undecided picture that has one."""
    found: dict[int, str] = {}
    for rule in reversed(rules):
        scores = catalog.images.scores(rule.measure)
        found |= {i: rule.issue for i in undecided if i in scores and rule.is_met(scores[i])}
    return found
