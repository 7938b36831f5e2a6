"""Vectors of a pack that a network is told of, such as CLIP's of the pictures or their captions."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from dataset.errors import ConfigError, DataError
from dataset.packed import PackedDataset


def pack_vectors(pack: PackedDataset, name: str) -> NDArray[np.float32]:
    """The vectors (N, V) of the embedding `name`, whole rows of NaN for pictures without one.

    Raises ConfigError naming the pack's embeddings if it has none of that name, DataError if none
    of its pictures has a vector, or if one is infinite.
    """
    vectors = np.asarray(pack.embedding(name), np.float32)
    there = ~np.isnan(vectors).any(axis=1)
    if not there.any():
        raise DataError(f"no picture of pack {pack.path} has a vector {name}; embed and pack again")
    if np.isinf(vectors[there]).any():
        raise DataError(f"pack {pack.path} has an infinite vector {name}; embed and pack again")
    return vectors


def check_tokens(tokens: int, name: str, length: int) -> None:
    """Raise ConfigError unless vectors `name` of `length` can be told as `tokens` tokens."""
    if tokens == 0:
        return
    if not name:
        raise ConfigError(
            f"tokens = {tokens} says into how many tokens vectors are cut, but vectors is empty;"
            " set vectors to an embedding of the pack, or tokens to 0"
        )
    if length % tokens != 0:
        raise ConfigError(
            f"the {length} numbers of vectors {name} cannot be cut into {tokens} tokens alike;"
            f" tokens must divide {length}"
        )


def told(vectors: Tensor, tokens: int) -> tuple[Tensor | None, Tensor | None, Tensor]:
    """A batch's `vectors` (B, V) as the network is told them: as vectors (B, V), or cut into
    tokens (B, tokens, V / tokens); and which pictures have none, bool (B,): theirs are zeros."""
    missing = vectors.isnan().any(dim=1)
    whole = torch.where(missing[:, None], 0.0, vectors)
    if tokens == 0:
        return whole, None, missing
    return None, whole.reshape(len(whole), tokens, -1), missing
