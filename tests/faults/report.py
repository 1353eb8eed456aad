"""The suite's figures: a table for people, a JSON file for programs."""

from __future__ import annotations

import itertools
import json
import os
import platform
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import numpy as np
from rich.table import Table

from tests.faults.experiment import OURS, Result

_MIB: Final = 1024 * 1024


def table(results: Sequence[Result], title: str) -> Table:
    """Return one row a scenario, and their sums."""
    shown = Table(title=title, title_justify="left", caption=_CAPTION, caption_justify="left")
    shown.add_column("scenario", no_wrap=True)
    for name in _COLUMNS:
        shown.add_column(name, justify="right", no_wrap=True)
    shown.add_column("kept")  # the one that wraps: it may hold a whole sentence
    for result in results:
        shown.add_row(result.scenario, *_cells([result]), _kept(result))
    if len(results) > 1:
        shown.add_section()
        kept = sum(result.kept for result in results)
        shown.add_row("all", *_cells(results), f"{kept} of {len(results)}", style="bold")
    return shown


def comparison(results: Sequence[Result]) -> Table:
    """Return the reference loops beside ours, in the scenarios that all went through."""
    title = "The same faults, the same checker, three loops"
    shown = Table(title=title, title_justify="left", caption=_ENDED, caption_justify="left")
    shown.add_column("scenario", no_wrap=True)
    shown.add_column("loop", no_wrap=True)
    for name in (*_COLUMNS[:-1], "ended"):
        shown.add_column(name, justify="right", no_wrap=True)
    pipelines = list(dict.fromkeys(result.pipeline for result in results))
    compared = {result.scenario for result in results if result.pipeline != OURS.name}
    rows = [result for result in results if result.scenario in compared]
    for scenario in dict.fromkeys(result.scenario for result in rows):
        shown.add_section()
        for result in rows:
            if result.scenario == scenario:
                ended = _alarming(len(result.accidents))
                shown.add_row(scenario, result.pipeline, *_cells([result])[:-1], ended)
    shown.add_section()
    for pipeline in pipelines:
        its = [result for result in rows if result.pipeline == pipeline]
        if its:
            ended = _alarming(sum(len(result.accidents) for result in its))
            shown.add_row("all", pipeline, *_cells(its)[:-1], ended, style="bold")
    return shown


def markdown(results: Sequence[Result]) -> str:
    """Return the tables of the documentation: ours by scenario, then ours beside the references."""
    ours = [result for result in results if result.pipeline == OURS.name]
    names = dict.fromkeys(result.scenario for result in ours)
    rows = [
        _row(name, _counts([result for result in ours if result.scenario == name]))
        for name in names
    ]
    lines = [_heading("scenario"), *rows, _row("**all**", _counts(ours))]
    compared = dict.fromkeys(r.scenario for r in results if r.pipeline != OURS.name)
    if compared:
        lines += ["", _heading("scenario | loop")]
    pipelines = dict.fromkeys(result.pipeline for result in results)
    for scenario, pipeline in itertools.product(compared, pipelines):
        its = [r for r in results if (r.scenario, r.pipeline) == (scenario, pipeline)]
        if its:
            lines.append(_row(f"{scenario} | {pipeline}", _counts(its)))
    return "\n".join(lines) + "\n"


def as_json(results: Sequence[Result], seed: int, seconds: float) -> dict[str, Any]:
    """Return everything that was measured."""
    pipelines = sorted({result.pipeline for result in results})
    return {
        "made_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": {"cpus": os.cpu_count(), "python": platform.python_version()},
        "seed": seed,
        "seconds": round(seconds, 1),
        "totals": {
            name: _totals([result for result in results if result.pipeline == name])
            for name in pipelines
        },
        "scenarios": [result.as_dict() | _recovery([result]) for result in results],
    }


def write(path: Path, figures: dict[str, Any]) -> None:
    """Write the JSON file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(figures, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


_COLUMNS: Final = ("faults", "sent", "lost", "dupl.", "order", "wrong", "p50 s", "p99 s", "MiB")
_FAULTS: Final = ("lost", "duplicated", "out_of_order", "wrong", "strangers", "summary_errors")
_ENDED: Final = "ended: processes that ended by themselves; each was replaced within 6 s."
_CAPTION: Final = (
    "faults: injections. lost, dupl., order, wrong: reviews without an outcome, with more than "
    "one, after a later one of their key, with a wrong outcome. p50, p99: recovery. "
    "MiB: largest worker, start and end."
)


def _cells(results: Sequence[Result]) -> list[str]:
    totals, recovery = _totals(results), _recovery(results)
    start = max(result.memory_start for result in results) // _MIB
    end = max(result.memory_end for result in results) // _MIB
    return [
        f"{totals['injections']}",
        f"{totals['sent']:,}",
        *(_alarming(totals[name]) for name in ("lost", "duplicated", "out_of_order", "wrong")),
        *(_seconds(recovery[name]) for name in ("recovery_p50", "recovery_p99")),
        f"{start}-{end}",
    ]


_MARKDOWN: Final = (
    *("faults", "reviews", "lost", "duplicated", "out of order", "wrong"),
    *("p50 s", "p99 s"),
)


def _heading(first: str) -> str:
    columns = first.count("|") + 1
    return _row(first, _MARKDOWN) + "\n|" + "---|" * columns + "---:|" * len(_MARKDOWN)


def _row(first: str, cells: Sequence[str]) -> str:
    return "| " + " | ".join((first, *cells)) + " |"


def _counts(results: Sequence[Result]) -> list[str]:
    totals, recovery = _totals(results), _recovery(results)
    unwanted = (totals[name] for name in ("lost", "duplicated", "out_of_order", "wrong"))
    return [
        f"{totals['injections']}",
        f"{totals['sent']:,}",
        *(f"**{count:,}**" if count else "0" for count in unwanted),
        *(_seconds(recovery[name]) for name in ("recovery_p50", "recovery_p99")),
    ]


def _totals(results: Sequence[Result]) -> dict[str, int]:
    names = ("sent", "delivered", "lost", "duplicated", "out_of_order", "wrong", "strangers")
    return {
        "injections": sum(len(result.injections) for result in results),
        **{name: sum(getattr(result.verdict, name) for result in results) for name in names},
        "kept": sum(result.kept for result in results),
        "scenarios": len(results),
    }


def _recovery(results: Sequence[Result]) -> dict[str, float | None]:
    seconds = [i.recovery for r in results for i in r.injections if i.recovery is not None]
    if not seconds:
        return {"recovery_p50": None, "recovery_p99": None}
    p50, p99 = np.percentile(seconds, [50, 99])
    return {"recovery_p50": round(float(p50), 2), "recovery_p99": round(float(p99), 2)}


def _alarming(count: int) -> str:
    return f"[red]{count:,}[/]" if count else "0"


def _seconds(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f}"


def _kept(result: Result) -> str:
    if result.kept:
        return "[green]yes[/]"
    return f"[red]no[/] {why(result)}"


def why(result: Result) -> str:
    """Say in a few words what was not kept."""
    verdict = result.verdict
    reasons = [
        (bool(result.error), result.error[:200]),
        (not result.caught_up and not result.error, "lag stayed"),
        (any(i.recovery is None for i in result.injections), "no recovery"),
        (result.open_transactions > 0, f"{result.open_transactions} open transactions"),
        (bool(result.accidents), f"{len(result.accidents)} workers ended"),
        *((getattr(verdict, name) > 0, f"{name} {getattr(verdict, name)}") for name in _FAULTS),
    ]
    return "; ".join(text for applies, text in reasons if applies)
