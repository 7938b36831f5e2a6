"""What a request works with: the open catalogue, the thumbnails, and who is judging."""

import threading
import weakref
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from flask import Flask, current_app, g, request

from curate_app.overview import Overview
from curate_app.safety import cookie_name
from curate_app.thumbnails import Thumbnails
from dataset.catalog import Catalog
from dataset.errors import ConfigError
from dataset.image_store import ImageStore
from dataset.judge_name import judge_name
from dataset.keep_rule import RULE_FILE, KeepRule, read_rule
from dataset.workspace import Workspace

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Desk:
    """One running app's place of work; `writing` is held by the one thread that writes."""

    data: Path
    catalog_path: Path
    thumbnails: Thumbnails
    who: str
    runs: Path  # where runs of training lie, with what was drawn from them
    writing: threading.Lock = field(default_factory=threading.Lock)


def install(app: Flask, data: Path, who: str, runs: Path) -> None:
    """Lay out the desk of `app`; raises ConfigError or DataError as `create_app` says."""
    workspace = Workspace(data)
    path = workspace.require_catalog()
    # Opened now, so that a damaged or newer catalogue is told before the first page; and kept open,
    # so that no request is the last one out, which would have to tidy up SQLite's log at its end.
    weakref.finalize(app, Catalog(path, create=False).close)
    app.extensions["overview"] = Overview()
    app.extensions["held"] = {}
    app.extensions["desk"] = Desk(
        data=workspace.root,
        catalog_path=path,
        thumbnails=Thumbnails(workspace.root / "thumbnails", ImageStore(workspace.images)),
        who=judge_name(who),
        runs=runs,
    )
    app.teardown_appcontext(_close_catalog)


def desk() -> Desk:
    found = current_app.extensions["desk"]
    assert isinstance(found, Desk)
    return found


def who() -> str:
    """The name of the person behind this request: as chosen on a page, else as the app was told."""
    try:
        return judge_name(request.cookies[cookie_name("who")])
    except (KeyError, ConfigError):
        return desk().who


def catalog() -> Catalog:
    """The catalogue of this request: opened at first use, closed when the request ends."""
    if "catalog" not in g:
        g.catalog = Catalog(desk().catalog_path, create=False)
    opened = g.catalog
    assert isinstance(opened, Catalog)
    return opened


def keep_rule() -> tuple[KeepRule, str]:
    """The rule of the data folder and ""; where that is broken, the default and what to edit."""

    def read() -> tuple[KeepRule, str]:
        try:
            return read_rule(desk().data), ""
        except ConfigError as error:
            line = one_line(error)
            return KeepRule(), f"{line}. Edit the file; until then the default rule suggests."

    return held("keep rule", written(desk().data / RULE_FILE), read)


def held(name: str, state: Hashable, read: Callable[[], T]) -> T:
    """What `read` gave last time for this name, as long as `state` is the same."""
    known: dict[str, tuple[Hashable, T]] = current_app.extensions["held"]
    entry = known.get(name)
    if entry is None or entry[0] != state:
        entry = known[name] = (state, read())
    return entry[1]


def written(path: Path) -> tuple[int, int] | None:
    """When a file was written and its size; None where there is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size


def one_line(error: Exception) -> str:
    return " ".join(str(error).split())


def _close_catalog(_error: BaseException | None = None) -> None:
    opened = g.pop("catalog", None)
    if opened is not None:
        opened.close()
