"""Vectors of sets of pictures, kept on the disk: what was encoded once is not encoded again."""

import hashlib
import logging
from pathlib import Path

import numpy as np
import torch

from dataset.atomic_file import atomic_path
from dataset.errors import DataError
from dataset.pixels import Pixels
from sample.embed import Vectors
from sample.encoders import Encoder, encoded
from train.tensor_file import read_tensors, write_tensors

log = logging.getLogger(__name__)

_NAME = "vectors"


class VectorCache:
    """One file of each set in each space; the name is a hash of pictures, space and device."""

    def __init__(self, folder: Path, device: str) -> None:
        self.folder, self.device = folder, device

    def vectors(self, encoder: Encoder, pictures: Pixels, title: str) -> Vectors:
        """(B, dim) float32 of (B, H, W, 3) uint8; a damaged file is made anew."""
        path = self.folder / f"{self._key(encoder, pictures)}.safetensors"
        if path.is_file():
            try:
                kept = read_tensors(path)[_NAME].numpy()
            except (DataError, KeyError):
                log.warning("%s is damaged; its pictures are encoded again", path)
            else:
                if kept.shape == (len(pictures), encoder.dim):
                    return np.asarray(kept, dtype=np.float32)
        found = encoded(encoder, pictures, title)
        with atomic_path(path) as partial:
            write_tensors(partial, {_NAME: torch.from_numpy(found)})
        return found

    def _key(self, encoder: Encoder, pictures: Pixels) -> str:
        shape = "x".join(map(str, pictures.shape))
        digest = hashlib.sha256(f"{encoder.name}|{encoder.dim}|{self.device}|{shape}|".encode())
        digest.update(np.ascontiguousarray(pictures).data)
        return digest.hexdigest()[:32]
