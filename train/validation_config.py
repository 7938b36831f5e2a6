"""How often the run is measured on pictures that it does not learn from, and when it stops."""

from dataclasses import dataclass

from train.checked import require


@dataclass(frozen=True, kw_only=True)
class ValidationConfig:
    """The loss of the averaged weights on the pack's split test, always at the same noise."""

    every_images: int = 0  # 0: never
    pictures: int = 512  # at most so many of the split
    patience: int = 0  # stop after so many measurements without a better one; 0: never stop

    def __post_init__(self) -> None:
        require(self.every_images >= 0, "validation.every_images", self.every_images, "0 or more")
        require(self.pictures >= 1, "validation.pictures", self.pictures, "at least 1")
        require(self.patience >= 0, "validation.patience", self.patience, "0 or more")
