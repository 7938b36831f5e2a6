"""The compiled loops of dataset.hamming: buckets, the join of buckets, the order of its pairs.

A found pair travels as one uint64: row number << 32 | column number. The vector instructions stand
here too, because the machine code that is kept notices changes of its own module only.
"""

from collections.abc import Callable
from typing import Any, cast

import numpy as np
from llvmlite import ir  # type: ignore[import-untyped]
from numba import types
from numba.extending import intrinsic
from numpy.typing import NDArray

from dataset.compiled import compiled

Codes = NDArray[np.uint64]
Numbers = NDArray[np.int32]
Counts = NDArray[np.int64]

# Codes that `near` compares at once: their hits are one 64-bit word.
_LANES = 64
# Elements that `copy_some` copies at once; what it reads has as many to spare at the end.
_COPIED = 8
# Neighbouring codes are collected into a tile that stays in the first-level cache (16 KB) and
# compared with up to so many rows of one bucket.
_TILE = 2048
ROWS_AT_ONCE = 256


def _bit_count(_context: Any, _word: Any) -> Any:
    def build(_context: Any, builder: Any, _signature: Any, args: Any) -> Any:
        return builder.ctpop(args[0])

    return types.uint64(types.uint64), build


def _near(_context: Any, tile: Any, _start: Any, _code: Any, _radius: Any) -> Any:
    def build(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        word = ir.IntType(64)
        vector = ir.VectorType(word, _LANES)
        codes = _vector_at(context, builder, signature.args[0], args[0], args[1], vector)
        loaded = builder.load(codes, align=8)
        wanted, radius = (_splat(builder, vector, scalar) for scalar in args[2:])
        kind = ir.FunctionType(vector, [vector])
        count = builder.module.declare_intrinsic(f"llvm.ctpop.v{_LANES}i64", (), kind)
        bits = builder.call(count, [builder.xor(loaded, wanted)])
        return builder.bitcast(builder.icmp_unsigned("<=", bits, radius), word)

    return types.uint64(tile, types.int64, types.uint64, types.uint64), build


def _copy(_context: Any, target: Any, _to: Any, source: Any, _start: Any) -> Any:
    def build(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        element = context.get_data_type(signature.args[0].dtype)
        vector = ir.VectorType(element, _COPIED)
        align = signature.args[0].dtype.bitwidth // 8
        start = _vector_at(context, builder, signature.args[2], args[2], args[3], vector)
        to = _vector_at(context, builder, signature.args[0], args[0], args[1], vector)
        builder.store(builder.load(start, align=align), to, align=align)
        return context.get_dummy_value()

    return types.void(target, types.int64, source, types.int64), build


def _vector_at(context: Any, builder: Any, kind: Any, array: Any, index: Any, vector: Any) -> Any:
    """A pointer to `array[index:]` as a vector."""
    data = context.make_array(kind)(context, builder, array).data
    return builder.bitcast(builder.gep(data, [index]), vector.as_pointer())


def _splat(builder: Any, vector: Any, scalar: Any) -> Any:
    nothing = ir.Constant(vector, ir.Undefined)
    first = ir.IntType(32)(0)
    one = builder.insert_element(nothing, scalar, first)
    everywhere = ir.Constant(ir.VectorType(ir.IntType(32), vector.count), [0] * vector.count)
    return builder.shuffle_vector(one, nothing, everywhere)


# bit_count(word) -> how many bits of a uint64 are set.
bit_count = cast(Callable[[Any], Any], intrinsic(_bit_count))
# near(words, start, word, radius) -> the bits n where words[start + n] is within radius of word.
near = cast(Callable[[Any, int, Any, Any], Any], intrinsic(_near))
# copy_some(target, to, source, start): target[to : to + 8] = source[start : start + 8]
copy_some = cast(Callable[[Any, int, Any, int], None], intrinsic(_copy))


@compiled
def permuted(codes: Codes, tables: NDArray[np.uint64]) -> Codes:
    """Codes (N,) with their bits moved as `tables` (8, 256) has it for each of the eight bytes."""
    moved = np.empty(len(codes), np.uint64)
    low = np.uint64(0xFF)
    for n in range(len(codes)):
        code = codes[n]
        word = np.uint64(0)
        for byte in range(8):
            word |= tables[byte, (code >> np.uint64(8 * byte)) & low]
        moved[n] = word
    return moved


@compiled
def bucketed(codes: Codes, shift: int, width: int) -> tuple[Codes, Numbers, NDArray[np.uint32]]:
    """Codes (N,) in the order of `width` bits from `shift` on, their numbers, and where each of
    the 2**width buckets starts, with N at the end. Equal buckets keep the order of the codes.
    """
    starts = np.zeros((1 << width) + 2, np.uint32)
    low = np.uint64((1 << width) - 1)
    right = np.uint64(shift)
    one = np.uint32(1)
    for n in range(len(codes)):
        starts[np.int64((codes[n] >> right) & low) + 2] += one
    for b in range(2, len(starts)):
        starts[b] += starts[b - 1]
    ordered = np.zeros(len(codes) + _COPIED, np.uint64)
    numbers = np.zeros(len(codes) + _COPIED, np.int32)
    for n in range(len(codes)):
        bucket = np.int64((codes[n] >> right) & low) + 1
        place = starts[bucket]
        ordered[place] = codes[n]
        numbers[place] = n
        starts[bucket] = place + one
    return ordered, numbers, starts[:-1]


@compiled
def _is_first(
    difference: Any, row: int, column: int, parts: Codes, radii: Codes, chunk: int, alone: bool
) -> bool:
    """Whether a pair is met here for the first time: not in an earlier chunk, not as (b, a)."""
    for earlier in range(chunk):
        if bit_count(difference & parts[earlier]) <= radii[earlier]:
            return False
    return not alone or column > row or difference & parts[chunk] != 0


@compiled
def _compare(
    codes: Codes,
    numbers: Numbers,
    begin: int,
    end: int,
    tile: Codes,
    tile_numbers: Numbers,
    filled: int,
    radius: int,
    parts: Codes,
    radii: Codes,
    chunk: int,
    alone: bool,
    found: Codes,
    count: int,
) -> tuple[Codes, int]:
    """Compare rows begin..end with a tile; returns the grown list of pairs and its length."""
    for position in range(begin, end):
        code = codes[position]
        row = numbers[position]
        for start in range(0, filled, _LANES):
            hits = near(tile, start, code, np.uint64(radius))
            if hits == 0:
                continue
            if filled - start < _LANES:
                hits &= (np.uint64(1) << np.uint64(filled - start)) - np.uint64(1)
            if count + _LANES > len(found):
                more = np.empty(2 * len(found), np.uint64)
                more[:count] = found[:count]
                found = more
            while hits != 0:
                lowest = hits & (~hits + np.uint64(1))
                lane = start + np.int64(bit_count(lowest - np.uint64(1)))
                hits ^= lowest
                column = tile_numbers[lane]
                if _is_first(code ^ tile[lane], row, column, parts, radii, chunk, alone):
                    found[count] = (np.uint64(row) << np.uint64(32)) | np.uint64(column)
                    count += 1
    return found, count


@compiled
def join(
    codes: Codes,
    numbers: Numbers,
    begin: int,
    end: int,
    columns: Codes,
    column_numbers: Numbers,
    starts: NDArray[np.uint32],
    masks: Codes,
    radius: int,
    parts: Codes,
    radii: Codes,
    chunk: int,
    shift: int,
    alone: bool,
    limit: int,
) -> Codes:
    """Pairs of the bucketed rows begin..end with the columns whose bucket differs by a mask.

    `parts` and `radii` say which bits each chunk holds and how many of them may differ; `alone`
    says that rows and columns are the same list, of which each pair is wanted once. Stops soon
    after `limit` pairs.
    """
    found = np.empty(256, np.uint64)
    count: Any = np.int64(0)
    tile = np.zeros(_TILE + _LANES, np.uint64)
    tile_numbers = np.zeros(_TILE + _LANES, np.int32)
    part = parts[chunk]
    first = begin
    while first < end and count <= limit:
        bucket = (codes[first] & part) >> np.uint64(shift)
        last = first + 1
        while (
            last < end and last < first + ROWS_AT_ONCE and (codes[last] ^ codes[first]) & part == 0
        ):
            last += 1
        filled: Any = np.int64(0)
        for mask in masks:
            if alone and bucket & mask & (~mask + np.uint64(1)) != 0:
                continue  # the other bucket of the two sees this one
            other = np.int64(bucket ^ mask)
            source: Any = first if alone and mask == 0 else np.int64(starts[other])
            stop: Any = np.int64(starts[other + 1])
            while source < stop and count <= limit:
                take = min(stop - source, _TILE - filled)
                for done in range(0, take, _COPIED):
                    copy_some(tile, filled + done, columns, source + done)
                    copy_some(tile_numbers, filled + done, column_numbers, source + done)
                source += take
                filled += take
                if filled == _TILE:
                    found, count = _compare(
                        codes, numbers, first, last, tile, tile_numbers, filled,
                        radius, parts, radii, chunk, alone, found, count,
                    )  # fmt: skip
                    filled = np.int64(0)
        found, count = _compare(
            codes, numbers, first, last, tile, tile_numbers, filled,
            radius, parts, radii, chunk, alone, found, count,
        )  # fmt: skip
        first = last
    return found[:count].copy()


@compiled
def tally(
    pairs: Codes,
    row_starts: Counts,
    row_members: Numbers,
    column_starts: Counts,
    column_members: Numbers,
    alone: bool,
    per_row: Counts,
) -> None:
    """Count the pairs of members that every row will have.

    Row n stands for row_members[row_starts[n] : row_starts[n + 1]], and columns likewise.
    """
    for pair in pairs:
        row, column = np.int64(pair >> np.uint64(32)), np.int64(pair & np.uint64(0xFFFFFFFF))
        for s in range(row_starts[row], row_starts[row + 1]):
            a = row_members[s]
            if not alone:
                per_row[a] += column_starts[column + 1] - column_starts[column]
                continue
            t_first = s + 1 if row == column else column_starts[column]
            for t in range(t_first, column_starts[column + 1]):
                per_row[min(a, column_members[t])] += 1


@compiled
def scatter(
    pairs: Codes,
    row_starts: Counts,
    row_members: Numbers,
    column_starts: Counts,
    column_members: Numbers,
    alone: bool,
    free: Counts,
    second: Counts,
) -> None:
    """Write the column of every pair of members to its row's next free place in `second`."""
    for pair in pairs:
        row, column = np.int64(pair >> np.uint64(32)), np.int64(pair & np.uint64(0xFFFFFFFF))
        for s in range(row_starts[row], row_starts[row + 1]):
            t_first = s + 1 if alone and row == column else column_starts[column]
            for t in range(t_first, column_starts[column + 1]):
                a, b = row_members[s], column_members[t]
                if alone and a > b:
                    a, b = b, a
                second[free[a]] = b
                free[a] += 1


@compiled
def finish(
    begin: int,
    end: int,
    starts: Counts,
    codes: Codes,
    columns: Codes,
    first: Counts,
    second: Counts,
    distance: NDArray[np.uint8],
) -> None:
    """Sort the columns of each of the rows begin..end, and fill in the rows and the distances."""
    for row in range(begin, end):
        second[starts[row] : starts[row + 1]].sort()
        for n in range(starts[row], starts[row + 1]):
            first[n] = row
            distance[n] = bit_count(codes[row] ^ columns[second[n]])


@compiled
def scan(code: np.uint64, codes: Codes, radius: int) -> tuple[Counts, NDArray[np.uint8]]:
    """Positions and distances of the codes (N,) within radius of one code, ascending."""
    positions = np.empty(256, np.int64)
    count: Any = np.int64(0)
    whole = len(codes) - len(codes) % _LANES
    for start in range(0, len(codes), _LANES):
        if start < whole and near(codes, start, code, np.uint64(radius)) == 0:
            continue
        if count + _LANES > len(positions):
            more = np.empty(2 * len(positions), np.int64)
            more[:count] = positions[:count]
            positions = more
        for n in range(start, min(start + _LANES, len(codes))):
            if bit_count(code ^ codes[n]) <= np.uint64(radius):
                positions[count] = n
                count += 1
    distances = np.empty(count, np.uint8)
    for n in range(count):
        distances[n] = bit_count(code ^ codes[positions[n]])
    return positions[:count].copy(), distances
