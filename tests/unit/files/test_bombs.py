"""Files that were made to fill a disk, the memory, or the day."""

import gzip
import io
import json
import zipfile
from pathlib import Path

import pytest
import zstandard

from stream.errors import InputError
from stream.files import BadRow, ReviewRow, delimited, open_reviews, sheet_size, unpacking
from tests.support.workbooks import xlsx

MEGABYTE = 1024 * 1024


def read(data, name="reviews.csv"):
    with open_reviews(Path(name), file=io.BytesIO(data)) as file:
        return list(file)


@pytest.fixture
def small_limits(monkeypatch):
    monkeypatch.setattr(unpacking, "_RATIO_FROM", MEGABYTE)
    monkeypatch.setattr(unpacking, "_MOST_RATIO", 20)
    monkeypatch.setattr(sheet_size, "MOST_UNPACKED", MEGABYTE)


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


def sheet(cells, name="xl/worksheets/sheet1.xml"):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("[Content_Types].xml", "<Types/>")
        archive.writestr(name, f"<sheetData>{cells}</sheetData>")
    return buffer.getvalue()


@pytest.mark.parametrize(
    "cells",
    [
        '<row r="1"><c r="A1"/></row><row r="1048576"><c r="XFD1048576"/></row>',
        "<row r='1'><c r='XFD1'/></row>" + "<row/>" * 5000 + "<row><c/></row>",
        '<x:row r="1"><x:c s="1" t="str" r="XFD1048576"><x:v>1</x:v></x:c></x:row>',
    ],
    ids=["far corner", "wide and long", "prefixed"],
)
def test_a_sheet_that_reaches_over_all_its_cells_is_refused(cells):
    with pytest.raises(InputError, match="cells; at most"):
        read(sheet(cells), "reviews.xlsx")


FAR = '<row r="1048576"><c {} t="inlineStr"><is><t>kettle</t></is></c></row>'


@pytest.mark.parametrize(
    "cells",
    [
        FAR.format('r="xfd1048576"'),
        FAR.format('r = "XFD1048576"'),
        FAR.format("\nr\n=\n'XFD1048576'"),
        FAR.format(f's="{"0" * 400}" r="XFD1048576"'),
        FAR.format('x=">" r="XFD1048576"'),
        FAR.format('r="XFD0001048576"'),
        FAR.format('r="A4294967290"'),
        FAR.format('r="xfd1048576" r="A1"'),
        FAR.format('r="XFD1048576"').replace("<c ", "<a-b:c ").replace("</c>", "</a-b:c>"),
        '<row r="1"><c r="XFD1"/></row><row r="1048576"><c/></row>',
        "<row>" + "<c/>" * 20_000 + "</row>" + "<row/>" * 5000 + "<row><c/></row>",
        FAR.format('r="XFD1048576"') + "x" * 3 * MEGABYTE,
        "<row>" + "<!--<row/>--><c/>" * 20_000 + "</row>",
        "<row>" + "<![CDATA[</row><row>]]><c/>" * 20_000 + "</row>" + "<row/>" * 5000 + "<row><c/></row>",
    ],
    ids=[
        "small letters", "blanks", "line breaks", "a long attribute", "a closing mark in one",
        "leading zeros", "rows without end", "a place twice", "another prefix", "a row's number alone",
        "no numbers", "a long text behind", "rows in comments", "rows in raw text",
    ],
)  # fmt: skip
def test_a_far_cell_is_found_however_it_is_written(cells):
    """The library understands all of these; three of them took all the memory there was."""
    with pytest.raises(InputError, match=r"cells; at most|cannot be read as a workbook"):
        read(sheet(cells), "reviews.xlsx")


@pytest.mark.parametrize(
    "name", ["other/s.xml", "xl/worksheets/s.dat", "XL/WORKSHEETS/S.XML", "content.xml"]
)
def test_a_sheet_is_measured_wherever_it_lies(name):
    with pytest.raises(InputError, match="cells; at most"):
        read(sheet(FAR.format('r="XFD1048576"'), name), "reviews.xlsx")


def record(kind, payload=b""):
    return (
        bytes([kind & 0x7F | 0x80 * (kind > 0x7F)])
        + bytes([kind >> 7])[: kind > 0x7F]
        + bytes([len(payload)])
        + payload
    )


def number(value):
    return value.to_bytes(4, "little")


@pytest.mark.parametrize("name", ["xl/worksheets/sheet1.bin", "xl/media/picture.png"])
def test_a_far_cell_of_a_binary_sheet_is_found(name):
    far = (
        record(145)
        + record(0, number(1_048_575) + bytes(13))
        + record(1, number(16_383) + bytes(4))
    )
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("[Content_Types].xml", "<Types/>")
        archive.writestr("xl/workbook.bin", b"")
        archive.writestr(name, far)
    with pytest.raises(InputError, match=r"cells; at most|not named as one"):
        read(buffer.getvalue(), "reviews.xlsb")


def test_a_sheet_without_numbers_and_in_any_spelling_is_still_read():

    cell = '<c t="inlineStr"><is><t>{}</t></is></c>'.format
    assert [
        row.text
        for row in read(xlsx(f"<row>{cell('text')}</row><row>{cell('kettle')}</row>"), "r.xlsx")
    ] == ["kettle"]


def test_a_workbook_that_unpacks_to_too_much_is_refused(small_limits):
    with pytest.raises(InputError, match="unpacks to more"):
        read(sheet(" " * 2 * MEGABYTE), "reviews.xlsx")


def ods(cells):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("mimetype", "application/vnd.oasis.opendocument.spreadsheet")
        archive.writestr(
            "content.xml",
            f'<o xmlns:table="t" xmlns:office="o"><table:table>{cells}</table:table></o>',
        )
    return buffer.getvalue()


ROWS_OF_ODS = 'table:number-rows-repeated="1048576"'
COLUMNS_OF_ODS = 'table:number-columns-repeated="16384"'


def ods_row(row="", cell="", before=""):
    cell = f'<table:table-cell {cell} office:value="1"/>'
    return f"<table:table-row {row}>{before}{cell}</table:table-row>"


@pytest.mark.parametrize(
    "rows",
    [
        ods_row(ROWS_OF_ODS, COLUMNS_OF_ODS),
        ods_row(ROWS_OF_ODS.replace("=", " = "), COLUMNS_OF_ODS.replace("=", "\n=\n")),
        ods_row(f'x="{"a" * 1200}" {ROWS_OF_ODS}', COLUMNS_OF_ODS),
        ods_row(f'x=">" {ROWS_OF_ODS}', COLUMNS_OF_ODS),
        ods_row(ROWS_OF_ODS.replace('"1', '"00000000001'), COLUMNS_OF_ODS),
        ods_row(ROWS_OF_ODS, before=f"<table:table-cell {COLUMNS_OF_ODS}/>"),
        ods_row("", COLUMNS_OF_ODS) + ods_row(ROWS_OF_ODS),
        ods_row("", COLUMNS_OF_ODS) + f"<table:table-row {ROWS_OF_ODS}/>" + ods_row(),
    ],
    ids=[
        "both", "blanks", "a long attribute", "a closing mark in one", "leading zeros",
        "an empty cell before", "a wide row and many", "an empty row between",
    ],
)  # fmt: skip
def test_a_sheet_whose_cells_stand_for_millions_is_refused(rows):
    with pytest.raises(InputError, match="cells; at most"):
        read(ods(rows), "reviews.ods")


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
