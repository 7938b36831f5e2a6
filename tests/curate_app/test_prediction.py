"""Predictions: what is learned from judgements, and whether its accuracy is told honestly."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from curate_app import cli
from curate_app.accuracy import (
    area_interval,
    area_under_curve,
    average_ranks,
    deciding,
    ordering,
    share_interval,
    sorting,
)
from curate_app.feature_space import FeatureSpace
from curate_app.lesson import judged_since, lesson_of, read_lesson
from curate_app.prediction import (
    Curve,
    Examples,
    calibrate,
    cross_validate,
    folds_of,
    learn,
    measure,
    opinions,
    rows_of,
    what_lacks,
)
from curate_app.predictor import class_weights, predict
from curate_app.regression import Rows, fit
from dataset.catalog import Catalog
from dataset.errors import ConfigError
from dataset.fingerprint import LOOK, Looks
from dataset.likeness import refresh_edges
from dataset.records import Change, SettingChange, VoteChange, Wish
from tests.curate_app.drawn_catalogue import DrawnCatalogue, drawing
from tests.curate_app.test_features import block_of

Numbers = NDArray[np.int64]
Doubles = NDArray[np.float64]
_NONE = np.zeros(0, np.int64)


def examples_of(
    features: NDArray[np.float32],
    status: Numbers,
    *,
    stars: Numbers | None = None,
    groups: Numbers | None = None,
    votes: list[tuple[int, int, int, bool]] | None = None,
) -> Examples:
    """Examples; `votes` are (left, right, outcome, aside)."""
    count, table = len(status), np.array(votes or [], np.int64).reshape(-1, 4)
    return Examples(
        features=features,
        status=status,
        stars=np.zeros(count, np.int64) if stars is None else stars,
        groups=np.arange(count) if groups is None else groups,
        left=table[:, 0],
        right=table[:, 1],
        outcome=table[:, 2],
        aside=table[:, 3].astype(np.bool_),
    )


def painted_looks(count: int, seed: int) -> tuple[Looks, dict[str, Doubles]]:
    """Looks of smooth random pictures, and by what they were made different."""
    rng = np.random.default_rng(seed)
    facts = {
        "brightness": rng.uniform(-40, 40, count),
        "colour": rng.uniform(-50, 50, count),
        "sharpness": rng.uniform(2, 40, count),
    }
    looks = np.zeros(count, LOOK)
    coarse = rng.normal(0, 25, (count, 4, 4)).repeat(8, axis=1).repeat(8, axis=2)
    grain = rng.normal(0, 1, (count, 32, 32)) * facts["sharpness"][:, None, None]
    luma = 128 + coarse + grain + facts["brightness"][:, None, None]
    looks["luma"] = np.clip(luma, 0, 255)
    tint = 128 + rng.normal(0, 12, (count, 16, 16, 2))
    tint[..., 1] += facts["colour"][:, None, None]
    looks["colour"] = np.clip(tint, 0, 255)
    return looks, facts


@pytest.mark.parametrize("fact", ["brightness", "colour", "sharpness"])
@pytest.mark.slow
def test_quality_that_lies_in_one_fact_is_learned_from_120_pictures(fact: str) -> None:
    looks, facts = painted_looks(400, seed=3)
    space = FeatureSpace([block_of(looks)])
    features = space.rows(block_of(looks))
    wanted = np.where(facts[fact] > np.median(facts[fact]), 1, -1)
    learned = learn(examples_of(features[:120], wanted[:120]), space.groups)
    scores, deviations = learned.model.predict(features[120:])
    found = area_under_curve(scores.astype(float), wanted[120:] > 0)
    assert found > 0.9
    sort = learned.figures[0]
    assert sort.value is not None
    assert sort.value > 0.9
    assert sort.low <= found <= sort.high
    assert (deviations > 0).all()


@pytest.mark.slow
def test_what_is_liked_in_the_middle_is_learned_too() -> None:
    looks, facts = painted_looks(500, seed=4)
    space = FeatureSpace([block_of(looks)])
    features = space.rows(block_of(looks))
    away = np.abs(facts["brightness"])
    wanted = np.where(away < np.median(away), 1, -1)
    learned = learn(examples_of(features[:250], wanted[:250]), space.groups)
    scores, _deviations = learned.model.predict(features[250:])
    assert area_under_curve(scores.astype(float), wanted[250:] > 0) > 0.85


@pytest.mark.slow
def test_noise_is_told_to_be_no_better_than_guessing() -> None:
    looks, _facts = painted_looks(160, seed=5)
    space = FeatureSpace([block_of(looks)])
    features = space.rows(block_of(looks))
    held = np.zeros(3)
    for seed in range(4):
        rng = np.random.default_rng(seed)
        status = np.where(rng.random(160) < 0.5, 1, -1)
        votes = [(int(a), int(b), int(o), False) for a, b, o in _random_votes(rng, 160, 60)]
        stars = rng.integers(1, 6, 160)
        learned = learn(examples_of(features, status, stars=stars, votes=votes), space.groups)
        held += [figure.low <= figure.chance <= figure.high for figure in learned.figures[:3]]
    # 95 % intervals: of four, one may miss by bad luck.
    assert (held >= 3).all()


def _random_votes(rng: np.random.Generator, count: int, votes: int) -> Numbers:
    left = rng.integers(0, count, votes)
    right = (left + rng.integers(1, count, votes)) % count
    return np.stack([left, right, rng.choice([-1, 1], votes)], axis=1)


def test_votes_alone_are_learned_and_measured() -> None:
    looks, facts = painted_looks(200, seed=6)
    space = FeatureSpace([block_of(looks)])
    features = space.rows(block_of(looks))
    rng = np.random.default_rng(0)
    quality = facts["colour"]
    votes = [
        (int(a), int(b), 1 if quality[a] > quality[b] else -1, number % 4 == 0)
        for number, (a, b, _o) in enumerate(_random_votes(rng, 150, 240))
    ]
    learned = learn(examples_of(features, np.zeros(200, np.int64), votes=votes), space.groups)
    scores, _deviations = learned.model.predict(features[150:])
    assert np.corrcoef(scores, quality[150:])[0, 1] > 0.8
    by_name = {figure.name: figure for figure in learned.figures}
    assert by_name["sorting"].value is None
    for name, count in (("votes", 180), ("votes by lot", 60)):
        value = by_name[name].value
        assert value is not None
        assert value > 0.8
        assert by_name[name].count == count


@pytest.mark.slow
def test_stars_alone_are_learned_and_measured() -> None:
    looks, facts = painted_looks(200, seed=7)
    space = FeatureSpace([block_of(looks)])
    features = space.rows(block_of(looks))
    stars = 1 + (average_ranks(facts["sharpness"]) * 5 / 200.5).astype(np.int64)
    learned = learn(
        examples_of(features[:100], np.zeros(100, np.int64), stars=stars[:100]), space.groups
    )
    assert (learned.figures[1].value or 0) > 0.8
    scores, _deviations = learned.model.predict(features[100:])
    assert np.corrcoef(scores, stars[100:])[0, 1] > 0.8


# ---------------------------------------------------------------- honesty


def test_duplicates_in_other_folds_are_refused() -> None:
    rng = np.random.default_rng(0)
    features = rng.normal(size=(40, 4)).astype(np.float32)
    groups = np.arange(40) // 2
    examples = examples_of(features, rng.choice([-1, 1], 40), groups=groups)
    with pytest.raises(ValueError, match="different folds"):
        cross_validate(examples, {"layout": slice(0, 4)}, np.arange(40) % 5)
    cross_validate(examples, {"layout": slice(0, 4)}, folds_of(examples))


@settings(deadline=None, max_examples=60)
@given(
    st.lists(st.tuples(st.integers(0, 30), st.sampled_from([-1, 0, 1])), min_size=2, max_size=200)
)
def test_folds_never_part_duplicates(pictures: list[tuple[int, int]]) -> None:
    groups, status = (np.array(column, np.int64) for column in zip(*pictures, strict=True))
    features = np.zeros((len(groups), 1), np.float32)
    folds = folds_of(examples_of(features, status, groups=groups))
    assert folds.min() >= 0
    for group in np.unique(groups):
        assert len(np.unique(folds[groups == group])) == 1
    if len(np.unique(groups)) > 1:
        assert len(np.unique(folds)) > 1


def test_folds_have_kept_and_rejected_ones_alike() -> None:
    status = np.array([1] * 20 + [-1] * 180)
    folds = folds_of(examples_of(np.zeros((200, 1), np.float32), status))
    kept = [int((status[folds == fold] == 1).sum()) for fold in np.unique(folds)]
    assert max(kept) - min(kept) <= 1
    assert max(np.bincount(folds)) - min(np.bincount(folds)) <= 1


@pytest.mark.slow
def test_copies_do_not_make_noise_look_learned() -> None:
    """Every picture three times, each triple judged by lot: kept apart, nothing is foretold."""
    rng = np.random.default_rng(8)
    features = rng.normal(size=(60, 30)).astype(np.float32).repeat(3, axis=0)
    status = rng.choice([-1, 1], 60).repeat(3)
    groups = np.arange(60).repeat(3)
    columns = {"layout": slice(0, 30)}
    honest = learn(examples_of(features, status, groups=groups), columns).figures[0]
    assert honest.low <= 0.5 <= honest.high
    fooled = learn(examples_of(features, status), columns).figures[0]
    assert (fooled.value or 0) > 0.8
    assert honest.high - honest.low > fooled.high - fooled.low


def test_a_model_sees_no_vote_of_a_picture_that_it_is_asked_for() -> None:
    features = np.eye(4, dtype=np.float32)
    votes = [(0, 1, 1, False), (1, 2, 1, False), (2, 3, -1, False), (0, 3, 1, True)]
    examples = examples_of(features, np.array([1, 0, -1, 1]), votes=votes)
    rows = rows_of(examples, np.array([False, True, False, False]))
    assert list(zip(rows.plus.tolist(), rows.minus.tolist(), strict=True)) == [
        *((0, -1), (2, -1), (3, -1)),
        (2, 3),
    ]
    everything = rows_of(examples)
    assert (0, 3) not in set(zip(everything.plus.tolist(), everything.minus.tolist(), strict=True))


def test_too_few_examples_are_told_and_not_measured() -> None:
    features = np.zeros((12, 2), np.float32)
    few = examples_of(features, np.array([1] * 8 + [-1] * 4))
    assert "8 kept, 4 rejected" in what_lacks(few)
    with pytest.raises(ConfigError, match="cannot say yet"):
        learn(few, {"layout": slice(0, 2)})
    enough = examples_of(features, np.array([1] * 6 + [-1] * 6))
    assert what_lacks(enough) == ""
    figures = measure(enough, np.arange(12.0))
    assert [figure.value for figure in figures] == [None] * 4
    assert "it takes 10 of each" in figures[0].missing
    same = examples_of(features, np.zeros(12, np.int64), stars=np.full(12, 4))
    assert what_lacks(same) != ""


# ---------------------------------------------------------------- the scale


def test_decisions_lie_on_their_side_of_the_cut_whatever_the_stars() -> None:
    status = np.array([1] * 6 + [-1] * 6 + [0] * 6)
    stars = np.array([0, 1, 2, 3, 4, 5] * 3)
    found = opinions(status, stars)
    assert (found[:6] > 0).all()
    assert (found[6:12] < 0).all()
    assert np.isnan(found[12])
    for part in (found[1:6], found[7:12], found[13:]):
        assert (np.diff(part) > 0).all()
    assert found[15] == 0  # three stars


def test_curve_is_that_of_the_decisions() -> None:
    rng = np.random.default_rng(1)
    scores = rng.normal(0, 1, 4000)
    kept = rng.random(4000) < 1 / (1 + np.exp(-(2 * scores - 1)))
    curve = calibrate(scores, np.where(kept, 1, -1))
    assert curve.slope == pytest.approx(2, abs=0.2)
    assert curve.offset == pytest.approx(-1, abs=0.15)
    assert calibrate(scores[:9], np.ones(9, np.int64)) == Curve()
    upside_down = calibrate(-scores, np.where(kept, 1, -1))
    assert 0 < upside_down.slope < 0.1


def test_scores_that_part_all_give_a_finite_curve() -> None:
    scores = np.concatenate([np.full(50, 1.0), np.full(50, -1.0)])
    curve = calibrate(scores, np.array([1] * 50 + [-1] * 50))
    assert np.isfinite([curve.slope, curve.offset]).all()
    assert curve.chance(np.array([-1e9, 1e9])).tolist() == pytest.approx([0, 1], abs=1e-6)


def test_worth_is_highest_where_it_is_unsure_and_near_the_cut() -> None:
    curve = Curve(slope=2, offset=0)
    far, near = np.array([3.0], np.float32), np.array([0.0], np.float32)
    sure, unsure = np.array([0.1], np.float32), np.array([1.0], np.float32)
    gains = [
        float(curve.worth(scores, deviations)[0])
        for scores, deviations in ((near, unsure), (near, sure), (far, sure))
    ]
    assert gains[0] > 3 * gains[1]
    assert gains[1] > gains[2]
    assert curve.worth(far, unsure)[0] < gains[0]
    assert 0 <= min(gains) <= max(gains) <= 1


# ---------------------------------------------------------------- the regression


def points(values: Doubles) -> Rows:
    count = len(values)
    return Rows(
        plus=np.arange(count), minus=np.full(count, -1), value=values, weight=np.ones(count)
    )


def test_regression_finds_the_group_that_matters() -> None:
    rng = np.random.default_rng(2)
    features = rng.normal(size=(150, 60)).astype(np.float32) / np.sqrt(30, dtype=np.float32)
    truth = features[:, 30:] @ rng.normal(size=30)
    model = fit(features, points(truth + 0.1 * rng.normal(size=150)), {
        "layout": slice(0, 30), "colours": slice(30, 60),
    })  # fmt: skip
    assert model.shares["colours"] > 0.9
    mean, _deviation = model.predict(features)
    assert np.corrcoef(mean, truth)[0, 1] > 0.98


def test_regression_knows_how_unsure_it_is() -> None:
    """Of truths drawn from the prior, about 90 % lie in the 90 % interval of the function."""
    rng = np.random.default_rng(3)
    inside = total = 0
    for _ in range(12):
        features = rng.normal(size=(160, 20)).astype(np.float32) / np.sqrt(20, dtype=np.float32)
        truth = features @ rng.normal(size=20) + 0.3
        known = truth[:60] + 0.5 * rng.normal(size=60)
        model = fit(features, points(known), {"layout": slice(0, 20)})
        mean, deviation = model.predict(features[60:])
        inside += int((np.abs(mean - truth[60:]) < 1.645 * deviation).sum())
        total += 100
    assert 0.8 < inside / total < 0.97


def test_regression_equals_the_closed_form_of_a_ridge() -> None:
    rng = np.random.default_rng(4)
    features = rng.normal(size=(80, 5)).astype(np.float32)
    values = features @ np.array([1.0, -2, 0, 0.5, 3]) + 4 + 0.01 * rng.normal(size=80)
    mean, _deviation = fit(features, points(values), {"layout": slice(0, 5)}).predict(features)
    assert np.abs(mean - values).max() < 0.1


def test_very_many_votes_on_one_pair_are_no_trouble() -> None:
    features = np.random.default_rng(5).normal(size=(20, 200)).astype(np.float32)
    count = 100_000
    zero, one = np.zeros(count, np.int64), np.ones(count, np.int64)
    rows = Rows(plus=zero, minus=one, value=np.ones(count), weight=np.full(count, 0.5))
    mean, deviation = fit(features, rows, {"layout": slice(0, 200)}).predict(features)
    assert mean[0] - mean[1] == pytest.approx(1, abs=0.05)
    assert np.isfinite(deviation).all()


def test_features_without_meaning_give_the_mean() -> None:
    features = np.zeros((30, 3), np.float32)
    values = np.array([1.0, -1.0] * 15)
    mean, deviation = fit(features, points(values), {"layout": slice(0, 3)}).predict(features)
    assert np.abs(mean).max() < 1e-6
    assert np.isfinite(deviation).all()


# ---------------------------------------------------------------- accuracies


def test_area_and_ranks_of_known_answers() -> None:
    assert average_ranks(np.array([3.0, 1, 3, 2])).tolist() == [3.5, 1, 3.5, 2]
    kept = np.array([True, True, False, False])
    assert area_under_curve(np.array([4.0, 3, 2, 1]), kept) == 1
    assert area_under_curve(np.array([1.0, 1, 1, 1]), kept) == 0.5
    assert area_under_curve(np.array([4.0, 1, 2, 3]), kept) == 0.5


@given(st.floats(0, 1), st.integers(10, 500), st.integers(10, 500))
def test_area_interval_holds_the_area_and_stays_within_bounds(
    area: float, good: int, bad: int
) -> None:
    low, high = area_interval(area, good, bad)
    assert -1e-9 <= low <= area + 1e-9
    assert area - 1e-9 <= high <= 1 + 1e-9
    assert high - low > 0.001


def test_intervals_cover_what_they_promise() -> None:
    rng = np.random.default_rng(9)
    covered = 0
    for _ in range(300):  # the true area of two normals one deviation apart is 0.7602
        scores = np.concatenate([rng.normal(1, 1, 40), rng.normal(0, 1, 60)])
        kept = np.arange(100) < 40
        low, high = area_interval(area_under_curve(scores, kept), 40, 60)
        covered += low <= 0.76025 <= high
    assert 0.91 <= covered / 300 <= 0.99


def test_wilson_interval_of_known_answers() -> None:
    assert share_interval(81, 263) == pytest.approx((0.2553, 0.3662), abs=1e-4)
    assert share_interval(0, 20) == pytest.approx((0, 0.1611), abs=1e-4)


def test_copies_widen_the_interval() -> None:
    rng = np.random.default_rng(0)
    scores, kept = rng.normal(size=100), np.arange(100) % 2 == 0
    alone = sorting(scores, kept, np.arange(100))
    copied = sorting(scores, kept, np.arange(100) % 50)
    assert copied.high - copied.low > alone.high - alone.low
    assert sorting(scores, kept, np.arange(100) % 6).value is None


def test_ordering_and_deciding_of_known_answers() -> None:
    scores = np.arange(30.0)
    stars = np.repeat([1.0, 2, 3, 4, 5], 6)
    perfect = ordering(scores, stars, np.arange(30))
    assert perfect.value == pytest.approx(0.98, abs=0.01)
    assert perfect.low > 0.9
    assert ordering(scores, np.ones(30), np.arange(30)).value is None
    assert ordering(np.zeros(30), stars, np.arange(30)).value is None
    outcome = np.array([1] * 20 + [0] * 5 + [-1] * 5)
    told = deciding("votes", "", np.ones(30), np.zeros(30), outcome)
    assert (told.value, told.count) == (0.8, 25)
    assert deciding("votes", "", np.ones(9), np.zeros(9), np.ones(9, np.int64)).value is None


# ---------------------------------------------------------------- the catalogue and the command


def judge(catalog: Catalog, *wishes: Wish) -> None:
    catalog.judgements.apply(wishes, who="me", verb="judge")


def keep(*ids: int) -> list[Change]:
    return [Change(image_id=i, field="status", value="keep") for i in ids]


def reject(*ids: int, reason: str = "") -> list[Change]:
    return [Change(image_id=i, field="status", value="reject", reason=reason) for i in ids]


def light_and_dark(drawn: DrawnCatalogue, count: int) -> tuple[list[int], list[int]]:
    """Drawings in light colours and in dark ones, in turns."""
    light, dark = [], []
    for seed in range(count):
        image = drawing(seed, 48)
        light.append(drawn.add(image.point(lambda v: 120 + v // 2), label="light"))
        dark.append(drawn.add(drawing(seed + 5000, 48).point(lambda v: v // 2), label="dark"))
    return light, dark


def test_predictions_are_stored_for_every_picture(drawn: DrawnCatalogue) -> None:
    light, dark = light_and_dark(drawn, 24)
    with drawn.open() as catalog:
        judge(catalog, *keep(*light[:14]), *reject(*dark[:14]))
        lesson = predict(catalog)
        ids, scores, deviations = catalog.ratings.of("predicted")
        assert ids.tolist() == sorted(light + dark)
        by_id = dict(zip(ids.tolist(), scores.tolist(), strict=True))
        assert min(by_id[i] for i in light[14:]) > max(by_id[i] for i in dark[14:])
        assert 0 <= scores.min() <= scores.max() <= 1
        assert (deviations > 0).all()
        worth_ids, worth, _none = catalog.ratings.of("worth")
        assert worth_ids.tolist() == sorted(light[14:] + dark[14:])
        assert (worth >= 0).all()
        assert lesson_of(catalog) == lesson
        assert lesson.judged == 28
        assert sum(lesson.kept) == sum(lesson.rejected) == 14
        assert (lesson.figures[0].value or 0) > 0.9
        assert judged_since(catalog, lesson) == 0
        judge(catalog, *keep(light[20]))
        judge(catalog, VoteChange(left=light[0], right=dark[0], outcome="left"))
        assert judged_since(catalog, lesson) == 2
        catalog.judgements.undo(who="me")
        assert judged_since(catalog, lesson) == 2  # the picture, and that votes changed
        assert predict(catalog) != lesson


def test_the_same_judgements_give_the_same_predictions(drawn: DrawnCatalogue) -> None:
    light, dark = light_and_dark(drawn, 8)
    with drawn.open() as catalog:
        judge(catalog, *keep(*light[:6]), *reject(*dark[:6]))
        predict(catalog)
        first = catalog.ratings.of("predicted")
        predict(catalog)
        again = catalog.ratings.of("predicted")
        assert [column.tolist() for column in again] == [column.tolist() for column in first]


def test_rejected_duplicates_are_no_examples(drawn: DrawnCatalogue) -> None:
    light, dark = light_and_dark(drawn, 8)
    small, large = drawn.add_pair(77)
    with drawn.open() as catalog:
        refresh_edges(catalog)
        judge(catalog, *keep(*light[:6], large), *reject(*dark[:6]))
        judge(catalog, *reject(small, reason=f"duplicate of #{large}"))
        assert predict(catalog, dry_run=True).judged == 13
        assert catalog.ratings.stamp("predicted") == ""


def test_classes_that_lack_most_are_most_worth_judging(drawn: DrawnCatalogue) -> None:
    light, dark = light_and_dark(drawn, 8)
    with drawn.open() as catalog:
        judge(catalog, *keep(*light[:6]), *reject(*dark[:6]))
        assert class_weights(catalog) == {None: 1.0}
        judge(
            catalog,
            SettingChange(name="target:light", value="6"),
            SettingChange(name="target:dark", value="10"),
        )
        weights = class_weights(catalog)
        assert weights["dark"] == 1.0
        assert weights["light"] == pytest.approx(0.1)
        assert weights[None] == pytest.approx(0.3)


def test_stamps_of_other_versions_are_nothing() -> None:
    for text in ("", "{}", "[]", "12-3", "null", '{"figures": [{"odd": 1}]}', '{"figures": []}'):
        assert read_lesson(text) is None


def test_command_learns_prints_and_stores(
    drawn: DrawnCatalogue, capsys: pytest.CaptureFixture[str]
) -> None:
    light, dark = light_and_dark(drawn, 12)
    data = f"--data={drawn.data}"
    assert cli.main(["predict", data]) == 2
    assert "0 kept, 0 rejected" in capsys.readouterr().err
    with drawn.open() as catalog:
        judge(catalog, *keep(*light[:11]), *reject(*dark[:11]))
    assert cli.main(["predict", data, "--dry-run", "--json", "--progress", "quiet"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["dry_run"] is True
    assert told["judged"] == 22
    with drawn.open() as catalog:
        assert catalog.ratings.stamp("predicted") == ""
    assert cli.main(["predict", data, "--progress", "json"]) == 0
    printed = capsys.readouterr()
    assert "learned from 22 judged pictures" in printed.out
    assert "sorting" in printed.out
    assert json.loads(printed.err.splitlines()[-1])["title"] == "predicting"
    with drawn.open() as catalog:
        assert len(catalog.ratings.of("predicted")[0]) == 24


def test_command_takes_embeddings(
    drawn: DrawnCatalogue, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Judged by nothing that a look tells, but for the vectors: they are what it learns by."""
    ids = drawn.add_many(60)
    rng = np.random.default_rng(0)
    good = rng.random(60) < 0.5
    with drawn.open() as catalog:
        judge(catalog, *keep(*np.array(ids)[good].tolist()))
        judge(catalog, *reject(*np.array(ids)[~good].tolist()))
        names = [record.sha256 for record in catalog.images.all()]
    vectors = rng.normal(size=(60, 6)).astype(np.float16)
    vectors[:, 2] += np.where(good, 3, -3)
    digests = np.array([list(bytes.fromhex(name)) for name in names], np.uint8)
    file = drawn.data / "embeddings.npz"
    data = [f"--data={drawn.data}", "--dry-run", "--json", "--progress=quiet"]
    np.savez(file, sha256=digests[:, :8], vectors=vectors)
    assert cli.main(["predict", *data]) == 3
    assert "not (N, 32) uint8" in capsys.readouterr().err
    file.unlink()
    assert cli.main(["predict", *data]) == 0
    without = json.loads(capsys.readouterr().out)
    np.savez(tmp_path / "mine.npz", sha256=digests, vectors=vectors)
    assert cli.main(["predict", *data, "--embeddings", str(tmp_path / "mine.npz")]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["embeddings"] is True
    assert told["shares"]["embeddings"] > 0.8
    assert told["figures"][0]["value"] > 0.95 > without["figures"][0]["value"]
    assert cli.main(["predict", *data, "--embeddings", str(tmp_path / "none.npz")]) == 2
    assert "check the path" in capsys.readouterr().err
