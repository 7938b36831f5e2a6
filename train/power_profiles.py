"""Averages after the fact: weights on averages that were kept, so that they sum to another one.

An average of exponent gamma at time t is a weighted mean of all weights so far, with the profile
p(tau) = (gamma + 1) tau^gamma / t^(gamma + 1) for tau up to t, and 0 after. Karras et al. 2024,
section 3.2 and algorithm 3.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Profile:
    """The profile of the average of exponent `gamma` at `time`, in images seen."""

    time: float
    gamma: float


@dataclass(frozen=True)
class Fit:
    """How much of each average to take, and how far the sum's profile is from the one wanted."""

    shares: NDArray[np.float64]  # (N,)
    error: float  # root of the summed squared difference, as a share of the profile wanted


def fit_profile(wanted: Profile, kept: Sequence[Profile]) -> Fit:
    """The shares of the `kept` profiles whose sum is nearest to `wanted` by least squares, among
    those that sum to 1.

    The paper leaves the sum free. Held at 1 (by a Lagrange multiplier), weights that did not
    change come out as they are, however few averages were kept.
    """
    gram = inner_products(kept, kept)
    right = inner_products(kept, [wanted])[:, 0]
    norm = float(inner_products([wanted], [wanted])[0, 0])
    # Scaled to lengths of one: neither time nor the multiplier is lost to the cut-off. Near-copies
    # share their part, without large numbers that would blow up the rounding of the averages.
    scale = 1.0 / np.sqrt(np.diag(gram))
    system = np.ones((len(kept) + 1, len(kept) + 1))
    system[:-1, :-1] = gram * np.outer(scale, scale)
    system[-1, :-1] = system[:-1, -1] = scale / scale.max()
    system[-1, -1] = 0.0
    target = np.append(right * scale, 1.0 / scale.max())
    shares = scale * np.linalg.lstsq(system, target, rcond=1e-12)[0][:-1]
    left_over = norm - 2.0 * shares @ right + shares @ gram @ shares
    return Fit(shares, float(np.sqrt(max(left_over, 0.0) / norm)))


def inner_products(ours: Sequence[Profile], theirs: Sequence[Profile]) -> NDArray[np.float64]:
    """The integrals of the products of two profiles, (len(ours), len(theirs)).

    With s the smaller and l the larger of the times a and b, and g, h the exponents there:
    (g + 1) (h + 1) / (g + h + 1) (s/a)^g (s/b)^h / l. In this form nothing overflows.
    """
    a, g = (np.array([[getattr(p, key)] for p in ours]) for key in ("time", "gamma"))
    b, h = (np.array([[getattr(p, key) for p in theirs]]) for key in ("time", "gamma"))
    smaller, larger = np.minimum(a, b), np.maximum(a, b)
    total = (g + 1.0) * (h + 1.0) / (g + h + 1.0)
    product: NDArray[np.float64] = total * (smaller / a) ** g * (smaller / b) ** h / larger
    return product
