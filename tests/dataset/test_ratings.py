"""Ratings are derived: each kind is replaced as a whole, under the stamp of what it came from."""

import numpy as np
import pytest

from dataset.catalog import Catalog
from dataset.catalog.ratings import RatingKind
from tests.dataset.test_judgements import fill


def put(catalog: Catalog, kind: RatingKind, scores: dict[int, float], stamp: str) -> None:
    values = np.array(list(scores.values()), dtype=np.float32)
    ids = np.array(list(scores), dtype=np.int64)
    catalog.ratings.put(kind, ids, values, values * np.float32(0.5), stamp)


def test_scores_come_back_by_ascending_id_as_they_were_put(catalog: Catalog) -> None:
    fill(catalog)
    put(catalog, "ranked", {3: 0.1, 1: -2.5, 4: 1e-30}, "7-0")
    ids, scores, deviations = catalog.ratings.of("ranked")
    assert ids.tolist() == [1, 3, 4]
    np.testing.assert_array_equal(scores, np.array([-2.5, 0.1, 1e-30], dtype=np.float32))
    np.testing.assert_array_equal(deviations, scores / 2)
    assert [str(a.dtype) for a in (ids, scores, deviations)] == ["int64", "float32", "float32"]
    assert catalog.ratings.stamp("ranked") == "7-0"


def test_a_kind_is_replaced_whole_and_the_others_stay(catalog: Catalog) -> None:
    fill(catalog)
    put(catalog, "ranked", {1: 1.0, 2: 2.0}, "a")
    put(catalog, "worth", {1: 5.0}, "b")
    put(catalog, "ranked", {4: 4.0}, "c")
    assert catalog.ratings.of("ranked")[0].tolist() == [4]
    assert catalog.ratings.of("worth")[1].tolist() == [5.0]
    assert [catalog.ratings.stamp(kind) for kind in ("ranked", "worth")] == ["c", "b"]


def test_amended_scores_leave_the_others_as_they_are(catalog: Catalog) -> None:
    fill(catalog)
    put(catalog, "ranked", {1: 1.0, 2: 2.0, 3: 3.0}, "a")
    two = np.array([5.0, 4.0], dtype=np.float32)
    ids, gone = np.array([2, 4]), np.array([3])
    assert catalog.ratings.amend(
        "ranked", ids, two, two * np.float32(0.5), "b", gone=gone, since="a"
    )
    found = [column.tolist() for column in catalog.ratings.of("ranked")]
    assert found == [[1, 2, 4], [1.0, 5.0, 4.0], [0.5, 2.5, 2.0]]
    assert catalog.ratings.stamp("ranked") == "b"
    # Of a state that is not there any more nothing is amended.
    assert not catalog.ratings.amend("ranked", ids, two, two, "c", gone=ids, since="a")
    assert [column.tolist() for column in catalog.ratings.of("ranked")] == found
    assert catalog.ratings.stamp("ranked") == "b"


def test_nothing_put_is_empty_columns_and_no_stamp(catalog: Catalog) -> None:
    ids, scores, deviations = catalog.ratings.of("predicted")
    assert ids.shape == scores.shape == deviations.shape == (0,)
    assert catalog.ratings.stamp("predicted") == ""


def test_all_scores_of_a_kind_can_be_taken_away(catalog: Catalog) -> None:
    fill(catalog)
    put(catalog, "ranked", {1: 1.0}, "a")
    put(catalog, "ranked", {}, "b")
    assert len(catalog.ratings.of("ranked")[0]) == 0
    assert catalog.ratings.stamp("ranked") == "b"


def test_arrays_of_different_lengths_leave_the_old_scores(catalog: Catalog) -> None:
    fill(catalog)
    put(catalog, "ranked", {1: 1.0}, "a")
    ids, scores = np.array([1, 2], dtype=np.int64), np.array([9], dtype=np.float32)
    with pytest.raises(ValueError, match="zip"):
        catalog.ratings.put("ranked", ids, scores, scores, "b")
    assert catalog.ratings.of("ranked")[1].tolist() == [1.0]
    assert catalog.ratings.stamp("ranked") == "a"


def test_putting_scores_is_no_judgement(catalog: Catalog) -> None:
    fill(catalog)
    put(catalog, "ranked", {1: 1.0}, "a")
    assert catalog.judgements.log() == []
    assert catalog.judgements.undo() is None
