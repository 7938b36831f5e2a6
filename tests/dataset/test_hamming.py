"""Joins of 64-bit codes against counting every bit of every pair."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from dataset.compiled import compiled
from dataset.errors import DataError
from dataset.hamming import Pairs, crowded, near_pairs, near_pairs_between, within
from dataset.hamming_plan import Plan, chosen_plan, masks_within, plans, spread_order

Codes = NDArray[np.uint64]


def counted(codes: Codes, radius: int) -> Pairs:
    bits = np.bitwise_count(codes[:, None] ^ codes[None, :])
    i, j = np.nonzero(np.triu(bits <= radius, 1))
    return i, j, bits[i, j]


def counted_between(queries: Codes, codes: Codes, radius: int) -> Pairs:
    bits = np.bitwise_count(queries[:, None] ^ codes[None, :])
    i, j = np.nonzero(bits <= radius)
    return i, j, bits[i, j]


def same(left: tuple[NDArray[np.generic], ...], right: tuple[NDArray[np.generic], ...]) -> bool:
    return all(np.array_equal(a, b) for a, b in zip(left, right, strict=True))


def clustered(count: int, centres: int, flips: int, seed: int = 0) -> Codes:
    """Codes around `centres` of them with up to `flips` bits turned; some are equal."""
    rng = np.random.default_rng(seed)
    codes = rng.integers(0, 2**64, centres, dtype=np.uint64)[rng.integers(0, centres, count)]
    for _ in range(flips):
        bit = np.uint64(1) << rng.integers(0, 64, count, dtype=np.uint64)
        codes ^= bit * rng.integers(0, 2, count, dtype=np.uint64)
    return codes


def test_known_pairs() -> None:
    codes = np.array([0b1111, 0, 0b1, 2**64 - 1, 0b1, 0b1110, 2**63], np.uint64)
    i, j, bits = near_pairs(codes, 3)
    assert list(zip(i.tolist(), j.tolist(), bits.tolist(), strict=True)) == [
        (0, 2, 3), (0, 4, 3), (0, 5, 1), (1, 2, 1), (1, 4, 1), (1, 5, 3), (1, 6, 1),
        (2, 4, 0), (2, 6, 2), (4, 6, 2),
    ]  # fmt: skip
    assert [part.dtype for part in (i, j, bits)] == [np.int64, np.int64, np.uint8]
    q, c, bits = near_pairs_between(np.array([2**63 + 1, 0b1111], np.uint64), codes, 1)
    assert list(zip(q.tolist(), c.tolist(), bits.tolist(), strict=True)) == [
        (0, 2, 1), (0, 4, 1), (0, 6, 1), (1, 0, 0), (1, 5, 1),
    ]  # fmt: skip
    positions, bits = within(0b11, codes, 2)
    assert positions.tolist() == [0, 1, 2, 4]
    assert bits.tolist() == [2, 2, 1, 1]


@pytest.mark.parametrize("radius", [*range(17), 63, 64])
def test_every_radius_and_every_plan_finds_what_counting_finds(radius: int) -> None:
    codes = clustered(150, centres=12, flips=12, seed=radius)
    queries = np.append(codes[::9], clustered(20, centres=20, flips=0, seed=99))
    for plan in (None, *plans(radius)):
        assert same(near_pairs(codes, radius, plan=plan), counted(codes, radius)), plan
        found = near_pairs_between(queries, codes, radius, plan=plan)
        assert same(found, counted_between(queries, codes, radius)), plan


CODES = st.lists(st.integers(0, 2**64 - 1) | st.integers(0, 15), max_size=40)


@settings(max_examples=80, deadline=None)
@given(CODES, st.lists(st.integers(0, 63), max_size=6), st.integers(0, 16))
def test_pairs_are_those_of_counting_every_bit(
    drawn: list[int], flips: list[int], radius: int
) -> None:
    near = [code ^ (1 << flip) for code in drawn[:5] for flip in flips]
    codes = np.array(drawn + near, np.uint64)
    expected = counted(codes, radius)
    assert same(near_pairs(codes, radius), expected)
    for plan in plans(min(radius, 8)):
        assert same(near_pairs(codes, min(radius, 8), plan=plan), counted(codes, min(radius, 8)))
    assert same(
        near_pairs_between(codes[::2], codes, radius), counted_between(codes[::2], codes, radius)
    )
    for code in drawn[:3]:
        bits = np.bitwise_count(codes ^ np.uint64(code))
        near_it = np.flatnonzero(bits <= radius)
        assert same(within(code, codes, radius), (near_it, bits[near_it]))


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(0, 12))
def test_the_order_of_the_codes_changes_only_their_numbers(seed: int, radius: int) -> None:
    codes = clustered(120, centres=6, flips=8, seed=seed)
    order = np.random.default_rng(seed).permutation(len(codes))
    i, j, bits = near_pairs(codes[order], radius)
    low, high = np.minimum(order[i], order[j]), np.maximum(order[i], order[j])
    back = np.lexsort((high, low))
    assert same((low[back], high[back], bits[back]), near_pairs(codes, radius))


@pytest.mark.parametrize("plan", plans(6))
def test_any_number_of_threads_gives_the_same_bytes(plan: Plan) -> None:
    codes = clustered(5000, centres=700, flips=10)
    once = near_pairs(codes, 6, plan=plan)
    assert same(once, counted(codes, 6))
    queries = clustered(3000, centres=700, flips=4)
    between = near_pairs_between(queries, codes, 6, plan=plan)
    assert len(between[0]) > 1000
    for threads in (2, 4):
        again = near_pairs(codes, 6, plan=plan, threads=threads)
        assert [part.tobytes() for part in again] == [part.tobytes() for part in once]
        again = near_pairs_between(queries, codes, 6, plan=plan, threads=threads)
        assert [part.tobytes() for part in again] == [part.tobytes() for part in between]


def test_crowded_buckets_are_searched_whole() -> None:
    """More codes in one bucket than are collected or compared at once."""
    rng = np.random.default_rng(0)
    codes = rng.permutation(np.arange(5000, dtype=np.uint64)) << np.uint64(40)
    expected = counted(codes, 2)
    for plan in plans(2):
        assert same(near_pairs(codes, 2, plan=plan), expected), plan


def test_equal_codes_are_all_pairs_of_them() -> None:
    i, j, bits = near_pairs(np.zeros(400, np.uint64), 0)
    assert len(i) == 400 * 399 // 2
    assert same((i, j), np.triu_indices(400, 1))
    assert not bits.any()
    codes = np.repeat(np.array([7, 6, 2**63], np.uint64), [3, 4, 1])[[0, 7, 3, 1, 4, 5, 2, 6]]
    assert same(near_pairs(codes, 1), counted(codes, 1))


@pytest.mark.parametrize("count", [0, 1])
@pytest.mark.parametrize("radius", [0, 8, 64])
def test_no_code_and_one_code_have_no_pairs(count: int, radius: int) -> None:
    codes = np.full(count, 5, np.uint64)
    none = np.zeros(0, np.uint64)
    for pairs in (
        *(near_pairs(codes, radius, plan=plan) for plan in (None, *plans(radius))),
        near_pairs_between(none, codes, radius),
        near_pairs_between(codes, none, radius),
    ):
        assert [len(part) for part in pairs] == [0, 0, 0]
        assert [part.dtype for part in pairs] == [np.int64, np.int64, np.uint8]
    assert len(within(5, codes, radius)[0]) == count


@pytest.mark.parametrize("count", [1, 63, 64, 65, 127, 128, 300, 1000])
def test_one_code_is_compared_with_every_other(count: int) -> None:
    codes = clustered(count, centres=1, flips=20, seed=count)
    bits = np.bitwise_count(codes ^ codes[-1])
    for radius in (0, 6, 64):
        near_it = np.flatnonzero(bits <= radius)
        assert same(within(codes[-1], codes, radius), (near_it, bits[near_it]))


def test_codes_may_be_read_only_or_lie_apart() -> None:
    codes = clustered(300, centres=20, flips=6)
    fixed = codes.copy()
    fixed.setflags(write=False)
    for given_codes in (fixed, np.repeat(codes, 2)[::2]):
        assert same(near_pairs(given_codes, 6), counted(codes, 6))
        assert same(near_pairs_between(given_codes, codes, 6), counted_between(codes, codes, 6))
        assert same(within(0, given_codes, 30), within(0, codes, 30))


def test_a_pair_too_many_is_refused_with_what_to_do() -> None:
    codes = clustered(200, centres=4, flips=3)
    total = len(counted(codes, 6)[0])
    assert len(near_pairs(codes, 6, limit=total)[0]) == total
    for threads in (1, 2):
        with pytest.raises(DataError, match=r"^more than [\d,]+ pairs .* lower the radius, or set"):
            near_pairs(codes, 6, limit=total - 1, threads=threads)
    with pytest.raises(DataError, match="within 6 bits among 200 and 200 codes"):
        near_pairs_between(codes, codes, 6, limit=total)
    with pytest.raises(DataError, match="crowded"):
        near_pairs(np.zeros(200_000, np.uint64), 8)
    with pytest.raises(DataError, match="more than 10 pairs"):
        near_pairs(clustered(5000, centres=1, flips=3), 8, limit=10)


def test_crowded_codes_are_told_most_first() -> None:
    codes = np.repeat(np.array([9, 4, 2**63, 1], np.uint64), [2, 5, 5, 3])
    found, counts = crowded(codes[::-1], 3)
    assert found.tolist() == [4, 2**63, 1]
    assert counts.tolist() == [5, 5, 3]
    assert len(crowded(codes, 6)[0]) == 0
    assert len(crowded(codes[:0], 1)[0]) == 0


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("count", [0, 1, 5000])
def test_progress_adds_up_to_the_number_of_codes(count: int, threads: int) -> None:
    codes = clustered(count, centres=50, flips=20)
    for plan in (None, plans(8)[2]):
        told: list[int] = []
        near_pairs(codes, 8, threads=threads, advance=told.append, plan=plan)
        assert sum(told) == count
        assert all(steps > 0 for steps in told)
        told.clear()
        near_pairs_between(codes, codes[:9], 8, threads=threads, advance=told.append, plan=plan)
        assert sum(told) == count


def test_what_is_no_list_of_codes_is_refused() -> None:
    codes = np.arange(4, dtype=np.uint64)
    wrong = (
        codes.astype(np.int64),
        codes.astype(np.uint32),
        codes.astype(np.float64),
        codes.astype(">u8"),
        codes.reshape(2, 2),
        [1, 2, 3],
        np.uint64(3),
    )
    for given_codes in wrong:
        for call in (
            lambda given: near_pairs(given, 4),
            lambda given: near_pairs_between(given, codes, 4),
            lambda given: near_pairs_between(codes, given, 4),
            lambda given: within(1, given, 4),
            lambda given: crowded(given, 2),
        ):
            with pytest.raises(ValueError, match="uint64 array of one dimension"):
                call(given_codes)


def test_numbers_out_of_range_are_refused() -> None:
    codes = np.arange(4, dtype=np.uint64)
    for radius in (-1, 65):
        with pytest.raises(ValueError, match="radius"):
            near_pairs(codes, radius)
        with pytest.raises(ValueError, match="radius"):
            within(1, codes, radius)
    with pytest.raises(ValueError, match="threads"):
        near_pairs_between(codes, codes, 4, threads=0)
    with pytest.raises(ValueError, match="limit"):
        near_pairs(codes, 4, limit=-1)
    for code in (-1, 2**64):
        with pytest.raises(ValueError, match="64 bits"):
            within(code, codes, 4)


@pytest.mark.parametrize("radius", range(17))
def test_chunks_hold_every_bit_and_their_radii_leave_no_pair_out(radius: int) -> None:
    for plan in plans(radius)[1:]:
        assert sum(plan.widths) == 64
        assert int(np.bitwise_or.reduce(plan.parts)) == 2**64 - 1
        # The fewest bits that a pair no chunk sees would have to differ in.
        assert sum(own + 1 for own in plan.radii) > radius
    assert plans(8)[2] == Plan(widths=(16, 16, 16, 16), radii=(2, 1, 1, 1))
    assert [len(masks_within(16, own)) for own in (0, 1, 2)] == [1, 17, 137]


def test_bits_that_tell_the_same_are_put_apart() -> None:
    rng = np.random.default_rng(0)
    halves = rng.integers(0, 2**16, 4000, dtype=np.uint64)
    codes = np.zeros(4000, np.uint64)
    for bit in range(64):  # bits 4n..4n+3 are the same
        codes |= ((halves >> np.uint64(bit // 4)) & np.uint64(1)) << np.uint64(bit)
    rng_order = rng.permutation(64)
    shuffled = Plan((64,), (0,), tuple(rng_order.tolist())).arranged(codes)
    for given_codes, kin in ((codes, np.arange(64) // 4), (shuffled, rng_order // 4)):
        order = spread_order(given_codes, plans(8)[2])
        assert sorted(order) == list(range(64))
        for chunk in range(4):
            held = kin[list(order[16 * chunk : 16 * chunk + 16])]
            assert len(set(held.tolist())) == 16


def test_few_codes_are_compared_directly_and_many_in_chunks() -> None:
    rng = np.random.default_rng(0)
    codes = np.sort(rng.integers(0, 2**64, 200_000, dtype=np.uint64))
    assert chosen_plan(codes[:500], None, 8).widths == (0,)
    assert chosen_plan(codes[:3], codes, 8).widths == (0,)
    assert len(chosen_plan(codes, None, 8).widths) in (4, 5)
    # Where all codes agree in most bits, chunks part nothing.
    assert chosen_plan(codes & np.uint64(0xFFFF), None, 16).widths == (0,)


def test_a_loop_without_a_place_for_its_machine_code_works() -> None:
    scope: dict[str, object] = {"compiled": compiled}
    exec("@compiled\ndef double(n):\n    return 2 * n\n", scope)  # no file, so no cache folder
    double = scope["double"]
    assert callable(double)
    assert double(21) == 42
