"""Whatever a command is given, no secret and no control character of a stranger reaches a terminal.

Two halves: nothing in the source writes past the console and the log, which see to both; and every
command of the command line is run with hostile arguments and recognisable secrets.
"""

import ast
import io
import logging
import sys
from pathlib import Path
from typing import get_args

import pytest
import structlog
import typer

from stream.cli.app import add_plugins, app, main
from tests.integration.test_secrets import SECRETS

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[3]
# What writes to a terminal by itself, and why it may.
WRITES_ITSELF = {
    "deploy/audit.py": "run by make: packages of a public database",
    "deploy/local/pin.py": "run by us: names of jars of ours",
    "deploy/local/supervisor.py": "a process id, to its parent",
    "schemas/generate.py": "run by make: paths of ours",
    "stream/cli/app.py": "the version",
    "stream/cli/config.py": "the reference: no value of anybody's",
    "stream/cli/console.py": "the console",
    "stream/cli/signals.py": "stacks: names of our files and functions",
    "stream/logs.py": "the log",
    "stream/model/trial_child.py": "a verdict, into a pipe to its parent",
}
WRITERS = {
    "print", "typer.echo", "typer.secho", "click.echo", "click.secho", "rich.print", "Console",
    "rich.console.Console", "sys.stdout.write", "sys.stderr.write", "sys.stdout.writelines",
    "sys.stdout.buffer.write", "sys.stderr.buffer.write", "sys.__stdout__.write", "os.write",
    "logging.StreamHandler", "structlog.PrintLogger", "structlog.WriteLoggerFactory",
    "traceback.print_exc", "traceback.print_exception", "faulthandler.dump_traceback",
}  # fmt: skip
# An escape sequence, its eight-bit form, and a mark that reverses what is read.
HOSTILE = "no\x1b]0;owned\x07\x9b2J\u202e\r"
NOWHERE = "127.0.0.1:1"  # no broker listens on port 1
# Commands that are not run here: they start servers, and tests of their own look at what they say.
STARTS_SERVERS = {"demo", "up", "tune"}


def writers_in(path):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and ast.unparse(node.func) in WRITERS:
            yield ast.unparse(node.func)


def test_nothing_writes_past_the_console_and_the_log():
    found = {
        str(path.relative_to(ROOT))
        for room in ("schemas", "stream", "training", "deploy")
        for path in (ROOT / room).rglob("*.py")
        if any(writers_in(path))
    }
    assert found == set(WRITES_ITSELF)


def leaves(command, path=()):
    children = getattr(command, "commands", None)
    if not children:
        yield " ".join(path), command
        return
    for name, child in children.items():
        yield from leaves(child, (*path, name))


def every_command():
    add_plugins(app)
    return dict(leaves(typer.main.get_command(app)))


COMMANDS = every_command()


def hostile_arguments(command, *, options):
    """Return hostile values for all arguments, and if wanted for all options that take a text."""
    given = []
    for parameter in command.params:
        of = parameter.type_descriptor.annotation
        text = bool({str, Path} & {of, *get_args(of)})
        if parameter.param_type_name == "argument":
            given.append(HOSTILE)
        elif text and (options or parameter.required):
            given[:0] = [parameter.opts[0], HOSTILE]
    return given


@pytest.fixture
def said(monkeypatch, capsys, tmp_path):
    """Return a function that runs a command here and returns exit status and all that it said."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)
    # Each run in this process adds the commands of other packages: without them once more.
    for registered in ("registered_commands", "registered_groups"):
        monkeypatch.setattr(app, registered, [*getattr(app, registered)])
    monkeypatch.setattr(sys, "stdin", io.StringIO("sekret-password-typed\n" * 2))
    variables = {
        **SECRETS,
        "REVIEWS_KAFKA__BOOTSTRAP_SERVERS": NOWHERE,
        "REVIEWS_LOG__LEVEL": "debug",
    }
    for name, value in variables.items():
        monkeypatch.setenv(name, value)

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["reviews", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        output = capsys.readouterr()
        return ended.value.code, output.out + output.err

    yield run
    structlog.reset_defaults()
    logging.getLogger().setLevel(logging.WARNING)


@pytest.mark.parametrize("options", [False, True], ids=["arguments", "options"])
@pytest.mark.parametrize(
    "name", [n for n in sorted(COMMANDS) if n not in STARTS_SERVERS and not n.startswith("bench ")]
)
def test_no_command_repeats_a_control_character_or_says_a_secret(name, options, said):
    arguments = hostile_arguments(COMMANDS[name], options=options)
    status, words = said(*name.split(), *arguments)
    assert isinstance(status, int)
    assert "Traceback" not in words
    assert "sekret" not in words
    assert [c for c in words if not c.isprintable() and c not in "\n\t"] == []


def test_every_command_is_run_here_or_elsewhere():
    assert set(COMMANDS) > STARTS_SERVERS
    assert len(COMMANDS) > 30
