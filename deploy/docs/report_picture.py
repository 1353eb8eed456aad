"""Make the example report of a marketplace's cabinet, and draw what `reviews classify` gives back for it.

``python deploy/docs/report_picture.py`` writes report.xlsx and report.svg beside it.
"""

from __future__ import annotations

import re
import tempfile
from pathlib import Path
from typing import Final

import xlsxwriter
from python_calamine import CalamineWorkbook
from rich.table import Table

from stream.cli.classify import classify
from stream.cli.console import err

REPORT: Final = Path(__file__).parent / "report.xlsx"
PICTURE: Final = Path(__file__).parent / "report.svg"
HEADER: Final = (
    "ID отзыва", "Дата", "Артикул", "Количество звезд", "Текст отзыва", "Достоинства", "Недостатки",
)  # fmt: skip
ROWS: Final = (
    ("f1", "14.10.2026 12:30", 100200300, 2, "Платье село после первой стирки", "", ""),
    ("f2", "14.10.2026 13:05", 100200301, 3, "", "Сапоги тёплые", "жмут в подъёме"),
    ("f3", "15.10.2026 09:11", 100200302, 1, "Чайник течёт у носика, вернула", "", ""),
    ("f4", "15.10.2026 18:40", 100200303, 5, "", "Мягкие ползунки, малышу впору", ""),
    ("f5", "16.10.2026 08:02", 100200304, 4, "Продавец молодец, доставка быстрая", "", ""),
    ("f6", "16.10.2026 21:15", 100200305, 3, "Вещь на любителя", "", ""),
)
_COLUMNS: Final = 128
# Rich's drawing fetches its font from a content delivery network: a picture must not.
_FONT_FACE: Final = re.compile(r"@font-face\s*\{[^{}]*\}\s*")


def write_report(path: Path) -> None:
    """Write a report as a cabinet exports it: a title, an empty row, the header, the rows."""
    with xlsxwriter.Workbook(str(path)) as book:
        sheet = book.add_worksheet("Отзывы")
        for at, row in enumerate([["Отзывы за октябрь 2026"], [], HEADER, *ROWS]):
            sheet.write_row(at, 0, row)


def main() -> None:
    """Write the report and its picture."""
    write_report(REPORT)
    err.record = True
    err.width = _COLUMNS
    with tempfile.TemporaryDirectory() as folder:
        decided = Path(folder) / "decided.xlsx"
        err.print("$ reviews classify report.xlsx -o decided.xlsx", style="bold")
        classify(REPORT, decided)
        header, *rows = CalamineWorkbook.from_path(decided).get_sheet_by_index(0).to_python()
    shown = [
        header.index(name)
        for name in (*HEADER[:1], *HEADER[4:], "category_name", "confidence", "route")
    ]
    table = Table(*(str(header[column]) for column in shown), title="decided.xlsx")
    for row in rows:
        table.add_row(*(_cell(row[column]) for column in shown))
    err.print(table)
    drawing = err.export_svg(
        title="A report in, the same table with categories out", unique_id="report"
    )
    PICTURE.write_text(_FONT_FACE.sub("", drawing), encoding="utf-8")


def _cell(value: object) -> str:
    return f"{value:.2f}" if isinstance(value, float) else str(value)


if __name__ == "__main__":
    main()
