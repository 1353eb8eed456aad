"""A person checks a sample: how it is drawn, what keys mean, and what the file holds."""

import csv

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from schemas import Category, all_categories, using
from tests.support.taxonomies import bank
from training.cli.label import app
from training.cli.validate import ask, terminal_key
from training.data.files import Suggestion, UnlabelledReview, read_labelled
from training.errors import DataError
from training.labelling.output import write_rows
from training.labelling.sample import COLUMNS, CheckedFile, draw_sample


def suggestion(number, by):
    return Suggestion(UnlabelledReview(f"r{number}", f"text {number}"), Category("kids"), by)


def suggestions(sizes):
    strata = [by for by, size in zip("abc", sizes, strict=True) for _ in range(size)]
    return [suggestion(number, by) for number, by in enumerate(strata)]


@settings(max_examples=50)
@given(st.tuples(*[st.integers(0, 60)] * 3), st.integers(1, 100))
def test_every_stratum_gives_its_share(sizes, count):
    drawn = draw_sample(suggestions(sizes), count)
    total = sum(sizes)
    assert len({row.item.id for row in drawn}) == len(drawn) == min(count, total)
    for by, size in zip("abc", sizes, strict=True):
        given_by = sum(row.decided_by == by for row in drawn)
        assert abs(given_by - size * len(drawn) / max(total, 1)) < 1


def test_the_same_seed_draws_the_same_sample_and_another_seed_another():
    rows = suggestions((30, 30, 30))
    assert draw_sample(rows, 20) == draw_sample(rows, 20) != draw_sample(rows, 20, seed=1)


def test_what_a_person_has_labelled_already_is_not_drawn():
    assert draw_sample([suggestion(1, "validated"), suggestion(2, "people")], 9) == [
        suggestion(2, "people")
    ]


def test_equal_texts_are_asked_about_once():
    twice = [
        Suggestion(UnlabelledReview("a", "Платье!")),
        Suggestion(UnlabelledReview("b", "платье!")),
    ]
    assert [row.item.id for row in draw_sample(twice, 9)] == ["a"]


def test_a_file_with_other_columns_is_not_appended_to(tmp_path):
    path = tmp_path / "other.csv"
    path.write_text("id,name\n", encoding="utf-8")
    with pytest.raises(DataError, match="has columns id, name"):
        CheckedFile(path)


@pytest.fixture
def labelled(tmp_path):
    path = tmp_path / "labelled.jsonl"
    row = {"guess": "clothing", "decided_by": "people", "reasons": {"rules": "says платье"}}
    write_rows(path, [{"id": f"r{i}", "text": f"платье, {i}\x1b[2J", **row} for i in range(4)])
    return path


def validate(labelled, keys, *options):
    output = labelled.with_name("checked.csv")
    arguments = ["validate", str(labelled), "-o", str(output), "--labeller", "ann", *options]
    result = CliRunner().invoke(app, arguments, input=keys)
    assert result.exit_code == 0, result.output
    with output.open(encoding="utf-8", newline="") as file:
        header, *rows = csv.reader(file)
    assert tuple(header) == COLUMNS
    return rows, result.stderr


def test_enter_accepts_a_digit_overrules_s_skips_and_q_ends(labelled):
    rows, shown = validate(labelled, "\n6\ns\nq\n")
    assert [row[2:] for row in rows] == [["clothing", "ann", "person"], ["kids", "ann", "person"]]
    assert "suggested: 3 " in shown
    assert "rules: says платье" in shown


def test_a_guess_that_nobody_was_sure_of_is_not_said_to_be_by_people(labelled):
    _, shown = validate(labelled, "q\n")
    assert "clothing, a guess: nobody was sure enough" in shown.lower()


def test_u_takes_the_last_answer_back_and_what_nobody_can_tell_stays_out(labelled):
    rows, shown = validate(labelled, "u\n1\n6\nu\n2\n?\nq\n")
    first, second = all_categories()[:2]
    assert [row[2] for row in rows] == [first.slug, second.slug]
    assert "nothing to take back" in shown
    assert "cannot tell" in shown
    again, _ = validate(labelled, "\n\n")
    assert len(again) == 4


def test_it_goes_on_where_it_ended(labelled):
    first, _ = validate(labelled, "1\n1\nq\n")
    both, _ = validate(labelled, "2\n2\n")
    assert both[:2] == first
    assert sorted(row[0] for row in both) == ["r0", "r1", "r2", "r3"]


@pytest.mark.parametrize("written", [0, 1, 2, 10, 34])
def test_a_file_that_broke_off_in_its_header_is_begun_anew(tmp_path, written):
    path = tmp_path / "checked.csv"
    path.write_text(",".join(COLUMNS)[:written], "utf-8")
    CheckedFile(path)
    assert path.read_text("utf-8").splitlines() == [",".join(COLUMNS)]


@pytest.mark.parametrize("cut", [1, 4, 9, 20, 30])
def test_an_answer_that_was_cut_off_is_asked_for_again(labelled, cut):
    whole, _ = validate(labelled, "1\n1\nq\n")
    output = labelled.with_name("checked.csv")
    content = output.read_bytes()
    last = content[:-2].rfind(b"\n") + 1
    output.write_bytes(content[: last + cut])
    rows, shown = validate(labelled, "2\nq\n")
    assert "the last answer" in shown
    assert rows[0] == whole[0]
    assert rows[1] == [*whole[1][:2], all_categories()[1].slug, *whole[1][3:]]


@pytest.mark.parametrize("end", [1, 2])
def test_a_last_answer_that_only_lacks_its_line_break_is_kept(labelled, end):
    whole, _ = validate(labelled, "1\n1\nq\n")
    output = labelled.with_name("checked.csv")
    output.write_bytes(output.read_bytes()[:-end])
    rows, shown = validate(labelled, "2\nq\n")
    assert "the last answer" not in shown
    assert rows[:2] == whole
    assert len(rows) == 3


def keys_of(keys, monkeypatch):
    """The keys, as a terminal gives them one by one."""
    left = iter(keys)
    monkeypatch.setattr("typer.getchar", lambda: next(left))


def test_of_many_categories_each_has_a_number(tmp_path, monkeypatch):
    with using(bank(tmp_path / "bank", 30)):
        for keys, number in (
            ("9", 9),
            ("1\r", 1),
            ("30", 30),
            ("12", 12),
            ("3\n", 3),
            ("031\r4", 4),
        ):
            keys_of(keys, monkeypatch)
            assert ask(None, terminal_key)[1] == all_categories()[number - 1], keys
        keys_of("1\x03", monkeypatch)
        assert ask(None, terminal_key) == ("\x03", None)


def test_of_few_categories_no_number_goes_beyond_them(tmp_path, monkeypatch):
    with using(bank(tmp_path / "bank", 4)):
        keys_of("9504", monkeypatch)
        assert ask(None, terminal_key)[1] == all_categories()[3]


def test_what_was_checked_calibrates_a_run(labelled):
    validate(labelled, "\n" * 4)
    known = read_labelled(labelled.with_name("checked.csv"))
    assert {row.category for row in known} == {Category("clothing")}
    assert {row.item.text[-4:] for row in known} == {"\x1b[2J"}


def test_it_ends_with_how_right_the_run_was(labelled):
    output = labelled.with_name("checked.csv")
    arguments = ["validate", str(labelled), "-o", str(output)]
    said = CliRunner().invoke(app, arguments, input="\n\n\n6\n").stdout
    assert "4 guesses checked: 0.75 (0.30-0.95) right" in said
    assert "Cohen's kappa 0.00" in said
    clothing, kids = (
        next(li for li in said.splitlines() if name in li) for name in ("3 clo", "6 kids")
    )
    assert "0.75 (0.30-0.95)" in clothing  # precision: one of the four was a child's
    assert "1.00 (0.44-1.00)" in clothing
    assert "0.00 (0.00-0.79)" in kids


def test_where_no_run_guessed_nothing_is_judged(tmp_path):
    write_rows(tmp_path / "raw.jsonl", [{"id": "r1", "text": "платье"}])
    arguments = ["validate", str(tmp_path / "raw.jsonl"), "-o", str(tmp_path / "c.csv")]
    assert CliRunner().invoke(app, arguments, input="3\n").stdout == ""


def test_a_review_cannot_move_the_cursor(labelled):
    _, shown = validate(labelled, "q\n")
    assert "\x1b[2J" not in shown


def test_blind_shows_no_suggestion_and_enter_accepts_none(labelled):
    rows, shown = validate(labelled, "\n6\nq\n", "--blind")
    assert [row[2] for row in rows] == ["kids"]
    assert "suggested" not in shown
