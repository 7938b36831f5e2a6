"""Files of one picture are found, different pictures are not, and nothing depends on the order."""

import os
import random
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFilter, ImageOps

from dataset.catalog import Catalog
from dataset.comparison import find_edges
from dataset.fingerprint import FINGERPRINT, Fingerprints, Looks, read
from dataset.ingest import measure
from dataset.likeness import LARGEST_RADIUS, LIKENESS, refresh_edges
from dataset.pixels import PixelLimits
from dataset.records import Edge, Origin
from tests.dataset.conftest import AddPicture
from tests.dataset.pictures import encoded, scene

ANY_SIZE = PixelLimits(min_side=1, max_aspect=1e9)
Alteration = Callable[[Image.Image], Image.Image | bytes]


def photograph(seed: int, size: tuple[int, int] = (200, 150)) -> Image.Image:
    """As full of tones as a photograph: coarse and fine clouds in colour."""
    rng = np.random.default_rng(seed)
    total = np.zeros((size[1], size[0], 3))
    for cells, strength in ((4, 1.0), (9, 0.7), (21, 0.4)):
        noise = rng.normal(0, 60 * strength, (cells, cells, 3))
        grid = (noise + 128).clip(0, 255).astype(np.uint8)
        layer = Image.fromarray(grid).resize(size, Image.Resampling.BICUBIC)
        total += np.asarray(layer).astype(float) - 128
    return Image.fromarray((total + 128).clip(0, 255).astype(np.uint8))


def logo(seed: int, colour: tuple[int, int, int] = (200, 40, 60)) -> Image.Image:
    """A flat shape of one colour on nothing; each seed has its own."""
    rng = random.Random(seed)
    image = Image.new("RGBA", (128, 128), (*colour, 0))
    draw = ImageDraw.Draw(image)
    for _ in range(4):
        x, y = rng.randint(4, 80), rng.randint(4, 80)
        box = (x, y, x + rng.randint(12, 44), y + rng.randint(12, 44))
        rng.choice([draw.ellipse, draw.rectangle])(box, fill=(*colour, 255))
    return image


def on(colour: str, image: Image.Image) -> Image.Image:
    flat = Image.new("RGB", image.size, colour)
    flat.paste(image, mask=image.getchannel("A") if image.mode == "RGBA" else None)
    return flat


def stamped(image: Image.Image) -> Image.Image:
    """With a word across it that can be seen through."""
    mark = Image.new("RGBA", image.size, (0, 0, 0, 0))
    ImageDraw.Draw(mark).text((20, 60), "SAMPLE", fill=(255, 255, 255, 110), font_size=36)
    return Image.alpha_composite(image.convert("RGBA"), mark).convert("RGB")


def framed(image: Image.Image) -> Image.Image:
    return ImageOps.expand(on("white", image), (14, 25, 3, 9), "#204060")


def cut(image: Image.Image, left: float, top: float, right: float, bottom: float) -> Image.Image:
    w, h = image.size
    return image.crop((round(left * w), round(top * h), round(right * w), round(bottom * h)))


def half(image: Image.Image) -> Image.Image:
    return image.resize((image.width // 2, image.height // 2))


def noisy(image: Image.Image) -> Image.Image:
    values = np.asarray(on("white", image)).astype(float)
    noise = np.random.default_rng(0).normal(0, 8, values.shape)
    return Image.fromarray((values + noise).clip(0, 255).astype(np.uint8))


def lighter(image: Image.Image) -> Image.Image:
    table = [round(255 * (v / 255) ** 0.7) for v in range(256)]
    return on("white", image).point(table * 3)


SAME: dict[str, Alteration] = {
    "recompressed": lambda image: encoded(on("white", image), "JPEG", quality=35),
    "halved": half,
    "enlarged": lambda image: image.resize((image.width * 2, image.height * 2)),
    "cropped": lambda image: cut(image, 0.06, 0.0, 1.0, 0.93),
    "cropped all round": lambda image: cut(image, 0.05, 0.06, 0.94, 0.95),
    "framed": framed,
    "mirrored": ImageOps.mirror,
    "lighter": lighter,
    "noisy": noisy,
    "blurred": lambda image: image.filter(ImageFilter.GaussianBlur(1.2)),
    "stamped": lambda image: stamped(on("white", image)),
    "on white": lambda image: on("white", image),
    "on black": lambda image: on("black", image),
    "mirrored, cropped and saved": lambda image: encoded(
        on("white", ImageOps.mirror(cut(image, 0.0, 0.04, 0.96, 1.0))), "JPEG", quality=70
    ),
}
OF_PHOTOGRAPHS: dict[str, Alteration] = {
    "grey": lambda image: image.convert("L"),
    "turned by two degrees": lambda image: cut(image.rotate(2), 0.04, 0.05, 0.96, 0.95),
    "squeezed": lambda image: image.resize((150, 150)),
}


def looks_of(image: Image.Image | bytes) -> Looks:
    content = image if isinstance(image, bytes) else encoded(image)
    return read(measure(content, limits=ANY_SIZE).fingerprint)


def edges_among(pictures: list[Image.Image | bytes]) -> list[Edge]:
    looks = [looks_of(picture) for picture in pictures]
    owners = np.repeat(np.arange(len(looks)), [len(some) for some in looks])
    prints = Fingerprints(np.concatenate(looks), owners)
    ids, is_new = np.arange(len(looks)), np.ones(len(looks), np.bool_)
    return find_edges(ids, prints, is_new, LARGEST_RADIUS)


def pairs_among(pictures: list[Image.Image | bytes]) -> set[tuple[int, int]]:
    return {(edge.a, edge.b) for edge in edges_among(pictures)}


@pytest.mark.parametrize("name", [*SAME, *OF_PHOTOGRAPHS])
def test_files_of_one_photograph_are_found(name: str) -> None:
    alter = {**SAME, **OF_PHOTOGRAPHS}[name]
    originals = [photograph(seed) for seed in range(12)]
    copies = [alter(image) for image in originals]
    assert pairs_among([*originals, *copies]) == {(n, n + 12) for n in range(12)}


@pytest.mark.parametrize("name", SAME)
def test_files_of_one_logo_are_found(name: str) -> None:
    originals = [logo(seed) for seed in range(12)]
    copies = [SAME[name](image) for image in originals]
    found = pairs_among([*originals, *copies])
    wanted = {(n, n + 12) for n in range(12)}
    assert found <= wanted
    assert len(found) >= 10


def recoloured(image: Image.Image) -> Image.Image:
    red, green, blue, alpha = image.split()
    return Image.merge("RGBA", (blue, red, green, alpha))


def inverted(image: Image.Image) -> Image.Image:
    *colours, alpha = image.split()
    return Image.merge("RGBA", (*(ImageOps.invert(band) for band in colours), alpha))


def with_letters(image: Image.Image) -> Image.Image:
    """The brand's name beside its sign."""
    wide = Image.new("RGBA", (300, 128), (0, 0, 0, 0))
    wide.paste(image, (0, 0))
    ImageDraw.Draw(wide).text((140, 30), "Brand", fill=(20, 20, 20, 255), font_size=48)
    return wide


def with_white_letters(image: Image.Image) -> Image.Image:
    wide = Image.new("RGBA", (300, 128), (255, 255, 255, 0))
    wide.paste(image, (0, 0))
    ImageDraw.Draw(wide).text((140, 30), "Brand", fill="white", font_size=48)
    return wide


@pytest.mark.parametrize(
    "alter", [recoloured, inverted, with_letters, with_white_letters], ids=lambda a: a.__name__
)
def test_another_version_of_a_logo_is_another_picture(
    alter: Callable[[Image.Image], Image.Image],
) -> None:
    originals = [logo(seed) for seed in range(12)]
    assert pairs_among([*originals, *(alter(image) for image in originals)]) == set()


@pytest.mark.parametrize("colour", [(0, 0, 0), (255, 255, 255)])
def test_different_drawings_of_one_colour_on_nothing_are_different(
    colour: tuple[int, int, int],
) -> None:
    assert pairs_among([logo(seed, colour) for seed in range(40)]) == set()


def test_shapes_of_much_symmetry_are_told_apart_and_found_again() -> None:
    """Half the bits of their pHash are chance."""
    shapes = []
    for corners in (3, 4, 5, 6, 8):
        image = Image.new("RGB", (160, 160), "white")
        ImageDraw.Draw(image).regular_polygon((80, 80, 66), corners, fill="#103050")
        shapes.append(image)
    ring = Image.new("RGB", (160, 160), "white")
    ImageDraw.Draw(ring).ellipse((14, 14, 146, 146), outline="#103050", width=26)
    shapes.append(ring)
    copies = [encoded(shape, "JPEG", quality=40) for shape in shapes]
    found = pairs_among([*shapes, *copies])
    assert found == {(n, n + len(shapes)) for n in range(len(shapes))}


def test_flat_pictures_are_in_no_pair() -> None:
    colours = ["white", "black", "red", "#808080", "#817f80"]
    assert pairs_among([Image.new("RGB", (64, 48), colour) for colour in colours]) == set()


def test_a_pair_says_how_one_became_the_other() -> None:
    image = photograph(3)
    told = {}
    for name in ("mirrored", "halved", "framed", "cropped all round"):
        (edge,) = edges_among([image, SAME[name](image)])
        told[name] = edge.reason
        assert edge.score >= 0.5
        assert edge.dhash_bits <= 12
        assert edge.fine_bits <= 40
    assert told["mirrored"] == "mirrored"
    assert told["halved"] == "resized"
    assert "framed" in told["framed"]
    assert "cropped" in told["cropped all round"]


def test_the_very_same_look_scores_one() -> None:
    (edge,) = edges_among([photograph(1), encoded(photograph(1), "BMP")])
    assert (edge.phash_bits, edge.dhash_bits, edge.fine_bits) == (0, 0, 0)
    assert edge.score > 0.999
    assert edge.reason == "same"


def contents() -> list[bytes]:
    pictures: list[Image.Image | bytes] = []
    for seed in range(5):
        pictures += [photograph(seed), SAME["mirrored"](photograph(seed)), half(photograph(seed))]
        pictures += [logo(seed), on("white", logo(seed)), half(logo(seed))]
    return [p if isinstance(p, bytes) else encoded(p) for p in pictures]


def by_content(catalog: Catalog) -> list[tuple[object, ...]]:
    sha = {record.id: record.sha256 for record in catalog.images.all()}
    return sorted(
        (
            *sorted((sha[edge.a], sha[edge.b])),
            *(edge.phash_bits, edge.dhash_bits, edge.fine_bits, edge.colour_levels),
            *(edge.score, edge.reason),
        )
        for edge in catalog.edges.all()
    )


@pytest.mark.parametrize("seed", range(3))
def test_pairs_do_not_depend_on_order_or_on_how_many_came_at_once(
    seed: int, tmp_path: Path
) -> None:
    found = []
    for name, at_once in (("all", 100), ("some", 7), ("each", 1)):
        order = contents()
        random.Random(f"{seed}{name}").shuffle(order)
        with Catalog(tmp_path / f"{name}.sqlite") as catalog:
            for start in range(0, len(order), at_once):
                for content in order[start : start + at_once]:
                    catalog.images.add(measure(content), Origin(url="http://example.org"))
                if name != "each" or start % 5 == 0:
                    refresh_edges(catalog)
            refresh_edges(catalog)
            found.append(by_content(catalog))
    assert len(found[0]) == 5 * 6
    assert found[0] == found[1] == found[2]


def test_threads_do_not_change_the_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    pictures = list(contents())
    answers = []
    for threads in (1, 2, 4):
        monkeypatch.setattr("dataset.comparison._THREADS", threads)
        answers.append(edges_among(list(pictures)))
    assert answers[0] == answers[1] == answers[2]


def test_only_what_is_new_is_joined(catalog: Catalog, add_picture: AddPicture) -> None:
    add_picture(encoded(scene(1)))
    assert catalog.edges.has_unjoined(FINGERPRINT, LIKENESS)
    refresh_edges(catalog)
    assert not catalog.edges.has_unjoined(FINGERPRINT, LIKENESS)
    add_picture(encoded(scene(1), "JPEG"))
    assert refresh_edges(catalog) == 1
    joined = [is_joined for *_, is_joined in catalog.edges.fingerprints(FINGERPRINT, LIKENESS)]
    assert joined == [True, True]


def test_pairs_of_an_older_rule_are_found_again(catalog: Catalog, add_picture: AddPicture) -> None:
    ids = [add_picture(encoded(photograph(1), "JPEG", quality=q)) for q in (90, 50)]
    stored = {i: value for i, value, _ in catalog.edges.fingerprints(FINGERPRINT, LIKENESS)}
    wrong = Edge(a=ids[0], b=ids[1], phash_bits=9, dhash_bits=9, colour_levels=9.0)
    catalog.edges.join([wrong], stored.items(), "likeness/0")
    assert refresh_edges(catalog) == 1
    assert catalog.edges.all()[0].phash_bits == 0


def test_a_picture_that_is_measured_anew_is_joined_anew(
    catalog: Catalog, add_picture: AddPicture
) -> None:
    ids = [add_picture(encoded(photograph(1), "JPEG", quality=q)) for q in (90, 50)]
    refresh_edges(catalog)
    other = looks_of(photograph(2)).tobytes()
    with catalog.transaction():
        catalog.images.set_fingerprint(ids[0], FINGERPRINT, other)
    assert refresh_edges(catalog) == 0


def test_refreshes_side_by_side_lose_no_pair(catalog: Catalog, add_picture: AddPicture) -> None:
    """One has read two pictures when a third comes; another one joins all three before it."""
    for quality in (90, 70):
        add_picture(encoded(photograph(1), "JPEG", quality=quality))
    early = [(i, value) for i, value, _ in catalog.edges.fingerprints(FINGERPRINT, LIKENESS)]
    add_picture(encoded(photograph(1), "JPEG", quality=50))
    assert refresh_edges(catalog) == 3
    late = [edge for edge in catalog.edges.all() if edge.b == 2]
    catalog.edges.join(late, early, LIKENESS)
    assert len(catalog.edges.all()) == 3


@pytest.mark.parametrize("share", [0.5, 0.25, 0.12])
def test_small_drawings_on_a_large_ground_are_compared_by_what_they_show(share: float) -> None:
    def placed(image: Image.Image, place: tuple[int, int]) -> Image.Image:
        side = round(600 * share)
        ground = Image.new("RGB", (600, 600), "white")
        ground.paste(on("white", image).resize((side, side), Image.Resampling.BOX), place)
        return ground

    originals = [placed(logo(seed), (200, 150)) for seed in range(14)]
    copies = [encoded(image, "JPEG", quality=60) for image in originals]
    found = pairs_among([*originals, *copies])
    assert found <= {(n, n + 14) for n in range(14)}
    assert len(found) >= 11


@pytest.mark.parametrize("name", ["recompressed", "cropped", "framed", "stamped", "lighter"])
def test_the_verdict_does_not_depend_on_which_picture_comes_first(name: str) -> None:
    originals = [photograph(seed) for seed in range(4)] + [logo(seed) for seed in range(4)]
    copies = [SAME[name](image) for image in originals]
    before = {(e.a, e.b): e.score for e in edges_among([*originals, *copies])}
    behind = edges_among([*copies, *originals])
    assert {(e.b - 8, e.a + 8): e.score for e in behind} == before


def test_a_negative_is_no_copy() -> None:
    originals: list[Image.Image | bytes] = []
    for seed in range(8):
        grey = photograph(seed).convert("L")
        originals += [grey, ImageOps.invert(grey)]
    assert pairs_among(originals) == set()


@pytest.mark.slow
def test_a_damaged_cache_of_machine_code_costs_only_time(tmp_path: Path) -> None:
    code = (
        "import numpy as np; from dataset.hamming import near_pairs;"
        "print(len(near_pairs(np.arange(9, dtype=np.uint64), 1)[0]))"
    )
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path)}
    answers = []
    for _ in range(2):
        run = subprocess.run(
            [sys.executable, "-c", code], env=environment, capture_output=True, text=True
        )
        answers.append((run.stdout, run.returncode))
        for file in tmp_path.rglob("*.nb?"):
            file.write_bytes(file.read_bytes()[:40])
    assert answers == [("13\n", 0), ("13\n", 0)]
