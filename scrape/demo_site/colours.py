"""Colours of the drawings: families to draw from, and mixtures."""

import colorsys
from dataclasses import dataclass

Colour = tuple[int, int, int]
Range = tuple[float, float]

WHITE: Colour = (255, 255, 255)
INK: Colour = (34, 30, 36)
PINK: Colour = (240, 150, 160)


@dataclass(frozen=True)
class Tint:
    """A family of colours with a name: ranges of hue (degrees), saturation and lightness (0..1)."""

    name: str
    hue: Range
    saturation: Range
    lightness: Range


def tint(name: str, hue: float, saturation: float, lightness: float) -> Tint:
    """The family around one colour: hue within 6 degrees, the others within 0.05."""
    return Tint(
        name,
        (hue - 6, hue + 6),
        (max(saturation - 0.05, 0.0), min(saturation + 0.05, 1.0)),
        (max(lightness - 0.05, 0.0), min(lightness + 0.05, 1.0)),
    )


def ground(name: str, hue: float, saturation: float, lightness: float) -> Tint:
    """A family for backgrounds, wider than a tint: it tells pictures of one kind apart."""
    return Tint(
        name,
        (hue - 9, hue + 9),
        (max(saturation - 0.1, 0.0), min(saturation + 0.1, 1.0)),
        (max(lightness - 0.08, 0.0), min(lightness + 0.08, 0.96)),
    )


# Colours of collars, bows and scarves, by the word that titles use for them.
ACCENTS: dict[str, Colour] = {
    "red": (214, 48, 49),
    "blue": (41, 98, 204),
    "yellow": (247, 197, 43),
    "purple": (134, 70, 180),
    "teal": (20, 150, 140),
}


def hsl(hue: float, saturation: float, lightness: float) -> Colour:
    red, green, blue = colorsys.hls_to_rgb((hue % 360) / 360, lightness, saturation)
    return round(255 * red), round(255 * green), round(255 * blue)


def mix(one: Colour, other: Colour, share: float) -> Colour:
    """`one` with a `share` (0..1) of `other` in it."""
    red, green, blue = (round(a + (b - a) * share) for a, b in zip(one, other, strict=True))
    return red, green, blue


def lighter(colour: Colour, share: float = 0.35) -> Colour:
    return mix(colour, WHITE, share)


def darker(colour: Colour, share: float = 0.3) -> Colour:
    return mix(colour, INK, share)
