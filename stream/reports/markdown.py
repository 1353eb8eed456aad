"""Tables in Markdown."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence


def table(
    header: Sequence[str], rows: Iterable[Sequence[str]], numbers: Collection[int] = ()
) -> list[str]:
    r"""Return the lines of a table; a bar in a cell is escaped.

    >>> table(("category", "rows"), [("a|b", "7")], numbers=[1])
    ['| category | rows |', '|---|---:|', '| a\\|b | 7 |']

    Args:
        header: of the columns.
        rows: as many cells each as the header has.
        numbers: columns that stand to the right, from 0.
    """
    rules = ("---:" if column in numbers else "---" for column in range(len(header)))
    return [_line(header), f"|{'|'.join(rules)}|", *map(_line, rows)]


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
