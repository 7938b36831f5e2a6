"""The preview: the pictures that would be packed, before and after, as a sheet and a page."""

import io
import tarfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dataset.catalog import Catalog
from dataset.cli import main
from dataset.errors import ConfigError, DataError
from dataset.image_store import ImageStore
from dataset.pack_selection import PackConfig
from dataset.preparation import prepare
from dataset.preview import Recipe, from_catalog, from_files, prepare_shown, recipes
from dataset.preview_sheet import card, write_preview_page, write_sheet
from dataset.records import Change
from tests.dataset.conftest import AddPicture
from tests.dataset.pictures import array, encoded, scene

KEPT = PackConfig()


@pytest.fixture
def kept(catalog: Catalog, add_picture: AddPicture) -> Catalog:
    """Twelve pictures of two classes, ten of them kept."""
    for n in range(12):
        add_picture(encoded(scene(n)), label="cat" if n % 2 else "dog", licence=f"L{n % 3}")
    changes = [Change(image_id=n, field="status", value="keep") for n in range(1, 11)]
    catalog.judgements.apply(changes, who="ada", verb="keep")
    return catalog


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Six pictures in two classes, one of them with alpha, and a file that is none."""
    for n in range(6):
        path = tmp_path / "pictures" / ("cat" if n % 2 else "dog") / f"{n}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(encoded(scene(n)))
    transparent = np.zeros((40, 90, 4), np.uint8)
    transparent[10:30, 10:30] = (200, 10, 10, 255)
    Image.fromarray(transparent).save(tmp_path / "pictures" / "cat" / "logo.png")
    (tmp_path / "pictures" / "torn.png").write_bytes(b"\x89PNG\r\n\x1a\n torn")
    return tmp_path / "pictures"


def test_only_what_a_pack_would_take_is_chosen(kept: Catalog, store: ImageStore) -> None:
    everything = from_catalog(kept, store, KEPT, 100, 0)
    assert {one.name for one in everything} == {f"#{n}" for n in range(1, 11)}
    cats = from_catalog(kept, store, KEPT, 100, 0, labels=["cat"])
    assert {one.label for one in cats} == {"cat"}
    licensed = from_catalog(kept, store, PackConfig(licences=("L1",)), 100, 0)
    assert {one.name for one in licensed} == {"#2", "#5", "#8"}


def test_the_seed_chooses_and_one_picture_less_changes_the_choice_by_one(
    kept: Catalog, store: ImageStore
) -> None:
    names = [[one.name for one in from_catalog(kept, store, KEPT, 4, seed)] for seed in (0, 0, 1)]
    assert names[0] == names[1] != names[2]
    gone = int(names[0][1].removeprefix("#"))
    kept.judgements.apply(
        [Change(image_id=gone, field="status", value="reject")], who="a", verb="r"
    )
    after = [one.name for one in from_catalog(kept, store, KEPT, 4, 0)]
    assert after[:3] == [names[0][0], names[0][2], names[0][3]]


def test_named_pictures_are_shown_in_their_order_whatever_their_status(
    kept: Catalog, store: ImageStore
) -> None:
    found = from_catalog(kept, store, KEPT, 1, 0, ids=[12, 3])
    assert [one.name for one in found] == ["#12", "#3"]
    with pytest.raises(ConfigError, match="no picture #99"):
        from_catalog(kept, store, KEPT, 1, 0, ids=[3, 99])


def test_nothing_to_show_is_told(kept: Catalog, store: ImageStore, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no picture to show.*curate_app auto"):
        from_catalog(kept, store, KEPT, 5, 0, labels=["horse"])
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="holds no picture; check"):
        from_files(tmp_path / "empty", [], 5, 0)


def test_a_folder_and_a_tar_of_it_show_the_same_pictures(folder: Path, tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "pictures.tar", "w") as tar:
        tar.add(folder, arcname=".")
    of_folder, of_tar = (
        [(one.name, one.label, one.read()) for one in from_files(path, [], 4, 7)]
        for path in (folder, tmp_path / "pictures.tar")
    )
    assert of_folder == of_tar
    assert {one.label for one in from_files(folder, ["dog"], 9, 0)} == {"dog"}


def test_each_recipe_is_shown_as_the_pack_would_have_it(kept: Catalog, store: ImageStore) -> None:
    compared = recipes(None, ["size=16"], ["fit=pad,crop", "channels=rgb,grey"])
    assert [recipe.title for recipe in compared] == [
        "fit=pad, channels=rgb",
        "fit=pad, channels=grey",
        "fit=crop, channels=rgb",
        "fit=crop, channels=grey",
    ]
    (one,) = prepare_shown(from_catalog(kept, store, KEPT, 1, 0, ids=[5]), compared)
    for recipe, square in zip(compared, one.prepared, strict=True):
        pixels = np.asarray(square).reshape(16, 16, -1)
        assert np.array_equal(pixels, prepare(array(scene(4)), recipe.config))
    assert one.size == (160, 120)
    assert one.windows[0] == (0, 0, 160, 120)
    assert one.windows[2] == (20, 0, 140, 120)


@pytest.mark.parametrize(
    "alternatives",
    [
        ["fit"],
        ["fit="],
        ["seed=1,2"],
        ["fti=pad"],
        ["fit=pad", "fit=crop"],
        ["size=8,9,10,11,12,13,14,15,16,17,18,19,20"],
    ],
)
def test_a_wrong_comparison_is_told(alternatives: list[str]) -> None:
    with pytest.raises(ConfigError, match="--compare"):
        recipes(None, [], alternatives)


@pytest.mark.parametrize("alternative", ["fit=pad,round", "size=8,900", "sharpness=1,nan"])
def test_a_wrong_value_is_told(alternative: str) -> None:
    with pytest.raises(ConfigError):
        recipes(None, [], [alternative])


def test_a_picture_that_cannot_be_decoded_is_left_out_and_none_at_all_is_an_error(
    folder: Path,
) -> None:
    candidates = from_files(folder, [], 100, 0)
    shown = prepare_shown(candidates, [Recipe("", KEPT)])
    assert len(shown) == len(candidates) - 1 == 7
    torn = [one for one in candidates if one.name == "torn.png"]
    with pytest.raises(DataError, match="none of 1 pictures"):
        prepare_shown(torn, [Recipe("", KEPT)])


@pytest.mark.parametrize("size", [8, 28, 64, 256, 512])
@pytest.mark.parametrize("channels", ["grey", "rgb", "rgba"])
def test_cards_of_every_size_and_kind_are_drawn(folder: Path, size: int, channels: str) -> None:
    compared = recipes(None, [f"size={size}", f"channels={channels}"], ["fit=pad,subject"])
    shown = prepare_shown(from_files(folder, ["cat"], 4, 0), compared)
    cards = [card(one, compared) for one in shown]
    assert len({one.size for one in cards}) == 1
    assert cards[0].width >= 2 * size + 252


def test_a_prepared_picture_stands_on_its_card_pixel_for_pixel(folder: Path) -> None:
    compared = recipes(None, ["size=64"], [])
    (one, *_) = prepare_shown(from_files(folder, ["dog"], 1, 0), compared)
    drawn = np.asarray(card(one, compared))
    large = np.asarray(one.prepared[0]).repeat(3, axis=0).repeat(3, axis=1)
    assert np.array_equal(drawn[46 : 46 + 192, 272 : 272 + 192], large)


def test_hostile_names_are_shown_harmlessly(tmp_path: Path) -> None:
    (tmp_path / "p").mkdir()
    (
        tmp_path
        / "p"
        / ("<script>alert(1)</script> \u202egnp" + "x" * 120 + ".png").replace("/", "_")
    ).write_bytes(encoded(scene(1)))
    compared = [Recipe("", KEPT)]
    shown = prepare_shown(from_files(tmp_path / "p", [], 1, 0), compared)
    write_preview_page(tmp_path / "page.html", shown, compared)
    page = (tmp_path / "page.html").read_text("utf-8")
    assert "<script>" not in page
    assert "\u202e" not in page
    write_sheet(tmp_path / "sheet.png", shown, compared)


def test_a_sheet_is_a_png_or_nothing_is_written(folder: Path, tmp_path: Path) -> None:
    compared = [Recipe("", KEPT)]
    shown = prepare_shown(from_files(folder, [], 2, 0), compared)
    (tmp_path / "folder.png").mkdir()
    for name in ("sheet.jpg", "sheet", "folder.png"):
        with pytest.raises(ConfigError, match=r"ends in \.png"):
            write_sheet(tmp_path / name, shown, compared)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["folder.png", "pictures"]


def run(*arguments: object) -> int:
    return main(["preview", *map(str, arguments)])


def test_the_command_writes_a_sheet_and_a_page(
    kept: Catalog, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, page = tmp_path / "p.png", tmp_path / "p.html"
    assert (
        run("--data", tmp_path, "--out", out, "--html", page, "--count", 3, "--label", "dog") == 0
    )
    assert "pictures 3, recipes 1" in capsys.readouterr().out
    with Image.open(io.BytesIO(out.read_bytes())) as sheet:
        assert sheet.format == "PNG"
    assert page.read_text("utf-8").count("data:image/png;base64,") == 3
    first = out.read_bytes()
    run("--data", tmp_path, "--out", out, "--count", 3, "--label", "dog")
    assert out.read_bytes() == first


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (["--count", "0"], 2, "--count is 0"),
        (["--count", "1000"], 2, "1 to 200"),
        (["--ids", "5,x"], 2, "--ids takes up to 200 numbers"),
        (["--ids", "5,-1"], 2, "--ids takes up to 200 numbers"),
        (["--ids", "9" * 30], 2, "--ids takes up to 200 numbers"),
        (["--ids", ",".join("1" * 300)], 2, "--ids takes up to 200 numbers"),
        (["--ids", "9" * 18], 2, "no picture #9999"),
        (["--ids", "1", "--from", "x"], 2, "leave out"),
        (["--from", "nowhere"], 2, "no folder or tar at nowhere"),
        (["--label", "horse"], 3, "no picture to show"),
        (["--set", "size=1"], 2, "8 to 512"),
        (["--compare", "labels=a,b"], 2, "--compare takes"),
    ],
)
def test_a_wrong_command_is_one_line_and_writes_nothing(
    kept: Catalog,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    code: int,
    told: str,
) -> None:
    out = tmp_path / "out" / "p.png"
    assert run("--data", tmp_path, "--out", out, *arguments) == code
    message = capsys.readouterr().err
    assert told in message
    assert len(message.strip().splitlines()) == 1
    assert not out.exists()
