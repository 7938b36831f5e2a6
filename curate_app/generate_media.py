"""The pictures of the drawing screen, drawn and kept, and those that they come near to."""

import io

from flask import Blueprint, Response, abort, request, send_file

from curate_app.drawn_run import drawn_or_404, kept_of, run_of_address, writing

blueprint = Blueprint("generate_media", __name__)


@blueprint.get("/generate/picture")
def picture() -> Response:
    """A drawn picture as PNG: ?run=NAME&picture=SHA-256."""
    run = run_of_address("picture")
    return _png(drawn_or_404(run, request.args.get("picture")).content)


@blueprint.get("/generate/original")
def original() -> Response:
    """A training picture near a drawn one as PNG: ?run=NAME&picture=SHA-256&place=0."""
    run = run_of_address("picture", "place")
    near = drawn_or_404(run, request.args.get("picture")).neighbours
    place = request.args.get("place", "")
    if not (place.isascii() and place.isdigit() and len(place) < 3 and int(place) < len(near)):
        abort(404, "there is no such neighbour")
    return _png(near[int(place)].content)


@blueprint.get("/generate/kept")
def kept() -> Response:
    """A kept picture as PNG: ?run=NAME&file=NAME."""
    run = run_of_address("file")
    path = kept_of(run).path(request.args.get("file", ""))
    if path is None:
        abort(404, "there is no such kept picture")
    return _png(path.read_bytes())


@blueprint.get("/generate/kept.zip")
def kept_zip() -> Response:
    """All kept pictures of a run, with their manifest: ?run=NAME."""
    run = run_of_address()
    if not kept_of(run).standing():
        abort(404, f"no picture of {run.name} is kept yet")
    with writing():
        packed = kept_of(run).zipped()
    name = f"{run.name}-kept.zip"
    return send_file(packed, "application/zip", as_attachment=True, download_name=name)


def _png(content: bytes) -> Response:
    answer = send_file(io.BytesIO(content), "image/png")
    answer.headers["Cache-Control"] = "private, max-age=3600"
    return answer
