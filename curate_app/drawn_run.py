"""Which run and which drawn picture a request means; a name is never made into a path."""

import threading
from typing import Any

from flask import abort, current_app, request

from curate_app.desk import desk
from curate_app.drawn_picture import DrawnPicture
from curate_app.kept_pictures import KeptPictures
from curate_app.runs import Run, runs_in
from curate_app.studios import studios

LONGEST_NAME = 255
_HASH_LETTERS = 64


def run_of_address(*more: str) -> Run:
    for key, values in request.args.lists():
        if key not in ("run", *more) or len(values) > 1:
            abort(400, f"unknown or doubled key {key[:40]!r} in the address")
    return known_run(runs_in(desk().runs), request.args.get("run", ""))


def run_of_body(body: dict[str, Any]) -> Run:
    return known_run(runs_in(desk().runs), read_text(body, "run", take=True))


def known_run(runs: list[Run], name: str) -> Run:
    """The run of that name among those there are: a name is never made into a path."""
    found = next((run for run in runs if run.name == name), None)
    if found is None:
        abort(404, f"there is no run {name[:60]!r} with a checkpoint in {desk().runs}")
    return found


def read_text(body: dict[str, Any], key: str, *, take: bool = False) -> str:
    value = body.pop(key, None) if take else body.get(key)
    if not isinstance(value, str) or not 0 < len(value) <= LONGEST_NAME:
        abort(400, f"{key} must be text of at most {LONGEST_NAME} letters")
    return value


def drawn_or_404(run: Run, sha256: Any) -> DrawnPicture:
    is_one = isinstance(sha256, str) and len(sha256) == _HASH_LETTERS
    found = studios().of(run.name).picture(sha256) if is_one else None
    if found is None:
        abort(404, "there is no such picture; the app forgets what was drawn long ago: draw again")
    return found


def kept_of(run: Run) -> KeptPictures:
    return KeptPictures(run.path)


def writing() -> threading.Lock:
    lock = current_app.extensions.setdefault("keeping", threading.Lock())
    assert isinstance(lock, type(threading.Lock()))
    return lock
