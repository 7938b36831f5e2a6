"""DINOv2 and CLIP from folders as the hub has them: loaded, refused, and looking at all of it."""

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from dataset.errors import ConfigError, DataError, WorldError
from dataset.packed import PackedDataset
from sample.encoders import open_encoder
from sample.encoders_hub import Clip, Dinov2, open_hub_encoder
from tests.sample.drawings import drawings
from tests.sample.tiny_encoders import SIDE, build_clip, build_dinov2

CPU = torch.device("cpu")
pytest.importorskip("transformers")


@pytest.fixture(scope="module")
def dinov2_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_dinov2(tmp_path_factory.mktemp("dinov2") / "tiny-dinov2")


@pytest.fixture(scope="module")
def clip_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_clip(tmp_path_factory.mktemp("clip") / "tiny-clip")


@pytest.fixture
def clip(clip_folder: Path) -> Clip:
    found = open_hub_encoder("clip", str(clip_folder), CPU)
    assert isinstance(found, Clip)
    return found


def test_dinov2_gives_the_class_token_of_the_whole_picture(
    dinov2_folder: Path, pack: PackedDataset
) -> None:
    import transformers

    library: Any = transformers
    encoder = open_encoder(f"dinov2={dinov2_folder}", pack, device="cpu")
    assert isinstance(encoder, Dinov2)
    assert (encoder.name[:19], encoder.dim) == ("dinov2 tiny-dinov2 ", 16)
    picture = drawings([1], SIDE)
    # At the size that the model wants nothing is resized: the numbers are known.
    network = library.Dinov2Model.from_pretrained(dinov2_folder).eval()
    mean, deviation = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
    config = json.loads((dinov2_folder / "preprocessor_config.json").read_text())
    mean, deviation = config.get("image_mean", mean), config.get("image_std", deviation)
    seen = (picture[0] / 255.0 - np.array(mean)) / np.array(deviation)
    tensor = torch.tensor(seen.transpose(2, 0, 1)[None], dtype=torch.float32)
    with torch.no_grad():
        expected = network(pixel_values=tensor).last_hidden_state[0, 0]
    assert encoder.encode(picture)[0] == pytest.approx(expected.numpy(), abs=1e-4)


def test_nothing_is_cut_off_at_the_edge(dinov2_folder: Path) -> None:
    encoder = open_hub_encoder("dinov2", str(dinov2_folder), CPU)
    framed = drawings([2], 64)
    plain = framed.copy()
    framed[:, :2] = framed[:, -2:] = (255, 0, 0)
    assert np.abs(encoder.encode(framed) - encoder.encode(plain)).max() > 1e-3


def test_pictures_of_clip_have_unit_length(clip: Clip) -> None:
    vectors = clip.encode(drawings(range(3)))
    assert vectors.shape == (3, 12)
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(1.0, abs=1e-5)


def test_texts_of_clip_lie_in_the_same_space_and_long_ones_are_cut(clip: Clip) -> None:
    texts = ["a photo of round", "angular", "red " * 50, ""]
    vectors = clip.encode_texts(texts)
    assert vectors.shape == (4, 12)
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(1.0, abs=1e-5)
    alone = np.concatenate([clip.encode_texts([text]) for text in texts])
    assert vectors == pytest.approx(alone, abs=1e-5)
    assert np.abs(vectors[0] - vectors[1]).max() > 1e-3
    assert clip.encode_texts([]).shape == (0, 12)


def test_the_name_says_which_weights(clip_folder: Path, tmp_path: Path) -> None:
    one = open_hub_encoder("clip", str(clip_folder), CPU).name
    assert open_hub_encoder("clip", str(clip_folder), CPU).name == one
    other = build_clip(tmp_path / "tiny-clip")
    config = json.loads((other / "config.json").read_text())
    (other / "config.json").write_text(json.dumps(config | {"architectures": ["CLIP"]}))
    assert open_hub_encoder("clip", str(other), CPU).name != one


def test_a_model_of_another_kind_is_refused(clip_folder: Path, dinov2_folder: Path) -> None:
    with pytest.raises(DataError, match="is of the kind clip, not dinov2"):
        open_hub_encoder("dinov2", str(clip_folder), CPU)
    with pytest.raises(DataError, match="is of the kind dinov2, not clip"):
        open_hub_encoder("clip", str(dinov2_folder), CPU)


def test_a_folder_without_a_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"no model in .*config\.json"):
        open_hub_encoder("clip", str(tmp_path), CPU)


def test_pickled_and_cut_weights_are_refused(tmp_path: Path) -> None:
    folder = build_dinov2(tmp_path / "m")
    weights = folder / "model.safetensors"
    content = weights.read_bytes()
    weights.write_bytes(content[:-100])
    with pytest.raises(DataError, match="is cut or no safetensors file"):
        open_hub_encoder("dinov2", str(folder), CPU)
    weights.unlink()
    (folder / "pytorch_model.bin").write_bytes(b"\x80\x04.")
    with pytest.raises(DataError, match=r"only pytorch_model\.bin, a pickle"):
        open_hub_encoder("dinov2", str(folder), CPU)


def test_a_model_that_lacks_weights_is_refused(tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    folder = build_dinov2(tmp_path / "m")
    weights = load_file(folder / "model.safetensors")
    dropped = min(weights)
    save_file(
        {name: tensor for name, tensor in weights.items() if name != dropped},
        folder / "model.safetensors",
        {"format": "pt"},
    )
    with pytest.raises(DataError, match="lacks the weights"):
        open_hub_encoder("dinov2", str(folder), CPU)


def test_neither_folder_nor_hub_name_is_refused() -> None:
    with pytest.raises(ConfigError, match="no model folder at /no/such/folder"):
        open_hub_encoder("clip", "/no/such/folder", CPU)


def test_a_hub_name_is_not_downloaded_unasked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(WorldError, match=r"not at hand: .*; allow it with --fetch") as caught:
        open_hub_encoder("dinov2", "nobody/no-such-model", CPU)
    assert "\n" not in str(caught.value)


def test_without_transformers_one_line_says_what_to_install(
    clip_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(WorldError, match=r"pip install -e '\.\[encoders\]'") as caught:
        open_hub_encoder("clip", str(clip_folder), CPU)
    assert "\n" not in str(caught.value)


def test_another_size_is_enlarged_without_rounding() -> None:
    from sample.fitting import fitted

    picture = np.asarray(Image.linear_gradient("L").resize((8, 8)).convert("RGB"))[None]
    large = fitted(picture, 29)
    assert large.shape == (1, 3, 29, 29)
    assert large.dtype == np.float32
    assert (large[0, 0] != np.rint(large[0, 0])).any()
    same = fitted(picture, 8)
    assert same[0].transpose(1, 2, 0) == pytest.approx(picture[0].astype(float), abs=1e-4)
