"""Every verb of every stage has help and an example, and the examples are true."""

import argparse
import shlex

import pytest

import curate_app.cli
import dataset.cli
import sample.cli
import scrape.cli
import train.cli
from dataset.command_line import CommandLine

STAGES: dict[str, CommandLine] = {
    "scrape": scrape.cli.command_line(),
    "curate_app": curate_app.cli.command_line(),
    "dataset": dataset.cli.command_line(),
    "train": train.cli.command_line(),
    "sample": sample.cli.command_line(),
}


def verbs(command: CommandLine) -> dict[str, argparse.ArgumentParser]:
    (action,) = (a for a in command.parser._actions if isinstance(a.choices, dict))
    assert isinstance(action.choices, dict)
    return action.choices


VERBS = [(stage, verb) for stage, command in STAGES.items() for verb in verbs(command)]


@pytest.mark.parametrize(("stage", "verb"), VERBS)
def test_every_verb_has_a_summary_and_examples_that_parse(stage: str, verb: str) -> None:
    parser = verbs(STAGES[stage])[verb]
    assert parser.description
    assert parser.epilog is not None
    examples = [line.strip() for line in parser.epilog.splitlines()[1:]]
    assert examples
    for example in examples:
        words = shlex.split(example)
        assert words[:4] == ["python", "-m", stage, verb]
        assert STAGES[stage].parser.parse_args(words[3:]).verb == verb


@pytest.mark.parametrize(("stage", "verb"), VERBS)
def test_every_option_is_explained(stage: str, verb: str) -> None:
    for action in verbs(STAGES[stage])[verb]._actions:
        assert action.help, f"python -m {stage} {verb}: {action.dest} has no help"


@pytest.mark.parametrize("stage", STAGES)
def test_help_is_printed_and_exits_0(stage: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        STAGES[stage].run(["--help"])
    assert caught.value.code == 0
    told = capsys.readouterr().out
    assert all(verb in told for verb in verbs(STAGES[stage]))
