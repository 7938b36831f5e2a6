"""How much a file was compressed: the JPEG quality that its tables stand for."""

from functools import lru_cache

# The luminance table of ITU-T T.81, Annex K.1: quality 50 of the IJG library.
_STANDARD = (
    16, 11, 10, 16, 24, 40, 51, 61,
    12, 12, 14, 19, 26, 58, 60, 55,
    14, 13, 16, 24, 40, 57, 69, 56,
    14, 17, 22, 29, 51, 87, 80, 62,
    18, 22, 37, 56, 68, 109, 103, 77,
    24, 35, 55, 64, 81, 104, 113, 92,
    49, 64, 78, 87, 103, 121, 120, 101,
    72, 92, 95, 98, 112, 100, 103, 99,
)  # fmt: skip
# The largest step of a table of 8 bits.
_LARGEST = 255
# Formats that may be lossy without saying how much.
_UNKNOWN = ("WEBP", "AVIF")


@lru_cache(maxsize=256)
def compression_quality(tables: tuple[tuple[int, ...], ...], format: str) -> float | None:
    """The quality 1..100 of the IJG library whose luminance table is as coarse as `tables[0]`.

    100 for what has no tables because it is lossless, None where nothing can be told.
    """
    if not tables:
        return None if format in (*_UNKNOWN, "JPEG") else 100.0
    luminance = tables[0]
    if max(luminance) <= 1:
        return 100.0
    told = [
        (step, usual) for step, usual in zip(luminance, _STANDARD, strict=False) if step < _LARGEST
    ]
    if not told:
        return 1.0
    scale = 100.0 * sum(step for step, _ in told) / sum(usual for _, usual in told)
    quality = (200.0 - scale) / 2.0 if scale <= 100.0 else 5000.0 / scale
    return min(100.0, max(1.0, quality))
