"""DINOv2 and CLIP small enough to be built in a test, with random weights, saved as real ones are;
and weights of Inception v3."""

from pathlib import Path
from typing import Any

import torch
import transformers
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from torch import Tensor

from sample.inception import InceptionV3

SIDE = 28
WORDS = ["[PAD]", "[UNK]", "[BOS]", "[EOS]", "a", "photo", "of", "round", "angular", "red", "blue"]
_library: Any = transformers


def build_dinov2(folder: Path) -> Path:
    """16 numbers for each picture of 28 pixels, in patches of 14."""
    torch.manual_seed(1)
    config = _library.Dinov2Config(
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        image_size=SIDE,
        patch_size=14,
    )
    _library.Dinov2Model(config).save_pretrained(folder)
    save_images(folder, _library.BitImageProcessorPil)
    return folder


def build_clip(folder: Path) -> Path:
    """12 numbers for each picture of 28 pixels and each text of at most 10 words."""
    torch.manual_seed(2)
    small = {
        "hidden_size": 16,
        "intermediate_size": 32,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
    }
    config = _library.CLIPConfig(
        text_config={
            **small,
            "vocab_size": len(WORDS),
            "max_position_embeddings": 10,
            "bos_token_id": 2,
            "eos_token_id": 3,
            "pad_token_id": 0,
        },
        vision_config={**small, "image_size": SIDE, "patch_size": 14},
        projection_dim=12,
    )
    _library.CLIPModel(config).save_pretrained(folder)
    save_images(folder, _library.CLIPImageProcessorPil)
    save_tokenizer(folder)
    return folder


def save_images(folder: Path, kind: Any) -> None:
    size = {"height": SIDE, "width": SIDE}
    kind(size={"shortest_edge": SIDE + 4}, crop_size=size).save_pretrained(folder)


def save_tokenizer(folder: Path) -> None:
    words = Tokenizer(models.WordLevel({w: i for i, w in enumerate(WORDS)}, unk_token="[UNK]"))
    words.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    words.post_processor = processors.TemplateProcessing(
        single="[BOS] $A [EOS]", special_tokens=[("[BOS]", 2), ("[EOS]", 3)]
    )
    framed: Any = _library.PreTrainedTokenizerFast
    framed(
        tokenizer_object=words,
        pad_token="[PAD]",
        unk_token="[UNK]",
        bos_token="[BOS]",
        eos_token="[EOS]",
    ).save_pretrained(folder)


def inception_weights(seed: int = 3) -> dict[str, Tensor]:
    """Random ones of the right names and shapes, with the unused classifier beside them."""
    torch.manual_seed(seed)
    weights = dict(InceptionV3().state_dict())
    weights = {name: tensor for name, tensor in weights.items() if not name.endswith("tracked")}
    return weights | {"fc.weight": torch.zeros(1008, 2048), "fc.bias": torch.zeros(1008)}
