"""Chance: equal arguments give equal numbers, within the ranges asked for."""

from hypothesis import given
from hypothesis import strategies as st

from scrape.demo_site.chance import Chance
from scrape.demo_site.colours import ACCENTS, INK, WHITE, darker, hsl, lighter, tint

SEEDS = st.integers(0, 2**31)


@given(SEEDS, st.text(max_size=8), st.integers(0, 10_000))
def test_equal_arguments_give_equal_numbers(seed: int, name: str, index: int) -> None:
    one, other = Chance(seed, name, index), Chance(seed, name, index)
    assert [one.between(0, 1) for _ in range(5)] == [other.between(0, 1) for _ in range(5)]


def test_seed_name_and_index_each_count() -> None:
    first = {
        Chance(seed, name, index).between(0, 1)
        for seed in (1, 2)
        for name in ("cat", "dog")
        for index in (0, 1)
    }
    assert len(first) == 8


def test_the_numbers_are_the_same_on_every_machine() -> None:
    chance = Chance(7, "cat", 3)
    assert [chance.below(100) for _ in range(6)] == [85, 61, 91, 69, 11, 61]


@given(SEEDS, st.integers(1, 50))
def test_below_stays_below(seed: int, count: int) -> None:
    chance = Chance(seed, "below")
    assert all(0 <= chance.below(count) < count for _ in range(20))


@given(SEEDS, st.lists(st.integers(), max_size=30))
def test_shuffling_loses_nothing(seed: int, items: list[int]) -> None:
    assert sorted(Chance(seed, "order").shuffled(items)) == sorted(items)


def test_colours_stay_in_their_family() -> None:
    family = tint("blue", 220, 0.7, 0.4)
    chance = Chance(1, "colour")
    for _ in range(50):
        red, _, blue = chance.colour(family)
        assert blue > 2 * red


def test_known_colours() -> None:
    assert hsl(0, 1, 0.5) == (255, 0, 0)
    assert hsl(480, 1, 0.5) == (0, 255, 0)
    assert lighter(INK, 1.0) == WHITE
    assert darker(WHITE, 1.0) == INK
    assert len(ACCENTS) == 5
