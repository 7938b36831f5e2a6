import torch
from hypothesis import given
from hypothesis import strategies as st

from train.counter import Stream, hashed, stream_key, uniform

_WORD = 2**64 - 1


def splitmix64(key: int, counter: int) -> int:
    """The published mixing in plain whole numbers."""
    z = (key + counter * 0x9E3779B97F4A7C15) & _WORD
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & _WORD
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & _WORD
    return z ^ (z >> 31)


def test_the_first_numbers_of_splitmix64_from_zero_are_the_published_ones() -> None:
    words = hashed(0, torch.arange(1, 4))
    assert [int(word) & _WORD for word in words] == [
        0xE220A8397B1DCDAF,
        0x6E789E6AA1B965F4,
        0x06C45D188009454F,
    ]


@given(st.integers(0, 2**63 - 1), st.integers(0, 2**40))
def test_the_tensor_mixing_equals_plain_whole_numbers(key: int, counter: int) -> None:
    assert int(hashed(key, torch.tensor([counter]))) & _WORD == splitmix64(key, counter)


@given(st.integers(0, 2**63 - 1))
def test_keys_fit_a_generator(seed: int) -> None:
    assert 0 <= stream_key(seed, Stream.NOISE, seed) < 2**63


def test_streams_seeds_and_indices_have_different_keys() -> None:
    keys = {
        stream_key(seed, stream, index)
        for seed in range(5)
        for stream in Stream
        for index in range(20)
    }
    assert len(keys) == 5 * len(Stream) * 20


def test_uniform_numbers_fill_the_unit_interval_evenly() -> None:
    numbers = uniform(stream_key(0, Stream.TIME), torch.arange(100_000))
    assert numbers.min() >= 0
    assert numbers.max() < 1
    counts = torch.histc(numbers, bins=20, min=0.0, max=1.0)
    assert ((counts - 5000).abs() < 400).all()
