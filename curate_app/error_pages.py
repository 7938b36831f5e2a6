"""Errors as one line: on a page for a person, as JSON for a program."""

import logging

from flask import Flask, Response, jsonify, make_response, render_template, request
from werkzeug.exceptions import HTTPException

from curate_app.safety import MissingToken
from dataset.errors import PipelineError

log = logging.getLogger(__name__)

_LINES = {
    404: "there is no such page or picture",
    405: "this address does not take that method",
    413: "the request is too large",
    500: "the app met a bug; its log has the details",
}


def install(app: Flask) -> None:
    """Answer every error of `app` alike."""
    app.register_error_handler(HTTPException, _http_error)
    app.register_error_handler(PipelineError, _pipeline_error)


def wants_json() -> bool:
    """Whether the answer is read by a program: a JSON body, ?format=json or an Accept header."""
    accept = request.accept_mimetypes
    return (
        request.is_json
        or request.args.get("format") == "json"
        or accept.best_match(["text/html", "application/json"]) == "application/json"
    )


def wants_refresh() -> bool:
    """Whether a page asks for its own counts anew, not for the pictures that it shows already."""
    return request.headers.get("X-Refresh") == "1"


def _http_error(error: HTTPException) -> Response:
    status = error.code or 500
    own_words = error.description if error.description != type(error).description else None
    line = own_words or _LINES.get(status) or error.description or error.name
    code = "token" if isinstance(error, MissingToken) else error.name.lower()
    response = _answer(status, line, code)
    for name, value in error.get_headers():
        if name == "Allow":
            response.headers[name] = value
    return response


def _pipeline_error(error: PipelineError) -> Response:
    # The catalogue or the picture store failed, not the request: 500 with the line that helps.
    log.error("%s %s: %s", request.method, request.path, error)
    return _answer(500, str(error), type(error).__name__)


def _answer(status: int, line: str, code: str) -> Response:
    line = " ".join(line.split())
    if wants_json():
        return make_response(jsonify(error=line, code=code), status)
    return make_response(render_template("error.html", status=status, line=line), status)
