"""One picture: large, with its captions, origins, scores and the history of its judgements."""

from typing import Any

from flask import Blueprint, Response, abort, jsonify, render_template, request

from curate_app.address import LARGEST_ID, check_keys, read_filter
from curate_app.desk import catalog, keep_rule
from curate_app.error_pages import wants_json
from curate_app.filters import BadFilter
from curate_app.grid import view_arguments
from curate_app.nearest import Neighbour, nearest
from curate_app.ordering import Sort, Sorted
from curate_app.overview import overview
from curate_app.standards import standard
from curate_app.tiles import tiles_of
from dataset.config import to_mapping
from dataset.quality import issues_of
from dataset.records import ImageRecord

blueprint = Blueprint("picture", __name__)

_PLAIN = ("captions", "origins", "events", "issues")


@blueprint.get(f"/picture/<int(max={LARGEST_ID}):image_id>")
def show(image_id: int) -> str | Response:
    """The picture's page; a filter in the address says which pictures are before and after it."""
    check_keys("sort", filters=True)
    where, sort = read_filter(), Sort.read(request.args.get("sort", "id"))
    images = catalog().images
    record = images.get(image_id)
    if record is None:
        abort(404, f"there is no picture {image_id} in this catalogue")
    try:
        with overview().reading(catalog()) as view:
            found = Sorted(view, view.mask(where), sort)
            before, after = found.around(image_id)
            labels = sorted(view.labels)
    except BadFilter as error:
        abort(400, str(error))
    [tile] = tiles_of(catalog(), [record], keep_rule()[0])
    facts = _facts(image_id)
    if wants_json():
        return jsonify(
            **tile.as_json(),
            sha256=record.sha256,
            before=before,
            after=after,
            **_as_json(facts),
        )
    return render_template(
        "picture.html",
        tile=tile,
        record=record,
        before=before,
        after=after,
        arguments=view_arguments(where, sort),
        labels=labels,
        near=_near(image_id),
        **facts,
    )


def _facts(image_id: int) -> dict[str, Any]:
    """What hangs on a picture; `handed_*` are (giver, fact) of the duplicates it stands for."""
    images, handover, judgements = catalog().images, catalog().handover, catalog().judgements
    chosen, warning = standard()
    quality = images.quality(image_id)
    return {
        "captions": images.captions(image_id),
        "origins": images.origins(image_id),
        "handed_captions": handover.captions_of([image_id]).get(image_id, []),
        "handed_origins": handover.origins_of([image_id]).get(image_id, []),
        "duplicate_of": handover.keeper_of(image_id),
        "duplicates": handover.losers_of([image_id]).get(image_id, []),
        "hashes": images.hashes_of(image_id),
        "votes": len(judgements.votes.of_image(image_id)),
        "quality": quality,
        "preset": chosen.preset,
        "warning": warning,
        "issues": issues_of(quality, chosen.rules),
        "events": judgements.of_image(image_id),
        "decisions": judgements.pairs.of_image(image_id),
    }


def _near(image_id: int) -> list[tuple[Neighbour, ImageRecord]]:
    found = nearest(catalog(), image_id)
    records = catalog().images.records([near.id for near in found])
    return [(near, records[near.id]) for near in found if near.id in records]


def _as_json(facts: dict[str, Any]) -> dict[str, Any]:
    plain = {key: [to_mapping(f) for f in facts[key]] for key in _PLAIN}
    handed = {
        key: [{"by": giver, **to_mapping(fact)} for giver, fact in facts[key]]
        for key in ("handed_captions", "handed_origins")
    }
    decisions = [to_mapping(decision) for decision in facts["decisions"]]
    return {**facts, **plain, **handed, "decisions": decisions}
