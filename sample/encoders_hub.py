"""DINOv2 and CLIP as spaces: from a folder of safetensors, or by their name in the hub.

The only module of this stage that knows transformers, imported when a model is asked for.
"""

import logging
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from dataset.errors import ConfigError, DataError, WorldError
from dataset.model_folder import HUB_NAME, check_weights, explained, files_checksum
from dataset.pixels import Pixels
from sample.embed import Vectors
from sample.fitting import fitted

_MOST_TEXTS = 256  # at once


@dataclass(frozen=True)
class Look:
    """How a model wants to see pictures: `side` pixels, mean and deviation of each channel."""

    side: int
    mean: tuple[float, float, float]
    deviation: tuple[float, float, float]

    def at(self, pictures: Pixels, device: torch.device) -> Tensor:
        """(B, H, W, 3) uint8 to (B, 3, side, side), the whole picture: no edge is cut off."""
        seen = torch.from_numpy(fitted(pictures, self.side)).to(device) / 255.0
        mean, deviation = (
            torch.tensor(values, device=device).view(1, 3, 1, 1)
            for values in (self.mean, self.deviation)
        )
        return (seen - mean) / deviation


class Dinov2:
    """The class token after the last norm (Oquab et al. 2023), as Stein et al. 2023 compare by."""

    def __init__(self, network: Any, look: Look, name: str, device: torch.device) -> None:
        self._network, self._look, self._device = network.to(device).eval(), look, device
        self.name, self.dim = name, int(network.config.hidden_size)

    @torch.no_grad()
    def encode(self, pictures: Pixels) -> Vectors:
        """(B, H, W, 3) uint8 to (B, dim) float32."""
        found = self._network(pixel_values=self._look.at(pictures, self._device)).pooler_output
        return np.asarray(found.float().cpu().numpy(), dtype=np.float32)


class Clip:
    """Pictures and texts in one space (Radford et al. 2021); vectors of unit length."""

    def __init__(
        self, network: Any, look: Look, tokenizer: Any, name: str, device: torch.device
    ) -> None:
        self._network, self._look, self._device = network.to(device).eval(), look, device
        self._tokenizer = tokenizer
        self.name, self.dim = name, int(network.config.projection_dim)

    @torch.no_grad()
    def encode(self, pictures: Pixels) -> Vectors:
        """(B, H, W, 3) uint8 to (B, dim) float32."""
        pixels = self._look.at(pictures, self._device)
        return _unit(self._network.get_image_features(pixel_values=pixels))

    @torch.no_grad()
    def encode_texts(self, texts: list[str]) -> Vectors:
        """B texts to (B, dim) float32; what is too long for the model is cut."""
        found = []
        most = int(self._network.config.text_config.max_position_embeddings)
        for start in range(0, len(texts), _MOST_TEXTS):
            words = self._tokenizer(
                texts[start : start + _MOST_TEXTS],
                padding=True,
                truncation=True,
                max_length=most,
                return_tensors="pt",
            ).to(self._device)
            asked = {name: words[name] for name in ("input_ids", "attention_mask")}
            found.append(_unit(self._network.get_text_features(**asked)))
        return np.concatenate(found) if found else np.empty((0, self.dim), np.float32)


def open_hub_encoder(
    kind: str, place: str, device: torch.device, *, online: bool = False
) -> Dinov2 | Clip:
    """A model of `kind` dinov2 or clip; without `online` a hub name must be in the cache.

    Raises ConfigError for no such folder, DataError for a model of another kind or a damaged one,
    WorldError without transformers or when the hub is silent.
    """
    library = _transformers()
    folder = Path(place)
    is_folder = folder.is_dir()
    if is_folder:
        check_weights(folder)
        version = files_checksum(folder)
    elif HUB_NAME.fullmatch(place):
        version = _commit(library, place, online)
    else:
        raise ConfigError(f"no model folder at {place}, and it is no hub name such as owner/name")
    options: dict[str, Any] = {
        "revision": None if is_folder else version,
        "local_files_only": is_folder or not online,
        "trust_remote_code": False,
    }
    with explained(place, is_folder):
        config = library.AutoConfig.from_pretrained(place, **options)
        if config.model_type != kind:
            raise DataError(f"model {place} is of the kind {config.model_type}, not {kind}")
        images = library.AutoImageProcessor.from_pretrained(place, backend="pil", **options)
        network, found = library.AutoModel.from_pretrained(
            place, use_safetensors=True, dtype="float32", output_loading_info=True, **options
        )
        if found["missing_keys"]:
            lacking = min(found["missing_keys"])
            raise DataError(f"model {place} lacks the weights {lacking}; fetch the model again")
        name = f"{kind} {folder.resolve().name if is_folder else place} {version[:12]}"
        if kind == "dinov2":
            return Dinov2(network, _look(images), name, device)
        tokenizer = library.AutoTokenizer.from_pretrained(place, **options)
        return Clip(network, _look(images), tokenizer, name, device)


def _commit(library: Any, name: str, online: bool) -> str:
    """The commit that a hub name stands for: of the cache, or asked for now."""
    try:
        path = library.utils.cached_file(name, "config.json", local_files_only=not online)
    except OSError as error:
        said = str(error).strip().splitlines()[0]
        hint = "check the name and the network" if online else "allow it with --fetch"
        raise WorldError(f"model {name} is not at hand: {said}; {hint}") from error
    return Path(path).parent.name


def _look(images: Any) -> Look:
    """Of the crop if there is one: models are resized to more and cut to that."""
    size = dict(getattr(images, "crop_size", None) or images.size)
    side = size.get("height") or size.get("shortest_edge")
    if not side:
        raise DataError(f"the size of pictures is unknown in the model's preprocessor: {size}")
    return Look(int(side), tuple(images.image_mean), tuple(images.image_std))


def _unit(features: Any) -> Vectors:
    pooled = getattr(features, "pooler_output", features)
    vectors = torch.nn.functional.normalize(pooled.float(), dim=1)
    return np.asarray(vectors.cpu().numpy(), dtype=np.float32)


def _transformers() -> Any:
    """The library, made quiet; raises WorldError when it is not installed, or does not load."""
    try:
        import transformers
    except (ImportError, RuntimeError) as error:
        raise WorldError(
            "DINOv2 and CLIP need transformers, which is not installed or does not load: pip"
            " install -e '.[encoders]'"
        ) from error
    library: Any = transformers
    library.logging.set_verbosity_error()
    for noisy in ("httpx", "httpcore", "huggingface_hub"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    if not sys.stderr.isatty():
        library.logging.disable_progress_bar()
    return library
