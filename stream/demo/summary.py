"""How the demo ends: what happened, what it looked like, where to look, what to try next."""

from __future__ import annotations

from rich.console import Console
from rich.text import Text

from schemas import category_infos
from stream.demo.outcomes import EventOutcome, OutcomeCheck, OutcomeTally
from stream.demo.run import DemoReport
from stream.demo.screen import category_table, to_relabel
from stream.terminal import one_line
from stream.web.languages import page_language

_SHOWN_CHARACTERS = 90


def print_report(console: Console, report: DemoReport) -> None:
    """Print the final table, samples, and the check."""
    tally = report.tally
    console.print()
    console.print(category_table(tally))
    console.print()
    _print_samples(console, tally)
    per_second = report.published / max(report.seconds, 1e-3)
    hits = tally.cache_hits / max(tally.total, 1)
    console.print(
        f"[bold]{report.published:,}[/bold] reviews in {report.seconds:.1f} s "
        f"([bold]{per_second:,.0f}/s[/bold] from publishing to reading back), "
        f"[bold]{tally.relabel_share:.1%}[/bold] to relabel, "
        f"[bold]{hits:.1%}[/bold] answered from the cache, model {tally.model_version}"
    )
    if report.verdict is not None:
        _print_verdict(console, report.verdict)


def _print_samples(console: Console, tally: OutcomeTally) -> None:
    language = page_language()
    for info in category_infos():
        for i, outcome in enumerate(tally.samples[info.category]):
            console.print(_sample(info.name(language) if i == 0 else "", outcome))
    for i, outcome in enumerate(tally.relabel_samples):
        guess = outcome.category.info.name(language) if outcome.category else ""
        console.print(_sample(to_relabel(language) if i == 0 else "", outcome, f" {guess}?"))
    console.print()


def _sample(head: str, outcome: EventOutcome, guess: str = "") -> Text:
    text = one_line(outcome.text, _SHOWN_CHARACTERS - len(guess))
    return Text.assemble(
        (f"{head:<24}", "bold"), (f"{outcome.confidence:.2f}{guess}  ", "cyan"), text
    )


def _print_verdict(console: Console, verdict: OutcomeCheck) -> None:
    if verdict.exactly_once:
        console.print(
            f"[green]✓[/green] read back, committed messages only: {verdict.inputs:,} reviews in, "
            f"{verdict.outcomes:,} out, none lost, none twice"
        )
        return
    console.print(
        f"[red]✗[/red] {verdict.inputs:,} reviews in, {verdict.outcomes:,} out: "
        f"{verdict.lost:,} lost, {verdict.repeated:,} twice, {verdict.unknown:,} unknown",
        style="bold red",
    )
