"""Pictures reach the browser in our own encoding only, made once, cached for ever."""

import io
from concurrent.futures import ThreadPoolExecutor

import pytest
from PIL import Image

from curate_app.thumbnails import Thumbnails
from dataset.errors import DataError
from dataset.image_store import ImageStore
from dataset.ingest import TakenImage, ingest
from dataset.records import Origin
from dataset.workspace import Workspace
from tests.curate_app.conftest import Judge
from tests.curate_app.drawn_catalogue import DrawnCatalogue, drawing, png


def addresses(judge: Judge) -> tuple[str, str]:
    [picture] = judge.get("/?format=json").get_json()["pictures"]
    return picture["thumbnail"], picture["large"]


@pytest.mark.parametrize(
    ("side", "tile", "large"), [(2000, 320, 1600), (500, 320, 500), (40, 40, 40)]
)
def test_pictures_are_made_smaller_but_never_larger(
    judge: Judge, drawn: DrawnCatalogue, side: int, tile: int, large: int
) -> None:
    drawn.add(drawing(1, 50).resize((side, side // 2)))
    for address, expected in zip(addresses(judge), (tile, large), strict=True):
        answer = judge.get(address)
        assert answer.status_code == 200
        image = Image.open(io.BytesIO(answer.data))
        kind = "PNG" if expected <= 128 else "JPEG"
        assert (image.format, image.width) == (kind, expected)
        assert answer.mimetype == f"image/{kind.lower()}"
        assert abs(image.height - expected // 2) <= 1


def test_answer_is_immutable_and_known_by_its_tag(judge: Judge, drawn: DrawnCatalogue) -> None:
    drawn.add(drawing(1))
    address, _ = addresses(judge)
    first = judge.get(address)
    assert "immutable" in first.headers["Cache-Control"]
    assert first.headers["X-Content-Type-Options"] == "nosniff"
    tag = first.headers["ETag"]
    assert address.split("/")[-1].removesuffix(".img") in tag
    again = judge.client.get(address, headers={"If-None-Match": tag}, buffered=True)
    assert again.status_code == 304
    assert again.data == b""


def test_original_bytes_are_never_served(judge: Judge, drawn: DrawnCatalogue) -> None:
    # A PNG may carry a page of HTML behind its pixels; what is served must not.
    image = drawing(1)
    drawn.add(image)
    payload = b"<script>alert(1)</script>"
    with drawn.open() as catalog:
        store = ImageStore(Workspace(drawn.data).images)
        hostile = png(drawing(2)) + payload
        taken = ingest(catalog, store, hostile, Origin(url="http://x.test/a"))
        assert isinstance(taken, TakenImage)
    page = judge.get("/?format=json").get_json()
    for picture in page["pictures"]:
        for kind in ("thumbnail", "large"):
            assert payload not in judge.get(picture[kind]).data


def test_transparent_logo_is_laid_on_a_background(judge: Judge, drawn: DrawnCatalogue) -> None:
    logo = Image.new("RGBA", (64, 64), (0, 0, 0, 0))
    logo.paste((200, 0, 0, 255), (16, 16, 48, 48))
    drawn.add(logo)
    image = Image.open(io.BytesIO(judge.get(addresses(judge)[0]).data)).convert("RGB")
    assert image.getpixel((2, 2)) == (255, 255, 255)
    assert image.getpixel((32, 32)) == (200, 0, 0)


@pytest.mark.parametrize(
    "address",
    [
        "/media/tile-v2/" + "0" * 64 + ".img",
        "/media/tile-v0/{sha}.img",
        "/media/huge-v2/{sha}.img",
        "/media/tile-v2/{sha}.png",
        "/media/tile-v2/{sha}0.img",
        "/media/tile-v2/{SHA}.img",
        "/media/tile-v2/{sha}%0a.img",
        "/media/tile-v2/../../catalog.sqlite",
        "/media/tile-v2/..%2f..%2fcatalog.sqlite.img",
        "/media/..-v2/{sha}.img",
        "/static/../desk.py",
        "/static/..%2fdesk.py",
    ],
)
def test_other_addresses_lead_nowhere(judge: Judge, drawn: DrawnCatalogue, address: str) -> None:
    drawn.add(drawing(1))
    sha = addresses(judge)[0].split("/")[-1].removesuffix(".img")
    judge.get(addresses(judge)[0])
    assert judge.get(address.format(sha=sha, SHA=sha.upper())).status_code == 404


def test_picture_missing_from_the_store_is_404_with_one_line(
    judge: Judge, drawn: DrawnCatalogue
) -> None:
    drawn.add(drawing(1))
    address, _ = addresses(judge)
    sha = address.split("/")[-1].removesuffix(".img")
    ImageStore(Workspace(drawn.data).images).path(sha).unlink()
    answer = judge.client.get(address, headers={"Accept": "application/json"})
    assert answer.status_code == 404
    assert sha[:12] in answer.get_json()["error"]


def test_many_threads_asking_for_one_thumbnail_get_the_same_whole_file(
    drawn: DrawnCatalogue,
) -> None:
    store = ImageStore(Workspace(drawn.data).images)
    sha = store.put(png(drawing(1, 300)))
    thumbnails = Thumbnails(drawn.data / "thumbnails", store)
    with ThreadPoolExecutor(8) as pool:
        contents = list(pool.map(lambda _: thumbnails.make(sha, "tile").read_bytes(), range(16)))
    assert len(set(contents)) == 1
    assert [path.name for path in thumbnails.path(sha, "tile").parent.iterdir()] == [f"{sha}.img"]


def test_altered_original_makes_no_thumbnail(drawn: DrawnCatalogue) -> None:
    store = ImageStore(Workspace(drawn.data).images)
    sha = store.put(png(drawing(1)))
    store.path(sha).write_bytes(png(drawing(2)))
    thumbnails = Thumbnails(drawn.data / "thumbnails", store)
    with pytest.raises(DataError, match="altered"):
        thumbnails.make(sha, "tile")
    assert not thumbnails.path(sha, "tile").exists()
