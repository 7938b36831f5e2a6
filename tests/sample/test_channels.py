"""Packs of grey pictures and of pictures with alpha in the novelty check."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from dataset.config import to_mapping
from dataset.errors import ConfigError, DataError
from dataset.pack_selection import PackConfig
from dataset.pack_writer import write_pack
from dataset.packed import PackedDataset
from dataset.pixels import Pixels
from dataset.preparation import prepare
from dataset.provenance import Split
from sample.inspection import inspect_folder
from sample.novelty import NoveltyConfig
from sample.novelty_index import pack_pictures
from sample.pictures import as_colour, decode_pictures, list_pictures, preparation
from tests.sample.drawings import CLASSES, drawing, drawings, provenance, save_pictures

RECIPE: dict[str, Any] = {
    "size": 32,
    "fit": "subject",
    "background": "black",
    "resample": "box",
    "linear_light": True,
    "sharpness": 1.5,
}


def pack_of(path: Path, pictures: Pixels, **options: Any) -> PackedDataset:
    """A pack of (N, H, W, C) pictures, most of them to train on."""
    splits: list[Split] = ["train" if row < 25 else "cal" for row in range(len(pictures))]
    facts = [provenance(row, split) for row, split in enumerate(splits)]
    labels = np.array([fact.label for fact in facts], np.int64)
    data = np.ascontiguousarray(pictures.transpose(0, 3, 1, 2))
    write_pack(path, data, labels, list(CLASSES), facts, options)
    return PackedDataset(path)


def seen_through(pictures: Pixels) -> Pixels:
    """The same with alpha: corners are transparent."""
    alpha = np.full((*pictures.shape[:3], 1), 255, np.uint8)
    alpha[:, :8, :8] = 0
    return np.concatenate([np.where(alpha > 0, pictures, 0), alpha], axis=3).astype(np.uint8)


def of_channels(pictures: Pixels, channels: int) -> Pixels:
    if channels == 4:
        return seen_through(pictures)
    config = PackConfig(size=32, channels="grey" if channels == 1 else "rgb")
    return np.stack([prepare(one, config) for one in pictures])


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_a_copy_is_found_in_a_pack_of_any_channels(tmp_path: Path, channels: int) -> None:
    pack = pack_of(tmp_path / "p.h5", of_channels(drawings(range(45)), channels))
    copy = of_channels(drawings([3]), channels)[0]
    folder = save_pictures(tmp_path / "s", drawings([9000]))
    Image.fromarray(copy.squeeze()).save(folder / "copy.png")
    done = inspect_folder(folder, pack.path, NoveltyConfig(audit=2))
    verdicts = {one["file"]: one["verdict"] for one in done.record["pictures"]}
    assert verdicts["copy.png"] == "copy"
    assert verdicts["000.png"] != "copy"
    nearest = {one["file"]: one["neighbours"][0]["row"] for one in done.record["pictures"]}
    assert nearest["copy.png"] == 3


@pytest.mark.parametrize("background", ["white", "black"])
def test_rows_with_alpha_are_seen_on_the_background_of_the_pack(
    tmp_path: Path, background: str
) -> None:
    pictures = seen_through(drawings(range(30)))
    pack = pack_of(tmp_path / "p.h5", pictures, background=background)
    found = pack_pictures(pack, np.array([2, 5]))
    assert found.shape == (2, 32, 32, 3)
    assert (found[:, :8, :8] == (255 if background == "white" else 0)).all()
    assert np.array_equal(found[0, 8:], pictures[2, 8:, :, :3])


def test_grey_rows_are_seen_as_colours_without_colour(tmp_path: Path) -> None:
    pictures = of_channels(drawings(range(30)), 1)
    found = pack_pictures(pack_of(tmp_path / "p.h5", pictures), np.array([4]))
    assert np.array_equal(found, pictures[4:5].repeat(3, axis=3))


def test_foreign_pictures_are_prepared_by_the_whole_recipe_of_the_pack(tmp_path: Path) -> None:
    config = PackConfig(**RECIPE, name="other", seed=7)
    pack = pack_of(tmp_path / "p.h5", drawings(range(30)), **to_mapping(config))
    assert preparation(pack) == PackConfig(**RECIPE)
    wide = np.full((60, 150, 3), 90, np.uint8)
    wide[10:50, 100:140] = drawing(1, 40)
    _, pictures, _ = decode_pictures(
        list_pictures(save_pictures(tmp_path / "s", wide[None]))[0], pack
    )
    assert np.array_equal(pictures[0], prepare(wide, config))


def test_drawn_pictures_are_not_sharpened_again(tmp_path: Path) -> None:
    pack = pack_of(tmp_path / "p.h5", drawings(range(30)), sharpness=2.0)
    files, _ = list_pictures(save_pictures(tmp_path / "s", drawings([1])))
    assert np.array_equal(decode_pictures(files, pack)[1], drawings([1]))


def test_foreign_pictures_lose_their_colours_against_a_grey_pack(tmp_path: Path) -> None:
    pack = pack_of(tmp_path / "p.h5", of_channels(drawings(range(30)), 1))
    files, _ = list_pictures(save_pictures(tmp_path / "s", drawings([1])))
    assert np.array_equal(
        decode_pictures(files, pack)[1], of_channels(drawings([1]), 1).repeat(3, 3)
    )


def test_a_recipe_that_makes_no_sense_and_odd_channels_are_told(tmp_path: Path) -> None:
    pack = pack_of(tmp_path / "p.h5", drawings(range(30)), fit="round")
    with pytest.raises(ConfigError, match=r"fit in the recipe in pack .*p\.h5 is 'round'"):
        preparation(pack)
    pack.shape = (30, 2, 32, 32)
    with pytest.raises(DataError, match="2 channels; 1, 3 or 4 work"):
        preparation(pack)


def test_as_colour_takes_any_number_of_axes() -> None:
    for channels in (1, 3, 4):
        assert as_colour(np.zeros((5, 6, channels), np.uint8)).shape == (5, 6, 3)
        assert as_colour(np.zeros((2, 5, 6, channels), np.uint8)).shape == (2, 5, 6, 3)
        assert as_colour(np.zeros((0, 5, 6, channels), np.uint8)).shape == (0, 5, 6, 3)
