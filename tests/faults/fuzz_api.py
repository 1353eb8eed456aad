"""``python -m tests.faults.fuzz_api``: the running queue and monitor, asked by a property-based tester.

What `tests/integration/test_api_properties.py` asks with few examples, with as many as wanted.
"""

from __future__ import annotations

import tempfile
import time
import warnings
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.console import Console
from rich.table import Table

from deploy.local import LocalStack
from tests.faults import report
from tests.support.api_properties import Findings, document_of, examine
from tests.support.background import in_background
from tests.support.monitor_openapi import DOCUMENT
from tests.support.served_apis import monitor_api, queue_api

_messages: Final = Console(stderr=True)
_PREFIX: Final = "fuzz"
_REVIEWS: Final = 500


def ask_queue(stack: LocalStack, folder: Path, examples: int) -> Findings:
    """Ask a queue on a real broker, as its lead's program and as nobody."""
    served = queue_api(stack.bootstrap_servers, _PREFIX, stack.redis_url, folder, reviews=_REVIEWS)
    with in_background(served) as api:
        document = document_of(api.url)
        found = examine(document, api.url, examples, api.program)
        found += examine(document, api.url, max(1, examples // 10))
    return found


def ask_monitor(examples: int) -> Findings:
    """Ask a monitor's server."""
    with in_background(monitor_api()) as running:
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
