"""Captioning models small enough to be built in a test: they learn to name a picture's colour."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers
from PIL import Image
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from torch import Tensor

from dataset.pixels import Pixels
from tests.dataset.pictures import encoded

COLOURS = {"red": (220, 20, 30), "green": (20, 190, 40), "blue": (30, 40, 230)}
_SIDE = 16
_WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "a", "plain", "picture", "in", *COLOURS]
_PAD, _CLS, _SEP = 0, 2, 3


def caption_of(colour: str) -> str:
    return f"a plain picture in {colour}"


def plain(colour: str, shade: int = 0, size: tuple[int, int] = (40, 30)) -> Image.Image:
    red, green, blue = COLOURS[colour]
    return Image.new("RGB", size, (red + shade, green + shade, blue + shade))


def plain_bytes(colour: str, shade: int = 0) -> bytes:
    return encoded(plain(colour, shade))


def plain_pixels(colour: str, shade: int = 0) -> Pixels:
    return np.asarray(plain(colour, shade))


def save_tokenizer(folder: Path) -> Any:
    """A tokenizer of whole words that frames every text as [CLS] text [SEP]."""
    words = Tokenizer(models.WordLevel({w: i for i, w in enumerate(_WORDS)}, unk_token="[UNK]"))
    words.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    words.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", _CLS), ("[SEP]", _SEP)]
    )
    framed: Any = transformers.PreTrainedTokenizerFast
    tokenizer = framed(
        tokenizer_object=words,
        pad_token="[PAD]",
        unk_token="[UNK]",
        cls_token="[CLS]",
        sep_token="[SEP]",
    )
    tokenizer.save_pretrained(folder)
    return tokenizer


def save_images(folder: Path, kind: type) -> Any:
    size = {"height": _SIDE, "width": _SIDE}
    options = {"do_center_crop": False} if "CLIP" in kind.__name__ else {}
    images = kind(size=size, **options)
    images.save_pretrained(folder)
    return images


def build_vit_gpt2(folder: Path) -> Path:
    """Train a ViT-GPT2 on plain colours (about two seconds) and save it with all it needs."""
    torch.manual_seed(0)
    tokenizer = save_tokenizer(folder)
    images = save_images(folder, transformers.ViTImageProcessorPil)
    config = transformers.VisionEncoderDecoderConfig(
        encoder=_vision(transformers.ViTConfig, model_type="vit"),
        decoder=transformers.GPT2Config(
            n_embd=16,
            n_layer=1,
            n_head=2,
            vocab_size=len(_WORDS),
            n_positions=24,
            bos_token_id=_CLS,
            eos_token_id=_SEP,
            pad_token_id=_PAD,
            add_cross_attention=True,
            resid_pdrop=0.0,
            embd_pdrop=0.0,
            attn_pdrop=0.0,
        ).to_dict(),
    )
    config.decoder_start_token_id, config.pad_token_id, config.eos_token_id = _CLS, _PAD, _SEP
    model: Any = transformers.VisionEncoderDecoderModel(config)
    generation = model.generation_config
    generation.decoder_start_token_id, generation.bos_token_id = _CLS, _CLS
    generation.eos_token_id, generation.pad_token_id = _SEP, _PAD
    model.decoder.config.is_decoder = True
    ids, pixels = _lesson(tokenizer, images)
    _learn(model, lambda: model(pixel_values=pixels, labels=ids[:, 1:]).loss)
    model.save_pretrained(folder)
    return folder


def build_blip(folder: Path) -> Path:
    torch.manual_seed(0)
    tokenizer = save_tokenizer(folder)
    images = save_images(folder, transformers.BlipImageProcessorPil)
    text = _text() | {"bos_token_id": _CLS, "encoder_hidden_size": 16, "is_decoder": True}
    text |= {"hidden_dropout_prob": 0.0, "projection_dim": 16, "sep_token_id": _SEP}
    config = transformers.BlipConfig(
        text_config=text,
        vision_config=_vision(transformers.BlipVisionConfig),
        projection_dim=16,
        image_text_hidden_size=16,
    )
    model: Any = transformers.BlipForConditionalGeneration(config)
    ids, pixels = _lesson(tokenizer, images)
    _learn(model, lambda: model(pixel_values=pixels, input_ids=ids, labels=ids).loss)
    model.save_pretrained(folder)
    return folder


def build_git(folder: Path) -> Path:
    torch.manual_seed(0)
    tokenizer = save_tokenizer(folder)
    images = save_images(folder, transformers.CLIPImageProcessorPil)
    config = transformers.GitConfig(
        vision_config=_vision(transformers.GitVisionConfig),
        bos_token_id=_CLS,
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
        **_text(),
    )
    model: Any = transformers.GitForCausalLM(config)
    ids, pixels = _lesson(tokenizer, images)
    _learn(model, lambda: model(pixel_values=pixels, input_ids=ids, labels=ids).loss)
    model.save_pretrained(folder)
    return folder


def _vision(kind: Any, **more: Any) -> dict[str, Any]:
    config = kind(
        hidden_size=16,
        intermediate_size=32,
        num_hidden_layers=1,
        num_attention_heads=2,
        image_size=_SIDE,
        patch_size=8,
    )
    return {**config.to_dict(), **more}


def _text() -> dict[str, Any]:
    return {
        "vocab_size": len(_WORDS),
        "hidden_size": 16,
        "intermediate_size": 32,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "max_position_embeddings": 24,
        "eos_token_id": _SEP,
        "pad_token_id": _PAD,
    }


def _lesson(tokenizer: Any, images: Any) -> tuple[Tensor, Tensor]:
    """The texts (3, 7) and the pictures (3, 3, 16, 16) to learn from."""
    ids = tokenizer([caption_of(colour) for colour in COLOURS], return_tensors="pt")["input_ids"]
    drawn = [plain(colour) for colour in COLOURS]
    return ids, images(images=drawn, return_tensors="pt")["pixel_values"]


def _learn(model: Any, loss_of: Any) -> None:
    optimiser = torch.optim.Adam(model.parameters(), lr=1e-2)
    model.train()
    for _ in range(300):
        loss = loss_of()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        if float(loss.detach()) < 0.02:
            break
    model.eval()
