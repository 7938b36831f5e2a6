"""What a request works with: the open catalogue, the thumbnails, and who is judging."""

from dataclasses import dataclass
from pathlib import Path

from flask import Flask, current_app, g

from curate_app.thumbnails import Thumbnails
from dataset.catalog import Catalog
from dataset.errors import ConfigError
from dataset.image_store import ImageStore
from dataset.workspace import Workspace

_LONGEST_NAME = 40


@dataclass(frozen=True, kw_only=True)
class Desk:
    """One running app's place of work."""

    catalog_path: Path
    thumbnails: Thumbnails
    who: str


def install(app: Flask, data: Path, who: str) -> None:
    """Lay out the desk of `app`; raises ConfigError or DataError as `create_app` says."""
    workspace = Workspace(data)
    path = workspace.require_catalog()
    # Opened once now, so that a damaged or newer catalogue is told before the first page.
    Catalog(path, create=False).close()
    app.extensions["desk"] = Desk(
        catalog_path=path,
        thumbnails=Thumbnails(workspace.root / "thumbnails", ImageStore(workspace.images)),
        who=judge_name(who),
    )
    app.teardown_appcontext(_close_catalog)


def judge_name(who: str) -> str:
    """The name that events carry, or ConfigError for one that would mislead a reader."""
    name = " ".join(who.split())
    if not name or len(name) > _LONGEST_NAME or not name.isprintable():
        raise ConfigError(f"--who {who!r} is no name; give 1 to {_LONGEST_NAME} printable letters")
    if name == "auto":
        raise ConfigError("--who auto is the name of the headless rule; choose another")
    return name


def desk() -> Desk:
    found = current_app.extensions["desk"]
    assert isinstance(found, Desk)
    return found


def catalog() -> Catalog:
    """The catalogue of this request: opened at first use, closed when the request ends."""
    if "catalog" not in g:
        g.catalog = Catalog(desk().catalog_path, create=False)
    opened = g.catalog
    assert isinstance(opened, Catalog)
    return opened


def _close_catalog(_error: BaseException | None = None) -> None:
    opened = g.pop("catalog", None)
    if opened is not None:
        opened.close()
