"""`python -m dataset export`: a pack leaves in the formats of others."""

from dataset.command_line import CommandLine


def add_verbs(command: CommandLine) -> None:
    """The verb is to come."""
