"""All pairs of 64-bit codes (perceptual hashes) that differ in few bits: exact, a join.

    i, j, bits = near_pairs(codes, 8)
    query, code, bits = near_pairs_between(new_codes, codes, 8)
    positions, bits = within(code, codes, 8)

Everything is compiled at its first use and works without the GIL. No answer depends on the number
of threads, on the plan that was chosen, or (but for the numbers of the codes) on their order.
"""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dataset.errors import DataError
from dataset.hamming_join import bucketed, finish, join, scan, scatter, tally
from dataset.hamming_plan import BITS, Plan, chosen_plan, mask_count, masks_within

Codes = NDArray[np.uint64]
Numbers = NDArray[np.int64]
Distances = NDArray[np.uint8]
Pairs = tuple[Numbers, Numbers, Distances]
Advance = Callable[[int], None]
# Codes in the order of their buckets, their numbers, and where each bucket starts.
Buckets = tuple[Codes, NDArray[np.int32], NDArray[np.uint32]]
# Group g has the members[starts[g] : starts[g + 1]].
Groups = tuple[Numbers, NDArray[np.int32]]

# A pair takes about 25 bytes while it is found and 17 in the answer.
PAIR_LIMIT = 100_000_000
_MOST_TASKS = 256
_ROWS_PER_TASK = 1024
_MOST_CODES = 2**31 - 1
_TWICE = np.uint64((1 << 32) + 1)  # n * _TWICE is the pair of n and n


def near_pairs(
    codes: Codes,
    radius: int,
    *,
    threads: int = 1,
    limit: int = PAIR_LIMIT,
    advance: Advance | None = None,
    plan: Plan | None = None,
) -> Pairs:
    """All pairs i < j of codes (N,) uint64 within `radius` bits: arrays (i, j, distance).

    i and j are int64, the distance uint8 (0..64); sorted by i, then j. `advance` is called, in
    this thread, with the number of codes that are done since it was called last; in all N. `plan`
    forces a way of searching (see dataset.hamming_plan); by default the fastest is chosen.

    Raises DataError when there are more than `limit` pairs, ValueError on arguments of other
    kinds or shapes.
    """
    codes = _checked(codes, radius, threads, limit)
    distinct, groups = _collapsed(codes)
    found = _Found(groups, groups, limit, f"within {radius} bits among {len(codes):,} codes")
    found.add_equal()
    steps = _Steps(len(codes), advance)
    _join(distinct, None, radius, plan, threads, found, steps)
    steps.finish()
    return _in_order(found, codes, codes, threads, alone=True)


def near_pairs_between(
    queries: Codes,
    codes: Codes,
    radius: int,
    *,
    threads: int = 1,
    limit: int = PAIR_LIMIT,
    advance: Advance | None = None,
    plan: Plan | None = None,
) -> Pairs:
    """All pairs of a query (Q,) and a code (N,) within `radius` bits: (query, code, distance).

    Positions are int64, the distance uint8; sorted by the query's position, then the code's.
    `advance` counts queries, in all Q; the rest is as in `near_pairs`.
    """
    queries = _checked(queries, radius, threads, limit)
    codes = _checked(codes, radius, threads, limit)
    what = f"within {radius} bits among {len(queries):,} and {len(codes):,} codes"
    found = _Found(_each(queries), _each(codes), limit, what)
    steps = _Steps(len(queries), advance)
    _join(queries, codes, radius, plan, threads, found, steps)
    steps.finish()
    return _in_order(found, queries, codes, threads, alone=False)


def within(code: int | np.uint64, codes: Codes, radius: int) -> tuple[Numbers, Distances]:
    """Positions (int64, ascending) and distances (uint8) of codes (N,) near one code.

    Looks at every code: well under a millisecond for a million.
    """
    if not 0 <= int(code) < 2**BITS:
        raise ValueError(f"a code has {BITS} bits and no sign, got {code}")
    return scan(np.uint64(code), _checked(codes, radius), radius)


def crowded(codes: Codes, at_least: int) -> tuple[Codes, Numbers]:
    """The codes that `at_least` positions share, and how many do (int64), most first.

    Such codes are those of flat or empty pictures more often than of many copies; set them apart
    before a join whose answer would be too large.
    """
    distinct, counts = np.unique(_checked(codes), return_counts=True)
    chosen = np.flatnonzero(counts >= at_least)
    chosen = chosen[np.argsort(-counts[chosen], kind="stable")]
    return distinct[chosen], counts[chosen].astype(np.int64)


class _Found:
    """Pairs of groups (row << 32 | column) as they come, and how many pairs of members they are."""

    def __init__(self, rows: Groups, columns: Groups, limit: int, what: str) -> None:
        self.row_groups, self.column_groups = rows, columns
        self._row_sizes, self._column_sizes = np.diff(rows[0]), np.diff(columns[0])
        self.limit, self.what = limit, what
        self.total = 0
        self.blocks: list[Codes] = []

    @property
    def room(self) -> int:
        return self.limit - self.total

    def add_equal(self) -> None:
        """The pairs within every group: rows and columns are the same."""
        sizes = self._row_sizes
        self._add(np.flatnonzero(sizes > 1).astype(np.uint64) * _TWICE, sizes * (sizes - 1) // 2)

    def add(self, pairs: Codes) -> None:
        rows, columns = pairs >> np.uint64(32), pairs & np.uint64(0xFFFFFFFF)
        self._add(pairs, self._row_sizes[rows] * self._column_sizes[columns])

    def _add(self, pairs: Codes, stand_for: Numbers) -> None:
        self.total += int(stand_for.sum())
        if self.total > self.limit:
            raise DataError(
                f"more than {self.limit:,} pairs {self.what}; lower the radius, or set apart "
                "codes that very many pictures share (dataset.hamming.crowded finds them)"
            )
        if len(pairs):
            self.blocks.append(pairs)


class _Steps:
    """Tells a caller of shares of a whole as whole numbers that add up."""

    def __init__(self, total: int, advance: Advance | None) -> None:
        self.total, self.advance = total, advance
        self.told = 0

    def reach(self, share: float) -> None:
        steps = min(int(share * self.total), self.total) - self.told
        if self.advance is not None and steps > 0:
            self.told += steps
            self.advance(steps)

    def finish(self) -> None:
        self.reach(1.0)


def _checked(codes: Codes, radius: int = 0, threads: int = 1, limit: int = 0) -> Codes:
    """Codes in the one layout that loops are compiled for."""
    if not isinstance(codes, np.ndarray) or codes.dtype != np.uint64 or codes.ndim != 1:
        raise ValueError("codes must be a uint64 array of one dimension")
    if len(codes) > _MOST_CODES:
        raise ValueError(f"at most {_MOST_CODES:,} codes, got {len(codes):,}")
    if not 0 <= radius <= BITS:
        raise ValueError(f"radius must be 0..{BITS} bits, got {radius}")
    if threads < 1:
        raise ValueError(f"threads must be at least 1, got {threads}")
    if limit < 0:
        raise ValueError(f"limit must not be negative, got {limit}")
    return np.require(codes, np.uint64, ["C", "A", "W"])


def _collapsed(codes: Codes) -> tuple[Codes, Groups]:
    """The distinct codes (D,), ascending, and which of the codes (N,) each stands for."""
    order = np.argsort(codes)
    ascending = codes[order]
    new = np.ones(len(codes), bool)
    new[1:] = ascending[1:] != ascending[:-1]
    starts = np.append(np.flatnonzero(new), len(codes)).astype(np.int64)
    return ascending[new], (starts, order.astype(np.int32))


def _each(codes: Codes) -> Groups:
    """Groups of one code each."""
    return np.arange(len(codes) + 1, dtype=np.int64), np.arange(len(codes), dtype=np.int32)


@dataclass(frozen=True)
class _Chunk:
    """Rows and columns in the buckets of one chunk of their bits."""

    rows: Buckets
    columns: Buckets
    masks: Codes
    radius: int
    parts: Codes
    radii: Codes
    number: int
    shift: int
    alone: bool

    def pairs(self, begin: int, end: int, limit: int) -> Codes:
        """Pairs of the rows begin..end, in the order of the buckets."""
        codes, numbers, _ = self.rows
        return join(
            codes, numbers, begin, end, *self.columns, self.masks, self.radius,
            self.parts, self.radii, self.number, self.shift, self.alone, limit,
        )  # fmt: skip


def _chunks(rows: Codes, columns: Codes | None, radius: int, plan: Plan) -> Iterator[_Chunk]:
    arranged = plan.arranged(rows)
    others = None if columns is None else plan.arranged(columns)
    radii = np.array([max(own, 0) for own in plan.radii], np.uint64)
    for number, (width, own, shift) in enumerate(plan.chunks):
        buckets = bucketed(arranged, shift, width)
        yield _Chunk(
            rows=buckets,
            columns=buckets if others is None else bucketed(others, shift, width),
            masks=masks_within(width, own),
            radius=radius,
            parts=plan.parts,
            radii=radii,
            number=number,
            shift=shift,
            alone=others is None,
        )


def _join(
    rows: Codes,
    columns: Codes | None,
    radius: int,
    plan: Plan | None,
    threads: int,
    found: "_Found",
    steps: "_Steps",
) -> None:
    """Find all pairs of rows and columns (None: of the rows) into `found`, each once."""
    if len(rows) == 0 or (columns is not None and len(columns) == 0):
        return
    if plan is None:
        plan = chosen_plan(rows, columns, radius)
    bounds = _bounds(len(rows))
    tasks = len(bounds) - 1
    shares = [mask_count(width, own) / 2**width for width, own, _ in plan.chunks]
    done = 0.0
    with _workers(min(threads, tasks)) as each:
        for chunk, share in zip(_chunks(rows, columns, radius, plan), shares, strict=True):

            def work(begin: int, end: int, chunk: _Chunk = chunk) -> Codes:
                return chunk.pairs(begin, end, max(found.room, 0))

            for pairs in each(work, bounds[:-1], bounds[1:]):
                found.add(pairs)
                done += share / sum(shares) / tasks
                steps.reach(done)


@contextmanager
def _workers(threads: int) -> Iterator[Callable[..., Iterable[Any]]]:
    """A `map` that works in so many threads and gives its results in order."""
    if threads == 1:
        yield map
        return
    pool = ThreadPoolExecutor(threads, "hamming")
    try:
        yield pool.map
    finally:
        pool.shutdown(cancel_futures=True)


def _in_order(found: "_Found", rows: Codes, columns: Codes, threads: int, alone: bool) -> Pairs:
    """The pairs that all members of what was found make, by row and then by column."""
    groups = *found.row_groups, *found.column_groups
    starts = np.zeros(len(rows) + 1, np.int64)
    for block in found.blocks:
        tally(block, *groups, alone, starts[1:])
    np.cumsum(starts, out=starts)
    free = starts[:-1].copy()
    first, second = np.empty(found.total, np.int64), np.empty(found.total, np.int64)
    while found.blocks:
        scatter(found.blocks.pop(), *groups, alone, free, second)
    distance = np.empty(found.total, np.uint8)
    bounds = _bounds(len(rows))

    def work(begin: int, end: int) -> None:
        finish(begin, end, starts, rows, columns, first, second, distance)

    with _workers(min(threads, len(bounds) - 1)) as each:
        for _ in each(work, bounds[:-1], bounds[1:]):
            pass
    return first, second, distance


def _bounds(rows: int) -> list[int]:
    """Where the tasks begin that so many rows are divided into; the last entry is the end."""
    tasks = min(_MOST_TASKS, 1 + rows // _ROWS_PER_TASK)
    return [rows * task // tasks for task in range(tasks + 1)]
