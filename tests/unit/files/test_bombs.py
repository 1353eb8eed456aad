"""Files that were made to fill a disk, the memory, or the day."""

import gzip
import io
import json
import zipfile
from pathlib import Path

import pytest
import zstandard

from stream.errors import InputError
from stream.files import BadRow, ReviewRow, container, delimited, open_reviews, sheets

MEGABYTE = 1024 * 1024


def read(data, name="reviews.csv"):
    with open_reviews(Path(name), file=io.BytesIO(data)) as file:
        return list(file)


@pytest.fixture
def small_limits(monkeypatch):
    monkeypatch.setattr(container, "_RATIO_FROM", MEGABYTE)
    monkeypatch.setattr(container, "_MOST_RATIO", 20)
    monkeypatch.setattr(sheets, "_MOST_UNPACKED", MEGABYTE)


ROWS = b"id,text\n" + b"1,kettle\n" * 200_000


@pytest.mark.parametrize("pack", [gzip.compress, zstandard.ZstdCompressor(19).compress])
@pytest.mark.parametrize("content", [ROWS, b"x" * len(ROWS), b"[" + b" " * len(ROWS)])
def test_what_unpacks_without_end_is_refused(small_limits, pack, content):
    with pytest.raises(InputError, match="20 times its size"):
        read(pack(content))


def zipped(name, content):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, content)
    return buffer.getvalue()


def test_a_zip_that_unpacks_without_end_is_refused(small_limits):
    with pytest.raises(InputError, match="20 times its size"):
        read(zipped("reviews.csv", ROWS))


def sheet(cells):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("[Content_Types].xml", "<Types/>")
        archive.writestr("xl/worksheets/sheet1.xml", f"<sheetData>{cells}</sheetData>")
    return buffer.getvalue()


@pytest.mark.parametrize(
    "cells",
    [
        '<row r="1"><c r="A1"/></row><row r="1048576"><c r="XFD1048576"/></row>',
        "<row r='1'><c r='XFD1'/></row>" + "<row/>" * 5000,
        '<x:row r="1"><x:c s="1" t="str" r="XFD1048576"><x:v>1</x:v></x:c></x:row>',
    ],
    ids=["far corner", "wide and long", "prefixed"],
)
def test_a_sheet_that_reaches_over_all_its_cells_is_refused(cells):
    with pytest.raises(InputError, match="cells; at most"):
        read(sheet(cells), "reviews.xlsx")


def test_a_workbook_that_unpacks_to_too_much_is_refused(small_limits):
    with pytest.raises(InputError, match="unpacks to more"):
        read(sheet(" " * 2 * MEGABYTE), "reviews.xlsx")


def ods(cells):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("mimetype", "application/vnd.oasis.opendocument.spreadsheet")
        archive.writestr("content.xml", f"<table:table>{cells}</table:table>")
    return buffer.getvalue()


def test_a_sheet_whose_cells_stand_for_millions_is_refused():
    row = (
        '<table:table-row table:number-rows-repeated="1048576"><table:table-cell '
        'table:number-columns-repeated="100" office:value="1"/></table:table-row>'
    )
    with pytest.raises(InputError, match="cells; at most"):
        read(ods(row), "reviews.ods")


def test_a_line_without_end_is_bounded_and_the_rows_after_it_are_read(monkeypatch):
    monkeypatch.setattr(delimited, "MOST_CHARACTERS", MEGABYTE)
    good, bad, last = read(b"text\nkettle\n" + b"x" * 3 * MEGABYTE + b"\niron\n")
    assert isinstance(bad, BadRow)
    assert [row.text for row in (good, last)] == ["kettle", "iron"]


@pytest.mark.parametrize("opening", ["[", '{"a":', '[{"text":', '{"text": "'])
def test_json_that_is_nested_or_open_without_end_holds_nothing(opening):
    try:
        rows = read((opening * 50_000).encode(), "reviews.json")
    except InputError:
        return
    assert all(isinstance(row, BadRow) for row in rows)


@pytest.mark.parametrize("line", [b'1,"a"b\n', b'1,"a\n', b'1,"a""\n'])
def test_stray_quotes_cost_no_look_at_all_the_others(line):
    """A matter of a second. If each cost a look at all the others, pytest's own limit would end it."""
    assert len(read(b"id,text\n" + line * 50_000)) >= 25_000


def test_a_line_of_nothing_but_quotes_and_delimiters_is_read_in_time():
    assert read(b"id,text\n" + b',"a' * 300_000 + b"\n1,kettle\n")[-1].text == "kettle"


def test_an_unclosed_quote_at_the_top_of_a_long_file_swallows_nothing():
    rows = read(b'id,text\n1,"kettle\n' + b"2,iron\n" * 50_000)
    assert sum(isinstance(row, ReviewRow) for row in rows) == 50_001


def test_an_object_whose_fields_never_end_is_bounded():
    rows = [{"text": "чайник", f"field {i}": i} for i in range(5000)]
    assert len(read(json.dumps(rows).encode(), "reviews.json")) == 5000
