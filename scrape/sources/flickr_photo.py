"""What Flickr says of one photograph: its sizes, its words, and its licence by number."""

import re
from collections.abc import Mapping
from typing import Any

from dataset.records import Caption
from scrape.captions import captions_of
from scrape.json_answer import link_of, text_at
from scrape.licences import licence_of

# Sizes from the original down, and what the API calls extras.
SIZES = ("o", "6k", "5k", "4k", "3k", "k", "h", "l", "c", "z", "m")
# A title that the camera gave.
_FILE_NAME = re.compile(r"(?i)(?:img|dscn?|dscf|dsc|mvi|pict?|p|_mg)?[-_ \d.]+(?:jpe?g)?")

# Flickr's numbers for licences, for when its own list cannot be read.
_LICENCES = {
    "0": "All Rights Reserved",
    "1": "CC BY-NC-SA 2.0",
    "2": "CC BY-NC 2.0",
    "3": "CC BY-NC-ND 2.0",
    "4": "CC BY 2.0",
    "5": "CC BY-SA 2.0",
    "6": "CC BY-ND 2.0",
    "7": "No known copyright restrictions",
    "8": "United States Government Work",
    "9": "CC0 1.0",
    "10": "Public Domain Mark 1.0",
    "11": "CC BY 4.0",
    "12": "CC BY-SA 4.0",
    "13": "CC BY-ND 4.0",
    "14": "CC BY-NC 4.0",
    "15": "CC BY-NC-SA 4.0",
    "16": "CC BY-NC-ND 4.0",
}
LICENCES = {number: licence_of(name) for number, name in _LICENCES.items()}


def captions_of_photo(photo: Mapping[str, Any]) -> tuple[Caption, ...]:
    """Title, description and tags; a title from the camera comes last, as it says least."""
    title = text_at(photo, "title") or text_at(photo, "title._content")
    stated = (
        (title, "flickr title"),
        (text_at(photo, "description._content"), "flickr description"),
        (text_at(photo, "tags"), "flickr tags"),
    )
    is_from_camera = _FILE_NAME.fullmatch(title.strip()[:100]) is not None
    return captions_of((*stated[1:], stated[0]) if is_from_camera else stated)


def addresses_of(photo: Mapping[str, Any], longest_side: int) -> tuple[str, ...]:
    """The addresses of a photograph, the wanted one first: the smallest size with `longest_side`
    pixels, then larger and smaller ones; with 0 from the largest down."""
    sizes = [
        (max(_side(photo, f"width_{size}"), _side(photo, f"height_{size}")), link)
        for size in SIZES
        if (link := link_of(text_at(photo, f"url_{size}")))
    ]
    enough = [size for size in sizes if size[0] >= longest_side > 0]
    ordered = [*reversed(enough), *(size for size in sizes if size not in enough)]
    return tuple(dict.fromkeys(link for _, link in ordered))


def _side(photo: Mapping[str, Any], name: str) -> int:
    written = text_at(photo, name)
    return int(written) if re.fullmatch(r"[0-9]{1,6}", written) else 0
