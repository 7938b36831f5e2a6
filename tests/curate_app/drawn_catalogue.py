"""Small catalogues of drawn pictures, made through the real ingest."""

import io
import random
from pathlib import Path

from PIL import Image, ImageDraw

from dataset.catalog import Catalog
from dataset.image_store import ImageStore
from dataset.ingest import TakenImage, ingest
from dataset.records import Caption, Origin
from dataset.workspace import Workspace

LABELS = ("bird", "cat", "dog", "fish")
LICENCES = ("CC0-1.0", "CC-BY-4.0", "unknown")
HOSTILE = "<script>document.title='owned'</script><img src=x onerror=\"document.title='owned'\">"


def drawing(seed: int, side: int = 96) -> Image.Image:
    """A picture of overlapping shapes, unlike that of every other seed."""
    dice = random.Random(seed)
    image = Image.new("RGB", (side * 2, side * 2), _colour(dice, 150, 255))
    pen = ImageDraw.Draw(image)
    for _ in range(7):
        x, y = (dice.randrange(-side // 4, side * 2 - side // 2) for _ in range(2))
        box = (x, y, x + dice.randrange(side // 3, side), y + dice.randrange(side // 3, side))
        draw = dice.choice([pen.ellipse, pen.rectangle])
        draw(box, fill=_colour(dice, 0, 230))
    return image.resize((side, side), Image.Resampling.LANCZOS)


def _colour(dice: random.Random, low: int, high: int) -> tuple[int, int, int]:
    return dice.randint(low, high), dice.randint(low, high), dice.randint(low, high)


def png(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


class DrawnCatalogue:
    """A data folder under construction: every method adds one picture and returns its number."""

    def __init__(self, data: Path) -> None:
        self.data = data
        self._workspace = Workspace(data)
        self._count = 0
        Catalog(self._workspace.catalog).close()

    def open(self) -> Catalog:
        return Catalog(self._workspace.catalog, create=False)

    def add(
        self, image: Image.Image, *, caption: str = "", label: str = "", licence: str = "unknown"
    ) -> int:
        with self.open() as catalog:
            return self._add(catalog, image, caption, label, licence)

    def _add(
        self, catalog: Catalog, image: Image.Image, caption: str, label: str, licence: str
    ) -> int:
        self._count += 1
        page = f"http://pictures.test/{self._count}"
        origin = Origin(
            url=f"{page}.png", page_url=page, source="drawn", author="a tester", licence=licence
        )
        captions = [Caption(text=caption, origin="card")] if caption else []
        store = ImageStore(self._workspace.images)
        taken = ingest(catalog, store, png(image), origin, captions, label=label)
        assert isinstance(taken, TakenImage)
        assert taken.is_new, "the test means to add a new picture"
        return taken.image_id

    def add_many(self, count: int, *, side: int = 48) -> list[int]:
        """Different pictures with captions; classes and licences take turns."""
        with self.open() as catalog, catalog.transaction():
            return [
                self._add(
                    catalog,
                    drawing(seed, side),
                    f"Drawing number {seed}",
                    LABELS[seed % len(LABELS)],
                    LICENCES[seed % len(LICENCES)],
                )
                for seed in range(self._count, self._count + count)
            ]

    def add_pair(self, seed: int) -> tuple[int, int]:
        """A small picture and then a larger copy of it, which is the better one."""
        small = self.add(drawing(seed, 128).resize((64, 64)), caption=f"Small copy {seed}")
        large = self.add(drawing(seed, 128), caption=f"Large one {seed}")
        return small, large

    def add_blank(self, grey: int) -> int:
        return self.add(Image.new("RGB", (64, 64), (grey, grey, grey)), caption="Nothing on it")

    def add_collage(self, seed: int) -> int:
        """Four pictures in a grid with straight seams between them."""
        sheet = Image.new("RGB", (128, 128))
        for place, ground in enumerate(
            [(250, 40, 40), (40, 250, 40), (40, 40, 250), (250, 250, 40)]
        ):
            part = Image.new("RGB", (64, 64), ground)
            part.paste(drawing(seed + place, 40), (12, 12))
            sheet.paste(part, (64 * (place % 2), 64 * (place // 2)))
        return self.add(sheet, caption="Four in one")
