"""Which preset suits a catalogue, and how many of its pictures lie beyond a cut."""

import logging

import pytest

from dataset.catalog import Catalog
from dataset.issues import Standard, standard_of, suited_preset, warn_of_old_scores
from dataset.quality import PRESETS, QualityCuts, Rule
from tests.dataset.conftest import AddPicture
from tests.dataset.paired_catalogue import add_named, judge
from tests.dataset.pictures import encoded, scene
from tests.dataset.quality.rasters import page_of_text, photograph

BLUR = Rule("blur", "sharpness", "low", 0.5)
DARK = Rule("dark", "dark", "high", 0.5)


def add_scores(catalog: Catalog, scores: list[float], measure: str) -> None:
    for number, score in enumerate(scores, 1):
        add_named(catalog, f"{measure} {number}", quality={measure: score})


def test_photographs_make_a_catalogue_of_photographs(
    catalog: Catalog, add_picture: AddPicture
) -> None:
    for seed in range(3):
        add_picture(encoded(photograph(seed, (200, 150))))
    add_picture(encoded(page_of_text()))
    expected = "1 of 4 pictures looked at have transparency or few tones"
    assert suited_preset(catalog) == ("photo", expected)


def test_transparent_and_flat_pictures_make_a_catalogue_of_logos(
    catalog: Catalog, add_picture: AddPicture
) -> None:
    glass = photograph(1, (200, 150))
    glass.putalpha(128)
    add_picture(encoded(glass))
    add_picture(encoded(page_of_text()))
    add_picture(encoded(photograph(2, (200, 150))))
    assert suited_preset(catalog)[0] == "logo"


def test_an_alpha_channel_that_hides_nothing_makes_no_logo(
    catalog: Catalog, add_picture: AddPicture
) -> None:
    add_picture(encoded(photograph(1, (200, 150)).convert("RGBA")))
    assert suited_preset(catalog)[0] == "photo"


def test_pictures_that_do_not_tell_and_none_at_all_make_photographs(catalog: Catalog) -> None:
    assert suited_preset(catalog)[0] == "photo"
    for name in "abc":
        add_named(catalog, name, quality={"contrast": 50.0})
    assert suited_preset(catalog) == (
        "photo",
        "0 of 0 pictures looked at have transparency or few tones",
    )


def test_rejecting_pictures_does_not_change_the_preset(catalog: Catalog) -> None:
    for number in range(5):
        add_named(catalog, str(number), quality={"entropy": 2.0 if number < 3 else 7.0})
    before = suited_preset(catalog)
    for image_id in (1, 2, 3):
        judge(catalog, image_id, "reject")
    assert before[0] == "logo"
    assert suited_preset(catalog) == before


def test_an_explicit_preset_always_holds(catalog: Catalog) -> None:
    add_named(catalog, "a", quality={"entropy": 1.0})
    standard = standard_of(catalog, QualityCuts(preset="photo"))
    assert standard == Standard("photo", "as asked", PRESETS["photo"])


def test_a_score_on_the_cut_is_no_issue_and_rejected_pictures_count_nowhere(
    catalog: Catalog,
) -> None:
    add_scores(catalog, [0.5, 0.49, 0.1, 0.9, 0.2], "sharpness")
    judge(catalog, 5, "reject")
    assert catalog.scores.count(BLUR) == 2
    assert catalog.scores.count(DARK) == 0
    listed = catalog.scores.listed
    assert listed(BLUR, "worst", 9) == [(3, 0.1), (2, 0.49)]
    assert listed(BLUR, "over", 9) == [(2, 0.49), (3, 0.1)]
    assert listed(BLUR, "under", 9) == [(1, 0.5), (4, 0.9)]


def test_where_high_is_bad_the_worst_are_the_highest(catalog: Catalog) -> None:
    add_scores(catalog, [0.5, 0.6, 1.0, 0.1, 1.0], "dark")
    listed = catalog.scores.listed
    assert listed(DARK, "worst", 2) == [(3, 1.0), (5, 1.0)]
    assert listed(DARK, "over", 2) == [(2, 0.6), (3, 1.0)]
    assert listed(DARK, "under", 9) == [(1, 0.5), (4, 0.1)]


def test_scores_of_an_older_version_are_told(
    catalog: Catalog, add_picture: AddPicture, caplog: pytest.LogCaptureFixture
) -> None:
    add_picture(encoded(scene(1)))
    warn_of_old_scores(catalog)
    assert caplog.text == ""
    add_named(catalog, "old", fingerprint=b"")
    with caplog.at_level(logging.WARNING):
        warn_of_old_scores(catalog)
    assert "1 pictures were measured by an older version" in caplog.text
    assert "python -m dataset rehash" in caplog.text
