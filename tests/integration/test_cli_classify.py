"""`reviews classify`, offline: the contract of its output, and what happens when it cannot write."""

import csv
import json

import pytest

from schemas import all_categories
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
        assert list(line) == ["review_id", "category", "confidence", "route"]
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
    assert len(output.read_text(encoding="utf-8").splitlines()) == 1
