"""The fonts of texts on pictures: Pillow's own, or one of the machine's with more letters."""

from functools import cache, lru_cache

from PIL import ImageFont

Font = ImageFont.FreeTypeFont | ImageFont.ImageFont

# Of systems that have one of these; Pillow's own font has next to no letters beyond ASCII.
_WIDER_FONTS = ("DejaVuSans.ttf", "NotoSansCJK-Regular.ttc", "Arial Unicode.ttf", "msgothic.ttc")


def font_for(text: str, size: int) -> Font:
    """Pillow's font, which is everywhere, of so many pixels; or the first of the machine's that has
    more of the letters."""
    return plain_font(size) if text.isascii() else _wider_font("".join(sorted(set(text))), size)


@cache
def plain_font(size: int) -> Font:
    """Pillow's own, of so many pixels."""
    return ImageFont.load_default(size)


@lru_cache(256)
def _wider_font(letters: str, size: int) -> Font:
    best = plain_font(size)
    least = _missing(best, letters)
    for name in _WIDER_FONTS if least else ():
        try:
            font = ImageFont.truetype(name, size)
        except OSError:
            continue
        missing = _missing(font, letters)
        if missing < least:
            best, least = font, missing
    return best


def _missing(font: Font, letters: str) -> int:
    """How many different letters the font draws as it draws what is no letter."""
    if isinstance(font, ImageFont.ImageFont):
        return 0
    none = bytes(font.getmask("\U0010ffff"))
    return sum(bytes(font.getmask(letter)) == none for letter in letters if letter > "~")
