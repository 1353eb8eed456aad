"""The embedded Kafka and Redis as commands use them: found, started, their errors made ours."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from stream.cli.console import err
from stream.cli.extras import require_local

if TYPE_CHECKING:
    from rich.progress import Progress

    from deploy.local import LocalStack

DataDir = Annotated[
    Path, typer.Option("--data-dir", help="Folder of the embedded Kafka and Redis.")
]
DEFAULT_DATA_DIR = Path(".reviews")


@contextmanager
def local_errors() -> Iterator[None]:
    """Raise what goes wrong in the embedded servers as an error of ours.

    Raises:
        ExtraMissing: the extra ``local`` is not installed.
        PortTaken: a wanted port is in use.
        ReviewsError: a server could not be started.
    """
    from stream.errors import ExtraMissing, PortTaken, ReviewsError

    require_local()
    from deploy import local

    try:
        yield
    except local.NotInstalled as error:
        raise ExtraMissing(error.message, error.remedy) from None
    except local.PortTaken as error:
        raise PortTaken(error.message, error.remedy) from None
    except local.LocalStackError as error:
        raise ReviewsError(error.message, error.remedy) from None


def local_stack(data_dir: Path, kafka_port: int | None = None) -> LocalStack:
    """Return the stack of a folder; nothing is started yet. Call within :func:`local_errors`."""
    from deploy.local import LocalStack

    def say(message: str) -> None:
        err.print(message, style="dim", markup=False)

    return LocalStack(
        data_dir,
        kafka_port=kafka_port,
        progress=say,
        on_download=_Download(),
    )


class _Download:
    """Shows the first start's download, the one thing that needs a network and minutes."""

    def __init__(self) -> None:
        self._progress: Progress | None = None

    def __call__(self, done: int, total: int) -> None:
        from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn

        if self._progress is None:
            self._progress = Progress(
                TextColumn("downloading Kafka (once)"),
                BarColumn(),
                DownloadColumn(),
                console=err,
                transient=True,
                disable=not err.is_terminal,
            )
            self._progress.add_task("", total=total)
            self._progress.start()
        self._progress.update(self._progress.task_ids[0], completed=done, total=total)
        if done >= total:
            self._progress.stop()
