"""One picture: large, with its captions, origins, scores and the history of its judgements."""

from flask import Blueprint, Response, abort, jsonify, render_template

from curate_app.address import LARGEST_ID, check_keys, filter_arguments, read_filter
from curate_app.desk import catalog
from curate_app.error_pages import wants_json
from curate_app.tiles import tiles_of
from dataset.config import to_mapping

blueprint = Blueprint("picture", __name__)


@blueprint.get(f"/picture/<int(max={LARGEST_ID}):image_id>")
def show(image_id: int) -> str | Response:
    """The picture's page; a filter in the address says which pictures are before and after it."""
    check_keys(filters=True)
    where, images = read_filter(), catalog().images
    record = images.get(image_id)
    if record is None:
        abort(404, f"there is no picture {image_id} in this catalogue")
    [tile] = tiles_of(catalog(), [record])
    captions, origins = images.captions(image_id), images.origins(image_id)
    quality, events = images.quality(image_id), catalog().judgements.of_image(image_id)
    if wants_json():
        return jsonify(
            **tile.as_json(),
            sha256=record.sha256,
            captions=[to_mapping(caption) for caption in captions],
            origins=[to_mapping(origin) for origin in origins],
            quality=quality,
            events=[to_mapping(event) for event in events],
        )
    before, after = images.neighbours(image_id, where)
    return render_template(
        "picture.html",
        tile=tile,
        record=record,
        captions=captions,
        origins=origins,
        quality=quality,
        events=reversed(events),
        before=before,
        after=after,
        arguments=filter_arguments(where),
    )
