"""What drawn pictures were to show: captions from beside them, or of their classes."""

import json
from collections.abc import Sequence
from pathlib import Path

from dataset.errors import ConfigError
from sample.pictures import MANIFEST, PictureFile

METADATA = "metadata.jsonl"  # as datasets of Hugging Face have it: file_name and text


def captions_of(folder: Path, files: Sequence[PictureFile], template: str) -> list[str]:
    """One for each file, "" where nothing is known.

    With a `template` such as "a photo of a {label}" the class speaks; else `caption` in the
    manifest, or `text` in metadata.jsonl.
    """
    if template:
        return [filled(template, file.label_name) for file in files]
    said = _of_metadata(folder / METADATA) | _of_manifest(folder / MANIFEST)
    return [said.get(file.name, "") for file in files]


def filled(template: str, label: str) -> str:
    """The template with the name of a class in it; "" without a class."""
    return template.replace("{label}", label) if label else ""


def check_template(template: str) -> None:
    """Raise ConfigError unless `template` is empty or has a place for the class."""
    if template and "{label}" not in template:
        raise ConfigError(f"caption_as is {template!r}; it must hold {{label}}, or be empty")


def _of_manifest(path: Path) -> dict[str, str]:
    try:
        listed = json.loads(path.read_text("utf-8"))["pictures"]
        return {str(entry["file"]): str(entry.get("caption") or "") for entry in listed}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}


def _of_metadata(path: Path) -> dict[str, str]:
    """Lines that are not as they should be say nothing."""
    said = {}
    try:
        lines = path.read_text("utf-8").splitlines()
    except (OSError, ValueError):
        return {}
    for line in lines:
        try:
            entry = json.loads(line)
            said[str(entry["file_name"])] = str(entry.get("text") or "")
        except (ValueError, KeyError, TypeError, AttributeError):
            continue
    return said
