"""Pictures that many hosts share: the default icon of a platform, a placeholder, a stock logo."""

from typing import NamedTuple

from dataset.catalog import Catalog


class RepeatedPicture(NamedTuple):
    """A picture of the catalogue, at how many distinct hosts it was found, and some of them."""

    image_id: int
    hosts: int
    examples: tuple[str, ...]


def repeated(catalog: Catalog, least: int = 5, *, most: int = 100) -> list[RepeatedPicture]:
    """The pictures found at `least` hosts or more, most hosts first, at most `most` of them.

    A host is the one of the page that showed the picture: equal bytes or pixels are one picture
    of the catalogue, however many addresses they have.
    """
    return [RepeatedPicture(*row) for row in catalog.images.repeated(least, most=most)]
