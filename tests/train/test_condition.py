import pytest
import torch

from train.augment import CONDITIONS
from train.condition import NO_LABEL, Condition, blank, joined, of_labels
from train.network_config import Told


def three() -> Condition:
    return Condition(
        labels=torch.tensor([0, 1, NO_LABEL]),
        vectors=torch.arange(6.0).reshape(3, 2),
        picture=torch.ones(3, 1, 4, 4),
    )


def test_without_a_condition_everything_on_the_pictures_is_absent_and_the_rest_stays() -> None:
    condition = three()
    nothing = condition.without()
    assert nothing.labels.tolist() == [NO_LABEL] * 3
    assert nothing.absent is not None
    assert nothing.absent.all()
    assert nothing.picture is condition.picture


def test_a_part_is_about_its_pictures_in_every_field() -> None:
    part = three().with_absence().part(1, 3)
    assert part.labels.tolist() == [1, NO_LABEL]
    assert part.vectors is not None
    assert part.vectors.tolist() == [[2.0, 3.0], [4.0, 5.0]]
    assert part.absent is not None
    assert part.absent.tolist() == [False, False]
    assert part.tokens is None


def test_parts_joined_are_the_whole() -> None:
    whole = three().with_absence()
    again = joined([whole.part(0, 1), whole.part(1, 3)])
    for one, other in zip(whole, again, strict=True):
        assert (one is None) == (other is None)
        assert one is None or other is None or torch.equal(one, other)


def test_joining_spells_absence_out() -> None:
    both = joined([three(), three().without()])
    assert both.absent is not None
    assert both.absent.tolist() == [False] * 3 + [True] * 3
    assert both.vectors is not None
    assert both.vectors.shape == (6, 2)


def test_conditions_that_say_different_kinds_of_things_are_not_joined() -> None:
    with pytest.raises((TypeError, ValueError)):
        joined([three(), of_labels(torch.tensor([0]))])


def test_a_condition_goes_to_a_device_whole() -> None:
    moved = three().to(torch.device("meta"))
    assert {field.device.type for field in moved if field is not None} == {"meta"}


def test_labels_alone_say_nothing_else() -> None:
    condition = of_labels(torch.tensor([2]))
    assert [name for name, field in condition._asdict().items() if field is not None] == ["labels"]


def test_a_blank_condition_has_every_kind_that_is_told_and_no_other() -> None:
    told = Told(classes=4, tokens=3, token_length=5, picture_channels=3, augmented=True)
    condition = blank(told, (6, 8, 10), 2)
    shapes = {name: tuple(f.shape) for name, f in condition._asdict().items() if f is not None}
    assert shapes == {
        "labels": (2,),
        "absent": (2,),
        "tokens": (2, 3, 5),
        "picture": (2, 3, 8, 10),
        "picture_noise": (2,),
        "augmentation": (2, CONDITIONS),
    }
    assert condition.labels.tolist() == [NO_LABEL, NO_LABEL]
    assert blank(Told(vector_length=7), (3, 8, 8), 2).vectors is not None


def test_a_blank_condition_lies_where_it_is_asked_for() -> None:
    condition = blank(Told(classes=1, augmented=True), (3, 8, 8), 2, torch.device("meta"))
    assert {field.device.type for field in condition if field is not None} == {"meta"}
    with torch.device("meta"):
        condition = blank(Told(vector_length=3), (3, 8, 8), 2)
    assert {field.device.type for field in condition if field is not None} == {"meta"}
