"""``python -m tests.faults.merge OUT PIECE...``: one report of a suite that was run in pieces."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from tests.faults import report
from tests.faults.experiment import Injection, Result
from tests.faults.ledger import Verdict


def results(path: Path) -> list[Result]:
    """Read the scenarios of a report back."""
    piece = json.loads(path.read_text(encoding="utf-8"))
    return [_result(scenario) for scenario in piece["scenarios"]]


def _result(figures: dict[str, Any]) -> Result:
    own = {name: figures[name] for name in Result.__dataclass_fields__}
    own["injections"] = [Injection(**injection) for injection in own["injections"]]
    verdict = own["verdict"]
    own["verdict"] = Verdict(
        **{name: verdict[name] for name in Verdict.__dataclass_fields__ if name in verdict}
    )
    return Result(**own)


def main(
    out: Annotated[Path, typer.Argument(help="Where the whole goes.")],
    pieces: Annotated[list[Path], typer.Argument(help="Reports of `--only` runs.")],
    markdown: Annotated[
        bool, typer.Option("--markdown", help="Print the tables as the documentation has them.")
    ] = False,
) -> None:
    """Join reports and show the tables."""
    read = [json.loads(piece.read_text(encoding="utf-8")) for piece in pieces]
    whole = [result for piece in pieces for result in results(piece)]
    whole.sort(key=lambda result: result.pipeline != "ours")
    seconds = sum(piece["seconds"] for piece in read)
    report.write(out, report.as_json(whole, read[0]["seed"], seconds))
    if markdown:
        typer.echo(report.markdown(whole), nl=False)
        return
    console = Console(width=130)
    ours = [result for result in whole if result.pipeline == "ours"]
    console.print(report.table(ours, f"Faults, {len(pieces)} pieces, {seconds / 60:.0f} min"))
    if len(ours) < len(whole):
        console.print(report.comparison(whole))


if __name__ == "__main__":
    typer.run(main)
