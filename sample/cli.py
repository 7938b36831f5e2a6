"""`python -m sample VERB`: draw pictures, enlarge them, check that they are new, sum up.

python -m sample draw runs/tiny --per-class 2 --steps 10 --device cpu
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

from dataset.command_line import CommandLine, add_data_option
from sample import (
    draw_command,
    evaluate_command,
    novelty_command,
    sticker_command,
    studio_command,
    watch_command,
)
from sample.summary import render, summarise, to_json


def main(arguments: Sequence[str] | None = None) -> int:
    return command_line().run(arguments)


def command_line() -> CommandLine:
    """The verbs of this stage."""
    command = CommandLine("sample", "Drawing from a trained model, and checking what was drawn.")
    draw_command.add_verbs(command)
    sticker_command.add_verb(command)
    novelty_command.add_verb(command)
    evaluate_command.add_verb(command)
    studio_command.add_verb(command)
    watch_command.add_verb(command)
    _add_summary(command)
    return command


def _add_summary(command: CommandLine) -> None:
    verb = command.verb(
        "summary",
        _summary,
        "sum up what was collected, kept, packed, learnt, drawn and found to be new",
        """python -m sample summary --data data --run runs/tiny
        python -m sample summary --run runs/tiny --json""",
    )
    add_data_option(verb)
    verb.add_argument("--run", type=Path, required=True, metavar="RUN", help="the run's folder")
    verb.add_argument(
        "--samples", type=Path, metavar="DIR", help="the drawn pictures (default: RUN/samples)"
    )
    verb.add_argument("--json", action="store_true", help="print as JSON")


def _summary(options: argparse.Namespace) -> int:
    parts = summarise(options.data, options.run, options.samples)
    print(to_json(parts) if options.json else render(parts))
    return 0
