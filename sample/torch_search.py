"""Nearest vectors by torch, where faiss is missing: one matrix product and the smallest of each."""

import numpy as np
import torch
from numpy.typing import NDArray

from sample.embed import Vectors


def nearest(queries: Vectors, vectors: Vectors, k: int) -> tuple[Vectors, NDArray[np.int64]]:
    """Squared distances and places, (Q, k), of the k nearest of (n, dim) `vectors`, nearest first.

    Right up to float32's rounding of |x|^2 + |y|^2 - 2 x.y.
    """
    asked, there = torch.from_numpy(queries), torch.from_numpy(vectors)
    squared = torch.addmm(there.square().sum(dim=1), asked, there.T, alpha=-2.0)
    found, places = squared.topk(k, dim=1, largest=False)
    return (found + asked.square().sum(dim=1, keepdim=True)).numpy(), places.numpy()
