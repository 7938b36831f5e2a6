"""Cuts: a file in the data folder, --set over it, and no cut that could never be reached."""

from pathlib import Path

import pytest

from dataset.errors import ConfigError
from dataset.quality import CUTS_FILE, PRESETS, Preset, QualityCuts, Rule, read_cuts, rules_of


def by_issue(cuts: QualityCuts, preset: Preset = "photo") -> dict[str, Rule]:
    return {rule.issue: rule for rule in rules_of(cuts, preset)}


@pytest.mark.parametrize("preset", ["photo", "logo"])
def test_without_a_cut_of_its_own_a_catalogue_has_those_of_the_preset(preset: Preset) -> None:
    assert rules_of(QualityCuts(), preset) == PRESETS[preset]


def test_a_cut_replaces_one_of_the_preset_and_no_other() -> None:
    rules = by_issue(QualityCuts(cut={"blur": 0.4}))
    assert rules.pop("blur") == Rule("blur", "sharpness", "low", 0.4)
    assert list(rules.values()) == [rule for rule in PRESETS["photo"] if rule.issue != "blur"]


def test_a_cut_for_an_issue_of_another_preset_makes_this_one_look_for_it() -> None:
    assert "watermark" not in {rule.issue for rule in PRESETS["logo"]}
    rules = by_issue(QualityCuts(cut={"watermark": 0.5}), "logo")
    assert rules["watermark"] == Rule("watermark", "watermark", "high", 0.5)
    assert len(rules) == len(PRESETS["logo"]) + 1


def test_the_data_folder_has_cuts_and_a_named_file_and_set_and_preset_go_over_it(
    tmp_path: Path,
) -> None:
    assert read_cuts(tmp_path) == QualityCuts()
    (tmp_path / CUTS_FILE).write_text('preset = "logo"\n[cut]\nblur = 0.1\nodd-aspect = 9\n')
    assert read_cuts(tmp_path).cut == {"blur": 0.1, "odd-aspect": 9.0}
    over = read_cuts(tmp_path, None, ["cut.blur=0.2"], "photo")
    assert over == QualityCuts(preset="photo", cut={"blur": 0.2, "odd-aspect": 9.0})
    other = tmp_path / "other.toml"
    other.write_text("cut.dark = 0.9")
    assert read_cuts(tmp_path, other) == QualityCuts(cut={"dark": 0.9})


@pytest.mark.parametrize(
    ("assignment", "said"),
    [
        ("cut.blurr=0.4", "no such issue; there are blur, dark"),
        ("cut.=1", "no such issue"),
        ("cut.blur=soft", "must be a number"),
        ("cut.blur=true", "must be a number"),
        ("cut.blur=nan", "must be a finite number"),
        ("cut.odd-aspect=inf", "must be a finite number"),
        ("cut=1", "must be a table"),
        ("cuts.blur=1", "did you mean cut"),
        ("preset=painting", "must be one of: auto, photo, logo"),
    ],
)
def test_what_is_no_cut_is_refused(tmp_path: Path, assignment: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        read_cuts(tmp_path, None, [assignment])


@pytest.mark.parametrize(("issue", "cut"), [("blur", 1.5), ("dark", -0.1), ("too-small", 0.0)])
def test_a_cut_that_its_measure_cannot_reach_is_refused(issue: str, cut: float) -> None:
    with pytest.raises(ConfigError, match=f"cut.{issue} is .* goes from"):
        rules_of(QualityCuts(cut={issue: cut}), "photo")
