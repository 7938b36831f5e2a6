"""How a join of 64-bit codes is cut into chunks, chosen by what the codes at hand will cost.

Two codes within r bits of each other are, in at least one of m chunks of their bits, within a few:
with r = m*q + a, within q bits in one of the first a + 1 chunks or within q - 1 in one of the
others. Only codes whose chunks are that near are compared (Norouzi, Punjani and Fleet 2014,
"Fast exact search in Hamming space with multi-index hashing").
"""

import functools
import itertools
import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dataset.hamming_join import ROWS_AT_ONCE, permuted

Codes = NDArray[np.uint64]
BITS = 64

_CHUNK_COUNTS = (3, 4, 5, 6)
_SAMPLE = 8192
_COLUMN_SAMPLE = 1 << 18
_LOOKUPS = 1 << 17
# What a step costs relative to the others, in nanoseconds on one core with AVX-512.
_NS_COMPARED = 0.065  # a pair of codes
_NS_COLLECTED = 2.0  # a code brought together with its neighbours
_NS_LOOKED_UP = 25.0  # a neighbouring bucket found
_NS_SORTED = 10.0  # a code put into its bucket


@dataclass(frozen=True)
class Plan:
    """Chunks of `widths` bits; codes meet that differ by at most `radii` bits there (-1: never).

    `order` says which bit of a code stands at each place, lowest first, chunk after chunk.
    """

    widths: tuple[int, ...]
    radii: tuple[int, ...]
    order: tuple[int, ...] = tuple(range(BITS))

    @property
    def chunks(self) -> list[tuple[int, int, int]]:
        """Width, radius and place of every chunk that takes part."""
        every = zip(self.widths, self.radii, self.shifts, strict=True)
        return [chunk for chunk in every if chunk[1] >= 0]

    @property
    def shifts(self) -> tuple[int, ...]:
        """Where every chunk begins."""
        return (0, *itertools.accumulate(self.widths[:-1]))

    @property
    def parts(self) -> Codes:
        """The bits that every chunk holds."""
        masks = ((1 << width) - 1 << at for width, at in zip(self.widths, self.shifts, strict=True))
        return np.array(list(masks), np.uint64)

    def arranged(self, codes: Codes) -> Codes:
        """Codes with their bits in this plan's order."""
        if self.order == tuple(range(BITS)):
            return np.ascontiguousarray(codes)
        values = np.arange(256, dtype=np.uint64)
        tables = np.zeros((8, 256), np.uint64)
        for place, bit in enumerate(self.order):
            byte, of_byte = divmod(bit, 8)
            set_there = (values >> np.uint64(of_byte)) & np.uint64(1)
            tables[byte] |= set_there << np.uint64(place)
        return permuted(np.ascontiguousarray(codes), tables)


def plans(radius: int) -> list[Plan]:
    """Every way of finding all pairs within `radius` bits; the first compares all with all."""
    cuts = [Plan(widths=(0,), radii=(radius,))]
    for count in _CHUNK_COUNTS:
        width, wider = divmod(BITS, count)
        quotient, rest = divmod(radius, count)
        # The wider chunks stand last, where the radius may be smaller.
        widths = tuple(width + (n >= count - wider) for n in range(count))
        radii = tuple(quotient if n <= rest else quotient - 1 for n in range(count))
        if max(radii) < min(widths):
            cuts.append(Plan(widths=widths, radii=radii))
    return cuts


def chosen_plan(rows: Codes, columns: Codes | None, radius: int) -> Plan:
    """The plan that should be fastest for rows (R,) and columns (C,); None: the rows themselves.

    Chunked plans come with the order of bits that spreads these codes best.
    """
    alone = columns is None
    others = rows if columns is None else columns
    brute, *chunked = plans(radius)
    if len(rows) == 0 or len(others) == 0:
        return brute
    best, cheapest = brute, _price(len(rows), len(others), brute, None, alone)
    # A plan never costs less than with codes that are spread evenly.
    at_best = {plan: _price(len(rows), len(others), plan, None, alone) for plan in chunked}
    for plan in sorted(chunked, key=lambda plan: at_best[plan]):
        if at_best[plan] >= cheapest:
            break
        plan = Plan(plan.widths, plan.radii, spread_order(others, plan))
        met = _columns_met(rows, others, plan)
        price = _price(len(rows), len(others), plan, met, alone)
        if price < cheapest:
            best, cheapest = plan, price
    return best


@functools.lru_cache(maxsize=64)
def masks_within(width: int, radius: int) -> Codes:
    """All words of `width` bits of which at most `radius` are set, nought first."""
    words = [
        sum(1 << bit for bit in bits)
        for size in range(radius + 1)
        for bits in itertools.combinations(range(width), size)
    ]
    found = np.array(words, np.uint64)
    found.setflags(write=False)
    return found


def spread_order(codes: Codes, plan: Plan) -> tuple[int, ...]:
    """An order of the bits in which no chunk holds many that tell the same.

    Bits are interleaved, then exchanged between chunks while that lowers the chance that two of
    the codes meet, reckoned from single bits and pairs of bits.
    """
    sample = codes[:: max(1, len(codes) // _SAMPLE)][:_SAMPLE]
    alone, shared = _information(sample)
    count = len(plan.widths)
    chunk_of = np.repeat(np.arange(count), plan.widths)[_interleaved(plan.widths)]
    weights = np.array([mask_count(*chunk) for chunk in zip(plan.widths, plan.radii, strict=True)])
    for _ in range(2 * BITS):
        member = np.eye(count)[chunk_of]  # (64, chunks)
        tied = shared @ member  # what each bit shares with each chunk
        told = alone @ member - (member * tied).sum(0) / 2
        own = tied[np.arange(BITS), chunk_of]
        gained = alone[None, :] - alone[:, None] + own[:, None] - tied[:, chunk_of].T + shared
        # [a, b]: what a's chunk tells more when b takes its place
        here = weights[chunk_of] * np.exp2(-told[chunk_of])
        after = here[:, None] * np.exp2(-gained)
        change = after + after.T - here[:, None] - here[None, :]
        change[chunk_of[:, None] == chunk_of[None, :]] = 0
        best = int(change.argmin())
        a, b = divmod(best, BITS)
        if change[a, b] >= -1e-12 * here.sum():
            break
        chunk_of[a], chunk_of[b] = chunk_of[b], chunk_of[a]
    return tuple(int(bit) for bit in np.argsort(chunk_of, kind="stable"))


def _interleaved(widths: tuple[int, ...]) -> NDArray[np.int64]:
    """For each bit its place, dealt out to the chunks in turn."""
    places = [(n, chunk) for chunk, width in enumerate(widths) for n in range(width)]
    dealt = sorted(range(BITS), key=lambda place: places[place])
    return np.array(dealt, np.int64)


def _information(sample: Codes) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """What each bit tells (64,) and what each two tell both (64, 64; 0 of a bit with itself).

    In bits of collision entropy: -log2 of the chance that two of the sample agree.
    """
    set_bits = (sample[:, None] >> np.arange(BITS, dtype=np.uint64)) & np.uint64(1)
    ones = set_bits.astype(np.float32)
    both = (ones.T @ ones).astype(np.float64) / len(sample)
    single = np.diag(both)
    first, second = single[:, None] - both, single[None, :] - both
    neither = 1 - both - first - second
    joint = -np.log2(both**2 + first**2 + second**2 + neither**2)
    alone = -np.log2(single**2 + (1 - single) ** 2)
    shared = alone[:, None] + alone[None, :] - joint
    np.fill_diagonal(shared, 0)
    return alone, shared


def mask_count(width: int, radius: int) -> int:
    """How many words `masks_within` has."""
    return sum(math.comb(width, size) for size in range(radius + 1))


def _columns_met(rows: Codes, columns: Codes, plan: Plan) -> list[float]:
    """How many columns a row is compared with in every chunk, from a sample of both."""
    step = max(1, len(columns) // _COLUMN_SAMPLE)
    sample = plan.arranged(columns[::step])
    met = []
    for width, radius, shift in plan.chunks:
        words = masks_within(width, radius)
        low = np.uint64((1 << width) - 1)
        buckets = ((sample >> np.uint64(shift)) & low).astype(np.int64)
        sizes = np.bincount(buckets, minlength=1 << width)
        asking = rows[:: max(1, len(rows) * len(words) // _LOOKUPS)]
        asked = (plan.arranged(asking) >> np.uint64(shift)) & low
        seen = sizes[(asked[:, None] ^ words[None, :]).astype(np.int64)].sum() / len(asked)
        met.append(float(seen) * step)
    return met


def _price(rows: int, columns: int, plan: Plan, met: list[float] | None, alone: bool) -> float:
    """Nanoseconds to join rows with columns; `met` is what `_columns_met` has, None: evenly."""
    total = 0.0
    for n, (width, radius, _) in enumerate(plan.chunks):
        masks = mask_count(width, radius)
        seen = columns * masks / 2**width if met is None else met[n]
        buckets = min(rows, 2**width)
        # The neighbours of a bucket are collected once for so many of its rows.
        blocks = max(buckets, rows / ROWS_AT_ONCE)
        collected = min(blocks * seen, blocks / buckets * masks * columns)
        looked_up = blocks * masks
        steps = rows * seen * _NS_COMPARED + collected * _NS_COLLECTED + looked_up * _NS_LOOKED_UP
        total += (steps + (rows + columns) * _NS_SORTED) / (2 if alone else 1)
    return total
