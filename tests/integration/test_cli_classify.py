"""`reviews classify`, offline: the contract of its output, and what happens when it cannot write."""

import csv
import json
import re

import pytest
import xlsxwriter
from python_calamine import CalamineWorkbook

from schemas import all_categories
from stream.files.spreadsheet import guarded
from stream.files.table_back import ADDED
from tests.support.command_line import assert_one_clear_line, reviews
from tests.support.tiny_model import write_tiny_model

TEXTS = ["платье, красивое", 'чайник\n"не греет"', "непонятно", "так себе"]


@pytest.fixture
def model(tmp_path):
    write_tiny_model(tmp_path / "model")
    return str(tmp_path / "model")


@pytest.fixture
def source(tmp_path):
    path = tmp_path / "in.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["id", "text"])
        writer.writerows(enumerate(TEXTS))
    return path


def classified(model, source, tmp_path, *arguments):
    output = tmp_path / "out.jsonl"
    result = reviews("classify", str(source), "--output", str(output), "--model", model, *arguments)
    assert result.returncode == 0, result.stderr
    return [json.loads(line) for line in output.read_text(encoding="utf-8").splitlines()]


def test_every_row_is_answered_in_order_with_the_fields_of_the_contract(model, source, tmp_path):
    lines = classified(model, source, tmp_path)
    assert [line["review_id"] for line in lines] == ["0", "1", "2", "3"]
    for line in lines:
        assert list(line) == ["review_id", "id", "text", *ADDED]
        assert line["category"] in {category.slug for category in all_categories()}
        assert 0 <= line["confidence"] <= 1


def test_unsure_rows_are_routed_to_relabel(model, source, tmp_path):
    lines = classified(model, source, tmp_path)
    assert [line["route"] for line in lines] == ["category", "category", "relabel", "relabel"]


def test_json_lines_are_read_as_well(model, tmp_path):
    source = tmp_path / "in.jsonl"
    source.write_text('{"review_id": "a", "text": "сумка"}\n', encoding="utf-8")
    (line,) = classified(model, source, tmp_path)
    assert (line["review_id"], line["category"]) == ("a", "accessories")


def test_output_may_be_standard_output(model, source):
    result = reviews("classify", str(source), "--output", "-", "--model", model)
    assert len(result.stdout.splitlines()) == len(TEXTS)


def test_many_rows_keep_their_order(model, tmp_path):
    source = tmp_path / "in.csv"
    rows = "".join(f"{i},{'платье ' * (i % 7)}чайник\n" for i in range(3000))
    source.write_text(f"id,text\n{rows}", encoding="utf-8")
    lines = classified(model, source, tmp_path)
    assert [line["review_id"] for line in lines] == [str(i) for i in range(3000)]


def test_a_full_disk_is_one_clear_line(model, source):
    result = reviews("classify", str(source), "--output", "/dev/full", "--model", model)
    assert_one_clear_line(result, 8, "no space is left")


def test_a_folder_that_is_not_there_is_one_clear_line(model, source, tmp_path):
    output = tmp_path / "absent" / "out.jsonl"
    result = reviews("classify", str(source), "--output", str(output), "--model", model)
    assert_one_clear_line(result, 2, "cannot be written")


def test_a_failure_keeps_a_former_output_and_leaves_no_part(model, source, tmp_path):
    output = tmp_path / "out.jsonl"
    output.write_text("former\n", encoding="utf-8")
    source.write_text("nr,kommentar\n1,чайник не греет\n", encoding="utf-8")
    result = reviews("classify", str(source), "-o", str(output), "--force", "--model", model)
    assert_one_clear_line(result, 2, "kommentar")
    assert output.read_text(encoding="utf-8") == "former\n"
    assert not list(tmp_path.glob(".*.part"))


def test_a_bad_row_is_left_out_named_and_makes_the_exit_code_one(model, tmp_path):
    source = tmp_path / "in.jsonl"
    source.write_text('{"text": "сумка"}\nbroken\n', encoding="utf-8")
    output = tmp_path / "out.jsonl"
    result = reviews("classify", str(source), "--output", str(output), "--model", model)
    assert result.returncode == 1
    assert "line 2" in result.stderr
    good, bad = map(json.loads, output.read_text(encoding="utf-8").splitlines())
    assert (good["route"], bad["route"], bad["category"]) == ("category", "left-out", "")
    assert "not JSON" in bad["reason"]


@pytest.fixture
def report(tmp_path):
    path = tmp_path / "report.xlsx"
    with xlsxwriter.Workbook(path) as book:
        sheet = book.add_worksheet()
        rows = [
            ["Отзывы"],
            [],
            ["ID отзыва", "Артикул", "Текст отзыва", "Достоинства", "Цена"],
            ["a1", 100200, "платье, красивое", "", 99.5],
            ["a2", 100201, "", "", 10],
            ["a3", 100202, "", "чайник", 20],
        ]
        for at, row in enumerate(rows):
            sheet.write_row(at, 0, row)
    return path


def test_a_workbook_comes_back_with_its_rows_and_columns_and_what_was_decided(
    model, report, tmp_path
):
    output = tmp_path / "out.xlsx"
    result = reviews("classify", str(report), "-o", str(output), "--model", model)
    assert result.returncode == 0  # a row without words comes back among the others
    header, *rows = CalamineWorkbook.from_path(output).get_sheet_by_index(0).to_python()
    assert header == ["ID отзыва", "Артикул", "Текст отзыва", "Достоинства", "Цена", *ADDED]
    assert [row[:5] for row in rows] == [
        ["a1", 100200, "платье, красивое", "", 99.5],
        ["a2", 100201, "", "", 10],
        ["a3", 100202, "", "чайник", 20],
    ]
    assert rows[0][5:7] == ["clothing", "одежда"]
    assert rows[1][5:] == ["", "", "", "left-out", "the text is empty"]
    assert [row[8] for row in rows] == ["category", "left-out", "category"]
    assert "3 rows = 2 + 1" in result.stderr


def test_csv_for_russian_excel_has_its_mark_semicolons_and_decimal_commas(model, tmp_path):
    source = tmp_path / "in.csv"
    source.write_text("id;text;Категория\n1;платье, красивое;=1+1\n", encoding="cp1251")
    output = tmp_path / "out.csv"
    arguments = ("-o", str(output), "--format", "excel", "--model", model)
    assert reviews("classify", str(source), *arguments).returncode == 0
    text = output.read_bytes().decode("utf-8")
    assert text.startswith("\ufeffid;text;Категория;category;category_name;confidence")
    row = text.splitlines()[1].split(";")
    assert row[:5] == ["1", "платье, красивое", "'=1+1", "clothing", "одежда"]
    assert re.fullmatch(r"0,\d+|1,0", row[5])


def test_a_table_that_was_written_is_read_again_unharmed(model, tmp_path):
    source = tmp_path / "in.csv"
    with source.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([["id", "text"], ["1", "=чайник; \n-5 градусов"]])
    once, twice = tmp_path / "once.csv", tmp_path / "twice.csv"
    for read, written in ((source, once), (once, twice)):
        result = reviews("classify", str(read), "-o", str(written), "--model", model)
        assert result.returncode == 0, result.stderr
    with twice.open(encoding="utf-8", newline="") as file:
        header, row = csv.reader(file)
    assert row[1] == guarded("=чайник; \n-5 градусов")
    assert header[2:] == [*ADDED, *(f"{name} (model)" for name in ADDED)]


def test_fields_that_only_later_objects_have_are_columns_too(model, tmp_path):
    source = tmp_path / "in.json"
    rows = [{"text": "чайник"}, {"text": "утюг", "product": {"name": "Б"}}]
    source.write_text(json.dumps(rows), encoding="utf-8")
    output = tmp_path / "out.csv"
    reviews("classify", str(source), "-o", str(output), "--model", model)
    with output.open(encoding="utf-8", newline="") as file:
        header, first, second = csv.reader(file)
    assert header[:2] == ["text", "product.name"]
    assert (first[1], second[1]) == ("", "Б")


def test_a_text_that_produce_refuses_is_left_out_in_the_same_words(model, tmp_path):
    source, output = tmp_path / "in.csv", tmp_path / "out.jsonl"
    source.write_text(f"id,text\n1,{'платье ' * 3000}\n2,чайник не греет\n", encoding="utf-8")
    said = reviews("classify", str(source), "-o", str(output), "--model", model)
    long, short = map(json.loads, output.read_text("utf-8").splitlines())
    assert (long["route"], long["reason"]) == ("left-out", "text: more than 20,000 characters")
    assert short["route"] != "left-out"
    assert said.returncode == 1
    assert "text: more than 20,000 characters" in said.stderr
    sent = reviews("produce", str(source), "--dry-run")
    assert "text: more than 20,000 characters" in sent.stderr
