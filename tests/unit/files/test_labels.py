"""Labels as people write them, and as annotation tools export them."""

import io
import json
from pathlib import Path

import pytest

from schemas import Category, all_categories, load_taxonomy, using
from stream.categories import category_named
from stream.errors import ConfigError, InputError
from stream.files import BadRow, Options, Wanted
from stream.files.labels import category_of_label, label_rows, open_labels
from stream.queue.label_studio import read_annotation_file, read_annotations
from tests.support.taxonomies import write_taxonomy

FIELD = Path(__file__).parents[4] / "shared" / "field" / "inputs"
TEXT = "Чайник течёт"
POTS = Category("tableware")


def labelled(content, name="labels.json", wanted=None):
    data = content if isinstance(content, bytes | str) else json.dumps(content)
    data = data if isinstance(data, bytes) else data.encode()
    with open_labels(
        Path(name), Options(wanted=wanted or Wanted()), file=io.BytesIO(data)
    ) as table:
        rows = [row for row in label_rows(table) if not isinstance(row, BadRow)]
    found = [(row.review_id, row.text, row.category()) for row in rows]
    return [(i, t, c.problem if isinstance(c, BadRow) else c) for i, t, c in found]


@pytest.mark.parametrize("said", ["tableware", "Tableware ", "посуда", "ПОСУДА", "3", "3.0"])
def test_a_category_is_named_by_slug_name_or_number(said):
    assert category_of_label(said) == POTS


@pytest.mark.parametrize("said", ["9", "-1", "2.7", "шкафы", "", "9" * 5000, "³"])
def test_what_names_no_category_is_none(said):
    assert category_of_label(said) is None


def test_a_name_of_several_categories_is_none_and_it_is_said_of_which(tmp_path):
    file = write_taxonomy(tmp_path, 3) / "taxonomy.toml"
    text = file.read_text("utf-8").replace("Intent 0", "Card").replace("Intent 2", "card")
    file.write_text(text, encoding="utf-8")
    with using(load_taxonomy(tmp_path)):
        assert category_of_label("Card") is None
        ((_, _, said),) = labelled([{"text": TEXT, "category": "Card"}])
        assert said == "'Card' is the name of intent_0 and of intent_2: a slug tells them apart"
        assert category_of_label("intent_2") == "intent_2"
        with pytest.raises(ConfigError, match="the name of intent_0 and of intent_2") as refused:
            category_named("Card")
        assert refused.value.remedy == "use intent_0 or intent_2"


def test_a_former_slug_of_several_categories_is_said_to_be_that_of_several(tmp_path):
    file = write_taxonomy(tmp_path, 2) / "taxonomy.toml"
    text = file.read_text("utf-8")
    for slug in ("intent_0", "intent_1"):
        text = text.replace(f'slug = "{slug}"', f'slug = "{slug}"\nformerly = ["card"]')
    file.write_text(text, encoding="utf-8")
    with using(load_taxonomy(tmp_path)):
        ((_, _, said),) = labelled([{"text": TEXT, "category": "card"}])
        assert said == "'card' is the name of intent_0 and of intent_1: a slug tells them apart"


def annotation(choice, **more):
    result = [{"type": "choices", "value": {"choices": choice}}]
    return {"created_at": "2026-10-01", "lead_time": 4.2, "result": result, **more}


LABEL_STUDIO = [
    {"id": 900, "data": {"text": TEXT, "review_id": 5}, "annotations": [
        annotation(["footwear"]), annotation(["посуда"], created_at="2026-10-02"),
        annotation(["kids"], created_at="2026-10-03", was_cancelled=True),
    ]},
]  # fmt: skip
EXPORTS = {
    "Label Studio": ("x.json", LABEL_STUDIO),
    "Label Studio, JSON-MIN": ("x.json", [{"id": 900, "text": TEXT, "review_id": 5, "category": "посуда", "annotator": 3, "lead_time": 4.2}]),
    "Label Studio, CSV": ("x.csv", f"annotation_id,annotator,category,id,lead_time,review_id,text\n1,3,посуда,900,4.2,5,{TEXT}\n"),
    "Label Studio, choices in a cell": ("x.csv", f'review_id,text,category\n5,{TEXT},"{{""choices"": [""посуда""]}}"\n'),
    "doccano": ("x.jsonl", {"id": 5, "text": TEXT, "label": ["посуда"], "Comments": []}),
    "doccano of old": ("x.jsonl", {"id": 5, "data": TEXT, "label": ["посуда"]}),
    "Prodigy": ("x.jsonl", {"text": TEXT, "review_id": 5, "_task_hash": 1, "options": [{"id": "посуда"}], "accept": ["посуда"], "answer": "accept"}),
    "Prodigy, one label": ("x.jsonl", {"text": TEXT, "meta": {"id": 5}, "_task_hash": 1, "label": "посуда", "answer": "accept"}),
    "Argilla": ("x.json", [{"id": 5, "status": "completed", "fields": {"text": TEXT}, "responses": {"topic": [{"value": "посуда", "status": "submitted"}]}}]),
    "Argilla before 2": ("x.json", [{"id": 5, "text": TEXT, "prediction": None, "annotation": "посуда", "status": "Validated"}]),
}  # fmt: skip


@pytest.mark.parametrize("tool", EXPORTS)
def test_an_export_of_a_tool_is_recognised(tool):
    assert labelled(EXPORTS[tool][1], EXPORTS[tool][0]) == [("5", TEXT, POTS)]


@pytest.mark.parametrize("tool", EXPORTS)
def test_an_export_is_taken_in_by_the_queue_too(tool, tmp_path):
    name, content = EXPORTS[tool]
    path = tmp_path / name
    path.write_text(content if isinstance(content, str) else json.dumps(content), "utf-8")
    (found,), not_read, _ = read_annotation_file(path, Options())
    assert (found.review_id, found.category, not_read) == ("5", POTS, 0)


@pytest.mark.parametrize("answer", ["reject", "ignore"])
def test_what_nobody_accepted_is_no_label(answer):
    task = {"text": TEXT, "_task_hash": 1, "label": "посуда", "answer": answer}
    assert labelled(task, "x.jsonl") == [(None, TEXT, "there is no label")]


def test_several_labels_are_none():
    assert labelled({"text": TEXT, "label": ["посуда", "обувь"]}, "x.jsonl") == [
        (None, TEXT, "several labels: посуда, обувь")
    ]


def test_a_label_column_is_named_by_hand():
    found = labelled(f"text,тема\n{TEXT},посуда\n", "x.csv", Wanted(label="тема"))
    assert found == [(None, TEXT, POTS)]


def test_a_review_that_nobody_can_tell_comes_back_as_such():
    content = json.dumps([{"text": TEXT, "review_id": "r1", "category": "cannot-tell"}]).encode()
    (found,), _ = read_annotations(content)
    assert found.category is None


def test_an_upload_is_not_unpacked():
    with pytest.raises(InputError, match="packed"):
        read_annotations(b"PK\x03\x04")


FILES = {
    "doccano_export.jsonl": 9,
    "label_studio_numeric_ids.json": 9,
    "label_studio_russian_choices.json": 9,
    "labels_capitals.CSV": 9,
    "labels_float_ids.csv": 9,
    "labels_one_blank.csv": 9,
    "labels_russian_excel.csv": 9,
    "labels_russian_names.csv": 9,
}


@pytest.mark.skipif(not FIELD.is_dir(), reason="the files of ../shared/field are not at hand")
@pytest.mark.parametrize("name", FILES)
def test_a_file_of_the_field_gives_its_labels(name):
    found = labelled((FIELD / name).read_bytes(), name)
    known = [category for _, _, category in found if category in all_categories()]
    assert len(known) == FILES[name]
    assert set(known) == set(all_categories())
