"""Drawings as files: JPEG, PNG and WebP bytes."""

import io

from PIL import Image

# Format by file name extension.
FORMATS = {"jpg": "JPEG", "png": "PNG", "webp": "WEBP"}
TYPES = {"jpg": "image/jpeg", "png": "image/png", "webp": "image/webp"}


def encoded(image: Image.Image, extension: str, quality: int = 90) -> bytes:
    """`image` as the bytes of a file; `quality` (1..100) counts for jpg and webp."""
    buffer = io.BytesIO()
    if extension == "png":
        image.save(buffer, "PNG", compress_level=5)
    elif extension == "webp":
        image.save(buffer, "WEBP", quality=quality, method=2)
    else:
        image.convert("RGB").save(buffer, "JPEG", quality=quality, subsampling=0)
    return buffer.getvalue()
