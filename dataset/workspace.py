"""Where things lie inside one data folder (`--data DIR`)."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from dataset.errors import ConfigError, WorldError


@dataclass(frozen=True)
class Workspace:
    """The layout of a data folder: catalogue, pictures, packs, reports."""

    root: Path

    def __post_init__(self) -> None:
        if self.root.is_file():
            raise ConfigError(f"--data {self.root} is a file; give the folder of the catalogue")

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

    @contextmanager
    def locked(self, work: str) -> Iterator[None]:
        """Hold `work` in this folder for this process; raises WorldError if another one does it."""
        self.root.mkdir(parents=True, exist_ok=True)
        with (self.root / f".{work}").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise WorldError(
                    f"another process is {work} in {self.root}; wait for it or stop it"
                ) from error
            yield

    def require_catalog(self) -> Path:
        """The catalogue's path; raises ConfigError when there is none yet."""
        if not self.catalog.is_file():
            raise ConfigError(
                f"no catalogue at {self.catalog}; collect pictures first "
                f"(python -m scrape run) or check --data"
            )
        return self.catalog
