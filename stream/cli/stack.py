"""`reviews up`, `down`, `status`: the embedded Kafka and Redis."""

from __future__ import annotations

import json
import shlex
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from stream.cli.console import err, note, out
from stream.cli.local import DEFAULT_DATA_DIR, DataDir, local_errors, local_stack
from stream.cli.options import Json, settings_from

if TYPE_CHECKING:
    from deploy.local import ServerStatus, StackStatus


def up(
    context: typer.Context,
    data_dir: DataDir = DEFAULT_DATA_DIR,
    kafka_port: Annotated[
        int, typer.Option(min=0, max=65535, help="Kafka's port; 0: any free one.")
    ] = 9092,
    as_json: Json = False,
) -> None:
    """Start a Kafka and a Redis here and leave them running until `reviews down`."""
    with local_errors():
        stack = local_stack(data_dir, kafka_port or None)
        with err.status("starting Kafka and Redis"):
            status = stack.up()
    if as_json:
        out.print_json(json.dumps(asdict(status)))
        return
    note(f"Kafka on {status.bootstrap_servers}, Redis on {status.redis_url}, data in {data_dir}")
    if _is_given(context, "kafka_port") and kafka_port and not _is_on(status, kafka_port):
        note(
            f"[yellow]it ran already, so --kafka-port {kafka_port} was ignored; `reviews down` "
            "first to start it there[/yellow]"
        )
    for line in _exports(status):
        out.print(line, markup=False)
    note(f"next: [bold]reviews topics create[/bold]; when done, {_stops(data_dir)}")


def down(data_dir: DataDir = DEFAULT_DATA_DIR) -> None:
    """Stop what `reviews up` started; the data stay."""
    with local_errors(), err.status("stopping"):
        stopped = local_stack(data_dir).down()
    if stopped:
        note(f"stopped; data stay in {data_dir}")
        return
    note(f"nothing was running in {data_dir}")
    _say_what_runs_elsewhere()


def status(data_dir: DataDir = DEFAULT_DATA_DIR, as_json: Json = False) -> None:
    """Show what `reviews up` started. Exit code 1 when it does not run."""
    with local_errors():
        found = local_stack(data_dir).status()
    if as_json:
        shown = asdict(found) | {"healthy": found.healthy} if found else {"healthy": False}
        out.print_json(json.dumps(shown))
    elif found is None:
        note(f"nothing runs in {data_dir}; start it with [bold]reviews up[/bold]")
        _say_what_runs_elsewhere()
    else:
        _print_status(found)
    if found is None or not found.healthy:
        raise typer.Exit(1)


def _say_what_runs_elsewhere() -> None:
    """Name servers that `up` started in other folders, and what stops them: only who asks for it does."""
    from deploy.local import left_running

    for folder, state in left_running().items():
        note(
            f"Kafka on {state.bootstrap_servers} runs in {escape(str(folder))}; "
            f"{_stops(folder)} stops it and its Redis"
        )


def _stops(folder: Path) -> str:
    """Return the command that stops the servers of a folder, marked up."""
    command = "reviews down"
    if folder != DEFAULT_DATA_DIR:
        command += f" --data-dir {shlex.quote(str(folder))}"
    return f"[bold]{escape(command)}[/bold]"


def _print_status(found: StackStatus) -> None:
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for column in ("server", "address", "state", "up for", "memory", "log"):
        table.add_column(column, overflow="fold")
    for server in found.servers:
        table.add_row(
            server.name,
            server.address,
            _state(server),
            f"{server.uptime_seconds / 60:.0f} min",
            f"{server.memory_bytes / 1024**2:.0f} MiB",
            server.log,
        )
    out.print(table)
    note(f"data: {found.data_bytes / 1024**2:.1f} MiB in {found.data_dir}")


def _state(server: ServerStatus) -> str:
    if not server.running:
        return "[red]ended[/red]"
    return "[green]answers[/green]" if server.answering else "[yellow]silent[/yellow]"


def _is_given(context: typer.Context, option: str) -> bool:
    source = context.get_parameter_source(option)
    return source is not None and source.name == "COMMANDLINE"


def _is_on(status: StackStatus, port: int) -> bool:
    return any(address.endswith(f":{port}") for address in status.bootstrap_servers.split(","))


def _exports(status: StackStatus) -> list[str]:
    """Return the lines a shell needs where our settings do not lead to this stack."""
    settings = settings_from(None, None)
    url = settings.cache.url.get_secret_value() if settings.cache.url else ""
    lines = []
    if settings.kafka.bootstrap_servers != status.bootstrap_servers:
        lines.append(f"export REVIEWS_KAFKA__BOOTSTRAP_SERVERS={status.bootstrap_servers}")
    if url != status.redis_url:
        lines.append(f"export REVIEWS_CACHE__URL={status.redis_url}")
    return lines
