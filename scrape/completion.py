"""Which sources were crawled to their end, so that a repeated demo has nothing to do."""

import hashlib
import json
import logging
from pathlib import Path
from typing import Any

from dataset import atomic_file
from dataset.config import to_mapping
from dataset.workspace import Workspace
from scrape.sources import SourceSpec

log = logging.getLogger(__name__)


def spec_hash(spec: SourceSpec, identity: str = "") -> str:
    """Names a declaration, and with `identity` what it was read from, as hexadecimal text."""
    text = json.dumps([to_mapping(spec), identity], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


class Completions:
    """DATA/crawl.json: the hash of every source's declaration as it was when read to its end."""

    def __init__(self, workspace: Workspace) -> None:
        self.path: Path = workspace.root / "crawl.json"

    def has(self, name: str, spec: str) -> bool:
        return bool(self._read().get(name) == spec)

    def add(self, name: str, spec: str) -> None:
        atomic_file.write_json(self.path, {**self._read(), name: spec})

    def _read(self) -> dict[str, Any]:
        """What is remembered; a damaged memory only costs a crawl that finds nothing new."""
        try:
            content = json.loads(self.path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return {}
        except ValueError:
            log.warning("%s cannot be read and is started anew", self.path)
            return {}
        return content if isinstance(content, dict) else {}
