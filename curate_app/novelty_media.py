"""The pictures of a novelty check for the browser: decoded, encoded anew, cached by their hash."""

import hashlib
from pathlib import Path

import numpy as np
from flask import Response, abort

from curate_app.desk import desk
from curate_app.inspections import Checked
from curate_app.picture_sets import as_png
from curate_app.unchecked import opened, pack_with
from dataset.composite import composite
from dataset.errors import DataError, PipelineError
from dataset.packed import PackedDataset
from dataset.pixels import PixelLimits, Pixels, decode

_CACHED_FOR_EVER = "private, max-age=31536000, immutable"
_LIMITS = PixelLimits(min_side=1)
_LARGEST_FILE = 64 * 1024 * 1024


def sample_picture(check: Checked, sha256: str) -> Response:
    """One checked picture, as it was when it was checked; 404 for any other."""
    found = check.by_sha256.get(sha256)
    if found is None:
        abort(404)
    path = check.folder / found.file
    try:
        if path.is_symlink() or path.stat().st_size > _LARGEST_FILE:
            abort(404)
        content = path.read_bytes()
    except OSError:
        abort(404, f"{found.file} is not there any more")
    if hashlib.sha256(content).hexdigest() != sha256:
        abort(404, f"{found.file} is another picture than the one that was checked")
    try:
        return _answer(decode(content, limits=_LIMITS).rgb)
    except DataError as error:
        abort(404, str(error))


def training_picture(check: Checked, row: int) -> Response:
    """One picture of the pack that was compared with; 404 where that pack is gone or another."""
    pack = pack_of(check)
    if pack is None or not 0 <= row < len(pack):
        abort(404, "the pack that was compared with is not there any more")
    try:
        pixels = pack.read(row, row + 1)[0]  # (C, H, W)
    except (PipelineError, OSError):
        abort(404, "the pack that was compared with cannot be read")
    upright = np.ascontiguousarray(pixels.transpose(1, 2, 0))
    if upright.shape[2] == 4:
        return _answer(composite(upright))
    return _answer(upright if upright.shape[2] == 3 else np.repeat(upright[..., :1], 3, axis=2))


def pack_of(check: Checked) -> PackedDataset | None:
    """The pack that the folder was compared with, if it still is that one."""
    found = opened(Path(check.pack_path))
    if found is not None and found.content_hash == check.pack_hash:
        return found
    return pack_with(desk().data, check.pack_hash)  # it may lie elsewhere now


def _answer(pixels: Pixels) -> Response:
    sha256, content = as_png(pixels)
    response = Response(content, mimetype="image/png")
    response.set_etag(sha256)
    response.headers["Cache-Control"] = _CACHED_FOR_EVER
    return response
