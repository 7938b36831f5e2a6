"""The favicon bundle: the files that browsers and phones ask for, each as they want it."""

import io
import json
import re

import numpy as np
import pytest
from PIL import Image

from sample.icons import ground_for, icon_files, main_colour


def drawing(colour: tuple[int, int, int] = (29, 92, 190)) -> Image.Image:
    """A disc on transparency, to the border."""
    pixels = np.zeros((256, 256, 4), np.uint8)
    pixels[np.hypot(*(np.indices((256, 256)) - 127.5)) < 128] = (*colour, 255)
    return Image.fromarray(pixels)


def opened(content: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(content))
    image.load()
    return image


def test_the_bundle_is_complete_and_says_only_what_it_holds() -> None:
    files = icon_files(drawing(), "Owl", "<svg/>")
    assert sorted(files) == [
        "apple-touch-icon.png",
        "favicon.ico",
        "favicon.svg",
        "head.html",
        "icon-192.png",
        "icon-512.png",
        "icon-maskable-512.png",
        "site.webmanifest",
    ]
    linked = re.findall(r'href="/([^"]+)"', files["head.html"].decode())
    listed = [icon["src"] for icon in json.loads(files["site.webmanifest"])["icons"]]
    assert {*linked, *listed} <= set(files)
    without = icon_files(drawing(), "Owl", None)
    assert "favicon.svg" not in without
    assert b"favicon.svg" not in without["head.html"]


def test_the_ico_holds_three_sizes_each_drawn_for_itself() -> None:
    image = opened(icon_files(drawing(), "Owl", None)["favicon.ico"])
    assert image.format == "ICO"
    assert image.info["sizes"] == {(16, 16), (32, 32), (48, 48)}
    for side in (16, 32, 48):
        image.size = (side, side)  # type: ignore[misc]
        image.load()
        pixels = np.asarray(image.convert("RGBA"))
        assert pixels[side // 2, side // 2].tolist() == [29, 92, 190, 255]
        assert pixels[0, 0, 3] == 0


@pytest.mark.parametrize("side", [192, 512])
def test_icons_are_of_the_sizes_that_the_manifest_states(side: int) -> None:
    files = icon_files(drawing(), "Owl", None)
    assert opened(files[f"icon-{side}.png"]).size == (side, side)
    stated = json.loads(files["site.webmanifest"])["icons"]
    assert {"src": f"icon-{side}.png", "sizes": f"{side}x{side}", "type": "image/png"} in stated


@pytest.mark.parametrize(
    ("name", "side"), [("apple-touch-icon.png", 180), ("icon-maskable-512.png", 512)]
)
def test_where_transparency_becomes_black_there_is_none(name: str, side: int) -> None:
    image = opened(icon_files(drawing(), "Owl", None)[name])
    assert (image.mode, image.size) == ("RGB", (side, side))
    assert image.getpixel((0, 0)) == (255, 255, 255)


def test_a_mask_of_the_safe_zone_cuts_nothing_off() -> None:
    pixels = np.asarray(opened(icon_files(drawing(), "Owl", None)["icon-maskable-512.png"]))
    drawn = (pixels != 255).any(axis=2)
    away = np.hypot(*(np.indices((512, 512)) - 255.5))
    assert away[drawn].max() <= 0.4 * 512


def test_a_bright_drawing_lies_on_dark() -> None:
    assert ground_for(drawing((29, 92, 190))) == (255, 255, 255)
    assert ground_for(drawing((250, 250, 245))) == (24, 26, 30)
    told = json.loads(icon_files(drawing((250, 250, 245)), "Owl", None)["site.webmanifest"])
    assert told["background_color"] == "#181a1e"


def test_the_main_colour_is_that_of_the_drawing() -> None:
    assert main_colour(drawing()) == "#1d5cbe"
    assert main_colour(Image.new("RGBA", (8, 8), (0, 0, 0, 0))) == "#ffffff"
    grey = drawing((90, 90, 92))
    assert main_colour(grey) == "#5a5a5c"
    mostly_white = drawing((255, 255, 255))
    mostly_white.paste((214, 40, 57, 255), (90, 90, 190, 190))
    assert main_colour(mostly_white) == "#d62839"


def test_a_name_is_told_as_it_is_and_shortened() -> None:
    name = 'Ölwerk "Süd" </script>'
    told = json.loads(icon_files(drawing(), name, None)["site.webmanifest"])
    assert told["name"] == name
    assert told["short_name"] == name[:12]


def test_a_drawing_that_is_no_square_is_not_stretched() -> None:
    wide = Image.new("RGBA", (400, 100), (214, 40, 57, 255))
    pixels = np.asarray(opened(icon_files(wide, "w", None)["icon-512.png"]))
    rows = np.flatnonzero(pixels[:, 256, 3])
    assert (rows[0], rows[-1]) == (192, 319)
