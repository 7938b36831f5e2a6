"""Serves the pictures: our own encoding of them, cached for ever because addresses hold hashes."""

import re

from flask import Blueprint, Response, abort, send_file

from curate_app.desk import catalog, desk
from curate_app.thumbnails import KINDS, VERSION, media_type
from dataset.errors import DataError

blueprint = Blueprint("media", __name__)

_CACHED_FOR_EVER = "private, max-age=31536000, immutable"


@blueprint.get("/media/<kind>-v<int:version>/<sha256>.img")
def show(kind: str, version: int, sha256: str) -> Response:
    """One picture as JPEG or PNG; 404 unless the kind, the version and the picture are known."""
    known = [name for name in KINDS if name == kind]
    if not known or version != VERSION or re.fullmatch("[0-9a-f]{64}", sha256) is None:
        abort(404)
    thumbnails = desk().thumbnails
    if not thumbnails.path(sha256, known[0]).exists() and not catalog().images.by_sha256(sha256):
        abort(404)
    try:
        path = thumbnails.make(sha256, known[0])
    except DataError as error:
        abort(404, str(error))
    response = send_file(
        path.resolve(),
        mimetype=media_type(path),
        etag=f"{sha256}-{kind}-{version}",
        conditional=True,
    )
    response.headers["Cache-Control"] = _CACHED_FOR_EVER
    return response
