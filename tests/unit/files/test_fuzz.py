"""A small part of what `make fuzz` does with files, and what must hold of any table."""

import csv
import io
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from stream.errors import ReviewsError
from stream.files import BadRow, ReviewRow, open_reviews
from stream.files.values import has_words
from tests.faults.fuzz_files import fuzz_files

A_TEXT = st.text(
    st.characters(codec="utf-8", exclude_characters="\r\0\ufeff", exclude_categories=["Cc", "Cs"]),
    min_size=3,
).filter(lambda text: has_words(text) and text.strip("'\"") == text)


def read(data, name="reviews.csv"):
    with open_reviews(Path(name), file=io.BytesIO(data)) as file:
        return list(file)


def test_damaged_files_raise_nothing_invent_nothing_and_whole_ones_come_out_whole():
    tally = fuzz_files(400, seed=3)
    assert tally.faults == []
    assert tally.reviews > 500


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=400))
def test_any_bytes_are_read_or_refused(data):
    for name in ("reviews.csv", "reviews.json", "reviews.xlsx", "-"):
        try:
            rows = read(data, name)
        except ReviewsError:
            continue
        assert all(isinstance(row, ReviewRow | BadRow) for row in rows)


@settings(max_examples=300, deadline=None)
@given(st.lists(A_TEXT, min_size=1, max_size=8), st.sampled_from(",;\t|"))
def test_whatever_a_table_quotes_comes_out_as_it_went_in(texts, delimiter):
    buffer = io.StringIO()
    writer = csv.writer(buffer, delimiter=delimiter, quoting=csv.QUOTE_ALL)
    writer.writerows([("id", "text"), *enumerate(texts, start=100)])
    rows = read(buffer.getvalue().encode())
    assert [getattr(row, "text", row) for row in rows] == texts


@settings(max_examples=300, deadline=None)
@given(
    st.lists(st.sampled_from(["чайник", "утюг, греет", "сапоги 5"]), min_size=2, max_size=12),
    st.data(),
)
def test_quotes_that_nobody_closed_swallow_no_row(texts, data):
    """Wherever one stands before a word: as many rows come out as there are, and their words."""
    broken = data.draw(st.sets(st.integers(0, len(texts) - 1), max_size=3))
    lines = [
        f"{i},{chr(34) * (i in broken)}{text.replace(',', '')}" for i, text in enumerate(texts)
    ]
    rows = read("\n".join(["id,text", *lines]).encode())
    assert [row.text.strip('"') for row in rows] == [text.replace(",", "") for text in texts]
