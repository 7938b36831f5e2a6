"""Vectors on the disk: found again, never of other pictures, spaces or devices."""

from pathlib import Path

import numpy as np
import pytest

from dataset.pixels import Pixels
from sample.embed import Vectors
from sample.vector_cache import VectorCache
from tests.sample.drawings import drawings


class Counted:
    """An encoder that knows how many pictures it was shown."""

    def __init__(self, name: str = "counted", dim: int = 2) -> None:
        self.name, self.dim, self.seen = name, dim, 0

    def encode(self, pictures: Pixels) -> Vectors:
        self.seen += len(pictures)
        return np.repeat(pictures.mean(axis=(1, 2, 3))[:, None], self.dim, 1).astype(np.float32)


def test_what_was_encoded_is_not_encoded_again(tmp_path: Path) -> None:
    encoder, pictures = Counted(), drawings(range(70))
    first = VectorCache(tmp_path, "cpu").vectors(encoder, pictures, "x")
    again = VectorCache(tmp_path, "cpu").vectors(encoder, pictures.copy(), "x")
    assert encoder.seen == 70
    assert first.tobytes() == again.tobytes()


def test_other_pictures_spaces_and_devices_have_files_of_their_own(tmp_path: Path) -> None:
    pictures = drawings(range(3))
    other = pictures.copy()
    other[0, 0, 0, 0] ^= 1
    VectorCache(tmp_path, "cpu").vectors(Counted(), pictures, "x")
    for cache, encoder, shown in (
        (VectorCache(tmp_path, "cpu"), Counted(), other),
        (VectorCache(tmp_path, "cpu"), Counted("another"), pictures),
        (VectorCache(tmp_path, "cpu"), Counted(dim=3), pictures),
        (VectorCache(tmp_path, "cuda"), Counted(), pictures),
        (VectorCache(tmp_path, "cpu"), Counted(), pictures.reshape(3, 16, 64, 3)),
    ):
        cache.vectors(encoder, shown, "x")
        assert encoder.seen == 3


@pytest.mark.parametrize("content", [b"", b"\x00" * 100])
def test_a_damaged_file_is_made_again(
    tmp_path: Path, content: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    encoder, pictures, cache = Counted(), drawings(range(3)), VectorCache(tmp_path, "cpu")
    whole = cache.vectors(encoder, pictures, "x")
    (path,) = tmp_path.glob("*.safetensors")
    path.write_bytes(content)
    assert cache.vectors(encoder, pictures, "x").tobytes() == whole.tobytes()
    assert "is damaged; its pictures are encoded again" in caplog.text
    assert encoder.seen == 6
