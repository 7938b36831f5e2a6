"""`python -m dataset preview`: pictures before and after their preparation, to look at."""

from dataset.command_line import CommandLine


def add_verbs(command: CommandLine) -> None:
    """The verb is to come."""
