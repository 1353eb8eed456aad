"""A row is taken out of whatever file people keep it in, and the rest of the file stays as it was."""

import json

import pytest

from stream.errors import InputError
from stream.operations.erasure_files import erase_rows
from stream.text import normalize
from tests.support.room import no_room_beyond

TEXT = "Чайник сгорел, звоните"


def erased(path, content, review_id="gone"):
    """Return how many rows were taken out of a file, and what is left of it."""
    path.write_text(content, encoding="utf-8", newline="")
    rows = erase_rows(path, review_id, frozenset({normalize(TEXT)}), dry_run=False)
    return rows, path.read_bytes().decode("utf-8")


@pytest.mark.parametrize(
    ("content", "left"),
    [
        ("id;text\ngone;платье\nr2;юбка, длинная\n", "id;text\nr2;юбка, длинная\n"),
        ("id\ttext\ngone\tплатье\nr2\tюбка\n", "id\ttext\nr2\tюбка\n"),
        ("ID, Text\ngone, платье\nr2,юбка\n", "ID, Text\nr2,юбка\n"),
        (f'text,text\nюбка,"{TEXT}"\n', "text,text\n"),
        ("id,text\ngone\nr2,юбка,and,more\n", "id,text\nr2,юбка,and,more\n"),
        ("id,text\ngone,платье\n\nr2,юбка\n", "id,text\n\nr2,юбка\n"),
        (f"id,text\ngone,платье\nr2,{'ю' * 200_000}\n", f"id,text\nr2,{'ю' * 200_000}\n"),
        ('\ufeff"id",text\ngone,платье\n', "\ufeffid,text\n"),
    ],
    ids=["semicolons", "tabs", "capitals", "twice", "ragged", "empty", "huge", "marked"],
)
def test_csv_of_any_spreadsheet(tmp_path, content, left):
    assert erased(tmp_path / "labels.csv", content) == (1, left)


def test_a_header_is_no_row(tmp_path):
    assert erased(tmp_path / "labels.csv", "id,text\nr2,юбка\n", review_id="id")[0] == 0


def test_an_empty_file_holds_nothing(tmp_path):
    assert erased(tmp_path / "labels.csv", "") == (0, "")


def test_csv_in_which_no_column_could_name_it_is_refused(tmp_path):
    with pytest.raises(InputError, match="no column is named id or review_id or text"):
        erased(tmp_path / "labels.csv", "gone,платье\n")


@pytest.mark.parametrize(
    "line", ["[" * 100_000, "{", "null", '["gone"]', '{"id": ["gone"]}', "", "9" * 9999]
)
def test_a_strange_line_keeps_no_other_one_from_going(tmp_path, line):
    content = f'{line}\n{{"id": "gone"}}\n{line}\n'
    assert erased(tmp_path / "labels.jsonl", content) == (1, f"{line}\n{line}\n")


@pytest.mark.parametrize(
    "row",
    [{"id": 42}, {"review_id": "42"}, {"id": ["x"], "text": TEXT}, {"id": None, "text": TEXT}],
)
def test_a_row_is_known_by_its_id_or_its_text_whatever_the_other_is(tmp_path, row):
    line = json.dumps(row) + "\n"
    assert erased(tmp_path / "labels.jsonl", f"\ufeff{line}{{}}\n", "42") == (1, "\ufeff{}\n")


def test_an_id_that_is_none_is_no_word(tmp_path):
    assert erased(tmp_path / "labels.jsonl", '{"id": null}\n', review_id="None")[0] == 0


def test_what_a_link_leads_to_is_emptied_and_the_link_stays(tmp_path):
    file, link = tmp_path / "kept.jsonl", tmp_path / "labels.jsonl"
    link.symlink_to(file)
    assert erased(link, '{"id": "gone"}\n') == (1, "")
    assert link.is_symlink()
    assert file.read_text() == ""


def test_who_may_read_the_file_stays_as_it_was(tmp_path):
    path = tmp_path / "labels.jsonl"
    path.touch(mode=0o640)
    erased(path, '{"id": "gone"}\n')
    assert path.stat().st_mode & 0o777 == 0o640


def test_without_room_the_old_file_stays_and_no_draft_with_its_texts(tmp_path):
    path = tmp_path / "labels.jsonl"
    content = '{"id": "gone"}\n' + '{"id": "stays"}\n' * 10_000
    path.write_text(content)
    with no_room_beyond(10_000), pytest.raises(InputError, match="too large"):
        erase_rows(path, "gone", frozenset(), dry_run=False)
    assert path.read_text() == content
    assert [file.name for file in tmp_path.iterdir()] == ["labels.jsonl"]
