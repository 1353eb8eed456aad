import io
import json
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas import Review
from stream.errors import InputError
from stream.files import (
    BadRow,
    IdDeriver,
    Options,
    Reason,
    ReviewRow,
    derived_id,
    format_of,
    open_reviews,
)
from stream.files.values import has_words


def rows(content, name="reviews.csv", wanted="auto"):
    data = content if isinstance(content, bytes) else content.encode()
    with open_reviews(Path(name), Options(wanted), io.BytesIO(data)) as file:
        return list(file)


def test_csv_keeps_ids_texts_and_other_columns():
    (row,) = rows("id,text,shop\n7,Платье село,north\n")
    assert (row.review_id, row.text, row.metadata) == ("7", "Платье село", {"shop": "north"})


def test_csv_reads_quotes_commas_and_line_breaks_inside_a_text():
    found = rows('id,text\n1,"раз, два\nтри ""четыре"""\n2,пять\n')
    assert [row.text for row in found] == ['раз, два\nтри "четыре"', "пять"]


def test_csv_from_a_spreadsheet_with_mark_and_semicolons_is_read():
    (row,) = rows("\ufeffid;text\r\n1;чайник\r\n")
    assert (row.review_id, row.text) == ("1", "чайник")


def test_csv_without_a_text_column_names_the_columns_it_has():
    with pytest.raises(InputError, match="kommentar") as caught:
        rows("nr,kommentar\n1,чайник не греет\n2,утюг\n")
    assert "--text-column 'kommentar'" in caught.value.remedy


def test_a_file_with_the_line_ends_of_an_old_mac_is_read_whatever_its_name():
    found = rows("id,text\r1,чайник\r2,утюг\r", name="reviews")
    assert [row.text for row in found] == ["чайник", "утюг"]


def test_a_line_without_end_is_bad_and_costs_no_other():
    (bad,) = rows("text" + "x" * 17_000_000, wanted="lines")
    assert isinstance(bad, BadRow)


def test_a_csv_row_with_too_many_fields_is_bad_and_costs_no_other():
    bad, good = rows("id,text,pros\n1,чайник,лишнее,лишнее\n2,утюг,греет\n")
    assert isinstance(bad, BadRow)
    assert good.text == "утюг\nгреет"


def test_a_text_with_commas_that_nobody_quoted_is_put_together():
    found = rows("id,text,rating\n1,чайник, и течёт,5\n2,утюг,4\n")
    assert [row.text for row in found] == ["чайник, и течёт", "утюг"]


def test_json_lines_take_a_number_as_id_and_pass_metadata_on():
    line = {"id": 5, "text": "кружка", "metadata": {"a": 1}, "shop": "x", "nested": {}}
    (row,) = rows(json.dumps(line), "r.jsonl")
    assert (row.review_id, row.metadata) == ("5", {"a": "1", "shop": "x"})


@pytest.mark.parametrize("line", ["{broken", "[1, 2]", '{"id": 1}', '{"text": null}', "null"])
def test_a_bad_json_line_is_named_and_costs_no_other(line):
    bad, good = rows(line + '\n{"text": "утюг"}\n', "r.jsonl")
    assert isinstance(bad, BadRow)
    assert bad.line == 1
    assert good.text == "утюг"


def test_an_id_that_is_no_scalar_counts_as_absent():
    (row,) = rows('{"id": [1], "text": "утюг"}', "r.jsonl")
    assert row.review_id is None


def test_plain_lines_are_texts_and_empty_lines_are_nothing():
    assert [row.text for row in rows("чайник\n\nутюг\n", "r.txt")] == ["чайник", "утюг"]


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ('{"text": "чайник"}\n', "чайник"),
        ("id,text\n1,чайник\n", "чайник"),
        ("чайник, и не один\n", "чайник, и не один"),
    ],
)
def test_the_format_of_standard_input_is_found_from_its_first_bytes(content, text):
    assert rows(content, "-")[0].text == text


def test_a_row_of_windows_1251_is_bad_and_says_how_to_convert():
    bad, good = rows("чайник\n".encode("cp1251") + "утюг\n".encode(), "r.txt")
    assert "--encoding cp1251" in bad.problem
    assert good.text == "утюг"


def test_half_an_emoji_is_replaced_and_costs_no_review():
    (row,) = rows('{"text": "супер \\ud83d"}', "r.jsonl")
    assert row.text == "супер \ufffd"


@given(st.text(), st.text(min_size=1))
def test_any_text_and_id_survive_json_lines(text, review_id):
    line = json.dumps({"id": review_id, "text": text})
    (row,) = rows(line, "r.jsonl")
    whole = [re.sub("[\ud800-\udfff]", "\ufffd", value) for value in (review_id.strip(), text)]
    if isinstance(row, ReviewRow):
        assert row.text == whole[1]
        assert row.review_id in {whole[0], None, whole[0].removesuffix(".0")}
    else:
        assert not has_words(whole[1])


@given(st.binary(max_size=200))
def test_no_bytes_whatever_stop_the_reading_of_lines(data):
    try:
        found = rows(data, "r.jsonl")
    except InputError:
        return  # of a kind that holds no reviews
    assert all(isinstance(row, ReviewRow | BadRow) for row in found)


def test_equal_texts_without_ids_stay_different_reviews_under_the_same_ids_each_time():
    def ids():
        deriver = IdDeriver()
        return [deriver.id_of(row) for row in rows("да\nда\nнет\n", "r.txt")]

    assert len(set(ids())) == 3
    assert ids() == ids()


def test_a_derived_id_does_not_depend_on_the_process():
    assert derived_id("чайник") == "text-eb3fd7c5dc457ecf1bb66dd9"


def test_an_empty_text_is_no_review_and_the_reason_does_not_quote_it():
    (row,) = rows("id,text\n1,   \n")
    assert row == BadRow(2, "the text is empty", Reason.NO_WORDS)


def test_a_good_row_becomes_a_review():
    (row,) = rows("id,text,created_at\n1,чайник,2024-05-01T10:00:00Z\n")
    review = row.to_review("1")
    assert isinstance(review, Review)
    assert review.created_at is not None


def test_an_absent_file_is_named_in_one_line(tmp_path):
    with (
        pytest.raises(InputError, match=r"no file .*absent\.csv"),
        open_reviews(tmp_path / "absent.csv"),
    ):
        pass


def test_a_folder_is_not_read_as_a_file(tmp_path):
    with pytest.raises(InputError, match="cannot be read"), open_reviews(tmp_path):
        pass


def test_an_unknown_format_lists_the_known_ones():
    with pytest.raises(InputError) as caught:
        format_of("xml")
    assert "csv" in caught.value.remedy


def test_a_text_that_is_too_long_is_said_to_be():
    bad = ReviewRow(2, None, "а" * 20_001).to_review("r1")
    assert (bad.problem, bad.reason) == ("text: more than 20,000 characters", Reason.CONTRACT)
