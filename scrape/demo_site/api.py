"""The JSON API of the demo site: labelled pictures in pages, filtered by label, breed and words."""

import json
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote, urlencode

from scrape.demo_site.collection import Answer, Collection, SitePicture

PATH = "/api/pictures"
MOST_PER_PAGE = 100
_PARAMETERS = ("label", "breed", "q", "page", "per_page")
_LONGEST_VALUE = 200
_LARGEST_NUMBER = 1_000_000


class BadRequestError(Exception):
    """A parameter of the request is wrong; the message says which and why."""


def pictures_answer(collection: Collection, query: Mapping[str, Sequence[str]]) -> Answer:
    """GET /api/pictures?label=&breed=&q=&page=1&per_page=50; a page past the last one is empty."""
    try:
        given = single_values(query, _PARAMETERS)
        page = whole_number(given, "page", 1)
        per_page = min(whole_number(given, "per_page", 50), MOST_PER_PAGE)
    except BadRequestError as error:
        return json_answer({"error": str(error)}, 400)
    found = search(
        collection.labelled, given.get("label", ""), given.get("breed", ""), given.get("q", "")
    )
    pages = max(-(-len(found) // per_page), 1)
    shown = found[(page - 1) * per_page : page * per_page]
    following = {**given, "page": str(page + 1), "per_page": str(per_page)}
    return json_answer(
        {
            "page": page,
            "pages": pages,
            "total": len(found),
            "next": f"{PATH}?{urlencode(following)}" if page < pages else None,
            "results": [_entry(collection.sized(picture)) for picture in shown],
        }
    )


def search(
    pictures: Sequence[SitePicture], label: str, breed: str, words: str
) -> list[SitePicture]:
    """The pictures of a label and a breed (empty: any) with every one of `words` about them."""
    wanted = words.casefold().split()
    return [
        picture
        for picture in pictures
        if (not label or picture.label.casefold() == label.casefold())
        and (not breed or picture.breed.casefold() == breed.casefold())
        and _has_words(picture, wanted)
    ]


def single_values(query: Mapping[str, Sequence[str]], known: Sequence[str]) -> dict[str, str]:
    """The query's values by name; raises BadRequestError for unknown, repeated or long ones."""
    for name, values in query.items():
        if name not in known:
            raise BadRequestError(f"unknown parameter {name[:40]}; known: {', '.join(known)}")
        if len(values) > 1:
            raise BadRequestError(f"{name} is given {len(values)} times; give it once")
        if len(values[0]) > _LONGEST_VALUE:
            raise BadRequestError(f"{name} is longer than {_LONGEST_VALUE} characters")
    return {name: values[0] for name, values in query.items() if values[0]}


def whole_number(given: Mapping[str, str], name: str, default: int) -> int:
    text = given.get(name, str(default))
    number = int(text) if text.isascii() and text.isdigit() and len(text) <= 7 else 0
    if not 1 <= number <= _LARGEST_NUMBER:
        raise BadRequestError(f"{name} must be a whole number from 1 to {_LARGEST_NUMBER}")
    return number


def json_answer(content: Any, status: int = 200) -> Answer:
    body = json.dumps(content, ensure_ascii=False).encode()
    return Answer(body, "application/json; charset=utf-8", status)


def _has_words(picture: SitePicture, wanted: Sequence[str]) -> bool:
    if not wanted:
        return True
    text = f"{picture.title} {picture.label} {picture.breed}".casefold().replace(",", " ")
    have = set(text.split())
    return all(word in have or word.removesuffix("s") in have for word in wanted)


def _entry(picture: SitePicture) -> dict[str, str | int | None]:
    return {
        "id": picture.id,
        "url": quote(picture.address),
        "page_url": picture.source_page or picture.page,
        "title": picture.title,
        "label": picture.label,
        "breed": picture.breed or None,
        "author": picture.author or None,
        "licence": picture.licence or None,
        "licence_url": picture.licence_url or None,
        "width": picture.width or None,
        "height": picture.height or None,
    }
