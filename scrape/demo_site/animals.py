"""The animals of the demo site: eight kinds, their coats, backgrounds and titles."""

from scrape.demo_site.bodies import paint_bird, paint_fish, paint_horse, paint_turtle
from scrape.demo_site.colours import ground, tint
from scrape.demo_site.dogs import paint_dog
from scrape.demo_site.faces import paint_cat, paint_frog, paint_rabbit
from scrape.demo_site.look import Coat, Species

_SPECIES = (
    Species(
        kind="bird",
        coats={
            "": (
                Coat("red", tint("red", 4, 0.78, 0.5), tint("cream", 38, 0.8, 0.86)),
                Coat("blue", tint("blue", 222, 0.72, 0.46), tint("cream", 45, 0.8, 0.8)),
                Coat("yellow", tint("yellow", 46, 0.92, 0.54), tint("white", 50, 0.9, 0.88)),
            )
        },
        grounds=(
            ground("sky", 200, 0.75, 0.84),
            ground("morning", 190, 0.5, 0.9),
            ground("haze", 210, 0.55, 0.78),
            ground("cloud", 205, 0.3, 0.93),
        ),
        accessories=("crest", "", ""),
        paint=paint_bird,
        side_view=True,
    ),
    Species(
        kind="cat",
        coats={
            "": (
                Coat("ginger", tint("ginger", 27, 0.86, 0.55), tint("rust", 18, 0.8, 0.4)),
                Coat("grey", tint("grey", 220, 0.08, 0.56), tint("slate", 220, 0.1, 0.34)),
            )
        },
        grounds=(
            ground("cream", 42, 0.75, 0.86),
            ground("rose", 350, 0.6, 0.86),
            ground("peach", 22, 0.75, 0.86),
            ground("lilac", 280, 0.4, 0.85),
        ),
        accessories=("collar", "collar", "bow", ""),
        paint=paint_cat,
        side_view=False,
    ),
    Species(
        kind="dog",
        coats={
            "beagle": (
                Coat("brown", tint("chestnut", 26, 0.6, 0.42), tint("bark", 22, 0.6, 0.28)),
            ),
            "dachshund": (
                Coat("red", tint("red-brown", 16, 0.68, 0.36), tint("tan", 32, 0.7, 0.6)),
            ),
            "dalmatian": (
                Coat("white", tint("white", 40, 0.1, 0.97), tint("black", 260, 0.08, 0.14)),
            ),
            "husky": (Coat("grey", tint("grey", 215, 0.12, 0.42), tint("dark", 215, 0.14, 0.3)),),
            "poodle": (
                Coat("apricot", tint("apricot", 28, 0.72, 0.68), tint("amber", 24, 0.62, 0.56)),
                Coat("white", tint("snow", 40, 0.2, 0.95), tint("pearl", 35, 0.2, 0.86)),
            ),
        },
        grounds=(
            ground("mint", 160, 0.45, 0.78),
            ground("aqua", 178, 0.45, 0.74),
            ground("butter", 48, 0.85, 0.74),
            ground("sea", 192, 0.5, 0.72),
        ),
        accessories=("collar", "scarf", "", ""),
        paint=paint_dog,
        side_view=False,
    ),
    Species(
        kind="fish",
        coats={
            "": (
                Coat("orange", tint("orange", 24, 0.95, 0.54), tint("flame", 14, 0.9, 0.46)),
                Coat("yellow", tint("yellow", 50, 0.95, 0.56), tint("amber", 38, 0.95, 0.5)),
                Coat("pink", tint("pink", 340, 0.8, 0.64), tint("purple", 320, 0.6, 0.48)),
            )
        },
        grounds=(
            ground("water", 205, 0.75, 0.46),
            ground("deep", 218, 0.65, 0.38),
            ground("lagoon", 188, 0.7, 0.42),
        ),
        accessories=("stripes", "bubbles", ""),
        paint=paint_fish,
        side_view=True,
    ),
    Species(
        kind="frog",
        coats={
            "": (
                Coat("green", tint("green", 112, 0.58, 0.44), tint("lime", 80, 0.7, 0.78)),
                Coat("leaf-green", tint("leaf", 92, 0.65, 0.46), tint("straw", 62, 0.7, 0.8)),
                Coat("emerald", tint("emerald", 140, 0.6, 0.38), tint("pale", 95, 0.55, 0.76)),
            )
        },
        grounds=(
            ground("lotus", 330, 0.6, 0.84),
            ground("violet", 268, 0.5, 0.82),
            ground("petal", 312, 0.5, 0.86),
            ground("blossom", 345, 0.65, 0.78),
        ),
        accessories=("crown", "bow", "", ""),
        paint=paint_frog,
        side_view=False,
    ),
    Species(
        kind="horse",
        coats={
            "": (
                Coat("chestnut", tint("chestnut", 20, 0.6, 0.4), tint("dark", 18, 0.5, 0.2)),
                Coat("bay", tint("bay", 26, 0.5, 0.34), tint("black", 20, 0.2, 0.12)),
                Coat("palomino", tint("palomino", 34, 0.62, 0.55), tint("cream", 42, 0.75, 0.86)),
            )
        },
        grounds=(
            ground("meadow", 96, 0.45, 0.74),
            ground("pasture", 82, 0.5, 0.7),
            ground("clover", 118, 0.38, 0.76),
        ),
        accessories=("blaze", "bridle", "", ""),
        paint=paint_horse,
        side_view=True,
    ),
    Species(
        kind="rabbit",
        coats={
            "": (
                Coat("white", tint("white", 30, 0.2, 0.96), tint("ruby", 350, 0.5, 0.3)),
                Coat("grey", tint("grey", 215, 0.07, 0.7), tint("dark", 20, 0.4, 0.2)),
                Coat("sandy", tint("sand", 34, 0.5, 0.74), tint("dark", 20, 0.4, 0.2)),
            )
        },
        grounds=(
            ground("grass", 132, 0.35, 0.55),
            ground("fern", 148, 0.38, 0.48),
            ground("moss", 110, 0.35, 0.52),
            ground("lavender", 258, 0.35, 0.64),
        ),
        accessories=("bow", "scarf", "", ""),
        paint=paint_rabbit,
        side_view=False,
    ),
    Species(
        kind="turtle",
        coats={
            "": (
                Coat("green", tint("shell", 140, 0.45, 0.34), tint("lime", 84, 0.5, 0.56)),
                Coat("olive", tint("olive", 78, 0.45, 0.34), tint("moss", 70, 0.5, 0.58)),
                Coat("teal", tint("teal", 168, 0.5, 0.32), tint("mint", 110, 0.45, 0.58)),
            )
        },
        grounds=(
            ground("sand", 42, 0.7, 0.82),
            ground("shore", 34, 0.65, 0.78),
            ground("dune", 50, 0.6, 0.86),
        ),
        accessories=("hat", "", ""),
        paint=paint_turtle,
        side_view=True,
    ),
)

SPECIES = {species.kind: species for species in _SPECIES}
KINDS = tuple(SPECIES)
