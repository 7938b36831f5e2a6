"""Flickr: paging, spans of upload time, licences by number, sizes, the stand-in of what is gone."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from dataset.errors import ConfigError
from scrape.client import PoliteClient
from scrape.clock import StepClock
from scrape.recorded import RecordingTransport, ReplayTransport
from scrape.response import FetchError
from scrape.sources import SourceError
from scrape.sources.flickr import Flickr, FlickrSpec
from scrape.sources.flickr_photo import LICENCES, addresses_of, captions_of_photo
from scrape.sources.source import ScrapedItem
from tests.scrape.conftest import SETTINGS
from tests.scrape.drawings import picture
from tests.scrape.loopback import Answer, LoopbackSite, redirect

KEY = "a1b2c3d4e5f6"
Photos = Callable[[dict[str, str]], Any]


@pytest.fixture(autouse=True)
def _key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLICKR_API_KEY", KEY)


def photo(number: int, **more: Any) -> dict[str, Any]:
    return {
        "id": str(number),
        "owner": "12@N00",
        "ownername": "Anna",
        "title": f"Dog {number}",
        "description": {"_content": "A <b>brown</b> dog"},
        "tags": "dog brown",
        "license": "4",
        "dateupload": str(1_500_000_000 + number),
        "url_o": f"https://live.example/{number}_o.jpg",
        "width_o": 4000,
        "height_o": "3000",
        "url_l": f"https://live.example/{number}_b.jpg",
        "width_l": 1024,
        "height_l": 768,
        "url_m": f"https://live.example/{number}.jpg",
        "width_m": "500",
        "height_m": 375,
        **more,
    }


def listed(photos: list[Any], *, total: Any = None, pages: Any = 1) -> dict[str, Any]:
    count = len(photos) if total is None else total
    return {"photos": {"page": 1, "pages": pages, "total": count, "photo": photos}, "stat": "ok"}


def stated_licences(**more: Any) -> dict[str, Any]:
    entries = [
        {"id": 0, "name": "All Rights Reserved", "url": ""},
        {"id": 2, "name": "Attribution-NonCommercial License", "url": "https://x.example/by-nc"},
        {"id": "4", "name": "CC BY 2.0", "url": "https://creativecommons.org/licenses/by/2.0/"},
        {"id": 99, "name": "CC BY-SA 4.0", "url": ""},
    ]
    return {"licenses": {"license": entries}, "stat": "ok", **more}


class Api:
    """Flickr on loopback: `photos` gets the parameters of a search and returns the answer."""

    def __init__(self, site: LoopbackSite, photos: Photos, licences: Any = None) -> None:
        self._site, self._photos = site, photos
        self._licences = stated_licences() if licences is None else licences
        site.routes["/rest/"] = self._answer

    def _answer(self, earlier: int) -> Answer:
        asked = self.asked("")[-1]
        is_list = asked["method"] == "flickr.photos.licenses.getInfo"
        answer = self._licences if is_list else self._photos(asked)
        return answer if isinstance(answer, Answer) else Answer(json.dumps(answer).encode())

    def asked(self, method: str = "flickr.photos.search") -> list[dict[str, str]]:
        paths = self._site.paths("/rest/")
        asked = [dict(parse_qsl(urlsplit(path).query)) for path in paths]
        return [question for question in asked if question["method"].startswith(method)]


def source(site: LoopbackSite, **keys: Any) -> Flickr:
    declared: dict[str, Any] = {"kind": "flickr", "name": "flickr", "queries": ("dog",)}
    return Flickr(FlickrSpec(**{**declared, "api": f"{site.url}/rest/", **keys}))


def items_of(site: LoopbackSite, client: PoliteClient, **keys: Any) -> list[ScrapedItem]:
    return list(source(site, **keys).items(client))


def test_a_photograph_becomes_an_item(site: LoopbackSite, client: PoliteClient) -> None:
    api = Api(site, lambda asked: listed([photo(1)]))
    (item,) = items_of(site, client)
    assert item.picture_url == "https://live.example/1_o.jpg"
    assert item.fallback_urls == ("https://live.example/1_b.jpg", "https://live.example/1.jpg")
    assert item.page_url == "https://www.flickr.com/photos/12@N00/1"
    assert (item.author, item.author_url) == ("Anna", "https://www.flickr.com/people/12@N00/")
    assert (item.licence, item.label) == ("CC-BY-2.0", "dog")
    assert item.licence_url == "https://creativecommons.org/licenses/by/2.0/"
    assert [(c.text, c.origin) for c in item.captions] == [
        ("Dog 1", "flickr title"),
        ("A brown dog", "flickr description"),
        ("dog brown", "flickr tags"),
    ]
    (asked,) = api.asked()
    assert (asked["text"], asked["media"], asked["per_page"]) == ("dog", "photos", "500")
    assert {"url_o", "url_m", "license", "owner_name"} <= set(asked["extras"].split(","))


def test_pages_are_read_to_the_end_and_each_photograph_once(
    site: LoopbackSite, client: PoliteClient
) -> None:
    pages = {"1": [photo(1), photo(2)], "2": [photo(2), photo(3)], "3": [photo(4)]}
    api = Api(site, lambda asked: listed(pages[asked["page"]], total="5", pages="3"))
    assert [item.page_url[-1] for item in items_of(site, client)] == ["1", "2", "3", "4"]
    assert [asked["page"] for asked in api.asked()] == ["1", "2", "3"]
    assert len(items_of(site, client, max_pages=2)) == 3


def test_a_page_that_adds_nothing_ends_the_list(site: LoopbackSite, client: PoliteClient) -> None:
    api = Api(site, lambda asked: listed([photo(1)], total=3000, pages=6))
    assert len(items_of(site, client)) == 1
    assert len(api.asked()) == 2


def test_too_many_results_are_divided_by_upload_time(
    site: LoopbackSite, client: PoliteClient
) -> None:
    uploads = [1_072_915_200 + second * 1000 for second in range(12_000)]

    def reply(asked: dict[str, str]) -> Any:
        low = int(asked.get("min_upload_date", 0))
        high = int(asked.get("max_upload_date", 2**40))
        inside = [at for at in reversed(uploads) if low <= at <= high]
        start = (int(asked["page"]) - 1) * 500
        shown = [photo(at, dateupload=str(at)) for at in inside[start : start + 500]]
        return listed(shown, total=len(inside), pages=-(-len(inside) // 500))

    api = Api(site, reply)
    found = items_of(site, client)
    assert len(found) == len({item.picture_url for item in found}) == 12_000
    assert all(int(asked["page"]) <= 8 for asked in api.asked())
    assert len(api.asked()) < 50


def test_a_second_with_too_many_photographs_is_told_and_left(
    site: LoopbackSite, client: PoliteClient
) -> None:
    at = 1_072_915_200

    def reply(asked: dict[str, str]) -> Any:
        number = int(asked["page"])
        return listed([photo(number, dateupload=str(at))], total=9000, pages=18)

    api = Api(site, reply)
    reader = source(site)
    assert len(list(reader.items(client))) == 8
    assert len(api.asked()) == 8
    assert "9000 photographs of one second" in reader.warnings[0]


@pytest.mark.parametrize(
    ("licences", "asked", "count"),
    [
        (("free",), "4,5,7,8,9,10,11,12,99", 2),
        (("any",), None, 4),
        (("CC-BY",), "4,11", 1),
        (("CC-BY-SA-4.0",), "12,99", 1),
        (("shareable",), "1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,99", 3),
    ],
)
def test_licences_are_asked_for_and_held_to(
    site: LoopbackSite, client: PoliteClient, licences: Any, asked: str | None, count: int
) -> None:
    numbers = ("0", "2", "4", "99")
    photos = [photo(i, license=number) for i, number in enumerate(numbers)]
    api = Api(site, lambda _: listed(photos))
    assert len(items_of(site, client, licences=licences)) == count
    assert api.asked()[0].get("license") == asked


def test_an_unknown_licence_number_is_an_unknown_licence(
    site: LoopbackSite, client: PoliteClient
) -> None:
    photos = [photo(1, license="77"), photo(2, license=None), photo(3, license=16)]
    Api(site, lambda asked: listed(photos))
    found = items_of(site, client, licences=("any",))
    assert [item.licence for item in found] == ["unknown", "unknown", "CC-BY-NC-ND-4.0"]
    assert items_of(site, client) == []


@pytest.mark.parametrize(
    "licences",
    [Answer(b"<html>"), Answer(b"", 500), {"stat": "ok"}, {"stat": "fail", "code": 112}],
)
def test_without_a_list_of_licences_the_known_ones_serve(
    site: LoopbackSite, client: PoliteClient, licences: Any
) -> None:
    Api(site, lambda asked: listed([photo(1, license="12")]), licences)
    reader = source(site)
    (item,) = reader.items(client)
    assert item.licence == "CC-BY-SA-4.0"
    assert "the built-in one is used" in reader.warnings[0]


def test_the_known_licences_hold_those_of_version_four() -> None:
    assert [LICENCES[str(number)].id for number in range(11, 17)] == [
        "CC-BY-4.0",
        "CC-BY-SA-4.0",
        "CC-BY-ND-4.0",
        "CC-BY-NC-4.0",
        "CC-BY-NC-SA-4.0",
        "CC-BY-NC-ND-4.0",
    ]
    assert LICENCES["0"].id == "all-rights-reserved"


@pytest.mark.parametrize(
    ("longest_side", "names"),
    [
        (0, ["1_o.jpg", "1_b.jpg", "1.jpg"]),
        (500, ["1.jpg", "1_b.jpg", "1_o.jpg"]),
        (501, ["1_b.jpg", "1_o.jpg", "1.jpg"]),
        (9000, ["1_o.jpg", "1_b.jpg", "1.jpg"]),
    ],
)
def test_the_wanted_size_goes_first_and_others_stand_in(
    longest_side: int, names: list[str]
) -> None:
    assert [a.rpartition("/")[2] for a in addresses_of(photo(1), longest_side)] == names


def test_sizes_without_an_address_are_left_out() -> None:
    assert addresses_of({"url_o": "javascript:alert(1)", "url_m": None, "url_c": ""}, 0) == ()
    hostile = photo(1, width_o="NaN", height_o={}, width_l=-5, height_l="9" * 50)
    assert len(addresses_of(hostile, 100)) == 3


def test_a_title_from_the_camera_is_no_caption() -> None:
    captions = captions_of_photo(photo(1, title="IMG_1234.JPG"))
    assert [caption.text for caption in captions] == ["A brown dog", "dog brown"]


def test_a_photograph_without_a_picture_is_told(site: LoopbackSite, client: PoliteClient) -> None:
    bare = {"id": "5", "title": "x"}
    film = photo(6, media="video")
    Api(site, lambda asked: listed([bare, film, photo(1), "text", None]))
    reader = source(site, licences=("any",))
    assert len(list(reader.items(client))) == 1
    assert "1 of 2 photographs without a picture; look at url_o" in reader.warnings[0]


def test_the_stand_in_of_a_deleted_photograph_is_not_a_picture(
    site: LoopbackSite, client: PoliteClient
) -> None:
    site.routes["/1.jpg"] = redirect("/pw/images/en-us/photo_unavailable.png")
    site.routes["/pw/images/en-us/photo_unavailable.png"] = Answer(picture(1))
    site.routes["/2.jpg"] = Answer(picture(2))
    gone = ScrapedItem(picture_url=f"{site.url}/1.jpg", page_url="", source="flickr")
    there = ScrapedItem(picture_url=f"{site.url}/2.jpg", page_url="", source="flickr")
    with pytest.raises(FetchError, match="stand-in") as failure:
        source(site).fetch(client, gone, {})
    assert (failure.value.reason, failure.value.is_final) == ("not-found", True)
    assert source(site).fetch(client, there, {}).body == picture(2)


def test_a_busy_flickr_is_waited_for(
    site: LoopbackSite, client: PoliteClient, clock: StepClock
) -> None:
    busy = {"stat": "fail", "code": 105, "message": "Service currently unavailable"}
    answers = iter([busy, busy, listed([photo(1)])])
    Api(site, lambda asked: next(answers))
    assert len(items_of(site, client)) == 1
    assert clock.now() == pytest.approx(20, abs=1)


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ({"stat": "fail", "code": 100, "message": f"Invalid API Key {KEY}"}, "bad-key"),
        ({"stat": "fail", "code": 3, "message": f"Parameterless {KEY}"}, "api-error"),
        ({"photos": {"photo": []}}, "api-error"),
        ([], "api-error"),
        (None, "api-error"),
        ({"stat": "ok"}, "no-items"),
        ({"stat": "ok", "photos": {"photo": {}}}, "no-items"),
        (Answer(b"jsonFlickrApi({})"), "bad-json"),
    ],
)
def test_an_answer_of_another_shape_is_named_and_never_shows_the_key(
    site: LoopbackSite, client: PoliteClient, tmp_path: Path, answer: Any, reason: str
) -> None:
    Api(site, lambda asked: answer)
    reader = source(site)
    reader.folder = tmp_path
    with pytest.raises(SourceError) as failure:
        list(reader.items(client))
    assert failure.value.reason == reason
    assert KEY not in str(failure.value)
    assert all(KEY not in kept.read_text() for kept in tmp_path.iterdir())


@pytest.mark.parametrize(
    "hostile",
    [
        {"id": None, "owner": {"x": 1}},
        {"id": "../../x", "owner": "<script>"},
        {"title": {"_content": ["x"]}, "description": 5, "tags": None},
        {"ownername": "x" * 10_000, "title": "\ud800" * 9, "dateupload": "soon"},
        {"url_o": "https://live.example/\u202e.jpg", "license": {"id": 4}},
    ],
)
def test_hostile_entries_harm_nothing(
    site: LoopbackSite, client: PoliteClient, hostile: dict[str, Any]
) -> None:
    Api(site, lambda asked: listed([photo(1, **hostile), photo(2)], total="x", pages=[1]))
    found = items_of(site, client, licences=("any",))
    assert len(found) == 2
    assert all(item.page_url.startswith("https://www.flickr.com") for item in found)
    assert all("<" not in item.page_url and len(item.author) <= 120 for item in found)


def test_tags_and_a_user_need_no_query(site: LoopbackSite, client: PoliteClient) -> None:
    api = Api(site, lambda asked: listed([photo(1)]))
    items_of(site, client, queries=(), tags=("dog", "snow"), user="12@N00", label="dog")
    (asked,) = api.asked()
    assert (asked["tags"], asked["tag_mode"], asked["user_id"]) == ("dog,snow", "all", "12@N00")
    assert "text" not in asked


@pytest.mark.parametrize(
    "keys",
    [
        {"queries": ()},
        {"licences": ("cc by",)},
        {"licences": ()},
        {"longest_side": -1},
        {"api": "api.flickr.com"},
    ],
)
def test_a_declaration_that_cannot_work_is_refused(
    site: LoopbackSite, keys: dict[str, Any]
) -> None:
    with pytest.raises(ConfigError, match="source flickr"):
        source(site, **keys)


def test_a_missing_key_says_where_it_belongs(
    site: LoopbackSite, client: PoliteClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("FLICKR_API_KEY")
    with pytest.raises(ConfigError, match="set FLICKR_API_KEY in the environment"):
        items_of(site, client)


def test_a_gate_that_flickr_has_no_licence_for_is_told(
    site: LoopbackSite, client: PoliteClient
) -> None:
    Api(site, lambda asked: listed([photo(1)]))
    with pytest.raises(SourceError, match="none of the licences MIT"):
        items_of(site, client, licences=("MIT",))


def test_hosts_and_limits_are_those_of_flickr() -> None:
    spec = FlickrSpec(kind="flickr", name="flickr", queries=("dog",))
    assert spec.hosts() == ("api.flickr.com",)
    assert Flickr(spec).limits()["api.flickr.com"].gap_s >= 3600 / 3600


def test_a_recording_is_replayed_without_any_network_and_without_the_key(
    site: LoopbackSite, tmp_path: Path
) -> None:
    api = Api(site, lambda asked: listed([photo(1), photo(2)]))
    with PoliteClient(SETTINGS, clock=StepClock()) as plain:
        transport = RecordingTransport(plain.transport, tmp_path)
        with PoliteClient(SETTINGS, clock=StepClock(), transport=transport) as recording:
            live = items_of(site, recording)
    asked = len(api.asked(""))
    assert KEY not in (tmp_path / "answers.jsonl").read_text()
    with PoliteClient(SETTINGS, clock=StepClock(), transport=ReplayTransport(tmp_path)) as replay:
        assert items_of(site, replay) == live
    assert len(api.asked("")) == asked
    assert len(live) == 2
