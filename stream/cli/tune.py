"""`reviews tune`: the best inference settings of this machine, into the settings file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from stream.cli.bench import EXAMPLES, read_texts
from stream.cli.console import err, note, out
from stream.cli.options import settings_from


def tune(
    input_file: Annotated[
        Path, typer.Option("--input", help="Reviews like yours (CSV, JSONL, text).")
    ] = EXAMPLES,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Measure, but leave the settings file alone.")
    ] = False,
) -> None:
    """Find the best threads, call size and micro-batch size here, and write them down.

    Measures the model only, without a broker. Linger is left alone: it trades latency for
    throughput, which only you can weigh.
    """
    from rich.table import Table

    from stream.bench.report import readable
    from stream.bench.tune import tune as find
    from stream.bench.tune import with_values
    from stream.settings import config_file

    model = settings_from(None, None).model
    texts = read_texts(input_file)
    with err.status("measuring: up to two minutes"):
        found = find(model.folder, model.device, texts)
    table = Table("tried", "reviews/s", "spread")
    for figure in found.figures:
        table.add_row(figure.name, readable(figure.median), f"±{figure.spread / 2:.0%}")
    out.print(table)
    best = {"threads": found.threads, "chunk_tokens": found.chunk_tokens}
    out.print(f"model: {best}, worker: {{'batch_tokens': {found.batch_tokens}}}", markup=False)
    if dry_run:
        return
    path = config_file()
    before = path.read_text(encoding="utf-8") if path.is_file() else ""
    after = with_values(before, "model", best)
    after = with_values(after, "worker", {"batch_tokens": found.batch_tokens})
    path.write_text(after, encoding="utf-8")
    note(f"written to {path}; `reviews config --changed` shows what is in force")
