"""The site's own pictures: 1,200 animals and 320 logos drawn on demand, with traps among them."""

from collections.abc import Sequence

from scrape.demo_site.animals import KINDS
from scrape.demo_site.chance import Chance
from scrape.demo_site.collection import Answer, SitePicture
from scrape.demo_site.drawings import animal_look, animal_size, draw_animal
from scrape.demo_site.encoding import TYPES, encoded
from scrape.demo_site.logos import draw_logo, logo, logo_size
from scrape.demo_site.planted import Maker, Planter
from scrape.demo_site.titles import animal_title, author, licence

ANIMALS_PER_KIND = 150
LOGOS = 320


class DrawnCollection:
    """A Collection in which everything is a pure function of the seed; see Planter for the traps.

    `copy_of` maps a planted copy's address to its original's.
    """

    title = "Pedigree demo site"

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self._makers: dict[str, Maker] = {}
        self._drawn = dict.fromkeys((*KINDS, "logo"), 0)
        animals = [
            self._listed(*self.next_animal(kind)) for kind in KINDS for _ in range(ANIMALS_PER_KIND)
        ]
        logos = [self._listed(*self.next_logo()) for _ in range(LOGOS)]
        planter = Planter(self, seed, animals, logos)
        self.planted, self.copy_of = planter.planted, planter.copy_of
        chance = Chance(seed, "order of lists")
        self.labelled: Sequence[SitePicture] = chance.shuffled([*animals, *planter.labelled])
        self.cards: Sequence[SitePicture] = chance.shuffled([*logos, *planter.cards])

    def answer(self, address: str) -> Answer | None:
        make = self._makers.get(address)
        return None if make is None else make()

    def sized(self, picture: SitePicture) -> SitePicture:
        return picture

    def close(self) -> None:
        """Nothing is held open."""

    def put(self, address: str, make: Maker) -> None:
        """Let `make` answer at `address`."""
        assert address not in self._makers, address
        self._makers[address] = make

    def next_animal(self, kind: str) -> tuple[SitePicture, Maker]:
        """The entry of one more animal of `kind`, and what draws it when it is asked for."""
        seed, index = self.seed, self._next_index(kind)
        chance, look = Chance(seed, f"words of {kind}", index), animal_look(seed, kind, index)
        extension = chance.pick(("jpg", "jpg", "jpg", "png", "webp"))
        quality = 86 + chance.below(9)
        name, title = f"{kind}-{index:04d}", animal_title(kind, look, chance)
        width, height = animal_size(seed, kind, index)
        stated, stated_url = licence(chance)
        picture = SitePicture(
            id=name,
            address=f"/media/animals/{kind}/{name}.{extension}",
            page=f"/pictures/{name}/",
            title=title,
            description=title,
            label=kind,
            breed=look.breed,
            author=author(chance),
            licence=stated,
            licence_url=stated_url,
            width=width,
            height=height,
        )

        def make() -> Answer:
            drawing = draw_animal(seed, kind, index)
            return Answer(encoded(drawing, extension, quality), TYPES[extension])

        return picture, make

    def next_logo(self) -> tuple[SitePicture, Maker]:
        """The entry of one more logo, and what draws it when it is asked for."""
        seed, index = self.seed, self._next_index("logo")
        chance, look = Chance(seed, "words of logo", index), logo(seed, index)
        extension = "png" if look.transparent else chance.pick(("png", "png", "png", "jpg", "webp"))
        width, height = logo_size(seed, index)
        stated, stated_url = licence(chance)
        picture = SitePicture(
            id=look.slug,
            address=f"/media/logos/{look.slug}.{extension}",
            page=f"/logos/{look.slug}/",
            title=look.name,
            description=look.description,
            author=author(chance),
            licence=stated,
            licence_url=stated_url,
            width=width,
            height=height,
        )

        def make() -> Answer:
            return Answer(encoded(draw_logo(seed, index), extension, 92), TYPES[extension])

        return picture, make

    def _listed(self, picture: SitePicture, make: Maker) -> SitePicture:
        self.put(picture.address, make)
        return picture

    def _next_index(self, kind: str) -> int:
        self._drawn[kind] += 1
        return self._drawn[kind] - 1
