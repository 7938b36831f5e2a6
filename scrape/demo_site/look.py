"""How one animal looks: the words for its title and the colours that it is drawn in."""

from collections.abc import Callable
from dataclasses import dataclass

from scrape.demo_site.canvas import Canvas
from scrape.demo_site.chance import Chance
from scrape.demo_site.colours import ACCENTS, Colour, Tint


@dataclass(frozen=True)
class Coat:
    """A named colouring: the main colour, and the second one of stripes, ears, belly or wings."""

    name: str
    main: Tint
    second: Tint


@dataclass(frozen=True)
class Look:
    """One animal: `accessory` is a word such as collar or empty, `accent` names its colour."""

    breed: str
    coat: str
    main: Colour
    second: Colour
    accessory: str
    accent: str
    facing: str

    @property
    def accent_colour(self) -> Colour:
        return ACCENTS[self.accent]


Painter = Callable[[Canvas, Look, Chance], None]


@dataclass(frozen=True)
class Species:
    """What all pictures of a kind share. `side_view` animals look to the left or right.

    `coats` maps a breed (empty where there are none) to its colourings.
    """

    kind: str
    coats: dict[str, tuple[Coat, ...]]
    grounds: tuple[Tint, ...]
    accessories: tuple[str, ...]
    paint: Painter
    side_view: bool
