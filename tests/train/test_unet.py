from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from dataset.errors import ConfigError
from train.augment import CONDITIONS
from train.condition import Condition, blank, joined, of_labels
from train.network_config import Told, UNetConfig
from train.networks import count_parameters
from train.networks.blocks import Norm
from train.networks.embedding import sinusoidal_embedding
from train.networks.unet import UNet

SHAPE = (3, 8, 8)
EVERYTHING = Told(
    classes=2, vector_length=6, tokens=3, token_length=5, picture_channels=3, augmented=True
)


def small(**changes: Any) -> UNetConfig:
    table: dict[str, Any] = {
        "base_channels": 8,
        "multipliers": (1, 2),
        "blocks": 1,
        "attention_levels": (1,),
        "head_channels": 8,
        "embedding_channels": 16,
    }
    return UNetConfig(**(table | changes))


def talkative(told: Told = EVERYTHING, **changes: Any) -> UNet:
    """A network whose every weight matters: the layers that start at zero do not."""
    torch.manual_seed(0)
    unet = UNet(small(**changes), SHAPE, told).requires_grad_(False).eval()
    for parameter in unet.parameters():
        parameter.add_(torch.randn(parameter.shape) * 0.1)
    return unet


def said(size: int = 4, seed: int = 1) -> Condition:
    """Everything that can be said of `size` pictures, different of each."""
    generator = torch.Generator().manual_seed(seed)

    def numbers(*sizes: int) -> Tensor:
        return torch.randn(size, *sizes, generator=generator)

    return Condition(
        labels=torch.arange(size) % 2,
        absent=torch.zeros(size, dtype=torch.bool),
        vectors=numbers(6),
        tokens=numbers(3, 5),
        picture=numbers(*SHAPE),
        picture_noise=numbers().abs(),
        augmentation=numbers(CONDITIONS),
    )


def noise(size: int = 4) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(7)
    x = torch.randn(size, *SHAPE, generator=generator)
    return x, torch.linspace(3.0, 990.0, size)


@pytest.mark.parametrize("shape", [(1, 8, 8), (3, 16, 16), (4, 8, 8), (3, 8, 20), (3, 28, 28)])
@pytest.mark.parametrize("patch", [1, 2])
@pytest.mark.parametrize("blocks", [1, 2])
@pytest.mark.parametrize("hears", ["labels", "everything"])
def test_output_has_the_shape_of_the_picture(
    shape: tuple[int, int, int], patch: int, blocks: int, hears: str
) -> None:
    told = Told(classes=2) if hears == "labels" else replace(EVERYTHING, picture_channels=shape[0])
    unet = UNet(small(patch=patch, blocks=blocks), shape, told)
    out = unet(torch.zeros(3, *shape), torch.tensor([0.0, 10.0, 999.0]), blank(told, shape, 3))
    assert out.shape == (3, *shape)


@pytest.mark.parametrize("patch", [1, 2])
def test_more_channels_may_come_out_than_go_in(patch: int) -> None:
    unet = UNet(small(patch=patch), SHAPE, out_channels=6)
    assert unet(*noise(), of_labels(torch.full((4,), -1))).shape == (4, 6, 8, 8)


@pytest.mark.parametrize("levels", [(1,), (1, 2, 3), (2, 1, 1, 1)])
def test_any_number_of_levels_works(levels: tuple[int, ...]) -> None:
    unet = UNet(small(multipliers=levels, attention_levels=()), (3, 16, 16))
    out = unet(torch.zeros(2, 3, 16, 16), torch.zeros(2), of_labels(torch.full((2,), -1)))
    assert out.shape == (2, 3, 16, 16)


def test_a_fresh_network_predicts_zero() -> None:
    out = UNet(small(), SHAPE, EVERYTHING)(*noise(), said())
    assert torch.equal(out, torch.zeros_like(out))


def test_gradients_reach_every_parameter_after_a_few_steps() -> None:
    torch.manual_seed(0)
    unet = UNet(small(), SHAPE, EVERYTHING)
    optimiser = torch.optim.SGD(unet.parameters(), lr=0.1)
    half = said()._replace(absent=torch.tensor([True, False, True, False]))
    for _ in range(5):
        out = unet(*noise(), half)
        optimiser.zero_grad()
        (out - noise()[0].flip(0)).square().mean().backward()
        optimiser.step()
    without = [name for name, p in unet.named_parameters() if p.grad is None or not p.grad.any()]
    assert without == []


@pytest.mark.parametrize("kind", ["labels", "vectors", "tokens", "picture"])
def test_a_network_learns_to_do_as_it_is_told_and_the_mean_where_nothing_is_said(kind: str) -> None:
    torch.manual_seed(0)
    told = {
        "labels": Told(classes=2),
        "vectors": Told(vector_length=6),
        "tokens": Told(tokens=3, token_length=5),
        "picture": Told(picture_channels=3),
    }[kind]
    unet = UNet(small(), SHAPE, told)
    optimiser = torch.optim.Adam(unet.parameters(), lr=5e-3)
    sign = torch.tensor([-1.0, 1.0, -1.0, 1.0])
    answer = torch.where(torch.arange(4) < 2, sign, 0.0 if kind != "picture" else sign)
    said_of_them = (sign > 0).long()
    if kind != "labels":
        field = getattr(said(1), kind)
        said_of_them = field * sign.view(4, *[1] * (field.dim() - 1))
    condition = blank(told, SHAPE, 4)._replace(absent=torch.arange(4) >= 2, **{kind: said_of_them})
    for _ in range(80):
        wrong = unet(torch.randn(4, *SHAPE), torch.rand(4) * 999, condition) - answer.view(
            4, 1, 1, 1
        )
        loss = wrong.square().mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    assert loss < 0.05  # nothing that ignores the condition comes below 0.5


def test_time_changes_the_prediction() -> None:
    unet, (x, time) = talkative(), noise()
    assert not torch.allclose(unet(x, time, said()), unet(x, time + 100, said()), atol=1e-3)


@pytest.mark.parametrize("field", [name for name in Condition._fields if name != "absent"])
def test_everything_that_is_told_changes_the_prediction_of_its_picture_alone(field: str) -> None:
    unet = talkative()
    other = said(seed=2)._replace(labels=torch.tensor([1, -1, 1, 0]))
    mixed = getattr(said(), field).clone()
    mixed[2] = getattr(other, field)[2]
    before = unet(*noise(), said())
    after = unet(*noise(), said()._replace(**{field: mixed}))
    changed = (after - before).abs().amax(dim=(1, 2, 3)) > 1e-3
    assert changed.tolist() == [False, False, True, False]


@pytest.mark.parametrize("given", ["all", "no vectors", "no tokens"])
def test_an_absent_condition_is_the_learned_null_for_that_picture_alone(given: str) -> None:
    unet, everything = talkative(), said()
    if given == "no vectors":
        everything = everything._replace(vectors=None)
    if given == "no tokens":
        everything = everything._replace(tokens=None)
    absent = torch.tensor([False, True, False, True])
    plain, nothing = unet(*noise(), everything), unet(*noise(), everything.without())
    mixed = unet(*noise(), everything._replace(absent=absent))
    assert not torch.allclose(plain, nothing, atol=1e-3)
    expected = torch.where(absent[:, None, None, None], nothing, plain)
    assert torch.allclose(mixed, expected, atol=1e-5)


def test_an_unconditional_prediction_does_not_depend_on_what_was_left_unsaid() -> None:
    other = said(seed=2)
    here = said().without()
    there = here._replace(vectors=other.vectors, tokens=other.tokens)
    nowhere = here._replace(vectors=None, tokens=None, absent=None)
    for condition in (there, nowhere):
        both = [talkative()(*noise(), one) for one in (here, condition)]
        assert torch.allclose(both[0], both[1], atol=1e-5)


def test_the_small_picture_and_the_augmentation_are_told_of_absent_conditions_too() -> None:
    unet, nothing = talkative(), said().without()
    for field in ("picture", "picture_noise", "augmentation"):
        other = nothing._replace(**{field: getattr(said(seed=2), field)})
        assert not torch.allclose(unet(*noise(), nothing), unet(*noise(), other), atol=1e-3)


def test_a_picture_without_a_label_may_still_have_a_vector() -> None:
    unet = talkative()
    unlabelled = said()._replace(labels=torch.full((4,), -1))
    assert not torch.allclose(unet(*noise(), unlabelled), unet(*noise(), said()), atol=1e-3)
    nothing = unet(*noise(), said().without())
    assert not torch.allclose(unet(*noise(), unlabelled), nothing, atol=1e-3)


def test_a_vector_counts_by_its_direction_and_tokens_by_their_sizes_among_themselves() -> None:
    unet, condition = talkative(), said()
    assert condition.vectors is not None
    assert condition.tokens is not None
    before = unet(*noise(), condition)
    scaled = condition._replace(vectors=condition.vectors * 30, tokens=condition.tokens * 0.2)
    assert torch.allclose(unet(*noise(), scaled), before, atol=1e-4)
    one_louder = condition.tokens * torch.tensor([1.0, 5.0, 1.0])[:, None]
    louder = unet(*noise(), condition._replace(tokens=one_louder))
    assert not torch.allclose(louder, before, atol=1e-3)


def test_tokens_have_places() -> None:
    unet, condition = talkative(), said()
    assert condition.tokens is not None
    turned = condition._replace(tokens=condition.tokens.flip(1))
    assert not torch.allclose(unet(*noise(), turned), unet(*noise(), condition), atol=1e-4)


def test_a_vector_or_tokens_of_zeros_do_no_harm() -> None:
    out = talkative()(*noise(), blank(EVERYTHING, SHAPE, 4))
    assert torch.isfinite(out).all()


def test_noise_that_is_not_told_of_is_none() -> None:
    unet, condition = talkative(), said()
    silent = unet(*noise(), condition._replace(picture_noise=None))
    none = unet(*noise(), condition._replace(picture_noise=torch.zeros(4)))
    assert torch.equal(silent, none)


def test_a_prediction_does_not_depend_on_the_batch() -> None:
    unet, (x, time) = talkative(), noise()
    whole = unet(x, time, said())
    parts = [unet(x[a:b], time[a:b], said().part(a, b)) for a, b in ((0, 1), (1, 4))]
    assert torch.allclose(torch.cat(parts), whole, atol=1e-5)


def test_guided_batches_of_two_conditions_are_the_two_predictions() -> None:
    unet, (x, time) = talkative(), noise()
    both = unet(x.repeat(2, 1, 1, 1), time.repeat(2), joined([said(), said().without()]))
    apart = [unet(x, time, said()), unet(x, time, said().without())]
    assert torch.allclose(both, torch.cat(apart), atol=1e-5)


def test_weights_that_all_networks_have_are_drawn_alike_whatever_is_told() -> None:
    def weights(told: Told) -> dict[str, Tensor]:
        torch.manual_seed(0)
        return UNet(small(), SHAPE, told).state_dict()

    plain, more = (
        weights(Told(classes=2)),
        weights(Told(classes=2, vector_length=6, augmented=True)),
    )
    assert len(more) > len(plain)
    assert all(torch.equal(more[name], weight) for name, weight in plain.items())


def test_channels_last_gives_the_same_numbers_and_stays() -> None:
    told = replace(EVERYTHING, picture_channels=0)
    unet, (x, time) = talkative(told), noise()
    before = unet(x, time, said())
    unet.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    layouts: list[bool] = []

    def look(_layer: nn.Module, given: tuple[Tensor, ...], _out: Tensor) -> None:
        layouts.append(given[0].is_contiguous(memory_format=torch.channels_last))

    for layer in unet.modules():
        if isinstance(layer, nn.Conv2d):
            layer.register_forward_hook(look)
    after = unet(x.contiguous(memory_format=torch.channels_last), time, said())
    assert torch.allclose(after, before, atol=1e-4)
    assert len(layouts) > 10
    assert all(layouts)


def test_bfloat16_stays_bfloat16_and_near_the_exact_numbers() -> None:
    unet = talkative()
    exact = unet(*noise(), said())
    types: list[torch.dtype] = []

    def look(_layer: nn.Module, _given: tuple[Tensor, ...], out: Tensor) -> None:
        types.append(out.dtype)

    for layer in unet.modules():
        if isinstance(layer, Norm):
            layer.register_forward_hook(look)
    with torch.autocast("cpu", torch.bfloat16):
        rough = unet(*noise(), said())
    assert set(types) == {torch.bfloat16}
    assert (rough.float() - exact).abs().mean() < 0.02 * exact.abs().mean()


@pytest.mark.parametrize("told", [Told(), EVERYTHING])
def test_the_network_is_one_graph(told: Told) -> None:
    unet = talkative(told)
    whole = torch.compile(unet, backend="eager", fullgraph=True)
    condition = said() if told is EVERYTHING else blank(told, SHAPE, 4)
    assert torch.equal(whole(*noise(), condition), unet(*noise(), condition))
    torch.compiler.reset()


def test_embedding_of_time_starts_at_cosine_one_and_sine_zero() -> None:
    embedding = sinusoidal_embedding(torch.tensor([0.0, 1.0]), 8)
    assert embedding.shape == (2, 8)
    assert embedding[0].tolist() == [1, 1, 1, 1, 0, 0, 0, 0]
    assert embedding[1, 0].item() == pytest.approx(0.5403023)
    assert embedding[1, 5].item() == pytest.approx(0.0998334, abs=1e-6)  # sin(10000 ** -1/4)


def test_parameters_are_counted() -> None:
    unet = UNet(small(multipliers=(1,), attention_levels=()), (1, 8, 8), Told(classes=2))
    embedding = 2 * (16 * 16 + 16) + 3 * 16
    ends = (9 * 8 + 8) + 2 * 8 + (9 * 8 + 1)
    film = 16 * 16 + 16
    plain = 16 + (9 * 64 + 8) + film + 16 + (9 * 64 + 8)
    joining = 32 + (9 * 128 + 8) + film + 16 + (9 * 64 + 8) + (16 * 8 + 8)
    assert count_parameters(unet) == embedding + ends + 3 * plain + joining


def test_what_is_told_costs_its_layers() -> None:
    def count(told: Told) -> int:
        return count_parameters(UNet(small(), SHAPE, told))

    plain = count(Told())
    assert count(Told(classes=5)) == plain + 5 * 16
    assert count(Told(vector_length=6)) == plain + (6 * 16 + 16) + 16
    hearing = 2 * 16 + (16 * 16 + 16) + (16 * 32 + 32) + (16 * 16 + 16)  # after each attention
    tokens = (5 * 16 + 16) + 2 * 3 * 16
    assert count(Told(tokens=3, token_length=5)) == plain + tokens + 3 * hearing
    assert count(Told(picture_channels=3)) == plain + 9 * 3 * 8 + 2 * (16 * 16 + 16)
    assert count(Told(augmented=True)) == plain + CONDITIONS * 16


@pytest.mark.parametrize("shape", [(3, 9, 8), (3, 8, 30), (3, 2, 6)])
def test_a_picture_that_does_not_fit_is_refused_in_a_line(shape: tuple[int, int, int]) -> None:
    with pytest.raises(ConfigError, match="pictures"):
        UNet(small(multipliers=(1, 2, 2), attention_levels=()), shape)


def test_tokens_without_attention_to_hear_them_are_refused() -> None:
    with pytest.raises(ConfigError, match="attention_levels is empty"):
        UNet(small(attention_levels=()), SHAPE, EVERYTHING)


def test_a_network_that_enlarges_asks_for_the_small_picture() -> None:
    with pytest.raises(ConfigError, match="small"):
        talkative()(*noise(), said()._replace(picture=None))
