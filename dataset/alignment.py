"""Two small pictures laid over each other: which part of one is the other, and what differs then.

The affine map from one to the other is found by Gauss-Newton steps (Lucas and Kanade 1981) with
Huber weights, so that a watermark does not drag it along; light is fitted at every step.
"""

import numpy as np
from numpy.typing import NDArray

from dataset.compiled import compiled

Plane = NDArray[np.float64]
Mask = NDArray[np.bool_]

_STEPS = 12
# Where the first is asked this little outside of itself, its rim is as good.
_RIM = 0.004
# Columns of what the witnesses say, in the order of dataset.witnesses.WITNESSES.
_CORRELATION, _GAIN, _STRANGE, _WORST, _OVERLAP, _SCALE_X, _SCALE_Y, _TURN, _SHIFT = range(9)
_CHROMA_FIRST, _CHROMA_SECOND, _CHROMA_REST, _CHROMA_WORST, _TONES = range(9, 14)

# A difference that counts as strange, and where Huber's weights begin (in contrasts).
_STRANGE_CONTRASTS, _HUBER_CONTRASTS = 0.35, 0.25
_LEAST_CONTRAST = 6.0
# How much weaker or stronger chroma may have become.
_WEAKEST, _STRONGEST = 0.6, 1.7


@compiled
def _blurred(plane: Plane) -> Plane:
    """Smoothed by 1 2 1 across and down."""
    n = plane.shape[0]
    across = np.empty((n, n))
    out = np.empty((n, n))
    for y in range(n):
        for x in range(n):
            left, right = plane[y, max(x - 1, 0)], plane[y, min(x + 1, n - 1)]
            across[y, x] = (left + 2.0 * plane[y, x] + right) * 0.25
    for y in range(n):
        above, below = max(y - 1, 0), min(y + 1, n - 1)
        for x in range(n):
            out[y, x] = (across[above, x] + 2.0 * across[y, x] + across[below, x]) * 0.25
    return out


@compiled
def _warped(planes: Plane, warp: Plane, out: Plane, inside: Mask) -> int:
    """Bilinear samples of (C, n, n) planes into out (C, n, n); returns how many lie inside."""
    count, n = planes.shape[0], planes.shape[1]
    covered = 0
    for y in range(n):
        b = (y + 0.5) / n
        for x in range(n):
            a = (x + 0.5) / n
            u = warp[0] * a + warp[1] * b + warp[2]
            v = warp[3] * a + warp[4] * b + warp[5]
            is_in = -_RIM <= u <= 1 + _RIM and -_RIM <= v <= 1 + _RIM
            inside[y, x] = is_in
            covered += is_in
            u = min(max(u * n - 0.5, 0.0), n - 1.0)
            v = min(max(v * n - 0.5, 0.0), n - 1.0)
            left, top = min(int(u), n - 2), min(int(v), n - 2)
            u -= left
            v -= top
            for c in range(count):
                upper = planes[c, top, left] * (1 - u) + planes[c, top, left + 1] * u
                lower = planes[c, top + 1, left] * (1 - u) + planes[c, top + 1, left + 1] * u
                out[c, y, x] = upper * (1 - v) + lower * v
    return covered


@compiled
def _light(warped: Plane, fixed: Plane, weight: Plane) -> tuple[float, float]:
    """Gain and offset that lead from one to the other, by weighted least squares."""
    total = sum_a = sum_b = sum_aa = sum_ab = 0.0
    n = fixed.shape[0]
    for y in range(n):
        for x in range(n):
            w, a, b = weight[y, x], warped[y, x], fixed[y, x]
            total += w
            sum_a += w * a
            sum_b += w * b
            sum_aa += w * a * a
            sum_ab += w * a * b
    if total <= 0:
        return 1.0, 0.0
    variance = sum_aa / total - (sum_a / total) ** 2
    covariance = sum_ab / total - sum_a * sum_b / total / total
    gain = max(0.0, covariance / variance) if variance > 1e-6 else 1.0
    return gain, (sum_b - gain * sum_a) / total


@compiled
def _weighted(rest: Plane, inside: Mask, limit: float, weight: Plane) -> float:
    """Huber's weights of what is left over, into `weight`; returns its mean size."""
    n = rest.shape[0]
    total = 0.0
    covered = 0
    for y in range(n):
        for x in range(n):
            weight[y, x] = 0.0
            if inside[y, x]:
                size = abs(rest[y, x])
                weight[y, x] = 1.0 if size <= limit else limit / size
                total += size
                covered += 1
    return total / max(covered, 1)


@compiled
def _aligned(moving: Plane, fixed: Plane, warp: Plane) -> Plane:
    """The warp under which the rest between the two is smallest, from a start nearby."""
    n = fixed.shape[0]
    planes = np.empty((3, n, n))  # the moving one and its slopes across and down, per unit
    for y in range(n):
        for x in range(n):
            planes[0, y, x] = moving[y, x]
            planes[1, y, x] = (moving[y, min(x + 1, n - 1)] - moving[y, max(x - 1, 0)]) * 0.5 * n
            planes[2, y, x] = (moving[min(y + 1, n - 1), x] - moving[max(y - 1, 0), x]) * 0.5 * n
    warped = np.empty((3, n, n))
    inside = np.empty((n, n), np.bool_)
    weight = np.ones((n, n))
    best, least = warp.copy(), np.inf
    contrast = fixed.std()
    for step in range(_STEPS):
        if _warped(planes, warp, warped, inside) < n * n // 2:
            break
        mean = _weighted(np.zeros((n, n)), inside, 1.0, weight)
        for _ in range(2):
            gain, offset = _light(warped[0], fixed, weight)
            rest = fixed - gain * warped[0] - offset
            mean = _weighted(rest, inside, np.inf, weight)
            _weighted(rest, inside, 1.5 * mean + 0.5, weight)
        if mean < least * (1 - 1e-3):
            least = mean
            best[:] = warp
        elif step > 1:
            break
        if step == 4 and least > 0.5 * contrast:
            break  # two different pictures
        move = _step(warped, rest, gain, weight)
        warp = warp + move
        if np.abs(move).max() < 5e-4:
            break
    return best


@compiled
def _step(warped: Plane, rest: Plane, gain: float, weight: Plane) -> Plane:
    """The Gauss-Newton step of the six numbers of a warp."""
    n = rest.shape[0]
    hessian = np.zeros((6, 6))
    right = np.zeros(6)
    slope = np.empty(6)
    for y in range(n):
        b = (y + 0.5) / n
        for x in range(n):
            w = weight[y, x]
            if w == 0.0:
                continue
            a = (x + 0.5) / n
            across, down = gain * warped[1, y, x], gain * warped[2, y, x]
            slope[0], slope[1], slope[2] = across * a, across * b, across
            slope[3], slope[4], slope[5] = down * a, down * b, down
            for k in range(6):
                pull = w * slope[k]
                right[k] += pull * rest[y, x]
                for m in range(k + 1):
                    hessian[k, m] += pull * slope[m]
    trace = 0.0
    for k in range(6):
        trace += hessian[k, k]
        for m in range(k):
            hessian[m, k] = hessian[k, m]
    for k in range(6):
        hessian[k, k] += 1e-3 * trace / 6 + 1e-6  # stripes leave one direction open
    step: Plane = np.linalg.solve(hessian, right).astype(np.float64)
    return step


@compiled
def lay_over(luma: Plane, warps: Plane, out: Plane) -> None:
    n = luma.shape[1]
    inside = np.empty((n, n), np.bool_)
    for k in range(len(luma)):
        _warped(luma[k : k + 1], warps[k], out[k : k + 1], inside)


@compiled
def compare_each(
    first: NDArray[np.uint8],
    second: NDArray[np.uint8],
    first_colour: NDArray[np.uint8],
    second_colour: NDArray[np.uint8],
    blurs: NDArray[np.int64],
    warps: Plane,
    witnesses: Plane,
) -> None:
    for k in range(len(first)):
        moving, fixed = first[k].astype(np.float64), second[k].astype(np.float64)
        for _ in range(blurs[k]):
            moving, fixed = _blurred(moving), _blurred(fixed)
        warps[k] = _aligned(moving, fixed, warps[k].copy())
        _shape_witnesses(warps[k], witnesses[k])
        _luma_witnesses(moving, fixed, warps[k], witnesses[k])
        _colour_witnesses(first_colour[k], second_colour[k], warps[k], witnesses[k])


@compiled
def _shape_witnesses(warp: Plane, out: Plane) -> None:
    out[_SCALE_X] = np.sqrt(warp[0] ** 2 + warp[3] ** 2)
    out[_SCALE_Y] = np.sqrt(warp[1] ** 2 + warp[4] ** 2)
    out[_TURN] = 0.5 * (abs(warp[1]) + abs(warp[3]))


@compiled
def _tone_rest(warped: Plane, fixed: Plane, weight: Plane, inside: Mask) -> Plane:
    """What a rising quadratic curve of tones leaves over, by weighted least squares."""
    n = fixed.shape[0]
    matrix, right = np.zeros((3, 3)), np.zeros(3)
    low, high = np.inf, -np.inf
    for y in range(n):
        for x in range(n):
            if inside[y, x]:
                w, tone = weight[y, x], warped[y, x] / 128.0
                low, high = min(low, tone), max(high, tone)
                power = w
                for k in range(3):
                    right[k] += power * fixed[y, x]
                    for m in range(3):
                        matrix[k, m] += power * tone**m
                    power *= tone
    for k in range(3):
        matrix[k, k] += 1e-6
    curve = np.linalg.solve(matrix, right)
    if curve[1] + 2 * curve[2] * low <= 0 or curve[1] + 2 * curve[2] * high <= 0:
        gain, offset = _light(warped, fixed, weight)
        curve[0], curve[1], curve[2] = offset, gain * 128.0, 0.0
    tones = warped / 128.0
    rest: Plane = fixed - curve[0] - curve[1] * tones - curve[2] * tones * tones
    return rest


@compiled
def _luma_witnesses(moving: Plane, fixed: Plane, warp: Plane, out: Plane) -> None:
    n = fixed.shape[0]
    planes, warped = np.empty((1, n, n)), np.empty((1, n, n))
    planes[0] = moving
    inside = np.empty((n, n), np.bool_)
    covered = _warped(planes, warp, warped, inside)
    out[_OVERLAP] = covered / (n * n)
    out[_TONES] = _tone_entropy(fixed)
    if covered < n * n // 2:
        return
    sum_a = sum_b = sum_aa = sum_bb = 0.0
    for y in range(n):
        for x in range(n):
            if inside[y, x]:
                a, b = warped[0, y, x], fixed[y, x]
                sum_a += a
                sum_b += b
                sum_aa += a * a
                sum_bb += b * b
    variance_a = max(sum_aa / covered - (sum_a / covered) ** 2, 1e-9)
    variance_b = max(sum_bb / covered - (sum_b / covered) ** 2, 1e-9)
    out[_GAIN] = np.sqrt(variance_b / variance_a)
    out[_SHIFT] = (sum_b - sum_a) / covered
    contrast = max(np.sqrt(variance_b), _LEAST_CONTRAST)
    weight = np.empty((n, n))
    rest = np.zeros((n, n))
    _weighted(rest, inside, 1.0, weight)
    for _ in range(4):  # what is strange does not bend the curve
        rest = _tone_rest(warped[0], fixed, weight, inside)
        _weighted(rest, inside, _HUBER_CONTRASTS * contrast, weight)
    squares = strange = 0.0
    for y in range(n):
        for x in range(n):
            if inside[y, x]:
                squares += rest[y, x] ** 2
                strange += abs(rest[y, x]) > _STRANGE_CONTRASTS * contrast
    out[_CORRELATION] = np.sqrt(max(0.0, 1.0 - squares / covered / variance_b))
    out[_STRANGE] = strange / covered
    out[_WORST] = _worst_cell(rest, inside, 4, 2) / contrast


@compiled
def _tone_entropy(plane: Plane) -> float:
    counts = np.zeros(32)
    for tone in plane.ravel():
        counts[min(31, max(0, int(tone / 8)))] += 1
    entropy = 0.0
    for count in counts:
        if count > 0:
            entropy -= count / plane.size * np.log2(count / plane.size)
    return entropy


@compiled
def _worst_cell(rest: Plane, inside: Mask, side: int, stride: int) -> float:
    """The largest mean size of the rest in overlapping cells that are half covered at least."""
    n = rest.shape[0]
    worst = 0.0
    for top in range(0, n - 1, stride):
        for left in range(0, n - 1, stride):
            total = 0.0
            count = 0
            for y in range(top, min(top + side, n)):
                for x in range(left, min(left + side, n)):
                    if inside[y, x]:
                        total += rest[y, x]
                        count += 1
            if count * 2 >= side * side:
                worst = max(worst, abs(total) / count)
    return worst


@compiled
def _colour_witnesses(
    first: NDArray[np.uint8], second: NDArray[np.uint8], warp: Plane, out: Plane
) -> None:
    """Chroma is compared by its pattern: its strength may change with the light, its hue not."""
    n = first.shape[0]
    planes, warped, fixed = np.empty((2, n, n)), np.empty((2, n, n)), np.empty((2, n, n))
    for c in range(2):
        planes[c] = first[:, :, c]
        fixed[c] = second[:, :, c]
    planes -= 128.0
    fixed -= 128.0
    inside = np.empty((n, n), np.bool_)
    covered = _warped(planes, warp, warped, inside)
    if covered < n * n // 2:
        return
    for c in range(2):
        warped[c] *= inside
        fixed[c] *= inside
    squares_a, squares_b = (warped * warped).sum(), (fixed * fixed).sum()
    strength = 1.0
    if squares_a > 1e-6:
        strength = min(max((warped * fixed).sum() / squares_a, _WEAKEST), _STRONGEST)
    rest = fixed - strength * warped
    out[_CHROMA_FIRST] = np.sqrt(squares_a / covered)
    out[_CHROMA_SECOND] = np.sqrt(squares_b / covered)
    out[_CHROMA_REST] = np.sqrt((rest * rest).sum() / covered)
    out[_CHROMA_WORST] = max(_worst_cell(rest[0], inside, 2, 1), _worst_cell(rest[1], inside, 2, 1))
