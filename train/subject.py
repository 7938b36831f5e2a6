"""What a run learns to draw: the shape of the pictures, their classes, what is told of them."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from dataset.config import from_mapping, to_mapping
from dataset.errors import ConfigError
from dataset.packed import PackedDataset
from train.told_vectors import check_tokens, pack_vectors
from train.vae_config import VaeConfig


@dataclass(frozen=True, kw_only=True)
class Subject:
    """The facts of a pack that decide a network's shape; kept in every checkpoint."""

    picture: tuple[int, int, int]  # (C, H, W) of the pictures
    shape: tuple[int, int, int]  # (C, H, W) of what is denoised: of a latent, if one is learnt in
    label_names: tuple[str, ...] = ()
    vector_length: int = 0  # of the pack's vectors that the network is told; 0: of none
    latent: VaeConfig | None = None  # the autoencoder in whose latents is learnt; none: in pixels

    @classmethod
    def of_pictures(
        cls, picture: tuple[int, int, int], label_names: tuple[str, ...] = ()
    ) -> "Subject":
        """Pictures denoised as they are, with classes only."""
        return cls(picture=picture, shape=picture, label_names=label_names)

    @classmethod
    def of_pack(cls, pack: PackedDataset, vectors: str = "", tokens: int = 0) -> "Subject":
        """The pictures of `pack`, denoised as they are, told of its embedding `vectors` in
        `tokens` pieces (0: as a whole).

        Raises ConfigError naming the pack's embeddings if it has none of that name, or if its
        vectors cannot be cut so.
        """
        picture = (pack.channels, pack.height, pack.width)
        plain = cls.of_pictures(picture, tuple(pack.label_names))
        length = pack_vectors(pack, vectors).shape[1] if vectors else 0
        check_tokens(tokens, vectors, length)
        return replace(plain, vector_length=length)

    @classmethod
    def from_facts(cls, facts: Mapping[str, Any]) -> "Subject":
        """The inverse of `facts`; raises KeyError, TypeError or ValueError for anything else."""
        channels, height, width = (int(side) for side in facts["picture"])
        c, h, w = (int(side) for side in facts["shape"])
        names = facts["label_names"]
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            raise TypeError("label_names is no list of names")
        return cls(
            picture=(channels, height, width),
            shape=(c, h, w),
            label_names=tuple(names),
            vector_length=int(facts["vector_length"]),
            latent=_latent(facts.get("latent")),
        )

    def facts(self) -> dict[str, Any]:
        """As JSON has it."""
        return {
            "picture": list(self.picture),
            "shape": list(self.shape),
            "label_names": list(self.label_names),
            "vector_length": self.vector_length,
            "latent": None if self.latent is None else to_mapping(self.latent),
        }

    @property
    def classes(self) -> int:
        return len(self.label_names)


def _latent(facts: Any) -> VaeConfig | None:
    if facts is None:
        return None
    try:
        return from_mapping(VaeConfig, dict(facts), "the checkpoint")
    except ConfigError as error:
        raise ValueError(str(error)) from error
