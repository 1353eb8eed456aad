"""The report that the guide for files shows is the one that its picture was drawn of."""

from pathlib import Path

from python_calamine import CalamineWorkbook

from deploy.docs.report_picture import PICTURE, REPORT, ROWS, write_report
from stream.files import ReviewRow, open_reviews


def cells(path):
    return CalamineWorkbook.from_path(path).get_sheet_by_index(0).to_python()


def test_the_report_is_what_the_script_writes(tmp_path):
    write_report(tmp_path / "again.xlsx")
    assert cells(REPORT) == cells(tmp_path / "again.xlsx")


def test_every_row_of_the_report_is_a_review_and_stands_in_the_picture():
    with open_reviews(Path(REPORT)) as file:
        rows = [row for row in file if isinstance(row, ReviewRow)]
    assert [row.review_id for row in rows] == [row[0] for row in ROWS]
    assert "Текст&#160;отзыва" in PICTURE.read_text(encoding="utf-8")
