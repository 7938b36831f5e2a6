"""All scores of a picture in one go."""

from PIL import Image

from dataset.pixels import Raster
from dataset.quality.border import frame
from dataset.quality.collage import collage_score
from dataset.quality.compression import compression_quality
from dataset.quality.focus import focus_scores
from dataset.quality.light import light_scores
from dataset.quality.marks import watermark_score
from dataset.quality.text import text_score
from dataset.quality.view import view


def quality_scores(raster: Raster, small: Image.Image, byte_count: int) -> dict[str, float]:
    """Every score of `dataset.quality.measures` that can be told of a picture, but for `content`,
    which its fingerprint tells.

    `small` is what `dataset.phash.reduced` made of `raster.image`; `byte_count` the size of the
    file. A score that a picture is too small or too empty for is left out, or 0.
    """
    seen = view(raster, small)
    around = frame(seen)
    scores = light_scores(seen) | focus_scores(seen)
    scores["border"] = around.score
    scores["collage"] = collage_score(seen, around)
    scores["text"] = text_score(seen, scores["flatness"])
    scores["watermark"] = watermark_score(seen, scores["text"])
    compression = compression_quality(raster.jpeg_tables, raster.format)
    if compression is not None:
        scores["compression"] = compression
    shortest = max(1, min(raster.width, raster.height))
    scores["aspect"] = max(raster.width, raster.height) / shortest
    scores["side"] = float(shortest)
    return {name: round(value, 4) for name, value in scores.items()}
