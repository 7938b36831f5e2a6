"""What is wrong with the pictures of a catalogue: a record for machines, a page for eyes."""

from pathlib import Path
from typing import Any

from dataset.catalog import Catalog
from dataset.catalog.scores import Place
from dataset.image_store import ImageStore
from dataset.issues import Standard
from dataset.page import thumbnail_uris, write_page
from dataset.progress import track
from dataset.quality import MEASURES, Rule
from dataset.records import ImageFilter

VERSION = 1

Facts = dict[str, Any]


def quality_record(
    catalog: Catalog, standard: Standard, issue: str | None, limit: int
) -> dict[str, Any]:
    """The issues with their cuts and counts, JSON-ready; `listed` are up to `limit` pictures with
    `issue`, the worst first, or None without an issue. Rejected pictures count nowhere."""
    rules = {rule.issue: rule for rule in standard.rules}
    images = catalog.images
    return {
        "version": VERSION,
        "preset": standard.preset,
        "reason": standard.reason,
        "pictures": images.count() - images.count(ImageFilter(status="reject")),
        "issues": [
            _issue(catalog, rule)
            for rule in track(standard.rules, "counts", len(standard.rules), "issues")
        ],
        "issue": issue,
        "listed": None if issue is None else _pictures(catalog, rules[issue], "worst", limit),
    }


def page_rows(catalog: Catalog, standard: Standard, record: Facts, limit: int) -> list[Facts]:
    """What the page shows, for the issue of `record` or for each: up to `limit` pictures that are
    the worst, that lie closest beyond the cut (none of them twice), and that just do not have it.
    """
    found = []
    counted = list(zip(standard.rules, record["issues"], strict=True))
    for rule, row in track(counted, "pictures near the cuts", len(counted), "issues"):
        if record["issue"] in (None, rule.issue):
            worst = _pictures(catalog, rule, "worst", limit)
            seen = {picture["id"] for picture in worst}
            over = _pictures(catalog, rule, "over", limit)
            found.append(
                {
                    **row,
                    "under": _pictures(catalog, rule, "under", limit),
                    "over": [picture for picture in over if picture["id"] not in seen],
                    "worst": worst,
                }
            )
    return found


def write_report(record: Facts, rows: list[Facts], store: ImageStore, path: Path) -> None:
    """Write the page of `rows` (of `page_rows`) to `path`, one file with the thumbnails in it."""
    shown = [
        picture["sha256"]
        for row in rows
        for place in ("under", "over", "worst")
        for picture in row[place]
    ]
    uris = thumbnail_uris(store, shown)
    filters = {"number": lambda score: f"{score:.4g}"}
    write_page(path, "quality.html.j2", filters, record=record, rows=rows, uris=uris)


def _issue(catalog: Catalog, rule: Rule) -> Facts:
    measure = MEASURES[rule.measure]
    return {
        "issue": rule.issue,
        "measure": rule.measure,
        "meaning": measure.meaning,
        "unit": measure.unit,
        "bad": rule.bad,
        "cut": rule.cut,
        "pictures": catalog.scores.count(rule),
    }


def _pictures(catalog: Catalog, rule: Rule, place: Place, limit: int) -> list[Facts]:
    scores = catalog.scores.listed(rule, place, limit)
    records = catalog.images.records([image_id for image_id, _ in scores])
    return [
        {
            "id": image_id,
            "score": score,
            "sha256": records[image_id].sha256,
            "width": records[image_id].width,
            "height": records[image_id].height,
            "label": records[image_id].label,
            "status": records[image_id].status,
        }
        for image_id, score in scores
    ]
