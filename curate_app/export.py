"""The way out: what a pack would hold, the job that makes it, and the packs there are."""

import json
import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any, get_args, get_type_hints

import numpy as np
from flask import (
    Blueprint,
    Response,
    abort,
    current_app,
    jsonify,
    render_template,
    request,
    send_file,
    url_for,
)

from curate_app.actions import read_body
from curate_app.desk import catalog, desk
from curate_app.error_pages import wants_json
from curate_app.filters import Filter
from curate_app.job import Job
from curate_app.jobs import jobs
from curate_app.overview import overview
from curate_app.packing import PackPlan, Plans
from dataset.config import load_config, to_mapping
from dataset.errors import ConfigError
from dataset.pack_selection import NO_LABEL, PackConfig
from dataset.workspace import Workspace

blueprint = Blueprint("export", __name__)

_NUMBERS = ("size", "per_class", "min_per_class")
_REALS = ("sharpness",)
_SWITCHES = ("linear_light", "originals")
_CHOICES = ("fit", "channels", "background", "balance", "split_by")
_TEXTS = ("name", *_CHOICES)
_LISTS = ("labels", "licences")
# In addresses each value of a list stands for itself, as a form sends it.
_SINGULAR = {"label": "labels", "licence": "licences"}
_LONGEST = 200
_MOST_VALUES = 1000
_LONGEST_NAME = 80  # bytes
_MANIFEST = ".manifest.json"
_LARGEST_MANIFEST = 256 * 1024 * 1024
_HELP = {"short": "classes.show", "alike": "duplicates.show", "compare": "duplicates.show"}


@dataclass(frozen=True, kw_only=True)
class PackFile:
    """One pack that was made, as its manifest tells; `problem` says what is wrong with it."""

    name: str
    made_at: str
    manifest: str
    count: int = 0
    size: int = 0
    byte_count: int = 0
    classes: int = 0
    splits: dict[str, int] | None = None
    content_hash: str = ""
    problem: str = ""


@blueprint.get("/export")
def show() -> str | Response | tuple[str, int]:
    """What would be packed under the settings in the address; `?format=json` is the same."""
    values = _read_address()
    config, fault = PackConfig(), ""
    plan: PackPlan | None = None
    try:
        config = _config(values)
        plan = _plans().of(catalog(), config)
    except ConfigError as error:
        fault = _own_words(error)
    job = jobs().newest("pack")
    page: dict[str, Any] = {
        "config": to_mapping(config),
        "command": _shell_line(config),
        "packs": packs(desk().data),
        "fault": fault,
    }
    if wants_json():
        if plan is None:
            abort(400, fault)
        page.pop("fault")
        told = None if job is None else job.as_json()
        return jsonify(plan=plan.as_json(), job=told, **page)
    named = _plans().choices(catalog())
    html = render_template(
        "export.html",
        plan=plan,
        doubts=[(doubt.line, _help_for(doubt.about)) for doubt in plan.doubts] if plan else [],
        form={**page["config"], **values},
        labels=named.labels,
        licences=named.licences,
        choices={key: get_args(get_type_hints(PackConfig)[key]) for key in _CHOICES},
        job=job,
        too_small=_too_small(config) if plan else "",
        **page,
    )
    return html, 400 if fault else 200


@blueprint.post("/export/pack")
def start() -> Response:
    """Start a pack: {"name": ..., "size": ..., "fit": ..., "channels": ..., "per_class": ...,
    "labels": [...], "originals": true, ...}; what is absent has its default. Answers with the
    job."""
    body = read_body(*_TEXTS, *_NUMBERS, *_REALS, *_SWITCHES, *_LISTS)
    try:
        config = _config(body)
        job = start_packing(config)
    except ConfigError as error:
        abort(400, _own_words(error))
    return jsonify(job.as_json())


@blueprint.get("/export/manifest/<name>")
def manifest(name: str) -> Response:
    """The manifest of a pack as a file to save."""
    if request.args:
        abort(400, "this address takes no keys")
    paths = dict(_manifests(desk().data))
    if name not in paths:
        abort(404, f"there is no pack {name[:_LONGEST_NAME]!r}; pack it first")
    path = paths[name]
    return send_file(
        path.resolve(), mimetype="application/json", as_attachment=True, download_name=path.name
    )


def _too_small(config: PackConfig) -> str:
    """A line when most of the pictures are smaller than the side that is asked for."""
    with overview().reading(catalog()) as view:
        chosen = view.mask(Filter(status="keep"))
        if config.labels:
            wanted = [code for code, label in enumerate(view.labels) if label in config.labels]
            chosen &= np.isin(view.label, wanted)
        if config.licences:
            masks = [view.mask(Filter(licence=licence)) for licence in config.licences]
            chosen &= np.logical_or.reduce(masks)
        pixels = view.column("pixels")[chosen]
    small, side = int(np.count_nonzero(pixels < config.size**2)), f"{config.size}"
    if 2 * small <= len(pixels):
        return ""
    return (
        f"{small:,} of {len(pixels):,} pictures are smaller than {side} × {side} pixels: "
        "in the pack they are enlarged."
    )


def start_packing(config: PackConfig) -> Job:
    """Queue `python -m dataset pack` for this config."""
    return jobs().start("pack", pack_arguments(config), f"Pack {config.name}")


def pack_arguments(config: PackConfig) -> list[str]:
    """The options that make a config of the default one: --set=KEY=VALUE, as TOML."""
    default = to_mapping(PackConfig())
    return [
        f"--set={key}={_toml(value)}"
        for key, value in to_mapping(config).items()
        if value != default[key]
    ]


def packs(data: Path) -> list[PackFile]:
    """The packs of a data folder, newest first."""
    found = [_pack_file(name, path) for name, path in _manifests(data)]
    return sorted(found, key=lambda pack: (pack.made_at, pack.name), reverse=True)


def _manifests(data: Path) -> list[tuple[str, Path]]:
    """The names of the packs that there are and their manifests, which are files and no links."""
    return [
        (path.name.removesuffix(_MANIFEST), path)
        for path in Workspace(data).packs.glob(f"*{_MANIFEST}")
        if path.is_file() and not path.is_symlink()
    ]


def _pack_file(name: str, path: Path) -> PackFile:
    stat = path.stat()
    made_at = datetime.fromtimestamp(stat.st_mtime, UTC).isoformat(timespec="seconds")
    facts: dict[str, Any] = {"name": name, "made_at": made_at}
    facts["manifest"] = url_for("export.manifest", name=name)
    pack = path.with_name(f"{name}.h5")
    try:
        told = _manifest_facts(path, stat.st_mtime_ns, stat.st_size)
        return PackFile(byte_count=pack.stat().st_size, **told, **facts)
    except FileNotFoundError:
        return PackFile(problem=f"{pack.name} is missing; pack it again", **facts)
    except (OSError, ValueError, RecursionError, TypeError, KeyError, AttributeError):
        return PackFile(problem="the manifest is damaged; pack it again", **facts)


@lru_cache(maxsize=64)
def _manifest_facts(path: Path, _changed_at: int, byte_count: int) -> dict[str, Any]:
    """What the page tells of a manifest, which may be long; read again when the file changes."""
    if byte_count > _LARGEST_MANIFEST:
        raise ValueError("no manifest is as large")
    told = json.loads(path.read_text("utf-8"))
    return {
        "count": int(told["rows"]),
        "size": int(told["config"]["size"]),
        "classes": len(told["classes"].keys() - {NO_LABEL}),
        "splits": {str(key): int(value) for key, value in told["splits"].items()},
        "content_hash": str(told["content_hash"]),
    }


def _plans() -> Plans:
    found = current_app.extensions.setdefault("pack_plans", Plans())
    assert isinstance(found, Plans)
    return found


def _read_address() -> dict[str, Any]:
    """The settings in the address, as yet unchecked but for their number and length."""
    known = (*_TEXTS, *_NUMBERS, *_REALS, *_SWITCHES, *_SINGULAR, "format")
    values: dict[str, Any] = {}
    for key, given in request.args.lists():
        if key not in known:
            line = f"unknown key {key[:40]!r} in the address; known: {', '.join(sorted(known))}"
            abort(400, line)
        if len(given) > (_MOST_VALUES if key in _SINGULAR else 1):
            abort(400, f"{key} is given too often in the address")
        if any(len(value) > _LONGEST for value in given):
            abort(400, f"{key} is longer than {_LONGEST} letters")
        values[_SINGULAR.get(key, key)] = given if key in _SINGULAR else given[0].strip()
    if values.pop("format", "json") != "json":
        abort(400, "format can only be json")
    return _typed(values)


def _typed(values: dict[str, Any]) -> dict[str, Any]:
    """What reads as a number or a switch as such; the rest is left to the config to refuse."""
    for key in _NUMBERS:
        if re.fullmatch("[0-9]{1,9}", values.get(key, "")):
            values[key] = int(values[key])
    for key in _REALS:
        if re.fullmatch(r"[0-9]{1,6}(\.[0-9]{1,6})?", values.get(key, "")):
            values[key] = float(values[key])
    for key in _SWITCHES:
        values[key] = {"on": True, "off": False}.get(values.get(key, "off"), values.get(key))
    return values


def _config(values: Mapping[str, Any]) -> PackConfig:
    """Raises ConfigError with a line for the person at the form."""
    name = values.get("name", "")
    if len(str(name).encode("utf-8", "replace")) > _LONGEST_NAME or str(name).startswith("."):
        raise ConfigError(f"name must have at most {_LONGEST_NAME} letters and no dot in front")
    for key in _LISTS:
        if isinstance(values.get(key), list) and len(values[key]) > _MOST_VALUES:
            raise ConfigError(f"{key} holds more than {_MOST_VALUES} values")
    return load_config(PackConfig, values, origin="the form")


def _own_words(error: ConfigError) -> str:
    return str(error).removeprefix("the form: ")


def _shell_line(config: PackConfig) -> str:
    """The command as one types it in a terminal."""
    words = ["python", "-m", "dataset", "pack", "--data", str(desk().data)]
    for argument in pack_arguments(config):
        words += argument.split("=", 1)
    return shlex.join(words)


def _help_for(about: str) -> str | None:
    """The address of the screen where a doubt is dealt with, if this app has it."""
    if about == "licence":
        return url_for("grid.show", status="keep", licence="unknown")
    if about == "undecided":
        return url_for("grid.show", status="undecided")
    if about == "label":
        return url_for("grid.show", status="keep", label="")
    endpoint = _HELP.get(about)
    return url_for(endpoint) if endpoint in current_app.view_functions else None


def _toml(value: Any) -> str:
    """A plain value as TOML writes it, which `--set` reads back."""
    if isinstance(value, Sequence) and not isinstance(value, str):
        return f"[{', '.join(map(_toml, value))}]"
    # A JSON string is a TOML string, but for one letter.
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
