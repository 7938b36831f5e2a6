"""The way from noise as an animation: its frames, what it says of itself, and going on with it."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from dataset.errors import ConfigError
from sample.denoising_path import PathConfig, PathRecorder, as_seen
from sample.draw import DrawConfig, draw
from tests.train.drawn_pack import tiny_config, write_drawn_pack
from train.checkpoint import Checkpoint, load_checkpoint
from train.drawing import Sampling
from train.loop import train

GIF = DrawConfig(
    sampling=Sampling(steps=5), count=2, device="cpu", path=PathConfig(kind="gif"), batch=2
)
WEBP = replace(GIF, path=PathConfig(kind="webp"))


@pytest.fixture
def checkpoint(run: Path) -> Checkpoint:
    return load_checkpoint(run)


def frames(path: Path) -> list[np.ndarray]:
    """(H, W, 3) each."""
    with Image.open(path) as image:
        found = []
        for number in range(getattr(image, "n_frames", 1)):
            image.seek(number)
            found.append(np.asarray(image.convert("RGB")).astype(np.int64))
    return found


def durations(path: Path) -> list[int]:
    with Image.open(path) as image:
        found = []
        for number in range(getattr(image, "n_frames", 1)):
            image.seek(number)
            image.load()
            found.append(int(image.info["duration"]))
    return found


@pytest.mark.parametrize("config", [GIF, WEBP], ids=["gif", "webp"])
def test_every_picture_has_its_way_from_noise_to_itself(
    checkpoint: Checkpoint, tmp_path: Path, config: DrawConfig
) -> None:
    draw(checkpoint, config, tmp_path)
    kind = config.path.kind
    names = sorted(path.name for path in (tmp_path / "paths").iterdir())
    assert names == [f"00000.{kind}", f"00001.{kind}", f"sheet.{kind}"]
    way = frames(tmp_path / "paths" / f"00000.{kind}")
    assert len(way) == 6  # a frame before each step, and the picture
    with Image.open(tmp_path / "00000.png") as image:
        picture = np.asarray(image).astype(np.int64).repeat(16, axis=0).repeat(16, axis=1)
    assert way[-1].shape == (128, 128, 3)
    most = 0 if kind == "webp" else 3  # 64 pixels have less than 256 colours, rounded by a k-means
    assert np.abs(way[-1] - picture).max() <= most
    assert np.abs(way[0] - picture).mean() > np.abs(way[-2] - picture).mean()
    assert way[0].std() > 30


def test_the_last_frame_rests_and_the_way_takes_about_two_seconds(
    checkpoint: Checkpoint, tmp_path: Path
) -> None:
    draw(checkpoint, GIF, tmp_path)
    times = durations(tmp_path / "paths" / "00001.gif")
    assert times[-1] == 1500
    assert all(40 <= time <= 400 and time % 10 == 0 for time in times[:-1])


def test_the_sheet_of_paths_shows_all_of_them_at_once(
    checkpoint: Checkpoint, tmp_path: Path
) -> None:
    draw(checkpoint, replace(WEBP, count=4), tmp_path)
    sheet = frames(tmp_path / "paths" / "sheet.webp")
    assert len(sheet) == 6
    last = frames(tmp_path / "paths" / "00003.webp")[-1]
    across = range(sheet[-1].shape[1] - 127)
    at = [sheet[-1][top:][:128, left : left + 128] for top in (16, 148) for left in across]
    assert any(np.array_equal(tile, last) for tile in at)


def test_the_model_s_guess_is_no_noise(checkpoint: Checkpoint, tmp_path: Path) -> None:
    guess = replace(WEBP, path=PathConfig(kind="webp", shows="guess"))
    draw(checkpoint, guess, tmp_path / "guess")
    draw(checkpoint, WEBP, tmp_path / "noisy")
    first = [frames(tmp_path / name / "paths" / "00000.webp")[0] for name in ("guess", "noisy")]
    assert first[0].std() != first[1].std()
    for number in range(2):
        name = f"{number:05d}.png"
        assert (tmp_path / "guess" / name).read_bytes() == (tmp_path / "noisy" / name).read_bytes()


def test_pictures_are_the_same_with_and_without_their_way(
    checkpoint: Checkpoint, tmp_path: Path
) -> None:
    draw(checkpoint, GIF, tmp_path / "with")
    draw(checkpoint, replace(GIF, path=PathConfig()), tmp_path / "without")
    assert not (tmp_path / "without" / "paths").exists()
    for number in range(2):
        name = f"{number:05d}.png"
        assert (tmp_path / "with" / name).read_bytes() == (tmp_path / "without" / name).read_bytes()


def test_an_animation_says_how_its_picture_was_drawn(
    checkpoint: Checkpoint, tmp_path: Path
) -> None:
    draw(checkpoint, replace(WEBP, seed=7), tmp_path)
    with Image.open(tmp_path / "paths" / "00001.webp") as image:
        told = json.loads(image.getexif()[0x010E])
    assert told["seed"] == "8"
    assert told["fingerprint"] == checkpoint.fingerprint
    assert told["path"] == {"kind": "webp", "shows": "noisy", "frames": 24}


def test_only_what_is_missing_is_drawn_again(checkpoint: Checkpoint, tmp_path: Path) -> None:
    draw(checkpoint, replace(GIF, path=PathConfig()), tmp_path)
    assert draw(checkpoint, GIF, tmp_path).drawn == 2  # the pictures were there, their way was not
    assert draw(checkpoint, GIF, tmp_path).drawn == 0
    (tmp_path / "paths" / "00000.gif").unlink()
    assert draw(checkpoint, GIF, tmp_path).drawn == 1
    damaged = (tmp_path / "paths" / "00001.gif").read_bytes()[:20]
    (tmp_path / "paths" / "00001.gif").write_bytes(damaged)
    assert draw(checkpoint, GIF, tmp_path).drawn == 1
    (tmp_path / "paths" / "sheet.gif").unlink()
    assert draw(checkpoint, GIF, tmp_path).drawn == 0
    assert (tmp_path / "paths" / "sheet.gif").exists()


def test_the_way_of_replaced_pictures_goes_with_them(
    checkpoint: Checkpoint, tmp_path: Path
) -> None:
    draw(checkpoint, GIF, tmp_path)
    (tmp_path / "paths" / "mine.gif").write_bytes(b"not ours")
    other = replace(GIF, path=PathConfig(), seed=50)
    draw(checkpoint, other, tmp_path, replace=True)
    assert [path.name for path in (tmp_path / "paths").iterdir()] == ["mine.gif"]


def test_many_steps_become_few_frames() -> None:
    class Plain:
        @staticmethod
        def pictures(x: torch.Tensor) -> torch.Tensor:
            return x.clamp(-1.0, 1.0)

    recorder = PathRecorder(Plain(), PathConfig(kind="gif", frames=5))  # type: ignore[arg-type]
    for step in range(999):
        level = torch.full((2, 1, 4, 4), step / 500.0 - 1.0)
        recorder(step + 1, level, level)
    drawn = np.full((2, 1, 4, 4), 255, np.uint8)
    levels = recorder.frames(drawn)[:, 0, 0, 0, 0].astype(int).tolist()
    assert len(levels) == 5
    assert levels[0] == 0
    assert levels[-1] == 255
    assert levels == sorted(levels)
    assert max(np.diff(levels)) < 120


@pytest.mark.parametrize("sigma", [0.01, 1.0, 80.0])
def test_any_noise_is_brought_to_the_range_of_pictures(sigma: float) -> None:
    torch.manual_seed(0)
    x0 = torch.rand(3, 3, 16, 16) * 2.0 - 1.0
    seen = as_seen(x0 + sigma * torch.randn(3, 3, 16, 16), x0)
    assert 0.4 < float(seen.std()) < 0.8
    assert torch.allclose(as_seen(x0, x0), x0)


def test_numbers_that_are_not_finite_do_not_stop_the_way(checkpoint: Checkpoint) -> None:
    recorder = PathRecorder(checkpoint.denoiser(), PathConfig(kind="gif"))
    x = torch.full((1, 3, 8, 8), torch.nan)
    recorder(1, x, x)
    assert recorder.frames(np.zeros((1, 3, 8, 8), np.uint8)).shape == (2, 1, 3, 8, 8)


def test_an_autoencoder_has_no_way(tmp_path: Path) -> None:
    pack = write_drawn_pack(tmp_path / "p.h5")
    small = {"base_channels": 8, "multipliers": [1, 2], "blocks": 1}
    outcome = train(tiny_config(pack, kind="vae", images=8, vae=small), tmp_path / "runs")
    with pytest.raises(ConfigError, match="on no path"):
        draw(load_checkpoint(outcome.checkpoint), GIF, tmp_path / "s")
    assert not (tmp_path / "s").exists()


def test_frames_without_a_path_are_refused() -> None:
    with pytest.raises(ConfigError, match="choose --path gif or webp"):
        PathConfig(frames=5)
    with pytest.raises(ConfigError, match="choose --path gif or webp"):
        PathConfig(shows="guess")


@pytest.mark.parametrize(
    "changes", [{"kind": "mp4"}, {"shows": "all"}, {"frames": 1}, {"frames": 201}]
)
def test_a_path_that_cannot_be_is_refused(changes: dict[str, object]) -> None:
    with pytest.raises(ConfigError, match="must be"):
        PathConfig(**changes)  # type: ignore[arg-type]
