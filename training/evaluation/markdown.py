"""A comparison as a Markdown table."""

from __future__ import annotations

from collections.abc import Sequence

from training.evaluation.metrics import Interval
from training.evaluation.table import Line


def markdown(table: Sequence[Line]) -> str:
    """Return the table, and below it the F1 of each category on each test set.

    Gaps are to the reference of :func:`~training.evaluation.table.lines`.
    """
    tests = list(table[0].scores)
    head = ["", "seeds"]
    for test in tests:
        head += [f"{test}: weighted F1", "gap", f"{test}: macro F1", "gap", "ECE"]
    head += ["MB int8", "texts/s", "training s"]
    out = [_row(head), _row(["---", *["---:"] * (len(head) - 1)])]
    out += [_row(_cells(line, tests)) for line in table]
    for test in tests:
        names = list(table[0].scores[test].by_category)
        out += ["", f"F1 by category, {test}:", "", _row(["", *names])]
        out.append(_row(["---", *["---:"] * len(names)]))
        for line in table:
            values = line.scores[test].by_category
            out.append(_row([line.name, *(f"{values[name]:.3f}" for name in names)]))
    return "\n".join(out) + "\n"


def _cells(line: Line, tests: Sequence[str]) -> list[str]:
    cells = [line.name, str(line.seeds)]
    for test in tests:
        score = line.scores[test]
        cells += [str(score.weighted), _gap(score.gap), str(score.macro), _gap(score.macro_gap)]
        cells.append(f"{score.calibration_error:.3f}")
    size = f"{line.megabytes:.1f}" if line.megabytes else ""
    speed = f"{line.per_second:,.0f}" if line.per_second else ""
    return [*cells, size, speed, f"{line.seconds:.0f}"]


def _gap(gap: Interval) -> str:
    """Show a difference; the reference's own to itself is empty."""
    return f"{gap.value:+.3f} [{gap.low:+.3f}, {gap.high:+.3f}]" if gap.low < gap.high else ""


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"
