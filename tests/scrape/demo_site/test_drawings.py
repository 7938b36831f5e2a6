"""Animals: the same in every process, well formed, and told apart by a stranger's eye."""

import hashlib
import os
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from scrape.demo_site.animals import KINDS, SPECIES
from scrape.demo_site.chance import Chance
from scrape.demo_site.drawings import animal_look, animal_size, draw_animal
from scrape.demo_site.titles import animal_title

_DIGEST = """
import hashlib
from scrape.demo_site.animals import KINDS
from scrape.demo_site.drawings import draw_animal
from scrape.demo_site.logos import draw_logo
digest = hashlib.sha256()
for drawing in (*(draw_animal(3, kind, 5) for kind in KINDS), draw_logo(3, 1), draw_logo(3, 2)):
    digest.update(repr((drawing.mode, drawing.size)).encode() + drawing.tobytes())
print(digest.hexdigest())
"""


def digest_of_a_process(hash_seed: str) -> str:
    environment = {**os.environ, "PYTHONHASHSEED": hash_seed}
    command = [sys.executable, "-c", _DIGEST]
    return subprocess.run(
        command, env=environment, check=True, capture_output=True, text=True
    ).stdout.strip()


def test_two_processes_draw_the_same_pixels() -> None:
    assert digest_of_a_process("1") == digest_of_a_process("2")


def test_the_kinds_are_the_eight_of_the_site() -> None:
    assert KINDS == ("bird", "cat", "dog", "fish", "frog", "horse", "rabbit", "turtle")


@pytest.mark.parametrize("kind", KINDS)
def test_every_picture_is_another(kind: str) -> None:
    drawn = {hashlib.sha256(draw_animal(7, kind, index).tobytes()).digest() for index in range(12)}
    assert len(drawn) == 12
    assert draw_animal(7, kind, 0).tobytes() != draw_animal(8, kind, 0).tobytes()


@pytest.mark.parametrize("kind", KINDS)
def test_sides_are_192_to_320_and_at_most_five_to_four(kind: str) -> None:
    sizes = [animal_size(7, kind, index) for index in range(150)]
    assert min(min(size) for size in sizes) == 192
    assert max(max(size) for size in sizes) <= 320
    assert all(max(size) <= 5 / 4 * min(size) for size in sizes)
    assert any(width > height for width, height in sizes)
    assert any(width < height for width, height in sizes)
    assert sum(width == height for width, height in sizes) > 90


def test_the_size_foretold_is_the_size_drawn() -> None:
    for kind in KINDS:
        assert draw_animal(7, kind, 3).size == animal_size(7, kind, 3)


def test_dogs_are_of_five_breeds_about_equally_often() -> None:
    breeds = [animal_look(7, "dog", index).breed for index in range(150)]
    assert set(breeds) == {"beagle", "dachshund", "dalmatian", "husky", "poodle"}
    assert min(breeds.count(breed) for breed in set(breeds)) >= 15


@pytest.mark.parametrize("kind", KINDS)
def test_the_animal_fills_the_middle_and_the_corner_is_background(kind: str) -> None:
    for index in range(8):
        pixels = np.asarray(draw_animal(7, kind, index)).astype(int)
        height, width = pixels.shape[:2]
        away = np.abs(pixels - pixels[2, 2]).max(axis=2) > 12
        middle = away[height // 3 : -height // 3, width // 3 : -width // 3]
        assert middle.mean() > 0.6
        assert 0.12 < away.mean() < 0.9


def test_kinds_are_told_apart_at_32_pixels() -> None:
    """The nearest of 24 others by plain pixels is of the same kind, nearly always."""
    small = np.array(
        [
            np.asarray(
                draw_animal(7, kind, index).resize((32, 32), Image.Resampling.BOX), np.float32
            ).ravel()
            for kind in KINDS
            for index in range(24)
        ]
    )
    kinds = np.repeat(np.arange(len(KINDS)), 24)
    squares = (small**2).sum(axis=1)
    distances = squares[:, None] + squares[None] - 2 * small @ small.T  # (192, 192)
    np.fill_diagonal(distances, np.inf)
    assert (kinds[distances.argmin(axis=1)] == kinds).mean() > 0.95


@pytest.mark.parametrize("kind", KINDS)
def test_titles_name_what_is_drawn(kind: str) -> None:
    for index in range(60):
        look = animal_look(7, kind, index)
        title = animal_title(kind, look, Chance(7, "title", index))
        words = title.lower().replace(",", "").split()
        assert kind in words
        assert set((look.breed or look.coat).split("-")) & set(
            title.lower().replace("-", " ").split()
        )
        assert ("left" in words) <= (look.facing == "left")
        assert ("facing" in words) <= SPECIES[kind].side_view
        assert "  " not in title
        assert " ," not in title


def test_an_article_fits_its_noun() -> None:
    titles = [
        animal_title(kind, animal_look(7, kind, index), Chance(7, "title", index))
        for kind in KINDS
        for index in range(60)
    ]
    starts = {tuple(title.split()[:2]) for title in titles if title.split()[0] in ("A", "An")}
    assert ("An", "olive") in starts
    assert all((article == "An") == (noun[0] in "aeiou") for article, noun in starts)
