"""Where things lie inside one data folder (`--data DIR`)."""

from dataclasses import dataclass
from pathlib import Path

from dataset.errors import ConfigError


@dataclass(frozen=True)
class Workspace:
    """The layout of a data folder: catalogue, pictures, packs, reports."""

    root: Path

    @property
    def catalog(self) -> Path:
        return self.root / "catalog.sqlite"

    @property
    def images(self) -> Path:
        return self.root / "images"

    @property
    def packs(self) -> Path:
        return self.root / "packs"

    @property
    def reports(self) -> Path:
        return self.root / "reports"

    def pack(self, name: str) -> Path:
        return self.packs / f"{name}.h5"

    def require_catalog(self) -> Path:
        """The catalogue's path; raises ConfigError when there is none yet."""
        if not self.catalog.is_file():
            raise ConfigError(
                f"no catalogue at {self.catalog}; collect pictures first "
                f"(python -m scrape run) or check --data"
            )
        return self.catalog
