import pytest
import torch

from dataset.errors import ConfigError
from train.config import UNetConfig
from train.unet import UNet, count_parameters, sinusoidal_embedding


def small(**changes: object) -> UNetConfig:
    table: dict[str, object] = {
        "base_channels": 8,
        "multipliers": (1, 2),
        "blocks": 1,
        "attention_levels": (1,),
        "head_channels": 8,
        "embedding_channels": 16,
    }
    return UNetConfig(**(table | changes))  # type: ignore[arg-type]


@pytest.mark.parametrize("shape", [(1, 8, 8), (3, 16, 16), (4, 8, 8), (3, 8, 20), (3, 28, 28)])
@pytest.mark.parametrize("patch", [1, 2])
@pytest.mark.parametrize("blocks", [1, 2])
def test_output_has_the_shape_of_the_picture(
    shape: tuple[int, int, int], patch: int, blocks: int
) -> None:
    unet = UNet(small(patch=patch, blocks=blocks), shape, classes=2)
    out = unet(torch.zeros(3, *shape), torch.tensor([0.0, 10.0, 999.0]), torch.tensor([-1, 0, 1]))
    assert out.shape == (3, *shape)


@pytest.mark.parametrize("levels", [(1,), (1, 2, 3), (2, 1, 1, 1)])
def test_any_number_of_levels_works(levels: tuple[int, ...]) -> None:
    unet = UNet(small(multipliers=levels, attention_levels=()), (3, 16, 16), classes=0)
    out = unet(torch.zeros(2, 3, 16, 16), torch.zeros(2), torch.full((2,), -1))
    assert out.shape == (2, 3, 16, 16)


def test_a_fresh_network_predicts_zero() -> None:
    unet = UNet(small(), (3, 8, 8), classes=2)
    out = unet(torch.randn(2, 3, 8, 8), torch.tensor([3.0, 500.0]), torch.tensor([0, 1]))
    assert torch.equal(out, torch.zeros_like(out))


def test_gradients_reach_every_parameter_after_a_few_steps() -> None:
    torch.manual_seed(0)
    unet = UNet(small(), (3, 8, 8), classes=2)
    optimiser = torch.optim.SGD(unet.parameters(), lr=0.1)
    for _ in range(4):
        out = unet(torch.randn(4, 3, 8, 8), torch.rand(4) * 999, torch.tensor([-1, 0, 1, 1]))
        optimiser.zero_grad()
        (out - 1).square().mean().backward()
        optimiser.step()
    without = [name for name, p in unet.named_parameters() if p.grad is None or not p.grad.any()]
    assert without == []


def test_time_and_label_change_the_prediction() -> None:
    torch.manual_seed(0)
    unet = UNet(small(), (3, 8, 8), classes=2).requires_grad_(False)
    for parameter in unet.parameters():
        parameter.add_(torch.randn(parameter.shape) * 0.1)
    x = torch.randn(1, 3, 8, 8)
    outs = [
        unet(x, torch.tensor([time]), torch.tensor([label]))
        for time, label in [(10.0, 0), (10.0, 1), (10.0, -1), (900.0, 0)]
    ]
    for i, one in enumerate(outs):
        for other in outs[i + 1 :]:
            assert not torch.allclose(one, other, atol=1e-3)


def test_channels_last_gives_the_same_numbers() -> None:
    torch.manual_seed(0)
    unet = UNet(small(), (3, 8, 8), classes=2).requires_grad_(False)
    for parameter in unet.parameters():
        parameter.add_(torch.randn(parameter.shape) * 0.1)
    inputs = torch.randn(2, 3, 8, 8), torch.tensor([1.0, 2.0]), torch.tensor([0, 1])
    before = unet(*inputs)
    unet.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    assert torch.allclose(unet(*inputs), before, atol=1e-4)


def test_embedding_of_time_starts_at_cosine_one_and_sine_zero() -> None:
    embedding = sinusoidal_embedding(torch.tensor([0.0, 1.0]), 8)
    assert embedding.shape == (2, 8)
    assert embedding[0].tolist() == [1, 1, 1, 1, 0, 0, 0, 0]
    assert embedding[1, 0].item() == pytest.approx(0.5403023)
    assert embedding[1, 5].item() == pytest.approx(0.0998334, abs=1e-6)  # sin(10000 ** -1/4)


def test_parameters_are_counted() -> None:
    unet = UNet(small(multipliers=(1,), attention_levels=()), (1, 8, 8), classes=2)
    embedding = 2 * (16 * 16 + 16) + 3 * 16
    ends = (9 * 8 + 8) + 2 * 8 + (9 * 8 + 1)
    film = 16 * 16 + 16
    plain = 16 + (9 * 64 + 8) + film + 16 + (9 * 64 + 8)
    joining = 32 + (9 * 128 + 8) + film + 16 + (9 * 64 + 8) + (16 * 8 + 8)
    assert count_parameters(unet) == embedding + ends + 3 * plain + joining


@pytest.mark.parametrize("shape", [(3, 9, 8), (3, 8, 30), (2, 8, 8), (3, 2, 6)])
def test_a_picture_that_does_not_fit_is_refused_in_a_line(shape: tuple[int, int, int]) -> None:
    with pytest.raises(ConfigError, match="pictures"):
        UNet(small(multipliers=(1, 2, 2), attention_levels=()), shape, classes=1)
