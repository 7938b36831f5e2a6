import math

import pytest
import torch
from torch import Tensor

from dataset.errors import ConfigError
from tests.train.drawn_pack import drawn_pictures
from train.batches import to_signed
from train.vae import (
    AdversarialVae,
    PatchDiscriminator,
    Posterior,
    Vae,
    drawn_from_prior,
    latent_shape,
)
from train.vae_config import VaeConfig

TINY = VaeConfig(base_channels=8, multipliers=(1, 2), latent_channels=3)


def pictures(count: int = 8, shape: tuple[int, int, int] = (3, 8, 8)) -> Tensor:
    return to_signed(torch.from_numpy(drawn_pictures(count, shape)[0]))


def told(network: AdversarialVae, count: int = 8, adversity: float = 0.5) -> tuple[Tensor, ...]:
    """What the losses of `network` are worked out from."""
    noise = torch.randn(count, *network.vae.shape, generator=torch.Generator().manual_seed(1))
    return pictures(count, network.vae.picture), noise, torch.full((count,), adversity)


def gradients(network: AdversarialVae, adversity: float = 0.5) -> dict[str, Tensor]:
    """The gradient of the mean loss by the name of the parameter."""
    named = dict(network.named_parameters())
    loss = network(*told(network, adversity=adversity)).mean()
    return dict(zip(named, torch.autograd.grad(loss, list(named.values())), strict=True))


def test_divergence_of_a_standard_normal_from_itself_is_zero() -> None:
    standard = Posterior(torch.zeros(2, 3, 4, 4), torch.zeros(2, 3, 4, 4))
    assert torch.equal(standard.divergence(), torch.zeros(2))


@pytest.mark.parametrize(
    ("mean", "deviation", "divergence"),
    [(1.0, 1.0, 0.5), (0.0, 2.0, 1.5 - math.log(2.0)), (-2.0, 0.5, 2.0 + math.log(2.0) - 0.375)],
)
def test_divergence_is_that_of_the_formula(
    mean: float, deviation: float, divergence: float
) -> None:
    shape = (2, 3, 4, 4)
    posterior = Posterior(torch.full(shape, mean), torch.full(shape, 2.0 * math.log(deviation)))
    assert posterior.divergence().tolist() == pytest.approx([divergence] * 2, rel=1e-5)


def test_divergence_agrees_with_torchs_own() -> None:
    mean, log_variance = torch.randn(2, 5, 3, 4, 4, generator=torch.Generator().manual_seed(0))
    own = torch.distributions.Normal(mean, (0.5 * log_variance).exp())
    standard = torch.distributions.Normal(0.0, 1.0)
    expected = torch.distributions.kl_divergence(own, standard).mean(dim=(1, 2, 3))
    assert torch.allclose(Posterior(mean, log_variance).divergence(), expected, atol=1e-5)


def test_a_sample_without_noise_is_the_mean_and_noise_counts_in_deviations() -> None:
    mean = torch.full((1, 1, 2, 2), 3.0)
    posterior = Posterior(mean, torch.full_like(mean, 2.0 * math.log(0.1)))
    assert torch.equal(posterior.sample(torch.zeros_like(mean)), mean)
    assert torch.allclose(posterior.sample(-2.0 * torch.ones_like(mean)), mean - 0.2)


@pytest.mark.parametrize("picture", [(1, 8, 8), (3, 8, 12), (4, 16, 8)])
@pytest.mark.parametrize("multipliers", [(1,), (1, 2), (1, 1, 2)])
def test_every_shape_of_picture_comes_back_in_its_shape(
    picture: tuple[int, int, int], multipliers: tuple[int, ...]
) -> None:
    config = VaeConfig(base_channels=8, multipliers=multipliers, latent_channels=2)
    vae = Vae(config, picture)
    posterior = vae.encode(pictures(2, picture))
    share = 2 ** (len(multipliers) - 1)
    assert posterior.mean.shape == (2, 2, picture[1] // share, picture[2] // share)
    assert posterior.mean.shape[1:] == vae.shape == latent_shape(config, picture)
    assert vae.decode(posterior.mean).shape == (2, *picture)


@pytest.mark.parametrize("picture", [(3, 10, 8), (3, 8, 10), (3, 2, 2)])
def test_a_picture_that_does_not_halve_as_often_is_refused(picture: tuple[int, int, int]) -> None:
    config = VaeConfig(base_channels=8, multipliers=(1, 1, 2))
    with pytest.raises(ConfigError, match=r"multiples of 4; use fewer levels"):
        Vae(config, picture)


def test_a_latent_may_be_one_vector_for_the_whole_picture() -> None:
    config = VaeConfig(base_channels=8, multipliers=(1, 1, 1, 1), latent_channels=32)
    assert Vae(config, (3, 8, 8)).shape == (32, 1, 1)


def test_the_discriminator_has_the_layers_and_parameters_of_favicongen() -> None:
    discriminator = PatchDiscriminator(3)
    assert sum(parameter.numel() for parameter in discriminator.parameters()) == 29_880
    judged = discriminator(torch.zeros(2, 3, 32, 32))
    assert judged.shape == (2, 8, 16, 16)
    assert bool(((judged > 0) & (judged < 1)).all())


def test_without_a_weight_for_it_there_is_no_discriminator() -> None:
    network = AdversarialVae(VaeConfig(base_channels=8, adversarial_weight=0.0), (3, 8, 8))
    assert network.discriminator is None
    assert all(name.startswith("vae.") for name, _ in network.named_parameters())
    losses = network(*told(network, adversity=0.0))
    assert losses.shape == (8,)


def test_the_discriminators_own_loss_adds_nothing_to_the_value() -> None:
    torch.manual_seed(0)
    network = AdversarialVae(TINY, (3, 8, 8))
    given = told(network, adversity=0.0)
    posterior = network.vae.encode(given[0])
    restored = network.vae.decode(posterior.sample(given[1]))
    expected = (restored - given[0]).square().mean(dim=(1, 2, 3))
    expected = expected + TINY.kl_weight * posterior.divergence()
    assert torch.allclose(network(*given), expected, atol=1e-6)


def test_in_evaluation_the_discriminator_is_not_asked() -> None:
    torch.manual_seed(0)
    network = AdversarialVae(TINY, (3, 8, 8))
    loud, silent = told(network, adversity=5.0), told(network, adversity=0.0)
    assert not torch.allclose(network(*loud), network(*silent))
    network.eval()
    assert torch.equal(network(*loud), network(*silent))


def test_the_discriminator_learns_to_tell_and_the_autoencoder_to_deceive() -> None:
    torch.manual_seed(0)
    network = AdversarialVae(TINY, (3, 8, 8))
    assert network.discriminator is not None
    given = told(network)
    restored = network.vae.decode(network.vae.encode(given[0]).sample(given[1]))
    own = list(network.discriminator.parameters())
    mistakes = (
        1.0 - network.discriminator(given[0]) + network.discriminator(restored.detach())
    ).mean()
    expected = torch.autograd.grad(mistakes, own)
    found = gradients(network)
    for (name, _), gradient in zip(network.discriminator.named_parameters(), expected, strict=True):
        assert torch.allclose(found[f"discriminator.{name}"], gradient, atol=1e-6), name
    deaf = gradients(network, adversity=0.0)
    heard = {name for name in found if not torch.equal(found[name], deaf[name])}
    last = len(network.vae.decoder) - 1
    assert {f"vae.decoder.{last}.weight", "vae.encoder.0.weight"} <= heard
    assert not any(name.startswith("discriminator.") for name in heard)
    posterior = network.vae.encode(given[0])
    error = (network.vae.decode(posterior.sample(given[1])) - given[0]).square().mean()
    plain = error + TINY.kl_weight * posterior.divergence().mean()
    for name, parameter in network.vae.named_parameters():
        own_gradient = torch.autograd.grad(plain, parameter, retain_graph=True)[0]
        assert torch.allclose(deaf[f"vae.{name}"], own_gradient, atol=1e-6), name


def test_losses_are_of_each_picture_for_itself() -> None:
    torch.manual_seed(0)
    network = AdversarialVae(TINY, (3, 8, 8))
    given = told(network)
    whole = network(*given)
    for place in (0, 3, 7):
        alone = network(*(field[place : place + 1] for field in given))
        assert torch.allclose(alone, whole[place : place + 1], atol=1e-5)


def test_losses_stay_finite_where_the_encoder_says_absurd_things() -> None:
    network = AdversarialVae(TINY, (3, 8, 8))
    last = network.vae.encoder[-1]
    assert isinstance(last, torch.nn.Conv2d)
    assert last.bias is not None
    with torch.no_grad():
        last.bias.fill_(1e4)
    assert bool(torch.isfinite(network(*told(network))).all())


def test_a_picture_drawn_from_the_prior_is_decided_by_its_seed_alone() -> None:
    torch.manual_seed(0)
    vae = Vae(TINY, (3, 8, 8)).eval()
    together = drawn_from_prior(vae, [5, 6, 7])
    alone = drawn_from_prior(vae, [6])
    assert together.shape == (3, 3, 8, 8)
    assert torch.allclose(together[1:2], alone, atol=1e-5)
    assert float(together.abs().max()) <= 1.0
    assert not torch.allclose(together[0], together[1])


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("base_channels", 12),
        ("base_channels", 0),
        ("multipliers", ()),
        ("multipliers", (1, 0)),
        ("blocks", 0),
        ("latent_channels", 0),
        ("kl_weight", -1.0),
        ("adversarial_weight", -0.1),
        ("adversarial_after_images", -1),
        ("discriminator_lr", 0.0),
    ],
)
def test_a_wrong_value_is_refused_by_its_name(key: str, value: object) -> None:
    with pytest.raises(ConfigError, match=rf"vae\.{key}"):
        VaeConfig(**{key: value})  # type: ignore[arg-type]
