"""A comparison as a Markdown table."""

from __future__ import annotations

from collections.abc import Sequence

from stream.reports.markdown import table as columns
from training.comparison.table import Line
from training.measures.metrics import Interval


def markdown(table: Sequence[Line], reference: str) -> str:
    """Return the table, and below it the F1 of each category on each test set.

    Args:
        table: of a comparison.
        reference: the candidate that the others were measured against.
    """
    tests = list(table[0].scores)
    timed = any(line.per_second for line in table)
    head = ["", "seeds"]
    for test in tests:
        less = f"less {reference}"
        head += [
            f"{test}: weighted F1",
            less,
            f"{test}: macro F1",
            less,
            "ECE",
            "risk-coverage area",
        ]
    head += ["MB int8", "texts/s"] if timed else []
    head.append("training s")
    out = columns(head, [_cells(line, tests, timed) for line in table], range(1, len(head)))
    for test in tests:
        names = list(table[0].scores[test].by_category)
        rows = [
            [line.name, *(f"{line.scores[test].by_category[name]:.3f}" for name in names)]
            for line in table
        ]
        out += ["", f"F1 by category, {test}:", ""]
        out += columns(["", *names], rows, range(1, len(names) + 1))
    return "\n".join(out) + "\n"


def gap(found: Interval) -> str:
    """Return a difference as text; the reference's own to itself is empty."""
    if found.low >= found.high:
        return ""
    return f"{found.value:+.3f} [{found.low:+.3f}, {found.high:+.3f}]"


def _cells(line: Line, tests: Sequence[str], timed: bool) -> list[str]:
    cells = [line.name, str(line.seeds)]
    for test in tests:
        score = line.scores[test]
        cells += [str(score.weighted), gap(score.gap), str(score.macro), gap(score.macro_gap)]
        cells += [f"{score.calibration_error:.3f}", f"{score.risk_area:.4f}"]
    if timed:
        cells.append(f"{line.megabytes:.1f}" if line.megabytes else "")
        cells.append(f"{line.per_second:,.0f}" if line.per_second else "")
    return [*cells, f"{line.seconds:.0f}"]
