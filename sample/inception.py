"""The space of the FID: the last pooling of Inception v3 as TensorFlow published it in 2015.

Szegedy et al. 2016; its weights are never downloaded: they are read from a file that is named.
"""

import hashlib
import io
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from dataset.errors import ConfigError, DataError
from dataset.pixels import Pixels
from sample.embed import Vectors
from sample.fitting import fitted
from train.tensor_file import read_tensors

# The file that published FIDs are computed with: pt_inception-2015-12-05-6726825d.pth.
PUBLISHED = "6726825d0af5f729cebd5821db510b11b1cfad8faad88a03f1befd49fb9129b2"
_SIDE = 299
_UNUSED = ("fc.", "AuxLogits.")
_COUNTER = "num_batches_tracked"  # of training steps, which the published file lacks


class Conv(nn.Module):
    """Convolution without bias, batch normalisation, ReLU."""

    def __init__(
        self,
        inputs: int,
        outputs: int,
        size: int | tuple[int, int],
        stride: int = 1,
        padding: int | tuple[int, int] = 0,
    ) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, size, stride, padding, bias=False)
        self.bn = nn.BatchNorm2d(outputs, eps=0.001)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.bn(self.conv(x)))


def _mean(x: Tensor) -> Tensor:
    # What lies outside does not count; in the network as published later it does.
    return F.avg_pool2d(x, 3, stride=1, padding=1, count_include_pad=False)


class BlockA(nn.Module):
    """35 x 35; Szegedy et al. 2016, figure 5."""

    def __init__(self, inputs: int, pooled: int) -> None:
        super().__init__()
        self.branch1x1 = Conv(inputs, 64, 1)
        self.branch5x5_1, self.branch5x5_2 = Conv(inputs, 48, 1), Conv(48, 64, 5, padding=2)
        self.branch3x3dbl_1 = Conv(inputs, 64, 1)
        self.branch3x3dbl_2 = Conv(64, 96, 3, padding=1)
        self.branch3x3dbl_3 = Conv(96, 96, 3, padding=1)
        self.branch_pool = Conv(inputs, pooled, 1)

    def forward(self, x: Tensor) -> Tensor:
        five = self.branch5x5_2(self.branch5x5_1(x))
        three = self.branch3x3dbl_3(self.branch3x3dbl_2(self.branch3x3dbl_1(x)))
        return torch.cat([self.branch1x1(x), five, three, self.branch_pool(_mean(x))], dim=1)


class BlockB(nn.Module):
    """From 35 x 35 to 17 x 17; figure 10."""

    def __init__(self, inputs: int) -> None:
        super().__init__()
        self.branch3x3 = Conv(inputs, 384, 3, stride=2)
        self.branch3x3dbl_1 = Conv(inputs, 64, 1)
        self.branch3x3dbl_2 = Conv(64, 96, 3, padding=1)
        self.branch3x3dbl_3 = Conv(96, 96, 3, stride=2)

    def forward(self, x: Tensor) -> Tensor:
        three = self.branch3x3dbl_3(self.branch3x3dbl_2(self.branch3x3dbl_1(x)))
        return torch.cat([self.branch3x3(x), three, F.max_pool2d(x, 3, stride=2)], dim=1)


class BlockC(nn.Module):
    """17 x 17, in rows and columns of seven; figure 6."""

    def __init__(self, inputs: int, inner: int) -> None:
        super().__init__()
        self.branch1x1 = Conv(inputs, 192, 1)
        self.branch7x7_1 = Conv(inputs, inner, 1)
        self.branch7x7_2 = Conv(inner, inner, (1, 7), padding=(0, 3))
        self.branch7x7_3 = Conv(inner, 192, (7, 1), padding=(3, 0))
        self.branch7x7dbl_1 = Conv(inputs, inner, 1)
        self.branch7x7dbl_2 = Conv(inner, inner, (7, 1), padding=(3, 0))
        self.branch7x7dbl_3 = Conv(inner, inner, (1, 7), padding=(0, 3))
        self.branch7x7dbl_4 = Conv(inner, inner, (7, 1), padding=(3, 0))
        self.branch7x7dbl_5 = Conv(inner, 192, (1, 7), padding=(0, 3))
        self.branch_pool = Conv(inputs, 192, 1)

    def forward(self, x: Tensor) -> Tensor:
        seven = self.branch7x7_3(self.branch7x7_2(self.branch7x7_1(x)))
        twice = self.branch7x7dbl_3(self.branch7x7dbl_2(self.branch7x7dbl_1(x)))
        twice = self.branch7x7dbl_5(self.branch7x7dbl_4(twice))
        return torch.cat([self.branch1x1(x), seven, twice, self.branch_pool(_mean(x))], dim=1)


class BlockD(nn.Module):
    """From 17 x 17 to 8 x 8; figure 10."""

    def __init__(self, inputs: int) -> None:
        super().__init__()
        self.branch3x3_1, self.branch3x3_2 = Conv(inputs, 192, 1), Conv(192, 320, 3, stride=2)
        self.branch7x7x3_1 = Conv(inputs, 192, 1)
        self.branch7x7x3_2 = Conv(192, 192, (1, 7), padding=(0, 3))
        self.branch7x7x3_3 = Conv(192, 192, (7, 1), padding=(3, 0))
        self.branch7x7x3_4 = Conv(192, 192, 3, stride=2)

    def forward(self, x: Tensor) -> Tensor:
        three = self.branch3x3_2(self.branch3x3_1(x))
        seven = self.branch7x7x3_3(self.branch7x7x3_2(self.branch7x7x3_1(x)))
        return torch.cat([three, self.branch7x7x3_4(seven), F.max_pool2d(x, 3, stride=2)], dim=1)


class BlockE(nn.Module):
    """8 x 8, widened; figure 7. The last one pools by the maximum, an oddity of the weights."""

    def __init__(self, inputs: int, *, by_maximum: bool) -> None:
        super().__init__()
        self.by_maximum = by_maximum
        self.branch1x1 = Conv(inputs, 320, 1)
        self.branch3x3_1 = Conv(inputs, 384, 1)
        self.branch3x3_2a = Conv(384, 384, (1, 3), padding=(0, 1))
        self.branch3x3_2b = Conv(384, 384, (3, 1), padding=(1, 0))
        self.branch3x3dbl_1, self.branch3x3dbl_2 = (
            Conv(inputs, 448, 1),
            Conv(448, 384, 3, padding=1),
        )
        self.branch3x3dbl_3a = Conv(384, 384, (1, 3), padding=(0, 1))
        self.branch3x3dbl_3b = Conv(384, 384, (3, 1), padding=(1, 0))
        self.branch_pool = Conv(inputs, 192, 1)

    def forward(self, x: Tensor) -> Tensor:
        three = self.branch3x3_1(x)
        twice = self.branch3x3dbl_2(self.branch3x3dbl_1(x))
        pooled = F.max_pool2d(x, 3, stride=1, padding=1) if self.by_maximum else _mean(x)
        parts = [
            self.branch1x1(x),
            *(self.branch3x3_2a(three), self.branch3x3_2b(three)),
            *(self.branch3x3dbl_3a(twice), self.branch3x3dbl_3b(twice)),
            self.branch_pool(pooled),
        ]
        return torch.cat(parts, dim=1)


class InceptionV3(nn.Module):
    """Pictures (B, 3, 299, 299) in about [-1, 1] to 2048 numbers; named as the weights are."""

    def __init__(self) -> None:
        super().__init__()
        self.Conv2d_1a_3x3 = Conv(3, 32, 3, stride=2)
        self.Conv2d_2a_3x3 = Conv(32, 32, 3)
        self.Conv2d_2b_3x3 = Conv(32, 64, 3, padding=1)
        self.Conv2d_3b_1x1 = Conv(64, 80, 1)
        self.Conv2d_4a_3x3 = Conv(80, 192, 3)
        self.Mixed_5b, self.Mixed_5c, self.Mixed_5d = (
            BlockA(inputs, pooled) for inputs, pooled in ((192, 32), (256, 64), (288, 64))
        )
        self.Mixed_6a = BlockB(288)
        self.Mixed_6b, self.Mixed_6c, self.Mixed_6d, self.Mixed_6e = (
            BlockC(768, inner) for inner in (128, 160, 160, 192)
        )
        self.Mixed_7a = BlockD(768)
        self.Mixed_7b, self.Mixed_7c = BlockE(1280, by_maximum=False), BlockE(2048, by_maximum=True)

    def forward(self, x: Tensor) -> Tensor:
        x = self.Conv2d_2b_3x3(self.Conv2d_2a_3x3(self.Conv2d_1a_3x3(x)))
        x = self.Conv2d_4a_3x3(self.Conv2d_3b_1x1(F.max_pool2d(x, 3, stride=2)))
        x = self.Mixed_5d(self.Mixed_5c(self.Mixed_5b(F.max_pool2d(x, 3, stride=2))))
        x = self.Mixed_6e(self.Mixed_6d(self.Mixed_6c(self.Mixed_6b(self.Mixed_6a(x)))))
        x = self.Mixed_7c(self.Mixed_7b(self.Mixed_7a(x)))
        return x.mean(dim=(2, 3))


class Inception:
    """The network as an encoder; `name` holds the first digits of its weights' SHA-256."""

    dim = 2048

    def __init__(self, network: InceptionV3, sha256: str, device: torch.device) -> None:
        self._network = network.to(device).requires_grad_(False).eval()
        self._device, self.sha256 = device, sha256
        self.name = f"inception-v3 {sha256[:12]}"

    @property
    def is_published(self) -> bool:
        """Whether distances in this space may be set beside published FIDs and KIDs."""
        return self.sha256 == PUBLISHED

    @torch.no_grad()
    def encode(self, pictures: Pixels) -> Vectors:
        """(B, H, W, 3) uint8 to (B, 2048) float32."""
        seen = torch.from_numpy((fitted(pictures, _SIDE) - 128.0) / 128.0).to(self._device)
        return np.asarray(self._network(seen).cpu().numpy(), dtype=np.float32)


def open_inception(path: Path, device: torch.device) -> Inception:
    """Read the weights from safetensors, or from the very .pth that published FIDs use.

    Raises ConfigError for a missing file or another pickle, DataError for weights of another
    network.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ConfigError(
            f"cannot read the weights of Inception at {path}: {error.strerror}; fetch"
            " pt_inception-2015-12-05-6726825d.pth from the releases of pytorch-fid, and name it"
        ) from error
    sha256 = hashlib.sha256(content).hexdigest()
    if path.suffix == ".safetensors":
        weights = read_tensors(path)
    elif sha256 == PUBLISHED:
        # Known to the last bit; even so only tensors are let out of the pickle.
        weights = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    else:
        raise ConfigError(
            f"{path} is not the file of published FIDs (its SHA-256 is {sha256[:12]}…, not"
            f" {PUBLISHED[:12]}…), and other pickles are never opened: fetch it again, or give"
            " safetensors"
        )
    return Inception(_network(weights, path), sha256, device)


def _network(weights: dict[str, Tensor], path: Path) -> InceptionV3:
    with torch.device("meta"):  # no numbers are drawn that would be overwritten at once
        network = InceptionV3()
    wanted = {name: torch.tensor(0) for name in network.state_dict() if name.endswith(_COUNTER)}
    wanted |= {name: tensor for name, tensor in weights.items() if not name.startswith(_UNUSED)}
    try:
        lacking, strange = network.load_state_dict(wanted, strict=False, assign=True)
    except RuntimeError as error:
        raise DataError(f"{path} holds weights of other shapes than Inception v3's") from error
    if lacking or strange:
        wrong = f"lacks {lacking[0]}" if lacking else f"holds {strange[0]}"
        raise DataError(f"{path} is no Inception v3 of the FID: it {wrong}; fetch it again")
    return network.float()
