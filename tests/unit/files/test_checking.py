"""A file is looked through before its first review is sent."""

import io
from pathlib import Path

import pytest

from stream.errors import InputError
from stream.files import Options, open_reviews
from stream.files.checking import look_at_head, look_through


@pytest.fixture
def file(tmp_path):
    def write(content, name="reviews.csv"):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


def test_a_file_of_which_much_does_not_parse_is_refused_with_line_reason_and_remedy(file):
    rows = ["id,text,pros", *(f"{i},чайник,греет" for i in range(9)), *["1,а,б,в,г"] * 4]
    with pytest.raises(InputError, match=r"4 of 13 rows do not parse.*line 11: 5 fields") as caught:
        look_through(file("\n".join(rows)), Options())
    assert "nothing was sent" in caught.value.remedy


def test_a_few_broken_rows_cost_no_others(file):
    rows = ["id,text,pros", *(f"{i},чайник,греет" for i in range(9)), *["1,а,б,в,г"] * 2]
    found = look_through(file("\n".join(rows)), Options())
    assert (found.rows, found.left_out.total()) == (11, 2)


def test_ratings_without_words_are_no_fault_however_many(file):
    rows = ["id,text", *(f"{i}," for i in range(99)), "100,чайник"]
    assert look_through(file("\n".join(rows)), Options()).left_out.total() == 99


def test_a_text_in_another_encoding_than_its_beginning_is_refused(file):
    data = "id,text\n" + "1,nice kettle\n" * 20_000
    bad = data.encode() + "2,чайник не греет\n".encode("cp1251") * 20_000
    with pytest.raises(InputError, match="20,000 of 40,000 rows") as caught:
        look_through(file(bad), Options())
    assert "--encoding cp1251" in caught.value.remedy


def test_two_texts_under_one_id_are_named_and_counted(file):
    found = look_through(file("id,text\n1,чайник\n2,утюг\n1,сапоги\n2,утюг\n"), Options())
    assert found.told == [
        (
            "1 row has the id of another with a text of its own (lines 2 and 4): "
            "--id-column names another column"
        ),
        "1 row is there twice, id and text",
    ]


def test_what_comes_through_a_pipe_is_judged_by_its_beginning():
    data = "id,text,pros\n" + "1,а,б,в,г\n" * 50_000
    with (
        open_reviews(Path("-"), file=io.BytesIO(data.encode())) as reviews,
        pytest.raises(InputError, match="rows do not parse"),
    ):
        look_at_head(reviews, Path("-"), Options())


def test_looking_at_the_beginning_takes_nothing_away():
    data = "id,text\n" + "".join(f"{i},чайник\n" for i in range(50_000))
    with open_reviews(Path("-"), file=io.BytesIO(data.encode())) as reviews:
        assert not look_at_head(reviews, Path("-"), Options()).whole
        assert sum(1 for _ in reviews) == 50_000
