"""Invented brands and the way that people describe their logos."""

from scrape.demo_site.chance import Chance

# First words are made up; their initials are the letters that logo_symbols can draw.
FIRST_WORDS = (
    "Aldermoor", "Averwick", "Ambleford", "Eastmere", "Elderbrook", "Emberlow", "Fennimoor",
    "Farrowby", "Foxglen", "Harrowmere", "Hollinby", "Hazelcombe", "Kestlebury", "Kingfarrow",
    "Kelmarsh", "Larkhollow", "Lindenmoor", "Lowmarsh", "Marrowby", "Mistlebrook", "Millerfen",
    "Northwind", "Nettlebrook", "Norrowick", "Tarnbrook", "Thistlemoor", "Tillerby", "Velmoor",
    "Vinterby", "Valeford", "Westfarrow", "Willowmere", "Wrenfield", "Zephyrine", "Zealmoor",
)  # fmt: skip
# Second words with the kind of business that they stand for.
TRADES = {
    "Lantern": "a maker of camping lamps",
    "Rowing Club": "a rowing club on a quiet river",
    "Cycles": "a bicycle workshop",
    "Bakery": "a family bakery",
    "Press": "a printer of small books",
    "Outfitters": "a mountain outfitter",
    "Coffee": "a coffee roaster",
    "Records": "a record label",
    "Ceramics": "a pottery studio",
    "Gardens": "a plant nursery",
    "Foundry": "an iron foundry",
    "Dairy": "a village dairy",
    "Chess Circle": "a chess club",
    "Toys": "a toy maker",
    "Ferries": "a ferry line between two islands",
    "Observatory": "a public observatory",
}

_TEMPLATES = (
    "{Mark} with {symbol}, drawn for {trade} founded in {year}.",
    "{Mark} with {symbol} in the middle{ground}.",
    "{symbol_first} on {mark}; the emblem of {name}, {trade}.",
    "The {year} mark of {name}: {mark} with {symbol}{ground}. It replaced a drawing of a {old}, "
    "and is still on the sign above the door.",
    "Flat emblem of {trade}: {mark} carrying {symbol}, no lettering.",
    "{name} has used {mark} with {symbol} since {year}; before that it was a {old}.",
    "{Mark} holds {symbol}. Made for {trade} in {year} and kept simple enough to be stamped on "
    "paper bags, painted on vans and sewn on caps.",
)
_OLD_EMBLEMS = ("ship", "lion", "handshake", "clock", "horseshoe", "lighthouse", "bell")


def brand_name(number: int, seed: int) -> str:
    """The name of brand `number`; no two of one seed are equal below 35 x 16."""
    words = Chance(seed, "first words of brands").shuffled(FIRST_WORDS)
    trades = Chance(seed, "trades of brands").shuffled(tuple(TRADES))
    first, turn = number % len(words), number // len(words)
    return f"{words[first]} {trades[(first + turn) % len(trades)]}"


def describe(name: str, mark: str, symbol: str, ground: str, chance: Chance) -> str:
    """One or two sentences of 40 to 220 characters in the voice of a person.

    `mark` ("a navy shield") and `symbol` ("a white star") come with their articles.
    """
    words = {
        "name": name,
        "trade": TRADES[name.split(" ", 1)[1]],
        "year": str(1921 + chance.below(100)),
        "old": chance.pick(_OLD_EMBLEMS),
        "mark": mark,
        "Mark": mark[0].upper() + mark[1:],
        "symbol": symbol,
        "symbol_first": symbol[0].upper() + symbol[1:],
        "ground": ground,
    }
    return chance.pick(_TEMPLATES).format(**words)
