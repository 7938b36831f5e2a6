"""Spaces by name, the two that need nothing from outside, and an encoder as a descriptor."""

import sys

import numpy as np
import pytest
import torch
from PIL import Image, ImageFilter

from dataset.errors import ConfigError, DataError
from dataset.packed import PackedDataset
from dataset.pixels import Pixels
from sample.embed import Embedder
from sample.encoders import Descriptor, Encoder, Space, encoded, open_encoder
from sample.outline import Outline
from sample.patches import learn_patches
from tests.sample.drawings import drawings, write_drawn_pack

CPU = torch.device("cpu")


@pytest.mark.parametrize(
    ("text", "space"),
    [
        ("outline", Space("outline")),
        ("patches", Space("patches")),
        ("dinov2=facebook/dinov2-small", Space("dinov2", "facebook/dinov2-small")),
        ("vae=runs/a=b", Space("vae", "runs/a=b")),
    ],
)
def test_a_space_is_read_and_written_alike(text: str, space: Space) -> None:
    assert Space.of(text) == space
    assert str(space) == text


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "unknown space ''; it is one of outline, patches, dinov2"),
        ("vgg", "unknown space 'vgg'"),
        ("Outline", "unknown space 'Outline'"),
        ("outline=here", "takes nothing behind it"),
        ("inception", "needs the file of its weights"),
        ("clip=", "needs a folder of safetensors or a hub name"),
        ("vae", "needs a run of kind vae"),
    ],
)
def test_what_is_no_space_is_refused_in_one_line(text: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        Space.of(text)


@pytest.fixture(scope="module")
def patches(pack: PackedDataset) -> Encoder:
    return learn_patches(pack, CPU)


@pytest.fixture(params=["outline", "patches"])
def encoder(request: pytest.FixtureRequest, patches: Encoder) -> Encoder:
    return Outline() if request.param == "outline" else patches


def test_vectors_are_float32_of_the_size_that_was_said(encoder: Encoder) -> None:
    vectors = encoder.encode(drawings(range(5)))
    assert vectors.shape == (5, encoder.dim)
    assert vectors.dtype == np.float32
    assert encoded(encoder, drawings(range(5))[:0], "x").shape == (0, encoder.dim)


def test_a_picture_has_its_vector_whatever_lies_beside_it(encoder: Encoder) -> None:
    pictures = drawings(range(9))
    alone = np.concatenate([encoder.encode(pictures[i : i + 1]) for i in range(9)])
    assert encoder.encode(pictures) == pytest.approx(alone, abs=1e-4)
    assert encoded(encoder, pictures, "x").tobytes() == encoded(encoder, pictures, "x").tobytes()


@pytest.mark.parametrize("side", [8, 17, 32, 64, 100])
def test_any_size_is_seen_alike(encoder: Encoder, side: int) -> None:
    picture = Image.fromarray(drawings([3], 100)[0]).resize((side, side), Image.Resampling.BOX)
    vectors = encoder.encode(np.asarray(picture)[None])
    assert np.isfinite(vectors).all()
    if side >= 32:
        usual = encoder.encode(drawings([3], 32))
        others = encoder.encode(drawings(range(10, 40), 32))
        apart = np.linalg.norm(others - usual, axis=1).min()
        assert np.linalg.norm(vectors - usual) < apart


@pytest.mark.parametrize("value", [0, 127, 255])
def test_blank_pictures_have_finite_vectors(encoder: Encoder, value: int) -> None:
    blank = np.full((2, 32, 32, 3), value, np.uint8)
    vectors = encoder.encode(blank)
    assert np.isfinite(vectors).all()
    assert (vectors[0] == vectors[1]).all()


def blurred(pictures: Pixels) -> Pixels:
    soft = ImageFilter.GaussianBlur(1.0)
    return np.stack([np.asarray(Image.fromarray(picture).filter(soft)) for picture in pictures])


def grey(pictures: Pixels) -> Pixels:
    return np.repeat(pictures.mean(axis=3, keepdims=True), 3, axis=3).astype(np.uint8)


def upside_down(pictures: Pixels) -> Pixels:
    return np.ascontiguousarray(pictures[:, ::-1])


@pytest.mark.parametrize("change", [blurred, grey])
def test_every_kind_of_damage_moves_a_set_away(encoder: Encoder, change: object) -> None:
    from sample.kernel_distance import kernel_distance

    assert callable(change)
    one, other = drawings(range(80)), drawings(range(200, 280))
    real = encoder.encode(one)
    usual = kernel_distance(real, encoder.encode(other))
    assert kernel_distance(real, encoder.encode(change(other))) > max(5 * usual, 0.02)


def test_outline_has_a_fixed_answer() -> None:
    """Vectors of one name never change: another answer needs another name."""
    assert Outline().name == "outline/1"
    assert Outline().dim == 117
    picture = np.zeros((1, 32, 32, 3), np.uint8)
    picture[:, 8:16, 8:24] = (255, 128, 0)
    vector = Outline().encode(picture)[0]
    assert float(vector.sum()) == pytest.approx(-74.7770, abs=1e-2)
    assert float(np.square(vector).sum()) == pytest.approx(509.2430, abs=0.1)


def test_patches_are_learnt_alike_from_the_same_pack(
    pack: PackedDataset, patches: Encoder, small_pack: PackedDataset
) -> None:
    again = learn_patches(pack, CPU)
    assert again.name == patches.name
    pictures = drawings(range(4))
    assert again.encode(pictures).tobytes() == patches.encode(pictures).tobytes()
    assert learn_patches(small_pack, CPU).name != patches.name


def test_components_of_patches_have_unit_variance_where_they_were_learnt(
    pack: PackedDataset, patches: Encoder
) -> None:
    rows = pack.rows("train")
    vectors = patches.encode(np.ascontiguousarray(pack.gather(rows).transpose(0, 2, 3, 1)))
    assert vectors.mean(axis=0) == pytest.approx(0.0, abs=1e-3)
    assert np.cov(vectors.T) == pytest.approx(np.eye(patches.dim), abs=1e-2)


def test_patches_need_pictures_to_learn_from(tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("pack") / "tiny.h5"
    few = PackedDataset(write_drawn_pack(path, train=19, cal=2, test=1))
    with pytest.raises(DataError, match=r"19 pictures to learn from, too few .* outline"):
        learn_patches(few, CPU)


def test_open_encoder_opens_what_needs_nothing(pack: PackedDataset) -> None:
    assert open_encoder("outline", pack, device="cpu").name == "outline/1"
    assert open_encoder("patches", pack, device="cpu").name.startswith("patches/1 ")


class Broken:
    """An encoder whose weights went bad."""

    name, dim = "broken", 2

    def encode(self, pictures: Pixels) -> np.ndarray[tuple[int, int], np.dtype[np.float32]]:
        return np.full((len(pictures), 2), np.nan, np.float32)


def test_numbers_that_are_not_finite_are_refused() -> None:
    with pytest.raises(DataError, match="space broken gives numbers that are not finite"):
        encoded(Broken(), drawings(range(3)), "x")


class Zero:
    """An encoder that sees nothing."""

    name, dim = "zero", 3

    def encode(self, pictures: Pixels) -> np.ndarray[tuple[int, int], np.dtype[np.float32]]:
        return np.zeros((len(pictures), 3), np.float32)


@pytest.mark.parametrize("inner", [Outline(), Zero()])
def test_as_a_descriptor_vectors_have_unit_length(inner: Encoder) -> None:
    descriptor: Embedder = Descriptor(inner)
    vectors = descriptor.embed(drawings(range(70)))
    assert vectors.shape == (70, descriptor.dim)
    assert vectors.dtype == np.float32
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(1.0, abs=1e-6)
    assert descriptor.name.startswith(inner.name)


def test_no_encoder_pulls_in_what_is_optional() -> None:
    """Spaces without weights work where transformers is not installed."""
    import subprocess

    code = (
        "import sys; sys.modules['transformers'] = None; sys.modules['matplotlib'] = None\n"
        "sys.modules['vtracer'] = None\n"
        "import numpy as np; import sample.evaluate_command\n"
        "from sample.outline import Outline\n"
        "print(Outline().encode(np.zeros((1, 8, 8, 3), np.uint8)).shape)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "(1, 117)"
