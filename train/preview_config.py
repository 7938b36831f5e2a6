"""When sheets are drawn while training, and how."""

from dataclasses import dataclass

from train.checked import require


@dataclass(frozen=True, kw_only=True)
class PreviewConfig:
    """Sheets drawn from the averaged weights while training."""

    every_images: int = 50_000  # 0: only at the end
    per_class: int = 4
    steps: int = 16
    guidance: float = 2.0

    def __post_init__(self) -> None:
        require(self.every_images >= 0, "preview.every_images", self.every_images, "0 or more")
        require(self.per_class >= 1, "preview.per_class", self.per_class, "at least 1")
        require(self.steps >= 1, "preview.steps", self.steps, "at least 1")
        require(self.guidance >= 0, "preview.guidance", self.guidance, "0 or more")
