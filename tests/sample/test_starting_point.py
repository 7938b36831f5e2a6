"""Drawing from pictures, into holes and between seeds, as files on a disk."""

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from dataset.errors import ConfigError, DataError
from sample.cli import main
from sample.draw import DrawConfig, draw, plan_pictures
from sample.starting_point import NOISE, Start
from tests.train.drawn_pack import tiny_config, write_drawn_pack
from train.checkpoint import Checkpoint, load_checkpoint
from train.drawing import Sampling
from train.loop import train

SHAPE = (3, 8, 8)
SAMPLING = Sampling(steps=4)


@pytest.fixture
def checkpoint(run: Path) -> Checkpoint:
    return load_checkpoint(run)


def config(start: Start, **changes: object) -> DrawConfig:
    settings: dict[str, object] = {"count": 3, "labels": ("bar",), "seed": 5, "device": "cpu"}
    return DrawConfig(sampling=SAMPLING, start=start, **(settings | changes))  # type: ignore[arg-type]


def save(path: Path, pixels: NDArray[np.uint8]) -> Path:
    Image.fromarray(pixels).save(path)
    return path


def photo(folder: Path, height: int = 8, width: int = 8, ending: str = "png") -> Path:
    pixels = np.random.default_rng(3).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return save(folder / f"photo.{ending}", pixels)


def hole(folder: Path, side: int = 8) -> Path:
    """White on the right half."""
    pixels = np.zeros((side, side), np.uint8)
    pixels[:, side // 2 :] = 255
    return save(folder / "hole.png", pixels)


def read(path: Path) -> tuple[NDArray[np.uint8], dict[str, str]]:
    with Image.open(path) as image:
        return np.asarray(image), {str(key): str(value) for key, value in image.info.items()}


def test_kept_pixels_are_in_the_file_as_they_were(checkpoint: Checkpoint, tmp_path: Path) -> None:
    start = Start(picture=photo(tmp_path), mask=hole(tmp_path), rounds=2)
    draw(checkpoint, config(start), tmp_path / "s")
    given, _ = read(tmp_path / "photo.png")
    drawings = [read(tmp_path / "s" / f"{i:05d}.png") for i in range(3)]
    for pixels, info in drawings:
        assert (pixels[:, :4] == given[:, :4]).all()
        assert (pixels[:, 4:] != given[:, 4:]).any()
        assert info["rounds"] == "2"
        assert info["from"] == hashlib.sha256((tmp_path / "photo.png").read_bytes()).hexdigest()
        assert info["mask"] == hashlib.sha256((tmp_path / "hole.png").read_bytes()).hexdigest()
    assert (drawings[0][0] != drawings[1][0]).any()


def test_a_picture_drawn_anew_says_from_what_and_how_much(
    checkpoint: Checkpoint, tmp_path: Path
) -> None:
    draw(checkpoint, config(Start(picture=photo(tmp_path))), tmp_path / "s")
    _, info = read(tmp_path / "s" / "00000.png")
    assert info["strength"] == "0.6"
    manifest = json.loads((tmp_path / "s" / "manifest.json").read_text("utf-8"))
    assert manifest["strength"] == 0.6
    assert manifest["from"] == info["from"]


def test_what_was_drawn_from_another_picture_is_not_gone_on_with(
    checkpoint: Checkpoint, tmp_path: Path
) -> None:
    start = Start(picture=photo(tmp_path))
    draw(checkpoint, config(start), tmp_path / "s")
    assert draw(checkpoint, config(start), tmp_path / "s").drawn == 0
    save(tmp_path / "photo.png", np.zeros((8, 8, 3), np.uint8))
    with pytest.raises(ConfigError, match="drawn otherwise"):
        draw(checkpoint, config(start), tmp_path / "s")


def test_the_way_between_seeds_begins_and_ends_with_their_pictures(
    checkpoint: Checkpoint, tmp_path: Path
) -> None:
    draw(checkpoint, config(Start(towards=9)), tmp_path / "way")
    draw(checkpoint, config(Start()), tmp_path / "five")
    draw(checkpoint, config(Start(), seed=9), tmp_path / "nine")
    way = [read(tmp_path / "way" / f"{i:05d}.png") for i in range(3)]
    assert [info["share"] for _, info in way] == ["0.0", "0.5", "1.0"]
    assert {info["seed"] for _, info in way} == {"5"}
    assert {info["towards"] for _, info in way} == {"9"}
    for place, name in ((0, "five"), (2, "nine")):
        apart = way[place][0].astype(int) - read(tmp_path / name / "00000.png")[0].astype(int)
        assert np.abs(apart).max() <= 1


def test_every_class_goes_the_whole_way() -> None:
    plan = plan_pictures(config(Start(towards=1), per_class=3, labels=()), ["a", "b"])
    shares = [(picture.label_name, picture.share) for picture in plan]
    assert shares == [(name, share) for name in "ab" for share in (0.0, 0.5, 1.0)]
    (one,) = plan_pictures(config(Start(towards=1), count=1, labels=()), ["a"])
    assert one.share == 0.0


@pytest.mark.parametrize("shape", [(3, 8, 8), (1, 8, 8), (4, 8, 8), (3, 6, 12)])
@pytest.mark.parametrize(("height", "width", "ending"), [(8, 8, "png"), (90, 40, "jpg")])
def test_any_picture_is_brought_to_the_model_s_shape(
    tmp_path: Path, shape: tuple[int, int, int], height: int, width: int, ending: str
) -> None:
    opened = Start(picture=photo(tmp_path, height, width, ending)).opened(shape)
    assert opened.picture is not None
    assert opened.picture.shape == (1, *shape)
    assert -1.0 <= float(opened.picture.min()) < float(opened.picture.max()) <= 1.0


def test_a_place_is_kept_only_where_the_mask_is_black_all_over(tmp_path: Path) -> None:
    start = Start(picture=photo(tmp_path, 20, 20), mask=hole(tmp_path, 20))
    known = start.opened((3, 5, 5)).known
    assert known is not None
    assert known[0].tolist() == [True, True, False, False, False]


def test_noise_alone_adds_nothing_to_what_is_said() -> None:
    assert Start().opened(SHAPE) == NOISE
    assert NOISE.facts == {}


def test_an_autoencoder_starts_from_nothing_else(tmp_path: Path) -> None:
    pack = write_drawn_pack(tmp_path / "p.h5")
    small = {"base_channels": 8, "multipliers": [1, 2], "blocks": 1}
    outcome = train(tiny_config(pack, kind="vae", images=16, vae=small), tmp_path / "runs")
    checkpoint = load_checkpoint(outcome.checkpoint)
    with pytest.raises(ConfigError, match="prior alone"):
        draw(checkpoint, config(Start(towards=3), labels=()), tmp_path / "s")


def test_files_that_cannot_be_used_are_refused_before_anything_changes(
    checkpoint: Checkpoint, tmp_path: Path
) -> None:
    draw(checkpoint, config(Start()), tmp_path / "s")
    before = {path.name: path.read_bytes() for path in (tmp_path / "s").iterdir()}
    (tmp_path / "page.png").write_text("<html>no picture</html>")
    good, mask = photo(tmp_path), hole(tmp_path)
    wide = save(tmp_path / "wide.png", np.zeros((8, 16), np.uint8))
    refused: list[tuple[Start, type[Exception], str]] = [
        (Start(picture=tmp_path / "missing.png"), ConfigError, r"missing\.png"),
        (Start(picture=good, mask=tmp_path / "missing.png"), ConfigError, r"missing\.png"),
        (Start(picture=tmp_path / "page.png"), DataError, r"page\.png"),
        (Start(picture=good, mask=tmp_path / "page.png"), DataError, r"page\.png"),
        (Start(picture=good, mask=wide), ConfigError, "of its size"),
        (Start(picture=wide, mask=mask), ConfigError, "of its size"),
    ]
    for start, error, said in refused:
        with pytest.raises(error, match=said):
            draw(checkpoint, config(start), tmp_path / "s", replace=True)
    assert {path.name: path.read_bytes() for path in (tmp_path / "s").iterdir()} == before


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"strength": 0.5}, "give one"),
        ({"mask": Path("m.png")}, "give one"),
        ({"picture": Path("p.png"), "mask": Path("m.png"), "strength": 0.5}, "exclude"),
        ({"picture": Path("p.png"), "towards": 3}, "not both"),
        ({"picture": Path("p.png"), "rounds": 2}, "give a mask"),
        ({"picture": Path("p.png"), "strength": 0.0}, "strength"),
        ({"picture": Path("p.png"), "strength": 1.5}, "strength"),
        ({"picture": Path("p.png"), "strength": float("nan")}, "strength"),
        ({"picture": Path("p.png"), "mask": Path("m.png"), "rounds": 0}, "rounds"),
        ({"towards": -1}, "towards"),
        ({"towards": 2**62}, "towards"),
    ],
)
def test_starts_that_make_no_sense_are_refused(settings: dict[str, object], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        Start(**settings)  # type: ignore[arg-type]


def test_the_command_fills_in_redraws_and_goes_between(run: Path, tmp_path: Path) -> None:
    given, mask = str(photo(tmp_path)), str(hole(tmp_path))
    for place, options in enumerate(
        [
            ["--from", given, "--strength", "0.5"],
            ["--from", given, "--mask", mask, "--rounds", "2"],
            ["--towards", "7"],
        ]
    ):
        arguments = ["draw", str(run), "--out", str(tmp_path / str(place)), "--per-class", "2"]
        arguments += ["--steps", "3", "--device", "cpu", "--progress", "quiet", *options]
        assert main(arguments) == 0
        assert (tmp_path / str(place) / "00003.png").is_file()
