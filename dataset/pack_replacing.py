"""What a pack that is about to be written replaces: said before, so that none is lost silently."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dataset.errors import ConfigError, PipelineError
from dataset.packed import PackedDataset


def replaced(path: Path, config: Mapping[str, Any]) -> str:
    """One line about the file at `path` when it is no pack made with `config`; "" when it is, or
    there is none."""
    if not path.exists():
        return ""
    try:
        old = PackedDataset(path)
    except PipelineError:
        return f"replaces {path}, which is no whole pack"
    changed = sorted(key for key in config if old.config.get(key) != config[key])
    if not changed:
        return ""
    keys = ", ".join(changed[:6]) + (", ..." if len(changed) > 6 else "")
    return (
        f"replaces {path}: {len(old)} pictures of {old.width} px made with another config "
        f"({keys}); another name keeps both"
    )


def check_replaceable(path: Path, *, replace: bool) -> None:
    """Raises ConfigError for a file that is not to be written over: one that is no pack, and a
    pack unless that is asked for."""
    if not path.exists():
        return
    try:
        old = PackedDataset(path)
    except PipelineError as error:
        raise ConfigError(f"{path} is there and is no whole pack; choose another --pack") from error
    if not replace:
        raise ConfigError(
            f"{path} is a pack of {len(old)} pictures already; choose another --pack, or add "
            "--replace"
        )
