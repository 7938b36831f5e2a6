import math

import pytest
import torch

from train.picture_noise import BlendedNoise, LaterNoise, PictureNoise, slerp

CPU = torch.device("cpu")
SHAPE = (3, 32, 32)
FIRST = [-0.774972, -0.272634, -0.972267, -0.621429, -0.671028, 0.804954]


def noise(*seeds: int) -> PictureNoise:
    return PictureNoise(seeds, SHAPE, CPU)


def test_the_noise_of_a_picture_is_its_seed_s_to_the_bit_whatever_the_batch() -> None:
    together = noise(3, 4, 5)
    for number in (0, 1, 77):
        assert torch.equal(together.draw(number)[1], noise(4).draw(number)[0])
        assert torch.equal(together.draw(number), together.draw(number))


def test_seeds_and_draws_are_independent_normal_numbers() -> None:
    flat = torch.stack([noise(*range(8)).draw(number) for number in range(4)]).flatten(2)
    rows = flat.flatten(0, 1)  # (32, 3072), all of them different draws
    assert rows.shape == (32, 3072)
    correlations = torch.corrcoef(rows) - torch.eye(32)
    assert float(correlations.abs().max()) < 5 / math.sqrt(3072)
    assert float(rows.mean()) == pytest.approx(0.0, abs=0.01)
    assert float(rows.std()) == pytest.approx(1.0, abs=0.01)


def test_the_first_numbers_never_change() -> None:
    first = PictureNoise([0, 2**62 - 1], (1, 1, 3), CPU).draw(0).flatten()
    assert first.tolist() == pytest.approx(FIRST, abs=1e-6)


@pytest.mark.parametrize("share", [0.0, 0.25, 0.5, 1.0])
def test_blended_noise_is_as_long_as_noise_and_at_the_ends_exact(share: float) -> None:
    blended = BlendedNoise(noise(1), noise(2), [share])
    for number in (0, 3):
        a, b, got = noise(1).draw(number), noise(2).draw(number), blended.draw(number)
        assert float(got.std()) == pytest.approx(1.0, abs=0.05)
        if share in (0.0, 1.0):
            assert torch.equal(got, a if share == 0.0 else b)


def test_each_picture_has_its_own_share() -> None:
    blended = BlendedNoise(noise(1, 1), noise(2, 2), [0.0, 1.0]).draw(0)
    assert torch.equal(blended[0], noise(1).draw(0)[0])
    assert torch.equal(blended[1], noise(2).draw(0)[0])


def test_the_way_between_two_noises_is_walked_at_an_even_speed() -> None:
    a, b = noise(1).draw(0), noise(2).draw(0)
    shares = torch.linspace(0, 1, 9)
    way = slerp(a.expand(9, -1, -1, -1), b.expand(9, -1, -1, -1), shares).flatten(1)
    way = torch.nn.functional.normalize(way, dim=1)
    angles = (way[1:] * way[:-1]).sum(1).acos()
    assert torch.allclose(
        angles, angles.mean().expand_as(angles), rtol=0.03
    )  # their lengths differ a little


def test_between_a_noise_and_itself_there_is_only_itself() -> None:
    a = noise(1).draw(0)
    assert torch.allclose(slerp(a, a, torch.tensor([0.3])), a)
    opposite = slerp(a, -a, torch.tensor([0.25]))
    assert torch.allclose(opposite, 0.5 * a, atol=1e-5)
    assert bool(slerp(0 * a, a, torch.tensor([0.5])).isfinite().all())


def test_later_noise_begins_after_what_was_drawn() -> None:
    assert torch.equal(LaterNoise(noise(5), 7).draw(2), noise(5).draw(9))
