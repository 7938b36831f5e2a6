"""Lines of the drawing process are taken as strictly as those of a stranger."""

import base64
import hashlib
import io
from typing import Any

import pytest
from PIL import Image

from curate_app.drawn_picture import AWAITED, BadLine, DrawnPicture, read_origin, read_picture

ORIGIN = {"checkpoint": "runs/tiny/checkpoints/000000008", "images_seen": 8, "pack_hash": "ab"}


def png_text(colour: int = 7, side: int = 8) -> str:
    buffer = io.BytesIO()
    Image.new("RGB", (side, side), (colour, 99, 120)).save(buffer, "PNG")
    return base64.b64encode(buffer.getvalue()).decode()


def neighbour(**changes: Any) -> dict[str, Any]:
    usual = {
        "row": 3,
        "distance": 0.4,
        "ratio": 0.7,
        "view": "mirrored",
        "mirrored": True,
        "label": "cat",
        "caption": "A cat",
        "url": "https://pictures.example/3.png",
        "page_url": "https://pictures.example/3",
        "source": "drawn",
        "author": "A. Hand",
        "licence": "CC0-1.0",
        "licence_url": "https://creativecommons.org/publicdomain/zero/1.0/",
        "fetched_at": "2026-01-02T03:04:05+00:00",
        "png": png_text(9),
    }
    return {**usual, **changes}


def finding(**changes: Any) -> dict[str, Any]:
    usual = {"verdict": "novel", "p": 0.5, "q": 0.9, "ratio": 0.8, "neighbours": [neighbour()]}
    return {**usual, **changes}


def line(**changes: Any) -> dict[str, Any]:
    usual = {
        "event": "picture",
        "id": 1,
        "place": 0,
        "seed": 12,
        "label": 1,
        "label_name": "cat",
        "settings": {"sampler": "ddim", "steps": 3, "guidance": 2.0, "eta": None},
        "png": png_text(),
        "finding": finding(),
    }
    return {**usual, **changes}


def picture(**changes: Any) -> DrawnPicture:
    return read_picture(line(**changes), 1, 1, ORIGIN)


def test_picture_is_what_the_line_says() -> None:
    found = picture()
    assert found.content == base64.b64decode(png_text())
    assert found.sha256 == hashlib.sha256(found.content).hexdigest()
    assert (found.verdict, found.badge, found.p, found.q) == ("novel", "good", 0.5, 0.9)
    assert (found.seed, found.label, found.share) == (12, "cat", None)
    assert found.neighbours[0].link == "https://pictures.example/3"
    assert found.record()["novelty"]["nearest"]["licence"] == "CC0-1.0"
    assert "content" not in found.record()["novelty"]["nearest"]


def test_picture_without_a_finding_waits_for_one_and_takes_it() -> None:
    found = picture(finding=None)
    assert (found.verdict, found.neighbours, found.badge) == (AWAITED, (), "none")
    judged = found.found(finding(verdict="copy"), revision=5)
    assert (judged.verdict, judged.badge, judged.revision) == ("copy", "bad", 5)
    same = judged.judged({"verdict": "copy", "p": 0.5, "q": 0.9}, revision=6)
    assert same.revision == 5  # nothing new to show
    assert judged.judged({"verdict": "close", "p": 0.5, "q": 1.0}, revision=6).revision == 6


@pytest.mark.parametrize(
    "address", ["javascript:alert(1)", "data:text/html,x", "//x", "", "file:/x"]
)
def test_address_that_is_none_of_the_web_is_never_a_link(address: str) -> None:
    near = neighbour(url=address, page_url=address, licence_url=address)
    [found] = picture(finding=finding(neighbours=[near])).neighbours
    assert (found.link, found.licence_link) == ("", "")


def test_text_of_the_pack_hides_nothing() -> None:
    near = neighbour(caption="a\u202eb\x00", author=None, source=7)
    [found] = picture(finding=finding(neighbours=[near])).neighbours
    assert (found.caption, found.author, found.source) == ("a⟨U+202E⟩b⟨U+0000⟩", "", "7")


@pytest.mark.parametrize(
    "changes",
    [
        {"id": "1"},
        {"id": True},
        {"place": -1},
        {"seed": 1.5},
        {"seed": 2**70},
        {"png": None},
        {"png": "not base64!"},
        {"png": base64.b64encode(b"<svg onload=alert(1)>").decode()},
        {"png": "A" * 12_000_000},
        {"share": 2.0},
        {"share": "near"},
        {"settings": None},
        {"settings": {"x": [1]}},
        {"settings": {"x": "y" * 3000}},
        {"settings": {str(n): n for n in range(100)}},
        {"finding": []},
        {"finding": "novel"},
        {"finding": finding(verdict="fine")},
        {"finding": finding(verdict=["copy"])},
        {"finding": finding(p=-0.1)},
        {"finding": finding(p=float("nan"))},
        {"finding": finding(q=1.5)},
        {"finding": finding(ratio="0.5")},
        {"finding": finding(neighbours=None)},
        {"finding": finding(neighbours=[neighbour()] * 11)},
        {"finding": finding(neighbours=[3])},
        {"finding": finding(neighbours=[neighbour(row=-1)])},
        {"finding": finding(neighbours=[neighbour(distance=float("inf"))])},
        {"finding": finding(neighbours=[neighbour(png="")])},
    ],
)
def test_line_that_no_drawing_process_says_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(BadLine):
        picture(**changes)


@pytest.mark.parametrize("key", ["images_seen"])
def test_origin_that_is_none_is_refused(key: str) -> None:
    assert read_origin({**ORIGIN, "more": 1}) == ORIGIN
    with pytest.raises(BadLine):
        read_origin({**ORIGIN, key: "many"})
