"""No CSV of ours makes a spreadsheet compute what a stranger wrote, however it splits the lines."""

import ast
import csv
import io
import re
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from schemas import Category, Label
from stream.files.spreadsheet import SafeWriter, guarded, unguarded
from stream.operations.erasure_files import erase_rows
from stream.queue.export import written
from training.data.files import UnlabelledReview, read_labelled
from training.labelling.sample import CheckedFile

ROOT = Path(__file__).parents[3]
FORMULA = re.compile(r"[\s\0\x7f\u200b\u2060\ufeff]*[=+\-@＝＋－＠]")
ATTACKS = [
    "=1+1",
    "@SUM(1)",
    "-2+3|cmd",
    "\t=1+1",
    " =1+1",
    "хорошо;=1+1",
    'хорошо;"=1+1"',
    "хорошо\n=1+1",
    "хорошо\r\n=1+1",
    "хорошо\t=HYPERLINK(1)",
    "хорошо|=1+1",
    "＝1+1",
    "'=1+1",
    "a;';=1",
    "\0=1+1",
    "\u200b=1+1",
    "a;\ufeff=1+1",
    "\u2060 =1+1",
]
# Numbers and dashes reckon at most with themselves, and call nothing: they are left as they are.
HARMLESS = re.compile(r"[-+]?[\d .,()-]*")
texts = st.text(alphabet=st.sampled_from("=+-@;|\t\r\n\"' ,a1＝\0\u200b"), max_size=12)


def cells(text, separator):
    """Return the cells that a spreadsheet makes of a file, if it honours quotes and if it does not."""
    honoured = list(csv.reader(io.StringIO(text, newline=""), delimiter=separator))
    split = [line.split(separator) for line in re.split(r"[\r\n]+", text)]
    for row in (*honoured, *split):
        yield from (cell.strip('"') for cell in row)


def formulas(text, separator):
    """Return the cells that a spreadsheet would compute."""
    found = [cell for cell in cells(text, separator) if FORMULA.match(cell)]
    return [cell for cell in found if not HARMLESS.fullmatch(cell)]


def csv_of(text):
    file = io.StringIO(newline="")
    SafeWriter(file).writerow(["r1", text, "kids"])
    return file.getvalue()


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
@pytest.mark.parametrize("text", ATTACKS)
def test_no_cell_is_a_formula_whatever_the_separator(text, separator):
    assert not formulas(csv_of(text), separator)


@given(texts, st.sampled_from([",", ";", "\t", "|"]))
@example("-", ",")
@example("-1;=1", ";")
def test_nor_is_one_of_any_text(text, separator):
    written_text = csv_of(text.replace(",", ""))  # a comma within quotes is no separator to anybody
    assert not formulas(written_text, separator)


@given(texts | st.text())
@example(";\t=")
@example("';'=")
def test_what_is_read_is_what_was_written(text):
    assert unguarded(guarded(text)) == text


@pytest.mark.parametrize("text", ["Сапоги малы; верну", "5 из 5, советую", "", "цена-качество"])
def test_what_is_no_formula_stays_as_it_is(text):
    assert guarded(text) == text


@pytest.mark.parametrize("text", ATTACKS)
def test_the_queue_s_export_and_the_terminal_s_answers_are_guarded_and_read_back(text, tmp_path):
    label = Label(
        review_id="r1",
        text=text,
        category=Category("kids"),
        decided_by="person",
        labeller="ann",
        codebook_version="1",
    )
    exported = tmp_path / "export.csv"
    exported.write_text("".join(written([label], "csv")), encoding="utf-8", newline="")
    CheckedFile(tmp_path / "checked.csv").add(UnlabelledReview("r1", text), Category("kids"), "ann")
    for path in (exported, tmp_path / "checked.csv"):
        with path.open(encoding="utf-8", newline="") as file:
            content = file.read()
        for separator in ",;\t|":
            # A date is split at no separator of ours, and begins with its year.
            assert not formulas(content, separator)
        (row,) = read_labelled(path)
        assert (row.item.text, row.origin) == (text, "person")


def test_an_id_that_looks_like_a_formula_is_known_again(tmp_path):
    path = tmp_path / "checked.csv"
    CheckedFile(path).add(UnlabelledReview("=42", "сапоги"), Category("kids"), "ann")
    assert CheckedFile(path).done == {"=42"}
    assert erase_rows(path, "=42", frozenset(), dry_run=False) == 1
    assert CheckedFile(path).done == set()


def test_a_file_of_a_spreadsheet_loses_the_row_in_spite_of_its_byte_order_mark(tmp_path):
    path = tmp_path / "labels.csv"
    path.write_text("\ufeffid,text,category\ngone,сапоги,kids\nstays,юбка,kids\n", encoding="utf-8")
    assert erase_rows(path, "gone", frozenset(), dry_run=False) == 1
    assert path.read_text(encoding="utf-8") == "\ufeffid,text,category\nstays,юбка,kids\n"


def test_whoever_writes_csv_writes_it_through_the_guard():
    """`data_files.py` puts a person's own file back without the rows that were erased, as it was."""
    writers = {
        str(file.relative_to(ROOT))
        for room in ("schemas", "stream", "training", "deploy")
        for file in (ROOT / room).rglob("*.py")
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.Attribute)
        and node.attr in {"writer", "DictWriter"}
        and isinstance(node.value, ast.Name)
        and node.value.id == "csv"
    }
    assert writers == {"stream/files/spreadsheet.py", "stream/operations/erasure_files.py"}


_BEGINS = r"""(\A|[;|\t\r\n\v\f])"""
_FORMULA = r"""(?=["'\s]*[=+\-@\uff1d\uff0b\uff0d\uff20])"""


@given(st.text(alphabet=";|\t\r\n \"'=+-@aя\uff1d\u00a0\x1c"))
def test_each_beginning_before_a_sign_is_guarded_and_no_other(text):
    assert guarded(text) == re.sub(_BEGINS + _FORMULA, r"\1'", text)
    assert unguarded(text) == re.sub(_BEGINS + "'" + _FORMULA, r"\1", text)


@pytest.mark.parametrize("cell", ["-15", "+79991234567", "-", "+7 (999) 123-45-67", "- 1,5"])
def test_numbers_and_telephone_numbers_are_left_as_they_are(cell):
    file = io.StringIO(newline="")
    SafeWriter(file, "\t").writerow([cell])
    assert file.getvalue() == f"{cell}\r\n"


@pytest.mark.parametrize("cell", ["-1+cmd|' /C calc'!A0", "+A1", "=1", "@SUM(1)", "-x"])
def test_what_could_be_a_formula_is_guarded(cell):
    file = io.StringIO(newline="")
    SafeWriter(file, "\t").writerow([cell])
    assert file.getvalue().startswith("'")
