from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from dataset.config import load_config
from dataset.errors import ConfigError
from train.condition import Condition, blank, of_labels
from train.config import TrainConfig
from train.network_config import Told
from train.networks import build_network, check_network, count_parameters, told_of
from train.networks.dogs93m import Dogs93M
from train.networks.favicon import Favicon, interleaved_embedding
from train.networks.unet import UNet
from train.subject import Subject

NOTHING = of_labels(torch.full((2,), -1))


def config(network: str = "unet", **changes: Any) -> TrainConfig:
    unet = {"base_channels": 8, "multipliers": [1, 2], "attention_levels": [1], "head_channels": 8}
    return load_config(TrainConfig, {"name": "n", "network": network, "unet": unet, **changes})


def subject(*shape: int, vector_length: int = 0) -> Subject:
    channels, height, width = shape or (3, 32, 32)
    picture = (channels, height, width)
    return Subject(picture=picture, shape=picture, vector_length=vector_length)


def on_meta(network: str, *shape: int, **changes: Any) -> nn.Module:
    with torch.device("meta"):
        return build_network(config(network, **changes), subject(*shape))


def flops(network: nn.Module, *shape: int) -> tuple[int, int]:
    """Of one picture: forwards, and forwards and backwards."""
    with torch.device("meta"):
        inputs = torch.zeros(1, *shape), torch.zeros(1), blank(Told(), (3, 8, 8), 1)
    with FlopCounterMode(display=False) as forward:
        network(*inputs)
    with FlopCounterMode(display=False) as both:
        network(*inputs).sum().backward()
    return forward.get_total_flops(), both.get_total_flops()


# Counted by others in the networks that these stand for.
@pytest.mark.parametrize(
    ("name", "side", "parameters", "forward", "training"),
    [("favicon", 32, 14_631_846, 0.737, 2.21), ("dogs93m", 64, 93_417_859, 18.28, 54.81)],
)
def test_parameters_and_costs_are_those_of_the_original(
    name: str, side: int, parameters: int, forward: float, training: float
) -> None:
    network = on_meta(name, 3, side, side)
    assert count_parameters(network) == parameters
    costs = flops(network, 3, side, side)
    assert costs[0] / 1e9 == pytest.approx(forward, abs=0.005)
    assert costs[1] / 1e9 == pytest.approx(training, abs=0.005)


@pytest.mark.parametrize("shape", [(1, 32, 32), (4, 48, 32), (6, 32, 64)])
@pytest.mark.parametrize(
    ("name", "parameters", "more"),
    [
        # The channels are met by the first convolution and by the last, by favicon's time too.
        ("favicon", 14_631_846, 9 * 32 + (32 + 1) + (25 * 32 + 1)),
        ("dogs93m", 93_417_859, 9 * 64 + (64 + 1)),
    ],
)
def test_other_channels_and_sizes_fit(
    name: str, parameters: int, more: int, shape: tuple[int, int, int]
) -> None:
    with torch.device("meta"):
        network = build_network(config(name), Subject(picture=(3, 64, 64), shape=shape))
        predicted = network(torch.zeros(2, *shape), torch.zeros(2), blank(Told(), shape, 2))
    assert predicted.shape == (2, *shape)
    assert count_parameters(network) == parameters + more * (shape[0] - 3)


def test_favicon_normalises_over_the_batch_while_it_learns_and_not_afterwards() -> None:
    torch.manual_seed(0)
    network = Favicon((3, 32, 32)).requires_grad_(False)
    x, time = torch.randn(2, 3, 32, 32), torch.tensor([3.0, 700.0])
    other = torch.stack([x[0], torch.randn(3, 32, 32)])
    learning = [network(given, time, NOTHING)[0] for given in (x, other)]
    assert not torch.allclose(learning[0], learning[1], atol=1e-4)
    network.eval()
    drawing = [network(given, time, NOTHING)[0] for given in (x, other)]
    assert torch.allclose(drawing[0], drawing[1], atol=1e-5)


@pytest.mark.parametrize("name", ["favicon", pytest.param("dogs93m", marks=pytest.mark.slow)])
def test_time_is_counted_in_entries_of_the_table(name: str) -> None:
    def prediction(steps: int, time: float) -> Tensor:
        torch.manual_seed(0)
        kind = Favicon if name == "favicon" else Dogs93M
        network = kind((1, 32, 32), steps).requires_grad_(False).eval()
        x = torch.ones(1, 1, 32, 32)
        predicted: Tensor = network(x, torch.tensor([time]), of_labels(torch.tensor([-1])))
        return predicted

    # Entry 100 of a table of 200 is at 500 thousandths, of a table of 1000 at 100.
    assert torch.allclose(prediction(200, 500.0), prediction(1000, 100.0), atol=1e-5)
    assert not torch.allclose(prediction(1000, 500.0), prediction(1000, 100.0), atol=1e-5)


def test_sines_and_cosines_of_time_take_turns_down_to_a_ten_thousandth() -> None:
    embedding = interleaved_embedding(torch.tensor([0.0, 1.0]), 32)
    assert embedding[0].tolist() == [0.0, 1.0] * 16
    assert embedding[1, :2].tolist() == pytest.approx([0.8414710, 0.5403023])
    assert embedding[1, 30].item() == pytest.approx(1e-4)


@pytest.mark.parametrize("name", ["favicon", "dogs93m"])
def test_every_parameter_gets_a_gradient_and_what_is_never_called_gets_zeros(name: str) -> None:
    torch.manual_seed(0)
    network = build_network(config(name), subject())
    names, parameters = zip(*network.named_parameters(), strict=True)
    loss = network(torch.randn(2, 3, 32, 32), torch.tensor([5.0, 800.0]), NOTHING).square().mean()
    gradients = torch.autograd.grad(loss, parameters)
    torch._foreach_add_(list(gradients), list(gradients))  # as shares of a batch are summed
    still = {name for name, gradient in zip(names, gradients, strict=True) if not gradient.any()}
    assert still == ({"idle"} if name == "dogs93m" else set())
    if name == "dogs93m":
        assert isinstance(network, Dogs93M)
        assert network.idle.numel() == 25_216


@pytest.mark.parametrize("name", ["favicon", "dogs93m"])
def test_whatever_is_said_changes_nothing_where_it_cannot_be_heard(name: str) -> None:
    network = build_network(config(name), subject()).requires_grad_(False).eval()
    assert network.told == Told()
    inputs = torch.randn(2, 3, 32, 32), torch.tensor([5.0, 800.0])
    said = Condition(labels=torch.tensor([0, 3]), vectors=torch.randn(2, 8))
    assert torch.equal(network(*inputs, said), network(*inputs, NOTHING))


@pytest.mark.parametrize("name", ["favicon", "dogs93m"])
@pytest.mark.parametrize(
    ("changes", "key"),
    [
        ({"upscale": {"from_size": 8}}, "upscale.from_size"),
        ({"augment": {"probability": 0.2}}, "augment"),
        ({"diffusion": {"learned_variance": True}}, "diffusion.learned_variance"),
    ],
)
def test_a_run_that_asks_for_what_a_network_cannot_hear_is_refused(
    name: str, changes: dict[str, Any], key: str
) -> None:
    with pytest.raises(ConfigError, match=f"^{key} is asked for, but network {name}"):
        build_network(config(name, **changes), subject())


@pytest.mark.parametrize("name", ["favicon", "dogs93m"])
def test_vectors_and_tokens_are_refused_where_they_cannot_be_heard(name: str) -> None:
    with pytest.raises(ConfigError, match=r"^vectors is asked for"):
        check_network(config(name), subject(vector_length=8))


@pytest.mark.parametrize(
    ("name", "shape"),
    [("favicon", (3, 28, 28)), ("favicon", (3, 16, 16)), ("dogs93m", (3, 64, 40))],
)
def test_pictures_of_other_sizes_are_refused(name: str, shape: tuple[int, int, int]) -> None:
    with pytest.raises(ConfigError, match=f"network {name} needs multiples of 16"):
        build_network(config(name), subject(*shape))


@pytest.mark.parametrize("name", ["unet", "favicon", "dogs93m"])
def test_pictures_of_other_channels_are_refused(name: str) -> None:
    with pytest.raises(ConfigError, match="2 channels; a network takes 1, 3 or 4"):
        build_network(config(name), subject(2, 32, 32))


def test_latents_may_have_any_number_of_channels() -> None:
    latents = Subject(picture=(3, 64, 64), shape=(6, 32, 32))
    with torch.device("meta"):
        network = build_network(config(), latents)
        out = network(torch.zeros(2, 6, 32, 32), torch.zeros(2), blank(Told(), (6, 32, 32), 2))
    assert out.shape == (2, 6, 32, 32)


def test_a_run_says_what_its_network_is_told() -> None:
    assert told_of(config(), subject()) == Told()
    named = Subject.of_pictures((3, 8, 8), ("cat", "dog"))
    assert told_of(config(), named) == Told(classes=2)
    assert told_of(config(vectors="clip"), subject(vector_length=12)) == Told(vector_length=12)
    cut = told_of(config(vectors="clip", tokens=3), subject(vector_length=12))
    assert cut == Told(tokens=3, token_length=4)
    enlarging = config(upscale={"from_size": 8}, augment={"probability": 0.1})
    assert told_of(enlarging, subject(1, 32, 32)) == Told(picture_channels=1, augmented=True)


@pytest.mark.parametrize(
    ("vectors", "length", "words"), [("clip", 10, "cannot be cut into 3"), ("", 0, "is empty")]
)
def test_vectors_that_cannot_be_cut_into_so_many_tokens_are_refused(
    vectors: str, length: int, words: str
) -> None:
    with pytest.raises(ConfigError, match=words):
        build_network(config(vectors=vectors, tokens=3), subject(vector_length=length))


@pytest.mark.parametrize("learned", [False, True])
def test_a_learned_variance_doubles_what_comes_out(learned: bool) -> None:
    network = build_network(config(diffusion={"learned_variance": learned}), subject(3, 8, 8))
    assert isinstance(network, UNet)
    out = network(torch.zeros(2, 3, 8, 8), torch.zeros(2), NOTHING)
    assert out.shape == (2, 6 if learned else 3, 8, 8)


@pytest.mark.parametrize("name", ["favicon", "dogs93m"])
def test_the_network_is_one_graph(name: str) -> None:
    torch.manual_seed(0)
    network = build_network(config(name), subject()).requires_grad_(False).eval()
    whole = torch.compile(network, backend="eager", fullgraph=True)
    inputs = torch.randn(2, 3, 32, 32), torch.tensor([5.0, 800.0]), NOTHING
    assert torch.equal(whole(*inputs), network(*inputs))
    torch.compiler.reset()


@pytest.mark.parametrize("name", ["favicon", "dogs93m"])
def test_channels_last_and_bfloat16_give_about_the_same_numbers(name: str) -> None:
    torch.manual_seed(0)
    network = build_network(config(name), subject()).requires_grad_(False).eval()
    inputs = torch.randn(2, 3, 32, 32), torch.tensor([5.0, 800.0]), NOTHING
    exact = network(*inputs)
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    assert torch.allclose(network(*inputs), exact, atol=1e-4)
    with torch.autocast("cpu", torch.bfloat16):
        rough = network(*inputs)
    assert rough.dtype == torch.bfloat16
    assert (rough.float() - exact).abs().mean() < 0.03 * exact.abs().mean()
