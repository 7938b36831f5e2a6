"""The screens in the order of the work, as the bar on top of every page names them."""

from flask import Flask, current_app

from curate_app.desk import who

_SCREENS = (
    ("grid.show", "Grid"),
    ("incoming.show", "Incoming"),
    ("duplicates.show", "Duplicates"),
    ("issues.show", "Issues"),
    ("rank.show", "Rank"),
    ("examples.show", "By example"),
    ("classes.show", "Classes"),
    ("export.show", "Pack"),
    ("generate.show", "Generate"),
    ("novelty.show", "Novelty"),
    ("assess.show", "Assess"),
)


def install(app: Flask) -> None:
    """Let the pages of `app` know the screens and the person."""
    app.add_template_global(screens)
    app.add_template_global(who, "person")


def screens() -> list[tuple[str, str]]:
    """(endpoint, name) of every screen that this app has."""
    return [entry for entry in _SCREENS if entry[0] in current_app.view_functions]
