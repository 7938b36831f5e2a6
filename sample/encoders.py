"""Encoders: pictures to the vectors of a space in which sets of pictures are compared.

A space is asked for by name: `outline` (no weights), `patches` (learnt from the pack), or
`dinov2=`, `clip=`, `inception=`, `vae=` with a folder, a file or a hub name behind it.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from dataset.errors import ConfigError, DataError
from dataset.packed import PackedDataset
from dataset.pixels import Pixels
from dataset.progress import Progress
from sample.embed import Vectors
from train.device import find_device

# What must be said behind the name of a space, and what may not.
_WITH_A_PLACE = {
    "dinov2": "a folder of safetensors or a hub name, such as dinov2=facebook/dinov2-small",
    "clip": "a folder of safetensors or a hub name, such as clip=openai/clip-vit-base-patch32",
    "inception": "the file of its weights, such as inception=pt_inception-2015-12-05-6726825d.pth",
    "vae": "a run of kind vae, such as vae=runs/vae",
}
_ALONE = ("outline", "patches")
SPACES = (*_ALONE, *_WITH_A_PLACE)

# Fixed, because the last bits of a vector depend on how many are worked out at once.
_AT_ONCE = 64


class Encoder(Protocol):
    """Pictures to vectors. `name` carries a version: vectors of two names never meet."""

    @property
    def name(self) -> str: ...

    @property
    def dim(self) -> int: ...

    def encode(self, pictures: Pixels) -> Vectors:
        """(B, H, W, 3) uint8 to (B, dim) float32, of any length."""
        ...


@dataclass(frozen=True)
class Space:
    """A space by its kind, and where its weights lie ("" if it needs none)."""

    kind: str
    place: str = ""

    @classmethod
    def of(cls, text: str) -> "Space":
        """Read KIND or KIND=PLACE; raises ConfigError for what is neither."""
        kind, _, place = text.partition("=")
        if kind not in SPACES:
            raise ConfigError(f"unknown space {kind!r}; it is one of {', '.join(SPACES)}")
        if kind in _ALONE and place:
            raise ConfigError(f"the space {kind} takes nothing behind it; write {kind} alone")
        if kind in _WITH_A_PLACE and not place:
            raise ConfigError(f"the space {kind} needs {_WITH_A_PLACE[kind]}")
        return cls(kind, place)

    def __str__(self) -> str:
        return f"{self.kind}={self.place}" if self.place else self.kind


def open_encoder(
    space: str, pack: PackedDataset, *, device: str = "auto", online: bool = False
) -> Encoder:
    """The encoder of a space; `online` lets a hub name be downloaded, else it must be cached.

    Raises ConfigError for an unknown space or a missing file or folder, DataError for one that is
    not what it should be, WorldError without transformers or the device.
    """
    wanted = Space.of(space)
    where = find_device(device)
    if wanted.kind == "outline":
        from sample.outline import Outline

        return Outline(where)
    if wanted.kind == "patches":
        from sample.patches import learn_patches

        return learn_patches(pack, where)
    if wanted.kind == "inception":
        from sample.inception import open_inception

        return open_inception(Path(wanted.place), where)
    if wanted.kind == "vae":
        from sample.latent_space import LatentEncoder

        return LatentEncoder(Path(wanted.place), where)
    from sample.encoders_hub import open_hub_encoder

    return open_hub_encoder(wanted.kind, wanted.place, where, online=online)


def encoded(encoder: Encoder, pictures: Pixels, title: str) -> Vectors:
    """(B, H, W, 3) uint8 to (B, dim) float32, so many at once, with a progress bar.

    The same pictures give the same bits. Raises DataError when a number is not finite.
    """
    found = np.empty((len(pictures), encoder.dim), dtype=np.float32)
    with Progress(title, len(pictures), "pictures") as progress:
        for start in range(0, len(pictures), _AT_ONCE):
            part = pictures[start : start + _AT_ONCE]
            found[start : start + len(part)] = encoder.encode(part)
            progress.advance(len(part))
    if not np.isfinite(found).all():
        raise DataError(f"the space {encoder.name} gives numbers that are not finite; check it")
    return found


class Descriptor:
    """An encoder as a descriptor of the novelty check: its vectors at unit length."""

    def __init__(self, encoder: Encoder) -> None:
        self.encoder = encoder
        self.name = f"{encoder.name}, unit length"
        # One more number than the encoder has: nothing but this is left of a vector of zeros.
        self.dim = encoder.dim + 1

    def embed(self, pictures: Pixels) -> Vectors:
        """(B, H, W, 3) uint8 to (B, dim) float32, rows of unit length."""
        vectors = np.zeros((len(pictures), self.dim), dtype=np.float32)
        for start in range(0, len(pictures), _AT_ONCE):
            part = pictures[start : start + _AT_ONCE]
            vectors[start : start + len(part), :-1] = self.encoder.encode(part)
        length = np.linalg.norm(vectors, axis=1, keepdims=True)
        vectors[:, -1] = length[:, 0] == 0
        return np.asarray(vectors / np.where(length == 0, 1.0, length), dtype=np.float32)


def as_planes(pictures: Pixels, device: torch.device) -> torch.Tensor:
    """(B, H, W, 3) uint8 as (B, 3, H, W) float32 in 0..1."""
    channels_first: NDArray[np.uint8] = np.ascontiguousarray(pictures.transpose(0, 3, 1, 2))
    return torch.from_numpy(channels_first).to(device).float() / 255.0
