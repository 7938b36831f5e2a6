"""Pictures that an older version hashed are measured anew, from their stored bytes."""

import logging

from dataset.catalog import Catalog
from dataset.decoding import DecoderPool
from dataset.errors import DataError, PictureError
from dataset.fingerprint import FINGERPRINT
from dataset.image_store import ImageStore
from dataset.phash import ALPHA, DHASH, FINE, PHASH
from dataset.pixels import PixelLimits
from dataset.progress import Progress

log = logging.getLogger(__name__)

# What was good enough to come in stays, whatever the limits are now.
_NO_LIMITS = PixelLimits(min_side=1, max_aspect=1e9)


def rehash(catalog: Catalog, store: ImageStore) -> tuple[int, int]:
    """Give every picture the present hashes and scores; returns (measured, no longer decodable).

    Goes on where it was when interrupted. Pictures whose bytes are missing or altered are told,
    and counted with those that cannot be decoded.
    """
    old = catalog.images.without_fingerprint(FINGERPRINT)
    failed = 0
    with Progress("rehash", len(old), "pictures") as progress, DecoderPool(1, _NO_LIMITS) as pool:
        for image_id, sha256 in old.items():
            try:
                image = pool.measure(store.get(sha256))
            except (PictureError, DataError) as error:
                failed += 1
                log.warning("picture #%d cannot be measured any more: %s", image_id, error)
                continue
            with catalog.transaction():
                catalog.images.set_pixels(image_id, image.pixel_sha256)
                catalog.images.set_quality(image_id, image.quality)
                catalog.images.set_hashes(image_id, image.hashes)
                catalog.images.set_fingerprint(image_id, FINGERPRINT, image.fingerprint)
                catalog.scores.note_measured()
            progress.advance()
    with catalog.transaction():
        catalog.images.drop_hashes((PHASH, DHASH, FINE, ALPHA))
    return len(old) - failed, failed
