"""Small pictures for tests of collecting: each number is another picture."""

import io

import numpy as np
from PIL import Image


def picture(number: int, *, side: int = 48, format: str = "PNG") -> bytes:
    """A picture of coloured blocks that no other number gives, as file bytes."""
    blocks = np.random.default_rng(number).integers(0, 256, (6, 6, 3), dtype=np.uint8)
    image = Image.fromarray(blocks).resize((side, side), Image.Resampling.NEAREST)
    written = io.BytesIO()
    image.save(written, format)
    return written.getvalue()
