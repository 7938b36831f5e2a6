"""Views from the trainer's augmentation."""

from typing import Any

import numpy as np
import pytest

from dataset.errors import DataError
from sample.embed import LumaChroma
from sample.trained_views import views_for
from sample.views import View, apply_view, declared_views, mirror
from tests.sample.drawings import drawings
from train.augment_config import AugmentConfig

USUAL: dict[str, Any] = {
    "probability": 0.12,
    "x_flip": True,
    "y_flip": False,
    "scaling": 0.2,
    "rotation": 1.0,
    "anisotropy": 0.2,
    "translation": 0.125,
}


def added(**changes: Any) -> list[View]:
    views = views_for(32, {"flip": True, "augment": {**USUAL, **changes}})
    declared = declared_views(32)
    assert views[: len(declared)] == declared
    return views[len(declared) :]


@pytest.mark.parametrize("training", [None, {}, {"flip": True}, {"flip": True, "augment": None}])
def test_without_augmentation_there_are_the_declared_views(training: Any) -> None:
    assert views_for(32, training) == declared_views(32)
    assert added(probability=0.0) == []


def test_every_setting_of_the_trainer_is_known() -> None:
    assert set(USUAL) == set(vars(AugmentConfig()))


def test_each_strength_brings_its_own_views() -> None:
    assert {view.name.split()[0] for view in added()} == {"turned", "shrunk", "shifted"}
    assert not any(view.degrees for view in added(rotation=0.0))
    assert not any(view.zoom != 1 for view in added(scaling=0.0))
    assert not any(view.right or view.down for view in added(translation=0.0))
    assert added(rotation=0.0, scaling=0.0, translation=0.0) == []


def test_turns_and_shifts_go_as_far_as_the_training() -> None:
    quarter = {abs(view.degrees) for view in added(rotation=0.5, translation=0.0, scaling=0.0)}
    assert quarter == {15, 30, 45, 60, 75, 90}
    shifts = added(rotation=0.0, scaling=0.0)
    assert max(abs(view.right) for view in shifts) == pytest.approx(0.5)  # a quarter of the side
    names = [view.name for view in added()]
    assert len(set(names)) == len(names)


def test_upside_down_is_a_half_turn_of_the_mirror_image() -> None:
    (turn,) = added(y_flip=True, rotation=0.0, scaling=0.0, translation=0.0)
    pictures = drawings(range(3))
    embed = LumaChroma().embed
    seen, upside_down = apply_view(pictures, turn), pictures[:, ::-1]
    assert np.allclose(embed(mirror(upside_down)), embed(seen), atol=0.02)


@pytest.mark.parametrize("value", ["much", float("nan"), None, [1]])
def test_nonsense_in_a_manifest_is_told(value: Any) -> None:
    with pytest.raises(DataError, match=r"augment\.rotation"):
        added(rotation=value)
