"""What a table cannot hold is refused before anything is lost."""

import pytest

from stream.errors import InputError
from stream.files.table_back import Decision, output_form, table_writer


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
            {"text": "чайник", "\ud83d": "x"}, "1", Decision("kids", "", 0.5, "category", "")
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
