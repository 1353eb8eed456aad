"""What a pipe says slowly: understood by whole lines, and handed on as it comes."""

import os
import threading
from contextlib import contextmanager
from pathlib import Path

import pytest

from stream.files import BadRow, Options, open_reviews
from stream.files.checking import look_at_head

STDIN = Path("-")


@contextmanager
def live_pipe():
    """A pipe: what reads it, and a function that says something into it."""
    reading, writing = os.pipe()
    with open(reading, "rb") as file, open(writing, "wb", buffering=0) as end:  # noqa: PTH123

        def say(text):
            end.write(text.encode())

        yield file, say


@pytest.mark.parametrize(
    ("first", "then", "understood"),
    [
        ('{"id": "7", "text": "чайник"}\n', '{"id": "8", "text": "утюг"}\n', "JSON lines"),
        ("id,text\n7,чайник\n", "8,утюг\n", "CSV"),
        ("id;text\n7;чайник\n8;ут", "юг\n", "CSV"),
        ('id,text\n7,чайник\n8,"утюг', '"\n', "CSV"),
    ],
)
def test_lines_come_out_before_the_pipe_says_more(first, then, understood):
    with live_pipe() as (pipe, say):
        say(first)
        with open_reviews(STDIN, file=pipe) as reviews:
            found = look_at_head(reviews, STDIN, Options())
            assert found.said.startswith(understood)
            assert found.told == []
            rows = iter(reviews)
            row = next(rows)
            assert (row.review_id, row.text) == ("7", "чайник")
            say(then)
            row = next(rows)
            assert (row.review_id, row.text) == ("8", "утюг")


def test_a_header_alone_is_a_header():
    with live_pipe() as (pipe, say):
        say("№ отзыва;Текст отзыва\n")
        with open_reviews(STDIN, file=pipe) as reviews:
            assert "Текст отзыва" in look_at_head(reviews, STDIN, Options()).said
            say("7;чайник\n")
            assert next(iter(reviews)).text == "чайник"


def test_a_line_that_is_cut_off_is_waited_for_however_long():
    """A guess from the half of a header would take each row for a text."""
    with live_pipe() as (pipe, say):
        say("id,te")
        rest = threading.Timer(0.6, say, ["xt\n7,чайник\n"])
        rest.start()
        with open_reviews(STDIN, file=pipe) as reviews:
            row = next(iter(reviews))
        rest.join()
    assert (row.review_id, row.text) == ("7", "чайник")


def test_a_bad_line_after_the_first_of_json_costs_no_other():
    with live_pipe() as (pipe, say):
        say('{"text": "чайник"}\n')
        with open_reviews(STDIN, file=pipe) as reviews:
            rows = iter(reviews)
            assert next(rows).text == "чайник"
            say('{"text": \n{"text": "утюг"}\n')
            bad, good = next(rows), next(rows)
    assert isinstance(bad, BadRow)
    assert (bad.line, good.line, good.text) == (2, 3, "утюг")


def test_one_line_of_json_that_holds_a_list_stays_one_object():
    with live_pipe() as (pipe, say):
        say('{"data": {"feedbacks": [{"text": "чайник"}, {"text": "утюг"}]}}\n')
        with open_reviews(STDIN, file=pipe) as reviews:
            assert "feedbacks" in look_at_head(reviews, STDIN, Options()).said
            rows = iter(reviews)
            assert [next(rows).text, next(rows).text] == ["чайник", "утюг"]
