"""What a catalogue holds its pictures to: the preset that suits it, and the cuts that were set."""

import logging
from dataclasses import dataclass, replace

from dataset.catalog import Catalog
from dataset.fingerprint import FINGERPRINT
from dataset.quality import MEASURES, Preset, QualityCuts, Rule, rules_of

log = logging.getLogger(__name__)

# Below this entropy (bits of the luma histogram) a picture has few tones: drawn, not photographed.
FEW_TONES = 4.5
# A setting of the catalogue by this name and a measure's holds the cut that was remembered.
CUT_SETTING = "cut:"
# So many pictures are looked at to choose a preset, and this share of them makes logos.
_SAMPLE = 1000
_MOST = 0.5


@dataclass(frozen=True)
class Standard:
    """The rules that hold for a catalogue, of which preset they are, and why of that one."""

    preset: Preset
    reason: str
    rules: tuple[Rule, ...]


def standard_of(catalog: Catalog, cuts: QualityCuts) -> Standard:
    """The standard by `cuts`; raises ConfigError for a cut that its measure cannot reach.

    What a file or `--set` says of an issue goes before what was remembered in the judging app,
    and that before the preset.
    """
    preset, reason = suited_preset(catalog) if cuts.preset == "auto" else (cuts.preset, "as asked")
    remembered = remembered_cuts(catalog)
    rules = (
        rule
        if rule.issue in cuts.cut
        else replace(rule, cut=remembered.get(rule.measure, rule.cut))
        for rule in rules_of(cuts, preset)
    )
    return Standard(preset, reason, tuple(rules))


def remembered_cuts(catalog: Catalog) -> dict[str, float]:
    """The cuts that were remembered in the judging app, by measure."""
    found = {}
    for name, value in catalog.settings.all().items():
        measure = MEASURES.get(name.removeprefix(CUT_SETTING))
        if measure is None or not name.startswith(CUT_SETTING):
            continue
        try:
            cut = float(value)
        except ValueError:
            cut = float("nan")
        if measure.low <= cut <= measure.high:
            found[measure.name] = cut
        else:
            log.warning("the remembered cut of %s is %r, which it cannot be", measure.name, value)
    return found


def suited_preset(catalog: Catalog) -> tuple[Preset, str]:
    """The preset that suits the catalogue as a whole, and why: logos are transparent or have few
    tones. Old scores that do not tell count for neither."""
    looks = [
        alpha or (entropy is not None and entropy < FEW_TONES)
        for alpha, entropy in catalog.scores.sampled("entropy", _SAMPLE)
        if alpha or entropy is not None
    ]
    reason = f"{sum(looks)} of {len(looks)} pictures looked at have transparency or few tones"
    return "logo" if looks and sum(looks) > _MOST * len(looks) else "photo", reason


def tell_choice(standard: Standard) -> None:
    """Say in the log which preset was chosen for the catalogue, and why."""
    log.info("preset %s: %s (--preset chooses otherwise)", standard.preset, standard.reason)


def warn_of_old_scores(catalog: Catalog) -> None:
    """Say in the log how many pictures have scores that an older version measured."""
    old = catalog.images.without_fingerprint(FINGERPRINT)
    if old:
        log.warning(
            "%d pictures were measured by an older version, scores may lack or mislead; "
            "run: python -m dataset rehash",
            len(old),
        )
