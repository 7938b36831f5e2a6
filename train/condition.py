"""What a network is told about each picture of a batch besides the picture and its noise."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from train.augment import CONDITIONS
from train.network_config import Told

NO_LABEL = -1  # the label of a picture that has none, and of an unconditional prediction


class Condition(NamedTuple):
    """All fields are about B pictures; None: the network is not told of such a thing.

    Where `absent` is true the learned null stands for label, vector and tokens at once; a label
    of -1 alone is a null label. `picture` and `augmentation` are never absent: they say what the
    picture is made from, not what is on it.
    """

    labels: Tensor  # (B,) int64, -1 for none
    absent: Tensor | None = None  # (B,) bool
    vectors: Tensor | None = None  # (B, V) float32
    tokens: Tensor | None = None  # (B, L, D) float32
    picture: Tensor | None = None  # (B, C, H, W) in [-1, 1]: the small one, already enlarged
    picture_noise: Tensor | None = None  # (B,) sigma of the noise that was added to `picture`
    augmentation: Tensor | None = None  # (B, CONDITIONS): how the picture was augmented

    def without(self) -> "Condition":
        """The same with nothing said of what is on the pictures, for unconditional predictions."""
        absent = torch.ones_like(self.labels, dtype=torch.bool)
        return self._replace(labels=torch.full_like(self.labels, NO_LABEL), absent=absent)

    def with_absence(self) -> "Condition":
        """The same with `absent` spelt out."""
        if self.absent is not None:
            return self
        return self._replace(absent=torch.zeros_like(self.labels, dtype=torch.bool))

    def part(self, start: int, stop: int) -> "Condition":
        """Of the pictures from `start` to before `stop`."""
        return Condition._make(None if field is None else field[start:stop] for field in self)

    def to(self, device: torch.device) -> "Condition":
        return Condition._make(None if field is None else field.to(device) for field in self)


def joined(conditions: Sequence[Condition]) -> Condition:
    """One after the other, as one batch; all must say the same kinds of things."""
    spelt = [condition.with_absence() for condition in conditions]
    return Condition._make(
        None if fields[0] is None else torch.cat(fields) for fields in zip(*spelt, strict=True)
    )


def of_labels(labels: Tensor) -> Condition:
    """Classes only: `labels` (B,) int64, -1 for none."""
    return Condition(labels=labels)


def blank(
    told: Told,
    shape: tuple[int, int, int],
    size: int,
    device: torch.device | None = None,
) -> Condition:
    """Zeros of every kind that a network is `told` of, about `size` pictures of (C, H, W): to
    count its costs with, or to try it once before it is used."""

    def zeros(*sizes: int) -> Tensor:
        return torch.zeros(size, *sizes, device=device)

    enlarges = told.picture_channels > 0
    return Condition(
        labels=torch.full((size,), NO_LABEL, device=device),
        absent=torch.zeros(size, dtype=torch.bool, device=device),
        vectors=zeros(told.vector_length) if told.vector_length else None,
        tokens=zeros(told.tokens, told.token_length) if told.tokens else None,
        picture=zeros(told.picture_channels, *shape[1:]) if enlarges else None,
        picture_noise=zeros() if enlarges else None,
        augmentation=zeros(CONDITIONS) if told.augmented else None,
    )
