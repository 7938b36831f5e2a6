"""A model that says in words what a picture shows: found, loaded from safetensors alone, and run.

The only module that knows transformers, imported when a model is asked for and not before.
"""

import importlib.util
import logging
import re
import sys
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from PIL import Image

from dataset.errors import ConfigError, DataError, WorldError
from dataset.model_folder import HUB_NAME, check_weights, explained, files_checksum
from dataset.pixels import Pixels

log = logging.getLogger(__name__)

Device = Literal["auto", "cpu", "cuda"]
# Kinds of models that caption a picture without a conversation around it.
MODEL_KINDS = ("blip", "git", "vision-encoder-decoder")
MOST_TOKENS = 256
_COMMIT = re.compile(r"[0-9a-f]{40}")
_MOST_CHARACTERS = 500


@dataclass(frozen=True, kw_only=True)
class CaptionModel:
    """A model that was found: `location` is its folder or hub name, `kind` one of MODEL_KINDS.

    `version` is the commit of a hub model, or a SHA-256 over the files of a folder.
    """

    name: str
    location: str
    version: str
    kind: str
    is_folder: bool

    def origin(self, prompt: str = "") -> str:
        """How captions of this model and prompt are told from all others in the catalogue."""
        asked = f' prompt "{prompt}"' if prompt else ""
        return f"model {self.name}@{self.version[:12]}{asked}"


def find_model(model: str, revision: str | None = None) -> CaptionModel:
    """Find a model by folder or by its name in the hub, without loading its weights.

    Raises ConfigError when transformers is missing, or when the model is not there or cannot
    caption; DataError when the files of a folder are not sound; WorldError when the hub is silent.
    """
    transformers = _transformers()
    folder = Path(model)
    is_folder = folder.is_dir()
    if is_folder:
        if revision is not None:
            raise ConfigError("--revision is for models of the hub; a folder has none")
        check_weights(folder)
        version, name = files_checksum(folder), folder.resolve().name
    elif HUB_NAME.fullmatch(model):
        version, name = _hub_commit(model, revision), model
    else:
        raise ConfigError(f"no model folder at {model}, and it is no hub name such as owner/name")
    with explained(model, is_folder):
        config = transformers.AutoConfig.from_pretrained(
            model,
            revision=None if is_folder else version,
            local_files_only=is_folder,
            trust_remote_code=False,
        )
    if config.model_type not in MODEL_KINDS:
        raise ConfigError(
            f"model {model} is of the kind {config.model_type}, which writes no captions here; "
            f"choose one of: {', '.join(MODEL_KINDS)}"
        )
    return CaptionModel(
        name=name, location=model, version=version, kind=config.model_type, is_folder=is_folder
    )


class Captioner:
    """A loaded model; the same pictures give the same captions (no sampling).

    `prompt` is how the captions shall begin (blip and git only), `max_tokens` how long they may be.
    """

    def __init__(
        self,
        model: CaptionModel,
        *,
        prompt: str = "",
        max_tokens: int = 32,
        device: Device = "auto",
    ) -> None:
        if not 1 <= max_tokens <= MOST_TOKENS:
            raise ConfigError(f"--max-tokens is {max_tokens}; it must be 1 to {MOST_TOKENS}")
        if prompt and model.kind == "vision-encoder-decoder":
            raise ConfigError(f"model {model.name} takes no prompt; leave --prompt out")
        self.model, self.prompt, self.max_tokens = model, prompt, max_tokens
        self.origin = model.origin(prompt)
        self._device = _device(device)
        self._load()

    def _load(self) -> None:
        transformers = _transformers()
        where = self.model.location
        options: dict[str, Any] = {
            "trust_remote_code": False,
            "local_files_only": self.model.is_folder,
            "revision": None if self.model.is_folder else self.model.version,
        }
        log.info("loading %s on %s", self.origin, self._device)
        with explained(where, self.model.is_folder):
            self._tokenizer = transformers.AutoTokenizer.from_pretrained(where, **options)
            self._images = transformers.AutoImageProcessor.from_pretrained(
                where, backend="pil", **options
            )
            network, found = transformers.AutoModelForImageTextToText.from_pretrained(
                where, use_safetensors=True, dtype="float32", output_loading_info=True, **options
            )
            # A pooler is left out of many files: no caption passes through it.
            lacking = sorted(key for key in found["missing_keys"] if "pooler" not in key)
            if lacking:
                raise DataError(
                    f"model {where} lacks the weights {lacking[0]} "
                    f"({len(lacking)} in all); fetch the model again"
                )
            self._network = network.to(self._device).eval()

    def describe(self, pictures: Sequence[Pixels]) -> list[str]:
        """One text for each picture, (H, W, 3) uint8; empty where the model said nothing.

        Raises WorldError when memory runs out, ConfigError when the texts get too long for it.
        """
        images = [Image.fromarray(rgb) for rgb in pictures]
        try:
            inputs = dict(self._images(images=images, return_tensors="pt").to(self._device))
            asked = {"pixel_values": inputs["pixel_values"], **self._prompted(len(images))}
            tokens = self._network.generate(
                **asked, max_new_tokens=self.max_tokens, do_sample=False
            )
        except IndexError as error:
            raise ConfigError(
                f"model {self.model.name} cannot write that much; choose a smaller --max-tokens"
            ) from error
        except (RuntimeError, MemoryError) as error:
            if isinstance(error, RuntimeError) and "memory" not in str(error):
                raise
            raise WorldError(
                f"no memory for {len(images)} pictures at once on {self._device}; "
                "choose a smaller --batch"
            ) from error
        texts = self._tokenizer.batch_decode(tokens, skip_special_tokens=True)
        return [clean_text(text) for text in texts]

    def _prompted(self, count: int) -> dict[str, Any]:
        if not self.prompt:
            return {}
        if self.model.kind == "git":  # the text goes on after these, so no closing token
            text = f"{self._tokenizer.cls_token} {self.prompt}"
            encoded = self._tokenizer([text] * count, add_special_tokens=False, return_tensors="pt")
        else:
            encoded = self._tokenizer([self.prompt] * count, return_tensors="pt")
        encoded = encoded.to(self._device)
        return {"input_ids": encoded["input_ids"], "attention_mask": encoded["attention_mask"]}


def clean_text(text: str) -> str:
    """`text` on one line, without control characters, cut at a word before 500 characters."""
    kept = "".join(" " if unicodedata.category(sign)[0] == "C" else sign for sign in text)
    line = " ".join(kept.split())
    if len(line) <= _MOST_CHARACTERS:
        return line
    return line[:_MOST_CHARACTERS].rsplit(" ", 1)[0]


def fault_of(text: str) -> str | None:
    """Why `text` is no caption: empty (no word in it), repeated (a loop of the model), or None."""
    if not any(sign.isalnum() for sign in text):
        return "empty"
    if re.search(r"(.)\1{7}", text):
        return "repeated"
    words = text.lower().replace(",", " ").replace(".", " ").split()
    for length in range(1, 9):
        for start in range(len(words) - 3 * length + 1):
            phrase = words[start : start + length]
            if words[start : start + 3 * length] == phrase * 3:
                return "repeated"
    return None


def _transformers() -> Any:
    """The library, made quiet; raises ConfigError when it or its torch is not installed."""
    lacking = [name for name in ("transformers", "torch") if importlib.util.find_spec(name) is None]
    if lacking:
        raise ConfigError(
            f"captioning needs {' and '.join(lacking)}; install the extra: "
            "python -m pip install -e '.[caption]'"
        )
    import transformers

    library: Any = transformers
    library.logging.set_verbosity_error()
    for noisy in ("httpx", "httpx2", "httpcore", "huggingface_hub"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    if not sys.stderr.isatty():
        library.logging.disable_progress_bar()
    return library


def _hub_commit(model: str, revision: str | None) -> str:
    """The commit that `revision` is now; the cache of the hub keeps a folder for each commit."""
    with explained(model, is_folder=False):
        path = _transformers().utils.cached_file(model, "config.json", revision=revision)
    commit = Path(path).parent.name
    if not _COMMIT.fullmatch(commit):
        raise WorldError(f"the hub names no commit of model {model}; fetch it to a folder instead")
    return commit


def _device(wanted: Device) -> str:
    has_cuda = _transformers().utils.is_torch_cuda_available()
    if wanted == "cuda" and not has_cuda:
        raise ConfigError("--device cuda: no CUDA device here; use --device cpu")
    return "cuda" if has_cuda and wanted != "cpu" else "cpu"
