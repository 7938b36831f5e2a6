"""The hashes are imagehash's of the reduced picture, and their values stay what they were."""

import imagehash
import numpy as np
import pytest
from PIL import Image

from dataset.phash import DHASH, PHASH, THUMB, perceptual_hashes, reduced
from tests.dataset.pictures import array, scene

# Taken from imagehash 4.3.2 and Pillow 13.
PINNED = ("9025ad3aaeaaaeaa", "e7eecedc9cb9393b")
PINNED_THUMB = "14293d34699d"
SIZES = [(160, 120), (33, 17), (16, 128), (500, 375), (640, 90), (31, 32), (9, 8)]


@pytest.mark.parametrize("seed", range(60))
def test_hashes_are_those_of_the_imagehash_library(seed: int) -> None:
    size = SIZES[seed % len(SIZES)]
    image = scene(seed, (max(size[0], 44), max(size[1], 44))).resize(size)
    found = perceptual_hashes(array(image))
    small = reduced(image)
    assert found[PHASH] == str(imagehash.phash(small))
    assert found[DHASH] == str(imagehash.dhash(small))
    if max(size) < 288:
        assert small is image


def test_the_reduction_changes_few_bits() -> None:
    far = []
    for seed in range(60):
        image = scene(seed, (500, 375))
        found = perceptual_hashes(array(image))
        for name, whole in ((PHASH, imagehash.phash(image)), (DHASH, imagehash.dhash(image))):
            far.append(imagehash.hex_to_hash(found[name]) - whole)
    assert max(far) <= 4
    assert np.mean(far) < 0.7


@pytest.mark.parametrize("level", [0, 1, 127, 255])
def test_flat_pictures_hash_as_the_library_does(level: int) -> None:
    image = Image.new("RGB", (90, 70), (level,) * 3)
    found = perceptual_hashes(array(image))
    assert found[PHASH] == str(imagehash.phash(image))
    assert found[DHASH] == str(imagehash.dhash(image)) == "0" * 16
    assert found[THUMB] == f"{level:02x}" * 192


def test_values_stay_what_they_were() -> None:
    ramp = np.add.outer(np.arange(96), 2 * np.arange(128))[..., None] * np.array([1, 2, 3]) % 256
    found = perceptual_hashes(ramp.astype(np.uint8))
    assert (found[PHASH], found[DHASH]) == PINNED
    assert found[THUMB][:12] == PINNED_THUMB
