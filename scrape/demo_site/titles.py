"""What people would call the animals' pictures, and who they say drew them."""

from scrape.demo_site.animals import SPECIES
from scrape.demo_site.chance import Chance
from scrape.demo_site.look import Look

_WEARING = {
    "bow": "with a {accent} bow",
    "bridle": "in a {accent} bridle",
    "collar": "with a {accent} collar",
    "hat": "in a {accent} hat",
    "scarf": "in a {accent} scarf",
    "blaze": "with a white blaze",
    "bubbles": "blowing bubbles",
    "crest": "with a crest",
    "crown": "with a golden crown",
    "stripes": "with white stripes",
}
_FRAMES = (
    "{A} {what} {wearing}",
    "{What} {wearing}",
    "Portrait of {a} {what} {wearing}",
    "{What}, flat drawing",
    "My {what} {wearing}",
)
_AUTHORS = (
    "Mara Quill",
    "Jonas Fell",
    "Ines Aldery",
    "Tomke Brandis",
    "Odile Marsh",
    "Pavel Linden",
    "Ruth Osgood",
    "Sami Verrell",
    "Lotte Hain",
    "Bruno Castellar",
)
# Identifier and address by share of pictures; some sites state no licence at all.
_LICENCES = (
    (0.35, "CC0-1.0", "https://creativecommons.org/publicdomain/zero/1.0/"),
    (0.62, "CC-BY-4.0", "https://creativecommons.org/licenses/by/4.0/"),
    (0.85, "CC-BY-SA-4.0", "https://creativecommons.org/licenses/by-sa/4.0/"),
    (0.93, "unknown", ""),
    (1.0, "", ""),
)
LICENCE_ADDRESSES = {name: address for _, name, address in _LICENCES if address}


def animal_title(kind: str, look: Look, chance: Chance) -> str:
    """Such as "A ginger cat with a blue collar"; the breed stands in every dog's title."""
    what = f"{look.breed} dog" if look.breed else f"{look.coat} {kind}"
    wearing = _WEARING.get(look.accessory, "").format(accent=look.accent)
    if SPECIES[kind].side_view:
        wearing = f"{wearing}, facing {look.facing}" if chance.coin(0.4) else wearing
    article = "an" if what[0] in "aeiou" else "a"
    title = chance.pick(_FRAMES).format(
        A=article.capitalize(), a=article, what=what, What=_capital(what), wearing=wearing
    )
    return title.replace(" ,", ",").strip()


def author(chance: Chance) -> str:
    return chance.pick(_AUTHORS)


def licence(chance: Chance) -> tuple[str, str]:
    """Identifier and address; both empty where none is stated."""
    share = chance.between(0, 1)
    return next((name, address) for top, name, address in _LICENCES if share <= top)


def _capital(text: str) -> str:
    return text[0].upper() + text[1:]
