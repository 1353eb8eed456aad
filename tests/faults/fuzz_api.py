"""``python -m tests.faults.fuzz_api``: the running queue and monitor, asked by a property-based tester.

What `tests/integration/test_api_properties.py` asks with few examples, with as many as wanted.
"""

from __future__ import annotations

import asyncio
import tempfile
import time
import warnings
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.console import Console
from rich.table import Table

from deploy.local import LocalStack
from schemas import TopicNames
from stream.monitor.metrics import MonitorMetrics
from stream.monitor.web import MonitorServer
from stream.queue.accounts import Accounts
from stream.settings import MonitorSettings
from tests.faults import report
from tests.support.api_properties import Findings, document_of, examine
from tests.support.background import in_background
from tests.support.monitor_openapi import DOCUMENT
from tests.support.pipeline import create_topics
from tests.support.queue import add_people, queue_settings, running_queue, send_tasks, task
from tests.support.watched_pipeline import watched_engine

_messages: Final = Console(stderr=True)
_PREFIX: Final = "fuzz"
_REVIEWS: Final = 500


def ask_queue(stack: LocalStack, folder: Path, examples: int) -> Findings:
    """Ask a queue on a real broker, as its lead's program and as nobody."""
    asyncio.run(create_topics(stack.bootstrap_servers, TopicNames(_PREFIX)))
    settings = queue_settings(
        stack.bootstrap_servers, _PREFIX, stack.redis_url, folder, requests_per_minute=10**9
    )
    add_people(settings, "ann", lead=True)
    asyncio.run(send_tasks(settings, [task(number) for number in range(_REVIEWS)]))
    with in_background(running_queue(settings)) as queue:
        base = f"{queue.url}/api/v1"
        document = document_of(base)
        token = Accounts(settings.queue.accounts).issue_token("ann")
        found = examine(document, base, examples, {"Authorization": f"Bearer {token}"})
        found += examine(document, base, max(1, examples // 10))
    return found


def ask_monitor(examples: int) -> Findings:
    """Ask a monitor's server."""
    engine = watched_engine()
    server = MonitorServer(
        MonitorSettings(port=0, token="a-token-of-the-fuzzer"),
        engine,
        MonitorMetrics(engine).registry,
        lambda: {"state restored": True},
    )
    with in_background(server) as running:
        return examine(DOCUMENT, running.url, examples)


def main(
    examples: Annotated[int, typer.Option(help="Of each kind, for each operation.")] = 500,
    out: Annotated[Path, typer.Option(help="Where the figures go.")] = Path("build/fuzz-api.json"),
) -> None:
    """Ask queue and monitor whatever may come."""
    # The servers, in threads beside the tester's, draw random numbers.
    warnings.filterwarnings("ignore", message="Do not use the `random` module inside strategies")
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as folder, LocalStack(Path(folder) / "stack") as stack:
        found = ask_queue(stack, Path(folder), examples)
    found += ask_monitor(examples)
    seconds = time.monotonic() - started
    shown = Table(title=f"{found.requests:,} requests, {seconds:.0f} s")
    for column in ("operation", "status", "answers"):
        shown.add_column(column, justify="right" if column == "answers" else "left")
    for (label, status), count in sorted(found.answers.items()):
        shown.add_row(label, str(status), f"{count:,}")
    shown.add_row("faults", "", f"{len(found.faults):,}", style="bold")
    Console().print(shown)
    answers = {f"{label} {status}": count for (label, status), count in found.answers.items()}
    figures = {"requests": found.requests, "seconds": round(seconds, 1), "answers": answers}
    report.write(out, {**figures, "faults": found.faults[:50]})
    for fault in found.faults[:10]:
        _messages.print(fault, markup=False, highlight=False)
    if found.faults:
        raise typer.Exit(1)


if __name__ == "__main__":
    typer.run(main)
