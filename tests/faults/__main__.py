"""``python -m tests.faults``: injects faults and checks that every review ends exactly once."""

from __future__ import annotations

import asyncio
import logging
import random
import shutil
import time
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from tests.faults import report, suite
from tests.faults.experiment import OURS, Injection, Result
from tests.faults.scenarios import COMPARED, DISK, SCENARIOS, TOGETHER

_OUT: Final = Path("build/faults.json")
_messages: Final = Console(stderr=True)


def main(
    quick: Annotated[bool, typer.Option("--quick", help="The subset of `make test`.")] = False,
    only: Annotated[
        list[str] | None, typer.Option(help="Scenarios with this in their name; repeatable.")
    ] = None,
    repeats: Annotated[int, typer.Option(help="Faults in each scenario; 0: its own.")] = 0,
    transactions: Annotated[
        suite.Transactions | None,
        typer.Option(help="One transaction a partition, or one a worker; each scenario's own."),
    ] = None,
    version: Annotated[
        int, typer.Option("--transaction-version", min=1, max=2, help="Newest that workers use.")
    ] = 2,
    references: Annotated[
        bool, typer.Option(help="Also put aiokafka's documented loop and Faust through it.")
    ] = True,
    minutes: Annotated[float, typer.Option(help="Begin no scenario later than this.")] = 60.0,
    seed: Annotated[int, typer.Option(help="Of all that is random; 0: a new one.")] = 0,
    out: Annotated[Path, typer.Option(help="Where the figures go.")] = _OUT,
    keep: Annotated[bool, typer.Option("--keep", help="Keep data and logs.")] = False,
) -> None:
    """Inject faults into the pipeline and check that nothing is lost, doubled or disordered."""
    # The harness' own clients live through every outage as well, and would fill the screen.
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    seed = seed or random.SystemRandom().randrange(1, 10**6)
    chosen: dict[str, Any] = {"quick": quick, "only": only or [], "version": version}
    if transactions is None:
        plans = suite.plan((*SCENARIOS, DISK), **chosen)
    else:
        singly = [s for s in (*SCENARIOS, DISK) if s not in TOGETHER]
        plans = suite.under(transactions, suite.plan(singly, **chosen))
    if references and not quick:
        plans += suite.reference_plans(COMPARED, only=only or [])
    if not plans:
        raise typer.BadParameter("no scenario has this in its name", param_hint="--only")
    if repeats:
        plans = [suite.Plan(p.scenario, repeats, p.pipeline) for p in plans]
    _messages.print(f"seed {seed}: `--seed {seed}` repeats it")
    folder = out.parent / "faults"
    started = time.monotonic()
    with _display(sum(plan.repeats for plan in plans)) as watcher:
        if quick:
            results = asyncio.run(suite.run_together(plans, folder, seed, watcher))
        else:
            deadline = started + 60 * minutes
            results = asyncio.run(suite.run(plans, folder, seed, watcher, deadline))
    seconds = time.monotonic() - started
    _show(results, f"Faults, seed {seed}, {seconds / 60:.1f} min")
    report.write(out, report.as_json(results, seed, seconds))
    _messages.print(f"figures: {out}")
    if len(results) < len(plans):
        _messages.print(f"[yellow]{len(plans) - len(results)} scenarios were left out[/]")
    # The references are there to be looked at, not to pass.
    if not all(result.kept for result in results if result.pipeline == OURS.name):
        _messages.print(f"[red]a promise was not kept[/]; logs: {folder}")
        raise typer.Exit(1)
    if not keep:
        shutil.rmtree(folder, ignore_errors=True)


def _show(results: list[Result], title: str) -> None:
    console = Console(width=max(_messages.width, 130))
    ours = [result for result in results if result.pipeline == OURS.name]
    if ours:
        console.print(report.table(ours, title))
    if len(ours) < len(results):
        console.print(report.comparison(results))


class _display:  # noqa: N801 - used like a function
    """A progress bar that names the scenario under way, as a context manager."""

    def __init__(self, injections: int) -> None:
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=_messages,
        )
        self._task = self._progress.add_task("starting", total=injections)

    def __enter__(self) -> suite.Watcher:
        self._progress.start()
        return suite.Watcher(self._begins, self._injected, self._ended)

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def _begins(self, plan: suite.Plan) -> None:
        name = f"{plan.pipeline.name}: {plan.scenario.name}"
        self._progress.update(self._task, description=name)

    def _injected(self, plan: suite.Plan, injection: Injection) -> None:
        self._progress.advance(self._task)
        took = "[red]not recovered[/]"
        if injection.recovery is not None:
            took = f"recovered in {injection.recovery:.1f} s"
        self._progress.console.print(f"  {injection.what}: {took}", highlight=False)

    def _ended(self, plan: suite.Plan, result: Result) -> None:
        verdict = "[green]kept[/]" if result.kept else f"[red]not kept[/] {report.why(result)}"
        self._progress.console.print(
            f"{plan.scenario.name}: {verdict}, {result.verdict.sent:,} reviews, "
            f"{result.seconds:.0f} s",
            highlight=False,
        )


if __name__ == "__main__":
    typer.run(main)
