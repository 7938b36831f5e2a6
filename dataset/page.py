"""Pages for eyes that stand alone: thumbnails lie inside them, nothing is loaded or run."""

import base64
import io
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from jinja2 import Environment, PackageLoader, StrictUndefined
from PIL import Image

from dataset import atomic_file
from dataset.errors import ConfigError, PipelineError
from dataset.image_store import ImageStore
from dataset.pixels import PixelLimits, decode
from dataset.progress import track

_THUMBNAIL_SIDE = 200
# The store holds only what was taken in, perhaps under other limits than the default ones.
_ACCEPTED = PixelLimits(max_bytes=1 << 40, min_side=1, max_aspect=1e9)


def write_page(
    path: Path, template: str, filters: Mapping[str, Callable[..., str]], **values: Any
) -> None:
    """Write the page that `template` makes of `values` to `path`; every text in it is escaped.

    Raises ConfigError when `path` names a folder.
    """
    if path.is_dir():
        raise ConfigError(f"{path} is a folder; check the path, a page is a file such as page.html")
    environment = Environment(
        loader=PackageLoader("dataset"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(filters)
    atomic_file.write_text(path, environment.get_template(template).render(values))


def web_link(url: str) -> str | None:
    """The address if a click on it may leave a page (http or https), else None."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return None
    return url if parts.scheme in ("http", "https") and parts.netloc else None


def thumbnail_uris(store: ImageStore, sha256s: Collection[str]) -> dict[str, str]:
    """A small WebP of each stored picture as a data: URI; "" for one missing or damaged."""
    distinct = dict.fromkeys(sha256s)
    shown = track(distinct, "thumbnails", len(distinct), "pictures")
    return {sha256: _thumbnail_uri(store, sha256) for sha256 in shown}


def _thumbnail_uri(store: ImageStore, sha256: str) -> str:
    try:
        picture = Image.fromarray(decode(store.get(sha256), limits=_ACCEPTED).rgb)
    except PipelineError:
        return ""
    picture.thumbnail((_THUMBNAIL_SIDE, _THUMBNAIL_SIDE), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    picture.save(buffer, "WEBP", quality=78, method=2)
    return "data:image/webp;base64," + base64.b64encode(buffer.getvalue()).decode()
