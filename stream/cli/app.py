"""Assembling the commands, and turning failures into one clear line and an exit code.

Exit codes: 0 done; 1 done in part or a check failed; 2 wrong usage, settings or input; 3 model;
4 Kafka; 5 Redis; 6 port taken; 7 optional part not installed; 8 disk full; 130 interrupted;
143 ended by SIGTERM.
"""

from __future__ import annotations

import errno
import logging
import os
import sys
from collections.abc import Callable
from importlib.metadata import entry_points
from typing import Annotated, Any, Final, NoReturn

import typer
from typer.core import TyperGroup

from schemas import TaxonomyError
from stream.cli import (
    INTERRUPTED,
    acl,
    backfill,
    bench,
    classify,
    config,
    consume,
    demo,
    doctor,
    erase,
    guard,
    monitor,
    produce,
    quality,
    queue,
    replay,
    stack,
    taxonomy,
    topics,
    tune,
    work,
)
from stream.cli.console import note, print_error, print_traceback
from stream.cli.extras import missing_extra
from stream.cli.signals import SigtermAsCtrlC
from stream.credentials import hide_accounts
from stream.errors import NO_SPACE, ConfigError, DiskFull, InputError, ReviewsError
from stream.terminal import visible

PLUGINS: Final = "reviews.commands"
# A file where a folder should be, the other way round, or a place that is not ours to write to.
_UNUSABLE: Final = frozenset(
    {errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EISDIR, errno.EEXIST}
)


class _Commands(TyperGroup):
    """Commands; what one of them says of its usage shows no control character and no password."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command that was asked for."""
        try:
            return super().invoke(ctx)
        except Exception as caught:
            error: Any = caught  # Typer gives its usage errors no public name
            if hasattr(error, "format_message") and isinstance(error.message, str):
                error.message = visible(hide_accounts(error.message), one_line=True)
            raise


app = typer.Typer(
    name="reviews",
    cls=_Commands,
    help="Sort reviews by product category as they arrive: Kafka in, Kafka out.",
    epilog="Start with: reviews demo. Every option: reviews config --reference.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"reviews {version('reviews-stream')}")
        raise typer.Exit


@app.callback()
def root(
    _version: Annotated[
        bool,
        typer.Option(
            "--version", help="Print the version.", callback=_print_version, is_eager=True
        ),
    ] = False,
) -> None:
    """Sort reviews by product category as they arrive: Kafka in, Kafka out."""


_FIRST, _STREAM, _OPERATE = "First steps", "Streaming", "Operating"
app.command(rich_help_panel=_FIRST)(demo.demo)
app.command(rich_help_panel=_FIRST)(stack.up)
app.command(rich_help_panel=_FIRST)(stack.down)
app.command(rich_help_panel=_FIRST)(stack.status)
app.command(rich_help_panel=_STREAM)(produce.produce)
app.command(rich_help_panel=_STREAM)(work.work)
app.command(rich_help_panel=_STREAM)(consume.consume)
app.command(rich_help_panel=_STREAM)(classify.classify)
app.add_typer(queue.app, name="queue", rich_help_panel=_STREAM)
app.add_typer(topics.app, name="topics", rich_help_panel=_OPERATE)
app.add_typer(taxonomy.app, name="taxonomy", rich_help_panel=_OPERATE)
app.add_typer(bench.app, name="bench", rich_help_panel=_OPERATE)
app.command(rich_help_panel=_OPERATE)(tune.tune)
app.command(rich_help_panel=_OPERATE)(doctor.doctor)
app.command(rich_help_panel=_OPERATE)(monitor.monitor)
app.command(rich_help_panel=_OPERATE)(quality.quality)
app.add_typer(guard.app, name="guard", rich_help_panel=_OPERATE)
app.command(rich_help_panel=_OPERATE)(replay.replay)
app.command(rich_help_panel=_OPERATE)(backfill.backfill)
app.command(rich_help_panel=_OPERATE)(erase.erase)
app.command(rich_help_panel=_OPERATE)(config.config)
app.command(rich_help_panel=_OPERATE)(acl.acl)


def add_plugins(target: typer.Typer) -> None:
    """Let installed packages add their commands; one that cannot load costs only its own."""
    for entry in entry_points(group=PLUGINS):
        try:
            entry.load()(target)
        except ImportError as error:
            note(f"[dim]the commands of {entry.name} cannot be loaded: {error}[/dim]")


def main(on_loaded: Callable[[], object] = lambda: None) -> NoReturn:
    """Run the command line; never returns.

    Args:
        on_loaded: called when all commands are there, before one runs.
    """
    # Without this a library's log lines stand beside the one line that explains the failure.
    logging.getLogger().addHandler(logging.NullHandler())
    sys.excepthook = print_traceback
    sigterm = SigtermAsCtrlC()
    try:
        add_plugins(app)
        on_loaded()
        with sigterm:
            try:
                app()
            finally:
                sys.stdout.flush()
    except SystemExit as ended:
        sys.exit(sigterm.status(ended.code))
    except KeyboardInterrupt:  # most are heard in the commands: see StopSignals
        sys.exit(sigterm.status(INTERRUPTED))
    except ReviewsError as error:
        _fail(error)
    except TaxonomyError as error:
        _fail(ConfigError(str(error), error.remedy))
    except ModuleNotFoundError as error:
        if (missing := missing_extra(error)) is None:
            raise
        _fail(missing)
    except OSError as error:
        if error.errno in _UNUSABLE and error.filename:
            _fail(InputError(f"{error.filename}: {error.strerror}", "name another file or folder"))
        if error.errno not in NO_SPACE:
            raise
        _discard_output()
        where = f" for {error.filename}" if error.filename else ""
        _fail(DiskFull(f"no space is left{where}", "free some space and run the command again"))
    sys.exit(0)


def _fail(error: ReviewsError) -> NoReturn:
    print_error(error)
    sys.exit(error.exit_code)


def _discard_output() -> None:
    """Keep the interpreter from failing once more on what could not be written."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
