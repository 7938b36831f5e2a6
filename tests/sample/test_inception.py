"""Inception v3 of the FID: its shape, its weights' file, and which files are not opened."""

import hashlib
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from dataset.errors import ConfigError, DataError
from dataset.packed import PackedDataset
from sample.encoders import open_encoder
from sample.inception import PUBLISHED, Inception, InceptionV3, open_inception
from tests.sample.drawings import drawings
from tests.sample.tiny_encoders import inception_weights

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def weights_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("inception") / "random.safetensors"
    save_file(inception_weights(), path)
    return path


@pytest.fixture(scope="module")
def inception(weights_file: Path) -> Inception:
    return open_inception(weights_file, CPU)


def test_the_network_has_as_many_weights_as_the_published_one() -> None:
    """As Szegedy et al. count, less the classifier and the auxiliary one."""
    network = InceptionV3()
    assert sum(weight.numel() for weight in network.parameters()) == 21_785_568
    names = set(network.state_dict())
    assert {
        "Conv2d_1a_3x3.conv.weight",
        "Mixed_5b.branch5x5_2.bn.running_mean",
        "Mixed_6e.branch7x7dbl_5.conv.weight",
        "Mixed_7a.branch7x7x3_4.bn.bias",
        "Mixed_7c.branch3x3dbl_3b.conv.weight",
    } <= names


def test_pictures_become_2048_numbers(inception: Inception, weights_file: Path) -> None:
    vectors = inception.encode(drawings(range(2)))
    assert vectors.shape == (2, 2048)
    assert vectors.dtype == np.float32
    assert np.isfinite(vectors).all()
    assert vectors.min() >= 0.0  # the mean of what passed a ReLU
    assert np.abs(vectors[0] - vectors[1]).max() > 0
    sha256 = hashlib.sha256(weights_file.read_bytes()).hexdigest()
    assert inception.name == f"inception-v3 {sha256[:12]}"
    assert not inception.is_published


def test_a_space_is_opened_by_its_file(weights_file: Path, pack: PackedDataset) -> None:
    encoder = open_encoder(f"inception={weights_file}", pack, device="cpu")
    assert encoder.dim == 2048


def test_only_the_published_file_counts_as_published() -> None:
    assert Inception(InceptionV3(), PUBLISHED, CPU).is_published


def test_another_pickle_is_never_opened(tmp_path: Path) -> None:
    path = tmp_path / "pt_inception-2015-12-05-6726825d.pth"
    torch.save({"x": torch.zeros(1)}, path)
    with pytest.raises(ConfigError, match=r"is not the file of published FIDs .* never opened"):
        open_inception(path, CPU)


def test_a_missing_file_is_one_line_with_what_to_fetch(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"cannot read the weights .* fetch pt_inc") as error:
        open_inception(tmp_path / "none.pth", CPU)
    assert "\n" not in str(error.value)
    with pytest.raises(ConfigError, match="cannot read"):
        open_inception(tmp_path, CPU)


def test_weights_of_another_network_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"
    weights = inception_weights()
    lacking = {name: one for name, one in weights.items() if "Mixed_7c.branch1x1.conv" not in name}
    save_file(lacking, path)
    with pytest.raises(DataError, match=r"it lacks Mixed_7c\.branch1x1\.conv\.weight"):
        open_inception(path, CPU)
    save_file(weights | {"Mixed_8a.conv.weight": torch.zeros(1)}, path)
    with pytest.raises(DataError, match=r"it holds Mixed_8a\.conv\.weight"):
        open_inception(path, CPU)
    save_file(weights | {"Conv2d_1a_3x3.conv.weight": torch.zeros(1, 3, 3, 3)}, path)
    with pytest.raises(DataError, match="weights of other shapes"):
        open_inception(path, CPU)
    path.write_bytes(b"no tensors")
    with pytest.raises(DataError, match="cannot read the weights"):
        open_inception(path, CPU)
