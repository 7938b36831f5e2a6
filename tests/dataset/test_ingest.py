"""Measuring takes the same from a picture whatever size it was decoded at."""

import imagehash
import pytest
from PIL import Image

from dataset.errors import PictureError
from dataset.fingerprint import fingerprint, hash_texts
from dataset.ingest import measure
from dataset.phash import DHASH, PHASH, reduced
from dataset.pixels import decode, rasterise
from tests.dataset.pictures import encoded, scene

SIZES = [(144, 144), (200, 160), (300, 300), (577, 640), (1200, 800), (2400, 300)]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("seed", range(4))
def test_a_jpeg_decoded_smaller_hashes_as_the_whole_one(seed: int, size: tuple[int, int]) -> None:
    content = encoded(scene(seed, size), "JPEG", quality=92)
    found = measure(content)
    raster = rasterise(content)
    whole = hash_texts(fingerprint(raster, reduced(raster.image)))
    assert (found.width, found.height) == size
    for name in (PHASH, DHASH):
        near = imagehash.hex_to_hash(found.hashes[name]) - imagehash.hex_to_hash(whole[name])
        assert near <= 4, name


@pytest.mark.parametrize("orientation", range(1, 9))
def test_size_is_that_of_the_upright_picture(orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    found = measure(encoded(scene(1, (1200, 800)), "JPEG", exif=exif))
    assert (found.width, found.height) == ((800, 1200) if orientation >= 5 else (1200, 800))


def test_pixels_of_formats_without_loss_are_hashed_whole() -> None:
    image = scene(2, (1200, 800))
    png, webp = encoded(image, "PNG"), encoded(image, "WEBP", lossless=True)
    assert measure(png).pixel_sha256 == measure(webp).pixel_sha256 == decode(png).pixel_sha256


def test_the_same_jpeg_stream_with_other_metadata_is_the_same_pixels() -> None:
    image = scene(3, (1200, 800))
    plain = encoded(image, "JPEG", quality=90)
    commented = encoded(image, "JPEG", quality=90, comment=b"seen elsewhere")
    assert plain != commented
    assert measure(plain).pixel_sha256 == measure(commented).pixel_sha256


def test_two_sizes_that_reduce_to_the_same_one_are_two_pictures() -> None:
    flat = [Image.new("RGB", size, (10, 200, 30)) for size in ((1200, 800), (1201, 800))]
    first, second = (measure(encoded(image, "JPEG")) for image in flat)
    assert first.pixel_sha256 != second.pixel_sha256


def test_a_cut_jpeg_is_told_though_it_is_decoded_smaller() -> None:
    content = encoded(scene(4, (1200, 800)), "JPEG", quality=90)
    with pytest.raises(PictureError) as failure:
        measure(content[: len(content) * 2 // 3])
    assert failure.value.reason == "truncated"
