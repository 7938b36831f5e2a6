"""The novelty report: one self-contained HTML page, pictures inlined, nothing fetched."""

import base64
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined
from PIL import Image

from dataset.pixels import Pixels
from sample.significance import Numbers

_BINS, _RATIO_LIMIT = 30, 1.2  # of the histogram; larger ratios are counted in the last bin
_CHART_WIDTH, _CHART_HEIGHT = 600, 270


@dataclass(frozen=True)
class ReportPictures:
    """The pictures that the page shows, (H, W, 3) uint8: samples by file name, originals by row."""

    samples: Mapping[str, Pixels]
    originals: Mapping[int, Pixels]


@dataclass(frozen=True)
class Bar:
    """One bar of the histogram in chart units: of which set, `y` its top edge."""

    set: str
    x: float
    y: float
    width: float
    height: float
    title: str


def render_report(record: Mapping[str, Any], pictures: ReportPictures) -> str:
    """The page for the content of novelty.json; every text in it is escaped."""
    environment = Environment(
        loader=PackageLoader("sample"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        number=_number, percent=_percent, interval=_interval, web=web_address, slug=_slug
    )
    shown = record["pictures"][: record["config"]["cards"]]
    rows = sorted({near["row"] for sample in shown for near in sample["neighbours"]})
    calibration = record["calibration"]["ratios"]
    by_verdict: dict[str, list[float]] = {verdict: [] for verdict in record["verdicts"]}
    for sample in record["pictures"]:
        if sample["ratio"] is not None:
            by_verdict[sample["verdict"]].append(sample["ratio"])
    return environment.get_template("report.html.j2").render(
        record=record,
        shown=shown,
        labels=sorted({sample["label"] for sample in shown} - {""}),
        sample_uris={name: png_uri(pictures.samples[name]) for name in (s["file"] for s in shown)},
        original_uris={row: png_uri(pictures.originals[row]) for row in rows},
        bars={
            "samples": histogram_bars(by_verdict),
            "calibration": histogram_bars({"held-out real pictures": calibration}),
        },
        chart={"width": _CHART_WIDTH, "height": _CHART_HEIGHT, "limit": _RATIO_LIMIT},
        nearer_than=lambda ratio: int(np.sum(np.asarray(calibration) > ratio)),
    )


def png_uri(picture: Pixels) -> str:
    """(H, W, 3) uint8 as a data: URI."""
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, "PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()


def web_address(url: str) -> str | None:
    """The address if a person may be sent there (http or https with a host), else None."""
    try:
        parts = urlsplit(url.strip())
    except ValueError:
        return None
    return url.strip() if parts.scheme.lower() in ("http", "https") and parts.netloc else None


def histogram_bars(sets: Mapping[str, Sequence[float]]) -> list[Bar]:
    """Bars over 0..limit, the sets stacked in their order, the tallest stack as high as the chart.

    Several calls draw shares of their own total, so that sets of different size compare.
    """
    edges: Numbers = np.linspace(0.0, _RATIO_LIMIT, _BINS + 1)
    counts = {
        name: np.histogram(np.clip(ratios, 0.0, _RATIO_LIMIT), bins=edges)[0]
        for name, ratios in sets.items()
    }
    stacks = np.sum(list(counts.values()), axis=0)
    scale = _CHART_HEIGHT / max(1.0, float(np.max(stacks)))
    width = _CHART_WIDTH / _BINS
    bars, tops = [], np.full(_BINS, float(_CHART_HEIGHT))
    for name, of_set in counts.items():
        for place in np.flatnonzero(of_set):
            height = float(of_set[place]) * scale
            tops[place] -= height
            title = f"{name}: {of_set[place]} at {edges[place]:.2f} to {edges[place + 1]:.2f}"
            bars.append(Bar(name, place * width, float(tops[place]), width, height, title))
    return bars


def _number(value: float | None, digits: int = 3) -> str:
    return "–" if value is None else f"{value:.{digits}f}"


def _percent(value: float, digits: int = 0) -> str:
    return f"{100 * value:.{digits}f} %"


def _interval(bounds: Sequence[float]) -> str:
    return f"{100 * bounds[0]:.0f}–{100 * bounds[1]:.0f} %"


def _slug(text: str) -> str:
    return text.replace(" ", "-")
