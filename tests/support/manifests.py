"""What manifests may name: the commands of `reviews` and the variables of its settings."""

import typer

from schemas.taxonomy import VARIABLE as TAXONOMY
from stream.cli.app import app
from stream.settings import Settings

VARIABLES = {
    f"REVIEWS_{section}__{option}".upper()
    for section, field in Settings.model_fields.items()
    for option in getattr(field.annotation, "model_fields", ())
} | {TAXONOMY}


def parse(words):
    """Parse a command line as `reviews` does, without running it; the command's name."""
    command, rest = typer.main.get_command(app), list(words)
    context = command.make_context("reviews", rest[:1], resilient_parsing=True)
    while rest and hasattr(command, "commands") and rest[0] in command.commands:
        command = command.commands[rest.pop(0)]
    context = command.make_context(command.name, rest, parent=context)
    assert not context.args
    return command.name
