"""Bayesian linear regression with a weight for every group of features, chosen by the evidence.

The prior gives each group its own variance (automatic relevance, MacKay 1994); group variances and
the noise are those under which the examples are likeliest (Rasmussen and Williams 2006, 5.4).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import LinAlgError, cho_factor, cho_solve, cholesky, solve_triangular
from scipy.optimize import minimize

Floats = NDArray[np.floating[Any]]
Doubles = NDArray[np.float64]

# Rows that the weights of the groups are chosen on: their cost grows with the third power.
_ROWS_FOR_GROUPS = 320
# What is known of a group's variance, against the noise, before any example: log-normal.
_PRIOR_LOG, _PRIOR_DEVIATION = np.log(0.5), 2.0
# A group that adds less than this of the variance is left out: it costs time and says nothing.
_NEGLIGIBLE = 2e-3
# Ridges to choose from, against that which the groups' variances mean.
_RIDGES = (1 / 9, 1 / 3, 1.0, 3.0, 9.0)
_BLOCK = 1024


@dataclass(frozen=True, kw_only=True)
class Rows:
    """What is known: R values of a linear function, each of one point or of a difference.

    Row r says that f(plus[r]) - f(minus[r]) is value[r]; minus is -1 where there is nothing to
    take away. Its noise has the variance of the noise over weight[r].
    """

    plus: NDArray[np.int64]
    minus: NDArray[np.int64]
    value: Doubles
    weight: Doubles

    def __len__(self) -> int:
        return len(self.value)

    def some(self, which: NDArray[np.bool_] | NDArray[np.int64]) -> "Rows":
        return Rows(
            plus=self.plus[which],
            minus=self.minus[which],
            value=self.value[which],
            weight=self.weight[which],
        )


@dataclass(frozen=True, kw_only=True)
class Linear:
    """A posterior over linear functions: f(x) = bias + (x - middle) @ mean over `columns` of x,
    with covariance noise^2 root root'. `shares` says how much of what it tells is by each group."""

    columns: NDArray[np.int64]
    bias: float
    middle: Floats
    mean: Floats
    root: Floats
    noise: float
    shares: dict[str, float]

    def predict(self, features: Floats) -> tuple[Floats, Floats]:
        """Mean and standard deviation of f at (B, D) features: (B,), (B,)."""
        mean: Floats = np.empty(len(features), np.float32)
        deviation: Floats = np.empty(len(features), np.float32)
        for start in range(0, len(features), _BLOCK):
            here = slice(start, start + _BLOCK)
            centred = features[here][:, self.columns] - self.middle
            mean[here] = centred @ self.mean + np.float32(self.bias)
            deviation[here] = np.linalg.norm(centred @ self.root, axis=1) * self.noise
        return mean, deviation


def fit(features: Floats, rows: Rows, groups: Mapping[str, slice], *, seed: int = 0) -> Linear:
    """Learn from `rows`, whose numbers are those of the rows of `features` (N, D).

    Every group of columns, named in `groups`, has its own variance. Needs one row at least.
    """
    points = rows.minus < 0
    bias = 0.0
    middle: Floats = np.zeros(features.shape[1], np.float32)
    if points.any():
        weight = rows.weight[points] / rows.weight[points].sum()
        bias = float(weight @ rows.value[points])
        of_each = np.bincount(rows.plus[points], weight, len(features)).astype(np.float32)
        middle = of_each @ features
    rows = Rows(
        plus=rows.plus,
        minus=rows.minus,
        value=np.where(points, rows.value - bias, rows.value),
        weight=rows.weight,
    )
    variances = _group_variances(features, middle, rows, groups, seed)
    columns = np.concatenate(
        [np.arange(part.start, part.stop) for name, part in groups.items() if name in variances]
    )
    scale = np.concatenate(
        [
            np.full(part.stop - part.start, np.sqrt(variances[name]))
            for name, part in groups.items()
            if name in variances
        ]
    ).astype(np.float32)
    gram, moment, total = _sums(features, middle, rows, columns, scale)
    mean, root, noise = _posterior(gram, moment, total, len(rows))
    told = _design(features, middle, rows.some(np.arange(min(len(rows), _BLOCK))), columns)
    return Linear(
        columns=columns,
        bias=bias,
        middle=middle[columns],
        mean=(scale * mean).astype(np.float32),
        root=(scale[:, None] * root).astype(np.float32),
        noise=noise,
        shares=_shares(told * (scale * mean), [n for n in groups if n in variances], groups),
    )


def _shares(parts: Doubles, names: Sequence[str], groups: Mapping[str, slice]) -> dict[str, float]:
    """How much of the fitted values' variance each group makes; `parts` (R, D) add up to them."""
    found, start = {}, 0
    for name in names:
        width = groups[name].stop - groups[name].start
        found[name] = float((parts[:, start : start + width].sum(axis=1) ** 2).mean())
        start += width
    total = max(sum(found.values()), 1e-12)
    return {name: share / total for name, share in found.items()}


def _design(
    features: Floats, middle: Floats, rows: Rows, columns: slice | NDArray[np.int64]
) -> Floats:
    """The rows' weighted features, (R, D): a point's against the middle, or a difference."""
    points = rows.minus < 0
    other = np.where(points[:, None], middle[columns], features[rows.minus][:, columns])
    design: Floats = (features[rows.plus][:, columns] - other) * np.sqrt(rows.weight)[:, None]
    return design.astype(np.float32, copy=False)


def _group_variances(
    features: Floats, middle: Floats, rows: Rows, groups: Mapping[str, slice], seed: int
) -> dict[str, float]:
    """The variance of every group that counts, against the noise."""
    chosen = rows
    if len(rows) > _ROWS_FOR_GROUPS:
        some = np.random.default_rng(seed).permutation(len(rows))[:_ROWS_FOR_GROUPS]
        chosen = rows.some(np.sort(some))
    target = np.sqrt(chosen.weight) * chosen.value
    kernels = []
    for part in groups.values():
        design = _design(features, middle, chosen, part).astype(np.float64)
        kernels.append(design @ design.T)
    stack = np.stack(kernels)  # (G, R, R)
    start = np.full(len(kernels), _PRIOR_LOG)
    found = minimize(
        _surprise, start, (stack, target), "L-BFGS-B", jac=True, bounds=[(-12.0, 8.0)] * len(start),
        options={"maxiter": 40},
    )  # fmt: skip
    variances = np.exp(found.x)
    told = variances * np.trace(stack, axis1=1, axis2=2) / len(chosen)
    shares = told / max(float(told.sum()), 1e-12)
    counts = shares >= min(_NEGLIGIBLE, float(shares.max()))
    names = list(groups)
    return {name: float(v) for name, v, c in zip(names, variances, counts, strict=True) if c}


def _surprise(logs: Doubles, kernels: Doubles, target: Doubles) -> tuple[float, Doubles]:
    """Minus the log evidence, the noise at its likeliest, and its gradient by the logs (G,)."""
    variances, count = np.exp(logs), len(target)
    covariance = np.tensordot(variances, kernels, axes=1)  # (R, R)
    covariance[np.diag_indices(count)] += 1
    factor = cho_factor(covariance, lower=True, overwrite_a=True, check_finite=False)
    inverse = cho_solve(factor, np.eye(count), check_finite=False)
    solved = inverse @ target
    misfit = max(float(target @ solved), 1e-9)
    value = np.log(np.diag(factor[0])).sum() + count / 2 * np.log(misfit)
    trace = kernels.reshape(len(kernels), -1) @ inverse.ravel()
    fitted = np.einsum("i,gij,j->g", solved, kernels, solved, optimize=True)
    slope = variances / 2 * (trace - count / misfit * fitted)
    away = (logs - _PRIOR_LOG) / _PRIOR_DEVIATION
    return float(value + (away**2).sum() / 2), slope + away / _PRIOR_DEVIATION


def _sums(
    features: Floats, middle: Floats, rows: Rows, columns: NDArray[np.int64], scale: Floats
) -> tuple[Doubles, Doubles, float]:
    """X'X (D, D), X'y (D,) and y'y of the scaled design, block by block."""
    width = len(columns)
    gram, moment = np.zeros((width, width)), np.zeros(width)
    for start in range(0, len(rows), _BLOCK):
        part = rows.some(np.arange(start, min(start + _BLOCK, len(rows))))
        design = _design(features, middle, part, columns) * scale
        target = np.sqrt(part.weight) * part.value
        gram += design.T @ design
        moment += design.T @ target
    return gram, moment, float(rows.weight @ rows.value**2)


def _root_of(gram: Doubles, ridge: float) -> Doubles:
    """The lower root of gram + ridge. Of very many like rows, such as votes on one pair, the sums
    lack the digits for a small ridge: then it is as large as they need."""
    total = float(np.trace(gram))
    while True:
        try:
            lower: Doubles = cholesky(
                gram + ridge * np.eye(len(gram)), lower=True, check_finite=False
            )
        except LinAlgError:
            if not ridge < total:
                raise
            ridge = max(4 * ridge, float(np.finfo(np.float32).eps) * total)
        else:
            return lower


def _posterior(
    gram: Doubles, moment: Doubles, total: float, count: int
) -> tuple[Doubles, Doubles, float]:
    """Mean (D,), root of the covariance (D, D) over the noise, and the noise's deviation.

    One ridge for all groups together is chosen anew, by the evidence of all rows.
    """
    best, width = np.inf, len(gram)
    for ridge in _RIDGES:
        lower = _root_of(gram, ridge)
        half = solve_triangular(lower, moment, lower=True, check_finite=False)
        left = max(total - float(half @ half), 1e-9 * max(total, 1e-9))
        surprise = np.log(np.diag(lower)).sum() - width / 2 * np.log(ridge)
        surprise += count / 2 * np.log(left)
        surprise += np.log(ridge) ** 2 / 8  # the groups' variances are a good guess already
        if surprise < best:
            best, factor, found, misfit = surprise, lower, half, left
    root = solve_triangular(factor, np.eye(width), lower=True, check_finite=False).T
    return root @ found, root, float(np.sqrt(misfit / max(count, 1)))
