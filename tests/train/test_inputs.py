from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tests.train.drawn_pack import drawn_pictures, tiny_config
from train.batches import DeviceBatches
from train.config import TrainConfig
from train.inputs import Inputs, dropped_conditions
from train.latents import LatentSpace
from train.vae import Vae
from train.vae_config import VaeConfig

CPU = torch.device("cpu")


def config(**changes: Any) -> TrainConfig:
    return tiny_config(Path("pack.h5"), **changes)


def batches(vectors: np.ndarray[Any, Any] | None = None) -> DeviceBatches:
    return DeviceBatches(*drawn_pictures(), seed=0, flip=False, device=CPU, vectors=vectors)


def places(start: int, stop: int) -> torch.Tensor:
    return torch.arange(start, stop)


def test_conditions_are_dropped_picture_by_picture() -> None:
    dropped = dropped_conditions(places(0, 64), config(label_dropout=0.5))
    assert set(dropped.tolist()) == {True, False}
    many = dropped_conditions(places(0, 20_000), config(label_dropout=0.1))
    assert float(many.float().mean()) == pytest.approx(0.1, abs=0.01)
    assert not dropped_conditions(places(0, 64), config(label_dropout=0.0)).any()
    assert dropped_conditions(places(0, 64), config(label_dropout=1.0)).all()


def test_dropout_does_not_depend_on_where_batches_begin() -> None:
    some = config(label_dropout=0.5)
    whole = dropped_conditions(places(0, 64), some)
    assert torch.equal(whole[16:], dropped_conditions(places(16, 64), some))
    assert not torch.equal(whole, dropped_conditions(places(0, 64), replace(some, seed=9)))


def test_a_dropped_picture_is_learnt_without_its_label() -> None:
    x0, condition = Inputs(config(label_dropout=0.5)).prepared(batches().batch(0, 32), 0)
    assert torch.equal(x0, batches().batch(0, 32).pictures)
    assert condition.absent is not None
    assert (condition.labels[condition.absent] == -1).all()
    assert (condition.labels[~condition.absent] >= 0).all()


def test_a_picture_without_a_vector_is_learnt_as_if_unasked() -> None:
    vectors = np.arange(40 * 6, dtype=np.float32).reshape(40, 6)
    vectors[::4] = np.nan
    given = batches(vectors)
    _, condition = Inputs(config(label_dropout=0.0)).prepared(given.batch(0, 40), 0)
    assert condition.absent is not None
    assert condition.vectors is not None
    missing = given.rows(0, 40) % 4 == 0
    assert torch.equal(condition.absent, missing)
    assert torch.equal(condition.vectors[missing], torch.zeros(10, 6))
    rows = given.rows(0, 40)[~missing]
    assert torch.equal(condition.vectors[~missing], torch.from_numpy(vectors)[rows])


def test_vectors_are_cut_into_tokens() -> None:
    vectors = np.arange(40 * 6, dtype=np.float32).reshape(40, 6)
    given = batches(vectors)
    _, condition = Inputs(config(tokens=3)).prepared(given.batch(0, 8), 0)
    assert condition.vectors is None
    assert condition.tokens is not None
    assert condition.tokens.shape == (8, 3, 2)
    assert torch.equal(condition.tokens.flatten(1), torch.from_numpy(vectors)[given.rows(0, 8)])


@pytest.mark.parametrize("kind", ["pixels", "latents", "upscaling"])
def test_the_share_of_a_batch_is_prepared_as_in_the_whole(kind: str) -> None:
    changes = {"upscale": {"from_size": 4}} if kind == "upscaling" else {}
    torch.manual_seed(0)
    vae = Vae(VaeConfig(base_channels=8, multipliers=(1, 2)), (3, 8, 8))
    latents = LatentSpace(vae) if kind == "latents" else None
    inputs = Inputs(config(**changes), latents)
    x0, condition = inputs.prepared(batches().batch(16, 8), 16)
    for rank, part in enumerate((slice(0, 4), slice(4, 8))):
        share = batches().batch(16, 8, rank, 2)
        own, told = inputs.prepared(share, 16 + 4 * rank)
        assert torch.allclose(own, x0[part], atol=1e-6)
        for field, whole in zip(told, condition, strict=True):
            assert (field is None) == (whole is None)
            assert field is None or whole is None or torch.equal(field, whole[part])


def test_latents_of_a_picture_differ_from_epoch_to_epoch() -> None:
    vae = Vae(VaeConfig(base_channels=8, multipliers=(1, 2)), (3, 8, 8))
    inputs = Inputs(config(), LatentSpace(vae))
    batch = batches().batch(0, 8)
    first, again, later = (inputs.prepared(batch, seen)[0] for seen in (0, 0, 40))
    assert first.shape == (8, 4, 4, 4)
    assert torch.equal(first, again)
    assert not torch.allclose(first, later)
