"""What a table cannot hold is refused before anything is lost."""

import gc
import re
import sys
import tempfile
import zipfile
from contextlib import ExitStack

import pytest

from stream.errors import InputError
from stream.files.table_back import RowDecision, output_form, table_writer
from tests.support.room import no_room_beyond


def test_a_workbook_of_too_many_columns_is_refused(tmp_path):
    """Excel has 16,384: the category would have been written behind the last, and lost."""
    names = [f"column {i}" for i in range(16_380)]
    with (
        pytest.raises(InputError, match="at most 16,384 columns"),
        table_writer(tmp_path / "out.xlsx", None, "xlsx", names),
    ):
        pass


@pytest.mark.parametrize("form", ["csv", "excel", "jsonl", "tsv", "xlsx"])
def test_half_a_character_in_a_name_is_marked_as_damaged(tmp_path, form):
    """A field of JSON may be named by half of a pair; no UTF-8 can hold it."""
    path = tmp_path / f"out.{form}"
    with (
        path.open("w", encoding="utf-8", newline="") as file,
        table_writer(path, None if form == "xlsx" else file, form, ["text", "\ud83d"]) as table,
    ):
        table.write(
            {"text": "чайник", "\ud83d": "x"}, "1", RowDecision("kids", "", 0.5, "category", "")
        )
    assert form == "xlsx" or "\ufffd" in path.read_text(encoding="utf-8")


def test_a_table_named_tsv_has_tabs(tmp_path):
    path = tmp_path / "out.tsv"
    with (
        path.open("w", encoding="utf-8", newline="") as file,
        table_writer(path, file, output_form(path), ["text"]),
    ):
        pass
    assert path.read_text(encoding="utf-8").startswith("text\tcategory\t")


def interrupted(path):
    with table_writer(path, None, "xlsx", ["text"]) as table:
        table.write({"text": "чайник"}, "", RowDecision("kids", "", 0.5, "category", ""))
        raise KeyboardInterrupt


def without_room(path):
    with ExitStack() as full, table_writer(path, None, "xlsx", ["text"]) as table:
        table.write({"text": "чайник"}, "", RowDecision("kids", "", 0.5, "category", ""))
        full.enter_context(no_room_beyond(0))


@pytest.mark.parametrize(
    ("writing", "error"), [(interrupted, KeyboardInterrupt), (without_room, OSError)]
)
def test_a_workbook_that_was_not_finished_leaves_no_drafts_and_no_second_error(
    tmp_path, monkeypatch, writing, error
):
    """The library's own drafts, with all texts, stayed in the folder for such files."""
    drafts = tmp_path / "drafts"
    drafts.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(drafts))
    unraised = []
    monkeypatch.setattr(sys, "unraisablehook", unraised.append)
    with pytest.raises(error):
        writing(tmp_path / "out.xlsx")
    gc.collect()
    assert list(drafts.iterdir()) == []
    assert unraised == []


def test_a_workbook_reads_well_shares_as_percent_and_columns_wide_enough(tmp_path):
    path = tmp_path / "out.xlsx"
    with table_writer(path, None, "xlsx", ["text"]) as table:
        table.write({"text": "сапоги"}, "1", RowDecision("footwear", "обувь", 0.97, "category", ""))
    with zipfile.ZipFile(path) as archive:
        sheet = archive.read("xl/worksheets/sheet1.xml").decode()
        styles = archive.read("xl/styles.xml").decode()
    widths = [float(width) for width in re.findall(r'width="([0-9.]+)"', sheet)]
    assert min(widths) > 10
    assert max(widths) > 35
    assert "0.0%" in styles
    style = re.search(r'<c r="D2" s="(\d+)"', sheet)
    assert style, "the share has a style of its own"
