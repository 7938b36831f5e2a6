"""`python -m curate_app predict`: score the unjudged pictures by the example of the judged ones."""

import argparse
import json
from dataclasses import asdict
from pathlib import Path

from curate_app.embeddings import EMBEDDINGS_FILE, Embeddings
from curate_app.lesson import Figure, Lesson
from dataset.catalog import Catalog
from dataset.command_line import CommandLine, add_data_option
from dataset.workspace import Workspace


def add_verb(command: CommandLine) -> None:
    """The verb that learns from judgements."""
    verb = command.verb(
        "predict",
        _predict,
        "learn from the judgements and votes which pictures are liked, and score the others",
        """python -m curate_app predict --data data
        python -m curate_app predict --data data --dry-run --json
        python -m curate_app predict --embeddings vectors.npz""",
    )
    add_data_option(verb)
    verb.add_argument(
        "--embeddings",
        type=Path,
        metavar="FILE",
        help="vectors of the pictures: .npz with sha256 (N, 32) uint8 and vectors (N, D) float16 "
        f"or float32 (default: {EMBEDDINGS_FILE} in the data folder, if there is one)",
    )
    verb.add_argument("--dry-run", action="store_true", help="say how good it is, store nothing")
    verb.add_argument("--json", action="store_true", help="print what was learned as JSON")


def _predict(options: argparse.Namespace) -> None:
    from curate_app.predictor import predict  # linear algebra takes a while to load

    workspace = Workspace(options.data)
    path = workspace.require_catalog()
    file = options.embeddings
    if file is None and (workspace.root / EMBEDDINGS_FILE).is_file():
        file = workspace.root / EMBEDDINGS_FILE
    embeddings = None if file is None else Embeddings(file)
    with workspace.locked("predicting"), Catalog(path, create=False) as catalog:
        lesson = predict(catalog, embeddings, dry_run=options.dry_run)
    if options.json:
        print(json.dumps({**asdict(lesson), "dry_run": options.dry_run}))
    else:
        _print_lesson(lesson, options.dry_run)


def _print_lesson(lesson: Lesson, dry_run: bool) -> None:
    print(f"learned from {lesson.judged} judged pictures and {lesson.voted} votes")
    for figure in lesson.figures:
        print(f"{figure.name:14} {figure_text(figure)}")
    told = [f"{name} {100 * share:.0f} %" for name, share in lesson.shares.items()]
    print(f"by {', '.join(told[:4])}")
    if dry_run:
        print("a dry run: nothing was stored")
    else:
        print(f"predicted {lesson.pictures} pictures; see Examples in the app (make curate)")


def figure_text(figure: Figure) -> str:
    """One accuracy in a line."""
    if figure.value is None:
        return f"cannot say yet: {figure.missing}"
    return (
        f"{figure.value:.3f} ({figure.low:.3f} to {figure.high:.3f}, {figure.count} examples; "
        f"guessing gives {figure.chance:g}): {figure.meaning}"
    )
