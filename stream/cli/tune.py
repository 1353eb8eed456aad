"""`reviews tune`: the best settings of this machine, into the settings file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from stream.cli.bench import EXAMPLES, broker, read_texts
from stream.cli.console import err, note, out
from stream.cli.options import Servers, settings_from

if TYPE_CHECKING:
    from stream.bench.report import Figure

# Of the model alone. A pipeline with broker, sender and reader on the same cores does three times as
# much: on a full machine every linger is slow.
_LIGHT_LOAD: Final = 0.2


def tune(
    input_file: Annotated[
        Path, typer.Option("--input", help="Reviews like yours (CSV, JSONL, text).")
    ] = EXAMPLES,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Measure, but leave the settings file alone.")
    ] = False,
    linger: Annotated[
        bool,
        typer.Option(
            help="Also try lingers, in a whole pipeline under a light load; a minute and a half."
        ),
    ] = True,
    servers: Servers = None,
) -> None:
    """Find the best threads, call size, micro-batch size and linger here, and write them down.

    The linger is tried on the Kafka that --bootstrap-servers names, on topics of its own; without
    it on one that is started for this and ends with it.
    """
    from stream.bench.tune import tune as find
    from stream.bench.tune import tune_linger, with_values
    from stream.settings import config_file

    model = settings_from(None, None).model
    texts = read_texts(input_file)
    with err.status("measuring the model: seconds"):
        found = find(model.folder, model.device, texts)
    _show(found.figures, "reviews/s")
    best = {"threads": found.threads, "chunk_tokens": found.chunk_tokens}
    worker: dict[str, float] = {"batch_tokens": found.batch_tokens}
    if linger:
        with broker(servers) as settings, err.status("measuring lingers: a minute and a half"):
            tuned = settings.model_copy(
                update={
                    "model": settings.model.model_copy(update=best),
                    "worker": settings.worker.model_copy(update=worker),
                }
            )
            worker["linger_ms"], figures = tune_linger(tuned, texts, found.rate * _LIGHT_LOAD)
        _show(figures, "p99 ms")
    out.print(f"model: {best}, worker: {worker}", markup=False)
    if dry_run:
        return
    path = config_file()
    before = path.read_text(encoding="utf-8") if path.is_file() else ""
    after = with_values(with_values(before, "model", best), "worker", worker)
    path.write_text(after, encoding="utf-8")
    note(f"written to {path}; `reviews config --changed` shows what is in force")


def _show(figures: tuple[Figure, ...], unit: str) -> None:
    from rich.table import Table

    from stream.bench.report import readable

    table = Table("tried", unit, "spread")
    for figure in figures:
        table.add_row(figure.name, readable(figure.median), f"±{figure.spread / 2:.0%}")
    out.print(table)
