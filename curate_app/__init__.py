"""The judging app: pictures kept or rejected by keys in a browser, every action an event.

`create_app` builds it; `python -m curate_app serve --data DIR` runs it.
"""

from pathlib import Path

from flask import Flask

from curate_app import (
    actions,
    assess,
    classes,
    desk,
    duplicates,
    error_pages,
    examples,
    export,
    generate,
    generate_media,
    grid,
    incoming,
    issues,
    jobs,
    login,
    media,
    navigation,
    novelty,
    picture,
    rank,
    safety,
    studios,
    tiles,
)
from curate_app.access import Access

__all__ = ["create_app"]

DEFAULT_RUNS = Path("runs")


def create_app(
    data: Path,
    *,
    who: str = "me",
    port: int | None = None,
    access: Access | None = None,
    runs: Path = DEFAULT_RUNS,
    testing: bool = False,
) -> Flask:
    """Build the app over the data folder `data`, judging in the name of `who`.

    `port` is the one that the app is served on: requests for another are refused (None: any).
    `access` says who may reach it (None: this machine alone, without a password); `runs` is the
    folder of the training's runs, which need not be there.
    Raises ConfigError without a catalogue or with a bad name, DataError for a damaged catalogue.
    """
    app = Flask(__name__)
    app.config["TESTING"] = testing
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    app.jinja_env.filters.update(tiles.TEMPLATE_FILTERS)
    desk.install(app, data, who, runs)
    navigation.install(app)
    access = access or Access()
    safety.install(app, port, access)
    login.install(app, access)
    jobs.install(app, data)
    studios.install(app)
    error_pages.install(app)
    for screen in (
        grid,
        rank,
        duplicates,
        issues,
        picture,
        media,
        actions,
        login,
        jobs,
        export,
        classes,
        incoming,
        examples,
        generate,
        generate_media,
        assess,
        novelty,
    ):
        app.register_blueprint(screen.blueprint)
    return app
