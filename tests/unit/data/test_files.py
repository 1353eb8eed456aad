"""Reading reviews, labels and recorded votes."""

import json

import pytest

from schemas import Category
from stream.settings import LabelSettings
from training.data.files import UnlabelledReview, read_items, read_labelled, read_votes
from training.data.origins import Origin
from training.data.unstated import Unstated
from training.errors import DataError
from training.labelling.panel import cheap_panel, open_llm
from training.labelling.recorded import RecordedLabeller, Recording


def jsonl(path, *rows):
    path.write_text("\n".join(json.dumps(row) for row in rows), encoding="utf-8")
    return path


def test_csv_and_json_lines_hold_the_same_reviews(tmp_path):
    (tmp_path / "a.csv").write_text('id,text\n1,"Платье, синее"\n', encoding="utf-8")
    rows = jsonl(tmp_path / "a.jsonl", {"review_id": "1", "text": "Платье, синее"})
    assert (
        read_items(tmp_path / "a.csv")
        == read_items(rows)
        == [UnlabelledReview("1", "Платье, синее")]
    )


def test_a_category_is_a_slug_or_an_id(tmp_path):
    rows = jsonl(
        tmp_path / "a.jsonl",
        {"text": "a", "category": "clothing"},
        {"text": "b", "category_id": "8"},
    )
    found = [row.category for row in read_labelled(rows)]
    assert found == [Category("clothing"), Category("no-product")]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ('{"id": 1}', "known to hold the text; there are «id»"),
        ('{"text": "a", "category": "shoes"}', "line 1: no known category in 'shoes'"),
        ('{"text": "a", "category_id": 9}', "no known category in '9'"),
        ('{"text": "a", "category_id": -1}', "no known category in '-1'"),
        ('{"text": "a", "category_id": 2.7}', "no known category in '2.7'"),
        ('{"text": "a", "category_id": true}', "there is no label"),
        ('{"text": "a", "category_id": Infinity}', "there is no label"),
        ('{"text": "a", "category": ["kids", "footwear"]}', "several labels: kids, footwear"),
        (f'{{"text": "a", "category_id": {"9" * 5000}}}', "no known category in '9999"),
        ("[" * 100_000, "not JSON"),
        ("{", "not JSON"),
        ("[1]", "known to hold the text"),
    ],
    ids=range(12),
)
def test_a_bad_row_is_named(tmp_path, content, words):
    (tmp_path / "a.jsonl").write_text(content)
    with pytest.raises(DataError, match=words):
        read_labelled(tmp_path / "a.jsonl")


def test_a_whole_number_that_another_program_wrote_as_a_fraction_is_an_id(tmp_path):
    rows = jsonl(tmp_path / "a.jsonl", {"text": "a", "category_id": 2.0})
    assert [row.category for row in read_labelled(rows)] == [Category("clothing")]


@pytest.mark.parametrize("confidence", ["surely", [1], {"a": 1}])
def test_a_confidence_that_is_no_number_is_named(tmp_path, confidence):
    vote = {"id": "1", "model": "m", "category": "kids", "confidence": confidence}
    with pytest.raises(DataError, match=r"line 1: .* is no confidence"):
        list(read_votes(jsonl(tmp_path / "votes.jsonl", vote)))


def test_rows_without_a_known_category_are_named_and_left_out_and_the_others_serve(tmp_path):
    told = []
    rows = [f"чайник {i},посуда" for i in range(9)]
    path = tmp_path / "a.csv"
    path.write_text("\n".join(["text,category", *rows, "утюг,", "кофта,тряпки"]), "utf-8")
    found = read_labelled(path, Unstated(Origin.PERSON, told.append))
    assert [row.category for row in found] == [Category("tableware")] * 9
    assert [line.removeprefix(f"{path}") for line in told if "left out" in line] == [
        ", line 11: there is no label: left out",
        ", line 12: no known category in 'тряпки': left out",
        ": 2 of 11 rows were left out, 9 are taken",
    ]


def test_of_an_export_that_is_labelled_in_part_the_labelled_rows_serve(tmp_path):
    told = []
    rows = [{"text": f"чайник {i}", "category": "tableware" if i < 3 else ""} for i in range(9)]
    found = read_labelled(jsonl(tmp_path / "a.jsonl", *rows), Unstated(Origin.PERSON, told.append))
    assert len(found) == 3
    assert any("6 of 9 rows were left out, 3 are taken" in line for line in told)


def test_labels_that_name_no_category_are_counted_the_most_frequent_first(tmp_path):
    told = []
    labels = ["посуда"] * 90 + ["Тарелки"] * 2 + ["посуда / обувь", "", "Тарелки"]
    rows = [{"text": f"чайник {i}", "category": label} for i, label in enumerate(labels)]
    read_labelled(jsonl(tmp_path / "a.jsonl", *rows), Unstated(tell=told.append))
    (said,) = [line for line in told if "name no category" in line]
    assert "'Тарелки' (3), 'посуда / обувь' (1);" in said


def test_a_file_in_which_nothing_is_labelled_is_refused(tmp_path):
    rows = [{"text": f"чайник {i}", "category": ""} for i in range(9)]
    with pytest.raises(DataError, match=r"line 1: there is no label \(9 of 9 rows are like it\)"):
        read_labelled(jsonl(tmp_path / "a.jsonl", *rows), Unstated(tell=[].append))


def test_rows_that_nobody_labelled_do_not_hide_that_the_others_are_of_another_taxonomy(tmp_path):
    rows = [{"text": f"чайник {i}", "category": "toys" if i < 4 else ""} for i in range(90)]
    with pytest.raises(
        DataError, match=r"no known category in 'toys' \(4 of 90 rows are like it\)"
    ):
        read_labelled(jsonl(tmp_path / "a.jsonl", *rows), Unstated(tell=[].append))


def test_ratings_without_words_are_no_fault_however_many(tmp_path):
    """Of a shop's report, where most buyers only rate, no label could be made."""
    told = []
    rows = [{"text": "NULL" if i else "чайник течёт", "category": ""} for i in range(9)]
    (found,) = read_items(jsonl(tmp_path / "a.jsonl", *rows), Unstated(tell=told.append))
    assert found.text == "чайник течёт"
    assert any("8 of 9 rows were left out, 1 are taken" in line for line in told)


def test_a_file_of_another_taxonomy_is_refused(tmp_path):
    rows = [{"text": f"чайник {i}", "category": "toys" if i % 2 else "kids"} for i in range(9)]
    with pytest.raises(DataError, match="4 of 9 rows are like it"):
        read_labelled(jsonl(tmp_path / "a.jsonl", *rows), Unstated(tell=[].append))


def test_where_nobody_is_told_a_bad_row_is_an_error(tmp_path):
    rows = [{"text": f"чайник {i}", "category": "tableware" if i else ""} for i in range(9)]
    with pytest.raises(DataError, match="line 1: there is no label"):
        read_labelled(jsonl(tmp_path / "a.jsonl", *rows))


def test_csv_files_of_windows_are_read_whatever_their_line_ends_and_the_case_of_their_name(
    tmp_path,
):
    (tmp_path / "A.CSV").write_bytes("text,category\r\nплатье,clothing\r\n".encode())
    assert [row.item.text for row in read_labelled(tmp_path / "A.CSV")] == ["платье"]


def test_a_spreadsheets_byte_order_mark_is_no_part_of_a_name(tmp_path):
    (tmp_path / "a.csv").write_text("text,category\nплатье,clothing\n", encoding="utf-8-sig")
    assert [row.category for row in read_labelled(tmp_path / "a.csv")] == [Category("clothing")]


@pytest.fixture
def votes(tmp_path):
    return jsonl(
        tmp_path / "votes.jsonl",
        {"id": "1", "model": "m", "category": "clothing", "confidence": 0.8},
        {"id": "1", "model": "m", "category": "kids", "confidence": 0.8},
        {"id": "2", "model": "m", "category": None},
        {"id": "3", "model": "m", "category": "footwear"},
        {"id": "1", "model": "other", "category": "footwear", "confidence": 1.5},
    )


ITEMS = [UnlabelledReview(str(i), f"отзыв {i}") for i in range(1, 4)]


def test_several_recorded_answers_are_averaged(votes):
    labeller = RecordedLabeller.load(votes, "m", ITEMS)
    row = labeller.label(["отзыв 1"]).probabilities[0]
    assert row[Category("clothing").id] == row[Category("kids").id] == pytest.approx(0.4125)


def test_no_usable_answer_or_none_at_all_is_an_abstention(votes):
    labeller = RecordedLabeller.load(votes, "m", ITEMS)
    assert labeller.label(["отзыв 2", "новый"]).abstained.all()


def test_a_recorded_certainty_is_never_complete(votes):
    labeller = RecordedLabeller.load(votes, "other", ITEMS)
    assert labeller.label(["отзыв 1"]).confidence[0] < 1


def test_a_model_that_is_not_on_record_is_refused_with_those_that_are(votes):
    with pytest.raises(DataError) as refused:
        RecordedLabeller.load(votes, "gpt", ITEMS)
    assert refused.value.remedy == "it has m, other"


def test_a_vote_without_a_model_is_refused(tmp_path):
    with pytest.raises(DataError, match="needs id and model"):
        list(read_votes(jsonl(tmp_path / "v.jsonl", {"id": "1"})))


@pytest.mark.parametrize("value", ["votes.jsonl", ":m", "votes.jsonl:"])
def test_a_recording_is_a_file_and_a_model(value):
    with pytest.raises(DataError, match="FILE:MODEL"):
        Recording.parse(value)


def test_a_labeller_that_is_not_at_hand_leaves_one_note(monkeypatch):
    panel = cheap_panel(LabelSettings(zero_shot_model="nobody/has-this"))
    assert [labeller.name for labeller in panel.cheap] == ["heuristic", "dictionary"]
    assert len(panel.notes) == 1
    assert "hf download" in panel.notes[0]


def test_without_endpoint_model_or_recording_there_is_no_llm():
    with open_llm(LabelSettings()) as llm:
        assert llm is None
